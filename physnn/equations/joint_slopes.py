"""What the equations of a joint look like: which of them hang on what, and what was found for them before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import is_
from typing import Any

import sympy as sp

from physnn.equations.adjoint import partials
from physnn.equations.coupling import Coupling
from physnn.equations.population import Variable
from physnn.equations.schedule import Joint, Task
from physnn.equations.system import System

Array = Any


@dataclass(frozen=True)
class Slopes:
    """What the equations of a joint look like."""

    unknowns: tuple[tuple[str, Variable], ...]
    rows: Mapping[str, tuple[sp.Expr, ...]]
    """population -> residuals, in the order of its unknowns"""
    slopes: Mapping[str, Mapping[tuple[sp.Expr, Variable], tuple[sp.Expr, ...]]]
    """population -> (residual or signal, what it hangs on) -> slopes, two of them along a complex variable"""
    signals: Mapping[str, sp.Expr]
    affine: bool
    into: Mapping[Task, tuple[Coupling, ...]]
    """arrival -> couplings of the joint that deliver it"""


@lru_cache(maxsize=64)
def slopes_of(key: Key) -> Slopes:
    system, joint = key.system, key.joint
    moving: dict[str, list[str]] = {name: list(system.populations[name].constraints) for name in joint.populations}
    for name, arrival in joint.arrivals:
        moving.setdefault(name, []).append(arrival)
    unknowns = [
        (p, system.populations[p].variables[own])
        for p in joint.populations
        for own in system.populations[p].constraints
    ]
    rows = {p: tuple(system.populations[p].constraints.values()) for p in joint.populations}
    signals = {name: system.signals[name] for name in joint.couplings}
    slopes: dict[str, dict[tuple[sp.Expr, Variable], tuple[sp.Expr, ...]]] = {}
    affine = True
    for name, own in moving.items():
        population = system.populations[name]
        symbols = {population.symbols[variable] for variable in own}
        sent = [c for c in joint.couplings if system.couplings[c].source == name]
        slopes[name] = {
            (expression, population.variables[variable]): partials(expression, population.variables[variable])
            for expression in (*rows.get(name, ()), *(signals[c] for c in sent))
            for variable in own
            if population.symbols[variable] in expression.free_symbols
        }
        affine = affine and not any(part.free_symbols & symbols for parts in slopes[name].values() for part in parts)
    into = {task: tuple(c for c in system.arriving(*task) if c.name in joint.couplings) for task in joint.arrivals}
    return Slopes(tuple(unknowns), rows, slopes, signals, affine, into)


@lru_cache(maxsize=64)
def resting(key: Key, closed: frozenset[Task]) -> tuple[dict[str, sp.Expr], dict[str, tuple[sp.Expr, ...]]]:
    """Signals and residuals while all unknowns are zero; at `closed` arrivals nothing arrives from elsewhere.

    A transformer bank's back current is zero then, what it makes arrive is, and no product with W^T is needed.
    """
    system, slopes = key.system, slopes_of(key)
    zero: dict[str, dict[sp.Symbol, sp.Expr]] = {
        name: {system.populations[name].symbols[own]: sp.Integer(0) for own in system.populations[name].constraints}
        for name in slopes.slopes
    }
    signals: dict[str, sp.Expr] = {}
    for task, couplings in slopes.into.items():
        signals |= {c.name: slopes.signals[c.name].xreplace(zero.get(c.source, {})) for c in couplings}
        if task in closed and all(signals[c.name] == 0 for c in couplings):
            zero[task[0]][system.populations[task[0]].symbols[task[1]]] = sp.Integer(0)
    return signals, {name: tuple(row.xreplace(zero[name]) for row in rows) for name, rows in slopes.rows.items()}


@dataclass(frozen=True, eq=False)
class Key:
    """A joint of one System, told apart by the object that the System is."""

    system: System
    joint: Joint

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.system is other.system and self.joint == other.joint

    def __hash__(self) -> int:
        return hash((id(self.system), self.joint))


@dataclass
class Kept:
    """The last inverse Jacobian, with its sign changed, and what it was computed from."""

    of: tuple[Array, ...] = ()
    inverse: Array = None
    values: tuple[Array, ...] = ()
    """copies of `of`, which from run to run may be other arrays of the same values, or the same of others"""

    def begin(self) -> None:
        """Another run: no array is known to be the same."""
        self.of = ()

    def recalled(self, xp: Any, of: tuple[Array, ...]) -> Array | None:
        """The inverse for these arrays, or None where it is another."""
        if len(self.of) != len(of) or not all(map(is_, self.of, of)):
            if len(self.values) != len(of) or not all(map(partial(_equal, xp), self.values, of)):
                return None
            self.of = of
        return self.inverse

    def keep(self, xp: Any, of: tuple[Array, ...], inverse: Array) -> None:
        """Remember it; values only where automatic differentiation does not follow them."""
        self.of, self.inverse = of, inverse
        tracked = getattr(inverse, "requires_grad", False)
        self.values = () if tracked else tuple(xp.astype(value, value.dtype, copy=True) for value in of)


def _equal(xp: Any, one: Array, other: Array) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and bool(xp.all(one == other))
