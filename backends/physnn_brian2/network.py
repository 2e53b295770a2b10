"""A run of a System in Brian2.

Each step: signals are delivered and constraints solved (`physnn.execution`), what arrived is put into the groups,
Brian2 steps them, tests thresholds and resets, and the states are read back. A step does what the interpreter's does.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import brian2
import numpy as np

from physnn.equations import Event, Population, System, Trace
from physnn.execution import Engine, Run
from physnn.execution.site import Site
from physnn_brian2.cells import Cells, cells
from physnn_brian2.plastic import PlasticCouplings
from physnn_brian2.prepared import Prepared
from physnn_brian2.quiet import Silent

_NUMBER = itertools.count()


class Call(Silent, brian2.NetworkOperation):
    """A function that Brian2 calls in every step."""


class BrianNetwork:
    """NeuronGroups of one System for one size of batch, in one Brian2 `Network`.

    Parameters
    ----------
    system : System
    batch : int
    step : float
        [s, model time]
    scale : float
        Physical seconds per second of model time.
    """

    def __init__(self, system: System, batch: int, step: float, scale: float) -> None:
        number = next(_NUMBER)
        self.step, self.scale = step, scale
        self.clock = brian2.Clock(dt=step * scale * brian2.second, name=f"physnn_{number}_clock")
        self.cells: dict[str, Cells] = {
            name: cells(system, name, batch, scale, self.clock, f"physnn_{number}_{index}")
            for index, (name, population) in enumerate(system.populations.items())
            if population.dynamic
        }
        self.plastic = PlasticCouplings(system, batch, scale, self.clock, f"physnn_{number}")
        self.running: BrianRun | None = None
        self.network = brian2.Network(*(each.group for each in self.cells.values()), *self.plastic.objects)
        if self.network.objects:
            for call, when in ((self._before, "start"), (self._after, "end")):
                self.network.add(Call(call, clock=self.clock, when=when, name=f"physnn_{number}_{when}"))
        self.prepared = Prepared(self.network, self.clock)

    def run(self, running: BrianRun, steps: int) -> None:
        """Take steps from where the run is."""
        self.running = running
        now = running.state["step"] * self.step * self.scale
        self.clock._set_t_update_dt(now * brian2.second)
        self.network.t_ = now
        if steps and self.network.objects:
            self.prepared.run(steps)
        else:
            for _ in range(steps):
                self._before()
                self._after()

    def _before(self) -> None:
        assert self.running is not None
        self.running.hand_over()

    def _after(self) -> None:
        assert self.running is not None
        self.running.take_back()


class BrianRun(Run):
    """One run in time whose populations Brian2 steps."""

    def __init__(self, engine: Engine, made: BrianNetwork, *arguments: Any) -> None:
        super().__init__(engine, *arguments)
        self.made = made
        for name, each in made.cells.items():
            here = self.sites[name].here
            each.put({own: here[own] for own in each.used if own in self.sites[name].compiled.parameters})
        made.plastic.start(self)

    def advance(self, steps: int) -> Trace:
        """Take the steps and return what was recorded."""
        for name, site in self.sites.items():
            for own in (*site.population.dynamic, *site.population.constraints):
                site.here[own] = self.state[f"{name}.{own}"]
        for name, each in self.made.cells.items():
            each.put({own: self.state[f"{name}.{own}"] for own in each.population.dynamic})
            for event in each.population.events:
                each.put_rest(event.name, self.state[f"{name}.{event.name}:rest"])
        with self.arrays.unchecked():
            self.made.run(self, steps)
            end = dict(self.state)
            self._resolve()
            return self._trace(end)

    def hand_over(self) -> None:
        """Deliver signals, solve constraints, and put what follows from them where Brian2 reads it."""
        self._resolve()
        for name, each in self.made.cells.items():
            site = self.sites[name]
            fixed = {*site.compiled.parameters, *each.population.dynamic}
            fixed -= {own for own in site.compiled.parameters if f"{name}.{own}" in self.played}
            each.put({own: site.here[own] for own in each.used if own not in fixed})
            each.put_noise({noise: site.here[noise] for noise in each.population.noises})
        self.made.plastic.hand_over(self)

    def take_back(self) -> None:
        """What Brian2 made of the step."""
        self._move()
        self.made.plastic.take_back(self)

    def _advance(self, site: Site) -> None:
        name = site.population.name
        each = self.made.cells[name]
        found = {own: each.get(own) for own in site.population.dynamic}
        site.here |= found
        self.state |= {f"{name}.{own}": value for own, value in found.items()}

    def _fire(self, population: Population, event: Event, site: Site) -> None:
        key = f"{population.name}.{event.name}"
        self.state[key], self.state[f"{key}:rest"] = self.made.cells[population.name].events(event.name)


def numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as arrays of their own."""
    return {name: np.array(value, dtype=np.result_type(value, float)) for name, value in values.items()}
