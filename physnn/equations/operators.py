"""Linear operators of couplings: how the signals of one population arrive at another.

Every operator K with weights w offers `apply` K x, `transpose` K^T y, and `outer`: where y_hat is the error wave of
y = K x, `outer(y_hat, conj(x))` is that of the weights, summed over the batch; for real numbers the derivative of
sum(y_hat K x). Arrays are (batch, *shape), in any array-API namespace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

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
    """Listed connections: y_rows[k] += w_k x_columns[k], weights (connections,)."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    target: int
    source: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(map(int, self.rows)))
        object.__setattr__(self, "columns", tuple(map(int, self.columns)))
        if len(self.rows) != len(self.columns) or not self.rows:
            raise ShapeError(f"sparse: {len(self.rows)} rows but {len(self.columns)} columns; one of each a connection")
        if not (0 <= min(self.rows) and max(self.rows) < self.target):
            raise ShapeError(f"sparse: a row is outside 0..{self.target - 1}")
        if not (0 <= min(self.columns) and max(self.columns) < self.source):
            raise ShapeError(f"sparse: a column is outside 0..{self.source - 1}")

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
        if source != (self.source,):
            raise ShapeError(f"a sparse operator over {self.source} elements cannot take signals of shape {source}")
        return (self.target,)

    def _selectors(self, xp: Any, like: Array) -> tuple[Array, Array]:
        """Connection-by-row and connection-by-column selection matrices."""
        gather, scatter = np.zeros((len(self.rows), self.source)), np.zeros((len(self.rows), self.target))
        gather[np.arange(len(self.rows)), self.columns] = 1
        scatter[np.arange(len(self.rows)), self.rows] = 1
        kind = {"dtype": like.dtype, "device": like.device} if hasattr(like, "device") else {"dtype": like.dtype}
        return xp.asarray(gather, **kind), xp.asarray(scatter, **kind)

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        gather, scatter = self._selectors(xp, x)
        return (x @ gather.T * weight) @ scatter

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        gather, scatter = self._selectors(xp, y)
        return (y @ scatter.T * weight) @ gather

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        gather, scatter = self._selectors(xp, x)
        return xp.sum((y @ scatter.T) * (x @ gather.T), axis=0)

    def macs(self, source: tuple[int, ...]) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Convolution:
    """A kernel slid over a sheet: y[o,p,q] = sum_(c,i,j) w[o,c,i,j] x[c,p+i-r,q+j-s], weights (out, in, height, width).

    Kernel sides are odd; `padding` is "zero" (nothing outside) or "circular" (the sheet is a torus).
    """

    channels_out: int
    channels_in: int
    kernel: tuple[int, int]
    padding: str = "zero"

    def __post_init__(self) -> None:
        if self.padding not in ("zero", "circular"):
            raise ShapeError(f"convolution: padding {self.padding!r} is not one of 'zero', 'circular'")
        if any(side < 1 or side % 2 == 0 for side in self.kernel):
            raise ShapeError(f"convolution: kernel {self.kernel} must have odd sides")

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return (self.channels_out, self.channels_in, *self.kernel)

    @property
    def fan_in(self) -> int:
        return self.channels_in * math.prod(self.kernel)

    @property
    def fan_out(self) -> int:
        return self.channels_out * math.prod(self.kernel)

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if len(source) != 3 or source[0] != self.channels_in:
            raise ShapeError(f"a convolution over {self.channels_in} channels cannot take signals of shape {source}")
        return (self.channels_out, *source[1:])

    def _taps(self) -> list[tuple[int, int, int, int]]:
        rows, columns = self.kernel
        return [(i, j, i - rows // 2, j - columns // 2) for i in range(rows) for j in range(columns)]

    def _shift(self, xp: Any, x: Array, down: int, right: int) -> Array:
        """s[p, q] = x[p + down, q + right], by the padding's rule outside the sheet."""
        if self.padding == "circular":
            return xp.roll(x, (-down, -right), axis=(2, 3))
        height, width = x.shape[2:]
        shifted = xp.zeros_like(x)
        if abs(down) >= height or abs(right) >= width:
            return shifted
        to = (slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right)))
        of = (slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right)))
        shifted[(..., *to)] = x[(..., *of)]
        return shifted

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        return sum(_mix(xp, weight[:, :, i, j], self._shift(xp, x, a, b)) for i, j, a, b in self._taps())

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return sum(_mix(xp, weight[:, :, i, j].T, self._shift(xp, y, -a, -b)) for i, j, a, b in self._taps())

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        grids = [xp.tensordot(y, self._shift(xp, x, a, b), axes=((0, 2, 3), (0, 2, 3))) for _, _, a, b in self._taps()]
        return xp.reshape(xp.stack(grids, axis=-1), self.weight_shape)

    def macs(self, source: tuple[int, ...]) -> int:
        return math.prod(self.weight_shape) * math.prod(source[1:])


def _mix(xp: Any, matrix: Array, sheet: Array) -> Array:
    """Mix channels: (o, c), (batch, c, h, w) -> (batch, o, h, w)."""
    batch, channels, height, width = sheet.shape
    flat = matrix @ xp.reshape(sheet, (batch, channels, height * width))
    return xp.reshape(flat, (batch, matrix.shape[0], height, width))


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
    return xp.conj(weight) if "complex" in str(weight.dtype) else weight
