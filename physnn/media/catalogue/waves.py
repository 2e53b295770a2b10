"""Layered media in which waves travel from layer to layer."""

from __future__ import annotations

from physnn.media.catalogue.entry import Entry
from physnn.media.medium import Source
from physnn.media.network import Network
from physnn.media.waveguide import ACTIVATIONS, Waveguide


def _layered(activation: str) -> Entry:
    def build() -> Network:
        layers = [Waveguide("first", 5, activation), Waveguide("second", 4, activation, damping=1.5, time_constant=0.7)]
        return Network.layered([Source("in", 3), *layers], gain=0.8)

    return Entry(
        f"first-order layered waveguide, {activation} repeaters",
        build,
        source='"Deriving backpropagation from wave equations" (2026), equations (1) and (2)',
    )


ENTRIES = {f"waveguide-{activation}": _layered(activation) for activation in ACTIVATIONS}
