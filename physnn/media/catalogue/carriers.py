"""Second-order media on a carrier: real, and as envelopes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from physnn.equations import OneToOne
from physnn.media.carrier import on_carrier
from physnn.media.catalogue.entry import Entry
from physnn.media.envelope import EnvelopeMedium
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.normalisation import calibrated, with_sections
from physnn.media.potential import Potential, duffing, harmonic, saturable

SOURCE = '"Neural Networks are Wave Propagation Systems" (2026), part VI'


def _envelopes(potential: Potential) -> Network:
    """Two layers, driven a little below resonance."""
    layers = [
        EnvelopeMedium("first", 4, potential, damping=1.0, carrier=0.9),
        EnvelopeMedium("second", 3, potential, damping=0.8, carrier=0.9, bias=False),
    ]
    network = Network.layered([Source("in", 3), *layers], gain=0.8)
    return replace(network, readout=replace(network.readout, expression="p"))


def _carrier(potential: Potential, integrator: str) -> Callable[[], Network]:
    return lambda: on_carrier(_envelopes(potential), integrator=integrator)


def _bypassed() -> Network:
    """Three layers of one width; a low-loss guide leads around the second."""
    layers = [EnvelopeMedium(name, 3, duffing(1.0, 0.5), damping=1.5) for name in ("first", "second", "third")]
    network = Network.layered([Source("in", 3), *layers], gain=0.8)
    guide = Link("first", "third", operator=OneToOne((3,)), weights=np.full(3, 1.4))
    return replace(network, links=(*network.links, guide), readout=replace(network.readout, expression="p"))


def _normalised() -> Network:
    samples = np.array([[1.0, 0.2, -0.5], [-0.3, 0.8, 0.1], [0.4, -1.0, 0.6], [0.0, 0.5, 1.2]])
    return calibrated(with_sections(_envelopes(duffing()), carries="complex"), {"in": samples}, seed=7)


_WELL = Potential("D*(1 - cos(a*x))", {"D": 1.0, "a": 0.8}, units={"a": "1"}, trainable=("D", "a"))

ENTRIES = {
    "carrier-harmonic": Entry(
        "second-order medium on its carrier, linear elements",
        _carrier(harmonic(), "imex"),
        source=SOURCE,
        stationary=False,
        step=0.1,
    ),
    "carrier-duffing": Entry(
        "second-order medium on its carrier, Duffing elements",
        _carrier(replace(duffing(), trainable=("k", "b")), "symplectic"),
        source=SOURCE,
        stationary=False,
        step=0.1,
    ),
    "carrier-well": Entry(
        "second-order medium on its carrier, a potential of one's own",
        _carrier(_WELL, "symplectic"),
        source=SOURCE,
        stationary=False,
        step=0.1,
    ),
    "envelope-duffing": Entry(
        "second-order medium as envelope, Duffing elements",
        lambda: _envelopes(replace(duffing(), trainable=("k", "b"))),
        source=SOURCE + ", harmonic balance",
        step=0.1,
    ),
    "envelope-saturable": Entry(
        "second-order medium as envelope, springs that give way",
        lambda: _envelopes(saturable()),
        source=SOURCE + ", harmonic balance",
        step=0.1,
    ),
    "envelope-bypass": Entry(
        "second-order medium as envelope, a bypass guide around a layer",
        _bypassed,
        part="third",
        source='"Deriving backpropagation from wave equations" (2026), section 6: skip connections',
        step=0.1,
    ),
    "envelope-normalised": Entry(
        "second-order medium as envelope behind matching sections",
        _normalised,
        part="first-section",
        source='"Deriving backpropagation from wave equations" (2026), section 6: batch normalisation',
        step=0.1,
    ),
}
