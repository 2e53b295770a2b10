"""The second-order carrier medium: layers of driven oscillators, between which velocities travel on a carrier."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from physnn.equations import Population
from physnn.errors import EquationError
from physnn.media.envelope import EnvelopeMedium, check_carrier, check_layer
from physnn.media.functionals import Demodulated
from physnn.media.medium import Source
from physnn.media.network import BIAS, Link, Network
from physnn.media.part import Part
from physnn.media.potential import Potential, duffing

EQUATIONS = """
dx/dt = v                             : 1
dv/dt = drive - gamma*v - ({force})   : 1/s
drive : 1/s**2 (arrival)
gamma : 1/s    (parameter)
{parameters}
"""
PILOT = "pilot"
QUADRATURES = {"p": "re", "q": "im"}
"""State of an envelope -> part of the demodulated carrier."""


@dataclass(frozen=True)
class CarrierMedium(Part):
    """A layer of oscillators, x'' + gamma x' = W x_before' - dV/dx.

    For V = k x^2/2 the displacement answers the drive's displacement by H(s) = s / (s^2 + gamma s + k), a band-pass:
    what is constant does not pass, information rides on the amplitude and phase of a carrier near sqrt(k). The coupling
    is one-way: the layer before feels no reaction, so the medium is not a passive network, and its reflected wave runs
    through the transposed couplings.

    Parameters
    ----------
    name : str
    size : int
        Number of elements n; states x (n,) [1] and v (n,) [1/s].
    potential : Potential
        `harmonic`, `duffing`, `saturable`, or a `Potential` of one's own; it need not be even.
    damping : float
        gamma [1/s], above 0.
    integrator : str
        "symplectic", "imex" (damping implicit, for strong damping) or another of `physnn.equations.integrators`.

    Raises
    ------
    ParameterError, ShapeError

    Source
    ------
    "Neural Networks are Wave Propagation Systems" (2026), part VI.
    """

    name: str
    size: int
    potential: Potential = field(default_factory=duffing)
    damping: float = 1.0
    integrator: str = "symplectic"
    signal: str = field(default="v", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        check_layer(f"carrier medium {self.name!r}", self.size, self.damping, self.potential)

    def lower(self) -> Population:
        """The layer's equations."""
        return Population.from_text(
            self.name,
            self.size,
            EQUATIONS.format(force=self.potential.force, parameters=self.potential.declarations),
            {"gamma": self.damping, **self.potential.values},
            integrator=self.integrator,
        )


@dataclass(frozen=True)
class CarrierSource(Source):
    """Lines that put the input u [1] on a carrier, x_0 = u cos(w t); what leaves is the velocity of x_0."""

    carrier: float = 1.0
    """angular frequency w [rad/s]"""
    signal: str = field(default="-w*u*sin(w*t)", init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_carrier(f"carrier source {self.name!r}", self.carrier)

    def lower(self) -> Population:
        """The source's equations: an input and the carrier's frequency."""
        return Population.from_text(self.name, self.size, "u : 1 (input)\nw : 1/s (parameter)", {"w": self.carrier})


@dataclass(frozen=True)
class Pilot(Part):
    """A carrier of constant amplitude, cos(w t), of which the velocity leaves: the bias line of a carrier medium."""

    name: str = PILOT
    carrier: float = 1.0
    """angular frequency w [rad/s]"""
    signal: str = field(default="-w*one*sin(w*t)", init=False, repr=False)

    def __post_init__(self) -> None:
        check_carrier(f"pilot {self.name!r}", self.carrier)

    def lower(self) -> Population:
        """The pilot's equations: an amplitude of 1 and the carrier's frequency."""
        text = "one : 1 (parameter)\nw : 1/s (parameter)"
        return Population.from_text(self.name, 1, text, {"one": 1.0, "w": self.carrier})


def on_carrier(network: Network, *, integrator: str = "symplectic") -> Network:
    """The same network on its real carrier: envelopes become oscillators, sources and biases carry a tone.

    Couplings keep their names and units: weights trained on the envelope are written to the carrier as they are. A
    readout of the quadrature p or q becomes a demodulation of x over whole periods at the drive's phase; give it a
    `skip` that leaves out the time of settling.

    Parameters
    ----------
    network : Network
        Of sources and `EnvelopeMedium` layers with one carrier.
    integrator : str
        Of the oscillators.

    Raises
    ------
    EquationError
        A part is something else, carriers differ, or a link has a signal or arrival of its own or a delay (which turns
        the phase of a carrier, but not that of an envelope), or neither p nor q is read out.
    """
    where = f"network {network.name!r} on its carrier"
    layers = [part for part in network.parts if isinstance(part, EnvelopeMedium)]
    carriers = sorted({layer.carrier for layer in layers})
    if len(carriers) != 1:
        raise EquationError(f"{where}: the envelopes have the carriers {carriers} rad/s; there must be one")
    for link in network.links:
        if link.signal or link.into or link.delay:
            raise EquationError(
                f"{where}: link {link.label!r} has a signal, an arrival or a delay of its own; leave it out"
            )
    parts = [_sounding(part, carriers[0], integrator, where) for part in network.parts]
    biased = [layer for layer in layers if layer.bias]
    pilots = [Pilot(PILOT, carriers[0])] if biased else []
    biases = [Link(PILOT, layer.name, f"{BIAS}->{layer.name}", weights=np.zeros((layer.size, 1))) for layer in biased]
    if network.readout.expression not in QUADRATURES:
        raise EquationError(f"{where}: {network.readout.expression!r} is read out; read the quadrature 'p' or 'q'")
    kind = Demodulated(carriers[0], part=QUADRATURES[network.readout.expression])
    readout = replace(network.readout, expression="x", kind=kind)
    return replace(network, parts=(*parts, *pilots), links=(*network.links, *biases), readout=readout)


def _sounding(part: Part, carrier: float, integrator: str, where: str) -> Part:
    """A part of an envelope network as the part of a carrier network that it stands for."""
    if isinstance(part, EnvelopeMedium):
        return CarrierMedium(part.name, part.size, part.potential, part.damping, integrator)
    if type(part) is Source:
        return CarrierSource(part.name, part.size, carrier=carrier)
    raise EquationError(f"{where}: {part.name!r} is a {type(part).__name__}; only sources and envelopes have a carrier")
