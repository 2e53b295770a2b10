"""An analog computer with lines: every System that repeaters alone cannot be.

Integrators hold the states of flows, limiters project, comparators fire, sample-and-hold circuits step maps, and
feedback amplifiers and scattering junctions solve constraints, lines delay. Their equations are the System's own, so
the run is that of `physnn.execution` on NumPy arrays; what arrives at active cells passes detectors
(`physnn_waveguide.detectors`), and what the cells get wrong is part of the equations (`physnn_waveguide.cells`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Population, System, Trace
from physnn.equations.schedule import Task
from physnn.execution import Engine, NumpyArrays, Run
from physnn.substrate.contract import check_constant
from physnn.substrate.device_equations import scatters
from physnn.substrate.placement import PlacedSystem
from physnn_waveguide.detectors import Detectors


class AnalogComputer:
    """A System as analog cells, junctions and lines, in one direction.

    Parameters
    ----------
    placed : PlacedSystem
        Profile, seed and scales; its System is the incident one.
    system : System
        The System that runs here: the incident one or a companion.
    direction : str
        Name of this direction in the noise streams.
    passes : Counter
        Direction -> runs so far, each of which has noise of its own.
    """

    def __init__(self, placed: PlacedSystem, system: System, direction: str, passes: Counter[str]) -> None:
        self.placed, self.system, self.direction, self.passes = placed, system, direction, passes
        self.active = [
            name for name, population in system.populations.items() if population.dynamic and not scatters(system, name)
        ]
        """populations whose elements detect what arrives; what others pass on is detected where it is read"""
        self.detectors = Detectors(placed, system, self.active, direction, passes)
        self.engine = Engine(system, NumpyArrays())
        """of stationary states"""

    @cached_property
    def stepper(self) -> Engine:
        """The engine of runs in time: with every integrator's step as a map."""
        discrete = self.system.discrete
        return self.engine if discrete is self.system else Engine(discrete, NumpyArrays())

    def run(
        self,
        inputs: Mapping[str, NDArray],
        parameters: Mapping[str, NDArray],
        steps: int,
        h: float,
        state: Mapping[str, Any] | None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Step the network in time, each population by its own integrator.

        Noise in the equations is that of the interpreter with the seed `placed.seed + k 2^32`, k = 0 in the first run
        from rest, 1 in the second, and so on.
        """
        batch = _batch(inputs)
        spread = self._spread(h)
        first = self.detectors.next(batch) if state is None else state["first"]

        def errors(step: int) -> dict[Task, NDArray]:
            drawn = self.detectors.noise(batch, "detector in time", first, step)
            return {task: spread[task[0]] * value for task, value in drawn.items()}

        seed = self.placed.seed + (self._runs(state is None) << 32)
        drawn = errors if self.detectors.places else None
        made = Run(self.stepper, parameters, inputs, h, seed, state, record, drawn).advance(steps)
        trace = replace(made, state={**made.state, "first": first})
        start = round(trace.start / h)
        return self._read(trace, "output in time", first, range(start, start + steps + 1))

    def steady(
        self, inputs: Mapping[str, NDArray], parameters: Mapping[str, NDArray], tolerance: float
    ) -> tuple[Trace, int]:
        """The stationary state, and how often the waves went round to reach it. Its noise is drawn once."""
        check_constant(self.system, inputs)
        batch = _batch(inputs)
        first = self.detectors.next(batch)
        errors = self.detectors.noise(batch, "detector", first)
        # Numbers settle to their own rounding errors, not below.
        reached = max(tolerance, 16 * float(np.finfo(float).eps))
        trace, rounds = self.engine.steady(inputs, parameters, reached, errors=errors)
        return self._read(trace, "output", first, range(1)), rounds

    def settling(self, held: Mapping[str, NDArray], constants: float) -> dict[str, float]:
        """Time in which each population settles [s, model time]: so many of its longest declared time constants."""
        return {
            name: constants * _time_constant(population, held) if population.flows else 0.0
            for name, population in self.system.populations.items()
        }

    def _runs(self, from_rest: bool) -> int:
        """How many runs from rest with noise in the equations there were before this one."""
        if not any(population.noises for population in self.system.populations.values()):
            return 0
        key = f"{self.direction} with noise"
        self.passes[key] += from_rest
        return self.passes[key] - 1

    def _spread(self, h: float) -> dict[str, float]:
        """How much stronger the noise of one step is than that of a settled wave: sqrt(coth(h / 2 T)).

        A cell of time constant T averages the noise of many steps; with this factor what it holds fluctuates as in a
        stationary state, however long the step is. Maps do not average.
        """
        found = {}
        for name, population in self.system.populations.items():
            constant = _time_constant(population, self.placed.system.parameters) if population.flows else 0.0
            found[name] = math.tanh(h / (2 * constant)) ** -0.5 if constant else 1.0
        return found

    def _read(self, trace: Trace, purpose: str, first: int, steps: range) -> Trace:
        """The trace with the noise of detectors at output ports: those of passive parts, before which there is none."""
        outputs = dict(trace.outputs)
        for name, port in self.system.outputs.items():
            rms = 0.0 if port.population in self.active else self.placed.detector_noise()
            if rms and name in outputs and not self.system.derived:
                if self._behind_lines(port.population):
                    rms *= self.detectors.amplification
                outputs[name] = outputs[name] + rms * self._drawn(outputs[name], name, purpose, first, steps)
        return replace(trace, outputs=outputs)

    def _behind_lines(self, name: str) -> bool:
        """Whether lines of the profile end at a population that passes on what arrives: their loss is made up for."""
        return not scatters(self.system, name) and any(
            not c.local for c in self.system.couplings.values() if c.target == name
        )

    def _drawn(self, wave: NDArray, name: str, purpose: str, first: int, steps: range) -> NDArray:
        """Noise of mean square 1 at every moment, (batch, steps, *shape); that of an envelope has random phase."""

        def one(stream: str) -> NDArray[np.float64]:
            shape = wave[:, 0].shape
            drawn = [streams.normal(self.placed.seed, name, stream, shape, step=n, first_sample=first) for n in steps]
            return np.stack(drawn, axis=1)

        if not np.iscomplexobj(wave):
            return one(purpose)
        return (one(purpose) + 1j * one(f"{purpose}, second quadrature")) / math.sqrt(2)


def _time_constant(population: Population, held: Mapping[str, NDArray]) -> float:
    """The longest time among a population's parameters [s, model time]; 1 where it names none."""
    times = [
        float(np.max(held[f"{population.name}.{name}"]))
        for name in population.role("parameter")
        if population.variables[name].unit == "s" and f"{population.name}.{name}" in held
    ]
    return max((t for t in times if t > 0), default=1.0)


def _batch(inputs: Mapping[str, NDArray]) -> int:
    return next((len(value) for value in inputs.values()), 1)
