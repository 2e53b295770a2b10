"""Critical amplitude-phase modes, alone, coupled, and as a layer that is read by its frequencies."""

from __future__ import annotations

from physnn.equations import Input
from physnn.media.catalogue.entry import Entry
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import synchronising_couplings
from physnn.media.oscillators.critical_layer import DETUNING, CriticalLayer
from physnn.media.readout import Readout

_SOURCE = 'Galinsky, Frank, "Critically synchronized brain waves" (2023), equations '


def _excited() -> Network:
    """What enters excites the modes; each answers with its own oscillation."""
    modes = CriticalModes("modes", 3, gamma=[0.3, 0.9, 1.5], omega=[0.8, 1.0, 1.3], start=[0.2, 0.1 + 0.2j, -0.3j])
    return Network([Source("in", 2), modes], [Link("in", "modes", gain=0.3)], Readout("modes", "re(a)"))


def _coupled() -> Network:
    """Unlike modes with couplings that synchronise them; their initial phases enter."""
    omega = [0.7, 1.0, 1.4]
    couplings = synchronising_couplings(omega, 0.3, 1.0, 1.5)
    modes = CriticalModes("modes", 3, gamma=0.3, omega=omega, couplings=couplings, start=[0.2, 0.1 + 0.2j, -0.3j])
    return Network([modes], [], Readout("modes", "re(a) + 0.5*abs(a)"), inputs={"start": Input("modes", "a")})


def _layer() -> Network:
    """What enters excites and detunes the modes; each answers with its effective frequency."""
    modes = CriticalLayer("modes", 4, b=[-0.5, 0.5, 1.5, 2.5], d=[0.3, -0.2, 0.1, 0.0])
    links = [Link("in", "modes", "excitation"), Link("in", "modes", "detuning", into=DETUNING)]
    return Network([Source("in", 3), modes], links, Readout("modes", "x"))


ENTRIES = {
    "critical-modes": Entry(
        "critical amplitude-phase modes, excited from outside",
        _excited,
        source=_SOURCE + "(11), (12), (21)",
        stationary=False,
        step=0.05,
    ),
    "critical-modes-coupled": Entry(
        "critical amplitude-phase modes with synchronising couplings",
        _coupled,
        source=_SOURCE + "(19), (20)",
        stationary=False,
        step=0.05,
    ),
    "critical-layer": Entry(
        "critical modes, excited and detuned, read by their effective frequency",
        _layer,
        source=_SOURCE + "(14), (26), (27)",
    ),
}
