"""In which order things can be known within a step, and in which order populations come to rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

import sympy as sp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from physnn.errors import EquationError

if TYPE_CHECKING:
    from physnn.equations.coupling import Coupling
    from physnn.equations.system import System

Task = tuple[str, str]
"""(population, arrival): what arrives is summed; (population, ""): the population's constraints are solved."""


@dataclass(frozen=True)
class Joint:
    """Constraints that need each other through couplings without delay, to be solved together.

    Once their unknowns are given, the arrivals follow one after the other, and with them the residuals of the
    constraints. An ideal-transformer bank is one: the current of the secondary side loads the primary side, whose
    voltage the secondary side sees.
    """

    arrivals: tuple[Task, ...]
    """in the order in which they follow"""
    populations: tuple[str, ...]
    """whose constraints are solved"""
    couplings: tuple[str, ...]
    """by which the arrivals depend on the unknowns; whatever else arrives there is given"""

    @property
    def members(self) -> tuple[str, ...]:
        """Populations that it is about: those that are solved, and those where something arrives."""
        return tuple(dict.fromkeys((*self.populations, *(population for population, _ in self.arrivals))))


def schedule(system: System) -> tuple[Task | Joint, ...]:
    """Arrivals and constraints in an order in which everything is known before it is needed.

    An arrival needs what the signals of its couplings without delay need; constraints need the arrivals they name.
    Where they need each other, and every such loop runs through a constraint, they are solved together.

    Raises
    ------
    EquationError
        A loop without delay runs through no constraint.
    """
    needs = _needs(system)
    found = topological(needs)
    return _with_joints(system, needs) if isinstance(found, CycleError) else found


def _needs(system: System) -> dict[Task, set[Task]]:
    needs: dict[Task, set[Task]] = {}
    for population in system.populations.values():
        for arrival in population.role("arrival"):
            instant = [c for c in system.arriving(population.name, arrival) if c.delay == 0]
            needs[population.name, arrival] = {task for c in instant for task in _before(system, c)}
        if population.constraints:
            own = (population.name, "")
            rows = population.constraints.values()
            needs[own] = {task for row in rows for task in _known_from(system, population.name, row)} - {own}
    return needs


def _before(system: System, coupling: Coupling) -> set[Task]:
    """What must be done before a coupling's signal can be computed."""
    return _known_from(system, coupling.source, system.signals[coupling.name])


def _with_joints(system: System, needs: Mapping[Task, set[Task]]) -> tuple[Task | Joint, ...]:
    """The order in which tasks that need each other count as one."""
    groups = _loops(needs)
    joints = [
        _joint(system, needs, group) if len(group) > 1 or needs[group[0]] & {*group} else None for group in groups
    ]
    place = {task: number for number, group in enumerate(groups) for task in group}
    order = topological({n: {place[t] for task in g for t in needs[task]} - {n} for n, g in enumerate(groups)})
    assert not isinstance(order, CycleError)  # strongly connected components have no loops between them
    return tuple(joints[number] or groups[number][0] for number in order)


def _loops(needs: Mapping[Task, set[Task]]) -> list[list[Task]]:
    """Tasks in groups: those that need each other, directly or by way of others, are in one."""
    tasks = sorted(needs)
    number = {task: k for k, task in enumerate(tasks)}
    edges = [(number[task], number[needed]) for task in tasks for needed in needs[task]]
    rows, columns = zip(*edges, strict=True)
    graph = coo_array(([1] * len(edges), (rows, columns)), shape=(len(tasks), len(tasks)))
    count, labels = connected_components(graph, directed=True, connection="strong")
    groups: list[list[Task]] = [[] for _ in range(count)]
    for task, label in zip(tasks, labels, strict=True):
        groups[label].append(task)
    return groups


def _joint(system: System, needs: Mapping[Task, set[Task]], group: list[Task]) -> Joint:
    """One group of tasks that need each other.

    Raises
    ------
    EquationError
        They do so through arrivals alone.
    """
    solved = {task for task in group if not task[1]}
    order = topological({task: (needs[task] & {*group}) - solved for task in group if task[1]})
    if isinstance(order, CycleError):
        raise EquationError(loop_message(task[0] for task in order.args[1]))
    couplings = [
        c.name
        for population, arrival in order
        for c in system.arriving(population, arrival)
        if c.delay == 0 and _before(system, c) & {*group}
    ]
    return Joint(order, tuple(sorted(population for population, _ in solved)), tuple(couplings))


def _known_from(system: System, name: str, expression: sp.Expr) -> set[Task]:
    """The tasks that must be done before an expression of a population can be computed."""
    population = system.populations[name]
    needed = {
        (name, arrival)
        for arrival in population.role("arrival")
        if population.symbols[arrival] in expression.free_symbols
    }
    if any(population.symbols[unknown] in expression.free_symbols for unknown in population.constraints):
        needed.add((name, ""))
    return needed


def topological(edges: Mapping[Any, set[Any]]) -> tuple[Any, ...] | CycleError:
    """Nodes with all they need before them (`edges`: node -> what it needs), or the loop that prevents it."""
    try:
        return tuple(TopologicalSorter({node: sorted(needed) for node, needed in edges.items()}).static_order())
    except CycleError as error:
        return error


def loop_message(populations: Iterable[str]) -> str:
    """What to say about a loop without delay through these populations, the first one named again at the end."""
    names: list[str] = []
    for name in populations:
        if not names or names[-1] != name:
            names.append(name)
    if len(names) == 1:
        names *= 2
    return (
        f"a loop without delay runs through {' -> '.join(names)}: give one of its couplings a delay, "
        "or close it through a constraint (0 = ...), which is solved"
    )
