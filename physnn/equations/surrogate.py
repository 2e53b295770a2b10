"""Events as maps, so that waves can be reflected through them.

A cell that fires when its margin m (of the guard `v > theta`, m = v - theta) is above 0 takes the step

    s = H(m(x')),   x+ = x' + s (reset(x') - x'),   pulse+ = s/dt,   rest+ = t_ref where s, else max(rest - dt, 0)

where x' is the state after flow and projection, and no event comes while it rests. H has no useful derivative; the
event declares one of its own, dH/dm := surrogate(m). Values are not changed by it; gradients are those of the cell with
that slope in place of the true one (Neftci, Mostafa, Zenke, IEEE Signal Processing Magazine 36:51, 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from physnn.equations.functions import pseudo, step
from physnn.equations.integrators import INTEGRATORS
from physnn.equations.linearised import next_value
from physnn.equations.parse import STEP
from physnn.equations.population import Event, Population, Variable
from physnn.equations.system import System
from physnn.errors import CapabilityError

REST_OVER = 1e-3
"""A rest shorter than this share of a step is over; single precision counts three hundred steps to that."""


def with_slopes(system: System) -> System:
    """The System with events as maps whose slopes are their surrogates; itself where there are no events.

    Raises
    ------
    CapabilityError
        An event declares no surrogate.
    """
    if not any(population.events for population in system.populations.values()):
        return system
    populations = {name: _as_maps(population) for name, population in system.populations.items()}
    return replace(system, populations=populations)


def _as_maps(population: Population) -> Population:
    if not population.events:
        return population
    for event in population.events:
        if event.name not in population.surrogates:
            raise CapabilityError(
                f"population {population.name!r}: its event {event.name!r} has no slope for a reflected wave; declare "
                "one (Event(..., surrogate='...')), or use a rule without a reflected wave"
            )
    rests = {event.name: Variable(rest_name(event), "state", "s") for event in population.events}
    moved = _moved(population, rests)
    maps: dict[str, sp.Expr] = {}
    for event in population.events:
        fires, waited = _fires(population, event, rests[event.name], moved)
        maps[event.name] = fires / population.symbols[STEP]
        pause = _there(population.refractory[event.name], population, moved)
        maps[rests[event.name].name] = waited + fires * (pause - waited)
        resets = {n: _there(reset, population, moved) for n, reset in population.resets[event.name].items()}
        moved |= {name: moved[name] + fires * (reset - moved[name]) for name, reset in resets.items()}
    variables = {
        name: replace(variable, role="state") if variable.role == "event" else variable
        for name, variable in population.variables.items()
    }
    return replace(
        population,
        variables={**variables, **{rest.name: rest for rest in rests.values()}},
        flows={},
        maps={**moved, **maps},
        events=(),
        guards={},
        resets={},
        refractory={},
        surrogates={},
        held=frozenset(),
        projections={},
        integrator="euler",
        text=population.text + "+slopes",
    )


def rest_name(event: Event) -> str:
    """The field that says how long an element still rests [s]."""
    return f"{event.name}_rest"


def _moved(population: Population, rests: Mapping[str, Variable]) -> dict[str, sp.Expr]:
    """States after flow, map and projection, before events."""
    stepped = {**population.maps, **INTEGRATORS[population.integrator](population)}
    plain = replace(population, flows={}, maps=stepped, projections={})
    moved = {}
    for name in population.dynamic:
        following = next_value(plain, name)
        if name in population.held:
            free = sp.Mul(*(1 - step(rest.symbol) for rest in rests.values()))
            following = population.symbols[name] + free * (following - population.symbols[name])
        projection = population.projections.get(name)
        moved[name] = following if projection is None else projection.xreplace({population.symbols[name]: following})
    return moved


def _fires(
    population: Population, event: Event, rest: Variable, moved: Mapping[str, sp.Expr]
) -> tuple[sp.Expr, sp.Expr]:
    """1 where the event happens, with the slope of its surrogate, and the rest that is left [s]."""
    dt = population.symbols[STEP]
    left = rest.symbol - dt
    waited = left * step(left - sp.Rational(REST_OVER).limit_denominator() * dt)
    margin, slope = (_there(expression, population, moved) for expression in population.surrogates[event.name])
    strict = isinstance(population.guards[event.name], sp.StrictGreaterThan | sp.StrictLessThan)
    happens = step(margin) if strict else 1 - step(-margin)
    return (1 - step(waited)) * (happens + pseudo(margin, slope)), waited


def _there(expression: sp.Expr, population: Population, moved: Mapping[str, sp.Expr]) -> sp.Expr:
    """An expression at the states that have moved."""
    return expression.xreplace({population.symbols[name]: value for name, value in moved.items()})
