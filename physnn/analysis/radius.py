"""Extreme eigenvalues of large sparse matrices: what decides whether repeated steps decay, and whether a medium grows.

A matrix falls into blocks where nothing leads back (a feed-forward network: one block an element). A block that is the
same at every node of a torus falls apart into one small matrix a wave vector; one that is not is looked at node by
node, as if all others were alike (von Neumann's analysis with frozen coefficients).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from physnn.analysis.matrices import Matrix

_DENSE = 400
"""entries of a block up to which all its eigenvalues are computed"""
_STEPS = 200
"""steps of power iteration over which growth is measured, three times in a row"""
_COARSE = 16
"""wave vectors along either side at which frozen coefficients are looked at"""

Measure = Callable[[NDArray[Any]], NDArray[Any]]
Iterate = Callable[[Matrix], float]


@dataclass(frozen=True)
class Sheet:
    """Where fields of nodes lie in a vector: planes of height x width entries."""

    height: int
    width: int
    starts: tuple[int, ...]
    """first entry of each plane"""

    @property
    def nodes(self) -> int:
        """Entries of a plane."""
        return self.height * self.width


def spectral_radius(matrix: Matrix, sheet: Sheet | None = None) -> float:
    """The largest modulus of an eigenvalue.

    Exact for blocks of up to 400 entries and for tori. For larger sheets that are no tori (varying coefficients, edges)
    that of frozen coefficients, without the nodes at edges: for a varying speed of sound an upper bound. For other
    large blocks by power iteration, where growth of less than 0.4 % a step counts as none.

    Parameters
    ----------
    matrix : scipy.sparse array
        Square.
    sheet : Sheet, optional
        The fields among its entries.
    """
    return max(_extremes(matrix, sheet, np.abs, _power), default=0.0)


def growth_rate(matrix: Matrix, sheet: Sheet | None = None) -> float:
    """The largest real part of an eigenvalue, exact and not as `spectral_radius`; of other large blocks at least it."""

    def shifted(block: Matrix) -> float:
        size = _power(block)
        return _power(block + size * sparse.eye_array(block.shape[0])) - size

    return max(_extremes(matrix, sheet, np.real, shifted), default=0.0)


def _extremes(matrix: Matrix, sheet: Sheet | None, measure: Measure, iterate: Iterate) -> list[float]:
    """The largest measure of the eigenvalues of blocks, those of one size together."""
    count, label = connected_components(matrix, directed=True, connection="strong")
    sizes, found = np.bincount(label, minlength=count), []
    for block in np.unique(sizes):
        chosen = np.flatnonzero(sizes == block)
        if block <= _DENSE:
            found.append(float(np.max(measure(np.linalg.eigvals(_dense(matrix, label, chosen, int(block)))))))
        else:
            found += [_large(matrix, np.flatnonzero(label == c), sheet, measure, iterate) for c in chosen]
    return found


def _dense(matrix: Matrix, label: NDArray, chosen: NDArray, block: int) -> NDArray[np.float64]:
    """All diagonal blocks of one size: (blocks, block, block)."""
    order = np.argsort(label, kind="stable")
    number = np.full(int(label.max()) + 1, -1)
    number[chosen] = np.arange(len(chosen))
    place = np.empty(len(label), dtype=int)
    place[order] = np.arange(len(label)) - np.searchsorted(label[order], label[order])
    entries = matrix.tocoo()
    inside = (label[entries.row] == label[entries.col]) & (number[label[entries.row]] >= 0)
    row, column = entries.row[inside], entries.col[inside]
    found = np.zeros((len(chosen), block, block))
    found[number[label[row]], place[row], place[column]] = entries.data[inside]
    return found


def _large(matrix: Matrix, entries: NDArray, sheet: Sheet | None, measure: Measure, iterate: Iterate) -> float:
    if sheet is None:
        return iterate(matrix[entries][:, entries])
    starts = np.asarray(sheet.starts)
    place = np.searchsorted(starts, entries, side="right") - 1
    if np.any(place < 0) or np.any(entries >= starts[place] + sheet.nodes):
        return iterate(matrix[entries][:, entries])
    planes = (starts[np.unique(place)][:, None] + np.arange(sheet.nodes)).ravel()
    inner = matrix[planes][:, planes]
    if _uniform(inner, sheet):
        symbols = _by_wave_vector(inner, sheet)
    else:
        symbols = _frozen(inner, sheet)
    return float(np.max(measure(np.linalg.eigvals(symbols)))) if len(symbols) else iterate(inner)


def _uniform(matrix: Matrix, sheet: Sheet) -> bool:
    """Whether the matrix commutes with shifts of the torus; a random field tells, up to rounding."""
    field = np.random.default_rng(0).normal(size=(matrix.shape[0] // sheet.nodes, sheet.height, sheet.width))
    moved = (matrix @ field.ravel()).reshape(field.shape)
    bound = 1e-12 * np.max(np.abs(moved))
    for axis in (1, 2):
        shifted = (matrix @ np.roll(field, 1, axis).ravel()).reshape(field.shape)
        if np.max(np.abs(shifted - np.roll(moved, 1, axis))) > bound:
            return False
    return True


def _by_wave_vector(matrix: Matrix, sheet: Sheet) -> NDArray[np.complex128]:
    """One small matrix a wave vector, (nodes, planes, planes), from how each plane answers a pulse at node 0."""
    planes = matrix.shape[0] // sheet.nodes
    answers = matrix[:, np.arange(planes) * sheet.nodes].toarray().reshape(planes, sheet.height, sheet.width, planes)
    return np.moveaxis(np.fft.fft2(answers, axes=(1, 2)).reshape(planes, sheet.nodes, planes), 1, 0)


def _frozen(matrix: Matrix, sheet: Sheet) -> NDArray[np.complex128]:
    """One small matrix a wave vector for every node where a coefficient has an extreme value, on a torus of its own.

    Nodes that do not see as far in one direction as in the other (at edges and obstacles) are left out.
    """
    planes, entries = matrix.shape[0] // sheet.nodes, matrix.tocoo()
    row, node = entries.row // sheet.nodes, entries.row % sheet.nodes
    column, seen = entries.col // sheet.nodes, entries.col % sheet.nodes
    down = _nearest(seen // sheet.width - node // sheet.width, sheet.height)
    right = _nearest(seen % sheet.width - node % sheet.width, sheet.width)
    # A tap: from which plane to which, and how far.
    sizes = (planes, planes, sheet.height, sheet.width)
    code = np.ravel_multi_index((row, column, down % sheet.height, right % sheet.width), sizes)
    taps, tap = np.unique(code, return_inverse=True)
    table = np.zeros((sheet.nodes, len(taps)))
    table[node, tap] = entries.data
    lopsided = [np.bincount(node, weights=offset, minlength=sheet.nodes) != 0 for offset in (down, right)]
    even = np.flatnonzero(~(lopsided[0] | lopsided[1]))
    if not len(even):
        return np.zeros((0, planes, planes), dtype=complex)
    chosen = even[np.unique([np.argmin(table[even], axis=0), np.argmax(table[even], axis=0)])]
    rows, columns, downs, rights = np.unravel_index(taps, sizes)
    cycles = np.stack(np.meshgrid(_waves(sheet.height), _waves(sheet.width)), axis=-1).reshape(-1, 2)
    offsets = np.stack([_nearest(downs, sheet.height), _nearest(rights, sheet.width)])
    phases = np.exp(2j * np.pi * cycles @ offsets)
    symbols = np.zeros((len(chosen), len(cycles), planes, planes), dtype=complex)
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        symbols[:, :, i, j] += table[chosen, k][:, None] * phases[:, k]
    return symbols.reshape(-1, planes, planes)


def _waves(side: int) -> NDArray[np.float64]:
    """Cycles a node along one side, a half among them; a side of one node has none."""
    return np.arange(_COARSE) / _COARSE if side > 1 else np.zeros(1)


def _nearest(offset: NDArray, side: int) -> NDArray:
    """An offset on a ring of `side` nodes, between -side/2 and side/2."""
    return (offset + side // 2) % side - side // 2


def _power(matrix: Matrix) -> float:
    """The rate at which a random vector grows in the end."""
    vector = np.random.default_rng(0).normal(size=matrix.shape[0])
    largest, scale = [], 0.0
    for _ in range(3):
        sizes = []
        for _ in range(_STEPS):
            vector = matrix @ vector
            size = float(np.linalg.norm(vector))
            if size == 0:
                return 0.0
            scale += math.log(size)
            sizes.append(scale)
            vector = vector / size
        largest.append(max(sizes))
    growth = largest[2] - largest[1]
    # The norm of waves that neither grow nor decay swings about a mean.
    return 1.0 if 0 < growth < math.log(2) else math.exp(growth / _STEPS)
