"""What media ask of the numbers they are given."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.errors import ParameterError


def is_size(side: object) -> bool:
    """Whether this is a whole number of elements, at least 1."""
    return isinstance(side, Integral) and not isinstance(side, bool) and int(side) >= 1


def is_above_zero(value: object) -> bool:
    """Whether this is a number, finite and above 0."""
    return isinstance(value, Real) and math.isfinite(value) and float(value) > 0


def positive(value: object, quantity: str, where: str) -> float:
    """A number that must be finite and above 0.

    Raises
    ------
    ParameterError
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not is_above_zero(value):
        raise ParameterError(f"{where}: {quantity} {value!r} must be a number, finite and above 0")
    return float(value)


def finite(value: Any, quantity: str, where: str) -> NDArray[np.float64]:
    """A number or an array of real numbers, all of them finite.

    Raises
    ------
    ParameterError
    """
    given = _array(value)
    if given.dtype.kind not in "biuf" or not np.all(np.isfinite(given)):
        raise ParameterError(f"{where}: {quantity} {_short(value)}must hold real numbers; one is none, or not finite")
    return given.astype(float)


def not_negative(value: Any, quantity: str, where: str) -> NDArray[np.float64]:
    """A number or an array of which nothing may lie below 0.

    Raises
    ------
    ParameterError
    """
    given = _array(value)
    if given.dtype.kind not in "biuf" or not np.all(np.isfinite(given)) or np.any(given < 0):
        raise ParameterError(f"{where}: {quantity} {_short(value)}must be finite and at least 0 everywhere")
    return given.astype(float)


def at_once(*conditions: NDArray[np.bool_]) -> bool:
    """Whether all conditions hold at one place; arrays that do not fit together are refused where shapes are known."""
    try:
        return bool(np.any(np.logical_and.reduce(np.broadcast_arrays(*conditions))))
    except ValueError:
        return False


def _array(value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError:  # rows of unlike lengths
        return np.asarray(None)


def _short(value: Any) -> str:
    """A single value as it was given; of arrays nothing, a message is one line."""
    return f"{value!r} " if np.isscalar(value) or value is None else ""
