"""Cells that fire."""

from __future__ import annotations

from collections.abc import Callable

from physnn.media.catalogue.entry import Entry
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.media.waveguide import Waveguide

STEP, STEPS = 1e-3, 60


def _layered(cells: LIF) -> Network:
    """Currents strong enough that half of the cells fire, and a layer that smoothes their spikes."""
    return Network.layered([Source("in", 3), cells, Waveguide("out", 2, time_constant=0.02)], gain=(4.0, 0.8))


def _lif() -> Network:
    return _layered(LIF("cells", 4))


def _synaptic() -> Network:
    return _layered(LIF("cells", 4, synapse=0.005, trainable=("tau", "tau_s")))


def _adaptive() -> Network:
    return _layered(AdaptiveLIF("cells", 4, adaptation_time=0.05, trainable=("beta", "tau_b")))


def _two_compartments() -> Network:
    """One source reaches the basal, one the apical compartments."""
    cells = TwoCompartmentLIF("cells", 4, apical_time=0.01, trainable=("c", "k"))
    out = Waveguide("out", 2, time_constant=0.02)
    links = [
        Link("basal", "cells", gain=4.0),
        Link("apical", "cells", into="z_apical", gain=3.0),
        Link("cells", "out", gain=0.8),
    ]
    return Network([Source("basal", 3), Source("apical", 2), cells, out], links, Readout("out"))


def _entry(title: str, build: Callable[[], Network], source: str) -> Entry:
    return Entry(title, build, "cells", source, stationary=False, smooth=False, step=STEP, steps=STEPS)


ENTRIES = {
    "lif": _entry(
        "leaky integrate-and-fire cells", _lif, "Gerstner, Kistler, Naud, Paninski, Neuronal Dynamics (2014), 1.3"
    ),
    "lif-synaptic": _entry(
        "leaky integrate-and-fire cells behind exponential synapses",
        _synaptic,
        "Gerstner, Kistler, Naud, Paninski, Neuronal Dynamics (2014), 1.3 and 3.1; learnt time constants: Fang et al., "
        "ICCV 2021",
    ),
    "lif-adaptive": _entry(
        "leaky integrate-and-fire cells with an adaptive threshold",
        _adaptive,
        "Bellec et al., Nature Communications 11:3625 (2020)",
    ),
    "lif-two-compartment": _entry(
        "leaky integrate-and-fire cells with a basal and an apical compartment",
        _two_compartments,
        "Rospars, Lansky, Biological Cybernetics 69:283 (1993)",
    ),
}
