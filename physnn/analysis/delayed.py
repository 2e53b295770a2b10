"""Whether what goes round in loops with delays dies out: judged before a run, by the map of one step.

The radius of a scattering matrix says nothing here: S = [[.9, .9], [-.9, -.9]] has radius 0, and with delays of 2 and 1
steps its waves grow 1.5 times a step. The map of one step holds the states and all that is in flight (`step_matrix`).

    largest |eigenvalue| of the map  <= 1             the loop is let pass, to what the eigenvalue is known to
    waves weighted by 1/Z0, sigma_max(S) <= 1         passive: no eigenvalue lies outside the unit circle

A loop with nonlinear elements is judged by what they do to large waves: bounded currents cannot hold what grows without
them (`physnn.analysis.far`); others may, and are let run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from scipy.sparse.csgraph import connected_components

from physnn.analysis.far import far_system, proportional
from physnn.analysis.point import Point, environment
from physnn.analysis.power_gain import gains_no_power, without_sections
from physnn.analysis.radius import EXACT, FINE, fine_radius, largest_block
from physnn.analysis.state_space import Linearisation
from physnn.equations import Interpreter, System
from physnn.equations.parse import TIME
from physnn.errors import ParameterError

BAND = FINE
"""growth a round trip that may stay unseen in a large loop for its verdict to count as decided"""
_ENTRIES = 20_000_000
"""entries in flight or in matrices of a loop, beyond which it is not judged: memory"""


@dataclass(frozen=True)
class LoopVerdict:
    """What became of a wave that goes round in one loop of populations with delays."""

    populations: tuple[str, ...]
    radius: float
    """of the map of one step: what the slowest wave to die out is multiplied by a step"""
    resolution: float
    """what `radius` may be off by"""
    step: float
    """[s]"""
    passive: bool = False
    """no power is gained at any scattering: `radius` is 1 at most, and not measured"""
    trip: int = 1
    """steps of the longest delay in the loop"""

    @property
    def grows(self) -> bool:
        """Whether a wave grows by more than the radius may be off."""
        return not self.passive and self.radius - 1.0 > self.resolution

    @property
    def decided(self) -> bool:
        """Whether the radius is on one side of 1, or known to 5e-4 for the time of the longest delay."""
        return self.passive or self.resolution * self.trip <= BAND or abs(self.radius - 1.0) > self.resolution

    @property
    def excess(self) -> float:
        """What to take away for every step of delay [dB], for the loop to be at its edge of growing."""
        return 20.0 * math.log10(self.radius) if self.radius > 0 else -math.inf


class DelayedLoops:
    """The loops of a System that a wave goes round with a delay, ready to be judged for given parameters.

    Parameters
    ----------
    system : System
    """

    def __init__(self, system: System) -> None:
        self.system = system
        names = list(system.populations)
        graph = np.zeros((len(names), len(names)))
        for coupling in system.couplings.values():
            graph[names.index(coupling.source), names.index(coupling.target)] = 1.0
        group = connected_components(graph, directed=True, connection="strong")[1]
        place = dict(zip(names, group, strict=True))
        late = {
            place[c.source] for c in system.couplings.values() if c.delay > 0 and place[c.source] == place[c.target]
        }
        self.loops = tuple(tuple(n for n in names if place[n] == number) for number in sorted(late))
        """names of the populations of each loop"""

    @cached_property
    def nonlinear(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Loop -> its populations that are not linear in what goes round."""
        return {loop: _nonlinear(self.system, loop) for loop in self.loops}

    @property
    def linear(self) -> tuple[tuple[str, ...], ...]:
        """The loops whose equations are linear in all that goes round: what grows in them grows without bound."""
        return tuple(loop for loop, held in self.nonlinear.items() if not held)

    @cached_property
    def far(self) -> dict[tuple[str, ...], System]:
        """Nonlinear loop -> the System with that loop as large waves see it, where that is linear."""
        bent = [loop for loop, held in self.nonlinear.items() if held]
        found = {loop: far_system(self.system, loop, _moving(self.system, loop)) for loop in bent}
        return {loop: system for loop, system in found.items() if system is not None}

    def check(self, step: float, parameters: Mapping[str, Any] | None = None) -> None:
        """Judge the linear loops, and those that what is nonlinear in them cannot hold, at large waves.

        Others may be held by their own nonlinearity, and are let run; `verdict` judges them about a point.

        Nothing is said as long as a coupling has no weights, nor where a loop is too large (`verdict`).

        Raises
        ------
        ParameterError
            A loop grows; the message says by how much, and what to take away.
        """
        held = self.system.parameters.keys() | (parameters or {}).keys()
        if any(c.key not in held for c in self.system.couplings.values()):
            return  # weights are still to be written
        for loop in (*self.linear, *self.far):
            found = _verdict(self.far.get(loop, self.system), loop, step, parameters, None)
            if found is not None and found.grows:
                names = ", ".join(loop[:6]) + (f" and {len(loop) - 6} more" if len(loop) > 6 else "")
                bounded = ", ".join(map(repr, self.nonlinear[loop]))
                when = f"once they are so large that {bounded} no longer counts" if bounded else "whatever arrives"
                raise ParameterError(
                    f"the loop with delays through {names} is unstable: its waves grow {found.radius:.6g} times a step "
                    f"of {step:g} s, {when}; take {found.excess:.3g} dB for every step of delay away from "
                    f"what goes round, by smaller gains or weights, or by loss on its lines{self._stepped(loop, step)}"
                )

    def verdict(
        self,
        loop: tuple[str, ...],
        step: float,
        parameters: Mapping[str, Any] | None = None,
        about: Point | None = None,
    ) -> LoopVerdict | None:
        """What waves in one loop do about a point, the states as they start where none is given.

        Returns
        -------
        LoopVerdict or None
            None where the loop is too large to be judged: more than 20 million entries.

        Raises
        ------
        CapabilityError
            A projection holds a state at this point.
        """
        return _verdict(self.system, loop, step, parameters, about)

    def _stepped(self, loop: tuple[str, ...], step: float) -> str:
        """What else may be the cause: reactive elements on lines whose integrator adds power."""
        for name in loop:
            population = self.system.populations[name]
            if population.flows and {"dZ", "dZ_1"} & population.variables.keys():
                return (
                    f'; the inductors or capacitors of {name!r} are stepped by integrator "{population.integrator}", '
                    f'which adds power where {step:g} s is no short step: give it integrator="trapezoidal", which adds '
                    "none, or take a shorter step"
                )
        return ""


def _verdict(
    system: System,
    loop: tuple[str, ...],
    step: float,
    parameters: Mapping[str, Any] | None,
    about: Point | None,
) -> LoopVerdict | None:
    reduced, given, there = _alone(system, loop, parameters, about, step)
    if _entries(reduced, step) > _ENTRIES:
        return None
    lengths = {c.name: max(round(c.delay / step), 1) for c in reduced.couplings.values() if c.delay > 0}
    trip = max(lengths.values())
    shared = 1 if any(p.dynamic for p in reduced.populations.values()) else math.gcd(*lengths.values())
    if shared > 1:  # delays that are multiples of several steps: these steps are as one
        shorter = {n: replace(reduced.couplings[n], delay=k // shared * step) for n, k in lengths.items()}
        reduced = replace(reduced, couplings={**reduced.couplings, **shorter})
    bypassed = without_sections(reduced, given)
    other = bypassed or {}
    matrix = Linearisation(reduced, given | other, there | other, stepped=True).embedded(step)
    size = matrix.shape[0] if bypassed else largest_block(matrix)  # sections join blocks that are apart without them
    if bypassed is not None and size > EXACT and gains_no_power(reduced, matrix, step, given):
        return LoopVerdict(loop, 1.0, 0.0, step, passive=True, trip=trip)
    if bypassed:
        matrix = Linearisation(reduced, given, there, stepped=True).embedded(step)
    found = fine_radius(matrix, max(trip // shared, 1))
    return LoopVerdict(loop, found.value ** (1.0 / shared), found.resolution / shared, step, trip=trip)


def check_delayed_loops(system: System, step: float, parameters: Mapping[str, Any] | None = None) -> None:
    """Refuse a System whose waves grow without bound in a loop with delays, linear or with bounded currents alone.

    Parameters
    ----------
    system : System
    step : float
        Of the run [s].
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.

    Raises
    ------
    ParameterError
        With the growth a step, and what to take away.

    Examples
    --------
    >>> from physnn.equations import Coupling, OneToOne, Population, System
    >>> from physnn.analysis import check_delayed_loops
    >>> from physnn.errors import ParameterError
    >>> echo = Population.from_text("echo", 1, "0 = x - z : 1 (solves x)\\nz : 1 (arrival)")
    >>> back = Coupling("back", "echo", "echo", "x", OneToOne((1,)), "z", delay=2.0, initial=[1.21])
    >>> try:
    ...     check_delayed_loops(System.of([echo], [back]), 1.0)
    ... except ParameterError as error:
    ...     print(str(error)[:83])
    the loop with delays through echo is unstable: its waves grow 1.1 times a step of 1
    """
    DelayedLoops(system).check(step, parameters)


def _alone(
    system: System, loop: tuple[str, ...], parameters: Mapping[str, Any] | None, about: Point | None, step: float
) -> tuple[System, dict[str, Any], dict[str, Any]]:
    """One loop without the rest, its parameters, and the point, at which what arrives from outside is held."""
    everything = Interpreter(system, parameters).parameters
    values = environment(system, everything, about, step)
    there = {f"{name}.{key}": values[name][key] for name in loop for key in system.populations[name].variables}
    if about and TIME in about:
        there[TIME] = about[TIME]
    inside = {c.name: c for c in system.couplings.values() if c.source in loop and c.target in loop}
    populations = {name: replace(system.populations[name], projections={}) for name in loop}
    reduced = replace(system, populations=populations, couplings=inside, inputs={}, outputs={})
    keys = {c.key for c in inside.values()} | reduced.parameters.keys()
    return reduced, {key: value for key, value in everything.items() if key in keys}, there


def _entries(system: System, step: float) -> int:
    """What is in flight, and what the matrices of the couplings hold at most."""
    total = 0
    for coupling in system.couplings.values():
        size = math.prod(system.populations[coupling.source].shape)
        total += size * round(coupling.delay / step) + coupling.operator.macs(system.populations[coupling.source].shape)
    return total


def _nonlinear(system: System, loop: tuple[str, ...]) -> tuple[str, ...]:
    """The populations of a loop in which something does not act in proportion to what changes.

    In proportion: by coefficients of parameters alone, without events, projections or plastic couplings.
    """
    inside = [c for c in system.couplings.values() if c.source in loop and c.target in loop]
    plastic = {end for c in inside if c.plasticity is not None for end in (c.source, c.target)}
    moving, found = _moving(system, loop), []
    for name in loop:
        population = system.populations[name]
        rows = [*population.flows.values(), *population.maps.values(), *population.constraints.values()]
        rows += [system.signals[c.name] for c in inside if c.source == name]
        held = bool(population.events or population.projections) or name in plastic
        if held or not all(proportional(row, moving[name]) for row in rows):
            found.append(name)
    return tuple(found)


def _moving(system: System, loop: tuple[str, ...]) -> dict[str, set[sp.Symbol]]:
    """What changes in a loop: states, unknowns, and arrivals that bring something of these.

    A line tells its ends its impedance: what arrives there so is a parameter.
    """
    moving = {
        name: {system.populations[name].symbols[v] for v in system.populations[name].role("state", "unknown")}
        for name in loop
    }
    inside = [c for c in system.couplings.values() if c.source in loop and c.target in loop]
    grown = True
    while grown:
        grown = False
        for coupling in inside:
            arrival = system.populations[coupling.target].symbols[coupling.into]
            if (
                arrival not in moving[coupling.target]
                and system.signals[coupling.name].free_symbols & moving[coupling.source]
            ):
                moving[coupling.target].add(arrival)
                grown = True
    return moving
