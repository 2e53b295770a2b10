"""Converters and ranges: what b bits and a full scale do to a number; and numbers on their way to the host."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 2.0**-1000


def quantise(values: Any, bits: int | None, full_scale: Any) -> Any:
    """Round to the nearest of 2^bits - 1 levels in [-full_scale, full_scale], and clip to that range.

    The levels are k d with d = 2 full_scale / (2^bits - 2): symmetric, with zero among them; one bit keeps the sign.
    Without bits the values are only clipped. `full_scale` broadcasts (one for each sample, say).
    """
    clipped = np.minimum(np.maximum(values, -full_scale), full_scale)
    if bits is None:
        return clipped
    if bits == 1:
        return np.sign(clipped) * full_scale
    spacing = full_scale / (2 ** (bits - 1) - 1)
    return np.rint(clipped / spacing) * spacing


def own_range(values: NDArray) -> NDArray:
    """The range of a programmable amplifier set for each sample: the power of two that holds its largest amplitude.

    Samples run along the first axis; the result broadcasts against `values`. A sample of zeros gets range 1, and so
    does one of amplitudes below 2^-1000, whose reciprocal would overflow.
    """
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
    return 2.0 ** np.ceil(np.log2(np.where(largest > _SMALLEST, largest, 1.0)))


def as_numpy(values: Any) -> NDArray:
    """An array of any substrate as a NumPy array: detached from its graph, brought to the host."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
