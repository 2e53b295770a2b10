"""Known answers of lines and impedances: against the circuits of scikit-rf, and energy that must not come back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis.linear import frequency_response, linearised, step_matrix
from physnn.equations import Interpreter, OneToOne, Output, System
from physnn.errors import CapabilityError, ParameterError
from physnn.media.impedances import (
    Capacitor,
    Impedance,
    Inductor,
    Line,
    Rational,
    Resistor,
    SeriesJunction,
    ShuntJunction,
    Step,
    Stub,
    Termination,
    energy_balance,
    fit_touchstone,
)
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most, close

FREQUENCIES = np.geomspace(3e7, 3e10, 301)
"""[Hz]"""
DELAY = 50e-12
"""of each line [s]"""
BAR = 1e-6


def impedance_steps() -> Iterator[Answer]:
    """Two lines joined directly: R and T against scikit-rf, and pulses that meet the step."""
    for first, second in ((50.0, 75.0), (75.0, 50.0), (50.0, 5000.0), (50.0, 0.5)):
        name = f"step from {first:g} to {second:g} ohm"
        yield from _two_ports(name, Step("between", 1), (first, second), None)
    yield from _pulses()


def _pulses() -> Iterator[Answer]:
    """Delays are whole steps, so that pulses are exact in time."""
    near, far, step = np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.25]), 0.1
    system = _network(Step("between", 3), (near, far), step * 3)
    substrate = build(system, "ideal-torch", seed=0, step=step)
    pulse = np.zeros((1, 20, 3))
    pulse[:, 2] = 2.0  # half of a matched source's voltage goes into the line
    fields = substrate.run({"in": substrate.asarray(pulse)}, 20 * step).fields
    reflected, passed = (as_numpy(fields[f"{end}.b"])[0] for end in ("source", "load"))
    wanted_reflected, wanted_passed = np.zeros_like(reflected), np.zeros_like(passed)
    wanted_reflected[2 + 6] = (far - near) / (far + near)
    wanted_passed[2 + 6] = 2 * far / (far + near)
    off = np.max(np.abs(reflected - wanted_reflected)), np.max(np.abs(passed - wanted_passed))
    yield at_most("step of impedance: reflected pulse in time against (Z2 - Z1)/(Z2 + Z1)", off[0], 1e-12)
    yield at_most("step of impedance: transmitted pulse in time against 2 Z2/(Z2 + Z1)", off[1], 1e-12)
    energy = np.sum(reflected**2 / near) + np.sum(passed**2 / far)
    yield close(
        "step of impedance: energy of both pulses in parts of the incident",
        energy / np.sum(1 / near),
        1.0,
        relative=1e-12,
    )


def terminations() -> Iterator[Answer]:
    """Circuits, stubs and rational impedances at the end of a line, against the same circuit in scikit-rf."""
    resistance, inductance, capacitance = 20.0, 2e-9, 0.5e-12
    r, inductor, c = Resistor(resistance), Inductor(inductance), Capacitor(capacitance)
    medium = _medium(50.0)
    own = medium.resistor(resistance), medium.inductor(inductance), medium.capacitor(capacitance)
    across = medium.shunt_capacitor(capacitance) ** medium.shunt_inductor(inductance)
    yield _one_port("series R, L, C", r + inductor + c, own[0] ** own[1] ** own[2] ** medium.short())
    yield _one_port("parallel R, L, C", r | inductor | c, across ** own[0] ** medium.short())
    ladder, circuit = _ladder(medium)
    yield _one_port("ladder of fourth order", ladder, circuit)
    yield _one_port("ladder of fourth order as a rational Z(s)", ladder.rational(), circuit)
    yield _one_port("the same ladder, written to a Touchstone file and fitted", _from_file(circuit), circuit)
    rational = _fourth_order()
    impedance = rational(2j * np.pi * FREQUENCIES)
    wanted = (impedance - 50) / (impedance + 50) * np.exp(-4j * np.pi * FREQUENCIES * DELAY)
    off = np.max(np.abs(_reflection(rational) - wanted) / np.abs(wanted))
    yield at_most("Z(s) of fourth order by its coefficients: its lowered System against (Z - z0)/(Z + z0)", off, BAR)
    length = DELAY * 3e8 / 2
    yield _one_port("open stub", Stub(50.0, DELAY / 2), _medium(50.0, 3e8).delay_open(length, "m"))
    yield _one_port("shorted stub", Stub(50.0, DELAY / 2, "shorted"), _medium(50.0, 3e8).delay_short(length, "m"))


def junctions() -> Iterator[Answer]:
    """Impedances in series with and across two lines, against scikit-rf."""
    medium = _medium(50.0)
    series = medium.resistor(30.0) ** medium.inductor(3e-9)
    bridge = SeriesJunction("between", 1, impedance=Resistor(30.0) + Inductor(3e-9))
    yield from _two_ports("R and L between two lines", bridge, (50.0, 50.0), series)
    across = ShuntJunction("between", 1, impedance=Resistor(120.0) | Capacitor(1e-12))
    shunt = medium.shunt(medium.resistor(120.0) ** medium.short()) ** medium.shunt_capacitor(1e-12)
    yield from _two_ports("R and C across two lines", across, (50.0, 50.0), shunt)


def ladders() -> Iterator[Answer]:
    """Two-ports of lines with inductors in series and capacitors across between them, against scikit-rf."""
    medium = _medium(50.0)
    series, across = Inductor(3e-9) + Resistor(2.0), Capacitor(1.2e-12) | Resistor(800.0)
    coil = medium.inductor(3e-9) ** medium.resistor(2.0)
    plates = medium.shunt_capacitor(1.2e-12) ** medium.shunt(medium.resistor(800.0) ** medium.short())
    for rungs in (1, 3):
        lines, whole = [50.0], _medium(50.0, 3e8).line(3e8 * DELAY, "m")
        junctions: list[Part] = []
        for k in range(rungs):
            junctions.append(SeriesJunction(f"coil{k}", 1, impedance=series))
            junctions.append(ShuntJunction(f"plates{k}", 1, impedance=across))
            lines += [30.0 + 20 * k, 75.0]
            for z, between in zip(lines[-2:], (coil, plates), strict=True):
                whole = whole**between ** _medium(z, 3e8).line(3e8 * DELAY, "m")
        yield from _scattered(f"ladder of {2 * rungs} elements between lines", _cascade(junctions, lines), lines, whole)


def passivity() -> Iterator[Answer]:
    """What gives off energy is refused, with the frequency; what is passive never gives back more than it got."""
    resonance = 2 * np.pi * 1e9
    for quality in (10.0, 1e3, 1e6):
        active = _dip(quality, resonance)
        found = active.fault()
        name = f"Z with Re Z = -10 ohm at 1 GHz, Q = {quality:g}"
        yield close(f"{name}: frequency of the refusal [Hz]", found.frequency if found else 0.0, 1e9, relative=BAR)
        yield close(f"{name}: Re Z there [ohm]", found.value if found else 0.0, -10.0, relative=BAR)
        yield close(f"{name}: refused", float(_refused(active)), 1.0, absolute=0.0)
    yield close("positive-real Z(s) of fourth order: refused", float(_refused(_fourth_order())), 0.0, absolute=0.0)
    lossless = (Inductor(1e-9) | Capacitor(1e-12)) + (Inductor(2e-9) | Capacitor(3e-12)) + Inductor(1e-9)
    yield close("Z of inductors and capacitors alone: refused", float(_refused(lossless.rational())), 0.0, absolute=0.0)
    back = np.abs(_reflection(lossless))
    yield close("inductors and capacitors alone: largest |reflection|", np.max(back), 1.0, relative=1e-9)
    yield close("inductors and capacitors alone: smallest |reflection|", np.min(back), 1.0, relative=1e-9)
    yield from _random_drive()


def _random_drive() -> Iterator[Answer]:
    """Noise, held for 20 steps at a time, into a series R, L, C of about 100 steps' time constant."""
    ohm, henry, farad, step, steps = 0.5, 1.0, 0.7, 0.01, 4000
    system = _network_of(Termination("load", 1, Resistor(ohm) + Inductor(henry) + Capacitor(farad)), 1.0, 0.1)
    substrate = build(system, "ideal-torch", seed=0, step=step)
    drive = np.repeat(np.random.default_rng(4).normal(size=(8, steps // 20, 1)), 20, axis=1)
    fields = substrate.run({"in": substrate.asarray(drive)}, steps * step).fields
    b, i, v = (as_numpy(fields[f"load.{name}"])[..., 0] for name in ("b", "i_L", "v_C"))
    arrived = np.sum(step * b**2, axis=1)
    # b is held within a step, the current goes linearly from one value to the next.
    now, then, held = i[:, :-1], i[:, 1:], b[:, :-1]
    between = np.cumsum(step * (held * (now + then) - (now**2 + now * then + then**2) / 3), axis=1)
    yield at_least(
        "R, L, C under noise: least energy taken up so far at any time, in parts of all that arrives",
        np.min(between / arrived[:, None]),
        0.0,
    )
    taken = np.cumsum(step * (b**2 - (b - i) ** 2), axis=1)[:, :-1]
    stored = henry * i[:, 1:] ** 2 / 2 + farad * v[:, 1:] ** 2 / 2
    burnt = np.cumsum(step * ohm * i**2, axis=1)[:, :-1]
    made = np.cumsum(henry * np.diff(i) ** 2 / 2 + farad * np.diff(v) ** 2 / 2, axis=1)
    yield at_most(
        "R, L, C under noise: energy balance of explicit Euler, in parts of all that arrives",
        np.max(np.abs(taken + made - stored - burnt) / arrived[:, None]),
        1e-12,
    )


def trapezoidal() -> Iterator[Answer]:
    """Circuits stepped by the trapezoidal rule: Z at the warped frequency, and no energy made by any step."""
    step = DELAY / 5
    warped = 2j / step * np.tan(np.pi * FREQUENCIES * step)
    resonant = Resistor(20.0) + (Inductor(2e-9) | Capacitor(0.5e-12))
    for name, impedance in (("ladder of fourth order", _rungs()), ("R + (L || C)", resonant)):
        found = _reflection(impedance, step)
        wanted = (impedance(warped) - 50) / (impedance(warped) + 50) * np.exp(-4j * np.pi * FREQUENCIES * DELAY)
        off = np.max(np.abs(found - wanted) / np.abs(wanted))
        yield at_most(f"{name}, trapezoidal steps of 10 ps: reflection against Z at (2/dt) tan(w dt/2)", off, 1e-10)
    coil, plates = Inductor(3.0) + Capacitor(0.4), Inductor(0.02) | Capacitor(5.0)
    yield at_most(
        "line between L + C and L || C, 1e5 steps: largest change of its energy", _change(coil, plates), 1e-10
    )
    load = Resistor(0.5) + Inductor(1.0) + (Capacitor(0.7) | Resistor(3.0))
    network = _ends(load, Resistor(1.0))
    drive = np.random.default_rng(4).normal(size=(2, 2000, 1))
    balance = energy_balance(network, Interpreter(network.lower()).run({"in": drive}, 2000, 1.0))
    yield at_most("R, L, C under noise, a step of 1 s: in - burnt - stored, relative", balance.error, 1e-12)


def _ends(right: Impedance, left: Impedance) -> Network:
    """A line of 1 ohm and 3 s between two circuits."""
    line = Line("line", 1, 1.0, 3.0)
    ends = (Termination(name, 1, z, integrator="trapezoidal") for name, z in (("left", left), ("right", right)))
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    return Network((Source("in", 1), *ends, line), (enter, *line.links("left", "right")), Readout("right", "u"))


def _change(left: Impedance, right: Impedance) -> float:
    """Largest relative change of the energy of a closed line in 1e5 steps of 1 s of its map."""
    system = _ends(right, left).lower()
    matrix = step_matrix(system, 1.0).toarray()
    weights = np.ones(matrix.shape[0])  # of what is in flight on 1 ohm
    for name, entries in linearised(system, step=1.0).states.items():
        population, _, state = name.partition(".")
        weights[entries] = system.populations[population].values[state[2:]] / 2
    x = np.random.default_rng(5).normal(size=matrix.shape[0])
    before, worst = float(x @ (weights * x)), 0.0
    for _ in range(100_000):
        x = matrix @ x
        worst = max(worst, abs(float(x @ (weights * x)) / before - 1))
    return worst


ANSWERS = {
    "impedance steps": impedance_steps,
    "terminations": terminations,
    "junctions": junctions,
    "ladders": ladders,
    "passivity": passivity,
    "trapezoidal circuits": trapezoidal,
}


def _one_port(name: str, impedance: Impedance, circuit: Any) -> Answer:
    """Reflection at the far end of a line of 50 ohm."""
    wanted = circuit.s[:, 0, 0] * np.exp(-4j * np.pi * FREQUENCIES * DELAY)
    off = np.max(np.abs(_reflection(impedance) - wanted) / np.abs(wanted))
    return at_most(f"{name}: reflection against scikit-rf, 30 MHz to 30 GHz, relative", off, BAR)


def _reflection(impedance: Impedance, step: float | None = None) -> NDArray[np.complex128]:
    """b/a at the near end of a line of 50 ohm, from the lowered System; with a step, by the trapezoidal rule."""
    load = Termination("load", 1, impedance, integrator="trapezoidal" if step else "euler")
    back = replace(_network_of(load, 50.0, DELAY), outputs={"back": Output("source", "b")})
    return 2 * frequency_response(back, "in", "back", 2 * np.pi * FREQUENCIES, step=step)[:, 0, 0]


def _two_ports(name: str, junction: Part, lines: tuple[float, float], between: Any) -> Iterator[Answer]:
    """Reflection and transmission of a junction between two lines."""
    near, far = (_medium(z, 3e8).line(3e8 * DELAY, "m") for z in lines)
    whole = near**far if between is None else near**between**far
    yield from _scattered(name, _network(junction, lines, DELAY), lines, whole)


def _scattered(name: str, system: System, lines: Sequence[float], whole: Any) -> Iterator[Answer]:
    """S11 and S21 of a network between the first and the last of the lines."""
    for label, end, wanted in (
        ("reflection", "source", whole.s[:, 0, 0]),
        ("transmission", "load", whole.s[:, 1, 0] * np.sqrt(lines[-1] / lines[0])),
    ):
        read = replace(system, outputs={"wave": Output(end, "b")})
        found = 2 * frequency_response(read, "in", "wave", 2 * np.pi * FREQUENCIES)[:, 0, 0]
        off = np.max(np.abs(found - wanted) / np.abs(wanted))
        yield at_most(f"{name}: {label} against scikit-rf, 30 MHz to 30 GHz, relative", off, BAR)


def _network(junction: Part, lines: Sequence[Any], delay: float) -> System:
    """Matched source, line, junction, line, matched load."""
    size = int(np.size(lines[0]))
    near, far = (Line(name, size, z, delay) for name, z in zip(("near", "far"), lines, strict=True))
    load = Termination("load", size, Resistor(lines[1]))
    links = (*near.links("source", f"{junction.name}:1"), *far.links(f"{junction.name}:2", "load"))
    return _driven((near, far, junction, load), links, lines[0])


def _cascade(junctions: Sequence[Part], impedances: Sequence[float]) -> System:
    """Matched source, line, junction, line, ... junction, line, matched load."""
    lines = [Line(f"line{k}", 1, z, DELAY) for k, z in enumerate(impedances)]
    sides = ["source", *(f"{part.name}:{side}" for part in junctions for side in (1, 2)), "load"]
    links = [link for k, line in enumerate(lines) for link in line.links(*sides[2 * k : 2 * k + 2])]
    load = Termination("load", 1, Resistor(impedances[-1]))
    return _driven((*lines, *junctions, load), tuple(links), impedances[0])


def _network_of(load: Termination, impedance: float, delay: float) -> System:
    """Matched source, line, load."""
    line = Line("line", load.size, impedance, delay)
    return _driven((line, load), line.links("source", load.name), impedance)


def _driven(parts: tuple[Part, ...], links: tuple[Link, ...], impedance: Any) -> System:
    size = int(np.size(impedance))
    enter = Link("in", "source", operator=OneToOne((size,)), weights=np.ones(size))
    source = Termination("source", size, Resistor(impedance))
    return Network((Source("in", size), *parts, source), (enter, *links), Readout("load", "u")).lower()


def _ladder(medium: Any) -> tuple[Impedance, Any]:
    """Inductor, capacitor across, inductor, capacitor and resistor across: here and in scikit-rf."""
    end = medium.shunt_capacitor(1e-12) ** medium.resistor(75.0) ** medium.short()
    return _rungs(), medium.inductor(1e-9) ** medium.shunt_capacitor(0.5e-12) ** medium.inductor(3e-9) ** end


def _rungs() -> Impedance:
    inner = Inductor(3e-9) + (Capacitor(1e-12) | Resistor(75.0))
    return Inductor(1e-9) + (Capacitor(0.5e-12) | inner)


def _from_file(circuit: Any) -> Impedance:
    with TemporaryDirectory() as folder:
        circuit.write_touchstone(filename="ladder", dir=folder)
        return fit_touchstone(Path(folder) / "ladder.s1p", complex_pairs=2).impedance


def _fourth_order() -> Rational:
    """Two resonances at 1.1 and 1.9 GHz on 20 ohm."""
    unit = 2 * np.pi * 1e9
    poles = unit * np.array([-0.2 + 1.1j, -0.2 - 1.1j, -0.3 + 1.9j, -0.3 - 1.9j])
    return Rational.from_poles(poles, unit * np.array([15.0, 15.0, 20.0, 20.0]), constant=20.0)


def _dip(quality: float, resonance: float) -> Rational:
    """50 - 60 g s/(s^2 + g s + 1) ohm, g = 1/Q: passive but for a band about the resonance, where it is -10 ohm."""
    width = 1 / quality
    return Rational([50.0, -10.0 * width, 50.0], [1.0, width, 1.0], resonance)


def _refused(impedance: Rational) -> bool:
    """Whether no termination can be made of it."""
    try:
        Termination("load", 1, impedance)
    except ParameterError:
        return True
    return False


def _medium(impedance: float, speed: float = 3e8) -> Any:
    """Lossless line of scikit-rf at the frequencies looked at."""
    try:
        import skrf
    except ImportError:
        raise CapabilityError("these answers are compared with scikit-rf; pip install 'physnn[rf]'") from None
    band = skrf.Frequency.from_f(FREQUENCIES, unit="Hz")
    kinds: Mapping[str, Any] = {"frequency": band, "z0": impedance, "gamma": 2j * np.pi * FREQUENCIES / speed}
    return skrf.media.DefinedGammaZ0(**kinds)
