"""Cells grouped over seeds: one row for each data set, rule, training substrate and run substrate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from physnn.report.cells import NAMES, Cell, Range, as_range, cells_of, number, numbers, texts, value_at

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One combination of data set, rule and substrates, over its seeds. Means are over the cells that are done."""

    dataset: str
    rule: str
    train_on: str
    run_on: str
    backend: str
    done: int
    failed: int
    refused: int
    accuracy: float | None
    """Mean test accuracy [1]."""
    seed_error: float | None
    """Standard error of that mean over seeds, s / sqrt(n) [1]; None below two seeds."""
    image_error: float | None
    """Binomial standard error of one evaluation [1]. All seeds share the test images: it does not shrink with seeds."""
    linear: float | None
    """Mean test accuracy of the linear readout [1]."""
    frozen_hidden: float | None
    """Mean test accuracy of the same network with frozen hidden layers [1]."""
    first_start: float | None
    """Mean gradient cosine [1] of the first layer at the start of training; the next three likewise."""
    first_end: float | None
    last_start: float | None
    last_end: float | None
    gradient_label: str | None
    """native, twin-assisted, or both where seeds differ."""
    inference: Range | None
    """Energy of one inference [J]: mean of typical, least low, greatest high. None: not a device."""
    training: Range | None
    """Energy of the whole training run [J], on the training substrate."""
    to_target: Range | None
    """Energy of training up to the target accuracy [J], where a target was given and reached."""
    latency: Range | None
    """Latency of one inference [s]."""
    unverified: int
    """Number of profile constants behind these energies that nobody has verified."""
    unverified_names: tuple[str, ...]
    not_counted: tuple[str, ...]

    @property
    def error(self) -> float | None:
        """Standard error of the mean accuracy [1]: over seeds and over test images, added in quadrature."""
        known = [part for part in (self.seed_error, self.image_error) if part is not None]
        return math.hypot(*known) if known else None

    @property
    def place(self) -> str:
        """Where it runs, and where it was trained if that is another substrate."""
        return self.run_on if self.train_on == self.run_on else f"{self.train_on} → {self.run_on}"

    @property
    def label(self) -> str:
        """Rule and place."""
        return f"{self.rule} on {self.place}"


@dataclass(frozen=True)
class Outcome:
    """Cells of one combination that did not end as done, for one reason."""

    status: str
    dataset: str
    rule: str
    place: str
    seeds: tuple[str, ...]
    reason: str


def summarise(results: Mapping[str, Any]) -> list[Row]:
    """Rows in the order in which their combinations first occur in the results."""
    groups = grouped(cells_of(results), lambda cell: tuple(cell[name] for name in NAMES))
    return [_row(cells) for cells in groups.values()]


def outcomes(results: Mapping[str, Any]) -> list[Outcome]:
    """Refused and failed cells, those with the same combination and reason together; failed ones first."""
    lost = [cell for cell in cells_of(results) if cell["status"] != "done"]
    lost.sort(key=lambda cell: cell["status"])
    groups = grouped(lost, lambda cell: (cell["status"], *(cell[name] for name in NAMES), cell.get("reason")))
    found = []
    for (status, dataset, rule, train_on, run_on, reason), cells in groups.items():
        place = run_on if train_on == run_on else f"{train_on} → {run_on}"
        seeds = tuple(str(cell.get("seed")) for cell in cells)
        found.append(Outcome(status, dataset, rule, place, seeds, str(reason or "no reason was recorded")))
    return found


def pareto(rows: Iterable[Row]) -> list[Row]:
    """Rows that no other row beats in typical inference energy and mean accuracy at once, by rising energy.

    Error bars are not looked at: the front is that of the central values.
    """
    known = [row for row in rows if row.inference is not None and row.accuracy is not None]
    return sorted((row for row in known if not any(_beats(other, row) for other in known)), key=_energy)


def grouped(items: Iterable[T], key: Callable[[T], Any]) -> dict[Any, list[T]]:
    """Items by key, keys in order of first occurrence."""
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there; None if none is."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def merge(ranges: Iterable[Range | None]) -> Range | None:
    """Mean of typical, least low, greatest high of the ranges that are there; None if none is."""
    known = [entry for entry in ranges if entry is not None]
    if not known:
        return None
    typical = math.fsum(entry.typical for entry in known) / len(known)
    return Range(min(entry.low for entry in known), typical, max(entry.high for entry in known))


def _row(cells: Sequence[Cell]) -> Row:
    done = [cell for cell in cells if cell["status"] == "done"]
    accuracies = [number(value_at(cell, "accuracy", "test")) for cell in done]
    labels = {str(label) for cell in done if (label := value_at(cell, "gradient_cosine", "label"))}
    names, count = _unverified(done)
    return Row(
        **{name: cells[0][name] for name in NAMES},
        backend=str(cells[0].get("backend") or ""),
        done=len(done),
        failed=sum(cell["status"] == "failed" for cell in cells),
        refused=sum(cell["status"] == "refused" for cell in cells),
        accuracy=mean(accuracies),
        seed_error=_standard_error(accuracies),
        image_error=mean(number(value_at(cell, "accuracy", "standard_error")) for cell in done),
        linear=mean(number(value_at(cell, "controls", "linear")) for cell in done),
        frozen_hidden=mean(number(value_at(cell, "controls", "frozen_hidden")) for cell in done),
        first_start=mean(_cosine(cell, "per_layer_start", 0) for cell in done),
        first_end=mean(_cosine(cell, "per_layer_end", 0) for cell in done),
        last_start=mean(_cosine(cell, "per_layer_start", -1) for cell in done),
        last_end=mean(_cosine(cell, "per_layer_end", -1) for cell in done),
        gradient_label=" and ".join(sorted(labels)) or None,
        inference=merge(as_range(value_at(cell, "energy", "inference_J")) for cell in done),
        training=merge(as_range(value_at(cell, "energy", "training_J")) for cell in done),
        to_target=merge(as_range(value_at(cell, "energy", "to_target_J")) for cell in done),
        latency=merge(as_range(cell.get("latency_s")) for cell in done),
        unverified=count,
        unverified_names=names,
        not_counted=_union(texts(value_at(cell, "energy", "not_counted")) for cell in done),
    )


def _standard_error(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    centre = math.fsum(known) / len(known)
    variance = math.fsum((value - centre) ** 2 for value in known) / (len(known) - 1)
    return math.sqrt(variance / len(known))


def _cosine(cell: Cell, when: str, layer: int) -> float | None:
    layers = numbers(value_at(cell, "gradient_cosine", when))
    return layers[layer] if layers else None


def _unverified(cells: Iterable[Cell]) -> tuple[tuple[str, ...], int]:
    """Names of the unverified constants and their number; a record may hold names or a number alone."""
    entries = [value_at(cell, "energy", "unverified_constants") for cell in cells]
    names = _union(texts(entry) for entry in entries)
    counts = [int(count) for entry in entries if (count := number(entry)) is not None]
    return names, max([len(names), *counts])


def _union(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry for entries in lists for entry in entries))


def _energy(row: Row) -> float:
    return row.inference.typical if row.inference else math.inf


def _beats(one: Row, other: Row) -> bool:
    a, b = (-_energy(one), one.accuracy or 0.0), (-_energy(other), other.accuracy or 0.0)
    return a != b and a[0] >= b[0] and a[1] >= b[1]


def each_once(rows: Sequence[Row], entries: Callable[[Row], Sequence[str]]) -> dict[str, list[Row]]:
    """Each entry with the rows that it belongs to."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        for entry in entries(row):
            found.setdefault(entry, []).append(row)
    return found
