"""Energy layers: leaky elements that act on each other both ways through the same weights, and their networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

from physnn.equations import Coupling, Input, Population, System, Transposed
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import is_size
from physnn.media.network import Network
from physnn.media.part import Part

NUDGE = "nudge"
"""input of an energy layer, and the port through which the output is nudged"""
ACTIVATIONS = {"sigmoid": "sigmoid(u)", "tanh": "tanh(u)", "hard-sigmoid": "clip(u, 0, 1)", "identity": "u"}
"""Name of a characteristic -> rho in the state u."""

EQUATIONS = """
du/dt = (z + nudge - u)/tau : 1
s     = {rho}               : 1
z     : 1 (arrival)
nudge : 1 (input)
tau   : s (parameter)
"""


@dataclass(frozen=True)
class EnergyLayer(Part):
    """A layer that relaxes in an energy:  tau du/dt = -u + b + W s_before + W^T s_after + nudge,  s = rho(u).

    Joined by couplings that act both ways (`Reciprocal`), layers come to rest where

        E = sum_l [ sum_i G(s_i) - b_l.s_l - s_l.(W_l s_(l-1)) ],   G' = rho^-1,

    is stationary; a nudge f adds -f.s to it.

    Parameters
    ----------
    name : str
    size : int
        Number of elements n; states (n,).
    activation : str
        rho: sigmoid, tanh, hard-sigmoid, or identity. With a linear layer E has a lowest point only while the largest
        singular value of its weights stays below about 1.
    time_constant : float
        tau [s, model time].
    bias : bool
        A constant source line runs into the layer, with trainable weights.

    Raises
    ------
    UnknownNameError, ShapeError, ParameterError

    Source
    ------
    Scellier, Bengio, Equilibrium propagation, Front. Comput. Neurosci. 11:24 (2017), equations (1) to (3), with u in
    place of s as the state.
    """

    name: str
    size: int
    activation: str = "sigmoid"
    time_constant: float = 1.0
    bias: bool = True
    signal: str = field(default="s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"energy layer {self.name!r}"
        if self.activation not in ACTIVATIONS:
            raise UnknownNameError("activation", self.activation, ACTIVATIONS)
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number, at least 1")
        constant = self.time_constant
        if not (isinstance(constant, Real) and math.isfinite(constant) and constant > 0):
            raise ParameterError(f"{where}: time constant {constant!r} s must be finite and above 0")

    def lower(self) -> Population:
        """The layer's equations."""
        equations = EQUATIONS.format(rho=ACTIVATIONS[self.activation])
        return Population.from_text(self.name, self.size, equations, {"tau": self.time_constant})


@dataclass(frozen=True)
class Reciprocal(Network):
    """A network whose links act both ways: what moves B by K s_A moves A by K^T s_B, through the same weights.

    Links from a source stay one-way, since a source is clamped. A link of a part with itself acts as K + K^T.
    """

    def lower(self, seed: int = 0) -> System:
        """The System of equations, every link between two parts that move followed by its way back."""
        system = super().lower(seed)
        moving = {name for name, population in system.populations.items() if population.dynamic}
        signals = {part.name: (part.signal, part.arrival) for part in self.parts}
        links = [system.couplings[link.label] for link in self.links]
        both = [c for c in links if c.source in moving and c.target in moving]
        back = [
            Coupling(
                f"{c.source}<-{c.target}" if c.name == f"{c.source}->{c.target}" else f"{c.name}, back",
                c.target,
                c.source,
                signals[c.target][0],
                Transposed(c.operator, system.populations[c.source].shape),
                signals[c.source][1],
                c.delay,
                unit=c.unit,
                trainable=c.trainable,
                weights=c.key,
                initial=c.initial,
            )
            for c in both
        ]
        couplings = [*system.couplings.values(), *back]
        return System.of(system.populations.values(), couplings, system.inputs, system.outputs)


def energy_network(parts: Sequence[Part], *, gain: float | Sequence[float] = 1.0, name: str = "network") -> Network:
    """A source and energy layers in a row, joined both ways; the last one is read out, and nudged at the port `nudge`.

    Initial weights have standard deviation gain / sqrt(fan-in).

    Examples
    --------
    >>> from physnn.media.medium import Source
    >>> system = energy_network([Source("in", 4), EnergyLayer("hidden", 3), EnergyLayer("output", 2)]).lower()
    >>> system.couplings["hidden<-output"].key
    'hidden->output'
    """
    network = Reciprocal.layered(parts, gain=gain, name=name)
    return replace(network, inputs={NUDGE: Input(network.readout.population, NUDGE)})
