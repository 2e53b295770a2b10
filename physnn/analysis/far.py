"""What a System does with waves that are large: bounded currents no longer count, and what is left is linear.

    term h(x) of an equation,  h'(x) -> c for x -> +inf and for x -> -inf        is  c x  far out

A tanh or a saturable conductance has c = 0: a loop that grows without it runs away once its waves are large, since what
is bounded cannot hold what is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from physnn.equations import Population, System

_STRANGE = (sp.oo, -sp.oo, sp.zoo, sp.nan, sp.AccumBounds, sp.Limit)


def far_system(system: System, loop: Collection[str], moving: Mapping[str, set[sp.Symbol]]) -> System | None:
    """The System with one loop as it is for large waves, all that is nonlinear in it replaced by its slope far out.

    Parameters
    ----------
    system : System
    loop : collection of str
        Populations.
    moving : mapping
        Population -> symbols of what changes in the loop.

    Returns
    -------
    System or None
        None where something has no such slope, or acts otherwise than by its equations: it may hold what grows.
    """
    populations, couplings = dict(system.populations), dict(system.couplings)
    for name in loop:
        found = _far_population(system.populations[name], frozenset(moving[name]))
        if found is None:
            return None
        populations[name] = found
    for coupling in system.couplings.values():
        if coupling.source in loop and coupling.target in loop:
            signal = far(system.signals[coupling.name], frozenset(moving[coupling.source]))
            if signal is None or coupling.plasticity is not None:
                return None
            couplings[coupling.name] = replace(coupling, signal=signal)
    return replace(system, populations=populations, couplings=couplings, derived=True)


def _far_population(population: Population, moving: frozenset[sp.Symbol]) -> Population | None:
    if population.events or population.projections:
        return None
    flows, maps, constraints = (
        _far_rows(rows, moving) for rows in (population.flows, population.maps, population.constraints)
    )
    if flows is None or maps is None or constraints is None:
        return None
    return replace(population, flows=flows, maps=maps, constraints=constraints)


def _far_rows(rows: Mapping[str, sp.Expr], moving: frozenset[sp.Symbol]) -> dict[str, sp.Expr] | None:
    found = {name: far(row, moving) for name, row in rows.items()}
    return None if any(row is None for row in found.values()) else found


def far(expression: sp.Expr, moving: frozenset[sp.Symbol]) -> sp.Expr | None:
    """An expression for large values of what moves; None where it is not linear there."""
    terms = []
    for term in sp.Add.make_args(expression):
        if proportional(term, moving):
            terms.append(term)
            continue
        inside = term.free_symbols & moving
        (symbol,) = inside if len(inside) == 1 else (None,)
        slope = None if symbol is None else _slope(term, symbol)
        if slope is None:
            return None
        terms.append(slope * symbol)
    return sp.Add(*terms)


def proportional(expression: sp.Expr, moving: Collection[sp.Symbol]) -> bool:
    """Whether an expression is a polynomial of first degree in what moves."""
    held = set(moving)
    inside = sorted(expression.free_symbols & held, key=str)
    if not inside:
        return True
    if not expression.is_polynomial(*inside):
        return False
    return all(not expression.diff(symbol).expand().free_symbols & held for symbol in inside)


@lru_cache(maxsize=256)
def _slope(term: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """The slope of a term far out, the same on both sides; parameters count as positive."""
    if not symbol.is_real:
        return None
    others = {s: sp.Dummy(str(s), positive=True) for s in term.free_symbols - {symbol}}
    slope = term.diff(symbol).xreplace(others)
    try:
        ends = [sp.limit(slope, symbol, end) for end in (sp.oo, -sp.oo)]
    except (NotImplementedError, ValueError, TypeError, sp.PoleError):
        return None  # what SymPy cannot tell may hold
    if any(end.has(*_STRANGE, symbol) for end in ends) or sp.simplify(ends[0] - ends[1]) != 0:
        return None
    return ends[0].xreplace({dummy: s for s, dummy in others.items()})
