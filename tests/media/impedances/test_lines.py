"""Lines, terminations and junctions as they are lowered: reflections, energy, stepping, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.analysis.linear import frequency_response
from physnn.equations import Interpreter, OneToOne, Output
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import (
    Capacitor,
    Inductor,
    Line,
    Parallel,
    Rational,
    Resistor,
    Series,
    SeriesJunction,
    ShuntJunction,
    Step,
    Stub,
    Termination,
)

OMEGA = np.geomspace(0.05, 30, 15)
DELAY = 0.3
ROUNDING = 1e-11  # a few hundred operations in float64, near resonances
CIRCUITS = [
    Resistor(0.4),
    Inductor(0.7) + Resistor(0.2),
    Capacitor(0.6) | Resistor(3.0),
    Resistor(0.3) + Inductor(0.5) + Capacitor(0.8),
    Resistor(2.0) | Inductor(0.5) | Capacitor(0.8),
    Inductor(0.5) | (Capacitor(0.3) + Inductor(0.2) + Resistor(1.0)),
    Series(
        [Inductor(0.2), Parallel([Capacitor(1.0), Series([Inductor(0.4), Parallel([Capacitor(0.5), Resistor(2.0)])])])]
    ),
    (Resistor(1.0) + Capacitor(0.5)) | (Resistor(2.0) + Capacitor(0.25)) | (Resistor(0.5) + Inductor(1.0)),
    Rational.from_poles([-0.5 + 2j, -0.5 - 2j, -1.0], [1.0, 1.0, 0.5], constant=0.3, proportional=0.2),
    Resistor(1.0) | (Rational([1.0, 3.0], [1.0, 1.0]) + Inductor(0.3)),
    Stub(1.5, 0.2),
    Resistor(1.0) + (Stub(0.7, 0.2, "shorted", transmission=0.9) | Stub(2.0, 0.35) | Capacitor(0.4)),
]


def driven(parts, links, impedance):
    """A source that matches the line, driven by the port "in", before the parts."""
    size = int(np.size(impedance))
    enter = Link("in", "source", operator=OneToOne((size,)), weights=np.ones(size))
    source = Source("in", size), Termination("source", size, Resistor(impedance))
    return Network((*source, *parts), (enter, *links), Readout(parts[-1].name, "u")).lower()


def ended(load, impedance, delay, **line):
    """Source, line, load."""
    between = Line("line", load.size, impedance, delay, **line)
    return driven((between, load), between.links("source", load.name), impedance)


def joined(junction, lines, delay):
    """Source, line, junction, line, load that matches its line."""
    near, far = (Line(name, junction.size, z, delay) for name, z in zip(("near", "far"), lines, strict=True))
    load = Termination("load", junction.size, Resistor(lines[1]))
    links = (*near.links("source", f"{junction.name}:1"), *far.links(f"{junction.name}:2", "load"))
    return driven((near, junction, far, load), links, lines[0])


def wave(system, end):
    """Response of the wave that arrives at an end to the wave that enters the first line."""
    read = replace(system, outputs={"b": Output(end, "b")})
    return 2 * frequency_response(read, "in", "b", OMEGA)


@pytest.mark.parametrize("z", CIRCUITS)
def test_reflection_is_that_of_the_impedance(z):
    lines = np.array([0.5, 1.0, 4.0])
    found = wave(ended(Termination("load", 3, z), lines, DELAY, transmission=0.8), "source")
    s = 1j * OMEGA[:, None]
    wanted = 0.64 * (z(s) - lines) / (z(s) + lines) * np.exp(-2 * s * DELAY)
    np.testing.assert_allclose(np.einsum("wkk->wk", found), wanted, rtol=ROUNDING)


def test_each_line_may_have_values_of_its_own():
    z = Resistor([0.3, 0.6]) + (Inductor(0.5) | Capacitor([0.2, 0.9]))
    found = wave(ended(Termination("load", 2, z), [1.0, 2.0], DELAY), "source")
    s = 1j * OMEGA[:, None]
    wanted = (z(s) - np.array([1.0, 2.0])) / (z(s) + np.array([1.0, 2.0])) * np.exp(-2 * s * DELAY)
    np.testing.assert_allclose(np.einsum("wkk->wk", found), wanted, rtol=ROUNDING)


@pytest.mark.parametrize("z", CIRCUITS)
def test_junctions_scatter_as_their_impedance_says(z):
    near, far, s = 1.0, 2.5, 1j * OMEGA
    late = np.exp(-2 * s * DELAY)
    series = joined(SeriesJunction("between", 1, impedance=z), (near, far), DELAY)
    total = near + far + z(s)
    np.testing.assert_allclose(wave(series, "source")[:, 0, 0], (total - 2 * near) / total * late, rtol=ROUNDING)
    np.testing.assert_allclose(wave(series, "load")[:, 0, 0], 2 * far / total * late, rtol=ROUNDING)
    shunt = joined(ShuntJunction("between", 1, impedance=z), (near, far), DELAY)
    v = 2 / near / (1 / near + 1 / far + 1 / z(s))
    np.testing.assert_allclose(wave(shunt, "source")[:, 0, 0], (v - 1) * late, rtol=ROUNDING, atol=1e-13)
    np.testing.assert_allclose(wave(shunt, "load")[:, 0, 0], v * late, rtol=ROUNDING)


def pulsed(system, step, steps, at=2):
    """Fields of a run in which a wave of 1 enters the first line at step `at`, for one step."""
    size = system.populations["in"].shape[0]
    drive = np.zeros((1, steps, size))
    drive[:, at] = 2.0
    return {name: value[0] for name, value in Interpreter(system).run({"in": drive}, steps, step).fields.items()}


def test_pulses_at_a_step_of_impedance_are_exact():
    near, far = np.array([1.0, 3.0]), np.array([2.0, 0.1])
    fields = pulsed(joined(Step("step", 2), (near, far), 0.3), 0.1, 16)
    back, on = np.zeros((17, 2)), np.zeros((17, 2))
    back[8], on[8] = (far - near) / (far + near), 2 * far / (far + near)
    np.testing.assert_allclose(fields["source.b"], back, atol=1e-15)
    np.testing.assert_allclose(fields["load.b"], on, atol=1e-15)


@pytest.mark.parametrize(("end", "sign"), [("open", 1.0), ("shorted", -1.0)])
def test_a_matched_stub_returns_the_pulse_once(end, sign):
    load = Termination("load", 1, Stub(1.0, 0.2, end, transmission=0.9))
    fields = pulsed(ended(load, 1.0, 0.3, transmission=0.5), 0.1, 24)
    back = np.zeros((25, 1))
    back[2 + 3 + 4 + 3] = sign * 0.81 * 0.25  # to the end, through the stub and back, and to the source
    np.testing.assert_allclose(fields["source.b"], back, atol=1e-15)


def test_a_generator_divides_its_voltage():
    system = Network(
        (
            Source("in", 1),
            line := Line("line", 1, 3.0, 0.2, transmission=0.9),
            Termination("source", 1, Resistor(0.5)),
            Termination("load", 1, Resistor(1.5)),
        ),
        (Link("in", "source", operator=OneToOne((1,)), weights=np.ones(1)), *line.links("source", "load")),
        Readout("load", "u"),
    ).lower()
    lossless = {"line.alpha": np.zeros(1)}
    settled = Interpreter(system, lossless).steady({"in": np.array([[2.0]])}).outputs["y"]
    np.testing.assert_allclose(
        settled.ravel(), [1.5], rtol=1e-10
    )  # DC sees through a lossless line: 2 V 1.5/(0.5 + 1.5)


def test_order_of_parts_does_not_matter_for_stationary_states():
    step, near, far = Step("step", 1), Line("near", 1, 1.0, 0.2, 0.9), Line("far", 1, 2.0, 0.2, 0.9)
    links = (*near.links("source", "step:1"), *far.links("step:2", "load"))
    loads = Termination("load", 1, Resistor(3.0))
    outcomes = [
        Interpreter(driven((*parts, loads), links, 1.0)).steady({"in": np.ones((1, 1))}).outputs["y"].item()
        for parts in ((step, near, far), (near, far, step), (near, step, far))
    ]
    np.testing.assert_allclose(outcomes, outcomes[0], rtol=1e-9)  # sweeps stop at 1e-12 of a slow echo


def test_energy_is_balanced_step_by_step():
    """What a series R, L, C takes up is stored or burnt, but for what explicit Euler makes: 1/2 L di^2 + 1/2 C dv^2."""
    ohm, henry, farad, step, steps = 0.5, 1.0, 0.7, 0.02, 800
    load = Termination("load", 1, Resistor(ohm) + Inductor(henry) + Capacitor(farad))
    drive = np.random.default_rng(3).normal(size=(2, steps, 1))
    fields = Interpreter(ended(load, 1.3, 0.2)).run({"in": drive}, steps, step).fields
    b, i, v = (fields[f"load.{name}"][..., 0] for name in ("b", "i_L", "v_C"))
    taken = np.cumsum(step * (b**2 - (b - 1.3 * i) ** 2) / 1.3, axis=1)[:, :-1]
    burnt = np.cumsum(step * ohm * i**2, axis=1)[:, :-1]
    stored = (henry * i**2 + farad * v**2)[:, 1:] / 2
    made = np.cumsum((henry * np.diff(i) ** 2 + farad * np.diff(v) ** 2) / 2, axis=1)
    np.testing.assert_allclose(taken + made, stored + burnt, rtol=1e-11, atol=1e-13)


def test_less_comes_back_than_came_in():
    """Noise into passive circuits whose time constants are 50 steps and more: what came in so far exceeds what left."""
    step, steps = 0.005, 1500
    drive = np.repeat(np.random.default_rng(5).normal(size=(2, steps // 50, 1)), 50, axis=1)
    drive = np.cumsum(drive, axis=1) * step  # continuous, so that steps are small against what is stored
    for z in CIRCUITS[1:4]:
        fields = Interpreter(ended(Termination("load", 1, z), 1.0, 0.2)).run({"in": drive}, steps, step).fields
        arrives, leaves = fields["load.b"], fields["line.from_right"]
        late = round(0.2 / step)
        taken = np.cumsum(arrives[:, :-late] ** 2 - leaves[:, late:] ** 2, axis=1)
        assert np.min(taken) >= -1e-6 * np.sum(arrives**2)  # rounding of the first steps, where nothing is stored yet


def test_lossless_circuits_reflect_everything():
    for z in (
        Inductor(0.5),
        Capacitor(0.7),
        Inductor(0.5) + Capacitor(0.7),
        (Inductor(0.5) | Capacitor(2.0)) + Stub(1.0, 0.1),
    ):
        found = wave(ended(Termination("load", 1, z), 1.0, DELAY), "source")
        np.testing.assert_allclose(np.abs(found), 1.0, rtol=1e-10)


def test_stiff_circuits_are_stepped_implicitly():
    """A time constant of a thousandth of a step: the implicit step settles where the explicit one explodes."""
    z = Resistor(1.0) + Inductor(1e-4) + (Capacitor(1e-4) | Resistor(2.0))
    system = ended(Termination("load", 1, z, integrator="implicit"), 1.0, 0.2)
    found = Interpreter(system).run({"in": np.ones((1, 1))}, 100, 0.1).outputs["y"][0, -1, 0]
    assert found == pytest.approx(3.0 / (3.0 + 1.0), rel=1e-9)


def test_a_line_has_one_impedance():
    """Whoever writes it changes what both its ends see."""
    load = Termination("load", 1, Resistor(0.5) + Inductor(0.6))
    system = ended(load, 1.0, 0.2, transmission=0.9)
    assert [key for key in system.trainable if key.endswith(".Z0")] == ["line.Z0"]
    found = []
    for impedance in (1.0, 2.0):
        trace = Interpreter(system, {"line.Z0": np.array([impedance])}).run({"in": np.ones((1, 1))}, 400, 0.05)
        found.append((trace.fields["source.dZ"][0, -1, 0], trace.fields["load.dZ"][0, -1, 0]))
    assert found == [(0.0, 0.0), (1.0, 1.0)]


def test_frozen_parts_have_nothing_to_learn():
    load = Termination("load", 1, Resistor(0.5) + Inductor(0.6), trainable=False)
    line = Line("line", 1, 1.0, 0.2, trainable=False)
    assert not any(v.trainable for part in (load, line) for v in part.lower().variables.values())


@pytest.mark.parametrize(
    ("z", "advice"),
    [
        (Inductor(1.0) + Inductor(2.0), "inductances"),
        (Inductor(1.0) + (Inductor(2.0) | Inductor(3.0)), "inductances"),
        (Capacitor(1.0) | Capacitor(2.0), "capacitances"),
    ],
)
def test_states_that_depend_on_each_other_are_refused_and_quotients_help(z, advice):
    with pytest.raises(EquationError, match=rf"{advice}.*\.rational\(\)"):
        Termination("load", 1, z).lower()
    found = wave(ended(Termination("load", 1, z.rational()), 1.0, DELAY), "source")[:, 0, 0]
    s = 1j * OMEGA
    np.testing.assert_allclose(found, (z(s) - 1) / (z(s) + 1) * np.exp(-2 * s * DELAY), rtol=1e-9)


def test_sizes_and_line_values_are_checked():
    with pytest.raises(ShapeError, match=r"termination 'load'.*at least 1"):
        Termination("load", 0, Resistor(1.0))
    with pytest.raises(ShapeError, match="does not fit"):
        Termination("load", 3, Resistor([1.0, 2.0])).lower()
    for values in (
        {"impedance": -50.0},
        {"delay": 0.0},
        {"delay": [1.0, 2.0]},
        {"transmission": 1.2},
        {"transmission": 0.0},
    ):
        with pytest.raises(ParameterError, match="line 'far'"):
            Line("far", 2, **values)


def test_a_side_that_is_not_there_is_named():
    line = Line("line", 1, 1.0, 0.2)
    with pytest.raises(EquationError, match=r"junction 'step': a line ends at its side '3'.*'step:1' or 'step:2'"):
        driven((line, Step("step", 1)), line.links("source", "step:3"), 1.0)
    with pytest.raises(EquationError, match="junction 'step': a line ends at it without naming a side"):
        driven((line, Step("step", 1)), line.links("source", "step"), 1.0)
    with pytest.raises(EquationError, match=r"termination 'load'.*side '1'.*end it at 'load' in"):
        driven((line, Termination("load", 1, Resistor(1.0))), line.links("source", "load:1"), 1.0)


def test_two_lines_on_one_termination_are_refused():
    near, far = (Line(name, 1, 1.0, 0.2) for name in ("near", "far"))
    parts = near, far, Termination("other", 1, Resistor(1.0)), Termination("load", 1, Resistor(1.0))
    links = (*near.links("source", "load"), *far.links("other", "load"))
    with pytest.raises(EquationError, match=r"termination 'load': exactly one line.*2 waves.*near->load, far->load"):
        driven(parts, links, 1.0)


BETWEEN = [
    Step("between", 1),
    SeriesJunction("between", 1, impedance=Resistor(1.0)),
    ShuntJunction("between", 1, impedance=Stub(1.0, 0.2)),
]


@pytest.mark.parametrize("junction", BETWEEN)
def test_two_lines_on_one_side_of_a_junction_are_refused(junction):
    near, far = (Line(name, 1, 1.0, 0.2) for name in ("near", "far"))
    links = (*near.links("source", "between:1"), *far.links("between:1", "load"))
    with pytest.raises(EquationError, match="junction 'between': exactly one line must end at its side 1"):
        driven((near, junction, far, Termination("load", 1, Resistor(1.0))), links, 1.0)


@pytest.mark.parametrize("part", [*BETWEEN, Termination("between", 1, Resistor(1.0))])
def test_a_side_without_a_line_is_refused(part):
    line = Line("line", 1, 1.0, 0.2)
    where = "between:1" if part in BETWEEN else "load"
    free = "its side 2.*'between:2'" if part in BETWEEN else "it;.*'between'"
    load = Termination("load", 1, Resistor(1.0))
    parts = (line, part) if part in BETWEEN else (line, part, load)
    with pytest.raises(EquationError, match=f"'between': no line ends at {free}.*or leave the part out"):
        driven(parts, line.links("source", where), 1.0)


def test_a_wave_without_the_impedance_of_its_line_is_refused():
    line = Line("line", 1, 1.0, 0.2)
    links = [link for link in line.links("source", "load") if link.label != "line tells load"]
    with pytest.raises(EquationError, match=r"1 waves and 0 impedances arrive \(line->load\).*Line.links"):
        driven((line, Termination("load", 1, Resistor(1.0))), links, 1.0)
