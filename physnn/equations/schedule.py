"""In which order things can be known within a step, and in which order populations come to rest."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

import sympy as sp

from physnn.errors import EquationError

if TYPE_CHECKING:
    from physnn.equations.system import System

Task = tuple[str, str]
"""(population, arrival): what arrives is summed; (population, ""): the population's constraints are solved."""


def schedule(system: System) -> tuple[Task, ...]:
    """Arrivals and constraints in an order in which everything is known before it is needed.

    An arrival needs what the signals of its couplings without delay need; constraints need the arrivals they name.

    Raises
    ------
    EquationError
        They need each other: a loop without delay.
    """
    needs: dict[Task, set[Task]] = {}
    for population in system.populations.values():
        for arrival in population.role("arrival"):
            instant = [c for c in system.arriving(population.name, arrival) if c.delay == 0]
            needs[population.name, arrival] = {
                task for c in instant for task in _known_from(system, c.source, system.signals[c.name])
            }
        if population.constraints:
            own = (population.name, "")
            rows = population.constraints.values()
            needs[own] = {task for row in rows for task in _known_from(system, population.name, row)} - {own}
    found = topological(needs)
    if isinstance(found, CycleError):
        raise EquationError(loop_message(node[0] for node in found.args[1]))
    return found


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


def loop_message(populations: Any) -> str:
    """What to say about a loop without delay through these populations, the first one named again at the end."""
    names: list[str] = []
    for name in populations:
        if not names or names[-1] != name:
            names.append(name)
    if len(names) == 1:
        names *= 2
    return (
        f"a loop without delay runs through {' -> '.join(names)}: give one of its couplings a delay, "
        "or write the loop as one population with a constraint"
    )
