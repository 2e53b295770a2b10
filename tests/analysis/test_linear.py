"""Systems made linear, against closed forms and against their own finite differences."""

import numpy as np
import pytest

from physnn.analysis import dc_gain, frequency_response, linearised, modes, point, rest, step_matrix
from physnn.equations import (
    Convolution,
    Coupling,
    Dense,
    Event,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    System,
)
from physnn.errors import CapabilityError, NumericsError, ParameterError, ShapeError, UnknownNameError

OMEGA = np.array([0.0, 0.3, 1.0, 7.0])
ROUNDING = 1e-12
SOURCE = Population.from_text("in", 1, "u : 1 (input)")


def single(equations, values, operator=None, unit="1", delay=0.0, into="z", output="x", integrator="euler", **more):
    """One element behind one line of weight 1."""
    cell = Population.from_text("cell", 1, equations, values, integrator=integrator, **more)
    line = Coupling("w", "in", "cell", "u", operator or Dense(1, 1), into, delay, unit=unit, initial=np.ones((1, 1)))
    return System.of([SOURCE, cell], [line], {"in": Input("in", "u")}, {"y": Output("cell", output)})


RC = "dv/dt = (z - v)/(R*C) : 1\nz : 1 (arrival)\nR : ohm (parameter)\nC : F (parameter)"
SPRING = """
dx/dt = v : 1
dv/dt = z - g*v - k*x : 1/s
z : 1/s**2 (arrival)
g : 1/s (parameter)
k : 1/s**2 (parameter)
"""


def test_rc_low_pass():
    system = single(RC, {"R": 2e3, "C": 1e-4}, output="v")
    found = frequency_response(system, "in", "y", OMEGA)
    assert found.shape == (4, 1, 1)
    assert np.allclose(found[:, 0, 0], 1 / (1 + 1j * OMEGA * 0.2), rtol=ROUNDING)


def test_damped_oscillator():
    system = single(SPRING, {"g": 0.5, "k": 4.0}, unit="1/s**2")
    wanted = 1 / (4.0 - OMEGA**2 + 0.5j * OMEGA)
    assert np.allclose(frequency_response(system, "in", "y", OMEGA)[:, 0, 0], wanted, rtol=ROUNDING)
    found = modes(system)
    assert np.allclose(found.growth, -0.25, rtol=ROUNDING)
    assert np.allclose(np.abs(found.angular_frequency), np.sqrt(4 - 0.0625), rtol=ROUNDING)


def test_a_rate_added_to_a_state_and_a_wave_added_to_an_arrival():
    system = single(SPRING, {"g": 0.5, "k": 4.0}, unit="1/s**2")
    assert np.allclose(dc_gain(system, "cell.v", ["cell.x", "cell.v"]), [[0.25], [0.0]], atol=ROUNDING)
    assert np.allclose(dc_gain(system, "cell.z", "y"), dc_gain(system, "in", "y"), rtol=ROUNDING)


def test_an_undamped_mode_has_no_response_at_its_frequency():
    with pytest.raises(NumericsError, match="without damping"):
        frequency_response(single(SPRING, {"g": 0.0, "k": 0.0}, unit="1/s**2"), "in", "y", 0.0)


def test_delay_turns_the_phase():
    straight = frequency_response(single(RC, {"R": 1.0, "C": 1.0}, output="v"), "in", "y", OMEGA)
    late = frequency_response(single(RC, {"R": 1.0, "C": 1.0}, output="v", delay=0.7), "in", "y", OMEGA)
    assert np.allclose(late[:, 0, 0], straight[:, 0, 0] * np.exp(-0.7j * OMEGA), rtol=ROUNDING)


def looped(delay=0.4, gain=0.6):
    """An echo: x = u + gain x(t - delay), through a constraint."""
    echo = Population.from_text("echo", 1, "0 = x - z : 1 (solves x)\nz : 1 (arrival)")
    lines = [
        Coupling("w", "in", "echo", "u", Dense(1, 1), "z", initial=[[1.0]]),
        Coupling("back", "echo", "echo", "x", Dense(1, 1), "z", delay, initial=[[gain]]),
    ]
    return System.of([SOURCE, echo], lines, {"in": Input("in", "u")}, {"y": Output("echo", "x")})


def test_delayed_loop():
    found = frequency_response(looped(), "in", "y", OMEGA)[:, 0, 0]
    assert np.allclose(found, 1 / (1 - 0.6 * np.exp(-0.4j * OMEGA)), rtol=ROUNDING)


def test_the_step_matrix_holds_what_is_in_flight():
    # An echo of 4 steps has the eigenvalues of z^4 = gain.
    found = np.linalg.eigvals(step_matrix(looped(), 0.1).toarray())
    assert found.shape == (4,)
    assert np.allclose(found**4, 0.6, rtol=1e-10)
    with pytest.raises(ParameterError, match="whole number of steps"):
        step_matrix(looped(), 0.3)
    with pytest.raises(CapabilityError, match="infinitely many modes"):
        modes(looped())


def everything(seed=3):
    """Instant chains, a constraint, complex states and weights, a sheet, delays, shared shapes: all at once."""
    rng = np.random.default_rng(seed)
    source = Population.from_text("src", 3, "u : 1 (input)")
    mixer = Population.from_text("mix", (2, 2, 3), "0 = q + 0.2*q**3 - tanh(z) : 1 (solves q)\nz : 1 (arrival)")
    waves = Population.from_text(
        "wave",
        (1, 2, 3),
        """
        da/dt = (mu + 1j*om)*a - a*abs(a)**2/s0 + (z + F)/s0 + 0.3*conj(a)/s0 : 1 (complex)
        dp/dt = (abs(a)**2 - p + sin(r))/s0 : 1
        z  : 1 (arrival, complex)
        r  : 1 (arrival)
        mu : 1/s (parameter)
        om : 1/s (parameter)
        F  : 1 (parameter)
        s0 : s (parameter)
        """,
        {"mu": rng.normal(size=(1, 2, 3)), "om": 2.0, "F": 0.7, "s0": 1.3, "a": 0.4 + 0.2j, "p": 0.1},
    )
    draw = rng.normal
    couplings = [
        Coupling("in", "src", "mix", "sin(u)", Dense(12, 3, (2, 2, 3)), "z", initial=0.5 * draw(size=(12, 3))),
        Coupling(
            "fold",
            "mix",
            "wave",
            "q + z/2",
            Convolution(1, 2, (3, 3), "mirror"),
            "r",
            initial=0.3 * draw(size=(1, 2, 3, 3)),
        ),
        Coupling(
            "turn",
            "wave",
            "wave",
            "a*p",
            OneToOne((1, 2, 3)),
            "z",
            initial=draw(size=(1, 2, 3)) + 1j * draw(size=(1, 2, 3)),
        ),
        Coupling(
            "late",
            "wave",
            "mix",
            "re(a) + r",
            Convolution(2, 1, (3, 1), "circular"),
            "z",
            0.2,
            initial=0.3 * draw(size=(2, 1, 3, 1)),
        ),
    ]
    return System.of([source, mixer, waves], couplings, {"in": Input("src", "u")}, {"y": Output("wave", "a*p + r")})


def packed(state, system):
    parts = []
    for population in system.populations.values():
        for name in population.role("state"):
            value = np.ravel(state[f"{population.name}.{name}"][0])
            parts += [value.real, value.imag] if population.variables[name].complex else [value]
    return np.concatenate(parts)


@pytest.mark.parametrize("integrator", ["euler", "exponential", "rk4"])
def test_a_step_of_everything_against_finite_differences(integrator):
    system = everything()
    system = System.of(
        [
            p if p.name != "wave" else Population.from_text(p.name, p.shape, p.text, p.values, integrator=integrator)
            for p in system.populations.values()
        ],
        system.couplings.values(),
        system.inputs,
        system.outputs,
    )
    engine, dt = Interpreter(system), 0.1
    u = np.random.default_rng(1).normal(size=(1, 3))
    before = engine.run({"in": u}, 5, dt)
    about = point(before)
    found = step_matrix(system, dt, about=about).toarray()
    states = sum(s.stop - s.start for s in linearised(system, about=about, step=dt).states.values())
    h = 1e-5
    for direction in np.random.default_rng(2).normal(size=(4, 18)):
        moved = []
        for sign in (-1, 1):
            state = {k: (list(v) if isinstance(v, list) else v) for k, v in before.state.items()}
            state["wave.a"] = state["wave.a"] + sign * h * (direction[:6] + 1j * direction[6:12]).reshape(1, 1, 2, 3)
            state["wave.p"] = state["wave.p"] + sign * h * direction[12:].reshape(1, 1, 2, 3)
            moved.append(packed(engine.run({"in": u}, 1, dt, state).state, system))
        # The error of central differences of this size is h^2 = 1e-10 times third derivatives of about 10.
        assert np.allclose(found[:states, :states] @ direction, (moved[1] - moved[0]) / (2 * h), atol=1e-8)


def test_the_gain_of_everything_is_that_of_its_stationary_state():
    system = everything()
    rng, h = np.random.default_rng(4), 1e-5
    # Weakly driven, so that sweeps find the stationary state: all amplitudes shrink.
    parameters = {"wave.mu": -2.0 * np.ones((1, 2, 3)), **{k: 0.1 * system.parameters[k] for k in ("turn", "late")}}
    u = rng.normal(size=3)
    about = rest(system, parameters, {"in": u})
    found = dc_gain(system, "in", "y", parameters, about)
    engine, direction = Interpreter(system, parameters), rng.normal(size=3)
    y = [np.ravel(engine.steady({"in": (u + s * h * direction)[None]}, 1e-14).outputs["y"]) for s in (-1, 1)]
    wanted = (y[1] - y[0]) / (2 * h)
    assert np.allclose(found @ direction, np.concatenate([wanted.real, wanted.imag]), atol=1e-8)


def test_the_response_of_the_stepped_system_is_that_of_its_run():
    # A sinusoid through symplectic steps, once settled: y_n = Re(H exp(j omega n dt)).
    system = single(SPRING, {"g": 1.0, "k": 4.0}, unit="1/s**2", integrator="symplectic")
    dt, omega, steps = 0.2, 1.1, 400
    u = np.cos(omega * dt * np.arange(steps)).reshape(1, steps, 1)
    y = Interpreter(system).run({"in": u}, steps, dt).outputs["y"][0, :, 0]
    found = frequency_response(system, "in", "y", omega, step=dt)[0, 0]
    wanted = np.real(found * np.exp(1j * omega * dt * np.arange(steps + 1)))
    # exp(-0.5 * 60 s) is 1e-13 of the start.
    assert np.allclose(y[300:], wanted[300:], atol=1e-11)
    assert abs(found - frequency_response(system, "in", "y", omega)[0, 0]) > 1e-3


def test_a_projection_that_holds_a_state_has_no_rates():
    floor = {"projections": {"x": "max(x, 0)"}}
    text = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    system = single(text, {"tau": 2.0}, **floor)
    assert dc_gain(system, "in", "y", about={"cell.x": [0.5]}) == pytest.approx(1.0, rel=ROUNDING)
    with pytest.raises(CapabilityError, match="projection"):
        linearised(system, about={"cell.x": [-0.5]})
    assert step_matrix(system, 0.1, about={"cell.x": [-0.5]}).toarray() == pytest.approx(0.0)
    assert step_matrix(system, 0.1, about={"cell.x": [0.5]}).toarray() == pytest.approx(0.95)


def test_what_cannot_be_linearised_is_refused():
    text = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    system = single(text, {"tau": 2.0})
    with pytest.raises(UnknownNameError, match="did you mean 'cell"):
        linearised(system, about={"cell.y": 1.0})
    with pytest.raises(ShapeError, match="about"):
        linearised(system, about={"cell.x": [1.0, 2.0]})
    with pytest.raises(UnknownNameError, match="source"):
        dc_gain(system, "inn", "y")
    with pytest.raises(UnknownNameError, match="target"):
        dc_gain(system, "in", "z")
    spiking = single(text, {"tau": 2.0}, events=[Event("spike", "x > 1", {"x": "0"})])
    with pytest.raises(CapabilityError, match="events"):
        linearised(spiking)
    mapped = single("h+ = tanh(z) + h/2 : 1\nz : 1 (arrival)", {}, output="h")
    with pytest.raises(CapabilityError, match="give a step"):
        linearised(mapped)
    assert dc_gain(mapped, "in", "y", step=1.0) == pytest.approx(2.0, rel=ROUNDING)
    with pytest.raises(ParameterError, match="step of 0"):
        linearised(mapped, step=0.0)
