"""The lattice of a field: its sheet of nodes, its edges, and the differences between neighbours as couplings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Convolution, Coupling
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import is_size

Sheet = tuple[int, int, int]
Edges = str | tuple[str, str]

PADDINGS = {"clamped": "zero", "free": "mirror", "periodic": "circular", "absorbing": "mirror"}
"""Edge of a sheet -> padding of the differences across it.

clamped: the field is 0 one spacing beyond the last node. free: no slope at the last node. periodic: the last node is
the neighbour of the first. absorbing: a free edge that is damped as strongly as an outgoing wave asks for.
"""


def sheet(shape: int | Sequence[int], where: str) -> Sheet:
    """A field's shape as (channels, height, width); n is a line (1, 1, n), (h, w) one channel.

    Raises
    ------
    ShapeError
    """
    sides = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not 1 <= len(sides) <= 3 or not all(is_size(side) for side in sides):
        raise ShapeError(f"{where}: shape {shape!r} must be n, (height, width) or (channels, height, width)")
    whole = tuple(int(side) for side in sides)
    channels, height, width = (1,) * (3 - len(whole)) + whole
    if height * width < 2:
        raise ShapeError(f"{where}: shape {shape!r} has a single node; a field needs at least two")
    return channels, height, width


def axes(nodes: Sheet) -> tuple[int, ...]:
    """Directions in which a sheet extends: 0 down its columns, 1 along its rows."""
    return tuple(axis for axis in (0, 1) if nodes[1 + axis] > 1)


def edge_pair(edges: Edges, allowed: Iterable[str], where: str) -> tuple[str, str]:
    """Edges across the two directions: (top and bottom, left and right); one name stands for both.

    Raises
    ------
    UnknownNameError, ParameterError
    """
    pair = (edges, edges) if isinstance(edges, str) else tuple(edges)
    if len(pair) != 2:
        raise ParameterError(f"{where}: edges {edges!r}; give one name, or (top and bottom, left and right)")
    for edge in pair:
        if edge not in allowed:
            raise UnknownNameError(f"edge of {where}", edge, allowed)
    return pair[0], pair[1]


def stencil(
    name: str,
    population: str,
    nodes: Sheet,
    axis: int,
    taps: tuple[float, float, float],
    padding: str,
    *,
    signal: str,
    into: str,
    unit: str,
) -> Coupling:
    """A fixed coupling of every node with the one before it, itself, and the one after it, in one direction.

    It is the medium itself between two nodes: no line of a profile, and no device that a die could change by itself,
    which would create energy.
    """
    channels = nodes[0]
    operator = Convolution(channels, channels, (3, 1) if axis == 0 else (1, 3), padding)
    kernel = np.reshape(taps, operator.kernel)
    weights = np.eye(channels)[:, :, None, None] * kernel
    return Coupling(
        name,
        population,
        population,
        signal,
        operator,
        into,
        unit=unit,
        trainable=False,
        initial=weights,
        local=True,
        constant=True,
    )


def laplacian(population: str, nodes: Sheet, edges: tuple[str, str], spacing: float) -> tuple[Coupling, ...]:
    """Second differences of `psi` [1] in every direction of the sheet, delivered to `lap` [1/m**2].

    Together they are the five-point Laplacian, (psi_left + psi_right + psi_above + psi_below - 4 psi)/dx^2.
    """
    taps = (1 / spacing**2, -2 / spacing**2, 1 / spacing**2)
    return tuple(
        stencil(
            f"{population}/{('vertical', 'horizontal')[axis]}",
            population,
            nodes,
            axis,
            taps,
            PADDINGS[edges[axis]],
            signal="wave",
            into="lap",
            unit="1/m**2",
        )
        for axis in axes(nodes)
    )


def edge_sides(nodes: Sheet, edges: tuple[str, str], kind: str) -> NDArray[np.float64]:
    """How many of each node's sides lie on an edge of this kind: 0, 1, or 2 in a corner; shape (1, height, width)."""
    count = np.zeros((1, *nodes[1:]))
    for axis in axes(nodes):
        if edges[axis] == kind:
            ends = np.moveaxis(count, 1 + axis, 0)
            ends[0] += 1
            ends[-1] += 1
    return count
