"""One population while its System runs: what is known of it, what arrives there, and what follows.

What was computed is kept beside the arrays that it was computed from, and is not computed again from the very same
ones. Arrays are never changed in place, so the same array has the same numbers; and whatever does not change (the
signal of a held input, what it makes arrive, the sum of several such) remains the same array, step after step and
sweep after sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import Any

import array_api_compat.torch as xp
import torch

from physnn.equations import Coupling
from physnn.equations.parse import STEP, TIME
from physnn_torch.compiled import Bundle, Compiled, Environment, Search, Tensor


class Site:
    """One population in one run.

    Parameters
    ----------
    compiled : Compiled
    parameters : mapping
        Parameter key -> tensor.
    batch : int
    step : float
        [s, model time]
    dtype : torch.dtype
        torch.float32 or torch.float64; complex variables have the complex type of that precision.
    device : torch.device
    """

    def __init__(
        self,
        compiled: Compiled,
        parameters: Mapping[str, Tensor],
        batch: int,
        step: float,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.compiled, self.population, self.parameters = compiled, compiled.population, parameters
        self.shape = torch.Size((batch, *self.population.shape))
        self.dtype, self.device = dtype, device
        self.complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        self.here: Environment = {TIME: 0.0, STEP: step}
        """values by the names in the population's equations"""
        for name, key in compiled.parameters.items():
            self.here[name] = parameters[key]
        self._known: dict[Any, tuple[tuple[Any, ...], Any]] = {}
        self._arrived: dict[str, tuple[Tensor, Tensor, Tensor | None, Tensor]] = {}
        """coupling -> what entered it, what that makes arrive, the sum of what arrived before, and with it"""

    def enter(self, held: Mapping[str, Tensor]) -> None:
        """Inputs that do not change, and parameters that are set sample by sample; other inputs are nothing."""
        for name, value in held.items():
            self.here[name] = self.typed(name, value)
        for name in self.compiled.silent:
            if name not in self.here:
                self.here[name] = self.silence(name)

    def kind(self, name: str) -> torch.dtype:
        """The type of a variable or noise."""
        variable = self.population.variables.get(name)
        return self.complex_dtype if variable is not None and variable.complex else self.dtype

    def silence(self, name: str) -> Tensor:
        """Nothing, in the shape and type of a variable or noise."""
        return self.recalled("silence", self._zeros, self.kind(name))

    def typed(self, name: str, value: Tensor) -> Tensor:
        """A value of a variable, complex where the variable is."""
        return value.to(self.complex_dtype) if self.population.variables[name].complex else value

    def spread(self, value: Any) -> Tensor:
        """A value of an expression as a tensor (batch, *shape)."""
        if isinstance(value, torch.Tensor):
            return value if value.shape == self.shape else value.expand(self.shape)
        kind = self.complex_dtype if isinstance(value, complex) else self.dtype
        return torch.full(self.shape, value, dtype=kind, device=self.device)

    def field(self, name: str) -> Tensor:
        """A variable, (batch, *shape)."""
        value = self.here[name]
        return value if value.shape == self.shape else self.recalled(("field", name), self.spread, value)

    def values(self, bundle: Bundle) -> dict[str, Tensor]:
        """Values of expressions, (batch, *shape) each; to be read only, they are handed out again."""
        arguments = tuple([self.here[name] for name in bundle.used])
        known = self._known.get(bundle)
        if known is None or not all(map(is_, known[0], arguments)):
            values = map(self.spread, bundle(*arguments))
            known = self._known[bundle] = arguments, dict(zip(bundle.names, values, strict=True))
        return known[1]

    def solve(self, solver: Bundle | Search) -> dict[str, Tensor]:
        """Put unknowns, or stationary states, where they belong for what is known now."""
        if isinstance(solver, Bundle):
            found = self.values(solver)
        else:
            found = {name: self.spread(value) for name, value in solver(self.here).items()}
        self.here |= found
        return found

    def receive(self, arrival: str, leaving: Iterable[tuple[Coupling, Tensor]]) -> None:
        """Sum what arrives under one name when these signals leave their couplings."""
        total: Tensor | None = None
        for coupling, sent in leaving:
            known = self._arrived.get(coupling.name)
            piece = known[1] if known is not None and known[0] is sent else self._delivered(coupling, sent)
            if known is None or known[1] is not piece or known[2] is not total:
                known = sent, piece, total, piece if total is None else total + piece
                self._arrived[coupling.name] = known
            total = known[3]
        self.here[arrival] = self.silence(arrival) if total is None else total

    def recalled(self, key: Any, compute: Callable[..., Any], *arguments: Any) -> Any:
        """What is computed from arguments, or was from the very same ones when last asked under this key."""
        known = self._known.get(key)
        if known is None or not all(map(is_, known[0], arguments)):
            known = self._known[key] = arguments, compute(*arguments)
        return known[1]

    def _delivered(self, coupling: Coupling, sent: Tensor) -> Tensor:
        weights = self.parameters[coupling.key]
        if weights.dtype != sent.dtype:  # torch's products do not promote real numbers to complex ones
            kind = torch.promote_types(weights.dtype, sent.dtype)
            weights, sent = weights.to(kind), sent.to(kind)
        return self.typed(coupling.into, self.spread(coupling.operator.apply(xp, weights, sent)))

    def _zeros(self, kind: torch.dtype) -> Tensor:
        return torch.zeros(self.shape, dtype=kind, device=self.device)
