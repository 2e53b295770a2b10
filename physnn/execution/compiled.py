"""The equations of one population as functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from operator import is_
from typing import Any

import sympy as sp

from physnn.equations import Coupling, Population, System
from physnn.equations.functions import complex_valued
from physnn.equations.generate import function
from physnn.equations.newton import corrected, solve
from physnn.equations.stationary import closed_form, residuals
from physnn.execution.arrays import Array, Arrays

Environment = dict[str, Any]


class Bundle:
    """Expressions of one population, computed together.

    Where there are `fixed` names, which have the same values for all samples and at all times, the parts that hang on
    these alone are taken out.
    """

    def __init__(
        self,
        arrays: Arrays,
        population: Population,
        expressions: Mapping[str, sp.Basic],
        fixed: Collection[str] = (),
    ) -> None:
        self.xp = arrays.xp
        self.names = tuple(expressions)
        self.used = tuple(sorted({str(s) for e in expressions.values() for s in e.free_symbols}))
        """names of what it hangs on"""
        moving = [name for name in self.used if name not in fixed]
        self._reduced = _Reduced(population, tuple(expressions.values()), moving if fixed else None)
        self.standing = self._reduced.standing
        """name of a part -> the part, names of what it hangs on, what computes it"""

    def __call__(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Values in the order of `names`, from those of what it hangs on and of its parts; constants as numbers."""
        return self._reduced.compute(self.xp, *[values[name] for name in self._reduced.used])


class Search:
    """Newton's method, element by element, from the present values.

    Automatic differentiation does not follow the search itself; it follows one last correction, which has the
    derivatives of the solution (implicit-function theorem).
    """

    def __init__(
        self,
        arrays: Arrays,
        population: Population,
        zero: Mapping[str, sp.Expr],
        *,
        at_rest: bool,
        fixed: Collection[str] = (),
    ) -> None:
        self.arrays, self.fixed = arrays, fixed
        self.population, self.zero, self.at_rest = population, zero, at_rest
        self.compiled: dict[tuple[sp.Expr, ...], _Reduced] = {}
        self._known: dict[sp.Expr, tuple[tuple[Any, ...], Array]] = {}
        """part that does not move in a search -> what it was computed from when last asked, and its value"""

    def reduced(self, expressions: tuple[sp.Expr, ...]) -> _Reduced:
        """What computes some expressions; kept, as a search asks for the same ones."""
        if expressions not in self.compiled:
            self.compiled[expressions] = _Reduced(self.population, expressions, self.zero)
        return self.compiled[expressions]

    def _standing(self, reduced: _Reduced, here: Environment) -> dict[str, Array]:
        """Values of the parts that do not move; kept for as long as what they were computed from is the same arrays."""
        found = {}
        for name, (part, used, compute) in reduced.standing.items():
            arguments = tuple(here[n] for n in used)
            known = self._known.get(part)
            if known is None or not all(map(is_, known[0], arguments)):
                value = compute(self.arrays.xp, *arguments)[0]
                known = self._known[part] = arguments, self._once(value) if {*used} <= {*self.fixed} else value
            found[name] = known[1]
        return found

    def _once(self, value: Any) -> Any:
        """A value that is the same for all samples, for one of them."""
        of_samples = getattr(value, "ndim", 0) == len(self.population.shape) + 1
        return value[:1, ...] if of_samples else value

    def _anew(self, reduced: _Reduced, here: Environment) -> dict[str, Array]:
        """As `_standing`, for automatic differentiation to follow: what is kept has no derivatives."""
        return {
            name: compute(self.arrays.xp, *[here[n] for n in used])[0]
            for name, (_, used, compute) in reduced.standing.items()
        }

    def __call__(self, here: Environment) -> dict[str, Array]:
        """The solution for what is known in an environment."""
        start = {name: self.arrays.plain(here[name]) for name in self.zero}
        with self.arrays.untracked():
            found = self._in_blocks(here, start)
        if not self.arrays.tracked(here.values()):
            return found

        def compute(expressions: tuple[sp.Expr, ...], values: Mapping[str, Array]) -> list[Array]:
            reduced = self.reduced(expressions)
            return self._computed(reduced, here | self._anew(reduced, here) | dict(values), values)

        return corrected(self.population, self.zero, found, compute)

    def _in_blocks(self, here: Environment, start: Mapping[str, Array]) -> dict[str, Array]:
        """The search, so many samples at a time that the arrays in between stay near the processor."""
        batch, *shape = next(iter(start.values())).shape
        size = max(self.arrays.block // math.prod(shape), 1) if self.arrays.block else batch
        standing: dict[tuple[sp.Expr, ...], dict[str, Array]] = {}
        found = []
        for first in range(0, batch, size):
            rows = slice(first, first + size) if size < batch else slice(None)

            def cut(value: Any, rows: slice = rows) -> Any:
                of_samples = getattr(value, "ndim", 0) == len(shape) + 1 and value.shape[0] == batch
                return value[rows, ...] if of_samples else value

            def compute(
                expressions: tuple[sp.Expr, ...], values: Mapping[str, Array], cut: Callable[[Any], Any] = cut
            ) -> list[Array]:
                reduced = self.reduced(expressions)
                if expressions not in standing:
                    standing[expressions] = self._standing(reduced, here)
                known = here | standing[expressions]
                moving = {n: cut(known[n]) for n in reduced.used if n not in values}
                return self._computed(reduced, moving | dict(values), values)

            own = {name: cut(value) for name, value in start.items()}
            found.append(solve(self.population, self.zero, own, compute, at_rest=self.at_rest))
        if len(found) == 1:
            return found[0]
        return {name: self.arrays.xp.concat([piece[name] for piece in found], axis=0) for name in start}

    def _computed(self, reduced: _Reduced, known: Mapping[str, Any], values: Mapping[str, Array]) -> list[Array]:
        like = next(iter(values.values()))
        found = reduced.compute(self.arrays.xp, *[known[n] for n in reduced.used])
        return [self._filled(value, like, like.shape) for value in found]

    def _filled(self, value: Any, like: Array, shape: tuple[int, ...]) -> Array:
        if not isinstance(value, self.arrays.kinds):
            return self.arrays.full(shape, value, like.dtype)
        return value if value.shape == shape else self.arrays.spread(value, shape)


class _Reduced:
    """Expressions whose parts that do not hang on what moves are taken out, to be computed once."""

    def __init__(
        self, population: Population, expressions: tuple[sp.Basic, ...], moves: Collection[str] | None
    ) -> None:
        taken: dict[sp.Expr, sp.Symbol] = {}
        moving_last = expressions
        if moves is not None:
            moving = {population.symbols[name] for name in moves}
            moving_last = tuple(_without_standing(e, moving, taken) for e in expressions)
        symbols = dict(population.symbols) | {str(symbol): symbol for symbol in taken.values()}
        self.used = sorted({str(s) for e in moving_last for s in e.free_symbols})
        """names whose values are its arguments, in their order"""
        self.compute = function(tuple(symbols[n] for n in self.used), moving_last)
        self.standing: dict[str, tuple[sp.Expr, list[str], Callable[..., tuple[Any, ...]]]] = {}
        for part, symbol in taken.items():
            used = sorted(str(s) for s in part.free_symbols)
            self.standing[str(symbol)] = part, used, function(tuple(symbols[n] for n in used), (part,))


def _without_standing(expression: sp.Expr, moving: set[sp.Symbol], taken: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
    """An expression with a symbol for each of its largest parts in which nothing moves."""
    if not expression.args or not expression.free_symbols:
        return expression
    if isinstance(expression, sp.Expr) and not expression.free_symbols & moving:
        kind = {"complex": True} if complex_valued(expression) else {"real": True}
        return taken.setdefault(expression, sp.Symbol(f"standing_{len(taken)}", **kind))
    if isinstance(expression, sp.Add | sp.Mul):
        standing, rest = expression.as_independent(*moving, as_Add=isinstance(expression, sp.Add))
        parts = [_without_standing(part, moving, taken) for part in type(expression).make_args(rest)]
        return expression.func(_without_standing(standing, moving, taken), *parts)
    return expression.func(*(_without_standing(part, moving, taken) for part in expression.args))


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
        told = {arrival for arrival, couplings in self.into.items() if _is_told(system, couplings)}
        self._fixed = frozenset(told | (self.parameters.keys() - {*per_sample})) if told else frozenset()
        """what is the same for all samples and at all times, where that is more than parameters"""
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
        return Bundle(self.arrays, self.population, expressions, self._fixed)

    def _solver(self, names: tuple[str, ...]) -> Bundle | Search:
        solution = closed_form(self.population, names)
        if solution is not None:
            return self._bundle(solution)
        zero = residuals(self.population)
        wanted = {name: zero[name] for name in names}
        at_rest = names == tuple(self.population.flows)
        return Search(self.arrays, self.population, wanted, at_rest=at_rest, fixed=self._fixed)


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


def _lasts(step: sp.Basic, state: sp.Symbol) -> bool:
    """Whether a step of a state can give no finite number once the state is none: it is a term or factor of the step.

    Infinity and NaN stay what they are under sums and products, whatever the other operands; functions may end them.
    """
    if isinstance(step, sp.Add | sp.Mul):
        return any(_lasts(part, state) for part in step.args)
    if isinstance(step, sp.Piecewise):
        return all(_lasts(value, state) for value, _ in step.args)
    return step == state
