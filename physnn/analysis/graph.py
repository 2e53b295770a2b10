"""Causal distance: how many influences in a row lead from one place to another; and how strong they are at rest.

Distances are counted along directed edges (breadth first), 0 from a node to itself, inf where nothing leads there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from physnn.analysis.linear import dc_gain, linearised
from physnn.analysis.point import Point
from physnn.equations import System
from physnn.errors import ParameterError, ShapeError, UnknownNameError

EDGES = ("all", "excitatory", "inhibitory")
Array = NDArray[np.float64]


def causal_distance(jacobian: Any, edges: str = "all") -> Array:
    """Distances in the graph of a Jacobian J[i, j] = d(rate of i)/d(j): an edge j -> i wherever it is not zero.

    Parameters
    ----------
    jacobian : array or scipy.sparse array
        Square; the diagonal does not count.
    edges : str
        "all", "excitatory" (J > 0) or "inhibitory" (J < 0).

    Returns
    -------
    array
        (from, to)
    """
    if edges not in EDGES:
        raise UnknownNameError("kind of edges", edges, EDGES)
    matrix = sparse.csr_array(jacobian)
    if matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(f"a Jacobian of shape {matrix.shape}; it must be square")
    keep = {"all": matrix.data != 0, "excitatory": matrix.data > 0, "inhibitory": matrix.data < 0}[edges]
    graph = sparse.csr_array((keep.astype(float), matrix.indices, matrix.indptr), matrix.shape)
    graph.eliminate_zeros()
    return shortest_path(graph.T.tocsr(), unweighted=True)


def population_distance(system: System) -> tuple[tuple[str, ...], Array]:
    """Distances between populations along couplings, whatever their weights.

    Returns
    -------
    names : tuple of str
    distances : array
        (from, to)
    """
    names = tuple(system.populations)
    adjacency = np.zeros((len(names), len(names)))
    for coupling in system.couplings.values():
        adjacency[names.index(coupling.target), names.index(coupling.source)] = 1.0
    return names, causal_distance(adjacency)


def element_distance(
    system: System,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    edges: str = "all",
) -> tuple[Mapping[str, slice], Array]:
    """Distances between all states of all elements, through couplings without delay and with.

    Returns
    -------
    states : mapping
        'POPULATION.STATE' -> its rows and columns.
    distances : array
        (from, to)
    """
    linear = linearised(system, parameters, about)
    # Nothing but the pattern and the sign of the static Jacobian counts: delays do not lengthen a path.
    static = linear.A
    if len(linear.delays):
        loops = sparse.eye_array(len(linear.delays)) - linear.line_to_line
        static = static + linear.from_lines @ sparse.csr_array(np.linalg.solve(loops.toarray(), linear.sent.toarray()))
    return linear.states, causal_distance(static, edges)


def state_distance(
    system: System,
    population: str,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    edges: str = "all",
    element: int = 0,
) -> Array:
    """Distances between the states of one element of a population, along its own equations.

    Returns
    -------
    array
        (from, to), states in the order of the description.
    """
    entries = _entries(system, population, element)
    linear = linearised(system, parameters, about)
    rows = [linear.states[key].start + element for key in entries]
    return causal_distance(linear.A[rows][:, rows], edges)


def gain_table(
    system: System,
    population: str,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    element: int = 0,
) -> Array:
    """How far each state of an element moves, in the end, for each unit of rate added to each of its states.

    Returns
    -------
    array
        (from, to), states in the order of the description: -J^-1 transposed where nothing leads back from outside.
    """
    entries = _entries(system, population, element)
    size = int(np.prod(system.populations[population].shape))
    whole = dc_gain(system, entries, entries, parameters, about)
    chosen = element + size * np.arange(len(entries))
    return whole[np.ix_(chosen, chosen)].T


def _entries(system: System, population: str, element: int) -> list[str]:
    """Keys of the states of a population of real states that has such an element."""
    if population not in system.populations:
        raise UnknownNameError("population", population, system.populations)
    found = system.populations[population]
    size = int(np.prod(found.shape))
    if not 0 <= element < size:
        raise ParameterError(f"population {population!r} has elements 0 to {size - 1}, not {element}")
    names = found.role("state")
    complex_states = [name for name in names if found.variables[name].complex]
    if complex_states:
        raise ParameterError(f"population {population!r}: {complex_states[0]!r} is complex; influences have no sign")
    return [f"{population}.{name}" for name in names]
