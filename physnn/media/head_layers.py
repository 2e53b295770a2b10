"""The layers of heads: what their parameters are, how they compute forward, and how they carry a cotangent back.

Arrays have the batch as leading axis. A layer holds no values; a `physnn.media.heads.Head` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

from physnn.equations import Convolution
from physnn.errors import ShapeError, UnknownNameError
from physnn.media.checks import is_size

Array = Any
Arrays = dict[str, Array]
Shapes = dict[str, tuple[int, ...]]


class Layer(Protocol):
    """What a head is made of."""

    @property
    def shapes(self) -> Shapes:
        """Parameter -> shape."""
        ...

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """The layer's output, and the tape that `pull_back` needs."""
        ...

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """dL/dx, and dL/d parameters summed over the batch, from dL/d output."""
        ...

    def macs(self, shape: tuple[int, ...]) -> int:
        """Multiply-accumulates for an input of this shape, the batch included."""
        ...


@dataclass(frozen=True)
class PerPixel:
    """The features of each pixel on the last axis: (batch, *features, height, width) -> (batch, height, width, n)."""

    @property
    def shapes(self) -> Shapes:
        """None."""
        return {}

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """The same numbers in another order."""
        if x.ndim < 4:
            raise ShapeError(f"a per-pixel head needs (batch, channels, height, width), not {tuple(x.shape)}")
        flat = xp.reshape(x, (x.shape[0], math.prod(x.shape[1:-2]), *x.shape[-2:]))
        return xp.moveaxis(flat, 1, -1), tuple(x.shape)

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """The same numbers in the order in which they came."""
        return xp.reshape(xp.moveaxis(cotangent, -1, 1), tape), {}

    def macs(self, shape: tuple[int, ...]) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class Flatten:
    """All features of a sample in a row: (batch, *shape) -> (batch, n)."""

    @property
    def shapes(self) -> Shapes:
        """None."""
        return {}

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """The same numbers."""
        return xp.reshape(x, (x.shape[0], math.prod(x.shape[1:]))), tuple(x.shape)

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """The same numbers."""
        return xp.reshape(cotangent, tape), {}

    def macs(self, shape: tuple[int, ...]) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class LinearInTime:
    """A linear readout of time, the same for all elements:  y_k = sum_n M_kn x(t_n).

    (batch, times, *shape) -> (batch, bins, *shape). It goes behind a readout of kind "whole"; M (bins, times) is learnt
    and has no bias.

    Source
    ------
    "Traveling waves integrate spatial information" (2025), its linear readout, with 100 times and 51 bins.
    """

    times: int
    bins: int

    def __post_init__(self) -> None:
        _check_sizes("a linear readout of time", (self.times, self.bins), 2)

    @property
    def shapes(self) -> Shapes:
        """M, (bins, times)."""
        return {"map": (self.bins, self.times)}

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """y, (batch, bins, *shape)."""
        if x.ndim < 2 or x.shape[1] != self.times:
            raise ShapeError(
                f"a linear readout of {self.times} times was given {tuple(x.shape)}; a run of n steps has n + 1 "
                "entries, of which the readout's `skip` leaves out the first ones"
            )
        flat = xp.reshape(x, (x.shape[0], self.times, math.prod(x.shape[2:])))
        return xp.reshape(parameters["map"] @ flat, (x.shape[0], self.bins, *x.shape[2:])), flat

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """M^T of the cotangent, and its correlation with the wave."""
        batch, shape = cotangent.shape[0], cotangent.shape[2:]
        flat = xp.reshape(cotangent, (batch, self.bins, math.prod(shape)))
        back = xp.reshape(parameters["map"].T @ flat, (batch, self.times, *shape))
        return back, {"map": xp.tensordot(flat, tape, axes=((0, 2), (0, 2)))}

    def macs(self, shape: tuple[int, ...]) -> int:
        """One for each bin and recorded number."""
        return self.bins * math.prod(shape)


@dataclass(frozen=True)
class Perceptron:
    """Fully connected layers on the last axis, at every position:  x_l = sigma(W_l x_(l-1) + b_l);  the last is linear.

    Parameters
    ----------
    widths : sequence of int
        Features that enter, hidden widths, outputs. W_l is (widths[l], widths[l-1]).
    activation : str
        "relu", "tanh" or "identity".
    """

    widths: Sequence[int]
    activation: str = "relu"

    def __post_init__(self) -> None:
        _check_sizes("a perceptron", self.widths, 2)
        _check_activation(self.activation)

    @property
    def shapes(self) -> Shapes:
        """Weights and bias of each layer, from 1."""
        found: Shapes = {}
        for layer, (entering, leaving) in enumerate(pairwise(self.widths), start=1):
            found |= {f"weights{layer}": (leaving, entering), f"bias{layer}": (leaving,)}
        return found

    @property
    def activations(self) -> tuple[str, ...]:
        """One a layer."""
        return (*(self.activation,) * (len(self.widths) - 2), "identity")

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """(batch, *positions, widths[0]) -> (batch, *positions, widths[-1])."""
        if x.shape[-1] != self.widths[0]:
            raise ShapeError(f"a perceptron of {self.widths[0]} features was given {tuple(x.shape)}; features go last")
        passed = [xp.reshape(x, (math.prod(x.shape[:-1]), self.widths[0]))]
        for layer, name in enumerate(self.activations, start=1):
            z = passed[-1] @ parameters[f"weights{layer}"].T + parameters[f"bias{layer}"]
            passed.append(_activated(xp, name, z))
        return xp.reshape(passed[-1], (*x.shape[:-1], self.widths[-1])), passed

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """Backpropagation."""
        slopes: Arrays = {}
        back = xp.reshape(cotangent, tape[-1].shape)
        for layer, name in reversed(list(enumerate(self.activations, start=1))):
            back = back * _slope(xp, name, tape[layer])
            slopes[f"weights{layer}"] = back.T @ tape[layer - 1]
            slopes[f"bias{layer}"] = xp.sum(back, axis=0)
            back = back @ parameters[f"weights{layer}"]
        return xp.reshape(back, (*cotangent.shape[:-1], self.widths[0])), slopes

    def macs(self, shape: tuple[int, ...]) -> int:
        """One for each weight and position."""
        return math.prod(shape[:-1]) * sum(a * b for a, b in pairwise(self.widths))


@dataclass(frozen=True)
class ConvStack:
    """Convolutions with bias, zero padding and stride 1:  (batch, channels[0], h, w) -> (batch, channels[-1], h, w).

    Parameters
    ----------
    channels : sequence of int
        Of the image, of each layer between, of what leaves. Kernels are (channels[l], channels[l-1], kernel, kernel).
    activation, final : str
        Between the layers, and after the last: "relu", "tanh" or "identity".
    kernel : int
        Odd side.

    Source
    ------
    "Traveling waves integrate spatial information" (2025): (in, 16, 16, C) ending in relu for natural frequencies and
    damping, (in, 16, 16, 16, C) ending in tanh for the initial condition.
    """

    channels: Sequence[int]
    activation: str = "relu"
    final: str = "identity"
    kernel: int = 3

    def __post_init__(self) -> None:
        _check_sizes("a stack of convolutions", self.channels, 2)
        _check_activation(self.activation)
        _check_activation(self.final)
        if not is_size(self.kernel) or self.kernel % 2 == 0:
            raise ShapeError(f"a stack of convolutions: kernel {self.kernel!r} must be an odd whole number")

    @cached_property
    def operators(self) -> tuple[Convolution, ...]:
        """One a layer."""
        sides = (self.kernel, self.kernel)
        return tuple(Convolution(leaving, entering, sides) for entering, leaving in pairwise(self.channels))

    @property
    def shapes(self) -> Shapes:
        """Weights and bias of each layer, from 1."""
        found: Shapes = {}
        for layer, operator in enumerate(self.operators, start=1):
            found |= {f"weights{layer}": operator.weight_shape, f"bias{layer}": (operator.channels_out,)}
        return found

    @property
    def activations(self) -> tuple[str, ...]:
        """One a layer."""
        return (*(self.activation,) * (len(self.operators) - 1), self.final)

    def forward(self, xp: Any, parameters: Mapping[str, Array], x: Array) -> tuple[Array, Any]:
        """The image's maps."""
        if x.ndim != 4 or x.shape[1] != self.channels[0]:
            raise ShapeError(
                f"a stack of convolutions was given {tuple(x.shape)}; it takes (batch, {self.channels[0]}, height, "
                "width)"
            )
        passed = [x]
        for layer, (operator, name) in enumerate(zip(self.operators, self.activations, strict=True), start=1):
            z = operator.apply(xp, parameters[f"weights{layer}"], passed[-1])
            passed.append(_activated(xp, name, z + parameters[f"bias{layer}"][:, None, None]))
        return passed[-1], passed

    def pull_back(self, xp: Any, parameters: Mapping[str, Array], tape: Any, cotangent: Array) -> tuple[Array, Arrays]:
        """Backpropagation."""
        slopes: Arrays = {}
        back = cotangent
        for layer in range(len(self.operators), 0, -1):
            operator = self.operators[layer - 1]
            back = back * _slope(xp, self.activations[layer - 1], tape[layer])
            slopes[f"weights{layer}"] = operator.outer(xp, back, tape[layer - 1])
            slopes[f"bias{layer}"] = xp.sum(back, axis=(0, 2, 3))
            back = operator.transpose(xp, parameters[f"weights{layer}"], back)
        return back, slopes

    def macs(self, shape: tuple[int, ...]) -> int:
        """One for each weight and pixel."""
        return shape[0] * sum(operator.macs((operator.channels_in, *shape[2:])) for operator in self.operators)


def _activated(xp: Any, name: str, z: Array) -> Array:
    if name == "relu":
        return xp.where(z > 0, z, xp.zeros_like(z))
    return xp.tanh(z) if name == "tanh" else z


def _slope(xp: Any, name: str, y: Array) -> Array:
    """The derivative of an activation where its value is y."""
    if name == "relu":
        return xp.where(y > 0, xp.ones_like(y), xp.zeros_like(y))
    return 1.0 - y * y if name == "tanh" else xp.ones_like(y)


def _check_activation(name: str) -> None:
    if name not in ("relu", "tanh", "identity"):
        raise UnknownNameError("activation of a head", name, ("relu", "tanh", "identity"))


def _check_sizes(what: str, sizes: Sequence[int], least: int) -> None:
    if not isinstance(sizes, Sequence) or len(sizes) < least or not all(is_size(size) for size in sizes):
        raise ShapeError(f"{what}: {sizes!r} must be {least} or more whole numbers, each at least 1")
