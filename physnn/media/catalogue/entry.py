"""What the catalogue knows of a medium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from physnn.equations import System
from physnn.media.network import Network


@dataclass(frozen=True)
class Entry:
    """A medium in a small network: what `physnn media show` prints and what the conformance suite runs."""

    title: str
    """what it is, in a few words"""
    build: Callable[[], Network]
    part: str = ""
    """the part of the network that is shown; the one that is read out where empty"""
    source: str = ""
    """where the equations come from"""
    stationary: bool = True
    """whether it settles for constant inputs"""
    smooth: bool = True
    """whether its gradients exist (events have none)"""
    random: bool = False
    """whether it draws noise as it runs"""
    step: float = 0.05
    """time step at which it is run [s, model time]"""
    steps: int = 40
    """length of such a run; time enough for what is trained to reach the output"""

    def shown(self, system: System) -> str:
        """The population that is shown: `part`, or that of the first output."""
        return self.part or next(iter(system.outputs.values())).population
