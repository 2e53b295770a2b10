"""Batched execution of a System on torch tensors: the stationary state, and steps in time.

Everything is a function of the parameters given, so that torch's autograd can differentiate through it. Expressions
are compiled once for each population; the arithmetic of a step is that of `physnn.equations.Interpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.torch as xp
import sympy as sp
import torch

from physnn.equations import Coupling, Population, System, Trace
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.equations.stationary import closed_form, residuals
from physnn.errors import NumericsError

Tensor = torch.Tensor
Environment = dict[str, Any]
_NEWTON_STEPS = 60


class Compiled:
    """Generated functions of one population."""

    def __init__(self, system: System, population: Population) -> None:
        self.population = population
        self.leaving = {c.name: system.signals[c.name] for c in system.leaving(population.name)}
        self.quick = [name for name in self.leaving if system.instantaneous(system.couplings[name])]
        self.read = {name: system.readouts[name] for name, port in system.outputs.items() if port.population == population.name}
        self.signals = self._bundle(self.leaving)
        self.outputs = self._bundle(self.read)
        self.moves = self._bundle({**population.flows, **population.maps})
        self.projected = self._bundle(population.projections)
        self.guards = {name: self._bundle({"guard": guard}) for name, guard in population.guards.items()}
        self.resets = {name: self._bundle(resets) for name, resets in population.resets.items()}
        self.rests = {name: self._bundle({"rest": rest}) for name, rest in population.refractory.items()}
        unknowns = tuple(population.constraints)
        self.instant = self._solver(unknowns) if unknowns else None
        everything = tuple(residuals(population))
        self.stationary = self._solver(everything) if everything else None

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
        rows = self._bundle({name: zero[name] for name in names})
        entries = {(a, b): zero[a].diff(self.population.symbols[b]) for a in names for b in names}
        slope = self._bundle({f"{a}/{b}": e for (a, b), e in entries.items()})
        return lambda here: _newton(self.population, names, rows, slope, here)


def _newton(
    population: Population, names: tuple[str, ...], rows: Callable[[Environment], dict[str, Any]],
    slope: Callable[[Environment], dict[str, Any]], here: Environment,
) -> dict[str, Tensor]:  # fmt: skip
    """Newton's method, element by element, from the present values."""
    here = dict(here)
    precision = torch.finfo(here[names[0]].dtype).eps * 8
    for _ in range(_NEWTON_STEPS):
        shape = torch.broadcast_shapes(*(_shape(v) for v in here.values()))
        value = torch.stack([_filled(v, here[names[0]], shape) for v in rows(here).values()], dim=-1)
        flat = torch.stack([_filled(v, here[names[0]], shape) for v in slope(here).values()], dim=-1)
        matrix = flat.reshape(*value.shape, len(names))
        change = value / matrix[..., 0] if len(names) == 1 else torch.linalg.solve(matrix, value)
        here |= {name: here[name] - change[..., index] for index, name in enumerate(names)}
        size = max(float(here[name].detach().abs().max()) for name in names)
        if size != size or size == float("inf"):
            break
        if float(change.detach().abs().max()) <= precision * max(size, 1.0):
            return {name: here[name] for name in names}
    raise NumericsError(f"population {population.name!r}: no solution for {', '.join(names)} after {_NEWTON_STEPS} Newton steps")


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
        self.into = {
            name: {arrival: system.arriving(name, arrival) for arrival in p.role("arrival")} for name, p in system.populations.items()
        }

    def array(self, values: Any) -> Tensor:
        """Values as a tensor of the engine's precision and device."""
        if isinstance(values, Tensor):
            kind = self.complex_dtype if values.is_complex() else self.dtype
            return values.to(device=self.device, dtype=kind)
        tensor = torch.tensor(values)
        return tensor.to(device=self.device, dtype=self.complex_dtype if tensor.is_complex() else self.dtype)

    def zeros(self, population: Population, name: str, batch: int) -> Tensor:
        kind = self.complex_dtype if population.variables[name].complex else self.dtype
        return torch.zeros((batch, *population.shape), dtype=kind, device=self.device)

    def deliver(self, coupling: Coupling, parameters: Mapping[str, Tensor], sent: Tensor) -> Tensor:
        """What arrives when `sent` leaves the coupling."""
        return coupling.operator.apply(xp, parameters[coupling.key], sent)

    def environment(self, population: Population, parameters: Mapping[str, Tensor]) -> Environment:
        """Parameters of a population by name."""
        return {name: parameters[f"{population.name}.{name}"] for name in population.role("parameter")}

    def steady(self, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], tolerance: float, sweeps: int = 2000) -> Trace:
        """The stationary state: one sweep where the System is feed-forward, else sweeps until nothing moves."""
        self.system.check_inputs(inputs)
        batch = next((v.shape[0] for v in inputs.values()), 1)
        here = {name: {TIME: 0.0, STEP: 1.0, **self.environment(p, parameters)} for name, p in self.system.populations.items()}
        for name, value in inputs.items():
            port = self.system.inputs[name]
            here[port.population][port.variable] = value
        order = self.system.steady_order
        sent: dict[str, Tensor] = {}
        if order:
            for name in order:
                self._settle(name, here, sent, parameters, batch)
            return self._steady_trace(here, sent, batch)
        change = scale = 0.0
        for sweep in range(sweeps):
            before = {(p, n): here[p].get(n) for p, pop in self.system.populations.items() for n in (*pop.dynamic, *pop.constraints)}
            for name in self.system.populations:
                self._settle(name, here, sent, parameters, batch)
            if sweep:
                change = max((float((here[p][n] - v).detach().abs().max()) for (p, n), v in before.items()), default=0.0)
                scale = max((float(v.detach().abs().max()) for v in before.values()), default=0.0)
                if change <= tolerance * max(scale, 1e-300):
                    return self._steady_trace(here, sent, batch)
        raise NumericsError(f"no stationary state after {sweeps} sweeps (last change {change:.2g}); run it in time instead")

    def _settle(
        self, name: str, here: dict[str, Environment], sent: dict[str, Tensor], parameters: Mapping[str, Tensor], batch: int
    ) -> None:
        population, compiled, own = self.system.populations[name], self.compiled[name], here[name]
        for noise in population.noises:
            own[noise] = torch.zeros((batch, *population.shape), dtype=self.dtype, device=self.device)
        for input_name in population.role("input"):
            if input_name not in own:
                own[input_name] = self.zeros(population, input_name, batch)
        for arrival, couplings in self.into[name].items():
            pieces = [self.deliver(c, parameters, sent[c.name]) for c in couplings if c.name in sent]
            total = sum(pieces[1:], pieces[0]) if pieces else self.zeros(population, arrival, batch)
            own[arrival] = total if total.shape[0] == batch else total.expand(batch, *population.shape)
        if compiled.stationary is not None:
            for state in residuals(population):
                own.setdefault(state, self.zeros(population, state, batch))
            own |= {n: _filled(v, own[n], (batch, *population.shape)) for n, v in compiled.stationary(own).items()}
        sent |= {n: self.broadcast(population, v, batch) for n, v in compiled.signals(own).items()}

    def broadcast(self, population: Population, value: Any, batch: int) -> Tensor:
        """A value of an expression as a tensor (batch, *shape)."""
        shape = (batch, *population.shape)
        if isinstance(value, Tensor):
            return value if value.shape == shape else value.expand(shape)
        return torch.full(shape, value, dtype=self.complex_dtype if isinstance(value, complex) else self.dtype, device=self.device)

    def _steady_trace(self, here: dict[str, Environment], sent: Mapping[str, Tensor], batch: int) -> Trace:
        fields = {
            f"{name}.{n}": here[name][n].unsqueeze(1)
            for name, p in self.system.populations.items()
            for n in (*p.role("state", "unknown", "arrival", "input"), *p.noises)
        }
        outputs = {
            n: self.broadcast(self.system.populations[name], v, batch).unsqueeze(1)
            for name, compiled in self.compiled.items()
            if compiled.read
            for n, v in compiled.outputs(here[name]).items()
        }
        return Trace(0.0, fields, {n: v.unsqueeze(1) for n, v in sent.items()}, outputs)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _filled(value: Any, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    if not isinstance(value, Tensor):
        return torch.full(shape, value, dtype=like.dtype, device=like.device)
    return value if value.shape == torch.Size(shape) else value.expand(shape)
