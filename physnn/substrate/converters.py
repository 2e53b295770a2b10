"""Converters and ranges: what b bits and a full scale do to a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantise(values: Any, bits: int | None, full_scale: Any) -> Any:
    """Round to the nearest of 2^bits - 1 levels in [-full_scale, full_scale], and clip to that range.

    The levels are k d with d = 2 full_scale / (2^bits - 2): symmetric, with zero among them; one bit keeps the sign.
    Without bits the values are only clipped. `full_scale` broadcasts (one for each sample, say).
    """
    clipped = np.clip(values, -full_scale, full_scale)
    if bits is None:
        return clipped
    if bits == 1:
        return np.sign(clipped) * full_scale
    spacing = full_scale / (2 ** (bits - 1) - 1)
    return np.round(clipped / spacing) * spacing


def own_range(values: NDArray) -> NDArray:
    """The range of a programmable amplifier set for each sample: the power of two that holds its largest amplitude.

    Samples run along the first axis; the result broadcasts against `values`. A sample of zeros gets range 1.
    """
    largest = np.max(np.abs(values), axis=tuple(range(1, values.ndim)), keepdims=True)
    return np.where(largest > 0, 2.0 ** np.ceil(np.log2(np.where(largest > 0, largest, 1.0))), 1.0)
