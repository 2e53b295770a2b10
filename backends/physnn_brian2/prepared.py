"""Runs of one Brian2 network after another, without what Brian2 does anew before each.

`Network.run` prepares all objects at every call: it makes their code again, which takes some 70 ms, as long as a
hundred steps of a small network. Where objects are those of the last run and have one clock, only steps are left.
"""

from __future__ import annotations

from typing import Any

import brian2

from physnn_brian2.quiet import uncollected


class Prepared:
    """A network that is run again and again.

    Parameters
    ----------
    network : brian2.Network
    clock : brian2.Clock
        Of its own objects; users may add others.
    """

    def __init__(self, network: brian2.Network, clock: brian2.Clock) -> None:
        self.network, self.clock = network, clock
        self.anew = False
        """whether every run is prepared anew, as Brian2 does it by itself"""
        self._last: list[Any] = []
        """the objects of the last run, in their order"""

    def run(self, steps: int) -> None:
        """Take steps from where the clock is."""
        objects = self.network.sorted_objects
        if self.anew or objects != self._last or any(each._clock is not self.clock for each in objects):
            with uncollected():
                self.network.run(steps * self.clock.dt, namespace={})
            self._last = self.network.sorted_objects
            return
        timestep, now, step = (self.clock.variables[name].get_value() for name in ("timestep", "t", "dt"))
        active = [each for each in objects if each.active]
        for _ in range(steps):
            self.network.t_ = now[0]
            for each in active:
                each.run()
            timestep[0] += 1
            now[0] = timestep[0] * step[0]
        self.network.t_ = now[0]
