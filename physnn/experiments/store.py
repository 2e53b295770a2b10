"""The output folder: one record a cell, written whole or not at all; a cell that is there is not run again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from physnn.errors import ExperimentError
from physnn.experiments.schema import Cell, Experiment
from physnn.toml_reading import parse_json, read_bytes

SCHEMA = "physnn.results/1"
STATUSES = ("done", "failed", "refused")
_EXPERIMENT = "experiment.json"
_TABLES = ("accuracy", "controls", "gradient_cosine", "energy")
_LARGEST_FILE = 2**24
"""[byte]; a record has some thousands"""


def make_folder(folder: Path) -> None:
    """Make a folder for results, and those it lies in.

    Raises
    ------
    ExperimentError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExperimentError(
            f"cannot write to {folder} ({error.strerror}); choose another folder with --out"
        ) from None


class Store:
    """A folder that belongs to one experiment.

    Raises
    ------
    ExperimentError
        The folder cannot be written, or it holds another experiment.
    """

    def __init__(self, folder: str | os.PathLike[str], experiment: Experiment) -> None:
        self.folder = Path(folder)
        self.experiment = experiment
        self.cells = self.folder / "cells"
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            self._claim()
        except OSError as error:
            raise ExperimentError(
                f"cannot write to the output folder {self.folder} ({error.strerror}); choose another with --out"
            ) from None

    def _claim(self) -> None:
        """Mark the folder as this experiment's, or find that it is another's."""
        mark = self.folder / _EXPERIMENT
        if not mark.exists():
            if any(path.suffix == ".json" for path in self.folder.iterdir()):
                raise ExperimentError(
                    f"the folder {self.folder} holds files of something else; choose another with --out"
                )
            write_json(
                mark,
                {"fingerprint": self.experiment.fingerprint, "experiment": self.experiment.model_dump(mode="json")},
            )
            return
        held = read_json(mark)
        if not isinstance(held, dict) or held.get("fingerprint") != self.experiment.fingerprint:
            raise ExperimentError(
                f"the folder {self.folder} holds another experiment; choose another folder with --out, or empty it"
            )

    def get(self, cell: Cell) -> dict[str, Any] | None:
        """The record of a cell that ran to its end, whatever its end was; None where there is none."""
        path = self.cells / f"{cell.key}.json"
        if not path.exists():
            return None
        record = read_json(path)
        if not _is_record(record, cell):
            raise ExperimentError(f"{path} is not the record of its cell; delete it and run again")
        return record

    def put(self, cell: Cell, record: dict[str, Any]) -> None:
        """Keep a cell's record."""
        write_json(self.cells / f"{cell.key}.json", record)

    def results(self) -> dict[str, Any]:
        """All records so far, in the experiment's order, as `results.json` holds them."""
        found = [self.get(cell) for cell in self.experiment.cells()]
        return {
            "schema": SCHEMA,
            "experiment": self.experiment.model_dump(mode="json"),
            "cells": [r for r in found if r],
        }


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it; NaN is refused."""
    text = json.dumps(value, indent=1, allow_nan=False)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as JSON types: numbers that are not finite become null."""
    return json.loads(json.dumps(dict(record), default=float), parse_constant=lambda _: None)


def read_json(path: Path) -> Any:
    """A JSON file's value; `ExperimentError` where it cannot be read or holds a number that is not finite."""
    try:
        return parse_json(read_bytes(path, _LARGEST_FILE))
    except (OSError, ValueError, RecursionError) as error:
        raise ExperimentError(f"{path} cannot be read ({type(error).__name__}); delete it and run again") from None


def _is_record(value: Any, cell: Cell) -> bool:
    """Whether a value is the record of this cell, with the tables that every record has."""
    if not isinstance(value, dict) or any(value.get(key) != wanted for key, wanted in cell.model_dump().items()):
        return False
    tables = all(isinstance(value.get(key), dict) for key in _TABLES)
    return tables and value.get("status") in STATUSES and _is_number(value["accuracy"].get("test"))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
