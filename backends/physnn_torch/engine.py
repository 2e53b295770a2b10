"""Batched execution of a System on torch tensors: the stationary state, and steps in time.

Everything is a function of the parameters given, so that torch's autograd can differentiate through it. Expressions
are compiled once for each population; the arithmetic of a step is that of `physnn.equations.Interpreter`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import array_api_compat.torch as xp
import sympy as sp
import torch

from physnn.equations import Coupling, Population, System, Trace
from physnn.equations.generate import function
from physnn.equations.newton import corrected, solve
from physnn.equations.parse import STEP, TIME
from physnn.equations.stationary import closed_form, residuals
from physnn.errors import NumericsError
from physnn.substrate.contract import check_constant

Tensor = torch.Tensor
Environment = dict[str, Any]


class Compiled:
    """Generated functions of one population."""

    def __init__(self, system: System, population: Population) -> None:
        self.population = population
        self.parameters = {name: f"{population.name}.{name}" for name in population.role("parameter")}
        self.inputs = population.role("input")
        ports = [port.variable for port in system.inputs.values() if port.population == population.name]
        per_sample = [name for name in self.parameters if name in ports]
        self.recorded = (*population.role("state", "unknown", "arrival", "input"), *population.noises, *per_sample)
        self.into = {arrival: system.arriving(population.name, arrival) for arrival in population.role("arrival")}
        leaving = {c.name: system.signals[c.name] for c in system.leaving(population.name)}
        quick = [name for name in leaving if system.instantaneous(system.couplings[name])]
        ports = [name for name, port in system.outputs.items() if port.population == population.name]
        self.read = {name: system.readouts[name] for name in ports}
        self.signals = self._bundle(leaving)
        self.held = self._bundle({name: signal for name, signal in leaving.items() if name not in quick})
        """signals that are known from the states alone, before anything has arrived"""
        self.instant = {name: self._bundle({name: leaving[name]}) for name in quick}
        """signals that hang on what arrives or is solved for in the same step"""
        self.outputs = self._bundle(self.read)
        self.moves = self._bundle({**population.flows, **population.maps})
        self.projected = self._bundle(population.projections)
        self.guards = {name: self._bundle({"guard": guard}) for name, guard in population.guards.items()}
        self.resets = {name: self._bundle(resets) for name, resets in population.resets.items()}
        self.rests = {name: self._bundle({"rest": rest}) for name, rest in population.refractory.items()}
        unknowns = tuple(population.constraints)
        self.solved = self._solver(unknowns) if unknowns else None

    @cached_property
    def stationary(self) -> Callable[[Environment], dict[str, Any]] | None:
        """Finds the stationary states from what arrives; made when first asked for, since not every medium has them."""
        names = tuple(residuals(self.population))
        return self._solver(names) if names else None

    @cached_property
    def guessed(self) -> tuple[str, ...]:
        """States for which the search of a stationary state needs a first guess."""
        names = tuple(residuals(self.population))
        return names if names and closed_form(self.population, names) is None else ()

    def _bundle(self, expressions: Mapping[str, sp.Basic]) -> Callable[[Environment], dict[str, Any]]:
        if not expressions:
            return lambda here: {}
        used = sorted({str(s) for e in expressions.values() for s in e.free_symbols})
        compiled = function(tuple(self.population.symbols[n] for n in used), tuple(expressions.values()))
        names = tuple(expressions)
        return lambda here: dict(zip(names, compiled(xp, *[here[n] for n in used]), strict=True))

    def _solver(self, names: tuple[str, ...]) -> Callable[[Environment], dict[str, Any]]:
        solution = closed_form(self.population, names)
        if solution is not None:
            return self._bundle(solution)
        zero = residuals(self.population)
        return _Solver(
            self.population, {name: zero[name] for name in names}, at_rest=names == tuple(self.population.flows)
        )


class _Solver:
    """Newton's method, element by element, from the present values.

    The search itself is not recorded by autograd; one last correction is, which has the derivatives of the solution
    (implicit-function theorem).
    """

    def __init__(self, population: Population, zero: Mapping[str, sp.Expr], *, at_rest: bool) -> None:
        self.population, self.zero, self.at_rest = population, zero, at_rest
        self.compiled: dict[tuple[sp.Expr, ...], tuple[list[str], Callable[..., tuple[Any, ...]]]] = {}

    def function(self, expressions: tuple[sp.Expr, ...]) -> tuple[list[str], Callable[..., tuple[Any, ...]]]:
        """Names that some expressions need, and what computes them; kept, as a search asks for the same ones."""
        if expressions not in self.compiled:
            used = sorted({str(s) for e in expressions for s in e.free_symbols})
            symbols = tuple(self.population.symbols[n] for n in used)
            self.compiled[expressions] = used, function(symbols, expressions)
        return self.compiled[expressions]

    def __call__(self, here: Environment) -> dict[str, Tensor]:
        start = {name: here[name].detach() for name in self.zero}
        shape = next(iter(start.values())).shape

        def compute(expressions: tuple[sp.Expr, ...], values: Mapping[str, Tensor]) -> list[Tensor]:
            used, compiled = self.function(expressions)
            known = here | dict(values)
            like = next(iter(values.values()))
            return [_filled(v, like, shape) for v in compiled(xp, *[known[n] for n in used])]

        with torch.no_grad():
            found = solve(self.population, self.zero, start, compute, at_rest=self.at_rest)
        tracked = [v for v in here.values() if isinstance(v, Tensor) and v.requires_grad]
        return corrected(self.population, self.zero, found, compute) if tracked else found


class Engine:
    """One System compiled for torch.

    Parameters
    ----------
    system : System
    dtype : torch.dtype
        torch.float32 or torch.float64; complex states take the complex type of that precision.
    device : torch.device
    """

    def __init__(self, system: System, dtype: torch.dtype, device: torch.device) -> None:
        self.system = system
        self.dtype, self.device = dtype, device
        self.complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        self.compiled = {name: Compiled(system, p) for name, p in system.populations.items()}

    def array(self, values: Any) -> Tensor:
        """Values as a tensor of the engine's precision and device."""
        if isinstance(values, Tensor):
            kind = self.complex_dtype if values.is_complex() else self.dtype
            return values.to(device=self.device, dtype=kind)
        tensor = torch.tensor(values)
        return tensor.to(device=self.device, dtype=self.complex_dtype if tensor.is_complex() else self.dtype)

    def zeros(self, population: Population, name: str, batch: int) -> Tensor:
        """Nothing, in the shape and kind of one of a population's variables or noises."""
        variable = population.variables.get(name)
        kind = self.complex_dtype if variable is not None and variable.complex else self.dtype
        return torch.zeros((batch, *population.shape), dtype=kind, device=self.device)

    def deliver(self, coupling: Coupling, parameters: Mapping[str, Tensor], sent: Tensor) -> Tensor:
        """What arrives when `sent` leaves the coupling."""
        weights = parameters[coupling.key]
        if weights.dtype != sent.dtype:  # torch's products do not promote real numbers to complex ones
            kind = torch.promote_types(weights.dtype, sent.dtype)
            weights, sent = weights.to(kind), sent.to(kind)
        return coupling.operator.apply(xp, weights, sent)

    def environment(self, compiled: Compiled, parameters: Mapping[str, Tensor]) -> Environment:
        """Parameters of a population by name."""
        return {name: parameters[key] for name, key in compiled.parameters.items()}

    def steady(
        self, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], tolerance: float, sweeps: int = 2000
    ) -> tuple[Trace, int]:
        """The stationary state, and the number of sweeps it took: one where the System is feed-forward.

        Loops are swept until nothing moves by more than `tolerance` times the largest amplitude.
        """
        self.system.check_steady()
        check_constant(self.system, inputs)
        batch = next((v.shape[0] for v in inputs.values()), 1)
        here = {name: {TIME: 0.0, STEP: 1.0, **self.environment(c, parameters)} for name, c in self.compiled.items()}
        for name, value in inputs.items():
            port = self.system.inputs[name]
            here[port.population][port.variable] = self.typed(
                self.system.populations[port.population], port.variable, value
            )
        order = self.system.steady_order
        sent: dict[str, Tensor] = {}
        for name in order or ():
            self._settle(name, here, sent, parameters, batch)
        taken = 1 if order is not None else self._sweep(here, sent, parameters, batch, tolerance, sweeps)
        trace = self._steady_trace(here, sent, batch)
        for name, value in trace.outputs.items():
            if not is_finite(value):
                raise NumericsError(f"output {name!r} is not finite in the stationary state; check inputs and damping")
        return trace, taken

    def _sweep(
        self,
        here: dict[str, Environment],
        sent: dict[str, Tensor],
        parameters: Mapping[str, Tensor],
        batch: int,
        tolerance: float,
        sweeps: int,
    ) -> int:
        """Settle one population after the other, round and round; the number of rounds."""
        change = math.inf
        for sweep in range(1, sweeps + 1):
            before = dict(sent)
            for name in self.system.populations:
                self._settle(name, here, sent, parameters, batch)
            if before:
                change = max(float((sent[n] - v).detach().abs().max()) for n, v in before.items())
                scale = max(float(v.detach().abs().max()) for v in sent.values())
                if not math.isfinite(change + scale):
                    break
                if change <= tolerance * scale:
                    return sweep
        raise NumericsError(
            f"no stationary state after {sweep} sweeps (last change {change:.2g}); run it in time instead"
        )

    def _settle(
        self,
        name: str,
        here: dict[str, Environment],
        sent: dict[str, Tensor],
        parameters: Mapping[str, Tensor],
        batch: int,
    ) -> None:
        compiled, own = self.compiled[name], here[name]
        population = compiled.population
        for silent in (*population.noises, *compiled.inputs):
            if silent not in own:
                own[silent] = self.zeros(population, silent, batch)
        for arrival, couplings in compiled.into.items():
            pieces = [self.deliver(c, parameters, sent[c.name]) for c in couplings if c.name in sent]
            total = sum(pieces[1:], pieces[0]) if pieces else self.zeros(population, arrival, batch)
            own[arrival] = self.typed(population, arrival, self.broadcast(population, total, batch))
        if compiled.stationary is not None:
            for state in compiled.guessed:
                if state not in own:
                    start = self.array(population.values.get(state, 0.0))
                    own[state] = self.zeros(population, state, batch) + start
            own |= {n: self.broadcast(population, v, batch) for n, v in compiled.stationary(own).items()}
        sent |= {n: self.broadcast(population, v, batch) for n, v in compiled.signals(own).items()}

    def typed(self, population: Population, name: str, value: Tensor) -> Tensor:
        """A value of a variable, complex where the variable is."""
        return value.to(self.complex_dtype) if population.variables[name].complex else value

    def broadcast(self, population: Population, value: Any, batch: int) -> Tensor:
        """A value of an expression as a tensor (batch, *shape)."""
        shape = (batch, *population.shape)
        if isinstance(value, Tensor):
            return value if value.shape == shape else value.expand(shape)
        kind = self.complex_dtype if isinstance(value, complex) else self.dtype
        return torch.full(shape, value, dtype=kind, device=self.device)

    def _steady_trace(self, here: dict[str, Environment], sent: Mapping[str, Tensor], batch: int) -> Trace:
        fields = {
            f"{name}.{n}": self.broadcast(compiled.population, here[name][n], batch).unsqueeze(1)
            for name, compiled in self.compiled.items()
            for n in compiled.recorded
        }
        outputs = {
            n: self.broadcast(compiled.population, v, batch).unsqueeze(1)
            for name, compiled in self.compiled.items()
            if compiled.read
            for n, v in compiled.outputs(here[name]).items()
        }
        return Trace(0.0, fields, {n: v.unsqueeze(1) for n, v in sent.items()}, outputs)


def is_finite(value: Tensor) -> bool:
    """Whether all numbers are finite. A finite sum settles it, at a quarter of the cost of looking at each."""
    return math.isfinite(abs(value.detach().sum().item())) or bool(torch.isfinite(value).all())


def _filled(value: Any, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(value, Tensor):
        return torch.full(shape, value, dtype=like.dtype, device=like.device)
    return value if value.shape == torch.Size(shape) else value.expand(shape)
