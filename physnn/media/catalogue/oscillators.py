"""Oscillators, rings and the recurrent networks that are built like them."""

from __future__ import annotations

import numpy as np

from physnn.equations import Input
from physnn.media.catalogue.entry import Entry
from physnn.media.lstm import self_fed
from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.oscillators import (
    CoRNN,
    Duffing,
    Harmonic,
    Kuramoto,
    LinOSS,
    MeanFieldKuramoto,
    StuartLandau,
)
from physnn.media.part import Part
from physnn.media.readout import Readout
from physnn.media.ring import LotkaVolterra, Ring

RINGS = "Jiang, Feng, Algorithms 18, 594 (2025)"


def _driven(part: Part, reads: str, gain: float = 1.0) -> Network:
    """Three lines into a part, which is read out."""
    return Network((Source("in", 3), part), (Link("in", part.name, gain=gain),), Readout(part.name, reads))


def _harmonic() -> Network:
    return _driven(Harmonic("oscillators", 4, frequency=[1.0, 1.5, 2.0, 2.5], damping=0.8), "x")


def _duffing() -> Network:
    return _driven(Duffing("oscillators", 4, stiffness=[1.0, 1.5, 2.0, 2.5], hardening=0.5, damping=0.8), "x")


def _cornn() -> Network:
    return _driven(CoRNN("oscillators", 4, stiffness=1.5, damping=0.9, gain=0.4), "y")


def _linoss(scheme: str) -> Network:
    parts = (
        Source("in", 3),
        LinOSS("oscillators", 4, [0.2, 0.5, 1.0, 2.0], scheme),
        Medium("sum", 2, "y : 1 (arrival)", signal="y", arrival="y"),
    )
    links = (Link("in", "oscillators", "B"), Link("oscillators", "sum", "C"), Link("in", "sum", "D"))
    return Network(parts, links, Readout("sum", "y"))


def _linoss_im() -> Network:
    return _linoss("IM")


def _linoss_imex() -> Network:
    return _linoss("IMEX")


_PHASES = [0.0, 1.0, 2.5, -0.7]


def _kuramoto() -> Network:
    ring = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
    return _driven(Kuramoto("oscillators", 4, [0.5, 1.0, 1.5, 2.0], coupling=0.8 * ring, start=_PHASES), "sin(theta)")


def _sakaguchi() -> Network:
    lags = 0.3 * np.arange(4)[:, None] - 0.2 * np.arange(4)
    oscillators = Kuramoto("oscillators", 4, [0.5, 1.0, 1.5, 2.0], coupling=1.5, lags=lags, start=_PHASES)
    return _driven(oscillators, "sin(theta)")


def _mean_field() -> Network:
    oscillators = MeanFieldKuramoto(
        "oscillators", 4, [0.5, 1.0, 1.5, 2.0], coupling=1.5, lag=0.2, start=_PHASES, trainable=("K", "alpha")
    )
    frequency = {"frequency": Input("oscillators", "omega")}
    return Network((oscillators,), (), Readout("oscillators", "sin(theta)"), inputs=frequency)


def _stuart_landau() -> Network:
    oscillators = StuartLandau("oscillators", 3, growth=0.5, frequency=[1.0, 2.0, 3.0], start=0.3 + 0.1j)
    return _driven(oscillators, "re(a) + 0.5*abs(a)", gain=0.4)


def _ring(backward: bool) -> Network:
    ring = Ring("cells", 3, loss=[0.6, 0.55, 0.65, 0.6, 0.5], backward=backward)
    return _driven(ring, ring.signal, gain=0.2)


def _forward_ring() -> Network:
    return _ring(backward=False)


def _backward_ring() -> Network:
    return _ring(backward=True)


def _lotka_volterra() -> Network:
    eats = [[0.0, -1.0, 0.0], [0.8, -0.1, -0.6], [0.0, 0.5, -0.2]]
    return _driven(LotkaVolterra("species", 3, [1.0, -0.3, -0.4], eats, start=[0.8, 0.6, 0.7]), "x", gain=0.2)


def _conv_lstm() -> Network:
    return self_fed((2, 4, 5))


ENTRIES = {
    "harmonic": Entry(
        "damped harmonic oscillators, driven", _harmonic, source="Landau, Lifshitz, Mechanics (1976), section 25"
    ),
    "duffing": Entry("Duffing oscillators, driven", _duffing, source="Duffing (1918)"),
    "cornn": Entry(
        "coupled oscillatory recurrent network (coRNN)",
        _cornn,
        source="Rusch, Mishra (ICLR 2021), equations (1) to (3)",
    ),
    "linoss-im": Entry(
        "oscillatory state-space layer (LinOSS), dissipative scheme",
        _linoss_im,
        part="oscillators",
        source="Rusch, Rus (ICLR 2025), equation (1)",
    ),
    "linoss-imex": Entry(
        "oscillatory state-space layer (LinOSS), conservative scheme",
        _linoss_imex,
        part="oscillators",
        source="Rusch, Rus (ICLR 2025), equation (1)",
        stationary=False,
    ),
    "kuramoto": Entry(
        "Kuramoto oscillators, pulled in pairs", _kuramoto, source="Kuramoto (1984), section 5.4", stationary=False
    ),
    "kuramoto-lags": Entry(
        "Kuramoto oscillators with phase lags",
        _sakaguchi,
        source="Sakaguchi, Kuramoto, Prog. Theor. Phys. 76, 576 (1986)",
        stationary=False,
    ),
    "kuramoto-mean-field": Entry(
        "Kuramoto oscillators in their mean field, frequencies from the input",
        _mean_field,
        source="Kuramoto (1984), section 5.4",
        stationary=False,
    ),
    "stuart-landau": Entry(
        "Stuart-Landau oscillators, driven",
        _stuart_landau,
        source="Landau (1944); Stuart (1960)",
        stationary=False,
        step=0.02,
    ),
    "ring": Entry(
        "symmetric rings of five elements (Wuxing)",
        _forward_ring,
        source=f"{RINGS}, equations (8) to (11)",
        stationary=False,
        step=0.1,
    ),
    "ring-backward": Entry(
        "the same rings with every influence turned round",
        _backward_ring,
        source=f"{RINGS}, equations (12) and (13)",
        stationary=False,
        step=0.1,
    ),
    "lotka-volterra": Entry(
        "species that grow and eat each other, the parent case of rings",
        _lotka_volterra,
        source=f"{RINGS}, equation (7)",
        stationary=False,
    ),
    "conv-lstm": Entry(
        "convolutional LSTM, fed with its own output",
        _conv_lstm,
        part="cells",
        source='baseline of "Traveling waves integrate spatial information through time" (2025)',
        stationary=False,
        step=1.0,
        steps=6,
    ),
}
