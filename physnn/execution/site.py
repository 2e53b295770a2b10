"""One population while its System runs: what is known of it, what arrives there, and what follows.

What was computed is kept beside the arrays that it was computed from, and is not computed again from the very same
ones. Arrays are never changed in place, so the same array has the same numbers; and whatever does not change (the
signal of a held input, what it makes arrive, the sum of several such) remains the same array, step after step and
sweep after sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import add, is_
from typing import Any

from physnn.equations import Coupling, OneToOne
from physnn.equations.parse import STEP, TIME
from physnn.execution.arrays import Array, Arrays, Dtype
from physnn.execution.compiled import Bundle, Compiled, Environment, Search


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
        self.here: Environment = {TIME: 0.0, STEP: step}
        """values by the names in the population's equations"""
        for name, key in compiled.parameters.items():
            self.here[name] = parameters[key]
        self._known: dict[Any, tuple[tuple[Any, ...], Any]] = {}
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
        return self.recalled("silence", self._zeros, self.kind(name))

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
        return value if value.shape == self.shape else self.recalled(("field", name), self.spread, value)

    def values(self, bundle: Bundle) -> dict[str, Array]:
        """Values of expressions, (batch, *shape) each; to be read only, they are handed out again."""
        arguments = tuple([self.here[name] for name in bundle.used])
        known = self._known.get(bundle)
        if known is None or not all(map(is_, known[0], arguments)):
            known = self._known[bundle] = arguments, self.computed(bundle)
        return known[1]

    def computed(self, bundle: Bundle) -> dict[str, Array]:
        """As `values`, but neither recalled nor kept."""
        values = self.here
        if bundle.standing:
            values = values | {
                name: self.recalled((bundle, name), partial(self._standing, compute), *[values[n] for n in used])
                for name, (_, used, compute) in bundle.standing.items()
            }
        return dict(zip(bundle.names, map(self.spread, bundle(values)), strict=True))

    def _standing(self, compute: Callable[..., tuple[Any, ...]], *arguments: Any) -> Any:
        """A part that is the same for all samples, for one of them."""
        (value,) = compute(self.arrays.xp, *arguments)
        return value[:1, ...] if getattr(value, "shape", None) == self.shape else value

    def solve(self, solver: Bundle | Search) -> dict[str, Array]:
        """Put unknowns, or stationary states, where they belong for what is known now."""
        if isinstance(solver, Bundle):
            found = self.values(solver)
        else:
            found = {name: self.spread(value) for name, value in solver(self.here).items()}
        self.here |= found
        return found

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
        return self.recalled(("error", arrival), add, found, self.errors[arrival])

    def recalled(self, key: Any, compute: Callable[..., Any], *arguments: Any) -> Any:
        """What is computed from arguments, or was from the very same ones when last asked under this key."""
        known = self._known.get(key)
        if known is None or not all(map(is_, known[0], arguments)):
            known = self._known[key] = arguments, compute(*arguments)
        return known[1]

    def _delivered(self, coupling: Coupling, sent: Array) -> Array:
        weights = self.parameters[coupling.key]
        arrays = self.arrays
        if coupling.constant and self.recalled(("plain", coupling.name), self._is_plain, weights, coupling):
            return self.typed(coupling.into, self.spread(sent))
        if weights.dtype != sent.dtype:  # not every library's products promote real numbers to complex ones
            weights, sent = arrays.cast(weights, arrays.complex), arrays.cast(sent, arrays.complex)
        return self.typed(coupling.into, self.spread(coupling.operator.apply(arrays.xp, weights, sent)))

    def _is_plain(self, weights: Array, coupling: Coupling) -> bool:
        """Whether a coupling delivers what enters it, element by element."""
        return isinstance(coupling.operator, OneToOne) and bool(self.arrays.xp.all(weights == 1))

    def _zeros(self, kind: Dtype) -> Array:
        return self.arrays.full(self.shape, 0.0, kind)
