"""Newton's method for the constraints and stationary states of one population in a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import sympy as sp

from physnn.equations import Population
from physnn.equations.newton import corrected, solve
from physnn.execution.arrays import Array, Arrays
from physnn.execution.bundle import Bundle, Known, Layers, Parts

Environment = Mapping[str, Any]


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
        layers: Layers = (),
    ) -> None:
        self.arrays, self.population, self.at_rest = arrays, population, at_rest
        rest = {*population.symbols} - {*zero} - set().union(*layers)
        self._parts = Parts(arrays, population, tuple(zero.values()), tuple(zero), (*(layers or ((), ())), rest))
        self.zero = dict(zip(zero, self._parts.left, strict=True))
        """unknown -> F of 0 = F; what does not move in a search is one symbol"""
        self.used = self._parts.used
        """names of what the solution hangs on"""
        self._bundles: dict[tuple[sp.Expr, ...], Bundle] = {}
        self._known = Known()

    def __call__(self, here: Environment) -> dict[str, Array]:
        """The solution for what is known in an environment."""
        start = {name: self.arrays.plain(here[name]) for name in self.zero}
        with self.arrays.untracked():
            found = self._in_blocks(here, start)
        if not self.arrays.tracked(here.values()):
            return found
        standing = self._parts(here, Known())  # what was kept without a graph has no derivatives

        def compute(expressions: tuple[sp.Expr, ...], values: Mapping[str, Array]) -> list[Array]:
            return self._computed(self._bundle(expressions), standing, values)

        return corrected(self.population, self.zero, found, compute)

    def _bundle(self, expressions: tuple[sp.Expr, ...]) -> Bundle:
        """What computes some expressions; kept, as a search asks for the same ones."""
        if expressions not in self._bundles:
            named = {str(number): expression for number, expression in enumerate(expressions)}
            self._bundles[expressions] = Bundle(self.arrays, self.population, named, symbols=self._parts.symbols)
        return self._bundles[expressions]

    def _in_blocks(self, here: Environment, start: Mapping[str, Array]) -> dict[str, Array]:
        """The search, so many samples at a time that the arrays in between stay near the processor."""
        batch, *shape = next(iter(start.values())).shape
        size = max(self.arrays.block // math.prod(shape), 1) if self.arrays.block else batch
        standing = self._parts(here, self._known)
        found = []
        for first in range(0, batch, size):
            rows = slice(first, first + size) if size < batch else slice(None)

            def cut(value: Any, rows: slice = rows) -> Any:
                of_samples = getattr(value, "ndim", 0) == len(shape) + 1 and value.shape[0] == batch
                return value[rows, ...] if of_samples else value

            known = {name: cut(value) for name, value in standing.items()}

            def compute(
                expressions: tuple[sp.Expr, ...], values: Mapping[str, Array], known: Mapping[str, Any] = known
            ) -> list[Array]:
                return self._computed(self._bundle(expressions), known, values)

            own = {name: cut(value) for name, value in start.items()}
            found.append(solve(self.population, self.zero, own, compute, at_rest=self.at_rest))
        if len(found) == 1:
            return found[0]
        return {name: self.arrays.xp.concat([piece[name] for piece in found], axis=0) for name in start}

    def _computed(self, bundle: Bundle, known: Mapping[str, Any], values: Mapping[str, Array]) -> list[Array]:
        like = next(iter(values.values()))
        found = bundle.computed([values[name] if name in values else known[name] for name in bundle.arguments])
        return [self._filled(value, like, like.shape) for value in found]

    def _filled(self, value: Any, like: Array, shape: tuple[int, ...]) -> Array:
        if not isinstance(value, self.arrays.kinds):
            return self.arrays.full(shape, value, like.dtype)
        return value if value.shape == shape else self.arrays.spread(value, shape)
