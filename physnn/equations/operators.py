"""Linear operators of couplings: how the signals of one population arrive at another.

Every operator K with weights w offers `apply` K x, `transpose` K^T y, and `outer`: where y_hat is the error wave of
y = K x, `outer(y_hat, conj(x))` is that of the weights, summed over the batch; for real numbers the derivative of
sum(y_hat K x). Arrays are (batch, *shape), in any array-API namespace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from physnn.errors import ShapeError

Array = Any


class Operator(Protocol):
    """What a coupling asks of its operator."""

    @property
    def weight_shape(self) -> tuple[int, ...]: ...

    @property
    def fan_in(self) -> int: ...

    @property
    def fan_out(self) -> int: ...

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]: ...

    def apply(self, xp: Any, weight: Array, x: Array) -> Array: ...

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array: ...

    def outer(self, xp: Any, y: Array, x: Array) -> Array: ...

    def macs(self, source: tuple[int, ...]) -> int: ...


@dataclass(frozen=True)
class Dense:
    """Every element to every element: y_i = sum_j w_ij x_j, weights (rows, columns); sheets are taken flat."""

    rows: int
    columns: int
    shape: tuple[int, ...] | None = None
    """shape of the target where it is not (rows,)"""

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ShapeError(f"dense: {self.rows} rows and {self.columns} columns; both must be at least 1")
        if self.shape is not None and math.prod(self.shape) != self.rows:
            raise ShapeError(f"dense: the target's shape {self.shape} does not hold {self.rows} rows")

    @property
    def weight_shape(self) -> tuple[int, int]:
        return (self.rows, self.columns)

    @property
    def fan_in(self) -> int:
        return self.columns

    @property
    def fan_out(self) -> int:
        return self.rows

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if math.prod(source) != self.columns:
            raise ShapeError(f"a dense operator of shape {self.weight_shape} cannot take signals of shape {source}")
        return self.shape or (self.rows,)

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        y = xp.reshape(x, (x.shape[0], self.columns)) @ weight.T
        return xp.reshape(y, (x.shape[0], *self.shape)) if self.shape else y

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return xp.reshape(y, (y.shape[0], self.rows)) @ weight

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        return xp.reshape(y, (y.shape[0], self.rows)).T @ xp.reshape(x, (x.shape[0], self.columns))

    def macs(self, source: tuple[int, ...]) -> int:
        return self.rows * self.columns


@dataclass(frozen=True)
class OneToOne:
    """Element to element: y_i = w_i x_i, weights of the population's shape."""

    shape: tuple[int, ...]

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def fan_in(self) -> int:
        return 1

    @property
    def fan_out(self) -> int:
        return 1

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if source != self.shape:
            raise ShapeError(f"a one-to-one operator of shape {self.shape} cannot take signals of shape {source}")
        return self.shape

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        return weight * x

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return weight * y

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        return xp.sum(y * x, axis=0)

    def macs(self, source: tuple[int, ...]) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Sparse:
    """Listed connections: y_rows[k] += w_k x_columns[k], weights (connections,); sheets are taken flat."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    target: int
    source: int
    shape: tuple[int, ...] | None = None
    """shape of the target where it is not (target,)"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(map(int, self.rows)))
        object.__setattr__(self, "columns", tuple(map(int, self.columns)))
        if len(self.rows) != len(self.columns) or not self.rows:
            raise ShapeError(f"sparse: {len(self.rows)} rows but {len(self.columns)} columns; one of each a connection")
        if not (0 <= min(self.rows) and max(self.rows) < self.target):
            raise ShapeError(f"sparse: a row is outside 0..{self.target - 1}")
        if not (0 <= min(self.columns) and max(self.columns) < self.source):
            raise ShapeError(f"sparse: a column is outside 0..{self.source - 1}")
        if self.shape is not None and math.prod(self.shape) != self.target:
            raise ShapeError(f"sparse: the target's shape {self.shape} does not hold {self.target} elements")

    @property
    def weight_shape(self) -> tuple[int]:
        return (len(self.rows),)

    @property
    def fan_in(self) -> int:
        return int(np.bincount(self.rows).max())

    @property
    def fan_out(self) -> int:
        return int(np.bincount(self.columns).max())

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if math.prod(source) != self.source:
            raise ShapeError(f"a sparse operator over {self.source} elements cannot take signals of shape {source}")
        return self.shape or (self.target,)

    @cached_property
    def _by_row(self) -> NDArray[np.int64]:
        return _grouped(self.rows, self.target)

    @cached_property
    def _by_column(self) -> NDArray[np.int64]:
        return _grouped(self.columns, self.source)

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        sent = weight * _picked(xp, _flat(xp, x), self.columns)
        y = _gathered(xp, sent, self._by_row)
        return xp.reshape(y, (x.shape[0], *self.shape)) if self.shape else y

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return _gathered(xp, weight * _picked(xp, _flat(xp, y), self.rows), self._by_column)

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        return xp.sum(_picked(xp, _flat(xp, y), self.rows) * _picked(xp, _flat(xp, x), self.columns), axis=0)

    def macs(self, source: tuple[int, ...]) -> int:
        return len(self.rows)


def _flat(xp: Any, x: Array) -> Array:
    return xp.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def _picked(xp: Any, x: Array, index: Any) -> Array:
    """x[:, index]."""
    return xp.take(x, alike(xp, np.asarray(index), x, integer=True), axis=1)


def _gathered(xp: Any, sent: Array, groups: NDArray[np.int64]) -> Array:
    """Sums over groups of connections, (batch, connections) -> (batch, groups)."""
    padded = xp.concat([sent, xp.zeros_like(sent[:, :1])], axis=1)
    picked = _picked(xp, padded, groups.ravel())
    return picked if groups.shape[1] == 1 else xp.sum(xp.reshape(picked, (sent.shape[0], *groups.shape)), axis=-1)


def _grouped(ends: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """For each element the connections that end there, filled up with the number of connections."""
    order = np.argsort(ends, kind="stable")
    sizes = np.bincount(ends, minlength=count)
    place = np.arange(len(ends)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    groups = np.full((count, max(int(sizes.max()), 1)), len(ends))
    groups[np.asarray(ends)[order], place] = order
    return groups


@dataclass(frozen=True)
class Mean:
    """Everything meets the mean: y_i = w mean_j x_j, weights (1,)."""

    shape: tuple[int, ...]

    @property
    def weight_shape(self) -> tuple[int]:
        return (1,)

    @property
    def fan_in(self) -> int:
        return math.prod(self.shape)

    @property
    def fan_out(self) -> int:
        return math.prod(self.shape)

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if source != self.shape:
            raise ShapeError(f"a mean over elements of shape {self.shape} cannot take signals of shape {source}")
        return self.shape

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        return weight * xp.mean(x, axis=tuple(range(1, x.ndim)), keepdims=True) + xp.zeros_like(x)

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return self.apply(xp, weight, y)

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        inner = tuple(range(1, x.ndim))
        return xp.reshape(xp.sum(xp.sum(y, axis=inner) * xp.mean(x, axis=inner)), (1,))

    def macs(self, source: tuple[int, ...]) -> int:
        return 2 * math.prod(source)


@lru_cache(maxsize=64)
def _is_complex(kind: Any) -> bool:
    return "complex" in str(kind)


def is_complex(array: Array) -> bool:
    """Whether an array of any library holds complex numbers."""
    return _is_complex(array.dtype)


def real_kind(array: Array) -> Any:
    """The type of an array's real parts."""
    return array.real.dtype if is_complex(array) else array.dtype


def alike(xp: Any, values: NDArray[Any], like: Array, *, integer: bool = False) -> Array:
    """A NumPy array as an array of the namespace, on the device and in the precision of `like`."""
    place = {"device": like.device} if hasattr(like, "device") else {}
    return xp.asarray(values, **place) if integer else xp.asarray(values, dtype=like.dtype, **place)


@dataclass(frozen=True)
class Transposed:
    """The same weights run through backwards: reciprocity. For complex weights the adjoint K^H is meant."""

    forward: Any
    source: tuple[int, ...]
    """shape of the signals of the forward operator, which this one delivers"""

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.forward.weight_shape

    @property
    def fan_in(self) -> int:
        return self.forward.fan_out

    @property
    def fan_out(self) -> int:
        return self.forward.fan_in

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if source != self.forward.output_shape(self.source):
            raise ShapeError(f"the transpose of {self.forward} cannot take signals of shape {source}")
        return self.source

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        y = self.forward.transpose(xp, _conjugate(xp, weight), x)
        return xp.reshape(y, (x.shape[0], *self.source))

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return self.forward.apply(xp, _conjugate(xp, weight), y)

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        return _conjugate(xp, self.forward.outer(xp, x, y))

    def macs(self, source: tuple[int, ...]) -> int:
        return self.forward.macs(self.source)


def _conjugate(xp: Any, weight: Array) -> Array:
    return xp.conj(weight) if is_complex(weight) else weight
