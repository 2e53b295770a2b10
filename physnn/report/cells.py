"""Reading `results.json`: its cells, and numbers of a cell that may be missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from physnn.errors import ExperimentError

SCHEMA = "physnn.results/1"
STATUSES = ("done", "failed", "refused")
NAMES = ("dataset", "rule", "train_on", "run_on")

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """A quantity with its uncertainty: low, typical and high, in the SI unit of its field."""

    low: float
    typical: float
    high: float

    def overlaps(self, other: Range) -> bool:
        """Whether some value lies in both ranges."""
        return self.low <= other.high and other.low <= self.high


def cells_of(results: Mapping[str, Any]) -> list[Cell]:
    """The cells of a results object.

    Raises
    ------
    ExperimentError
        The schema is another one, or a cell lacks a name (dataset, rule, train_on, run_on) or a known status.
    """
    given = results.get("schema") if isinstance(results, Mapping) else None
    if given != SCHEMA:
        raise ExperimentError(
            f"results have the schema {given!r}, this report reads {SCHEMA!r}; run the comparison anew"
        )
    cells = results.get("cells")
    if not isinstance(cells, list):
        raise ExperimentError("results have no list 'cells'; run the comparison anew")
    for index, cell in enumerate(cells):
        if not isinstance(cell, Mapping):
            raise ExperimentError(f"results: cell {index} is {type(cell).__name__}, not a table of values")
        for name in NAMES:
            if not isinstance(cell.get(name), str):
                raise ExperimentError(f"results: cell {index} has no {name!r}; run the comparison anew")
        if cell.get("status") not in STATUSES:
            raise ExperimentError(
                f"results: cell {index} has the status {cell.get('status')!r}; allowed: {', '.join(STATUSES)}"
            )
    return cells


def value_at(cell: Cell, *path: str) -> Any:
    """What lies at a path of keys, or None where a part of the path is missing."""
    found: Any = cell
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def number(value: Any) -> float | None:
    """A finite float, or None for anything else (null, NaN, a text)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def numbers(value: Any) -> list[float | None]:
    """The entries of a list as finite floats or None; empty for anything that is not a list."""
    return [number(entry) for entry in value] if isinstance(value, (list, tuple)) else []


def texts(value: Any) -> tuple[str, ...]:
    """The entries of a list as texts; empty for anything that is not a list."""
    return tuple(str(entry) for entry in value) if isinstance(value, (list, tuple)) else ()


def as_range(value: Any) -> Range | None:
    """A range from `{low, typical, high}` or from one number; None where the typical value is missing."""
    if not isinstance(value, Mapping):
        value = {"typical": value}
    typical = number(value.get("typical"))
    if typical is None:
        return None
    low, high = number(value.get("low")), number(value.get("high"))
    return Range(typical if low is None else low, typical, typical if high is None else high)
