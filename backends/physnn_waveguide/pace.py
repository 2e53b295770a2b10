"""The time step of an analog computer's simulation: from the spectrum of its System."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from physnn.analysis import fastest_rate, stability_limit
from physnn.equations import Population, System
from physnn.equations.integrators import EULER, check_integrator
from physnn.errors import CapabilityError, EquationError, ParameterError
from physnn.substrate.placement import PlacedSystem

_STIFF = ("exponential", "implicit")
"""integrators that are tried where the declared step, explicit Euler's, is too long"""
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


def paced(placed: PlacedSystem) -> tuple[PlacedSystem, Pace]:
    """The placed System with integrators that its step allows, and its pace with these.

    Where explicit Euler's step is too long, populations are stepped by the exponential or the implicit integrator.

    Raises
    ------
    ParameterError
        The step is too long for these as well.
    """
    pace = pace_of(placed.system)
    if pace.allows(placed.step):
        return placed, pace
    for integrator in _STIFF:
        system = _stepped_by(placed.system, integrator)
        stiff = pace_of(system)
        if stiff.allows(placed.step):
            return replace(placed, system=system, _companions={}), stiff
    raise ParameterError(
        f"time step {placed.step:.3g} s is too long ({pace}), and no integrator makes it stable; "
        f"place the System with a step of at most {max(pace.limit, 1 / pace.rate):.3g} s"
    )


def _stepped_by(system: System, integrator: str) -> System:
    populations = {name: _population_by(population, integrator) for name, population in system.populations.items()}
    return replace(system, populations=populations)


def _population_by(population: Population, integrator: str) -> Population:
    """The population with another integrator in place of explicit Euler, where its flows allow that."""
    if not population.flows or population.integrator != EULER:
        return population
    other = replace(population, integrator=integrator)
    try:
        check_integrator(other, f"population {population.name!r}")
    except EquationError:
        return population
    return other


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
