"""What placing a System on a device writes into its equations: offsets, a value for every element, delays of lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from physnn.equations import Output, Population, System, Variable
from physnn.equations.dimensions import dimension


def scatters(system: System, name: str) -> bool:
    """Whether a population is a passive circuit that waves pass: voltages arrive there by local couplings alone.

    Ends of lines, junctions, lines with sections, and nodes of a transmission-line mesh are such. Their states are
    voltages and currents of the circuit, and no active element holds them.
    """
    population, volt = system.populations[name], dimension("V")
    for arrival in population.role("arrival"):
        couplings = system.arriving(name, arrival)
        voltage = population.dimensions[population.symbols[arrival]] == volt
        if voltage and couplings and all(coupling.local for coupling in couplings):
            return True
    return False


def detected(system: System, name: str) -> tuple[str, ...]:
    """Arrivals of a population at active elements: it has states that they hold, and a line ends there.

    Nothing active stands where parts of one place meet, nor in circuits that waves only pass.
    """
    population = system.populations[name]
    if not population.dynamic or scatters(system, name):
        return ()
    return tuple(
        arrival
        for arrival in population.role("arrival")
        if not (arriving := system.arriving(name, arrival)) or any(not coupling.local for coupling in arriving)
    )


def with_offsets(system: System) -> tuple[System, frozenset[str]]:
    """The System with an offset, a parameter that is zero, added to each wave that arrives at an active element.

    And the keys of these parameters.
    """
    populations, moved = [], {}
    keys: set[str] = set()
    for population in system.populations.values():
        shifted, moved[population.name] = _with_offset(population, detected(system, population.name))
        populations.append(shifted)
        keys |= {f"{population.name}.{name}" for name in shifted.variables if name not in population.variables}
    couplings = [replace(c, signal=system.signals[c.name].xreplace(moved[c.source])) for c in system.couplings.values()]
    outputs = {
        name: Output(port.population, system.readouts[name].xreplace(moved[port.population]))
        for name, port in system.outputs.items()
    }
    return System.of(populations, couplings, system.inputs, outputs, derived=system.derived), frozenset(keys)


def _with_offset(population: Population, arrivals: Iterable[str]) -> tuple[Population, dict[sp.Symbol, sp.Expr]]:
    """The population with offsets at these arrivals, and what they have become."""
    variables, values, moved = dict(population.variables), dict(population.values), {}
    for arrival in arrivals:
        name = f"{arrival}_offset"
        while name in variables or name in population.definitions:
            name += "_"
        variables[name] = Variable(name, "parameter", population.variables[arrival].unit)
        values[name] = np.zeros(population.shape)
        moved[population.symbols[arrival]] = population.symbols[arrival] + variables[name].symbol

    shifted = substituted(population, moved)
    return replace(shifted, variables=variables, values=values, text=population.text + "+offsets"), moved


def substituted(population: Population, moved: Mapping[sp.Symbol, sp.Expr]) -> Population:
    """The population with other expressions in place of some of its variables, wherever they are read."""

    def shifted(expressions: Mapping[str, sp.Basic]) -> dict[str, sp.Basic]:
        return {name: expression.xreplace(moved) for name, expression in expressions.items()}

    return replace(
        population,
        flows=shifted(population.flows),
        maps=shifted(population.maps),
        constraints=shifted(population.constraints),
        definitions=shifted(population.definitions),
        guards=shifted(population.guards),
        resets={name: shifted(resets) for name, resets in population.resets.items()},
        surrogates={
            name: (m.xreplace(moved), slope.xreplace(moved)) for name, (m, slope) in population.surrogates.items()
        },
    )


def with_own_values(system: System) -> System:
    """The System with a value for every element where one value stood for all: each device is mismatched on its own.

    A trainable parameter that is shared stays one parameter, with one factor.
    """
    populations = [_with_elements(p) for p in system.populations.values()]
    return System.of(populations, system.couplings.values(), system.inputs, system.outputs, derived=system.derived)


def _with_elements(population: Population) -> Population:
    fixed = [name for name in devices(population) if not population.variables[name].trainable]
    own = {name: np.broadcast_to(population.values[name], population.shape).copy() for name in fixed}
    return replace(population, values={**population.values, **own})


def devices(population: Population) -> tuple[str, ...]:
    """Parameters that are properties of devices. What only sends, such as the constant of biases, has none."""
    if not (population.dynamic or population.constraints or population.role("arrival")):
        return ()
    return tuple(name for name in population.role("parameter") if not population.variables[name].constant)


def with_line_delays(system: System, delay: float) -> System:
    """The System with a line in every coupling."""
    if not delay:
        return system
    couplings = [c if c.local else replace(c, delay=c.delay + delay) for c in system.couplings.values()]
    return System.of(system.populations.values(), couplings, system.inputs, system.outputs, derived=system.derived)
