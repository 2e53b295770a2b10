"""Constraints of several populations that need each other without delay, solved together by Newton's method.

The unknowns u of a `Joint` decide what arrives, a = a0 + sum K g(u, a), arrival after arrival; and with it the
residuals F(u, a). The Jacobian dF/du follows by the chain rule along the same way, all unknowns at once; it is a full
matrix, since operators join elements. Where g and F are affine in u and a, one step solves them exactly; where the
slopes are the same for all samples of a batch, as for a transformer bank, so is the inverse, (n, n) once for all.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import array_api_compat
import numpy as np
import sympy as sp

from physnn.equations.coupling import Coupling
from physnn.equations.joint_slopes import Kept, Key, resting, slopes_of
from physnn.equations.operators import alike, is_complex, real_kind
from physnn.equations.population import Population, Variable
from physnn.equations.schedule import Joint, Task
from physnn.equations.system import System
from physnn.errors import NumericsError

Array = Any
_STEPS = 100
_HALVINGS = 50


class Place(Protocol):
    """Where a joint is solved: a run at one moment."""

    def computed(self, population: Population, expressions: tuple[sp.Expr, ...]) -> Sequence[Array]:
        """Values of expressions with what is known now, (batch, *shape) each."""
        ...

    def put(self, population: str, values: Mapping[str, Array]) -> None:
        """From now on variables of a population have these values."""
        ...

    def given(self, task: Task, inside: frozenset[str]) -> Array | None:
        """The sum of what arrives by couplings that are not `inside`, (batch, *shape); None where nothing can."""
        ...

    def weights(self, coupling: Coupling) -> Array:
        """Weights of a coupling."""
        ...


def solve_joint(
    system: System,
    joint: Joint,
    place: Place,
    start: Mapping[Task, Array],
    kept: Kept,
    unread: Collection[Task] = (),
) -> dict[Task, Array]:
    """Solve a joint; unknowns and what then arrives are put in their place.

    Parameters
    ----------
    start : mapping
        (population, unknown) -> first guess, (batch, *shape).
    kept : Kept
        Remembers the inverse from one call to the next.
    unread : collection
        Arrivals that nothing but the joint's own residuals needs: they are not put in their place at the end.

    Returns
    -------
    dict
        (population, unknown) -> value, (batch, *shape).

    Raises
    ------
    NumericsError
        There is no unique solution, or none was found.
    """
    problem = _Problem(system, joint, place, start, kept)
    with np.errstate(all="ignore"):
        x = problem.at_once() if problem.slopes.affine else problem.searched(problem.packed(start))
    return problem.settled(x, unread)


def corrected_joint(
    system: System,
    joint: Joint,
    place: Place,
    found: Mapping[Task, Array],
    kept: Kept,
    unread: Collection[Task] = (),
) -> dict[Task, Array]:
    """One more Newton step from a solution: the same numbers, with the derivatives of the solution for autograd."""
    problem = _Problem(system, joint, place, found, kept)
    x = problem.packed(found)
    value = problem.residual(x)
    return problem.settled(x + _times(problem.inverse(), value), unread)


class _Problem:
    """Residuals and their Jacobian as real arrays (batch, rows) and (batch or 1, rows, columns)."""

    def __init__(self, system: System, joint: Joint, place: Place, start: Mapping[Task, Array], kept: Kept) -> None:
        self.system, self.joint, self.place, self.kept = system, joint, place, kept
        self.key = Key(system, joint)
        self.slopes = slopes_of(self.key)
        self.like = next(iter(start.values()))
        self.xp = array_api_compat.array_namespace(self.like)
        self.kind = real_kind(self.like)
        self._real_like = self.xp.real(self.like) if is_complex(self.like) else self.like
        self.batch = self.like.shape[0]
        inside = frozenset(joint.couplings)
        self.given = {task: place.given(task, inside) for task in joint.arrivals}

    def error(self, fault: str) -> NumericsError:
        names = " and ".join(map(repr, self.joint.populations))
        return NumericsError(f"the constraints of {names}, which are solved together, {fault}")

    def packed(self, values: Mapping[Task, Array]) -> Array:
        parts: list[Array] = []
        for population, variable in self.slopes.unknowns:
            parts += self._real(values[population, variable.name], variable)
        return self._joined(parts)

    def _joined(self, parts: list[Array]) -> Array:
        """Real parts, side by side."""
        whole = self.xp.concat(parts, axis=-1) if len(parts) > 1 else parts[0]
        return self.xp.astype(whole, self.kind, copy=False)

    def unpacked(self, x: Array) -> dict[Task, Array]:
        found, column = {}, 0
        for name, variable in self.slopes.unknowns:
            shape = self.system.populations[name].shape
            size = math.prod(shape)
            value = x[..., column : column + size]
            column += size
            if variable.complex:
                value = value + 1j * x[..., column : column + size]
                column += size
            found[name, variable.name] = self.xp.reshape(value, (*x.shape[:-1], *shape))
        return found

    def _real(self, value: Array, variable: Variable) -> list[Array]:
        """An array (samples, *shape) as real ones (samples, elements)."""
        flat = self.xp.reshape(value, (value.shape[0], -1))
        if not variable.complex:
            return [flat]
        if not is_complex(flat):
            return [flat, self.xp.zeros_like(flat)]
        return [self.xp.real(flat), self.xp.imag(flat)]

    def put(self, x: Array, unread: Collection[Task] = ()) -> None:
        """Unknowns, and what then arrives."""
        values = self.unpacked(x)
        for name in self.joint.populations:
            self.place.put(name, {own: value for (population, own), value in values.items() if population == name})
        self._receive(self.slopes.signals, unread)

    def _receive(self, signals: Mapping[str, sp.Expr], unread: Collection[Task] = ()) -> None:
        """What arrives by these signals and from elsewhere; nothing is put where nothing arrives."""
        for task in self.joint.arrivals:
            total = self.given[task]
            for coupling in () if task in unread else self.slopes.into[task]:
                if signals[coupling.name] == 0:
                    continue
                piece = self._delivered_signal(coupling, signals[coupling.name])
                total = piece if total is None else total + piece
            if total is not None and task not in unread:
                self.place.put(task[0], {task[1]: total})

    def _delivered_signal(self, coupling: Coupling, signal: sp.Expr) -> Array:
        """What a signal makes arrive; its factor is applied to what arrives, which is mostly the smaller array."""
        factor, wave = signal.as_coeff_Mul()
        (sent,) = self.place.computed(self.system.populations[coupling.source], (wave,))
        piece = self._delivered(coupling, sent)
        return piece if factor == 1 else float(factor) * piece

    def _delivered(self, coupling: Coupling, sent: Array) -> Array:
        weights, xp = self.place.weights(coupling), self.xp
        if weights.dtype != sent.dtype:
            kind = xp.result_type(weights, sent)
            weights, sent = xp.astype(weights, kind), xp.astype(sent, kind)
        return coupling.operator.apply(xp, weights, sent)

    def residual(self, x: Array) -> Array:
        self.put(x)
        return self._residual(self.slopes.rows)

    def _residual(self, rows: Mapping[str, tuple[sp.Expr, ...]]) -> Array:
        parts: list[Array] = []
        for name, own_rows in rows.items():
            population = self.system.populations[name]
            values = self.place.computed(population, own_rows)
            for own, value in zip(population.constraints, values, strict=True):
                parts += self._real(value, population.variables[own])
        return self._joined(parts)

    def settled(self, x: Array, unread: Collection[Task]) -> dict[Task, Array]:
        self.put(x, unread)
        return self.unpacked(x)

    def at_once(self) -> Array:
        """The solution of affine constraints."""
        signals, rows = resting(self.key, frozenset(task for task, given in self.given.items() if given is None))
        self._receive(signals)
        return _times(self.inverse(), self._residual(rows))

    def searched(self, x: Array) -> Array:
        """Newton's method with step halving, each sample by itself; its test as in `physnn.equations.newton`."""
        xp, rounding = self.xp, 16 * float(self.xp.finfo(self.kind).eps)
        value = self.residual(x)
        for _ in range(_STEPS):
            inverse = self.inverse()
            change = _times(inverse, value)
            if not xp.all(xp.isfinite(change)):
                raise self.error("meet a number that is not finite")
            size, share = xp.max(xp.abs(change), axis=-1), xp.ones_like(change[:, 0])
            done = size <= rounding * xp.max(xp.abs(x), axis=-1)
            if xp.all(done):
                return x
            for _ in range(_HALVINGS):
                following = x + share[:, None] * change
                found = self.residual(following)
                finite = xp.all(xp.isfinite(found), axis=-1)
                left = _times(inverse, xp.where(finite[:, None], found, xp.zeros_like(found)))
                worse = ~((xp.max(xp.abs(left), axis=-1) < size) & finite) & ~done
                if not xp.any(worse):
                    break
                share = xp.where(worse, share / 2, share)
            if xp.all(worse | done) and xp.all(size <= 2**22 * rounding * xp.max(xp.abs(x), axis=-1)):
                return x  # rounding errors are all that is left
            x, value = following, found
        raise self.error(f"have no solution that Newton's method finds in {_STEPS} steps")

    def inverse(self) -> Array:
        """-(dF/du)^-1 where the unknowns and arrivals are now."""
        values = self._values()
        of = (*(v for slopes in values.values() for v in slopes), *self._all_weights())
        inverse = self.kept.recalled(self.xp, of)
        if inverse is None:
            try:
                inverse = -self.xp.linalg.inv(self._jacobian(values))
            except (np.linalg.LinAlgError, RuntimeError):  # torch has an error of its own, derived from the latter
                raise self.error("have no unique solution (their Jacobian has no inverse)") from None
            self.kept.keep(self.xp, of, inverse)
        return inverse

    def _all_weights(self) -> list[Array]:
        return [self.place.weights(self.system.couplings[name]) for name in self.joint.couplings]

    def _values(self) -> dict[str, list[Array]]:
        """Population -> values of its slopes, in the order of `Slopes.slopes`."""
        found = {}
        for name, slopes in self.slopes.slopes.items():
            parts = tuple(part for parts in slopes.values() for part in parts)
            found[name] = list(self.place.computed(self.system.populations[name], parts)) if parts else []
        return found

    def _jacobian(self, values: Mapping[str, list[Array]]) -> Array:
        xp = self.xp
        shared = all(bool(xp.all(v == v[:1, ...])) for found in values.values() for v in found)
        slopes: dict[tuple[str, sp.Expr, str], list[Array]] = {}
        for name, known in self.slopes.slopes.items():
            left = ((value[:1, ...] if shared else value)[:, None, ...] for value in values[name])
            for (expression, variable), parts in known.items():
                slopes[name, expression, variable.name] = [next(left) for _ in parts]
        moved = self._directions(1 if shared else self.batch)
        for task in self.joint.arrivals:
            total: Array = None
            for coupling in self.slopes.into[task]:
                sent = self._changed(coupling.source, self.slopes.signals[coupling.name], slopes, moved)
                if sent is not None:
                    flat = xp.reshape(sent, (sent.shape[0] * sent.shape[1], *sent.shape[2:]))
                    piece = self._delivered(coupling, flat)
                    piece = xp.reshape(piece, (*sent.shape[:2], *piece.shape[1:]))
                    total = piece if total is None else total + piece
            if total is not None:
                moved[task] = total
        columns = next(iter(moved.values())).shape[1]
        parts_of_rows: list[Array] = []
        for name, rows in self.slopes.rows.items():
            population = self.system.populations[name]
            for own, row in zip(population.constraints, rows, strict=True):
                change = self._changed(name, row, slopes, moved)
                if change is None:
                    raise self.error(f"have no unique solution: 0 = {row} does not depend on what is solved for")
                change = xp.reshape(change, (change.shape[0] * columns, -1))
                parts_of_rows += [
                    xp.reshape(part, (-1, columns, part.shape[-1]))
                    for part in self._real(change, population.variables[own])
                ]
        rows_last = xp.astype(xp.concat(parts_of_rows, axis=-1), self.kind)
        return xp.permute_dims(rows_last, (0, 2, 1))

    def _directions(self, samples: int) -> dict[Task, Array]:
        """Each unknown's change along each column, (samples, columns, *shape)."""
        sizes = (math.prod(self.system.populations[p].shape) * (2 if v.complex else 1) for p, v in self.slopes.unknowns)
        count = sum(sizes)
        unit = self.unpacked(alike(self.xp, np.eye(count), self._real_like))
        return {task: self.xp.stack([value] * samples, axis=0) for task, value in unit.items()}

    def _changed(
        self,
        population: str,
        expression: sp.Expr,
        slopes: Mapping[tuple[str, sp.Expr, str], list[Array]],
        moved: Mapping[Task, Array],
    ) -> Array:
        """The change of an expression, or None where it does not move."""
        total: Array = None
        for variable in self.system.populations[population].variables.values():
            parts = slopes.get((population, expression, variable.name))
            change = moved.get((population, variable.name))
            if parts is None or change is None:
                continue
            along = (self.xp.real(change), self.xp.imag(change)) if variable.complex else (change,)
            for slope, step in zip(parts, along, strict=True):
                piece = slope * step
                total = piece if total is None else total + piece
        return total


def _times(matrix: Array, vector: Array) -> Array:
    """matrix @ vector, sample by sample; one matrix may serve all."""
    if matrix.shape[0] == 1:
        return vector @ matrix[0, ...].T
    return (matrix @ vector[..., None])[..., 0]
