"""The benchmarks by name, each run in a process of its own with one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from typing import Any

from physnn import __version__
from physnn.benchmarks import brian2, waveguide
from physnn.benchmarks.figure import Figure, Settings
from physnn.benchmarks.timing import machine
from physnn.errors import CapabilityError, UnknownNameError
from physnn.experiments.pool import ENDED, processes

SCHEMA = "physnn.bench/1"


@dataclass(frozen=True)
class Bench:
    """What `physnn bench NAME` runs."""

    name: str
    title: str
    figures: Callable[[Settings], Iterator[Figure]]


BENCHES: Mapping[str, Bench] = {
    "waveguide": Bench(
        "waveguide", "passive networks of lines: steps against their own matrix products; meshes", waveguide.figures
    ),
    "brian2": Bench("brian2", "training in Brian2: many samples in one run against one run a sample", brian2.figures),
}


def find_bench(name: str) -> Bench:
    """The benchmark of that name.

    Raises
    ------
    UnknownNameError
    """
    if name not in BENCHES:
        raise UnknownNameError("benchmark", name, BENCHES)
    return BENCHES[name]


def run_bench(name: str, settings: Settings) -> tuple[list[Figure], dict[str, Any]]:
    """The figures of a benchmark, and the same as plain values for a file, with what they depend on.

    It runs in a process of its own, whose libraries have one thread.

    Raises
    ------
    UnknownNameError
        There is no such benchmark.
    CapabilityError
        More than one thread computed; or the process was ended from outside.
    """
    find_bench(name)
    with processes(1, 1) as pool:
        try:
            found, facts = pool.submit(_measured, name, settings).result()
        except BrokenProcessPool:
            raise CapabilityError(f"benchmark {name!r}: {ENDED}") from None
    plain = [asdict(figure) | {"met": figure.met} for figure in found]
    return found, {
        "schema": SCHEMA,
        "bench": name,
        "physnn": __version__,
        "settings": asdict(settings),
        "machine": facts,
        "figures": plain,
    }


def _measured(name: str, settings: Settings) -> tuple[list[Figure], dict[str, str]]:
    """In the process of its own. The load is that at the start."""
    facts = machine()
    return list(BENCHES[name].figures(settings)), facts
