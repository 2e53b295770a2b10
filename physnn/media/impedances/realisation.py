"""From a quotient of polynomials to states: real matrices that are scaled for computing with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from physnn.errors import ParameterError
from physnn.media.impedances.passivity import ROUNDING, Row


@dataclass(frozen=True)
class StateSpace:
    """x' = A x + B i,  v = C x + D i + L di/dt."""

    A: NDArray[np.float64]
    """(order, order) [1/s], zero below the first subdiagonal"""
    B: NDArray[np.float64]
    """(order,) [ohm/s]"""
    C: NDArray[np.float64]
    """(order,) [1], largest entry 1"""
    D: float
    """[ohm]"""
    L: float
    """[H]: the pole at infinity"""

    @property
    def order(self) -> int:
        """Number of states x [V]."""
        return self.A.shape[0]


def realised(numerator: Sequence[float] | Row, denominator: Sequence[float] | Row, scale: float) -> StateSpace:
    """Matrices of the impedance N(s/scale)/D(s/scale).

    The companion form of D is balanced and turned into real Schur form by a rotation: its entries have the size of the
    poles, and poles that coincide do no harm.

    Raises
    ------
    ParameterError
        The numerator's degree is more than one above the denominator's.
    """
    rise = len(numerator) - len(denominator)
    if rise > 1:
        raise ParameterError(
            f"rational impedance: the numerator's degree is {rise} above the denominator's; no circuit of passive "
            "elements has more than 1"
        )
    whole, rest = np.polydiv(np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float))
    order = len(denominator) - 1
    inductance, constant = (whole[-2] if rise == 1 else 0.0), whole[-1]
    if rise == 1 and order and abs(constant) <= ROUNDING * abs(numerator[1] / denominator[0]):
        constant = 0.0
    if not order:
        empty = np.zeros(0)
        return StateSpace(np.zeros((0, 0)), empty, empty, float(constant), float(inductance / scale))
    taps = np.zeros(order)
    taps[order - rest.size :] = rest / denominator[0]
    balanced, transform = scipy.linalg.matrix_balance(scipy.linalg.companion(denominator))
    schur, rotation = scipy.linalg.schur(balanced, output="real")
    first = np.eye(order)[:, 0]
    entering = rotation.T @ np.linalg.solve(transform, first)
    leaving = taps @ transform @ rotation
    size = float(np.max(np.abs(leaving))) or 1.0
    return StateSpace(
        scale * schur, scale * size * entering, leaving / size, float(constant), float(inductance / scale)
    )
