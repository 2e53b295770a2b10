"""Energy by cause: an inference on each substrate, a training run on each training substrate with each rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from physnn.report.cells import Cell, Range, as_range, cells_of, value_at
from physnn.report.rows import grouped, merge


@dataclass(frozen=True)
class Bill:
    """What one thing costs on one substrate, by cause."""

    dataset: str
    purpose: str
    """What the energy was spent on: one inference, or the whole training run with a rule."""
    substrate: str
    causes: tuple[tuple[str, Range], ...]
    """Cause and energy [J]: mean of typical, least low, greatest high over cells; the largest first."""

    @property
    def total(self) -> float:
        """Sum of the typical energies [J]."""
        return sum(energy.typical for _, energy in self.causes)

    @property
    def shares(self) -> dict[str, float]:
        """Cause and its share of the total [1]; empty where the total is zero."""
        return {cause: energy.typical / self.total for cause, energy in self.causes} if self.total > 0 else {}


def bills(results: Mapping[str, Any]) -> list[Bill]:
    """Bills of the cells that are done; rules share an inference on one substrate, run substrates a training run."""
    done = [cell for cell in cells_of(results) if cell["status"] == "done"]
    return [
        *_bills(done, "inference", lambda cell: ("one inference", cell["run_on"])),
        *_bills(done, "training", lambda cell: (f"the whole training run, {cell['rule']}", cell["train_on"])),
    ]


def _bills(cells: Iterable[Cell], table: str, label: Callable[[Cell], tuple[str, str]]) -> list[Bill]:
    found = []
    for (dataset, purpose, substrate), group in grouped(cells, lambda cell: (cell["dataset"], *label(cell))).items():
        tables = [value_at(cell, "energy", "breakdown", table) for cell in group]
        tables = [entry for entry in tables if isinstance(entry, Mapping)]
        causes = dict.fromkeys(cause for entry in tables for cause in entry)
        energies = [(str(cause), merge(as_range(entry.get(cause)) for entry in tables)) for cause in causes]
        known = sorted(((cause, energy) for cause, energy in energies if energy), key=lambda item: -item[1].typical)
        if known:
            found.append(Bill(dataset, purpose, substrate, tuple(known)))
    return found
