"""The convolutional LSTM, as a map: gates that see a neighbourhood of the input and of the cells' own output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from physnn import streams
from physnn.equations import Convolution, Coupling, Input, Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import is_size
from physnn.media.medium import Medium
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

GATES = ("i", "f", "o", "g")
"""Input, forget and output gate, and the candidate, each an arrival."""

EQUATIONS = """
kept = sigmoid(f + b_f)*c + sigmoid(i + b_i)*tanh(g + b_g) : 1
c+ = kept                         : 1
h+ = sigmoid(o + b_o)*tanh(kept)  : 1
i   : 1 (arrival)
f   : 1 (arrival)
o   : 1 (arrival)
g   : 1 (arrival)
b_i : 1 (trainable)
b_f : 1 (trainable)
b_o : 1 (trainable)
b_g : 1 (trainable)
"""


@dataclass(frozen=True)
class ConvLSTM(Part):
    """A convolutional LSTM:  c+ = sigmoid(f) c + sigmoid(i) tanh(g),  h+ = sigmoid(o) tanh(c+).

    Each gate is  W (*) input + U (*) h + b.  U is a coupling of the cells with themselves; W is that of a link from
    whatever the input is, one a gate: `links` gives all four. One convolution of (input, h) to 4 C channels is the same
    thing. The length of a step has no meaning.

    Parameters
    ----------
    name : str
    shape : tuple of int
        (C, height, width) of the states c and h [1].
    kernel : tuple of int
        Sides of the kernels, odd.
    padding : str
        Of `Convolution`; "circular" makes the sheet a torus.
    gain : float
        Initial U are normal numbers of standard deviation gain/sqrt(2 fan-in): the other half of the fan-in is W's.
        Biases start at zero, (C, 1, 1).

    Raises
    ------
    ShapeError
        The shape is not one of a sheet.
    ParameterError
        The gain is not a finite number.

    Source
    ------
    Shi et al., Convolutional LSTM network (NeurIPS 2015), equation (3) without its peepholes, as the baseline of
    "Traveling waves integrate spatial information through time" (2025) has it.
    """

    name: str
    shape: tuple[int, int, int]
    kernel: tuple[int, int] = (3, 3)
    padding: str = "circular"
    gain: float = 1.0
    signal: str = field(default="h", init=False, repr=False)
    arrival: str = field(default="g", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"conv-LSTM {self.name!r}"
        sides = self.shape if isinstance(self.shape, Sequence) else ()
        if len(sides) != 3 or not all(is_size(side) for side in sides):
            raise ShapeError(f"{where}: shape {self.shape!r} must be (channels, height, width)")
        if not (isinstance(self.gain, Real) and math.isfinite(self.gain)):
            raise ParameterError(f"{where}: gain {self.gain!r} must be a finite number")

    def lower(self) -> Population:
        """The cells' equations."""
        biases = {f"b_{gate}": np.zeros((self.shape[0], 1, 1)) for gate in GATES}
        return Population.from_text(self.name, self.shape, EQUATIONS, biases)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """U: one convolution of h a gate."""
        operator = Convolution(self.shape[0], self.shape[0], self.kernel, self.padding)
        spread = self.gain / math.sqrt(2 * operator.fan_in)
        names = {gate: f"{self.name}.U_{gate}" for gate in GATES}
        return tuple(
            Coupling(
                name,
                self.name,
                self.name,
                "h",
                operator,
                gate,
                initial=spread * streams.normal(seed, name, "weights", operator.weight_shape),
            )
            for gate, name in names.items()
        )

    def links(self, source: str, channels: int) -> tuple[Link, ...]:
        """W: links from a part of `channels` sheets to the four gates."""
        operator = Convolution(self.shape[0], channels, self.kernel, self.padding)
        gain = self.gain / math.sqrt(2)
        return tuple(Link(source, self.name, f"{self.name}.W_{g}", operator, gain=gain, into=g) for g in GATES)


def self_fed(shape: tuple[int, int, int], hidden: int = 0, kernel: tuple[int, int] = (3, 3)) -> Network:
    """A convolutional LSTM whose input is its own last output, y = W2 relu(W1 h + b1) + b2 at every pixel.

    Ports: `h0` and `c0` set the first states and `y0` is the first input, all of `shape`. The output port `y` gives y0,
    then one y a step.

    Parameters
    ----------
    shape : tuple of int
        (C, height, width) of h, c and y [1].
    hidden : int
        Width of the perceptron's hidden layer; 2 C where not given.
    kernel : tuple of int
        Sides of the gates' kernels; the sheet is a torus.

    Source
    ------
    "Traveling waves integrate spatial information through time" (2025), its conv-LSTM baseline, from h, c and y on.
    """
    cells, width = ConvLSTM("cells", shape, kernel), hidden or 2 * shape[0]
    layer = "a : 1 (arrival)\nb : 1 (trainable)\n"
    first = "y0 : 1 (input)\ny = where(t < dt/2, y0, a + b) : 1"
    parts = (
        cells,
        Medium("hidden", (width, *shape[1:]), layer, {"b": np.zeros((width, 1, 1))}, "relu(a + b)", "a"),
        Medium("out", shape, layer + first, {"b": np.zeros((shape[0], 1, 1))}, "y", "a"),
    )
    links = (
        Link("cells", "hidden", operator=Convolution(width, shape[0], (1, 1))),
        Link("hidden", "out", operator=Convolution(shape[0], width, (1, 1))),
        *cells.links("out", shape[0]),
    )
    ports = {"h0": Input("cells", "h"), "c0": Input("cells", "c"), "y0": Input("out", "y0")}
    return Network(parts, links, Readout("out", "y"), inputs=ports)
