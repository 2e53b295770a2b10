"""The equations of one population as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import array_api_compat.torch as xp
import sympy as sp
import torch

from physnn.equations import Population, System
from physnn.equations.generate import function
from physnn.equations.newton import corrected, solve
from physnn.equations.stationary import closed_form, residuals

Tensor = torch.Tensor
Environment = dict[str, Any]


class Bundle:
    """Expressions of one population, computed together."""

    def __init__(self, population: Population, expressions: Mapping[str, sp.Basic]) -> None:
        self.names = tuple(expressions)
        self.used = tuple(sorted({str(s) for e in expressions.values() for s in e.free_symbols}))
        """names whose values are its arguments, in their order"""
        self._compute = function(tuple(population.symbols[n] for n in self.used), tuple(expressions.values()))

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """Values in the order of `names`; constants as Python numbers."""
        return self._compute(xp, *arguments)


class Search:
    """Newton's method, element by element, from the present values.

    The search itself is not recorded by autograd; one last correction is, which has the derivatives of the solution
    (implicit-function theorem).
    """

    def __init__(self, population: Population, zero: Mapping[str, sp.Expr], *, at_rest: bool) -> None:
        self.population, self.zero, self.at_rest = population, zero, at_rest
        self.compiled: dict[tuple[sp.Expr, ...], tuple[list[str], Callable[..., tuple[Any, ...]]]] = {}

    def function(self, expressions: tuple[sp.Expr, ...]) -> tuple[list[str], Callable[..., tuple[Any, ...]]]:
        """Names that some expressions need, and what computes them; kept, as a search asks for the same ones."""
        if expressions not in self.compiled:
            used = sorted({str(s) for e in expressions for s in e.free_symbols})
            symbols = tuple(self.population.symbols[n] for n in used)
            self.compiled[expressions] = used, function(symbols, expressions)
        return self.compiled[expressions]

    def __call__(self, here: Environment) -> dict[str, Tensor]:
        """The solution for what is known in an environment."""
        start = {name: here[name].detach() for name in self.zero}
        shape = next(iter(start.values())).shape

        def compute(expressions: tuple[sp.Expr, ...], values: Mapping[str, Tensor]) -> list[Tensor]:
            used, compiled = self.function(expressions)
            known = here | dict(values)
            like = next(iter(values.values()))
            return [_filled(v, like, shape) for v in compiled(xp, *[known[n] for n in used])]

        with torch.no_grad():
            found = solve(self.population, self.zero, start, compute, at_rest=self.at_rest)
        tracked = [v for v in here.values() if isinstance(v, Tensor) and v.requires_grad]
        return corrected(self.population, self.zero, found, compute) if tracked else found


class Compiled:
    """Generated functions of one population."""

    def __init__(self, system: System, population: Population) -> None:
        self.population = population
        self.parameters = {name: f"{population.name}.{name}" for name in population.role("parameter")}
        ports = [port.variable for port in system.inputs.values() if port.population == population.name]
        per_sample = [name for name in self.parameters if name in ports]
        self.silent = (*population.role("input"), *population.noises)
        """what is nothing unless it is given"""
        self.recorded = (*population.role("state", "unknown", "arrival", "input"), *population.noises, *per_sample)
        self.into = {arrival: system.arriving(population.name, arrival) for arrival in population.role("arrival")}
        leaving = {c.name: system.signals[c.name] for c in system.leaving(population.name)}
        quick = [name for name in leaving if system.instantaneous(system.couplings[name])]
        ports = [name for name, port in system.outputs.items() if port.population == population.name]
        self.read = {name: system.readouts[name] for name in ports}
        self.signals = self._bundle(leaving)
        self.held = self._bundle({name: signal for name, signal in leaving.items() if name not in quick})
        """signals that are known from the states alone, before anything has arrived"""
        self.instant = {name: self._bundle({name: leaving[name]}) for name in quick}
        """signals that hang on what arrives or is solved for in the same step"""
        self.outputs = self._bundle(self.read)
        self.moves = self._bundle({**population.flows, **population.maps})
        self.projected = self._bundle(population.projections)
        self.guards = {name: self._bundle({"guard": guard}) for name, guard in population.guards.items()}
        self.resets = {name: self._bundle(resets) for name, resets in population.resets.items()}
        self.rests = {name: self._bundle({"rest": rest}) for name, rest in population.refractory.items()}
        unknowns = tuple(population.constraints)
        self.solved = self._solver(unknowns) if unknowns else None

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
        names = tuple(residuals(self.population))
        return self._solver(names) if names else None

    @cached_property
    def guessed(self) -> tuple[str, ...]:
        """States for which the search of a stationary state needs a first guess."""
        return tuple(self.stationary.zero) if isinstance(self.stationary, Search) else ()

    def _bundle(self, expressions: Mapping[str, sp.Basic]) -> Bundle:
        return Bundle(self.population, expressions)

    def _solver(self, names: tuple[str, ...]) -> Bundle | Search:
        solution = closed_form(self.population, names)
        if solution is not None:
            return self._bundle(solution)
        zero = residuals(self.population)
        return Search(
            self.population, {name: zero[name] for name in names}, at_rest=names == tuple(self.population.flows)
        )


def _lasts(step: sp.Basic, state: sp.Symbol) -> bool:
    """Whether a step of a state can give no finite number once the state is none: it is a term or factor of the step.

    Infinity and NaN stay what they are under sums and products, whatever the other operands; functions may end them.
    """
    if isinstance(step, sp.Add | sp.Mul):
        return any(_lasts(part, state) for part in step.args)
    if isinstance(step, sp.Piecewise):
        return all(_lasts(value, state) for value, _ in step.args)
    return step == state


def _filled(value: Any, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(value, Tensor):
        return torch.full(shape, value, dtype=like.dtype, device=like.device)
    return value if value.shape == torch.Size(shape) else value.expand(shape)
