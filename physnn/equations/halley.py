"""Halley's method, element by element, for one real unknown: how most constraints of waves are solved.

Where the curvature is known the step is c/(1 - w/2) with Newton's correction c = F/F' and w = c F''/F', from half of c
to twice c: errors shrink by the third power, and from far out on an exponential the way back is half as many steps.
Where a step does not make the residual smaller, shares of Newton's correction are taken.

Source
------
Traub, Iterative Methods for the Solution of Equations (1964).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from physnn.equations.operators import alike

if TYPE_CHECKING:
    from physnn.equations.newton import Problem

Array = Any
STEPS = 100
HALVINGS = 50
_SAFETY = 8.0
"""how much larger than expected the next correction may be"""
_NEAR = 1e-9
"""residual beside what it is the sum of: below it the slope changes by no more than its own derivative says"""


def search(problem: Problem, start: Mapping[str, Array]) -> Array:
    """The unknown's values, (batch, *shape, 1), from a first guess.

    Raises
    ------
    NumericsError
    """
    xp = problem.xp
    x = xp.astype(start[problem.variables[0].name], problem.kind, copy=False)
    before, found = None, problem.at(x)
    for _ in range(STEPS):
        step = _Step.from_values(problem, x, found, before)
        # Where the largest correction is not the last one, the others need not be looked at.
        if step.element(step.worst).last() is not None and (last := step.last()) is not None:
            return (x - last)[..., None]
        following = x - step.bent
        after = problem.at(following)
        shrinks = abs(after[0]) < abs(step.value)
        if not xp.all(shrinks) and xp.any(~(shrinks | (done := step.done()))):
            following, after, stuck = _halved(problem, step, done)
            if xp.any(stuck & (abs(step.value) > 2**22 * problem.rounding * step.reach)):
                break
            if xp.all(stuck | done):
                return x[..., None]
            following = xp.where(stuck, x, following)
            after = tuple(xp.where(stuck, old, new) for old, new in zip(found, after, strict=True))
        x, found, before = following, after, step.moved
    raise problem.error(f"has no solution that Newton's method finds in {STEPS} steps")


class _Step:
    """One step of a search for one real unknown, or what it is for one element."""

    def __init__(
        self,
        problem: Problem,
        x: Array,
        found: tuple[Array, ...],
        newton: Array,
        moved: Array,
        before: Array | None,
    ) -> None:
        self.problem, self.xp, self.rounding, self.least = problem, problem.xp, problem.rounding, problem.least
        self.x, self.before = x, before
        self.found, (self.value, self.size, self.slope, *self.curvature) = found, found
        self.newton, self.moved = newton, moved
        """F/F', and |F/F'|, the error of x where it is small"""

    @classmethod
    def from_values(cls, problem: Problem, x: Array, found: tuple[Array, ...], before: Array | None) -> _Step:
        """From what `Problem.at` says."""
        newton = found[0] / found[2]
        step = cls(problem, x, found, newton, abs(newton), before)
        if math.isfinite(step.element(step.worst).moved):
            return step
        value, slope = _without_flat(problem, *found[:3])
        newton = value / slope
        return cls(problem, x, (value, found[1], slope), newton, abs(newton), before)

    @property
    def worst(self) -> int:
        """The element of the largest correction, or one of those that are no numbers; counted through."""
        return int(self.xp.argmax(self.moved))

    def element(self, number: int) -> _Step:
        """The step of one element, counted through."""
        place = np.unravel_index(number, self.moved.shape)
        before = None if self.before is None else self.before[place]
        found = tuple(part[place] for part in self.found)
        return _Step(self.problem, self.x[place], found, self.newton[place], self.moved[place], before)

    @property
    def bend(self) -> Array:
        """w = c F''/F', by how much of itself the slope changes on the way."""
        return self.newton * (self.curvature[0] / self.slope)

    @property
    def bent(self) -> Array:
        """What is subtracted."""
        if not self.curvature:
            return self.newton
        bend = self.bend
        least, most = (alike(self.xp, np.asarray(bound), bend) for bound in (-2.0, 1.0))
        return self.newton / (1.0 - 0.5 * self.xp.minimum(self.xp.maximum(bend, least), most))

    @property
    def reach(self) -> Array:
        """The sum of the moduli of what the equation adds up, above 0: its rounding errors are that times theirs."""
        return abs(self.x * self.slope) + self.size + self.least

    def last(self) -> Array | None:
        """What is left to subtract, where what follows would be rounding errors; else None."""
        largest = self.xp.max(abs(self.value) / self.reach)
        if largest <= self.rounding:
            return self.newton
        # Of a small correction the next one is known, from how much the slope changes.
        if self.curvature and largest <= _NEAR and _SAFETY * largest * self.xp.max(abs(self.bend)) <= self.rounding:
            return self.newton
        return self.bent if self.before is not None and self.xp.all(self.done()) else None

    def done(self) -> Array:
        """Where the correction is a rounding error, or the next one will be: c' = (c/b)^2 c after b."""
        value, allowed = abs(self.value), self.rounding * self.reach
        done = value <= allowed
        return done if self.before is None else done | (_SAFETY * value * (self.moved / self.before) ** 2 <= allowed)


def _without_flat(problem: Problem, value: Array, size: Array, slope: Array) -> tuple[Array, Array]:
    """Residual and slope where the equation holds already: its slope does not matter there, and may vanish."""
    xp, flat = problem.xp, slope == 0
    if not xp.all(xp.isfinite(value / xp.where(flat, xp.ones_like(slope), slope))):
        raise problem.error("meets a number that is not finite")
    if not xp.all(xp.abs(value[flat]) <= problem.rounding * size[flat]):
        raise problem.error("has no unique solution (its derivative vanishes)")
    return xp.where(flat, xp.zeros_like(value), value), xp.where(flat, xp.ones_like(slope), slope)


def _halved(problem: Problem, step: _Step, done: Array) -> tuple[Array, tuple[Array, ...], Array]:
    """As `_descent`, for one real unknown whose step was too long somewhere: shares of Newton's correction."""
    xp = problem.xp
    share, stuck, size = xp.ones_like(step.x), ~done, abs(step.value)
    for _ in range(HALVINGS):
        following = step.x - share * step.newton
        found = problem.at(following)
        stuck = ~((abs(found[0]) < size) | done)
        if not xp.any(stuck):
            break
        share = xp.where(stuck, share / 2, share)
    return following, found, stuck
