"""Constraints of several populations that need each other: transformer banks, nonlinear pairs, complex ones."""

import array_api_compat.numpy as xp
import numpy as np
import pytest

from physnn.analysis import dc_gain, step_matrix
from physnn.analysis.impedance import transformer_bank
from physnn.equations import (
    Coupling,
    Dense,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    System,
    Transposed,
    companion_inputs,
    gradient,
    reflected,
)
from physnn.equations.schedule import Joint
from physnn.errors import EquationError, NumericsError

N1, N2 = 5, 3
Z1, Z2 = np.array([1.0, 2.0, 0.5, 1.5, 3.0]), np.array([0.7, 2.0, 1.2])
PRIMARY = """
b   : V   (arrival)
i_w : A   (arrival)
Z   : ohm (trainable)
e   : V   (input)
v = 2*(b + e) - Z*i_w : V
a = v - b - e : V
"""
SECONDARY = """
0 = w - 2*b - Z*i : A (solves i)
b : V   (arrival)
w : V   (arrival)
Z : ohm (trainable)
a = b + Z*i : V
"""


def bank(complex_turns=False):
    """Waves come in by e; half of what leaves the secondary side comes back three steps later."""
    rng = np.random.default_rng(0)
    turns = rng.normal(size=(N2, N1))
    couplings = [
        Coupling("W", "primary", "secondary", "v", Dense(N2, N1), "w", initial=turns),
        Coupling(
            "W back", "secondary", "primary", "i", Transposed(Dense(N2, N1), (N1,)), "i_w", weights="W", initial=turns
        ),
        Coupling("far", "secondary", "secondary", "a", OneToOne((N2,)), "b", 3.0, initial=np.full(N2, 0.5)),
        Coupling("near", "primary", "primary", "a", OneToOne((N1,)), "b", 2.0, initial=np.full(N1, -0.6)),
    ]
    return System.of(
        [
            Population.from_text("primary", N1, PRIMARY, {"Z": Z1}),
            Population.from_text("secondary", N2, SECONDARY, {"Z": Z2}),
        ],
        couplings,
        {"in": Input("primary", "e")},
        {"out": Output("secondary", "a"), "back": Output("primary", "a")},
    )


def test_one_joint_is_found():
    joints = [task for task in bank().schedule if isinstance(task, Joint)]
    assert joints == [Joint((("primary", "i_w"), ("secondary", "w")), ("secondary",), ("W back", "W"))]


def test_a_wave_is_scattered_as_by_an_ideal_transformer_bank():
    system = bank()
    waves = np.random.default_rng(1).normal(size=(4, N1))
    trace = Interpreter(system).run({"in": waves}, 0, 1.0)
    scattering = transformer_bank(np.asarray(system.parameters["W"]), Z1, Z2)
    s11, s21 = scattering[:N1, :N1], scattering[N1:, :N1]
    assert trace.outputs["back"][:, 0] == pytest.approx(waves @ s11.T, abs=1e-13)
    assert trace.outputs["out"][:, 0] == pytest.approx(waves @ s21.T, abs=1e-13)


def loss(outputs):
    return sum(float(np.sum(np.sin(value))) for value in outputs.values())


@pytest.mark.parametrize("steady", [False, True])
def test_gradients_are_finite_differences(steady):
    system = bank()
    waves = np.random.default_rng(2).normal(size=(2, N1))

    def run(parameters, system=system):
        oracle = Interpreter(system, parameters)
        return oracle.steady({"in": waves}, 1e-14) if steady else oracle.run({"in": waves}, 12, 1.0)

    trace = run({})
    companion = reflected(system)
    inputs = companion_inputs(companion, trace, {k: np.cos(v) for k, v in trace.outputs.items()})
    oracle = Interpreter(companion.system, system.parameters)
    echo = oracle.steady(inputs, 1e-14) if steady else oracle.run(inputs, 13, 1.0)
    found = gradient(xp, system, companion, trace, echo)
    for key in ("W", "primary.Z", "secondary.Z", "far"):
        start, direction = (
            np.array(system.parameters[key]),
            np.random.default_rng(3).normal(size=system.parameters[key].shape),
        )
        h = 1e-6
        moved = [loss(run({key: start + sign * h * direction}).outputs) for sign in (1, -1)]
        slope = (moved[0] - moved[1]) / (2 * h)
        assert np.sum(found[key] * direction) == pytest.approx(slope, rel=1e-6), key


def test_a_stationary_state_does_not_hang_on_the_order_of_populations():
    system = bank()
    swapped = System.of(reversed(system.populations.values()), system.couplings.values(), system.inputs, system.outputs)
    waves = {"in": np.random.default_rng(4).normal(size=(2, N1))}
    first, second = (Interpreter(s).steady(waves).outputs["out"] for s in (system, swapped))
    assert first == pytest.approx(second, abs=1e-10)


def test_responses_and_step_maps_know_the_joint():
    system = bank()
    waves = np.random.default_rng(4).normal(size=(1, N1))
    gain = dc_gain(system, "in", "out")
    assert Interpreter(system).steady({"in": waves}).outputs["out"][0, 0] == pytest.approx(gain @ waves[0], abs=1e-9)
    # The waves on the lines are all there is: two steps of those at the near end, three of those at the far end.
    assert step_matrix(system, 1.0).shape == (2 * N1 + 3 * N2,) * 2


NODE = """
0 = v + strength*v**3 - drive - s : 1 (solves v)
s        : 1 (arrival)
drive    : 1 (input)
strength : 1 (trainable)
"""


def pair(strength=1.0):
    """Two populations that feed each other at once, the first one cubic."""
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(3, 4)) * 0.4, rng.normal(size=(4, 3)) * -0.7
    values = {"a": strength, "b": 0.0}
    return System.of(
        [Population.from_text(name, size, NODE, {"strength": values[name]}) for name, size in (("a", 4), ("b", 3))],
        [
            Coupling("ab", "a", "b", "v", Dense(3, 4), "s", initial=weights[0]),
            Coupling("ba", "b", "a", "v", Dense(4, 3), "s", initial=weights[1]),
        ],
        {"in": Input("a", "drive")},
        {"y": Output("b", "v")},
    )


def test_nonlinear_constraints_are_solved_together_sample_by_sample():
    drive = np.array([[0.1, -3.0, 20.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1e3, -1e3, 5.0, 1.0]])
    system = pair()
    trace = Interpreter(system).run({"in": drive}, 0, 1.0)
    a, b = trace.fields["a.v"][:, 0], trace.fields["b.v"][:, 0]
    forth, back = np.asarray(system.parameters["ab"]), np.asarray(system.parameters["ba"])
    assert b == pytest.approx(a @ forth.T, rel=1e-12, abs=1e-12)
    assert a + a**3 == pytest.approx(drive + b @ back.T, rel=1e-12, abs=1e-12)
    rest = Interpreter(system).steady({"in": drive})
    assert rest.fields["a.v"][:, 0] == pytest.approx(a, rel=1e-11, abs=1e-11)


def test_gradients_of_nonlinear_constraints_are_finite_differences():
    system, drive = pair(), np.random.default_rng(6).normal(size=(3, 4))

    def run(parameters):
        return Interpreter(system, parameters).run({"in": drive}, 2, 1.0)

    trace = run({})
    companion = reflected(system)
    inputs = companion_inputs(companion, trace, {"y": np.cos(trace.outputs["y"])})
    echo = Interpreter(companion.system, system.parameters).run(inputs, 3, 1.0)
    found = gradient(xp, system, companion, trace, echo)
    for key in ("ab", "ba", "a.strength"):
        start = np.array(system.parameters[key], dtype=float)
        direction = np.random.default_rng(7).normal(size=start.shape)
        moved = [loss(run({key: start + h * direction}).outputs) for h in (1e-6, -1e-6)]
        assert np.sum(found[key] * direction) == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-6, abs=1e-9), key


def test_complex_waves_meet_a_bank_too():
    text = """
    0 = w - 2*b - Z*i : 1 (solves i, complex)
    b : 1 (arrival, complex)
    w : 1 (arrival, complex)
    Z : 1 (parameter)
    """
    first = "v = 2*e - Z*i_w : 1\ni_w : 1 (arrival, complex)\ne : 1 (input, complex)\nZ : 1 (parameter)"
    turns = np.array([[0.3 + 0.2j, -1.0j]])
    system = System.of(
        [Population.from_text("first", 2, first, {"Z": 1.5}), Population.from_text("second", 1, text, {"Z": 0.5})],
        [
            Coupling("W", "first", "second", "v", Dense(1, 2), "w", initial=turns),
            Coupling("back", "second", "first", "i", Transposed(Dense(1, 2), (2,)), "i_w", weights="W", initial=turns),
        ],
        {"in": Input("first", "e")},
        {"i": Output("second", "i")},
    )
    e = np.array([[1.0 + 2.0j, -0.5j], [0.2, 3.0]])
    wanted = 2 * (e @ turns.T) / (0.5 + 1.5 * np.sum(np.abs(turns) ** 2))
    assert Interpreter(system).run({"in": e}, 0, 1.0).outputs["i"][:, 0] == pytest.approx(wanted, abs=1e-14)


def test_constraints_without_a_unique_solution_are_refused():
    system = pair(strength=0.0)
    weights = {"ab": np.eye(3, 4), "ba": np.eye(4, 3)}
    with pytest.raises(NumericsError, match=r"'a' and 'b'.*no unique solution"):
        Interpreter(system, weights).run({"in": np.ones((1, 4))}, 0, 1.0)


def test_a_loop_through_no_constraint_is_refused():
    text = "y = 2*s : 1\ns : 1 (arrival)"
    populations = [Population.from_text(name, 2, text) for name in "ab"]
    couplings = [
        Coupling("ab", "a", "b", "y", Dense(2, 2), "s", initial=np.eye(2)),
        Coupling("ba", "b", "a", "y", Dense(2, 2), "s", initial=np.eye(2)),
    ]
    with pytest.raises(EquationError, match="a loop without delay runs through"):
        System.of(populations, couplings)
