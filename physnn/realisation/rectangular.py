"""A wanted matrix as phases of interferometer meshes, and back.

A unitary matrix is one mesh; any other one is two meshes with attenuators between them, through its singular values.
The interferometer is that of :class:`physnn.media.mesh.Mesh`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.errors import ParameterError, UnknownNameError
from physnn.media.mesh import LAYOUTS, rectangular
from physnn.realisation.checks import checked_matrix, rounding

Matrix = NDArray[Any]
_UNITARY = 1e-10
"""Largest element of U U^H - 1 of what still counts as unitary in double precision; more no phases make good."""
_ALIKE = 1e-12
"""Relative spread of singular values of a multiple of a unitary matrix, in double precision: rounding."""


@dataclass(frozen=True)
class MeshPhases:
    """Phases of one mesh [rad], in the order of :class:`physnn.media.mesh.Mesh`."""

    theta: NDArray[np.float64]
    """half of what the upper arm is turned by, 0 to pi/2, (interferometers,)"""
    phi: NDArray[np.float64]
    """at the upper input, 0 to 2 pi, (interferometers,)"""
    phase: NDArray[np.float64]
    """at the end of each line, 0 to 2 pi, (n,)"""
    layout: str = "rectangular"

    @property
    def size(self) -> int:
        """Number of lines n."""
        return len(self.phase)

    @property
    def depth(self) -> int:
        """Columns, the number of interferometers that light passes at most."""
        return len(LAYOUTS[self.layout](self.size))

    @property
    def heated(self) -> float:
        """Sum of all phases that are set [rad]."""
        return float(np.sum(2 * self.theta) + np.sum(self.phi) + np.sum(self.phase))


@dataclass(frozen=True)
class MatrixMesh:
    """A matrix as light passes it:  T = gain second diag(share) first;  share and first are left out for a unitary."""

    second: MeshPhases
    gain: float
    """amplitude gain behind the meshes; 1 or less where light needs no help"""
    first: MeshPhases | None = None
    share: NDArray[np.float64] | None = None
    """amplitudes that the attenuators let through, the largest 1, (min(rows, columns),)"""

    @property
    def meshes(self) -> tuple[MeshPhases, ...]:
        """In the order in which light passes them."""
        return (self.second,) if self.first is None else (self.first, self.second)

    @property
    def interferometers(self) -> int:
        """Those of the meshes, and an attenuator for each singular value."""
        return sum(len(mesh.theta) for mesh in self.meshes) + (0 if self.share is None else len(self.share))

    @property
    def shifters(self) -> int:
        """Phases that are set: two an interferometer, one an attenuator, one a line at the very end."""
        kept = 0 if self.share is None else len(self.share)
        return sum(2 * len(mesh.theta) for mesh in self.meshes) + kept + self.second.size

    @property
    def depth(self) -> int:
        """Interferometers that light passes in series at most."""
        return sum(mesh.depth for mesh in self.meshes) + (0 if self.share is None else 1)

    @property
    def heated(self) -> float:
        """Sum of all phases that are set [rad]."""
        angles = 0.0 if self.share is None else float(np.sum(2 * np.arcsin(self.share)))
        return sum(mesh.heated for mesh in self.meshes) + angles


def decompose(unitary: Any, layout: str = "rectangular") -> MeshPhases:
    """Phases of the mesh that is a unitary matrix.

    Elements are nulled one after the other, from the left or from the right, by interferometers beside the matrix:
    (L_k ... L_1) U (R_1^H ... R_m^H) = D. Those of the left are then drawn through the diagonal, L^H D = D' M, which
    leaves U = D' M_1 ... M_k R_m ... R_1, the mesh. The triangular layout nulls from the right alone.

    Parameters
    ----------
    unitary : array
        (n, n), real or complex.
    layout : str
        "rectangular" (depth n) or "triangular" (depth 2 n - 3).

    Raises
    ------
    ParameterError
        The matrix is not unitary.

    Source
    ------
    Clements et al., Optica 3 (2016) 1460, section 3; Reck et al., Phys. Rev. Lett. 73 (1994) 58.
    """
    if layout not in LAYOUTS:
        raise UnknownNameError("layout of a mesh", layout, LAYOUTS)
    left = checked_matrix(unitary, "unitary matrix").astype(complex)
    size = len(left)
    off = np.max(np.abs(left @ left.conj().T - np.eye(size))) if left.shape == (size, size) else np.inf
    if off > rounding(unitary, _UNITARY):
        raise ParameterError(
            f"a mesh of one layout needs a unitary matrix; this one of shape {left.shape} misses by {off:.2g}: "
            "give it to decompose_matrix, which makes two meshes of it"
        )
    if off > _UNITARY:
        outer, _, inner = np.linalg.svd(left)
        left = outer @ inner  # the nearest unitary matrix to one of few digits
    before, after = [], []
    for from_right, row, column in _nulled(size, layout):
        if from_right:
            before.append((column, *_from_right(left, row, column)))
        else:
            after.append((row - 1, *_from_left(left, row, column)))
    ends = np.diag(left).copy()
    drawn = [(upper, *_through(ends, upper, theta, phi)) for upper, theta, phi in reversed(after)]
    return _arranged(before + drawn, ends, layout)


def decompose_matrix(matrix: Any) -> MatrixMesh:
    """Two meshes and attenuators that are any matrix, through T = U S V^H; one mesh for a multiple of a unitary one.

    The phases at the end of the first mesh go through the attenuators into the second, which saves a shifter a line.

    Parameters
    ----------
    matrix : array
        (rows, columns), real or complex, not zero.

    Raises
    ------
    ParameterError
        Not a matrix, not finite, or zero.

    Source
    ------
    Miller, Photon. Res. 1 (2013) 1; Shen et al., Nat. Photonics 11 (2017) 441.
    """
    wanted = checked_matrix(matrix, "matrix")
    left, values, right = np.linalg.svd(wanted)
    gain = float(values[0])
    if _unitary_but_for_gain(values, wanted.shape, rounding(matrix, _ALIKE)):
        return MatrixMesh(decompose(left @ right), gain)
    first = decompose(right)
    ends = np.ones(len(left), complex)
    ends[: len(values)] = np.exp(1j * first.phase[: len(values)])
    plain = MeshPhases(first.theta, first.phi, np.zeros(first.size), first.layout)
    return MatrixMesh(decompose(left * ends), gain, plain, values / gain)


def mesh_depth(matrix: Any) -> int:
    """Interferometers in series of the meshes that `decompose_matrix` would find, without finding them."""
    wanted = checked_matrix(matrix, "matrix")
    rows, columns = (len(rectangular(side)) for side in wanted.shape)
    values = np.linalg.svd(wanted, compute_uv=False)
    return rows if _unitary_but_for_gain(values, wanted.shape, rounding(matrix, _ALIKE)) else rows + columns + 1


def _unitary_but_for_gain(values: Matrix, shape: tuple[int, ...], alike: float) -> bool:
    return shape[0] == shape[1] and bool(values[-1] >= values[0] * (1.0 - alike))


def unitary(phases: MeshPhases) -> Matrix:
    """The matrix that ideal interferometers of these phases are, (n, n)."""
    return propagate(phases, np.ones(len(phases.theta)), np.zeros((2, len(phases.theta))))


def propagate(phases: MeshPhases, keep: Matrix, errors: Matrix) -> Matrix:
    """The matrix of a mesh whose interferometers let the amplitude `keep` pass and have couplers of pi/4 + `errors`.

    Parameters
    ----------
    phases : MeshPhases
    keep : array
        (interferometers,) [1]
    errors : array
        Of the two couplers [rad], (2, interferometers).
    """
    lines = np.eye(phases.size, dtype=complex)
    cosines, sines = np.cos(np.pi / 4 + errors), 1j * np.sin(np.pi / 4 + errors)
    inputs, arms = np.exp(1j * phases.phi), np.exp(2j * phases.theta)
    start = 0
    for column in LAYOUTS[phases.layout](phases.size):
        own, upper = slice(start, start := start + len(column)), np.array(column)
        (c1, c2), (s1, s2) = cosines[:, own, None], sines[:, own, None]
        top, bottom = inputs[own, None] * lines[upper], lines[upper + 1]
        first, second = arms[own, None] * (c1 * top + s1 * bottom), s1 * top + c1 * bottom
        lines[upper] = keep[own, None] * (c2 * first + s2 * second)
        lines[upper + 1] = keep[own, None] * (s2 * first + c2 * second)
    return np.exp(1j * phases.phase)[:, None] * lines


def composed(mesh: MatrixMesh, rows: int, columns: int) -> Matrix:
    """The matrix that ideal meshes are, with their gain, (rows, columns)."""
    return assembled(mesh, [unitary(phases) for phases in mesh.meshes], mesh.share, rows, columns)


def assembled(mesh: MatrixMesh, meshes: list[Matrix], share: NDArray[Any] | None, rows: int, columns: int) -> Matrix:
    """gain second diag(share) first, (rows, columns)."""
    if share is None:
        return mesh.gain * meshes[-1]
    kept = len(share)
    return mesh.gain * (meshes[1][:rows, :kept] * share) @ meshes[0][:kept, :columns]


def _nulled(size: int, layout: str) -> list[tuple[bool, int, int]]:
    """(from the right?, row, column) of the elements, in the order in which they are nulled."""
    if layout == "triangular":
        return [(True, row, column) for row in range(size - 1, 0, -1) for column in range(row)]
    found = []
    for number in range(size - 1):
        right = number % 2 == 0
        for j in range(number + 1):
            found.append((True, size - 1 - j, number - j) if right else (False, size - 1 - number + j, j))
    return found


def _interferometer(theta: float, phi: float) -> Matrix:
    """M = i e^{i theta} [[e^{i phi} sin theta, cos theta], [e^{i phi} cos theta, -sin theta]]."""
    turn, sine, cosine = np.exp(1j * phi), np.sin(theta), np.cos(theta)
    return 1j * np.exp(1j * theta) * np.array([[turn * sine, cosine], [turn * cosine, -sine]])


def _from_right(matrix: Matrix, row: int, column: int) -> tuple[float, float]:
    """Null an element by M^H from the right, on its column and the next; the phases of M."""
    here, beside = matrix[row, column], matrix[row, column + 1]
    theta = float(np.arctan2(abs(beside), abs(here)))
    phi = -float(np.angle(-beside * np.conj(here)))
    pair = slice(column, column + 2)
    matrix[:, pair] = matrix[:, pair] @ _interferometer(theta, phi).conj().T
    matrix[row, column] = 0.0
    return theta, phi


def _from_left(matrix: Matrix, row: int, column: int) -> tuple[float, float]:
    """Null an element by M from the left, on its row and the one above; the phases of M."""
    above, here = matrix[row - 1, column], matrix[row, column]
    theta, phi = float(np.arctan2(abs(above), abs(here))), float(np.angle(here * np.conj(above)))
    pair = slice(row - 1, row + 1)
    matrix[pair] = _interferometer(theta, phi) @ matrix[pair]
    matrix[row, column] = 0.0
    return theta, phi


def _through(ends: Matrix, upper: int, theta: float, phi: float) -> tuple[float, float]:
    """M^H D = D' M': the phases of M', with D' written in place of D."""
    pair = slice(upper, upper + 2)
    block = _interferometer(theta, phi).conj().T * ends[pair]
    angle = float(np.arctan2(abs(block[0, 0]), abs(block[0, 1])))
    # both products have the phase phi'; where one is small so is the other, and phi' acts on nothing then
    turn = float(np.angle(block[0, 0] * np.conj(block[0, 1]) - block[1, 0] * np.conj(block[1, 1])))
    after = _interferometer(angle, turn)
    ends[pair] = np.exp(1j * np.angle(np.sum(block * after.conj(), axis=1)))
    return angle, turn


def _arranged(sequence: list[tuple[int, float, float]], ends: Matrix, layout: str) -> MeshPhases:
    """(upper line, theta, phi) in the order of passing, put into the columns of the layout."""
    columns = LAYOUTS[layout](len(ends))
    waiting: dict[int, list[tuple[float, float]]] = {}
    for upper, theta, phi in sequence:
        waiting.setdefault(upper, []).append((theta, phi))
    placed = [waiting[upper].pop(0) for column in columns for upper in column]
    pairs = np.array(placed, dtype=np.float64).reshape(-1, 2)
    return MeshPhases(pairs[:, 0].copy(), _wrapped(pairs[:, 1]), _wrapped(np.angle(ends)), layout)


def _wrapped(phases: NDArray[Any]) -> NDArray[np.float64]:
    """Phases in 0 to 2 pi; what is 0 but for rounding is 0, not a whole turn for which a heater would burn."""
    turned = phases % (2 * np.pi)
    return np.where(2 * np.pi - turned < 1e-14, 0.0, turned)
