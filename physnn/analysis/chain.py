"""Derivatives by the chain rule through shared subexpressions.

One Runge-Kutta step written as one expression holds its stages many times over, and its derivative more often still;
link by link the same derivative takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.equations.adjoint import partials
from physnn.equations.functions import complex_valued
from physnn.equations.generate import function
from physnn.equations.parse import HAT
from physnn.equations.population import Variable

Direction = tuple[str, int]
"""A variable, and its real (0) or imaginary part (1)."""


@dataclass(frozen=True)
class _Link:
    """A subexpression: its place in what its level computes, and the slopes towards what it is made of."""

    variable: Variable
    place: int
    slopes: tuple[tuple[Variable, int, int], ...]
    """(variable, part, place of the slope)"""


@dataclass(frozen=True)
class _Level:
    """Subexpressions that are made of variables and of earlier levels alone."""

    names: tuple[str, ...]
    compute: Callable[..., tuple[Any, ...]]
    links: tuple[_Link, ...]


class Chain:
    """The partial derivatives of some expressions with respect to some variables, compiled.

    Parameters
    ----------
    expressions : sequence of Expr
    variables : sequence of Variable
        Those to differentiate with respect to; the other symbols are held.
    """

    def __init__(self, expressions: Sequence[sp.Expr], variables: Sequence[Variable]) -> None:
        self.levels, self.results = _compiled(tuple(expressions), tuple(variables))
        self.held = frozenset(name for level in self.levels for name in level.names if not name.endswith(HAT))

    def at(self, here: Mapping[str, Any]) -> list[dict[Direction, NDArray[Any]]]:
        """For each expression its slopes that do not vanish identically, numbers or arrays, at these values."""
        values, tangents = dict(here), dict[str, dict[Direction, Any]]()
        for level in self.levels:
            found = level.compute(xp, *(values[name] for name in level.names))
            for link in level.links:
                values[link.variable.name] = found[link.place]
                total: dict[Direction, Any] = {}
                for variable, part, place in link.slopes:
                    for direction, slope in _through(variable, part, found[place], tangents).items():
                        total[direction] = total[direction] + slope if direction in total else slope
                tangents[link.variable.name] = total
        return [tangents[name] for name in self.results]


def _through(
    variable: Variable, part: int, slope: Any, tangents: Mapping[str, Mapping[Direction, Any]]
) -> dict[Direction, Any]:
    """The slope towards one part of a link or variable, as slopes towards variables."""
    if variable.name not in tangents:
        return {(variable.name, part): slope}
    inner = tangents[variable.name]
    if not variable.complex:
        return {direction: slope * change for direction, change in inner.items()}
    take = np.imag if part else np.real
    return {direction: slope * take(change) for direction, change in inner.items()}


@lru_cache(maxsize=256)
def _compiled(
    expressions: tuple[sp.Expr, ...], variables: tuple[Variable, ...]
) -> tuple[tuple[_Level, ...], tuple[str, ...]]:
    links, results = _links(expressions)
    known = {v.symbol: v for v in variables} | {v.symbol: v for v, _ in links}
    depth: dict[sp.Symbol, int] = {}
    levels: list[list[tuple[Variable, sp.Expr]]] = []
    for variable, expression in links:
        level = max((depth[s] + 1 for s in expression.free_symbols if s in depth), default=0)
        depth[variable.symbol] = level
        levels += [[] for _ in range(level + 1 - len(levels))]
        levels[level].append((variable, expression))
    return tuple(_level(found, known) for found in levels), results


def _links(expressions: tuple[sp.Expr, ...]) -> tuple[list[tuple[Variable, sp.Expr]], tuple[str, ...]]:
    """Shared subexpressions and results, each made of variables and earlier links."""
    shared, reduced = sp.cse(expressions, list=True)
    replaced: dict[sp.Basic, sp.Basic] = {}
    found: list[tuple[Variable, sp.Expr]] = []
    results: list[str] = []
    for number, (symbol, expression) in enumerate([*shared, *((None, e) for e in reduced)]):
        own = sp.sympify(expression).xreplace(replaced)
        if isinstance(own, sp.logic.boolalg.Boolean) and not own.is_Symbol:
            replaced[symbol] = own
            continue
        variable = Variable(f"_{number}{HAT}", "state", complex=complex_valued(own))
        found.append((variable, own))
        if symbol is None:
            results.append(variable.name)
        else:
            replaced[symbol] = variable.symbol
    return found, tuple(results)


def _level(found: list[tuple[Variable, sp.Expr]], known: Mapping[sp.Symbol, Variable]) -> _Level:
    computed: list[sp.Expr] = []
    links: list[_Link] = []
    for variable, expression in found:
        place, slopes = len(computed), []
        computed.append(expression)
        for symbol in sorted(expression.free_symbols & known.keys(), key=str):
            for part, slope in enumerate(partials(expression, known[symbol])):
                if slope != 0:
                    slopes.append((known[symbol], part, len(computed)))
                    computed.append(slope)
        links.append(_Link(variable, place, tuple(slopes)))
    symbols = sorted({s for expression in computed for s in expression.free_symbols}, key=str)
    return _Level(tuple(map(str, symbols)), function(tuple(symbols), tuple(computed)), tuple(links))
