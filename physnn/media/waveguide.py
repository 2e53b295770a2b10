"""The first-order layered waveguide: one layer of lines whose repeaters compress what arrives."""

from __future__ import annotations

from dataclasses import dataclass

from physnn.equations import Population
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import is_above_zero, is_size
from physnn.media.part import Part

ACTIVATIONS = {
    "tanh": "tanh(z)",
    "sigmoid": "sigmoid(z)",
    "softplus": "softplus(z)",
    "relu": "relu(z)",
    "identity": "z",
}
"""Name of a repeater's characteristic -> its expression in the arriving wave z."""

EQUATIONS = """
dx/dt = ({sigma} - gamma*x)/tau : 1
z     : 1 (arrival)
gamma : 1 (parameter)
tau   : s (parameter)
Z     : ohm (parameter)
"""


@dataclass(frozen=True)
class Waveguide(Part):
    """A layer of a waveguide:  tau dx/dt = sigma(z) - gamma x,  z = W x_before + b.

    Its steady state with gamma = 1 is the layer of a feed-forward network, x = sigma(W x_before + b).

    Parameters
    ----------
    name : str
    size : int
        Number of lines n; states (n,).
    activation : str
        Characteristic sigma of the repeaters: tanh, sigmoid, softplus, relu or identity.
    damping : float
        gamma [1], above 0: a line with no damping, or with gain, has no steady state.
    time_constant : float
        tau of a repeater [s, model time].
    impedance : float
        Characteristic impedance of the lines [ohm]; it sets the thermal noise on analog hardware, not the noiseless
        wave.
    bias : bool
        A constant source line runs into the layer, with trainable weights.

    Source
    ------
    "Deriving backpropagation from wave equations" (2026), equations (1) and (2).
    """

    name: str
    size: int
    activation: str = "tanh"
    damping: float = 1.0
    time_constant: float = 1.0
    impedance: float = 50.0
    bias: bool = True

    def __post_init__(self) -> None:
        where = f"waveguide {self.name!r}"
        if self.activation not in ACTIVATIONS:
            raise UnknownNameError("activation", self.activation, ACTIVATIONS)
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number, at least 1")
        if not is_above_zero(self.damping):
            raise ParameterError(
                f"{where}: damping {self.damping} makes the medium unstable, its waves would grow without bound; "
                "choose a damping above 0"
            )
        for quantity, value, unit in (("time constant", self.time_constant, "s"), ("impedance", self.impedance, "ohm")):
            if not is_above_zero(value):
                raise ParameterError(f"{where}: {quantity} {value} {unit} must be finite and above 0")

    def lower(self) -> Population:
        """The layer's equations."""
        return Population.from_text(
            self.name,
            self.size,
            EQUATIONS.format(sigma=ACTIVATIONS[self.activation]),
            {"gamma": self.damping, "tau": self.time_constant, "Z": self.impedance},
        )
