"""What array libraries do differently: types, places, and what automatic differentiation asks for.

Everything else is written against the Python array API: `xp` is an array-api-compat namespace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import array_api_compat.numpy as numpy_xp
import numpy as np

Array = Any
Dtype = Any


class Arrays(Protocol):
    """An array library in one precision, on one device."""

    @property
    def xp(self) -> Any:
        """Array-API namespace."""
        ...

    @property
    def kinds(self) -> Any:
        """Types of its arrays, for isinstance."""
        ...

    @property
    def real(self) -> Dtype:
        """The type of real numbers."""
        ...

    @property
    def complex(self) -> Dtype:
        """The type of complex numbers."""
        ...

    @property
    def block(self) -> int | None:
        """How many numbers a search takes at a time, for its arrays to stay in a processor's cache; None: all."""
        ...

    def array(self, values: Any) -> Array:
        """Values as an array of this precision and place, complex where they are."""
        ...

    def full(self, shape: tuple[int, ...], value: Any, kind: Dtype) -> Array:
        """An array of equal numbers."""
        ...

    def cast(self, value: Array, kind: Dtype) -> Array:
        """The array in another type; itself where it has it."""
        ...

    def spread(self, value: Array, shape: tuple[int, ...]) -> Array:
        """The array broadcast to a shape, without a copy."""
        ...

    def moved(self, start: Array, change: Array, step: float) -> Array:
        """start + step * change"""
        ...

    def stacked(self, entries: Sequence[Array]) -> Array:
        """Entries (batch, *shape) as (batch, entries, *shape)."""
        ...

    def same(self, one: Array, other: Array) -> bool:
        """Whether two arrays of one shape are seen to hold the same numbers; where that costs much, it is not seen."""
        ...

    def is_finite(self, value: Array) -> bool:
        """Whether all numbers are finite."""
        ...

    def largest(self, value: Array) -> float:
        """The largest modulus; not finite where one is not."""
        ...

    def plain(self, value: Array) -> Array:
        """The numbers without what automatic differentiation knows of them."""
        ...

    def tracked(self, values: Iterable[Any]) -> bool:
        """Whether automatic differentiation follows one of these."""
        ...

    def untracked(self) -> AbstractContextManager[Any]:
        """Within it, automatic differentiation follows nothing."""
        ...

    def unchecked(self) -> AbstractContextManager[Any]:
        """Within it, numbers that are not finite raise no warning: runs look for them themselves."""
        ...


class NumpyArrays:
    """NumPy's float64 and complex128."""

    xp = numpy_xp
    block: int | None = 2**15
    kinds = (np.ndarray, np.generic)
    real = np.dtype(np.float64)
    complex = np.dtype(np.complex128)

    def array(self, values: Any) -> Array:
        """Values as an array of this precision and place, complex where they are."""
        return np.asarray(values, dtype=self.complex if np.iscomplexobj(values) else self.real)

    def full(self, shape: tuple[int, ...], value: Any, kind: Dtype) -> Array:
        """An array of equal numbers."""
        return np.full(shape, value, dtype=kind)

    def cast(self, value: Array, kind: Dtype) -> Array:
        """The array in another type; itself where it has it."""
        return value.astype(kind, copy=False)

    def spread(self, value: Array, shape: tuple[int, ...]) -> Array:
        """The array broadcast to a shape, without a copy."""
        return np.broadcast_to(value, shape)

    def moved(self, start: Array, change: Array, step: float) -> Array:
        """start + step * change"""
        return start + step * change

    def stacked(self, entries: Sequence[Array]) -> Array:
        """Entries (batch, *shape) as (batch, entries, *shape)."""
        return np.stack(entries, axis=1)

    def same(self, one: Array, other: Array) -> bool:
        """Whether two arrays of one shape hold the same numbers. One sample settles it mostly."""
        return one is other or bool((one[:1] == other[:1]).all() and (one == other).all())

    def is_finite(self, value: Array) -> bool:
        """Whether all numbers are finite. A finite sum settles it, at a fraction of the cost of looking at each."""
        return math.isfinite(abs(value.sum())) or bool(np.isfinite(value).all())

    def largest(self, value: Array) -> float:
        """The largest modulus; not finite where one is not."""
        return float(np.abs(value).max())

    def plain(self, value: Array) -> Array:
        """The numbers themselves: nothing else is known of them."""
        return value

    def tracked(self, values: Iterable[Any]) -> bool:
        """Whether automatic differentiation follows one of these: there is none."""
        return False

    def untracked(self) -> AbstractContextManager[Any]:
        """Nothing is followed anyway."""
        return nullcontext()

    def unchecked(self) -> AbstractContextManager[Any]:
        """Within it, numbers that are not finite raise no warning: runs look for them themselves."""
        return np.errstate(all="ignore")
