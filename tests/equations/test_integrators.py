"""Integrators: order of accuracy, closed forms of one step, invariants, and exact adjoints in discrete time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from physnn.equations import Event, Input, Interpreter, Output, Population, System
from physnn.equations.integrators import INTEGRATORS, stepped
from physnn.errors import EquationError, UnknownNameError

from .building import DT, STEPS, dense, drive, network, population

OSCILLATOR = """
dx/dt = v                        : 1
dv/dt = z - g*v - k*x - b*x**3   : 1/s
z : 1/s**2 (arrival)
g : 1/s    (trainable)
k : 1/s**2 (trainable)
b : 1/s**2 (trainable)
"""


def alone(integrator, text=OSCILLATOR, size=2, **values):
    cells = Population.from_text("a", size, text, values, integrator=integrator)
    return System.of([cells], outputs={"y": Output("a", "x")})


def free(integrator, dt, steps, **values):
    """Displacement of a free oscillator of one element, (steps + 1,)."""
    return Interpreter(alone(integrator, size=1, **values)).run({}, steps, dt).fields["a.x"][0, :, 0]


@pytest.mark.parametrize(
    ("integrator", "order"),
    [("euler", 1), ("symplectic", 1), ("verlet", 2), ("imex", 1), ("implicit", 1), ("exponential", 1), ("rk4", 4)],
)
def test_order(integrator, order):
    values = {"g": 0.0 if integrator == "verlet" else 0.4, "k": 2.0, "b": 0.7, "x": 0.8, "v": -0.5}
    exact = solve_ivp(
        lambda t, s: [s[1], -values["g"] * s[1] - values["k"] * s[0] - values["b"] * s[0] ** 3],
        (0, 2),
        [values["x"], values["v"]],
        t_eval=np.linspace(0, 2, 51),
        rtol=1e-12,
        atol=1e-13,
    ).y[0]
    # The whole run is compared: at a single time errors of either sign may cancel.
    coarse, fine = (np.max(np.abs(free(integrator, 2 / n, n, **values)[:: n // 50] - exact)) for n in (100, 200))
    # Errors of order p fall by 2^p when the step is halved; the next order changes that by less than a fifth here.
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.2)


class TestClosedForms:
    @pytest.mark.parametrize("integrator", ["symplectic", "verlet"])
    def test_frequency_of_the_leapfrog(self, integrator):
        """sin(w dt/2) = (dt/2) sqrt(k), and the amplitude stays for ever."""
        dt, k, steps = 0.3, 1.7, 4000
        x = free(integrator, dt, steps, g=0.0, k=k, b=0.0, x=1.0, v=0.0)
        w = 2 / dt * np.arcsin(dt / 2 * np.sqrt(k))
        phase = 0.0 if integrator == "verlet" else -w * dt / 2  # the kick comes first: half a step ahead
        n = np.arange(steps + 1)
        wanted = np.cos(w * dt * n - phase) / np.cos(phase)
        assert np.max(np.abs(x - wanted)) < 1e-9

    def test_verlet_positions(self):
        """Those of x+ = x + dt v + dt^2/2 f(x), v+ = v + dt/2 (f(x) + f(x+)), from any initial velocity."""
        dt, k, b = 0.2, 1.3, 0.6
        x, v, positions = 0.7, -0.9, [0.7]
        for _ in range(50):
            force = -k * x - b * x**3
            x = x + dt * v + dt**2 / 2 * force
            v += dt / 2 * (force - k * x - b * x**3)
            positions.append(x)
        assert np.allclose(free("verlet", dt, 50, g=0.0, k=k, b=b, x=0.7, v=-0.9), positions, rtol=0, atol=1e-13)

    def test_implicit_step_of_an_oscillator(self):
        """LinOSS-IM: v+ = (v - dt k x)/(1 + dt^2 k), x+ = x + dt v+; the amplitude falls by 1/sqrt(1 + dt^2 k)."""
        dt, k, steps = 0.5, 3.0, 30
        trace = Interpreter(alone("implicit", size=1, g=0.0, k=k, b=0.0, x=1.0, v=0.3)).run({}, steps, dt)
        x, v = trace.fields["a.x"][0, :, 0], trace.fields["a.v"][0, :, 0]
        assert np.allclose(v[1:], (v[:-1] - dt * k * x[:-1]) / (1 + dt**2 * k), rtol=1e-12)
        assert np.allclose(x[1:], x[:-1] + dt * v[1:], rtol=0, atol=1e-14)
        energy = k * x**2 + v**2
        assert np.allclose(energy[1:] / energy[:-1], 1 / (1 + dt**2 * k), rtol=1e-12)

    def test_damping_implicit(self):
        """v+ = (v - dt k x)/(1 + dt g), x+ = x + dt v+."""
        dt, g = 0.4, 2.5
        trace = Interpreter(alone("imex", size=1, g=g, k=1.0, b=0.3, x=1.0, v=0.3)).run({}, 20, dt)
        x, v = trace.fields["a.x"][0, :, 0], trace.fields["a.v"][0, :, 0]
        force = -x[:-1] - 0.3 * x[:-1] ** 3
        assert np.allclose(v[1:], (v[:-1] + dt * force) / (1 + dt * g), rtol=0, atol=1e-14)

    @pytest.mark.parametrize("rate", [0.0, 1e-9, 1e-3, 0.7, 40.0])
    def test_exponential_is_exact_for_a_leaky_line(self, rate):
        text = "dx/dt = 2/tau - r*x : 1\nr : 1/s (parameter)\ntau : s (parameter)"
        x = Interpreter(alone("exponential", text, 1, r=rate, tau=1.0)).run({}, 25, 0.2).fields["a.x"][0, :, 0]
        t = 0.2 * np.arange(26)
        wanted = 2 * t if rate == 0 else -2 * np.expm1(-rate * t) / rate
        assert np.allclose(x, wanted, rtol=1e-13)

    def test_exponential_turns_complex_amplitudes(self):
        text = "da/dt = (g + 1j*w)*a : 1 (complex)\ng : 1/s (parameter)\nw : 1/s (parameter)"
        cells = Population.from_text("a", 1, text, {"g": -0.3, "w": 5.0, "a": 1.0}, integrator="exponential")
        a = Interpreter(System.of([cells])).run({}, 40, 0.25).fields["a.a"][0, :, 0]
        assert np.allclose(a, np.exp((-0.3 + 5j) * 0.25 * np.arange(41)), rtol=1e-12)


class TestAdjoints:
    """Every integrator reversed: the gradient of a loss over the run against central differences of that run."""

    @pytest.mark.parametrize("integrator", sorted(INTEGRATORS))
    def test_coupled_oscillators(self, comparison, integrator):
        cells = replace(population("a", 4, OSCILLATOR, k=2.0, x=0.3), integrator=integrator)
        couplings = [
            dense("w", ("src", 3), ("a", 4), "u", unit="1/s**2"),
            dense("r", ("a", 4), ("a", 4), "sin(x)", unit="1/s**2", scale=0.5),
            dense("d", ("a", 4), ("a", 4), "v", unit="1/s", delay=0.2, scale=0.3),
        ]
        system = network([cells], couplings, {"y": Output("a", "x"), "e": Output("a", "v*v")})
        comparison(system.discrete, drive(), STEPS, DT, final=False).check()

    @pytest.mark.parametrize("integrator", ["exponential", "implicit", "rk4"])
    def test_a_projection_after_the_step(self, comparison, integrator):
        text = "dx/dt = (tanh(z) - g*x)/tau : 1\nz : 1 (arrival)\ng : 1 (trainable)\ntau : s (trainable)"
        cells = population("a", 4, text)
        cells = replace(
            Population.from_text("a", 4, text, cells.values, projections={"x": "max(x, -0.1)"}), integrator=integrator
        )
        system = network([cells], [dense("w", ("src", 3), ("a", 4), "u")], {"y": Output("a", "x")})
        comparison(system.discrete, drive(), STEPS, DT, final=False).check()

    @pytest.mark.parametrize("integrator", ["euler", "exponential", "implicit"])
    def test_additive_noise(self, comparison, integrator):
        text = "dx/dt = (tanh(z) - x)/tau + s*xi : 1\nz : 1 (arrival)\ns : s**-0.5 (trainable)\ntau : s (trainable)"
        cells = replace(population("a", 4, text), integrator=integrator)
        system = network([cells], [dense("w", ("src", 3), ("a", 4), "u")], {"y": Output("a", "x")})
        comparison(system.discrete, drive(), STEPS, DT, final=False, seed=3).check()


class TestRefusals:
    def test_unknown_integrator_offers_the_nearest(self):
        with pytest.raises(UnknownNameError, match="did you mean 'verlet'"):
            alone("varlet", g=0.0, k=1.0, b=0.0)

    @pytest.mark.parametrize("integrator", ["symplectic", "verlet", "imex"])
    def test_no_position(self, integrator):
        with pytest.raises(EquationError, match="needs a position"):
            alone(integrator, "dx/dt = -x*r : 1\nr : 1/s (parameter)", r=1.0)

    def test_noise_that_depends_on_states(self):
        text = "dx/dt = -x*r + m*x*xi : 1\nr : 1/s (parameter)\nm : s**-0.5 (parameter)"
        with pytest.raises(EquationError, match="depends on states"):
            alone("exponential", text, r=1.0, m=0.1)


def test_explicit_euler_is_left_alone():
    system = alone("euler", g=0.1, k=1.0, b=0.0)
    assert system.discrete is system
    assert stepped(system.populations["a"]) is system.populations["a"]


def test_refractory_cells_are_held_by_every_integrator():
    """A cell rests at its reset value for the refractory time, whatever steps it."""
    text = "dv/dt = (i - v)/tau : 1 (unless refractory)\ni : 1 (input)\ntau : s (parameter)\nrest : s (parameter)"
    for integrator in ("euler", "exponential", "implicit", "rk4"):
        cells = Population.from_text(
            "a",
            1,
            text,
            {"tau": 1.0, "rest": 0.5},
            events=[Event("spike", "v > 1", {"v": "0"}, "rest")],
            integrator=integrator,
        )
        system = System.of([cells], inputs={"i": Input("a", "i")}, outputs={"y": Output("a", "v")})
        v = Interpreter(system).run({"i": np.full((1, 1), 3.0)}, 40, 0.05).fields["a.v"][0, :, 0]
        first = int(np.argmax(np.diff(v) < 0)) + 1
        assert np.all(v[first : first + 10] == 0) and v[first + 11] > 0
