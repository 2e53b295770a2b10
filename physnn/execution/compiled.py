"""The equations of one population as functions of arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

import sympy as sp

from physnn.equations import Coupling, Population, System
from physnn.equations.stationary import closed_form, residuals
from physnn.execution.arrays import Arrays
from physnn.execution.bundle import Bundle, Layers, Scaled
from physnn.execution.search import Search


class Compiled:
    """Generated functions of one population."""

    def __init__(self, arrays: Arrays, system: System, population: Population) -> None:
        self.arrays, self.population = arrays, population
        self.parameters = {name: f"{population.name}.{name}" for name in population.role("parameter")}
        ports = [port.variable for port in system.inputs.values() if port.population == population.name]
        per_sample = [name for name in self.parameters if name in ports]
        self.silent = (*population.role("input"), *population.noises)
        """what is nothing unless it is given"""
        self.recorded = (*population.role("state", "unknown", "arrival", "input"), *population.noises, *per_sample)
        self.into = {arrival: system.arriving(population.name, arrival) for arrival in population.role("arrival")}
        self.told = {arrival for arrival, couplings in self.into.items() if _is_told(system, couplings)}
        """arrivals that are the same all through a run: parameters of others"""
        constant = self.parameters.keys() - {*per_sample}
        driven = {arrival for arrival, couplings in self.into.items() if _is_driven(system, couplings)}
        self._layers: Layers = (frozenset(self.told | constant), frozenset(driven)) if self.told else ()
        """what is the same for all samples and at all times, where that is more than parameters; what is driven"""
        leaving = {c.name: system.signals[c.name] for c in system.leaving(population.name)}
        quick = [name for name in leaving if system.instantaneous(system.couplings[name])]
        ports = [name for name, port in system.outputs.items() if port.population == population.name]
        self.read = {name: system.readouts[name] for name in ports}
        self.signals = self._bundle(leaving)
        self.held = self._bundle({name: signal for name, signal in leaving.items() if name not in quick})
        """signals that are known from the states alone, before anything has arrived"""
        self.instant = {name: self._bundle({name: leaving[name]}) for name in quick}
        """signals that hang on what arrives or is solved for in the same step"""
        scaled = {name: Scaled.of(arrays, population, leaving[name], constant) for name in quick}
        self.scaled = {name: found for name, found in scaled.items() if found is not None}
        """those that are one wave times a factor"""
        self.outputs = self._bundle(self.read)
        self.moves = self._bundle({**population.flows, **population.maps})
        self.projected = self._bundle(population.projections)
        self.guards = {name: self._bundle({"guard": guard}) for name, guard in population.guards.items()}
        self.resets = {name: self._bundle(resets) for name, resets in population.resets.items()}
        self.rests = {name: self._bundle({"rest": rest}) for name, rest in population.refractory.items()}
        self.joint = system.joints.get(population.name)
        """by which its constraints are solved together with those of others"""
        unknowns = tuple(population.constraints)
        self.solved = self._solver(unknowns) if unknowns and self.joint is None else None
        self._asked: dict[tuple[sp.Basic, ...], Bundle] = {}

    @cached_property
    def forgetful(self) -> tuple[str, ...]:
        """States that may have a finite value again after one that is not: their steps must be watched one by one."""
        reset = {name for resets in self.population.resets.values() for name in resets}
        ended = {*self.population.projections, *reset}
        maps = self.population.maps
        lasting = {n for n in maps if _lasts(maps[n], self.population.symbols[n])} | set(self.population.flows)
        return tuple(name for name in self.population.dynamic if name in ended or name not in lasting)

    @cached_property
    def stationary(self) -> Bundle | Search | None:
        """Finds the stationary states from what arrives; made when first asked for, since not every medium has them."""
        jointly = self.population.constraints if self.joint else ()
        names = tuple(name for name in residuals(self.population) if name not in jointly)
        return self._solver(names) if names else None

    @cached_property
    def guessed(self) -> tuple[str, ...]:
        """States for which the search of a stationary state needs a first guess."""
        return tuple(self.stationary.zero) if isinstance(self.stationary, Search) else ()

    def asked(self, expressions: tuple[sp.Basic, ...]) -> Bundle:
        """Expressions that a joint asks for, by their number; kept, as it asks for the same ones."""
        if expressions not in self._asked:
            self._asked[expressions] = self._bundle({str(k): e for k, e in enumerate(expressions)})
        return self._asked[expressions]

    def _bundle(self, expressions: Mapping[str, sp.Basic]) -> Bundle:
        return Bundle(self.arrays, self.population, expressions, self._layers)

    def _solver(self, names: tuple[str, ...]) -> Bundle | Search:
        solution = closed_form(self.population, names)
        if solution is not None:
            return self._bundle(solution)
        zero = residuals(self.population)
        wanted = {name: zero[name] for name in names}
        at_rest = names == tuple(self.population.flows)
        return Search(self.arrays, self.population, wanted, at_rest=at_rest, layers=self._layers)


def _is_told(system: System, couplings: Collection[Coupling]) -> bool:
    """Whether couplings deliver parameters of their sources, at once, on the spot, and nothing else."""
    for coupling in couplings:
        source = system.populations[coupling.source]
        driven = {port.variable for port in system.inputs.values() if port.population == source.name}
        fixed = {source.symbols[name] for name in source.role("parameter") if name not in driven}
        here = coupling.local and not coupling.delay and coupling.plasticity is None
        if not here or not system.signals[coupling.name].free_symbols <= fixed:
            return False
    return bool(couplings)


def _is_driven(system: System, couplings: Collection[Coupling]) -> bool:
    """Whether couplings deliver at once what hangs on nothing but inputs and parameters of their sources."""
    for coupling in couplings:
        source = system.populations[coupling.source]
        given = {source.symbols[name] for name in source.role("input", "parameter")}
        if coupling.delay or coupling.plasticity or not system.signals[coupling.name].free_symbols <= given:
            return False
    return bool(couplings)


def _lasts(step: sp.Basic, state: sp.Symbol) -> bool:
    """Whether a step of a state can give no finite number once the state is none: it is a term or factor of the step.

    Infinity and NaN stay what they are under sums and products, whatever the other operands; functions may end them.
    """
    if isinstance(step, sp.Add | sp.Mul):
        return any(_lasts(part, state) for part in step.args)
    if isinstance(step, sp.Piecewise):
        return all(_lasts(value, state) for value, _ in step.args)
    return step == state
