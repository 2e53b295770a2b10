"""Known answers of lines and junctions in time: banks, spectra of stacks, bounces, uneven delays, couplers, ladders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis import impedance as closed
from physnn.equations import OneToOne, System
from physnn.media.impedances import (
    DirectionalCoupler,
    Dispersion,
    Line,
    Repeater,
    Resistor,
    Step,
    Termination,
    TransformerBank,
)
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

Array = NDArray[Any]
ROUNDING = 1e-12
LENGTH = 1024
"""of pulse responses [steps], by when they have died away"""
BANKS = ((4, 3), (3, 5), (1, 6), (6, 1), (8, 8))
"""n1, n2"""


def transformer_banks() -> Iterator[Answer]:
    """Random turns ratios and impedances: every port is given a pulse, and what leaves all ports is the S matrix."""
    rng = np.random.default_rng(11)
    off = lossless = reciprocal = 0.0
    for first, second in BANKS:
        turns = rng.normal(size=(second, first))
        before, behind = rng.uniform(0.2, 5, first), rng.uniform(0.2, 5, second)
        found = _bank_in_time(turns, before, behind)
        off = max(off, float(np.max(np.abs(found - closed.transformer_bank(turns, before, behind)))))
        impedance = np.diag(np.concatenate([before, behind]))
        admittance = np.linalg.inv(impedance)
        lossless = max(lossless, float(np.max(np.abs(found.T @ admittance @ found - admittance))))
        reciprocal = max(reciprocal, float(np.max(np.abs(found @ impedance - (found @ impedance).T))))
    yield at_most("random banks in time: S against (I+M)^-1 (I-M) and its other blocks", off, ROUNDING)
    yield at_most("random banks in time: power made or lost, |S^T Z^-1 S - Z^-1| [1/ohm]", lossless, ROUNDING)
    yield at_most("random banks in time: |S Z - (S Z)^T| [ohm], zero where reciprocal", reciprocal, ROUNDING)
    single = _bank_in_time(np.array([[1.0]]), np.array([50.0]), np.array([75.0]))
    yield close("a bank of one winding, W = 1, 50 to 75 ohm: R", single[0, 0], 0.2, relative=ROUNDING)
    best = _bank_in_time(np.array([[np.sqrt(0.5)]]), np.array([2.0]), np.array([1.0]))
    yield at_most("a winding of 1/sqrt(rho) between lines that differ: |R|", abs(best[0, 0]), ROUNDING)


def _bank_in_time(turns: Array, before: Array, behind: Array) -> Array:
    second, first = turns.shape
    sides = [Termination(name, z.size, Resistor(tuple(z))) for name, z in (("left", before), ("right", behind))]
    near, far = Line("near", first, tuple(before), 1.0), Line("far", second, tuple(behind), 1.0)
    links = (
        _into("in 1", "left", first),
        _into("in 2", "right", second),
        *near.links("left", "bank:1"),
        *far.links("bank:2", "right"),
    )
    parts = (
        Source("in 1", first),
        Source("in 2", second),
        *sides,
        near,
        TransformerBank("bank", first, second, turns),
        far,
    )
    system = Network(parts, links, Readout("right", "u")).lower()
    drive = {"in 1": np.zeros((first + second, 4, first)), "in 2": np.zeros((first + second, 4, second))}
    drive["in 1"][:first, 0], drive["in 2"][first:, 0] = 2 * np.eye(first), 2 * np.eye(second)
    fields = _run(system, drive, 4)
    return np.concatenate([fields["left.b"][:, 2], fields["right.b"][:, 2]], axis=1).T


def line_spectra() -> Iterator[Answer]:
    """Spectra of pulse responses against chain matrices: a quarter-wave transformer, and a Bragg stack."""
    quarter = np.sqrt(0.5 * 3.0)
    off, reflected, _ = _stack([0.5, quarter, 3.0], [3, 8, 2], LENGTH)
    yield at_most("quarter-wave transformer in time: spectrum of R and T against chain matrices", off, 1e-3)
    yield at_most("quarter-wave transformer in time: |R| at its quarter wave", reflected[LENGTH // 32], 1e-3)
    pairs = 4
    off, reflected, passed = _stack([1.0, *([3.0, 1.0 / 3.0] * pairs), 1.0], [2, *([1] * 2 * pairs), 2], LENGTH)
    yield at_most("Bragg stack of 4 pairs in time: spectrum of R and T against chain matrices", off, 1e-3)
    ratio = 9.0 ** (2 * pairs)
    peak = (ratio - 1) / (ratio + 1)
    yield close("Bragg stack in time: |R| at the quarter wave", reflected[LENGTH // 4], peak, relative=1e-3)
    edge = float(np.arcsin((3.0 - 1.0 / 3.0) / (3.0 + 1.0 / 3.0))) / (np.pi / 2)
    band = float(np.mean(passed[: LENGTH // 2] < 0.1))
    yield close("Bragg stack in time: width of the stop band (T < 0.1), of its period", band, edge, absolute=0.03)


def _stack(impedances: Sequence[float], delays: Sequence[int], steps: int) -> tuple[float, Array, Array]:
    """Largest distance of the spectra from the closed form, |R| and |T| by frequency; the ends are matched."""
    lines = [Line(f"line{k}", 1, z, float(d)) for k, (z, d) in enumerate(zip(impedances, delays, strict=True))]
    joints = [Step(f"step{k}", 1) for k in range(1, len(lines))]
    ends = [Termination("left", 1, Resistor(impedances[0])), Termination("right", 1, Resistor(impedances[-1]))]
    links = [_into("in", "left", 1)]
    for k, line in enumerate(lines):
        left, right = f"step{k}:2" if k else "left", f"step{k + 1}:1" if k + 1 < len(lines) else "right"
        links += line.links(left, right)
    system = Network((Source("in", 1), *ends, *lines, *joints), links, Readout("right", "u")).lower()
    drive = np.zeros((1, steps, 1))
    drive[:, 0] = 2.0
    fields = _run(system, {"in": drive}, steps)
    found = [np.fft.rfft(fields[f"{end}.b"][0, :-1, 0]) for end in ("left", "right")]
    phase = 2 * np.pi * np.arange(steps // 2 + 1) / steps
    chain = closed.cascade(*(closed.line(z, 1j * phase * d) for z, d in zip(impedances, delays, strict=True)))
    first, last = impedances[0], impedances[-1]
    wanted = closed.scattering(chain, first, last)
    passed = found[1] * np.sqrt(first / last)
    off = max(np.max(np.abs(found[0] - wanted[:, 0, 0])), np.max(np.abs(passed - wanted[:, 1, 0])))
    return float(off), np.abs(found[0]), np.abs(passed)


def bounces() -> Iterator[Answer]:
    """A step of voltage into a mismatched line: the bounce diagram, v (1 - q^n)/(1 - q) after n passes."""
    inner, line, load, delay, steps = 0.4, 1.0, 7.0, 3, 240
    parts = (
        Source("in", 1),
        Termination("left", 1, Resistor(inner)),
        Line("line", 1, line, float(delay)),
        Termination("right", 1, Resistor(load)),
    )
    links = (_into("in", "left", 1), *parts[2].links("left", "right"))
    fields = _run(Network(parts, links, Readout("right", "u")).lower(), {"in": np.ones((1, 1))}, steps)
    here, there = (inner - line) / (inner + line), (load - line) / (load + line)
    time, product = np.arange(steps + 1), here * there
    first = line / (line + inner)
    come = (time // delay + 1) // 2  # waves that have reached the load
    back = time // (2 * delay)  # waves that have come back to the source
    at_load = first * (1 + there) * (1 - product**come) / (1 - product)
    at_source = first + first * there * (1 + here) * (1 - product**back) / (1 - product)
    found = {end: fields[f"{end}.b"][0, :, 0] for end in ("left", "right")}
    off = np.abs((1 + there) * found["right"] - at_load)
    yield at_most("bounce diagram, 40 round trips: voltage at the load", np.max(off), 1e-9)
    off = np.abs(first + (1 + here) * found["left"] - at_source)
    yield at_most("bounce diagram, 40 round trips: voltage at the source", np.max(off), 1e-9)
    yield close("bounce diagram: voltage at rest", at_load[-1], load / (load + inner), relative=1e-9)


def uneven_lines() -> Iterator[Answer]:
    """Delays that are no whole steps, and dispersion: phase and group delay of a pulse's spectrum."""
    steps = 1024
    omega = 2 * np.pi * np.arange(1, steps // 2) / steps
    for delay in (1.5, 2.4, 3.14159, 7.77):
        spectrum = _one_way(Line("line", 1, 1.0, delay, step=1.0), steps)
        name = f"line of {delay} steps"
        yield at_most(f"{name}: ||T| - 1| at all frequencies", np.max(np.abs(np.abs(spectrum) - 1)), ROUNDING)
        late = -np.unwrap(np.angle(spectrum))[:20] / omega[:20]
        yield at_most(
            f"{name}: error of the delay up to 1/50 of the step rate [steps]", np.max(np.abs(late - delay)), 2e-3
        )
    chain = Dispersion(6, 17.0)
    spectrum = _one_way(Line("line", 1, 1.0, 14.0 + chain.total, step=1.0, dispersion=chain), steps)
    # The trapezoidal rule runs a section at the frequency (2/dt) tan(w dt/2).
    warped = 2 * np.tan(omega / 2)
    phase = 14.0 * omega + chain.sections * 2 * np.arctan(warped * chain.delay / 2)
    off = np.max(np.abs(spectrum - np.exp(-1j * phase)))
    yield at_most("six lattice sections: T against exp(-j phase) of the closed form", off, 1e-10)
    group = np.diff(-np.unwrap(np.angle(spectrum))) / np.diff(omega)
    middle = (omega[1:] + omega[:-1]) / 2
    wanted = 14.0 + chain.total / (np.cos(middle / 2) ** 2 + (chain.delay * np.sin(middle / 2)) ** 2)
    off = np.max(np.abs(group / wanted - 1))
    # Differences of the phase are means over a bin; what they miss is at most (T dw)^2/12 of the delay.
    yield at_most("six lattice sections: group delay against its closed form at all frequencies, relative", off, 1e-3)


def _one_way(line: Line, steps: int) -> Array:
    """Transmission of a matched line from the spectrum of a pulse, at the frequencies between 0 and half the rate."""
    ends = Termination("left", 1, Resistor(1.0)), Termination("right", 1, Resistor(1.0))
    links = (_into("in", "left", 1), *line.links("left", "right"))
    drive = np.zeros((1, steps, 1))
    drive[:, 0] = 2.0
    fields = _run(Network((Source("in", 1), *ends, line), links, Readout("right", "u")).lower(), {"in": drive}, steps)
    return np.fft.rfft(fields["right.b"][0, :-1, 0])[1 : steps // 2]


def couplers() -> Iterator[Answer]:
    """Couplers of any splitting between unlike lines, and a repeater: pulses at every port."""
    share, impedances = np.array([0.0, 0.1, 0.5, 1.0]), (1.0, 2.0, 0.5, 3.0)
    coupler = DirectionalCoupler("part", share.size, tuple(share))
    scatter = _ports(coupler, impedances, ("1", "2", "3", "4"))
    power = scatter * np.sqrt(np.array(impedances)[None, :] / np.array(impedances)[:, None])
    unit = np.einsum("kji,kjl->kil", power, power) - np.eye(4)
    yield at_most("couplers: power made or lost, |S^T S - 1| of power waves", np.max(np.abs(unit)), ROUNDING)
    yield at_most("couplers: |S - S^T|, zero where reciprocal", np.max(np.abs(power - power.swapaxes(1, 2))), ROUNDING)
    yield at_most("couplers: power from line 1 to line 4", np.max(np.abs(power[:, 3, 0] ** 2 - share)), ROUNDING)
    yield at_most("couplers: |R| at all ports", np.max(np.abs(np.einsum("kii->ki", power))), ROUNDING)
    found = _ports(Repeater("part", 1, gain=2.5, back=0.3), (1.0, 3.0), ("1", "2"))[0]
    off = np.max(np.abs(found - [[0.0, 0.3], [2.5, 0.0]]))
    yield at_most("repeater: its S against [[0, back], [gain, 0]]", off, ROUNDING)


def _ports(part: Any, impedances: Sequence[float], sides: Sequence[str]) -> Array:
    """S of voltage waves, (lines, ports, ports), from pulses at one port after the other."""
    count, size = len(sides), part.size
    parts: list[Part] = [part]
    links: list[Link] = []
    for side, impedance in zip(sides, impedances, strict=True):
        line = Line(f"line {side}", size, impedance, 1.0)
        parts += [Source(f"in {side}", size), Termination(f"end {side}", size, Resistor(impedance)), line]
        links += [_into(f"in {side}", f"end {side}", size), *line.links(f"end {side}", f"part:{side}")]
    drive = {f"in {side}": np.zeros((count, 4, size)) for side in sides}
    for k, side in enumerate(sides):
        drive[f"in {side}"][k, 0] = 2.0
    fields = _run(Network(parts, links, Readout(f"end {sides[0]}", "u")).lower(), drive, 4)
    return np.stack([fields[f"end {side}.b"][:, 2] for side in sides], axis=0).transpose(2, 0, 1)


def _into(port: str, end: str, size: int) -> Link:
    return Link(port, end, operator=OneToOne((size,)), weights=np.ones(size), trainable=False)


def _run(system: System, drive: dict[str, Array], steps: int) -> dict[str, Array]:
    """Fields of a run of one-second steps, on the reference backend."""
    substrate = build(system, "ideal-torch", seed=0, step=1.0)
    fields = substrate.run({port: substrate.asarray(wave) for port, wave in drive.items()}, float(steps)).fields
    return {name: as_numpy(field) for name, field in fields.items() if name.endswith(".b")}


ANSWERS = {
    "transformer banks": transformer_banks,
    "line spectra": line_spectra,
    "bounces": bounces,
    "uneven lines": uneven_lines,
    "couplers and repeaters": couplers,
}
