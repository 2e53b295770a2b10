"""MNIST and Fashion-MNIST: what each system reaches, what it costs, and what its source claims.

The figures are those of the test part, after a training on training + validation with settings that were chosen on the
validation part; nothing was chosen by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

from physnn.studies.image_memory import LEARNT, STORED, modes_trained, seen_once
from physnn.studies.image_training import PRICED_AS, TRAININGS, trained
from physnn.studies.study import Line, Record, Study, Task

MOST_SECONDS = 60.0
"""for one look at all images"""


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    what: str
    function: Callable[..., dict[str, Any]]
    arguments: Mapping[str, Any]
    least: float | None = None
    """accuracy that was promised"""
    claim: str = ""
    seconds: bool = False
    """whether its time was promised too"""


def _rule(name: str, what: str, least: float | None = None, claim: str = "") -> Entry:
    sizes = "-".join(map(str, (784, *TRAININGS[name].hidden, 10)))
    return Entry(f"{what}, {sizes}", trained, {"name": name}, least, claim)


def _once(name: str, what: str, least: float | None = None, claim: str = "") -> Entry:
    return Entry(what, seen_once, {"name": name}, least, claim, seconds=least is not None)


def _modes(dataset: str, least: float, claim: str) -> Entry:
    return Entry(f"critical modes, trained: 49-{LEARNT}-10", modes_trained, {"dataset": dataset}, least, claim)


ENTRIES: dict[str, tuple[Entry, ...]] = {
    "mnist": (
        _rule("reflected-wave", "reflected wave, waveguides", 0.975),
        _rule("equilibrium-propagation", "equilibrium propagation, sigmoid energy layers", 0.973),
        _rule("hamiltonian-echo", "Hamiltonian echo, lossless oscillators", 0.975),
        _rule("gated-signal-propagation", "gated signal propagation, rings", 0.965, "82 % (published, no gate)"),
        _rule("signal-propagation", "signal propagation as published, RMS-normalised", 0.91, "82 % (published)"),
        _once("memory", f"critical memory, one look, {STORED} modes of 7 x 7", 0.979, "98.58 to 98.83 % (published)"),
        _once("memory-gaussian", f"    control: {STORED} Gaussians"),
        _once("memory-linear", "    control: linear ridge"),
        _modes("mnist", 0.983, "99.86 % (published)"),
    ),
    "fashion-mnist": (
        _rule("fashion-gated-signal-propagation", "gated signal propagation, rings", 0.86),
        _rule("fashion-signal-propagation", "signal propagation as published, RMS-normalised"),
        _once("fashion-memory", f"critical memory, one look, {STORED} modes of 7 x 7", 0.857, "93.85 % (published)"),
        _once("fashion-memory-gaussian", f"    control: {STORED} Gaussians"),
        _once("fashion-memory-linear", "    control: linear ridge"),
        _modes("fashion-mnist", 0.87, "97.42 % (published)"),
    ),
}


def _name(entry: Entry) -> str:
    return entry.arguments.get("name", "critical-modes")


def tasks(dataset: str, seeds: Sequence[int]) -> list[Task]:
    """Every entry, for each seed."""
    return [
        Task(f"{_name(entry)}-{seed}", entry.function, {**entry.arguments, "seed": seed})
        for seed in seeds
        for entry in ENTRIES[dataset]
    ]


def lines(dataset: str, records: Mapping[str, Record]) -> Iterator[Line]:
    """Accuracy of each entry, with time and energy beside it."""
    for entry in ENTRIES[dataset]:
        found = [record for key, record in records.items() if key.rpartition("-")[0] == _name(entry)]
        accuracies = [record["accuracy"] for record in found]
        yield Line(entry.what, accuracies, entry.least, claim=entry.claim, note=beside(found))
        if entry.seconds:
            seconds = [record["cpu_s"] for record in found]
            yield Line("    processor seconds, preparation and test included", seconds, most=MOST_SECONDS)


def beside(records: Sequence[Record]) -> str:
    """Training accuracy, time and energy, each the mean over seeds."""
    if not records:
        return ""
    told = [f"training part {fmean(record['train_accuracy'] for record in records):.4f}"]
    told.append(f"{fmean(record['cpu_s'] for record in records):.0f} s")
    if records[0].get("training_J"):
        low, typical, high = (fmean(record["training_J"][k] for record in records) for k in range(3))
        told.append(f"{typical:.3g} J ({low:.2g} to {high:.2g}), estimated for {PRICED_AS}")
    return ", ".join(told)


def _study(name: str, title: str) -> Study:
    return Study(name, title, partial(tasks, name), partial(lines, name), datasets=(name,))


MNIST = _study("mnist", "MNIST: test accuracy")
FASHION = _study("fashion-mnist", "Fashion-MNIST: test accuracy")
