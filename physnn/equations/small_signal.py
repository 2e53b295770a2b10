"""The tangent companion: a System's small-signal form about a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from physnn.equations.adjoint import pushed_forward
from physnn.equations.linearised import Companion, Incident, check_smooth, incident_variables, joined, next_value
from physnn.equations.parse import HAT, STEP
from physnn.equations.population import Population, Variable
from physnn.equations.surrogate import with_slopes
from physnn.equations.system import Input, Output, System


def tangent(system: System) -> Companion:
    """The small-signal System about a trace: every variable v is replaced by its first-order change `v_hat`.

    Ports keep their names: the inputs take changes of the original's inputs, the outputs give changes of its outputs.
    The inputs `POPULATION.VARIABLE` take the incident trace's fields, in the order of time.

    Raises
    ------
    CapabilityError
        The System has plastic couplings, or events without a surrogate.
    """
    check_smooth(system)
    system = with_slopes(system)
    changes = {name: _changes(population) for name, population in system.populations.items()}
    populations = [_population(system, p, changes[p.name]) for p in system.populations.values()]
    fields = [f"{p.name}.{name}" for p in populations for name in p.role("input") if not name.endswith(HAT)]
    couplings = [
        replace(
            c,
            signal=_change(system.populations[c.source], system.signals[c.name], changes[c.source]),
            into=c.into + HAT,
            weights=c.key,
            trainable=False,
        )
        for c in system.couplings.values()
    ]
    inputs = {
        name: Input(port.population, port.variable + HAT)
        for name, port in system.inputs.items()
        if port.variable in changes[port.population]
    }
    inputs |= {field: Input(*field.split(".", 1)) for field in fields}
    outputs = {
        name: Output(
            port.population,
            _change(system.populations[port.population], system.readouts[name], changes[port.population]),
        )
        for name, port in system.outputs.items()
    }
    linear = System.of(populations, couplings, inputs, outputs, derived=True)
    return Companion(linear, {field: Incident(field) for field in fields}, {}, {}, {})


def _changes(population: Population) -> dict[str, Variable]:
    """Name -> the variable that is its change."""
    return {
        name: Variable(name + HAT, variable.role, variable.unit, variable.complex)
        for name, variable in population.variables.items()
        if variable.role != "parameter"
    }


def _population(system: System, population: Population, changes: Mapping[str, Variable]) -> Population:
    fixed, new = incident_variables(system, population), {v.name: v for v in changes.values()}
    flows = {}
    for name, flow in population.flows.items():
        change = _change(population, flow, changes)
        if name in population.projections:
            moved = _change(population, next_value(population, name), changes)
            change = (moved - changes[name].symbol) / population.symbols[STEP]
        flows[name + HAT] = change
    return Population(
        population.name,
        population.shape,
        joined(population, fixed, new),
        flows,
        {name + HAT: _change(population, next_value(population, name), changes) for name in population.maps},
        {name + HAT: _change(population, residual, changes) for name, residual in population.constraints.items()},
        values={k: v for k, v in population.values.items() if population.variables[k].role == "parameter"},
        text="tangent:" + population.text,
    )


def _change(population: Population, expression: sp.Expr, changes: Mapping[str, Variable]) -> sp.Expr:
    parts = [pushed_forward(expression, population.variables[name], v.symbol) for name, v in changes.items()]
    return sp.Add(*parts)
