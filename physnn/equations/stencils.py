"""Linear operators of sheets: convolutions, and the inverse of the Laplacian."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations.operators import alike
from physnn.errors import ShapeError

Array = Any
PADDINGS = ("zero", "circular", "mirror")


@dataclass(frozen=True)
class Convolution:
    """A kernel slid over a sheet: y[o,p,q] = sum_(c,i,j) w[o,c,i,j] x[c,p+i-r,q+j-s], weights (out, in, height, width).

    Kernel sides are odd. Outside the sheet x is given by `padding`: "zero" (a clamped edge), "circular" (the sheet is a
    torus) or "mirror" (the image about the edge node, x[-1] = x[1]: a free edge).
    """

    channels_out: int
    channels_in: int
    kernel: tuple[int, int]
    padding: str = "zero"

    def __post_init__(self) -> None:
        if self.padding not in PADDINGS:
            raise ShapeError(f"convolution: padding {self.padding!r} is not one of {', '.join(map(repr, PADDINGS))}")
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
        for side, kernel in zip(source[1:], self.kernel, strict=True):
            least = {"zero": 1, "circular": kernel // 2, "mirror": kernel // 2 + 1}[self.padding]
            if side < least:
                raise ShapeError(f"a sheet of shape {source} is too small for a {self.padding} kernel {self.kernel}")
        return (self.channels_out, *source[1:])

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        batch, _, height, width = x.shape
        y = self._matrix(xp, weight) @ self._patches(xp, x)
        return xp.reshape(y, (batch, self.channels_out, height, width))

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        batch, _, height, width = y.shape
        back = self._matrix(xp, weight).T @ xp.reshape(y, (batch, self.channels_out, height * width))
        back = xp.reshape(back, (batch, math.prod(self.kernel), self.channels_in, height, width))
        rows, columns = self.kernel
        shape = (batch, self.channels_in, height + rows - 1, width + columns - 1)
        padded = xp.zeros(shape, dtype=back.dtype, **({"device": y.device} if hasattr(y, "device") else {}))
        for tap, (i, j) in enumerate(self._taps):
            padded[:, :, i : i + height, j : j + width] += back[:, tap, ...]
        for axis, reach in ((2, rows // 2), (3, columns // 2)):
            padded = self._folded(xp, padded, axis, reach)
        return padded

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        flat = xp.reshape(y, (y.shape[0], self.channels_out, y.shape[2] * y.shape[3]))
        found = xp.tensordot(flat, self._patches(xp, x), axes=((0, 2), (0, 2)))
        grid = xp.reshape(found, (self.channels_out, *self.kernel, self.channels_in))
        return xp.permute_dims(grid, (0, 3, 1, 2))

    def macs(self, source: tuple[int, ...]) -> int:
        return math.prod(self.weight_shape) * math.prod(source[1:])

    @property
    def _taps(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.kernel[0]) for j in range(self.kernel[1])]

    def _matrix(self, xp: Any, weight: Array) -> Array:
        """Weights as (out, height * width * in)."""
        return xp.reshape(xp.permute_dims(weight, (0, 2, 3, 1)), (self.channels_out, self.fan_in))

    def _patches(self, xp: Any, x: Array) -> Array:
        """What each node sees: (batch, height * width * in of the kernel, nodes)."""
        batch, _, height, width = x.shape
        padded = self._padded(xp, self._padded(xp, x, 2, self.kernel[0] // 2), 3, self.kernel[1] // 2)
        seen = [padded[:, :, i : i + height, j : j + width] for i, j in self._taps]
        return xp.reshape(xp.concat(seen, axis=1), (batch, self.fan_in, height * width))

    def _padded(self, xp: Any, x: Array, axis: int, reach: int) -> Array:
        if reach == 0:
            return x
        size = x.shape[axis]
        if self.padding == "circular":
            before, after = _cut(x, axis, size - reach, size), _cut(x, axis, 0, reach)
        elif self.padding == "mirror":
            before = xp.flip(_cut(x, axis, 1, reach + 1), axis=axis)
            after = xp.flip(_cut(x, axis, size - 1 - reach, size - 1), axis=axis)
        else:
            shape = [reach if a == axis else s for a, s in enumerate(x.shape)]
            before = after = xp.zeros(
                tuple(shape), dtype=x.dtype, **({"device": x.device} if hasattr(x, "device") else {})
            )
        return xp.concat([before, x, after], axis=axis)

    def _folded(self, xp: Any, x: Array, axis: int, reach: int) -> Array:
        """The transpose of `_padded`: what fell outside is added to where it came from."""
        if reach == 0:
            return x
        size = x.shape[axis] - 2 * reach
        before, after = _cut(x, axis, 0, reach), _cut(x, axis, size + reach, size + 2 * reach)
        x = _cut(x, axis, reach, size + reach)
        if self.padding == "circular":
            _cut(x, axis, size - reach, size)[...] += before
            _cut(x, axis, 0, reach)[...] += after
        elif self.padding == "mirror":
            _cut(x, axis, 1, reach + 1)[...] += xp.flip(before, axis=axis)
            _cut(x, axis, size - 1 - reach, size - 1)[...] += xp.flip(after, axis=axis)
        return x


def _cut(x: Array, axis: int, start: int, stop: int) -> Array:
    """x[..., start:stop, ...] along one axis, a view."""
    return x[tuple(slice(start, stop) if a == axis else slice(None) for a in range(x.ndim))]


@dataclass(frozen=True)
class Poisson:
    """The potential of a charge: y = w lap^-1 x on a sheet (channels, height, width), weights (1,).

    lap is the five-point Laplacian of node distance 1, [[0,1,0],[1,-4,1],[0,1,0]]; a side of one node has none. Where
    constants are in its null space (no edge is clamped) the mean of x is left out, and that of y is zero; mirrored edge
    nodes count half in these means, as half of their cell is outside. Solved in the Laplacian's eigenvectors,
    O(height width (height + width)).
    """

    shape: tuple[int, int, int]
    edges: str = "zero"
    """as `padding` of `Convolution`"""

    def __post_init__(self) -> None:
        if self.edges not in PADDINGS:
            raise ShapeError(f"poisson: edges {self.edges!r} are not one of {', '.join(map(repr, PADDINGS))}")

    @property
    def weight_shape(self) -> tuple[int]:
        return (1,)

    @property
    def fan_in(self) -> int:
        return self.shape[1] * self.shape[2]

    @property
    def fan_out(self) -> int:
        return self.fan_in

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        if source != self.shape:
            raise ShapeError(f"a Poisson operator for a sheet of shape {self.shape} cannot take signals of {source}")
        return self.shape

    def apply(self, xp: Any, weight: Array, x: Array) -> Array:
        return weight * self._solved(xp, x, self._modes)

    def transpose(self, xp: Any, weight: Array, y: Array) -> Array:
        return weight * self._solved(xp, y, [(inverse.T, modes.T) for modes, inverse in self._modes])

    def outer(self, xp: Any, y: Array, x: Array) -> Array:
        return xp.reshape(xp.sum(y * self._solved(xp, x, self._modes)), (1,))

    def macs(self, source: tuple[int, ...]) -> int:
        return 2 * math.prod(source) * (source[1] + source[2])

    def _solved(self, xp: Any, x: Array, modes: list[tuple[NDArray, NDArray]]) -> Array:
        (down, down_inverse), (right, right_inverse) = [
            (alike(xp, forward, x), alike(xp, inverse, x)) for forward, inverse in modes
        ]
        inner = down_inverse @ x @ right_inverse.T
        return down @ (inner * alike(xp, self._inverse_eigenvalues, x)) @ right.T

    @cached_property
    def _modes(self) -> list[tuple[NDArray, NDArray]]:
        """Eigenvectors of the Laplacian along either side, and their inverse."""
        return [(modes, inverse) for _, modes, inverse in self._sides]

    @cached_property
    def _inverse_eigenvalues(self) -> NDArray:
        (down, _, _), (right, _, _) = self._sides
        total = down[:, None] + right[None, :]
        null = np.abs(total) < 1e-9
        return np.where(null, 0.0, 1.0 / np.where(null, 1.0, total))

    @cached_property
    def _sides(self) -> list[tuple[NDArray, NDArray, NDArray]]:
        return [_eigen(_laplacian(side, self.edges)) for side in self.shape[1:]]


def _laplacian(size: int, edges: str) -> NDArray:
    """The second difference along a side."""
    if size == 1:
        return np.zeros((1, 1))
    found = -2.0 * np.eye(size) + np.eye(size, k=1) + np.eye(size, k=-1)
    if edges == "circular":
        found[0, -1] += 1.0
        found[-1, 0] += 1.0
    if edges == "mirror":
        found[0, 1] = found[-1, -2] = 2.0
    return found


def _eigen(matrix: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Eigenvalues, eigenvectors and their inverse. A mirrored edge node weighs half: so weighed, all are symmetric."""
    weight = np.ones(len(matrix))
    if len(matrix) > 1 and not np.array_equal(matrix, matrix.T):
        weight[[0, -1]] = 0.5
    root = np.sqrt(weight)
    values, vectors = np.linalg.eigh(root[:, None] * matrix / root)
    return values, vectors / root[:, None], vectors.T * root
