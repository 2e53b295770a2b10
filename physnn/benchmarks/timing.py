"""Times that can be compared: CPU time, one after the other in turn, in one process with one thread."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from physnn.errors import CapabilityError, ParameterError

MOST_ELSEWHERE = 0.05
"""share of the CPU time that may be spent outside the calling thread before a measurement is refused"""
_LEAST = 0.02
"""CPU time [s] below which the two clocks do not tell"""


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value a round."""
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(low), float(high))

    def times(self, factor: float) -> Spread:
        """In another unit."""
        return Spread(factor * self.median, factor * self.low, factor * self.high)

    def per(self, amount: float) -> Spread:
        """What is done in a second, of an amount that takes this long; quartiles change places."""
        return Spread(amount / self.median, amount / self.high, amount / self.low)


def interleaved(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, ...]]:
    """CPU time of each call in each round [s]: all calls once a round, so that what slows the machine meets all alike.

    Every call is made once before. The time is that of the whole process, so that help from other threads counts.

    Raises
    ------
    ParameterError
        There is no round.
    CapabilityError
        Other threads computed: what is measured then depends on how many there are.
    """
    if rounds < 1:
        raise ParameterError(f"{rounds} rounds; at least one is needed")
    for call in calls.values():
        call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    whole, own = time.process_time(), time.thread_time()
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.process_time()
            call()
            found[name].append(time.process_time() - started)
    whole, own = time.process_time() - whole, time.thread_time() - own
    if whole - own > max(_LEAST, MOST_ELSEWHERE * whole):
        raise CapabilityError(
            f"{100 * (whole - own) / whole:.0f} % of the CPU time was spent by other threads; "
            "set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1 before Python starts"
        )
    return {name: tuple(times) for name, times in found.items()}


def ratios(times: Sequence[float], reference: Sequence[float]) -> Spread:
    """Of the times of the same rounds."""
    return Spread.of([a / b for a, b in zip(times, reference, strict=True)])


def machine() -> dict[str, str]:
    """What the times depend on, beside the program."""
    names = ("numpy", "scipy", "torch", "numba")
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: found for name in names if (found := _version(name))},
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return ""
