"""Media by name, each as a small network: what `physnn.testing.conformance` runs on every backend.

A medium that is registered here is held against the oracle, batches and finite differences without another test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.media.waveguide import ACTIVATIONS, Waveguide


@dataclass(frozen=True)
class Entry:
    """A medium in a small network."""

    build: Callable[[], Network]
    stationary: bool = True
    """whether it settles for constant inputs"""
    step: float = 0.05
    """time step at which it is run [s, model time]"""


def _layered(activation: str) -> Entry:
    def build() -> Network:
        layers = [Waveguide("first", 5, activation), Waveguide("second", 4, activation, damping=1.5, time_constant=0.7)]
        return Network.layered([Source("in", 3), *layers], gain=0.8)

    return Entry(build)


def _duffing() -> Network:
    oscillators = Medium(
        "oscillators",
        4,
        """
        dx/dt = v                               : 1
        dv/dt = drive - g*v - k*x - beta*x**3   : 1/s
        drive : 1/s**2 (arrival)
        g     : 1/s    (parameter)
        k     : 1/s**2 (trainable)
        beta  : 1/s**2 (trainable)
        """,
        {"g": 0.8, "k": [1.0, 1.5, 2.0, 2.5], "beta": 0.5},
        arrival="drive",
        unit="1/s**2",
    )
    return Network((Source("in", 3), oscillators), (Link("in", "oscillators"),), Readout("oscillators"))


MEDIA: dict[str, Entry] = {
    **{f"waveguide, {activation}": _layered(activation) for activation in ACTIVATIONS},
    "oscillators, Duffing": Entry(_duffing, step=0.02),
}
"""Name -> medium in a small network."""
