"""What a realisation asks of the matrix that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.errors import ParameterError

LARGEST = 1024
"""Rows or columns; a mesh of more would hold half a million interferometers, and none is built."""

ROUNDING = 1e-12
"""What a largest singular value may be above 1 and still count as 1: rounding of products and of the decomposition."""
COARSEST = 1e-2
"""Largest such rounding, of numbers of half precision."""
WIDEST = 1e30
"""Largest element: no amplifier has such a gain, and squares of it must stay numbers."""


def rounding(given: Any, least: float) -> float:
    """What a deviation of a given matrix may be and still be that of its digits: 64 of their steps, 8e-6 of float32."""
    kind = np.asarray(given).dtype
    return max(least, min(COARSEST, 64 * float(np.finfo(kind).eps))) if kind.kind in "fc" else least


def checked_matrix(given: Any, what: str) -> NDArray[Any]:
    """Real or complex numbers, (rows, columns), finite and not all zero.

    Raises
    ------
    ParameterError
    """
    try:
        found = np.asarray(given)
    except ValueError:
        raise ParameterError(f"{what}: rows of unlike lengths; give rows and columns of numbers") from None
    if found.ndim != 2 or not found.size:
        raise ParameterError(f"{what}: shape {found.shape} is not that of a matrix; give rows and columns of numbers")
    if found.dtype.kind not in "biufc":
        raise ParameterError(f"{what}: holds {found.dtype} in place of numbers; give real or complex numbers")
    if max(found.shape) > LARGEST:
        raise ParameterError(f"{what}: shape {found.shape} is too large (at most {LARGEST} a side); cut it into blocks")
    found = found.astype(complex if found.dtype.kind == "c" else float)
    if not np.all(np.isfinite(found)):
        raise ParameterError(f"{what}: holds something that is not a finite number")
    if not np.any(found):
        raise ParameterError(f"{what}: is zero everywhere; nothing has to be built for it")
    scale = float(np.max(np.abs(found)))
    if not 1.0 / WIDEST < scale < WIDEST:
        raise ParameterError(f"{what}: its largest element is {scale:.3g}; scale it to {1 / WIDEST:g} to {WIDEST:g}")
    return found
