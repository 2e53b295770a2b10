"""A wanted transmission between lines as a bank of ideal transformers, and the bound to what such a bank can pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis.impedance import transformer_bank
from physnn.errors import ParameterError, ShapeError
from physnn.realisation.checks import ROUNDING, checked_matrix

Matrix = NDArray[np.float64]
HIGHEST = 1e9
"""Impedance [ohm]; with more, or with less than its inverse, the turns ratios would keep no digits."""


@dataclass(frozen=True)
class PassiveBank:
    """Transformers with turns ratios W behind which a gain makes the wanted transmission:  T = gain S21."""

    turns: Matrix
    """W [1], (n2, n1): v2 = W v1, i1 = -W^T i2"""
    gain: float
    """amplitude gain that is missing, 1 where none is"""
    near: Matrix
    """impedance of the lines where waves arrive [ohm], (n1,)"""
    far: Matrix
    """impedance of the lines where they leave [ohm], (n2,)"""

    @property
    def transmission(self) -> Matrix:
        """gain S21, which is the wanted T."""
        return self.gain * self.scattering[len(self.near) :, : len(self.near)]

    @property
    def scattering(self) -> Matrix:
        """S of the bank without the gain (`physnn.analysis.transformer_bank`), (n1 + n2, n1 + n2)."""
        return transformer_bank(self.turns, self.near, self.far)


def largest_transmission(matrix: Any, near: Any = 1.0, far: Any = 1.0) -> float:
    """Largest singular value of Z2^-1/2 T Z1^1/2: a bank of transformers can pass T if it is at most 1.

    Parameters
    ----------
    matrix : array
        T (n2, n1), from incident to transmitted voltage waves [1].
    near, far : float or array
        Impedances Z1 (n1,), Z2 (n2,) of the lines on both sides [ohm].

    Raises
    ------
    ParameterError, ShapeError
    """
    wanted, near, far = _given(matrix, near, far)
    return float(np.linalg.norm(_in_power_waves(wanted, near, far), 2))


def passive_bank(matrix: Any, near: Any = 1.0, far: Any = 1.0, *, turns: str = "few") -> PassiveBank:
    """Turns ratios whose bank passes a wanted matrix, and the smallest uniform gain that is missing otherwise.

    In power waves, T' = Z2^-1/2 T Z1^1/2 and W' alike, a singular value w of W' is passed as t = 2 w/(1 + w^2). Each
    t <= 1 has two answers, w = t/(1 + sqrt(1 - t^2)) <= 1 and its inverse: they meet at t = 1, where nothing is
    reflected, and otherwise reflect the same share of the power with opposite signs.

    Parameters
    ----------
    matrix : array
        T (n2, n1), real: transformers do not turn phases.
    near, far : float or array
        Impedances Z1 (n1,), Z2 (n2,) of the lines on both sides [ohm].
    turns : str
        "few": the answers w <= 1, which exist for every T; "many": those >= 1, which a T of full rank has.

    Raises
    ------
    ParameterError, ShapeError
        Not a real matrix, zero, impedances not above 0, or many turns for a T that lacks rank.

    Source
    ------
    Belevitch, Classical Network Theory (1968), chapter 2, for S21 = 2 W (1 + M)^-1 with M = Z1 W^T Z2^-1 W.
    """
    if turns not in ("few", "many"):
        raise ParameterError(f"turns {turns!r}: choose 'few' (ratios at most 1 in power waves) or 'many'")
    wanted, near, far = _given(matrix, near, far)
    left, passed, right = np.linalg.svd(_in_power_waves(wanted, near, far), full_matrices=False)
    gain = max(1.0, float(passed[0])) if passed[0] > 1.0 + ROUNDING else 1.0
    passed = np.minimum(passed / gain, 1.0)
    ratios = passed / (1.0 + np.sqrt(1.0 - passed**2))
    if turns == "many":
        if ratios[-1] < ROUNDING:
            raise ParameterError("a transmission without full rank needs infinitely many turns; take the few")
        ratios = 1.0 / ratios
    inner = (left * ratios) @ right
    return PassiveBank(np.sqrt(far)[:, None] * inner / np.sqrt(near), gain, near, far)


def _in_power_waves(matrix: Matrix, near: Matrix, far: Matrix) -> Matrix:
    return matrix * np.sqrt(near) / np.sqrt(far)[:, None]


def _given(matrix: Any, near: Any, far: Any) -> tuple[Matrix, Matrix, Matrix]:
    wanted = checked_matrix(matrix, "matrix")
    if wanted.dtype.kind == "c":
        if np.any(wanted.imag):
            raise ParameterError("matrix: transformers do not turn phases; give a real matrix, or realise it as a mesh")
        wanted = wanted.real
    rows, columns = wanted.shape
    return wanted, _impedances(near, columns, "near"), _impedances(far, rows, "far")


def _impedances(given: Any, count: int, side: str) -> Matrix:
    try:
        found = np.asarray(given, float)
    except (TypeError, ValueError):
        raise ParameterError(f"{side} lines: impedance {given!r} is not a number of ohm, nor one a line") from None
    if found.shape not in ((), (count,)):
        raise ShapeError(f"{side} lines: {found.shape} impedances; give one, or one for each of {count} lines")
    if not np.all(np.isfinite(found)) or np.any(found <= 0):
        raise ParameterError(f"{side} lines: an impedance is not above 0 ohm, or not finite; lines have finite ones")
    if np.any(found > HIGHEST) or np.any(found < 1.0 / HIGHEST):
        raise ParameterError(
            f"{side} lines: an impedance is not from {1 / HIGHEST:g} to {HIGHEST:g} ohm; no line is so"
        )
    return np.broadcast_to(found, (count,)).copy()
