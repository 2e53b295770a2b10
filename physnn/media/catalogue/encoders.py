"""Encoders, each in front of the same leaky elements or oscillators."""

from __future__ import annotations

from physnn.equations import Input
from physnn.media.catalogue.entry import Entry
from physnn.media.encoders import Carrier, Pulse, Rate
from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout

_LEAK = """
dx/dt = (tanh(z) - x)/tau : 1
z   : 1 (arrival)
tau : s (trainable)
"""
_ENVELOPE = """
da/dt = (z - (1 + 1j*detuning)*a)/tau : 1 (complex)
z        : 1 (arrival, complex)
tau      : s (parameter)
detuning : 1 (trainable)
"""
_SWING = """
dx/dt = v                       : 1
dv/dt = z - omega**2*x - g*v    : 1/s
z     : 1/s**2 (arrival)
omega : 1/s    (parameter)
g     : 1/s    (trainable)
"""


def _before_leaks(source: Source) -> Network:
    leaks = Medium("leaks", 4, _LEAK, {"tau": 0.5})
    return Network((source, leaks), (Link("in", "leaks"),), Readout("leaks"))


def _envelope() -> Network:
    medium = Medium("modes", 4, _ENVELOPE, {"tau": 0.5, "detuning": [0.5, 1.0, -1.0, 0.2]}, signal="a")
    source = Carrier("in", 3, phase=[0.0, 0.8, 2.0], envelope=True)
    return Network((source, medium), (Link("in", "modes"),), Readout("modes", "re(a) + im(a)"))


def _set_by_ports(port: str, variable: str, start: float) -> Network:
    """Oscillators that a source drives, and one of whose variables comes with each sample."""
    values = {"omega": [1.0, 1.5, 2.0, 2.5], "g": 0.3, "x": start}
    medium = Medium("oscillators", 4, _SWING, values, unit="1/s**2", integrator="symplectic")
    ports = {port: Input("oscillators", variable)}
    return Network((Source("in", 3), medium), (Link("in", "oscillators"),), Readout("oscillators"), inputs=ports)


ENTRIES = {
    "encoder-pulse": Entry(
        "rectangular pulse", lambda: _before_leaks(Pulse("in", 3, width=0.6, at=0.2)), part="in", stationary=False
    ),
    "encoder-gaussian-pulse": Entry(
        "Gaussian pulse",
        lambda: _before_leaks(Pulse("in", 3, width=0.3, at=[0.5, 0.7, 0.9], form="gaussian")),
        part="in",
        stationary=False,
    ),
    "encoder-carrier": Entry(
        "carrier with the amplitude u",
        lambda: _before_leaks(Carrier("in", 3, omega=[3.0, 4.0, 5.0], phase=0.4)),
        part="in",
        stationary=False,
        step=0.02,
        steps=80,
    ),
    "encoder-envelope": Entry("complex envelope of a carrier", _envelope, part="in"),
    "encoder-rate": Entry(
        "regular spikes at a rate proportional to u",
        lambda: _before_leaks(Rate("in", 3, rate=8.0, start=[0.0, 0.3, 0.6])),
        part="in",
        stationary=False,
        smooth=False,
        steps=60,
    ),
    "encoder-initial-condition": Entry(
        "initial condition through an input port", lambda: _set_by_ports("x0", "x", 0.0)
    ),
    "encoder-natural-frequency": Entry(
        "natural frequency through an input port", lambda: _set_by_ports("frequency", "omega", 0.5)
    ),
}
