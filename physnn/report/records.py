"""Flat records: one for each cell, every scalar under its dotted path, as CSV or for a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from physnn.report.cells import Cell, cells_of
from physnn.report.files import write_whole

RANGE = ("low", "typical", "high")
COLUMNS = (
    *("dataset", "rule", "train_on", "run_on", "profile", "backend", "seed", "status", "reason"),
    *(f"accuracy.{part}" for part in ("train", "validation", "test", "standard_error")),
    *("controls.linear", "controls.frozen_hidden", "gradient_cosine.label"),
    *(f"energy.inference_J.{bound}" for bound in RANGE),
    *(f"energy.training_J.{bound}" for bound in RANGE),
    *(f"energy.to_target_J.{bound}" for bound in RANGE),
    *("energy.not_counted", "energy.unverified_constants"),
    *(f"latency_s.{bound}" for bound in RANGE),
    "wall_s",
)
RANGES = ("energy.inference_J", "energy.training_J", "energy.to_target_J", "latency_s")


def records(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One flat table row a cell; all have the same keys, None where a cell has no such number.

    The fixed columns come first; after them what depends on the network and the profile: cosines by layer (counted
    from 0 in coupling order), energy by cause [J], counts.
    """
    flat = [_flat(cell) for cell in cells_of(results)]
    extra = dict.fromkeys(key for record in flat for key in record if key not in COLUMNS)
    return [{key: record.get(key) for key in (*COLUMNS, *sorted(extra))} for record in flat]


def write_csv(results: Mapping[str, Any], path: str | Path) -> Path:
    """Write the flat records; numbers with all their digits, an empty field for a missing one.

    Raises
    ------
    ExperimentError
        The results have another schema, or the file cannot be written.
    """
    rows = records(results)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_whole(path, text.getvalue().encode("utf-8"))


def _flat(cell: Cell) -> dict[str, Any]:
    return {key: value for key, value in _scalars(cell, "") if value is not None}


def _scalars(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _scalars(entry, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)) and path.startswith("gradient_cosine."):
        for index, entry in enumerate(value):
            yield from _scalars(entry, f"{path}.{index}")
    elif isinstance(value, (list, tuple)):
        yield path, "; ".join(str(entry) for entry in value)
    elif path in RANGES:
        # A lone number for a range is its typical value; null has no entry at all.
        yield f"{path}.typical", value
    else:
        yield path, value
