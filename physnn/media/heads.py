"""Heads: trainable digital layers on the host, behind the readout, or in front of the medium as encoders of images.

A `Head` is a row of layers and the values of their parameters; like a substrate it is trained in place. Its arithmetic
is that of a processor, and is billed as such: nothing here is physical.

A per-pixel head sees the features of one pixel at a time, a global one those of all of them:

    Head((PerPixel(), Perceptron((2, 16, 11))))                  labels (batch, height, width)
    Head((Flatten(), Perceptron((2 * 28 * 28, 16, 10))))         labels (batch,)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations.operators import is_complex
from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError
from physnn.media.head_layers import ConvStack, Flatten, Layer, LinearInTime, Perceptron, PerPixel

__all__ = ["ConvStack", "Flatten", "Head", "Layer", "LinearInTime", "PerPixel", "Perceptron"]

Array = Any
Arrays = dict[str, Array]
Tapes = Sequence[tuple[tuple[int, ...], Any]]
"""For each layer the shape of what entered it, and its tape."""


@dataclass(eq=False)
class Head:
    """Layers in a row, and the values of their parameters, which training replaces.

    Weights and biases start uniform in +-1/sqrt(fan-in), the same on every backend.

    Parameters
    ----------
    layers : sequence
        `PerPixel`, `Flatten`, `LinearInTime`, `Perceptron`, `ConvStack`, or any other `Layer`.
    seed : int
        Of the initial values.
    name : str
        Two heads with one seed need two names to start with different values.
    parameters : mapping, optional
        "number of the layer.parameter" -> array, in place of all the initial values; "0.map", "2.weights1".

    Raises
    ------
    ParameterError, UnknownNameError, ShapeError

    Examples
    --------
    >>> head = Head((LinearInTime(100, 51), PerPixel(), Perceptron((51 * 2, 256, 11))))
    >>> head.count == 51 * 100 + (51 * 2 + 1) * 256 + (256 + 1) * 11
    True
    """

    layers: Sequence[Layer]
    seed: int = 0
    name: str = "head"
    parameters: Arrays = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Sequence) or not all(hasattr(layer, "shapes") for layer in self.layers):
            raise ParameterError(
                f"head {self.name!r}: layers {self.layers!r} must be a sequence of layers, such as (PerPixel(), "
                "Perceptron((2, 2)))"
            )
        given, self.parameters = self.parameters, self._drawn()
        if given and given.keys() != self.parameters.keys():
            missing = sorted(self.parameters.keys() - given.keys())
            raise ParameterError(f"head {self.name!r}: no values for {missing}; give all of them or none")
        self.write(given)

    @property
    def count(self) -> int:
        """How many numbers are learnt."""
        return sum(math.prod(value.shape) for value in self.parameters.values())

    def write(self, values: Mapping[str, Array]) -> None:
        """New values of some parameters.

        Raises
        ------
        UnknownNameError, ShapeError
        """
        for key, value in values.items():
            if key not in self.parameters:
                raise UnknownNameError(f"parameter of head {self.name!r}", key, self.parameters)
            wanted = tuple(self.parameters[key].shape)
            if tuple(value.shape) != wanted:
                raise ShapeError(f"head {self.name!r}: {key!r} has shape {tuple(value.shape)}, expected {wanted}")
        self.parameters = {**self.parameters, **values}

    def forward(self, xp: Any, x: Array) -> tuple[Array, Tapes]:
        """The head's answer, and for each layer the shape that entered it and its tape.

        Raises
        ------
        ShapeError, EquationError
            A layer cannot take what enters it; it is complex.
        """
        if is_complex(x):
            raise EquationError(f"head {self.name!r} takes real numbers; read the re, im or abs of a complex signal")
        tapes = []
        for number, layer in enumerate(self.layers):
            shape = tuple(x.shape)
            x, tape = layer.forward(xp, self._of(number, x), x)
            tapes.append((shape, tape))
        return x, tapes

    def pull_back(self, xp: Any, tapes: Tapes, cotangent: Array) -> tuple[Array, Arrays]:
        """dL/d input, and dL/d parameters by their keys, from dL/d answer."""
        slopes: Arrays = {}
        for number in range(len(self.layers) - 1, -1, -1):
            values = self._of(number, cotangent)
            cotangent, found = self.layers[number].pull_back(xp, values, tapes[number][1], cotangent)
            slopes |= {f"{number}.{name}": slope for name, slope in found.items()}
        return cotangent, slopes

    def macs(self, tapes: Tapes) -> int:
        """Multiply-accumulates of the forward pass that left these tapes."""
        return sum(layer.macs(shape) for layer, (shape, _) in zip(self.layers, tapes, strict=True))

    def _of(self, number: int, like: Array) -> Arrays:
        """One layer's parameters as arrays of the kind of `like`, in its precision and place."""
        xp, device = array_api_compat.array_namespace(like), array_api_compat.device(like)
        return {
            name: xp.asarray(self.parameters[f"{number}.{name}"], dtype=like.dtype, device=device)
            for name in self.layers[number].shapes
        }

    def _drawn(self) -> Arrays:
        found: Arrays = {}
        for number, layer in enumerate(self.layers):
            fan_in = 1
            for name, shape in layer.shapes.items():
                # A bias follows its weights, and shares their fan-in.
                fan_in = math.prod(shape[1:]) if len(shape) > 1 else fan_in
                key = f"{number}.{name}"
                found[key] = _uniform(self.seed, self.name, key, shape, fan_in)
        return found


def _uniform(seed: int, name: str, key: str, shape: tuple[int, ...], fan_in: int) -> NDArray[np.float64]:
    return (2.0 * streams.uniform(seed, name, key, shape) - 1.0) / math.sqrt(fan_in)
