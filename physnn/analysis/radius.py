"""Extreme eigenvalues of large sparse matrices: what decides whether repeated steps decay, and whether a medium grows.

A matrix falls into blocks where nothing leads back (a feed-forward network: one block an element). A block that is the
same at every node of a torus falls apart into one small matrix a wave vector. Other large blocks are iterated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import expm_multiply

from physnn.analysis.matrices import Matrix

EXACT = 400
"""entries of a block up to which all its eigenvalues are computed"""
_DEFECT = 1e-6
"""what an eigenvalue of a block that is computed may be off by: a defective one is known to a root of rounding"""
_STEPS = 200
"""steps of power iteration over which growth is measured, three times in a row"""
_WINDOW = 16384
"""steps over which growth is measured in the end where its rate must be known to `FINE`: from here to twice as many"""
FINE = 5e-4
"""what a rate of growth a step, measured over `_WINDOW` steps, may be off by"""
_LONGEST = 2**18
"""steps of the longest window, where a round takes many steps"""
_SWING = FINE * _WINDOW
"""natural logarithm of how far beating modes may carry the norm off its trend within the window"""
_SETTLED = 20.0
"""natural logarithm of growth or decay within a window, beyond which a shorter one will do"""
_SAMPLE = 16
"""steps between two looks at the norm"""
_EFFORT = 4e10
"""multiplications that are spent on one block at most"""
_SPANS = 50.0
"""times that a medium is left to itself to see whether it grows, in units of 1 / fastest rate, three times in a row"""

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

    Exact for blocks of up to 400 entries and for tori. For other large blocks by 600 steps of power iteration, where
    growth of less than 0.4 % a step counts as none.

    Parameters
    ----------
    matrix : scipy.sparse array
        Square.
    sheet : Sheet, optional
        The fields among its entries.
    """
    return max(_extremes(matrix, sheet, np.abs, _power), default=0.0)


@dataclass(frozen=True)
class Radius:
    """A spectral radius, and how far it may be off."""

    value: float
    resolution: float


def fine_radius(matrix: Matrix, trip: int = 1) -> Radius:
    """The largest modulus of an eigenvalue, where a difference of 1e-3 from 1 decides.

    Exact for blocks of up to 400 entries, as `spectral_radius`. In larger ones a random vector is followed for 32768
    steps, or until it has plainly grown or died out; the slope of its logarithm over the second half is known to 5e-4.
    Blocks of more than 1.2 million entries that are not zero are followed for fewer steps, with a coarser resolution.

    Parameters
    ----------
    matrix : scipy.sparse array
        Square.
    trip : int
        Steps that a wave takes for one round: so many times longer is followed, for growth a round to be known to 5e-4,
        but for 524288 steps at most.
    """
    count, label = connected_components(matrix, directed=True, connection="strong")
    sizes, found = np.bincount(label, minlength=count), [Radius(0.0, 0.0)]
    for block in np.unique(sizes):
        chosen = np.flatnonzero(sizes == block)
        if block <= EXACT:
            value = float(np.max(np.abs(np.linalg.eigvals(_dense(matrix, label, chosen, int(block))))))
            found.append(Radius(value, _DEFECT))
        else:
            entries = (np.flatnonzero(label == c) for c in chosen)
            found += [_followed(matrix[inside][:, inside].tocsr(), trip) for inside in entries]
    return max(found, key=lambda radius: radius.value)


def largest_block(matrix: Matrix) -> int:
    """Entries of the largest block that nothing leads out of and back into."""
    return int(np.max(np.bincount(connected_components(matrix, directed=True, connection="strong")[1]), initial=0))


def _followed(matrix: Matrix, trip: int) -> Radius:
    """The slope of the logarithm of a random vector's norm over windows of doubling length."""
    longest = int(min(_WINDOW * trip, _LONGEST, max(_EFFORT / (2 * max(matrix.nnz, 1)), 8 * _SAMPLE)))
    vector = np.random.default_rng(0).normal(size=matrix.shape[0])
    logs, before, window = [0.0], math.inf, min(256, longest)
    while True:
        while (len(logs) - 1) * _SAMPLE < 2 * window:
            for _ in range(_SAMPLE):
                vector = matrix @ vector
            size = float(np.linalg.norm(vector))
            if size == 0:
                return Radius(0.0, 0.0)
            logs.append(logs[-1] + math.log(size))
            vector = vector / size
        late = np.array(logs[window // _SAMPLE : 2 * window // _SAMPLE + 1])
        slope = float(np.polyfit(_SAMPLE * np.arange(len(late)), late, 1)[0])
        plain = abs(slope) * window > _SETTLED and abs(slope - before) < 0.1 * abs(slope)
        if plain or window >= longest:
            return Radius(math.exp(slope), 0.1 * abs(slope) if plain else _SWING / window)
        before, window = slope, min(2 * window, longest)


def growth_rate(matrix: Matrix, sheet: Sheet | None = None) -> float:
    """The largest real part of an eigenvalue, exact as `spectral_radius`.

    For other large blocks a random vector is left to itself for 150 times the fastest time constant; growth by less
    than 1.4 % of the fastest rate counts as none.
    """
    return max(_extremes(matrix, sheet, np.real, _left_alone), default=0.0)


def _extremes(matrix: Matrix, sheet: Sheet | None, measure: Measure, iterate: Iterate) -> list[float]:
    """The largest measure of the eigenvalues of blocks, those of one size together."""
    count, label = connected_components(matrix, directed=True, connection="strong")
    sizes, found = np.bincount(label, minlength=count), []
    for block in np.unique(sizes):
        chosen = np.flatnonzero(sizes == block)
        if block <= EXACT:
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
    if not _uniform(inner, sheet):
        return iterate(inner)
    return float(np.max(measure(np.linalg.eigvals(_by_wave_vector(inner, sheet)))))


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


def _left_alone(matrix: Matrix) -> float:
    """The rate at which exp(A t) makes a random vector grow in the end."""
    fastest = _power(matrix)
    if fastest == 0:
        return 0.0
    span = _SPANS / fastest
    vector, sizes, scale = np.random.default_rng(0).normal(size=matrix.shape[0]), [], 0.0
    for _ in range(3):
        vector = expm_multiply(span * matrix, vector)
        size = float(np.linalg.norm(vector))
        if size == 0:
            return -math.inf
        scale += math.log(size)
        sizes.append(scale)
        vector = vector / size
    growth = sizes[2] - sizes[1]
    return 0.0 if 0 < growth < math.log(2) else growth / span
