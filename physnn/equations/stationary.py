"""Stationary states in closed form, where a population's equations are affine in its own states."""

from __future__ import annotations

from collections.abc import Iterator

import array_api_compat.numpy as xp
import numpy as np
import sympy as sp

from physnn.equations.functions import step
from physnn.equations.generate import function
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
    if (slope.free_symbols | jumps) & set(symbols) or _is_singular(slope):
        return None
    rest = rows.xreplace({symbol: sp.Integer(0) for symbol in symbols})
    return dict(zip(wanted, _solved(slope, -rest), strict=True))


def _solved(matrix: sp.Matrix, right: sp.Matrix) -> list[sp.Expr]:
    """matrix^-1 right by Cramer's rule. The entries stay as they are: multiplied out they may become enormous."""
    entries = {sp.Dummy(): entry for entry in (*matrix, *right)}
    named = iter(entries)
    left = sp.Matrix(*matrix.shape, [next(named) if entry != 0 else _skipped(named) for entry in matrix])
    side = sp.Matrix(*right.shape, list(named))
    solution = left.adjugate() * side / left.det()
    return [value.xreplace(entries) for value in solution]


def _skipped(names: Iterator[sp.Dummy]) -> sp.Expr:
    next(names)
    return sp.Integer(0)


def _is_singular(matrix: sp.Matrix) -> bool:
    """Whether the determinant vanishes whatever the symbols' values: it does at a few values without meaning."""
    names = tuple(sorted(matrix.free_symbols, key=str))
    trials = 0.3 + 0.7 * ((0.618 * np.arange(1, len(names) + 1)[:, None] + 0.377 * np.arange(3)) % 1)
    found = [np.broadcast_to(entry, 3) for entry in function(names, tuple(matrix))(xp, *trials)]
    numbers = np.reshape(np.stack(found, axis=-1), (3, *matrix.shape)).real.astype(float)
    size = np.prod(np.linalg.norm(numbers, axis=2), axis=1)
    return not np.any(np.abs(np.linalg.det(numbers)) > 1e-9 * size)
