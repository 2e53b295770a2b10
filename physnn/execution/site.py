"""One population while its System runs: what is known of it, what arrives there, and what follows.

What was computed is kept beside the arrays that it was computed from, and is not computed again from the very same
ones. Arrays are never changed in place, so the same array has the same numbers; and whatever does not change (the
signal of a held input, what it makes arrive, the sum of several such) remains the same array, step after step and
sweep after sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from operator import add
from typing import Any

from physnn.equations import Coupling, OneToOne
from physnn.equations.parse import STEP, TIME
from physnn.execution.arrays import Array, Arrays, Dtype
from physnn.execution.bundle import Bundle, Known
from physnn.execution.compiled import Compiled
from physnn.execution.search import Search


class Site:
    """One population in one run.

    Parameters
    ----------
    compiled : Compiled
    parameters : mapping
        Parameter key -> array.
    batch : int
    step : float
        [s, model time]
    """

    def __init__(
        self,
        compiled: Compiled,
        parameters: Mapping[str, Array],
        batch: int,
        step: float,
    ) -> None:
        self.arrays: Arrays = compiled.arrays
        self.compiled, self.population, self.parameters = compiled, compiled.population, parameters
        self.shape = (batch, *self.population.shape)
        self.here: dict[str, Any] = {TIME: 0.0, STEP: step}
        """values by the names in the population's equations"""
        for name, key in compiled.parameters.items():
            self.here[name] = parameters[key]
        self._known = Known()
        self._arrived: dict[str, tuple[Array, Array, Array | None, Array]] = {}
        """coupling -> what entered it, what that makes arrive, the sum of what arrived before, and with it"""
        self.errors: dict[str, Array] = {}
        """arrival -> what its detectors add"""

    def enter(self, held: Mapping[str, Array]) -> None:
        """Inputs that do not change, and parameters that are set sample by sample; other inputs are nothing."""
        for name, value in held.items():
            self.here[name] = self.typed(name, value)
        for name in self.compiled.silent:
            if name not in self.here:
                self.here[name] = self.silence(name)

    def kind(self, name: str) -> Dtype:
        """The type of a variable or noise."""
        variable = self.population.variables.get(name)
        return self.arrays.complex if variable is not None and variable.complex else self.arrays.real

    def silence(self, name: str) -> Array:
        """Nothing, in the shape and type of a variable or noise."""
        return self._known("silence", self._zeros, self.kind(name))

    def typed(self, name: str, value: Array) -> Array:
        """A value of a variable, complex where the variable is."""
        return self.arrays.cast(value, self.arrays.complex) if self.population.variables[name].complex else value

    def spread(self, value: Any) -> Array:
        """A value of an expression as an array (batch, *shape)."""
        arrays = self.arrays
        if isinstance(value, arrays.kinds):
            return value if value.shape == self.shape else arrays.spread(value, self.shape)
        return arrays.full(self.shape, value, arrays.complex if isinstance(value, complex) else arrays.real)

    def field(self, name: str) -> Array:
        """A variable, (batch, *shape)."""
        value = self.here[name]
        return value if value.shape == self.shape else self._known(("field", name), self.spread, value)

    def values(self, bundle: Bundle) -> dict[str, Array]:
        """Values of expressions, (batch, *shape) each; to be read only, they are handed out again."""
        return self._known(bundle, partial(self._computed, bundle), *[self.here[name] for name in bundle.used])

    def computed(self, bundle: Bundle, known: Known | None = None) -> dict[str, Array]:
        """As `values`, but neither recalled nor kept: parts of it are in `known`, where given."""
        values = bundle(self.here, known or Known())
        return dict(zip(bundle.names, map(self.spread, values), strict=True))

    def _computed(self, bundle: Bundle, *_: Any) -> dict[str, Array]:
        return self.computed(bundle, self._known)

    def sent(self, coupling: str) -> Array:
        """What enters a coupling that leaves from here; what it hangs on has arrived."""
        scaled = self.compiled.scaled.get(coupling)
        if scaled is not None and scaled.is_plain(self.here, self._known):
            return self.typed(scaled.wave, self.field(scaled.wave))
        return self.values(self.compiled.instant[coupling])[coupling]

    def weigh(self, coupling: Coupling, weights: Array) -> None:
        """From now on a coupling that ends here has these weights: the same signal makes something else arrive."""
        self.parameters = {**self.parameters, coupling.key: weights}
        self._arrived.pop(coupling.name, None)

    def forget(self) -> None:
        """Let go of what changes from step to step."""
        self._known.forget()

    def solve(self, solver: Bundle | Search) -> dict[str, Array]:
        """Put unknowns, or stationary states, where they belong for what is known now."""
        if isinstance(solver, Bundle):
            found = self.values(solver)
        else:
            found = self._known(solver, partial(self._searched, solver), *[self.here[name] for name in solver.used])
        self.here |= found
        return found

    def _searched(self, search: Search, *_: Any) -> dict[str, Array]:
        return {name: self.spread(value) for name, value in search(self.here).items()}

    def receive(self, arrival: str, leaving: Iterable[tuple[Coupling, Array]]) -> None:
        """Put the sum of what arrives under one name where it belongs."""
        self.here[arrival] = self.arriving(arrival, leaving)

    def arriving(self, arrival: str, leaving: Iterable[tuple[Coupling, Array]]) -> Array:
        """The sum of what arrives under one name when these signals leave their couplings."""
        total: Array | None = None
        for coupling, sent in leaving:
            known = self._arrived.get(coupling.name)
            piece = known[1] if known is not None and known[0] is sent else self._delivered(coupling, sent)
            if known is None or known[1] is not piece or known[2] is not total:
                known = sent, piece, total, piece if total is None else total + piece
                self._arrived[coupling.name] = known
            total = known[3]
        found = self.silence(arrival) if total is None else total
        if arrival not in self.errors:
            return found
        return self._known(("error", arrival), add, found, self.errors[arrival])

    def _delivered(self, coupling: Coupling, sent: Array) -> Array:
        weights = self.parameters[coupling.key]
        arrays = self.arrays
        if coupling.constant and self._known(("plain", coupling.name), self._is_plain, weights, coupling):
            return self.typed(coupling.into, self.spread(sent))
        if weights.dtype != sent.dtype:  # not every library's products promote real numbers to complex ones
            weights, sent = arrays.cast(weights, arrays.complex), arrays.cast(sent, arrays.complex)
        return self.typed(coupling.into, self.spread(coupling.operator.apply(arrays.xp, weights, sent)))

    def _is_plain(self, weights: Array, coupling: Coupling) -> bool:
        """Whether a coupling delivers what enters it, element by element."""
        return isinstance(coupling.operator, OneToOne) and bool(self.arrays.xp.all(weights == 1))

    def _zeros(self, kind: Dtype) -> Array:
        return self.arrays.full(self.shape, 0.0, kind)
