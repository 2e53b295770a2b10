"""Expressions of one population as functions of arrays, whose parts that change seldom are computed once.

The names in an expression are in layers, the slowest first: what is the same for all samples and at all times, as a
line's impedance; what does not hang on waves, as the voltage of a source; and the rest. Parts that hang on slow names
alone are taken out, and computed again only from other arrays. Where the fastest names enter by sums and products, as
waves at a junction do, their coefficients are collected first:

    b - Z0 (2 b - e)/(R + Z0)  =  (1 - 2 Z0/(R + Z0)) b + Z0/(R + Z0) e
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import is_
from types import MappingProxyType
from typing import Any

import sympy as sp

from physnn.equations import Population
from physnn.equations.functions import complex_valued
from physnn.equations.generate import function
from physnn.execution.arrays import Arrays

Layers = Sequence[Collection[str]]


_PATIENCE = 3
"""steps after which what has always changed is taken to change for ever"""


class Known:
    """What was computed, beside the arguments that it was computed from.

    Arrays are never changed in place, so the same array has the same numbers. On lines of equal delays waves that are
    held change only once a round trip: much of what a step asks for is what the step before it asked for.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[tuple[Any, ...], Any]] = {}
        self._missed: dict[Any, int] = {}
        """how many times in succession something else was asked for under a key"""

    def __call__(self, key: Any, compute: Callable[..., Any], *arguments: Any) -> Any:
        """What is computed from arguments, or was from the very same ones when last asked under this key."""
        kept = self._kept.get(key)
        if kept is None or not all(map(is_, kept[0], arguments)):
            kept = self._kept[key] = arguments, compute(*arguments)
            self._missed[key] = self._missed.get(key, 0) + 1
        else:
            self._missed[key] = 0
        return kept[1]

    def forget(self) -> None:
        """Let go of what has changed in every step: its arrays make place for those of the next one."""
        for key, missed in self._missed.items():
            if missed > _PATIENCE:
                self._kept.pop(key, None)


class Parts:
    """The parts of expressions in which nothing moves, as functions of arrays.

    Parameters
    ----------
    arrays : Arrays
    population : Population
    expressions : sequence of expressions
    moving : collection of str
        Names in no part.
    layers : sequence of collections of str
        As for `Bundle`: the parts have slower parts themselves.
    """

    def __init__(
        self,
        arrays: Arrays,
        population: Population,
        expressions: Sequence[sp.Basic],
        moving: Collection[str],
        layers: Layers,
    ) -> None:
        symbols = {population.symbols[name] for name in moving}
        taken: dict[sp.Expr, sp.Symbol] = {}
        self.left = tuple(_without_standing(_collected(e, symbols), symbols, taken) for e in expressions)
        """the expressions with a symbol for each part"""
        self.symbols = {str(symbol): symbol for symbol in taken.values()}
        groups: dict[tuple[str, ...], dict[str, sp.Basic]] = {}
        for part, symbol in taken.items():
            groups.setdefault(_names([part]), {})[str(symbol)] = part
        self._left = [name for name in _names(self.left) if name not in self.symbols and name not in moving]
        self.used = tuple(sorted({*_names(taken), *self._left}))
        """names of what does not move"""
        self._groups = tuple(Bundle(arrays, population, group, layers) for group in groups.values())

    def __call__(self, values: Mapping[str, Any], known: Known) -> dict[str, Any]:
        """Values of the parts by their symbols, and of names that are parts by themselves."""
        found = {name: values[name] for name in self._left}
        for group in self._groups:
            found |= known(group, partial(group.at, known), *[values[name] for name in group.used])
        return found


class Bundle:
    """Expressions of one population, computed together.

    Parameters
    ----------
    arrays : Arrays
    population : Population
    expressions : mapping
        Name -> expression.
    layers : sequence of collections of str
        Names by how often they change, the slowest first; those of the first layer are the same for all samples. Names
        in no layer change most often. Without layers nothing is taken out.
    symbols : mapping
        Symbols that are none of the population's, by name.
    """

    def __init__(
        self,
        arrays: Arrays,
        population: Population,
        expressions: Mapping[str, sp.Basic],
        layers: Layers = (),
        symbols: Mapping[str, sp.Symbol] = MappingProxyType({}),
    ) -> None:
        self.arrays, self.names = arrays, tuple(expressions)
        self.used = _names(expressions.values())
        """names of what it hangs on"""
        self._shape = population.shape
        self._once = bool(layers) and {*self.used} <= {*layers[0]}
        # Its own fastest names are those of the last layer that it uses any of, or those in none.
        if {*self.used} <= set().union(*layers):
            layers = layers[: max((k for k, layer in enumerate(layers) if {*layer} & {*self.used}), default=0)]
        slower = set().union(*layers)
        self._parts: Parts | None = None
        own = tuple(expressions.values())
        if slower & {*self.used}:
            self._parts = Parts(arrays, population, own, [n for n in self.used if n not in slower], layers)
            own, symbols = self._parts.left, self._parts.symbols
        self.arguments = _names(own)
        """names whose values its function takes: of what moves, and of the parts taken out"""
        every = {**population.symbols, **symbols}
        self._function = function(tuple(every[name] for name in self.arguments), own)

    def __call__(self, values: Mapping[str, Any], known: Known) -> tuple[Any, ...]:
        """Values in the order of `names`, from those of what it hangs on; constants as numbers."""
        if self._parts is not None:
            values = {**values, **self._parts(values, known)}
        return self.computed([values[name] for name in self.arguments])

    def at(self, known: Known, *arguments: Any) -> dict[str, Any]:
        """Values by name, from those of `used`; of what is the same for all samples, those of one."""
        given = map(self._of_one, arguments) if self._once else arguments
        return dict(zip(self.names, self(dict(zip(self.used, given, strict=True)), known), strict=True))

    def computed(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """Values in the order of `names`, from those of `arguments`."""
        return self._function(self.arrays.xp, *arguments)

    def _of_one(self, value: Any) -> Any:
        of_samples = getattr(value, "ndim", 0) == len(self._shape) + 1
        return value[:1, ...] if of_samples else value


class Scaled:
    """One wave times a factor of parameters, as what a line's loss leaves of it: the wave itself where that is 1."""

    def __init__(self, arrays: Arrays, population: Population, wave: str, factor: sp.Expr) -> None:
        self.arrays, self.wave = arrays, wave
        self._factor = Bundle(arrays, population, {"factor": factor})

    @classmethod
    def of(cls, arrays: Arrays, population: Population, expression: sp.Basic, fixed: Collection[str]) -> Scaled | None:
        """The expression as such a product, or None where it is none."""
        symbols = {population.symbols[name] for name in fixed}
        waves = [part for part in sp.Mul.make_args(expression) if part.free_symbols - symbols]
        if not isinstance(expression, sp.Mul) or len(waves) != 1 or not isinstance(waves[0], sp.Symbol):
            return None
        return cls(arrays, population, str(waves[0]), expression / waves[0])

    def is_plain(self, values: Mapping[str, Any], known: Known) -> bool:
        """Whether the factor is 1 for all elements, and automatic differentiation does not follow it."""
        return known(self, partial(self._is_one, known), *[values[name] for name in self._factor.used])

    def _is_one(self, known: Known, *arguments: Any) -> bool:
        (factor,) = self._factor(dict(zip(self._factor.used, arguments, strict=True)), known)
        return not self.arrays.tracked(arguments) and bool(self.arrays.xp.all(self.arrays.array(factor) == 1))


def _names(expressions: Collection[sp.Basic] | Any) -> tuple[str, ...]:
    return tuple(sorted({str(symbol) for expression in expressions for symbol in expression.free_symbols}))


def _collected(expression: Any, moving: set[sp.Symbol]) -> Any:
    """An expression as a sum of what moves, each with what it is multiplied by."""
    moves, stands = expression.free_symbols & moving, expression.free_symbols - moving
    if not isinstance(expression, sp.Expr) or not (expression.args and moves and stands):
        return expression
    together: dict[sp.Expr, list[sp.Expr]] = {}
    for wave, factor in _terms(expression, moving).items():
        together.setdefault(factor, []).append(wave)
    return sp.Add(*(factor * sp.Add(*waves) for factor, waves in together.items()))


def _terms(expression: sp.Expr, moving: set[sp.Symbol]) -> dict[sp.Expr, sp.Expr]:
    """What moves (or 1) -> its coefficient."""
    if not expression.free_symbols & moving:
        return {sp.Integer(1): expression}
    if isinstance(expression, sp.Add):
        found: dict[sp.Expr, sp.Expr] = {}
        for part in expression.args:
            for wave, factor in _terms(part, moving).items():
                found[wave] = found.get(wave, sp.Integer(0)) + factor
        return found
    if isinstance(expression, sp.Mul):
        constant, rest = expression.as_independent(*moving, as_Add=False)
        if constant != 1:
            return {wave: constant * factor for wave, factor in _terms(rest, moving).items()}
    inner = expression.func(*(_collected(part, moving) for part in expression.args)) if expression.args else expression
    return {inner: sp.Integer(1)}


def _without_standing(expression: Any, moving: set[sp.Symbol], taken: dict[sp.Expr, sp.Symbol]) -> Any:
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
