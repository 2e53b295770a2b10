"""Coupled oscillatory recurrent network (coRNN): oscillators that force each other through a tanh."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from physnn import streams
from physnn.equations import Coupling, Dense, Population
from physnn.errors import ParameterError
from physnn.media.checks import not_negative
from physnn.media.oscillators.roles import declared
from physnn.media.part import Part

EQUATIONS = """
dy/dt = v                                        : 1
dv/dt = force*tanh(a) - gamma*y - epsilon*v      : 1/s
a       : 1      (arrival)
force   : 1/s**2 (parameter)
gamma   : 1/s**2 (parameter, at least 0)
epsilon : 1/s    (parameter, at least 0)
"""


@dataclass(frozen=True)
class CoRNN(Part):
    """A coRNN:  y'' = force tanh(W y + Wv y' + V u + b) - gamma y - epsilon y'.

    W and Wv are couplings of the oscillators with themselves; V is the link from the source, b the bias line. The paper
    counts time in units in which force = 1.

    Parameters
    ----------
    name : str
    size : int
        Number of oscillators n; states y [1] and v = y' [1/s], (n,).
    stiffness : array_like
        gamma [1/s^2], at least 0: below it positions would grow without bound.
    damping : array_like
        epsilon [1/s], at least 0 likewise.
    force : array_like
        Largest acceleration that the couplings give [1/s^2].
    gain : float
        Initial W [1] and Wv [s], (n, n), are normal numbers of standard deviation gain/sqrt(n).
    bias : bool
        b, trainable, (n, 1).
    trainable : tuple of str
        Parameters that are learnt besides W, Wv and b, by their symbols: gamma, epsilon, force. Leave out what an input
        port sets.
    integrator : str
        "imex": the paper's scheme with the damping implicit; "symplectic": with the damping explicit. Others of
        `physnn.equations.integrators` work as well.

    Raises
    ------
    ParameterError
        The gain is not a finite number, or a stiffness or damping is negative or not finite.

    Source
    ------
    Rusch, Mishra, Coupled oscillatory recurrent neural network (ICLR 2021), equations (1) to (3).
    """

    name: str
    size: int
    stiffness: ArrayLike = 1.0
    damping: ArrayLike = 0.5
    force: ArrayLike = 1.0
    gain: float = 1.0
    bias: bool = True
    trainable: tuple[str, ...] = ("gamma", "epsilon")
    integrator: str = "imex"
    signal: str = field(default="y", init=False, repr=False)
    arrival: str = field(default="a", init=False, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.gain, Real) and np.isfinite(self.gain)):
            raise ParameterError(f"coRNN {self.name!r}: gain {self.gain!r} must be a finite number")
        not_negative(self.stiffness, "stiffness [1/s^2]", f"coRNN {self.name!r}")
        not_negative(self.damping, "damping [1/s]", f"coRNN {self.name!r}")

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"force": self.force, "gamma": self.stiffness, "epsilon": self.damping}
        equations = declared(EQUATIONS, self.trainable, f"coRNN {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """W, which carries positions, and Wv, which carries velocities."""
        return (self._coupling("W", "y", "1", seed), self._coupling("Wv", "v", "s", seed))

    def _coupling(self, label: str, signal: str, unit: str, seed: int) -> Coupling:
        name = f"{self.name}.{label}"
        shape = (self.size, self.size)
        weights = self.gain / np.sqrt(self.size) * streams.normal(seed, name, "weights", shape)
        return Coupling(name, self.name, self.name, signal, Dense(*shape), "a", unit=unit, initial=weights)
