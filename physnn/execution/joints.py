"""Joints while their System runs: constraints of several populations, solved together.

The solver is that of `physnn.equations.joint`. Here its place is a run with arrays that are kept: as long as the
slopes of a joint are the very same arrays, step after step, its inverse Jacobian is too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import sympy as sp

from physnn.equations import Coupling, Population, System
from physnn.equations.joint import corrected_joint, solve_joint
from physnn.equations.joint_slopes import Kept
from physnn.equations.schedule import Joint, Task
from physnn.execution.arrays import Array, Arrays
from physnn.execution.bundle import Known
from physnn.execution.site import Site


class JointSite:
    """One joint in one run (see `physnn.equations.joint.Place`).

    Parameters
    ----------
    arrays : Arrays
    system : System
    joint : Joint
    sites : mapping
        Population -> where it runs.
    record : collection of str, optional
        Fields that are recorded; all where not given.
    kept : Kept, optional
        What runs before have found.
    """

    def __init__(
        self,
        arrays: Arrays,
        system: System,
        joint: Joint,
        sites: Mapping[str, Site],
        record: Collection[str] | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.arrays, self.system, self.joint, self.sites = arrays, system, joint, sites
        self.unread = frozenset() if record is None else _unread(system, joint, record)
        """arrivals that are not summed once more when the unknowns are known"""
        self.inside = frozenset(joint.couplings)
        self._kept = kept or Kept()
        self._kept.begin()
        self._followed = Kept()
        """with what automatic differentiation knows of it"""
        self._fed = frozenset(
            task for task in joint.arrivals for c in system.arriving(*task) if c.name not in self.inside
        )
        self._given: dict[Task, Array | None] = {}
        self._used = _used(system, joint)
        self._known = Known()
        self._searching = False

    def solve(self, given: Callable[[Task, frozenset[str]], Array]) -> dict[Task, Array]:
        """Put unknowns, and what then arrives, where they belong.

        Automatic differentiation does not follow the search; it follows one last correction.

        Parameters
        ----------
        given : callable
            Says what arrives by couplings that are not inside the joint.

        Returns
        -------
        dict
            (population, unknown) -> value, (batch, *shape).
        """
        self._given = {task: given(task, self.inside) if self._is_fed(task) else None for task in self.joint.arrivals}
        around = [self.sites[name].here[own] for name, own in self._used]
        weights = [self.weights(self.system.couplings[name]) for name in self.joint.couplings]
        return self._known(self, self._solved, *self._given.values(), *around, *weights)

    def _solved(self, *_: Array) -> dict[Task, Array]:
        start = {
            (name, unknown): self.sites[name].field(unknown)
            for name in self.joint.populations
            for unknown in self.system.populations[name].constraints
        }
        known = [value for name in self._populations for value in self.sites[name].here.values()]
        weights = [self.weights(self.system.couplings[name]) for name in self.joint.couplings]
        if not self.arrays.tracked((*known, *weights, *self._given.values())):
            return solve_joint(self.system, self.joint, self, start, self._kept, self.unread)
        self._searching = True
        with self.arrays.untracked():
            start = {task: self.arrays.plain(value) for task, value in start.items()}
            found = solve_joint(self.system, self.joint, self, start, Kept())
        self._searching = False
        return corrected_joint(self.system, self.joint, self, found, self._followed, self.unread)

    def computed(self, population: Population, expressions: tuple[sp.Expr, ...]) -> Sequence[Array]:
        """Values of expressions with what is known now, (batch, *shape) each."""
        site = self.sites[population.name]
        bundle = site.compiled.asked(expressions)
        # What is computed without a graph must not be taken for what is computed with one.
        found = site.computed(bundle) if self._searching else site.values(bundle)
        return list(found.values())

    def put(self, population: str, values: Mapping[str, Array]) -> None:
        """From now on variables of a population have these values."""
        self.sites[population].here.update(values)

    def given(self, task: Task, inside: frozenset[str]) -> Array | None:
        """The sum of what arrives by couplings that are not inside."""
        return self._given[task]

    def _is_fed(self, task: Task) -> bool:
        """Whether anything but the joint's own couplings adds to what arrives."""
        name, arrival = task
        return task in self._fed or arrival in self.sites[name].errors

    def weights(self, coupling: Coupling) -> Array:
        """Weights of a coupling."""
        return self.sites[coupling.target].parameters[coupling.key]

    @property
    def _populations(self) -> set[str]:
        ends = {self.system.couplings[name].source for name in self.joint.couplings}
        return {*self.joint.populations, *(name for name, _ in self.joint.arrivals), *ends}


def _used(system: System, joint: Joint) -> list[Task]:
    """(population, name) of what the solution hangs on, beside what arrives."""
    found = []
    ends = dict.fromkeys((*joint.populations, *(system.couplings[name].source for name in joint.couplings)))
    for name in ends:
        population = system.populations[name]
        own = [*population.constraints.values()] if name in joint.populations else []
        own += [system.signals[c.name] for c in system.leaving(name) if c.name in joint.couplings]
        inside = {*(arrival for end, arrival in joint.arrivals if end == name), *population.constraints}
        symbols = {str(symbol) for expression in own for symbol in expression.free_symbols}
        found += [(name, symbol) for symbol in sorted(symbols - inside)]
    return found


def _unread(system: System, joint: Joint, record: Collection[str]) -> frozenset[Task]:
    """Arrivals of a joint that nothing but its own residuals needs, and nobody asked for."""
    found = set()
    for name, arrival in joint.arrivals:
        population = system.populations[name]
        used = [*population.flows.values(), *population.maps.values(), *population.projections.values()]
        used += [*population.guards.values(), *population.refractory.values()]
        used += [value for resets in population.resets.values() for value in resets.values()]
        used += [system.signals[c.name] for c in system.leaving(name)]
        used += [system.readouts[port] for port, output in system.outputs.items() if output.population == name]
        if name not in joint.populations:
            used += population.constraints.values()
        needed = any(population.symbols[arrival] in expression.free_symbols for expression in used)
        if not needed and f"{name}.{arrival}" not in record:
            found.add((name, arrival))
    return frozenset(found)
