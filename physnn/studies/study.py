"""A study: long trainings whose figures are held against what was promised, and against what was claimed elsewhere."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from physnn.experiments.outcome import outcome
from physnn.substrate.registry import backend_folders

Record = Mapping[str, Any]
_ONLY_TELLS = ("benchmarks", "cli", "report", "testing")
"""rooms of the package that compute nothing of a training"""


@cache
def sources() -> str:
    """A hash of the Python text of this package and of the installed backends."""
    home = Path(__file__).parents[1]
    files = [path for path in home.rglob("*.py") if path.relative_to(home).parts[0] not in _ONLY_TELLS]
    files += [path for folder in backend_folders() for path in folder.rglob("*.py")]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Task:
    """One training of a study: a function of a module, and the plain values that it is called with."""

    key: str
    """names its record"""
    function: Callable[..., dict[str, Any]]
    arguments: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides the record: what is called, with what, and the program text."""
        called = f"{self.function.__module__}.{self.function.__qualname__}"
        decided = json.dumps([sources(), called, dict(self.arguments)], sort_keys=True)
        return hashlib.sha256(decided.encode()).hexdigest()[:16]

    def run(self) -> dict[str, Any]:
        """The record: `status` done, refused (with the physical reason) or failed, `seconds`, and what was measured."""
        wall, processor = time.perf_counter(), time.process_time()
        record = outcome(lambda: self.function(**self.arguments))
        spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}
        return {"key": self.key, "fingerprint": self.fingerprint, **spent, **record}


@dataclass(frozen=True)
class Line:
    """One line of a study's table: what was promised, what was measured, what others claim."""

    what: str
    measured: Sequence[float]
    """one a seed; the mean is held against the bounds"""
    least: float | None = None
    most: float | None = None
    claim: str = ""
    """what the source says, in its own numbers"""
    note: str = ""
    """costs, or why there is nothing"""

    @property
    def met(self) -> bool | None:
        """Whether the mean lies within the bounds; None where nothing was promised. Nothing measured meets no bound."""
        if self.least is None and self.most is None:
            return None
        if not self.measured:
            return False
        mean = fmean(self.measured)
        return (self.least is None or mean >= self.least) and (self.most is None or mean <= self.most)


@dataclass(frozen=True)
class Study:
    """What `physnn reproduce NAME` runs."""

    name: str
    title: str
    tasks: Callable[[Sequence[int]], Sequence[Task]]
    """the trainings for some seeds"""
    lines: Callable[[Mapping[str, Record]], Iterator[Line]]
    """the table, from the records by key; of trainings that have not run, there is none"""
    seeds: Sequence[int] = (0, 1, 2)
    datasets: Sequence[str] = field(default=("digits",))
    """what it needs"""
    source: str = ""
    figure: Callable[[Mapping[str, Record], Path], Path] | None = None
    """draws the finished records into a file; needs matplotlib"""
