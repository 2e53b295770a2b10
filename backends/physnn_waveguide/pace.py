"""The integrators of an analog computer's simulation: those that its step allows."""

from __future__ import annotations

from dataclasses import replace

from physnn.equations import Population, System
from physnn.equations.integrators import EULER, check_integrator
from physnn.errors import EquationError, ParameterError
from physnn.substrate.pace import Pace, pace_of
from physnn.substrate.placement import PlacedSystem

_STIFF = ("exponential", "implicit")
"""integrators that are tried where the declared step, explicit Euler's, is too long"""


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
