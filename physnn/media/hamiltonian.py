"""Hamiltonian layers: oscillators in one potential, whose motion can be undone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

from physnn.equations import Input, Population
from physnn.errors import ParameterError
from physnn.media.energy import Reciprocal
from physnn.media.network import Network
from physnn.media.part import Part
from physnn.media.potential import Potential, duffing

LOSSLESS = """
dx/dt = v                   : 1
dv/dt = drive - ({force})   : 1/s
drive : 1/s**2 (arrival)
"""
DAMPED = """
force = drive - ({force})   : 1/s**2
keep  = exp(-g*dt/2)        : 1
moved = where(t < dt/2, keep*v + dt/2*force, keep**2*v + dt/2*(1 + keep**2)*force) : 1/s
x+ = x + dt*moved           : 1
v+ = moved                  : 1/s
drive : 1/s**2 (arrival)
g     : 1/s    (parameter)
"""


@dataclass(frozen=True)
class Hamiltonian(Part):
    """Oscillators of unit mass in a potential:  x'' + g x' = drive - dV/dx.

    Stepped as kick, drift, kick: the states are the positions x_n [1] and the velocities v_(n-1/2) [1/s] of half a
    step before, in the first entry those of the start. With damping, every step stands between two factors
    exp(-g dt/2) of the velocity, so that gain (g < 0) undoes exactly what loss did.

    Joined by `Reciprocal` links and driven through links from sources, layers move in one common potential

        V = sum_l V_l(x_l) - x_l.(W u + c) - x_(l+1).U x_l

    Parameters
    ----------
    name : str
    size : int or tuple of int
    potential : Potential
        V_l(x); bounded from below, or what is driven runs away.
    damping : float
        g [1/s], at least 0; 0 leaves the equations without it.
    integrator : str
        Of a lossless layer; "verlet" can be undone, others cannot.
    bias : bool
        A constant source line c runs into the layer, with trainable weights.

    Raises
    ------
    ParameterError
        The damping is negative or not finite.

    Source
    ------
    Lopez-Pastor, Marquardt, Phys. Rev. X 13, 031020 (2023); the step: Hairer, Lubich, Wanner, Geometric Numerical
    Integration (2006), section I.1.4.
    """

    name: str
    size: int | tuple[int, ...]
    potential: Potential = field(default_factory=duffing)
    damping: float = 0.0
    integrator: str = "verlet"
    bias: bool = True
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s**2", init=False, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.damping, Real) and math.isfinite(self.damping) and self.damping >= 0):
            raise ParameterError(
                f"Hamiltonian layer {self.name!r}: damping {self.damping!r} 1/s must be finite and at least 0"
            )

    def lower(self) -> Population:
        """The layer's equations."""
        damping = {"g": self.damping} if self.damping else {}
        text = (DAMPED if damping else LOSSLESS).format(force=self.potential.force)
        values = {**self.potential.values, **damping}
        integrator = "euler" if damping else self.integrator
        equations = text + self.potential.declarations
        return Population.from_text(self.name, self.size, equations, values, integrator=integrator)


def hamiltonian_network(
    parts: Sequence[Part], *, gain: float | Sequence[float] = 1.0, name: str = "network"
) -> Network:
    """A source and Hamiltonian layers in a row, joined both ways; the positions of the last one are read at the end.

    Each layer L can be started anywhere, through the ports `L_x` and `L_v`, and a damped one has its damping set at
    `L_g`: what a run back in time needs. Initial weights have standard deviation gain / sqrt(fan-in).
    """
    network = Reciprocal.layered(parts, gain=gain, name=name)
    layers = [part for part in parts if isinstance(part, Hamiltonian)]
    ports = {f"{layer.name}_{state}": Input(layer.name, state) for layer in layers for state in ("x", "v")}
    ports |= {f"{layer.name}_g": Input(layer.name, "g") for layer in layers if layer.damping}
    return replace(network, inputs=ports)
