"""Stationary states in closed form, where a population's equations are affine in its own states."""

from __future__ import annotations

import sympy as sp

from physnn.equations.functions import step
from physnn.equations.population import Population

_JUMPS = (step, sp.sign, sp.Heaviside, sp.Piecewise)
"""Functions whose derivative vanishes though they are not constant."""


def residuals(population: Population) -> dict[str, sp.Expr]:
    """What is zero in a stationary state, by the state or unknown that it determines."""
    fixed = {name: following - population.symbols[name] for name, following in population.maps.items()}
    return {**population.flows, **fixed, **population.constraints}


def closed_form(population: Population, names: tuple[str, ...] | None = None) -> dict[str, sp.Expr] | None:
    """State or unknown -> its stationary value in what arrives and the parameters, or None where none is found.

    `names` restricts the solution to some of them (a constraint's unknowns), the others being held.
    A waveguide layer's (sigma(z) - gamma x)/tau = 0 gives x = sigma(z)/gamma.
    """
    zero = residuals(population)
    wanted = names if names is not None else tuple(zero)
    symbols = [population.symbols[name] for name in wanted]
    if not symbols or len(symbols) > 3 or any(population.variables[name].complex for name in wanted):
        return None
    rows = sp.Matrix([zero[name] for name in wanted])
    slope = rows.jacobian(symbols)
    jumps = {symbol for row in rows for part in row.atoms(*_JUMPS) for symbol in part.free_symbols}
    if (slope.free_symbols | jumps) & set(symbols) or sp.simplify(slope.det()) == 0:
        return None
    rest = rows.xreplace({symbol: sp.Integer(0) for symbol in symbols})
    solution = -slope.LUsolve(rest)
    return {
        name: sp.together(value) if len(symbols) > 1 else value for name, value in zip(wanted, solution, strict=True)
    }
