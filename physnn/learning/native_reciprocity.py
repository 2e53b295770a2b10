"""Whether what stands between lines is reciprocal: the condition under which a second field tells a gradient at all.

With waves b that arrive at the sides of a part and waves a that leave, v = a + b, i = (a - b)/Z into the lines,

    da_j/db_k Z_k = da_k/db_j Z_j        for all sides j, k (the scattering of power waves is symmetric).

It is looked at by the equations themselves: slopes at a random point of parameters, impedances, bias and frequency,
with states, unknowns and what couplings bring inside the part eliminated. A lumped element of n lines acts line by
line, so one line decides; a bank of transformers is two populations, told together, with one turns ratio for both.

Source: Pozar, Microwave Engineering (2011), section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.equations import Coupling, OneToOne, Population, System
from physnn.equations.generate import function
from physnn.errors import CapabilityError
from physnn.media.impedances.line import REFERENCE

_ROUNDING = 1e-9
"""of the largest slope, by which two may differ"""
CURE = "train by rule 'reflected-wave'"


@dataclass(frozen=True)
class Side:
    """A side of a part at which a line ends."""

    population: str
    side: str
    """"1", "2", or "" of a part with one side only"""
    leaving: str
    """coupling that carries a away"""
    arriving: str
    """coupling that brings b"""


def check_reciprocal(
    system: System, lines: Iterable[str], sides: Sequence[Side], pairs: Mapping[str, tuple[str, str]]
) -> None:
    """Refuse a network of lines in which something sends on more than it sends back.

    Parameters
    ----------
    system : System
    lines : iterable of str
        Populations that are lines.
    sides : sequence of Side
        All places at which lines end.
    pairs : mapping
        Weights that lead there and, transposed, back -> populations that they join (banks of transformers).

    Raises
    ------
    CapabilityError
        The message names the part.
    """
    members = {side.population for side in sides}
    _check_ways(system, set(lines), members, {side.arriving for side in sides}, set(pairs))
    for group in _groups(system, members):
        names = [side for side in sides if side.population in group]
        if any(system.populations[n].events or system.populations[n].projections for n in group):
            raise CapabilityError(f"{_said(group)} has events or limits: two fields tell no gradient there; {CURE}")
        if len(names) > 1 and not _symmetric(system, group, names):
            raise CapabilityError(
                f"{_said(group)} is not reciprocal: it does not send back by the way by which it sends on, as a "
                f"repeater does not, so that the field driven from the outputs tells no gradient; {CURE}, or take it "
                "out"
            )


def _check_ways(system: System, lines: set[str], members: set[str], arriving: set[str], pairs: set[str]) -> None:
    """Whether waves get from line to line through the parts alone."""
    inside, reached = lines | members, lines | members
    while more := {c.target for c in system.couplings.values() if c.source in reached} - reached:
        reached |= more
    for coupling in system.couplings.values():
        if coupling.target not in inside or coupling.source not in reached:
            continue
        if coupling.source in lines:
            fine = coupling.name in arriving or coupling.into.startswith("dZ")
        elif coupling.source in members:
            fine = coupling.target in lines or isinstance(coupling.operator, OneToOne) or coupling.key in pairs
        else:
            fine = False
        if not fine:
            raise CapabilityError(
                f"coupling {coupling.name!r} leads back into the network of lines one way only, so that it is not "
                f"reciprocal and two fields tell no gradient; {CURE}"
            )


def _groups(system: System, members: set[str]) -> list[list[str]]:
    """Populations that couplings join without a line between."""
    group = {name: {name} for name in members}
    for coupling in system.couplings.values():
        if {coupling.source, coupling.target} <= members:
            joined = group[coupling.source] | group[coupling.target]
            for name in joined:
                group[name] = joined
    return [list(names) for names in dict.fromkeys(tuple(sorted(found)) for found in group.values())]


def _said(group: Sequence[str]) -> str:
    return " and ".join(map(repr, group))


def _symmetric(system: System, group: Sequence[str], sides: Sequence[Side]) -> bool:
    """Whether the scattering of one line of each side is symmetric, in waves weighted by their power."""
    inner = [c for c in system.couplings.values() if c.source in group and c.target in group]
    rng = np.random.default_rng(0)
    point = {name: _point(system.populations[name], rng) for name in group}
    told = {(c.target, c.into) for c in inner}
    unknown = [(name, v) for name in group for v in _internal(system.populations[name])] + sorted(told)
    driven = [(side.population, system.couplings[side.arriving].into) for side in sides]
    rows = [_row(system, where, point, unknown, driven) for where in unknown if where not in told]
    factors = _factors(inner, rng)
    rows += [_told(system, where, inner, factors, point, unknown, driven) for where in sorted(told)]
    leaving = [_slopes(system, s.population, system.signals[s.leaving], point, unknown, driven) for s in sides]
    count = len(unknown)
    whole, out = np.array(rows).reshape(count, count + len(sides)), np.array(leaving)
    inside = np.linalg.solve(whole[:, :count], -whole[:, count:]) if count else np.zeros((0, len(sides)))
    impedance = [_impedance(point[s.population], s) for s in sides]
    power = (out[:, :count] @ inside + out[:, count:]) * np.array(impedance)
    return bool(np.max(np.abs(power - power.T)) <= _ROUNDING * np.max(np.abs(power)))


def _internal(population: Population) -> tuple[str, ...]:
    return (*population.dynamic, *population.constraints)


def _point(population: Population, rng: np.random.Generator) -> dict[str, float]:
    """Random values of all that the equations may hold; no noise."""
    values = {name: float(rng.uniform(0.2, 0.9)) for name in population.symbols}
    values |= dict.fromkeys(population.noises, 0.0)
    return values | ({"Zr": REFERENCE} if "Zr" in values else {})


def _impedance(values: Mapping[str, float], side: Side) -> float:
    """Z [ohm] of the line that ends at a side, as the part has heard."""
    return REFERENCE + values.get(f"dZ_{side.side}" if side.side else "dZ", 0.0)


def _row(
    system: System,
    where: tuple[str, str],
    point: Mapping[str, Mapping[str, float]],
    unknown: Sequence[tuple[str, str]],
    driven: Sequence[tuple[str, str]],
) -> NDArray[np.complex128]:
    """The equation of a state, at a complex frequency, or of an unknown."""
    population, name = system.populations[where[0]], where[1]
    rule = population.constraints.get(name)
    own = np.zeros(len(unknown) + len(driven), dtype=complex)
    if rule is None:
        rule = population.flows.get(name, population.maps.get(name))
        own[unknown.index(where)] = _FREQUENCY[name in population.maps]
    return _slopes(system, where[0], rule, point, unknown, driven) - own


_FREQUENCY = {False: 0.37 + 1.13j, True: np.exp(0.83j)}
"""What a rate of change [1/s], and what one step later, multiplies a state by; the same for all states."""


def _factors(inner: Sequence[Coupling], rng: np.random.Generator) -> dict[str, complex]:
    """What a coupling multiplies by: one number for weights that are shared, and a phase for its delay."""
    weights = {c.key: float(rng.uniform(0.5, 1.5)) for c in inner}
    return {c.name: weights[c.key] * (np.exp(1j * c.delay / (1.0 + c.delay)) if c.delay else 1.0) for c in inner}


def _told(
    system: System,
    where: tuple[str, str],
    inner: Sequence[Coupling],
    factors: Mapping[str, complex],
    point: Mapping[str, Mapping[str, float]],
    unknown: Sequence[tuple[str, str]],
    driven: Sequence[tuple[str, str]],
) -> NDArray[np.complex128]:
    """What arrives by couplings within the part."""
    found = np.zeros(len(unknown) + len(driven), dtype=complex)
    found[unknown.index(where)] = -1.0
    for c in inner:
        if (c.target, c.into) == where:
            found += factors[c.name] * _slopes(system, c.source, system.signals[c.name], point, unknown, driven)
    return found


def _slopes(
    system: System,
    name: str,
    expression: Any,
    point: Mapping[str, Mapping[str, float]],
    unknown: Sequence[tuple[str, str]],
    driven: Sequence[tuple[str, str]],
) -> NDArray[np.complex128]:
    """Slopes of an expression of one population by everything that moves.

    Raises
    ------
    CapabilityError
        It holds complex conjugates.
    """
    population, values = system.populations[name], point[name]
    if expression.has(sp.conjugate, sp.re, sp.im):
        raise CapabilityError(f"{name!r} takes complex waves apart: two fields tell no gradient there; {CURE}")
    slopes = tuple(
        expression.diff(population.symbols[v]) if owner == name else sp.Integer(0) for owner, v in (*unknown, *driven)
    )
    names = sorted({str(s) for slope in slopes for s in slope.free_symbols})
    compiled = function(tuple(population.symbols[n] for n in names), slopes)
    return np.array([complex(found) for found in compiled(np, *(values[n] for n in names))])
