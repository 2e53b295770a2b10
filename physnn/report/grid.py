"""Results as a grid: learning rules down, substrates across, and each reason for an empty place once, numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from physnn.report.cells import Cell, cells_of, value_at
from physnn.report.rows import Row, mean, summarise

MARGIN = 0.03
"""of accuracy above untrained waveguides [1] from which trained hidden layers are said to have helped"""
NO_COSINE = "no cosine"


@dataclass(frozen=True)
class Reason:
    """Why some pairs hold no number."""

    number: int
    status: str
    """refused, failed, or no cosine (where all else was measured)"""
    text: str
    pairs: Mapping[str, tuple[str, ...]]
    """rule -> substrates"""

    @property
    def where(self) -> str:
        """The pairs in words."""
        return "; ".join(f"{rule} on {', '.join(places)}" for rule, places in self.pairs.items())


@dataclass(frozen=True)
class Grid:
    """One data set's pairs of rule and substrate, trained in place; means over seeds."""

    dataset: str
    rules: tuple[str, ...]
    substrates: tuple[str, ...]
    rows: Mapping[tuple[str, str], Row]
    reasons: tuple[Reason, ...]
    linear: float | None
    """Mean test accuracy of the linear readout [1]."""
    frozen_hidden: float | None
    """Mean test accuracy of a readout of untrained waveguides, whatever medium a rule needs itself [1]."""

    def number(self, rule: str, substrate: str, *statuses: str) -> int | None:
        """The number of the reason why a pair is refused or failed (or of the statuses given); None where there is
        none.
        """
        wanted = statuses or ("refused", "failed")
        for reason in self.reasons:
            if reason.status in wanted and substrate in reason.pairs.get(rule, ()):
                return reason.number
        return None

    def helped(self, row: Row) -> bool:
        """Whether a pair lies `MARGIN` above the untrained waveguides; true where either is not known."""
        if row.accuracy is None or self.frozen_hidden is None:
            return True
        return row.accuracy >= self.frozen_hidden + MARGIN


def grid(results: Mapping[str, Any]) -> Grid:
    """The grid of results on one data set.

    Raises
    ------
    ExperimentError
        The results have another schema.
    """
    rows, cells = summarise(results), cells_of(results)
    return Grid(
        ", ".join(dict.fromkeys(row.dataset for row in rows)),
        tuple(dict.fromkeys(row.rule for row in rows)),
        tuple(dict.fromkeys(row.run_on for row in rows)),
        {(row.rule, row.run_on): row for row in rows},
        _reasons(cells),
        mean(row.linear for row in rows),
        mean(row.frozen_hidden for row in rows),
    )


def _reasons(cells: list[Cell]) -> tuple[Reason, ...]:
    found: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for cell in cells:
        status, told = cell["status"], cell.get("reason") or "no reason was recorded"
        if status == "done":
            status, told = NO_COSINE, value_at(cell, "gradient_cosine", "reason")
            if told is None:
                continue
        # The name of the profile is that of the pair; without it one reason is told once for all of them.
        text = str(told).replace(f"profile {value_at(cell, 'profile')!r}: ", "")
        found.setdefault((status, text), {}).setdefault(cell["rule"], {})[cell["run_on"]] = None
    return tuple(
        Reason(number, status, text, {rule: tuple(places) for rule, places in pairs.items()})
        for number, ((status, text), pairs) in enumerate(found.items(), 1)
    )
