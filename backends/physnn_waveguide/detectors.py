"""Detectors: where waves arrive at active elements, each with noise of its own.

A line of loss A [dB] weakens its wave by kappa = 10^(-A/20); the amplifier at its end makes up for it, and amplifies
the detector's noise by 1/kappa in doing so. In the arrival of an envelope the noise has random phase.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import System
from physnn.equations.schedule import Task
from physnn.substrate.placement import PlacedSystem


class Detectors:
    """All detectors of one direction through a network, in a row.

    Parameters
    ----------
    placed : PlacedSystem
        Profile, seed and scales.
    system : System
        The System that runs here: the incident one or a companion.
    populations : iterable of str
        Those that detect what arrives.
    direction : str
        Name of this direction in the noise streams.
    passes : Counter
        Direction -> samples so far, each of which has noise of its own.
    """

    def __init__(
        self, placed: PlacedSystem, system: System, populations: Iterable[str], direction: str, passes: Counter[str]
    ) -> None:
        self.placed, self.system, self.direction, self.passes = placed, system, direction, passes
        loss = placed.profile.medium.line_loss
        self.amplification = 10 ** (loss.value / 20) if loss else 1.0
        self.places: dict[Task, slice] = {}
        """(population, arrival) -> where its detectors are in the row; two quadratures one after the other"""
        self.rms = self._placed(populations)
        """noise of each detector [model units]"""

    def _placed(self, populations: Iterable[str]) -> NDArray[np.float64]:
        found: list[NDArray[np.float64]] = []
        end = 0
        for name in populations:
            population = self.system.populations[name]
            declared = population.variables.get("Z")
            is_impedance = declared is not None and declared.role == "parameter" and declared.unit == "ohm"
            impedance = float(np.mean(population.values["Z"])) if is_impedance else None
            rms = self.placed.detector_noise(impedance)
            for arrival in population.role("arrival"):
                # No line ends within a junction.
                travelled = any(not coupling.local for coupling in self.system.arriving(name, arrival))
                if travelled and rms:
                    quadratures = 2 if population.variables[arrival].complex else 1
                    size = quadratures * math.prod(population.shape)
                    self.places[name, arrival] = slice(end, end + size)
                    found.append(np.full(size, rms / math.sqrt(quadratures) * self.amplification))
                    end += size
        return np.concatenate(found) if found else np.zeros(0)

    def noise(self, batch: int, purpose: str, first: int, step: int = 0) -> dict[Task, NDArray]:
        """Noise of all detectors at one moment [model units], (batch, *shape) each, from one draw.

        Samples pass one after another, and each has its own noise by its number since the network was built: `first`
        is that of row 0. So the noise does not depend on how samples are gathered into batches.
        """
        if not self.places:
            return {}
        shape = (batch, self.rms.size)
        draw = streams.normal(self.placed.seed, self.direction, purpose, shape, step=step, first_sample=first)
        drawn = self.rms * draw
        return {at: self._shaped(at, drawn[:, place]) for at, place in self.places.items()}

    def _shaped(self, at: Task, drawn: NDArray[np.float64]) -> NDArray:
        population = self.system.populations[at[0]]
        if population.variables[at[1]].complex:
            half = drawn.shape[1] // 2
            drawn = drawn[:, :half] + 1j * drawn[:, half:]
        return drawn.reshape(len(drawn), *population.shape)

    def next(self, batch: int) -> int:
        """The number of the first of the next `batch` samples."""
        first = self.passes[self.direction]
        self.passes[self.direction] += batch
        return first
