"""Circuits stepped by the trapezoidal rule: passive with every step and line, and Z at the warped frequency."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.analysis import frequency_response, step_matrix
from physnn.equations import (
    Interpreter,
    OneToOne,
    Output,
    companion_inputs,
    gradient,
    reflected,
)
from physnn.errors import CapabilityError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import (
    Capacitor,
    Inductor,
    Line,
    Rational,
    Resistor,
    SeriesJunction,
    ShuntJunction,
    Stub,
    Termination,
    energy_balance,
)

RULE = "trapezoidal"
DELAY, STEP = 0.3, 0.05
OMEGA = np.array([0.1, 1.0, 7.0, 30.0, 55.0])  # up to 0.88 of pi/STEP, where tan is 4.8 times its argument
S = 2j / STEP * np.tan(OMEGA * STEP / 2)
LATE = np.exp(-2j * OMEGA * DELAY)
ROUNDING = 1e-11  # a few hundred operations in float64, near resonances
LOSSLESS = Inductor(3.0), Capacitor(0.2), Inductor(3.0) + Capacitor(3.0), Inductor(0.01) | Capacitor(0.4)
CIRCUITS = [
    Resistor(0.4),
    *LOSSLESS,
    Capacitor(0.6) | Resistor(3.0),
    Inductor(0.2) + (Capacitor(1.0) | (Inductor(0.4) + (Capacitor(0.5) | Resistor(2.0)))),
    Inductor(1.0) + Inductor(2.0),
    Capacitor(1.0) | Capacitor(2.0),
]


def network(parts, links, inner, out="load"):
    enter = Link("in", "source", operator=OneToOne((1,)), weights=np.ones(1))
    source = Source("in", 1), Termination("source", 1, Resistor(inner))
    return Network((*source, *parts), (enter, *links), Readout(out, "u"))


def ended(z, inner=1.0, rule=RULE, **line):
    between = Line("line", 1, 1.0, DELAY, **line)
    load = Termination("load", 1, z, integrator=rule)
    return network((between, load), between.links("source", "load"), inner)


def joined(junction, near, far):
    first, second = Line("near", 1, near, DELAY), Line("far", 1, far, DELAY)
    links = (*first.links("source", "between:1"), *second.links("between:2", "load"))
    return network((first, junction, second, Termination("load", 1, Resistor(far))), links, near)


def wave(described, end):
    """Response of the wave that arrives at an end, to the wave that enters, as the System is stepped."""
    read = replace(described.lower(), outputs={"b": Output(end, "b")})
    return 2 * frequency_response(read, "in", "b", OMEGA, step=STEP)[:, 0, 0]


@pytest.mark.parametrize("z", CIRCUITS)
def test_the_reflection_is_that_at_the_warped_frequency(z):
    wanted = 0.64 * (z(S) - 1) / (z(S) + 1) * LATE
    np.testing.assert_allclose(wave(ended(z, transmission=0.8), "source"), wanted, rtol=ROUNDING)


@pytest.mark.parametrize("z", [LOSSLESS[2], Resistor(0.3) | Inductor(0.5)])
def test_junctions_scatter_as_their_impedance_at_the_warped_frequency(z):
    near, far = 1.0, 2.5
    series = joined(SeriesJunction("between", 1, impedance=z, integrator=RULE), near, far)
    total = near + far + z(S)
    np.testing.assert_allclose(wave(series, "source"), (total - 2 * near) / total * LATE, rtol=ROUNDING)
    np.testing.assert_allclose(wave(series, "load"), 2 * far / total * LATE, rtol=ROUNDING)
    shunt = joined(ShuntJunction("between", 1, impedance=z, integrator=RULE), near, far)
    v = 2 / near / (1 / near + 1 / far + 1 / z(S))
    np.testing.assert_allclose(wave(shunt, "source"), (v - 1) * LATE, rtol=ROUNDING)
    np.testing.assert_allclose(wave(shunt, "load"), v * LATE, rtol=ROUNDING)


@pytest.mark.parametrize("z", LOSSLESS)
def test_lossless_networks_neither_grow_nor_decay_with_any_step(z):
    for step in (0.3, 0.02):
        radius = np.abs(np.linalg.eigvals(step_matrix(ended(z, inner=1e-300).lower(), step).toarray()))
        np.testing.assert_allclose(radius[radius > 0.5], 1.0, rtol=1e-9)  # eigenvalues of a matrix of 32 rows
        assert np.sum(radius > 0.5) >= 2 * round(DELAY / step)


@pytest.mark.parametrize("z", [Resistor(5.0) + Inductor(20.0), Resistor(1e3) | Capacitor(2e-3), CIRCUITS[6]])
def test_lossy_loads_are_stable_where_explicit_ones_are_not(z):
    for step in (0.3, 0.02):
        assert np.max(np.abs(np.linalg.eigvals(step_matrix(ended(z, inner=1e-3).lower(), step).toarray()))) < 1
    growing = step_matrix(ended(z, inner=1e-3, rule="euler").lower(), 0.3).toarray()
    assert np.max(np.abs(np.linalg.eigvals(growing))) > 1


def closed(step):
    """A line between a lossless circuit and a lossless junction, another to a circuit of three elements."""
    first, second = Line("first", 1, 1.0, 3 * step), Line("second", 1, 2.0, 2 * step)
    ends = [
        Termination("left", 1, Inductor(3.0) + Capacitor(0.7), integrator=RULE),
        Termination("right", 1, Inductor(0.2) | Capacitor(0.4) | Stub(1.0, step), integrator=RULE),
    ]
    between = SeriesJunction("between", 1, impedance=Inductor(0.3) | Capacitor(2.0), integrator=RULE)
    links = (*first.links("left", "between:1"), *second.links("between:2", "right"))
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    return Network((Source("in", 1), *ends, first, second, between), (enter, *links), Readout("right", "u"))


@pytest.mark.parametrize("step", [1.0, 0.01])
def test_a_closed_network_keeps_its_energy(step):
    network = closed(step)
    interpreter, pulse = Interpreter(network.lower()), np.zeros((1, 400, 1))
    pulse[0, :3, 0] = 1.0
    balance = energy_balance(network, interpreter.run({"in": pulse}, 400, step))
    (given,) = np.sum(list(balance.delivered.values()), axis=(0, 2))
    held = {name: np.sum(value) for name, value in balance.stored.items()}
    assert all(held[name] > 0 for name in ("left", "between", "right"))
    assert sum(held.values()) == pytest.approx(given, rel=1e-11)
    assert sum(np.sum(value) for value in balance.dissipated.values()) == 0


@pytest.mark.parametrize("z", [Inductor(0.5) + Resistor(0.4), Capacitor(0.4) | Resistor(0.7)])
def test_stationary_states_are_those_of_the_circuit(z):
    inputs = {"in": np.array([[2.0]])}
    settled, wanted = (
        Interpreter(ended(z, 0.5, rule, transmission=0.9).lower()).steady(inputs) for rule in (RULE, "euler")
    )
    for name in wanted.fields:
        np.testing.assert_allclose(settled.fields[name], wanted.fields[name], rtol=1e-9, atol=1e-12)
    run = Interpreter(ended(z, 0.5, transmission=0.9).lower()).run(inputs, 600, STEP)  # 6e-9 of an echo is left
    np.testing.assert_allclose(run.outputs["y"][:, -1], wanted.outputs["y"][:, 0], atol=1e-7)


def test_what_is_learnt_has_the_gradient_of_differences():
    """Values of L, C and R by the reflected wave, in discrete time."""
    z = Resistor(0.3) + (Inductor(0.5) | (Capacitor(0.8) + Resistor(0.2)))
    system, inputs = ended(z, 0.5).lower(), {"in": np.random.default_rng(0).normal(size=(1, 40, 1))}

    def loss(parameters):
        return Interpreter(system, parameters).run(inputs, 40, STEP).outputs["y"]

    trace = Interpreter(system).run(inputs, 40, STEP)
    aim = np.random.default_rng(1).normal(size=trace.outputs["y"].shape)
    companion = reflected(system)
    echo = Interpreter(companion.system, system.parameters).run(
        companion_inputs(companion, trace, {"y": aim}), 41, STEP
    )
    slopes = gradient(np, system, companion, trace, echo)
    for key in ("load.R1", "load.R2", "load.L", "load.C"):
        value = np.asarray(system.parameters[key], dtype=float)
        high, low = (np.sum(aim * loss({key: value * (1 + share)})) for share in (1e-5, -1e-5))
        assert np.sum(slopes[key]) * value == pytest.approx((high - low) / 2e-5, rel=1e-6)


def test_rational_impedances_are_refused_with_the_way_out():
    with pytest.raises(CapabilityError, match=r"resistors, inductors and capacitors, or use integrator=\"implicit\""):
        Termination("load", 1, Resistor(1.0) + Rational([1.0, 3.0], [1.0, 1.0]), integrator=RULE).lower()


def test_an_unknown_rule_is_named():
    with pytest.raises(UnknownNameError, match=r"'trapezodial'; did you mean 'trapezoidal'"):
        Termination("load", 1, Inductor(1.0), integrator="trapezodial").lower()
