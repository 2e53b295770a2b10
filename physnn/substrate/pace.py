"""How long the steps of a simulation may be: from the spectrum of a System about its states as they start."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from physnn.analysis import fastest_rate, stability_limit
from physnn.equations import System
from physnn.errors import CapabilityError

_TOLERANCE = 1e-3
"""relative accuracy of the limit"""


@dataclass(frozen=True)
class Pace:
    """How fast a System moves, and how long its steps may be."""

    rate: float
    """fastest rate about the states as they start [1/s]"""
    limit: float
    """largest step with which its integrators are stable there [s]"""
    unknown: str = ""
    """why this is not known"""

    def allows(self, step: float) -> bool:
        """Whether a step is stable, or resolves the fastest motion.

        A step that does, h <= 1/rate, may still let an oscillation without damping grow slowly, by (h rate)^2/2 a step
        with explicit Euler: that is the error of order 1 which the integrator has, and no failure.
        """
        return bool(self.unknown) or step <= self.limit * (1 + _TOLERANCE) or step * self.rate <= 1

    def __str__(self) -> str:
        if self.unknown:
            return f"its limit is not known: {self.unknown}"
        longest = "any step is stable" if math.isinf(self.limit) else f"largest stable step {self.limit:.3g} s"
        return f"fastest rate {self.rate:.3g} 1/s, {longest}"


def pace_of(system: System) -> Pace:
    """The pace of a System about its states as they start; remembered, since it may take a second."""
    return _judged(_Key(system))


class _Key:
    """A System, told apart by its equations and numbers."""

    def __init__(self, system: System) -> None:
        self.system = system
        digest = hashlib.sha256(system.fingerprint.encode())
        numbers = {f"{p.name}:{name}": value for p in system.populations.values() for name, value in p.values.items()}
        for key, value in sorted({**numbers, **system.parameters}.items()):
            digest.update(key.encode() + np.ascontiguousarray(value).tobytes())
        self.digest = digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@lru_cache(maxsize=256)
def _judged(key: _Key) -> Pace:
    system = key.system
    if not any(population.flows for population in system.populations.values()):
        return Pace(0.0, math.inf)
    try:
        return Pace(fastest_rate(system), stability_limit(system))
    except CapabilityError as error:
        return Pace(math.nan, math.nan, str(error))
