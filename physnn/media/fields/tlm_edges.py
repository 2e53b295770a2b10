"""Edges of transmission-line-matrix meshes: what each of the four sides sends back."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any

from physnn.errors import ParameterError, UnknownNameError

Edge = str | float
MeshEdges = Edge | tuple[Edge, ...]

REFLECTIONS = {"short": -1.0, "open": 1.0}
"""End of a line -> the share of a pulse that comes back."""
EDGES = (*REFLECTIONS, "matched", "periodic")
SIDES = {"n": "top", "s": "bottom", "w": "left", "e": "right"}
"""Arm of the nodes at a side -> the side."""


def mesh_edges(edges: MeshEdges, where: str) -> dict[str, Edge]:
    """Arm -> edge of its side, from one edge, (top and bottom, left and right) or (top, bottom, left, right).

    Raises
    ------
    UnknownNameError, ParameterError
        No such edge, or a side is periodic and the one opposite is not.
    """
    given: tuple[Any, ...] = tuple(edges) if isinstance(edges, Sequence) and not isinstance(edges, str) else (edges,)
    if len(given) not in (1, 2, 4):
        raise ParameterError(
            f"{where}: edges {edges!r}; give one, (top and bottom, left and right) or (top, bottom, left, right)"
        )
    four = {1: given * 4, 2: (given[:1] * 2 + given[1:] * 2), 4: given}[len(given)]
    found = dict(zip(SIDES, four, strict=True))
    for edge in four:
        if edge not in ("matched", "periodic"):
            reflection(edge, f"edge of {where}", EDGES)
    for one, other in (("n", "s"), ("w", "e")):
        if (found[one] == "periodic") != (found[other] == "periodic"):
            raise ParameterError(
                f"{where}: a periodic edge joins opposite sides, but {SIDES[one]} is {found[one]!r} and "
                f"{SIDES[other]} {found[other]!r}; make both periodic, or neither"
            )
    return found


def reflection(edge: Edge, where: str, names: Collection[str] = tuple(REFLECTIONS)) -> float:
    """The share of a pulse that comes back from the end of a line, -1 to 1.

    Raises
    ------
    UnknownNameError, ParameterError
    """
    if isinstance(edge, str):
        if edge not in REFLECTIONS:
            raise UnknownNameError(where, edge, names)
        return REFLECTIONS[edge]
    if not isinstance(edge, Real) or isinstance(edge, bool) or not math.isfinite(edge) or abs(edge) > 1:
        raise ParameterError(
            f"{where}: {edge!r} is no reflection; give a number from -1 (short) to 1 (open), beyond which an edge "
            f"would create energy, or one of {', '.join(names)}"
        )
    return float(edge)
