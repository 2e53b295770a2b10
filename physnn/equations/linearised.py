"""What a companion is: a System made from another one, and what connects the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from physnn.equations.parse import STEP, TIME
from physnn.equations.population import Population, Variable
from physnn.equations.system import System
from physnn.errors import CapabilityError, EquationError


@dataclass(frozen=True)
class Incident:
    """An input of a companion that carries a field of the incident trace."""

    field: str
    """key of `Trace.fields`; 'POPULATION.t' is the time of the entries"""


@dataclass(frozen=True)
class Companion:
    """A companion System and what connects it to the System it was made from."""

    system: System
    incident: Mapping[str, Incident]
    """input port -> field of the incident trace"""
    errors: Mapping[str, str]
    """output port of the original -> input port that takes the loss's cotangent there"""
    reflected: Mapping[str, str]
    """trainable parameter or coupling -> output port with the reflected wave that its gradient correlates"""
    feedback: Mapping[str, tuple[int, ...]]
    """parameter key of feedback paths with weights of their own -> shape"""
    entering: Mapping[str, str] = field(default_factory=dict)
    """input port of the original -> output port with the reflected wave that arrives there"""


def incident_variables(system: System, population: Population) -> dict[str, Variable]:
    """The population's variables as a companion has them: parameters, and fields of the incident trace as inputs.

    Raises
    ------
    CapabilityError
        A trainable parameter is set per sample from an input port: it has no value of its own to be learnt.
    """
    driven = {port.variable for port in system.inputs.values() if port.population == population.name}
    found = {}
    for name, variable in population.variables.items():
        if name in driven and variable.trainable:
            raise CapabilityError(
                f"parameter {population.name}.{name} is trainable, but an input port sets it per sample; "
                "declare it (parameter) or remove the port"
            )
        kept = variable.role == "parameter" and name not in driven
        found[name] = Variable(name, "parameter" if kept else "input", variable.unit, variable.complex)
    found |= {name: Variable(name, "input") for name in population.noises}
    read = [port for port in system.outputs if system.outputs[port].population == population.name]
    everything = [
        *population.flows.values(),
        *population.maps.values(),
        *population.constraints.values(),
        *(system.signals[c.name] for c in system.leaving(population.name)),
        *(system.readouts[port] for port in read),
    ]
    if any(population.symbols[TIME] in expression.free_symbols for expression in everything):
        found[TIME] = Variable(TIME, "input", "s")
    return found


def joined(population: Population, fixed: Mapping[str, Variable], new: Mapping[str, Variable]) -> dict[str, Variable]:
    """Incident and new variables of a companion's population.

    Raises
    ------
    EquationError
        The original has a variable with the name of a wave.
    """
    for name in fixed.keys() & new.keys():
        raise EquationError(
            f"population {population.name!r}: its companion calls a wave {name!r}, as a variable is called; rename it"
        )
    return {**fixed, **new}


def next_value(population: Population, name: str) -> sp.Expr:
    """A state one step later, as one expression: after the flow or map, and after the projection."""
    symbol = population.symbols[name]
    if name in population.flows:
        following = symbol + population.symbols[STEP] * population.flows[name]
    else:
        following = population.maps[name]
    projection = population.projections.get(name)
    return following if projection is None else projection.xreplace({symbol: following})


def check_smooth(system: System) -> None:
    """Whether a System can be linearised about a trace.

    Raises
    ------
    CapabilityError
        It has plastic couplings.
    """
    for coupling in system.couplings.values():
        if coupling.plasticity is not None:
            raise CapabilityError(
                f"coupling {coupling.name!r} is plastic while it runs; freeze it to reflect a wave in it"
            )
