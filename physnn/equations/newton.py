"""Newton's method, element by element, with step halving: how constraints and stationary states are solved.

A junction with an exponential characteristic needs the halving: the full step from v = 0 overshoots to where exp(v)
overflows, and comes back by one thermal voltage a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np
import sympy as sp

from physnn.equations import halley, stationary
from physnn.equations.adjoint import partials
from physnn.equations.functions import sigmoid, softplus
from physnn.equations.halley import HALVINGS, STEPS
from physnn.equations.operators import alike, is_complex, real_kind
from physnn.equations.population import Population, Variable
from physnn.errors import NumericsError

Array = Any
Compute = Callable[[tuple[sp.Expr, ...], Mapping[str, Array]], list[Array]]
_LONG = 40
"""operations of a row that is not multiplied out any more: it may become enormous"""
_SMOOTH = (sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sigmoid, softplus)
"""functions whose curvature is used"""
_GROWTH = 1e-6
"""growth rates this small beside the fastest one are rounding errors of a state that neither grows nor decays"""


def solve(
    population: Population,
    residuals: Mapping[str, sp.Expr],
    start: Mapping[str, Array],
    compute: Compute,
    *,
    at_rest: bool = False,
) -> dict[str, Array]:
    """Values of the named variables for which all residuals vanish, from `start`.

    A complex unknown counts as two real ones, so that residuals may hold its conjugate or modulus.

    Parameters
    ----------
    residuals : mapping
        Name of an unknown -> F of 0 = F, in the population's symbols or others; as many equations as unknowns.
    start : mapping
        Unknown -> first guess, (batch, *shape).
    compute : callable
        (expressions, values of the unknowns) -> their values, each (batch, *shape), arrays of the kind of `start`.
    at_rest : bool
        The residuals are rates of change, and a solution that the states would leave by themselves is none.

    Raises
    ------
    NumericsError
        No solution was found, or only one at which nothing stays.
    """
    problem = Problem(population, residuals, compute, start)
    with np.errstate(all="ignore"):
        found = halley.search(problem, start) if problem.is_one else _search(problem, problem.packed(start))
        if at_rest:
            _check_stays(problem, found)
    return problem.unpacked(found)


def corrected(
    population: Population, residuals: Mapping[str, sp.Expr], found: Mapping[str, Array], compute: Compute
) -> dict[str, Array]:
    """One more Newton step from a solution: the same numbers, with the derivatives of the solution for autograd."""
    problem = Problem(population, residuals, compute, found)
    x = problem.packed(found)
    slope, _ = problem.linearised(x)
    return problem.unpacked(x - _times(problem.xp, _inverse(problem, slope), problem.residual(x)))


class Problem:
    """Residuals and their slopes as real arrays (batch, *shape, rows) and (batch, *shape, rows, columns)."""

    def __init__(
        self, population: Population, residuals: Mapping[str, sp.Expr], compute: Compute, start: Mapping[str, Array]
    ) -> None:
        one = next(iter(start.values()))
        self.xp = array_api_compat.array_namespace(one)
        self.kind = real_kind(one)
        numbers = self.xp.finfo(self.kind)
        self.rounding, self.least = 4 * float(numbers.eps), float(numbers.smallest_normal)
        self.name = population.name
        self.variables = tuple(population.variables[name] for name in residuals)
        self.rows = tuple(residuals.values())
        self.said = tuple(stationary.residuals(population)[name] for name in residuals)
        self.slopes, self.sizes = _derived(self.rows, self.variables)
        self.is_one = len(self.variables) == 1 and not self.variables[0].complex
        self.curvature = _curvature(self.slopes[0], self.variables[0]) if self.is_one else ()
        self.compute = compute

    def error(self, fault: str) -> NumericsError:
        return NumericsError(f"population {self.name!r}: 0 = {', '.join(map(str, self.said))} {fault}")

    def packed(self, values: Mapping[str, Array]) -> Array:
        parts: list[Array] = []
        for variable in self.variables:
            value = values[variable.name]
            parts += [self.xp.real(value), self.xp.imag(value)] if variable.complex else [value]
        return self.xp.astype(self.xp.stack(parts, axis=-1), self.kind)

    def unpacked(self, x: Array) -> dict[str, Array]:
        found, column = {}, 0
        for variable in self.variables:
            found[variable.name] = x[..., column] + 1j * x[..., column + 1] if variable.complex else x[..., column]
            column += 2 if variable.complex else 1
        return found

    def residual(self, x: Array) -> Array:
        return self._real(self.compute(self.rows, self.unpacked(x)))

    def at(self, x: Array) -> tuple[Array, ...]:
        """Of one real unknown residual, sum of its terms' moduli, slope and curvature, (batch, *shape) each."""
        asked = (*self.rows, *self.sizes, *self.slopes, *self.curvature)
        values = self.compute(asked, {self.variables[0].name: x})
        return tuple(self.xp.astype(value, self.kind, copy=False) for value in values)

    def linearised(self, x: Array) -> tuple[Array, Array]:
        """The slopes, and the sums of the terms' moduli: what rounding errors of the residual are measured by."""
        count, values = len(self.rows), self.compute((*self.sizes, *self.slopes), self.unpacked(x))
        sizes, slopes = values[:count], values[count:]
        columns = [self._real(slopes[k : k + count]) for k in range(0, len(slopes), count)]
        return self.xp.stack(columns, axis=-1), self._real(sizes, both=True)

    def _real(self, values: list[Array], *, both: bool = False) -> Array:
        parts: list[Array] = []
        for variable, value in zip(self.variables, values, strict=True):
            parts += self._parts(value, both) if variable.complex else [value]
        return self.xp.stack(parts, axis=-1)

    def _parts(self, value: Array, both: bool) -> list[Array]:
        """Real and imaginary part, or `both` times the value, which is real."""
        if not is_complex(value):
            return [value, value if both else self.xp.zeros_like(value)]
        return [self.xp.real(value), self.xp.real(value) if both else self.xp.imag(value)]


@lru_cache(maxsize=256)
def _derived(
    rows: tuple[sp.Expr, ...], variables: tuple[Variable, ...]
) -> tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]:
    """Slopes, column by column (a complex variable has two), and the sums of the terms' moduli."""
    by_variable = [[partials(row, variable) for row in rows] for variable in variables]
    slopes = [row[k] for column in by_variable for k in range(len(column[0])) for row in column]
    return tuple(slopes), tuple(_size(row, [v.symbol for v in variables]) for row in rows)


@lru_cache(maxsize=256)
def _curvature(slope: sp.Expr, variable: Variable) -> tuple[sp.Expr, ...]:
    """The derivative of a slope; none where it jumps, or is long."""
    parts = slope.atoms(sp.Function, sp.Piecewise)
    if not all(isinstance(part, _SMOOTH) for part in parts if variable.symbol in part.free_symbols):
        return ()
    (found,) = partials(slope, variable)
    return (found,) if found.count_ops() <= _LONG else ()


def _size(row: sp.Expr, unknowns: list[sp.Symbol]) -> sp.Expr:
    """The sum of the moduli of a row's terms; what multiplies the same function of the unknowns is summed first."""
    if row.count_ops() > _LONG:
        return _bound(row)
    known: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand_mul(row)):
        factor, moving = term.as_independent(*unknowns, as_Add=False)
        known[moving] = known.get(moving, sp.Integer(0)) + sp.Mul(*map(sp.Abs, sp.Mul.make_args(factor)))
    return sp.Add(*(factor * sp.Abs(moving) for moving, factor in known.items()))


def _bound(term: sp.Expr) -> sp.Expr:
    """At least the sum of the moduli of a row's terms, without multiplying it out."""
    if isinstance(term, sp.Add | sp.Mul):
        return term.func(*map(_bound, term.args))
    return sp.Abs(term, evaluate=term.is_number)


def _search(problem: Problem, x: Array) -> Array:
    xp, rounding = problem.xp, problem.rounding
    value = problem.residual(x)
    for _ in range(STEPS):
        slope, size = problem.linearised(x)
        exact = xp.all((xp.abs(value) <= rounding * size) & xp.isfinite(size), axis=-1)
        # Where the equations hold already, their slope does not matter and may vanish.
        slope = xp.where(exact[..., None, None], alike(xp, np.eye(value.shape[-1]), value), slope)
        inverse = _inverse(problem, slope)
        change = xp.where(exact[..., None], xp.zeros_like(value), _times(xp, inverse, value))
        if not xp.all(xp.isfinite(change)):
            raise problem.error("meets a number that is not finite")
        reach = xp.abs(x) + _times(xp, xp.abs(inverse), size)
        done = exact | xp.all(xp.abs(change) <= rounding * reach, axis=-1)
        if xp.all(done):
            return x - change
        x, value, stuck = _descent(problem, x, change, value, inverse, reach, done)
        if xp.any(stuck & xp.any(xp.abs(change) > 2**22 * rounding * reach, axis=-1)):
            break
        if xp.all(stuck | done):
            return x
    raise problem.error(f"has no solution that Newton's method finds in {STEPS} steps")


def _check_stays(problem: Problem, x: Array) -> None:
    """Whether small deviations of the population's own states from a stationary state do not grow."""
    slope, _ = problem.linearised(x)
    matrix = np.asarray(slope.detach().cpu() if hasattr(slope, "detach") else slope)
    rates = np.linalg.eigvals(matrix) if matrix.shape[-1] > 1 else matrix[..., 0]
    largest, fastest = np.max(np.real(rates), axis=-1), np.max(np.abs(rates), axis=-1)
    if np.any(largest > _GROWTH * fastest):
        raise problem.error(
            f"holds where the medium does not stay (deviations grow by {np.max(largest):.3g} a second); run it in time"
        )


def _inverse(problem: Problem, slope: Array) -> Array:
    """slope^-1; written out for one and two unknowns, where a library's call costs more than the arithmetic."""
    xp, size = problem.xp, slope.shape[-1]
    if size > 2:
        try:
            return xp.linalg.inv(slope)
        except (np.linalg.LinAlgError, RuntimeError):  # torch has an error of its own, derived from the latter
            raise problem.error("has no unique solution (its derivative vanishes)") from None
    determinant = slope[..., 0, 0]
    if size == 2:
        determinant = determinant * slope[..., 1, 1] - slope[..., 0, 1] * slope[..., 1, 0]
    if xp.any(determinant == 0):
        raise problem.error("has no unique solution (its derivative vanishes)")
    if size == 1:
        return 1.0 / slope
    above = xp.stack([slope[..., 1, 1], -slope[..., 0, 1]], axis=-1)
    below = xp.stack([-slope[..., 1, 0], slope[..., 0, 0]], axis=-1)
    return xp.stack([above, below], axis=-2) / determinant[..., None, None]


def _times(xp: Any, matrix: Array, vector: Array) -> Array:
    return xp.sum(matrix * vector[..., None, :], axis=-1)


def _descent(
    problem: Problem, x: Array, change: Array, value: Array, inverse: Array, reach: Array, done: Array
) -> tuple[Array, Array, Array]:
    """A step along `change`, halved until the next correction with the same slope is smaller; and where it never was.

    This test does not depend on how equations are scaled (Deuflhard, Newton Methods for Nonlinear Problems, 2004,
    section 3.3): volts and amperes need not be weighed against each other. Unknowns are measured by `reach`, by how
    much the terms of the equations can move them; their rounding errors are that times the relative precision.
    """
    xp = problem.xp
    scale = xp.where(reach > 0, reach, xp.ones_like(reach))
    size = xp.max(xp.abs(change) / scale, axis=-1)
    share = xp.ones_like(size)
    for _ in range(HALVINGS):
        following = x - share[..., None] * change
        found = problem.residual(following)
        finite = xp.all(xp.isfinite(found), axis=-1)
        left = _times(xp, inverse, xp.where(finite[..., None], found, xp.zeros_like(found)))
        worse = ~((xp.max(xp.abs(left) / scale, axis=-1) < size) & finite) & ~done
        if not xp.any(worse):
            return following, found, worse
        share = xp.where(worse, share / 2, share)
    keep = worse[..., None]
    return xp.where(keep, x, following), xp.where(keep, value, found), worse
