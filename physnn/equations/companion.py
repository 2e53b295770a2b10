"""Companions: Systems made from a System. The reflected wave (its adjoint) and the tangent (its small-signal form).

The reflected System of  x' = f(x, a, theta),  0 = F(v, x, a),  a = sum K g(x, v; t - delay)  about an incident trace is

    dx_hat/ds = (df/dx)^T x_hat + (dF/dx)^T v_hat + (dg/dx)^T echo + error,      s = reversed time
    0         = (dF/dv)^T v_hat + (df/dv)^T x_hat + (dg/dv)^T echo + error
    echo      = K^T [ (df/da)^T x_hat + (dF/da)^T v_hat + (dg/da)^T echo ]       the same delay, the same weights

It is again a System: populations elementwise, couplings run backwards through the same weights (reciprocity). With
explicit Euler it is the exact adjoint of explicit Euler. The gradient of a coupling's weights is the correlation of
what entered it from the source (incident) and what entered it from the target (reflected); `gradient` computes it.

Error waves of flows are densities in time, dL/dx per second of injection; maps carry plain derivatives, and `dt`
converts where the two meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations.adjoint import pulled_back, pushed_forward
from physnn.equations.operators import Dense, Transposed
from physnn.equations.parse import STEP
from physnn.equations.population import Population, Variable
from physnn.equations.system import Coupling, Input, Output, System
from physnn.equations.trace import Trace
from physnn.errors import CapabilityError

HAT = "_hat"
Array = Any


@dataclass(frozen=True)
class Incident:
    """An input of a companion that carries a field of the incident trace."""

    field: str
    """key of `Trace.fields`"""
    ahead: int = 0
    """steps later than the moment concerned (a projection's mask reads the state after the step)"""


@dataclass(frozen=True)
class Companion:
    """A companion System and what connects it to the System it was made from."""

    system: System
    incident: Mapping[str, Incident]
    """input port -> field of the incident trace"""
    errors: Mapping[str, str]
    """output port of the original -> input port that takes the loss's cotangent there"""
    reflected: Mapping[str, str]
    """trainable parameter or coupling -> output port with the reflected wave that its gradient correlates"""
    feedback: Mapping[str, tuple[int, ...]]
    """parameter key of feedback paths with weights of their own -> shape"""


def reflected(system: System, transport: str = "transpose") -> Companion:
    """The reflected-wave companion: linearised about the incident trace, transposed, reversed in time.

    Parameters
    ----------
    system : System
    transport : str
        "transpose": the wave returns through the couplings themselves, K^T. "random": through fixed feedback paths
        with weights of their own, parameter `COUPLING.feedback` (feedback alignment; Lillicrap et al., Nature
        Communications 7:13276, 2016).

    Raises
    ------
    CapabilityError
        The System has events or plastic couplings, for which no smooth adjoint exists.
    """
    return _Reflection(system, transport).build()


class _Reflection:
    def __init__(self, system: System, transport: str) -> None:
        self.system = system
        self.transport = transport
        for population in system.populations.values():
            if population.events:
                raise CapabilityError(
                    f"population {population.name!r} has events: its reflected wave needs a surrogate; "
                    "use a smooth population or a rule without a reflected wave"
                )
        for coupling in system.couplings.values():
            if coupling.plasticity is not None:
                raise CapabilityError(f"coupling {coupling.name!r} is plastic while it runs; freeze it to reflect a wave in it")
        self.incident: dict[str, Incident] = {}
        self.echoed = {c.name for c in system.couplings.values()}
        self.pruned()

    def pruned(self) -> None:
        """Leave out the wave into populations that neither hold a state nor pass it on (sources)."""
        changed = True
        while changed:
            changed = False
            for coupling in self.system.couplings.values():
                source = self.system.populations[coupling.source]
                arriving = [c for n in source.role("arrival") for c in self.system.arriving(source.name, n)]
                passes = any(c.name in self.echoed or c.trainable for c in arriving)
                own = source.dynamic or source.constraints or any(v.trainable for v in source.variables.values())
                if coupling.name in self.echoed and not own and not (passes and self.system.instantaneous(coupling)):
                    self.echoed.discard(coupling.name)
                    changed = True

    def build(self) -> Companion:
        populations = [self.population(p) for p in self.system.populations.values()]
        couplings, feedback = [], {}
        for coupling in self.system.couplings.values():
            if coupling.name in self.echoed:
                back = self.coupling(coupling)
                couplings.append(back)
                if self.transport == "random":
                    feedback[back.key] = back.operator.weight_shape
        inputs = {
            f"{p.name}.{v.name}": Input(p.name, v.name) for p in populations for v in p.variables.values() if v.role == "input"
        }
        errors = {name: f"{port.population}.{name}_error" for name, port in self.system.outputs.items()}
        outputs, where = self.outputs()
        system = System.of(populations, couplings, inputs, outputs, derived=True)
        return Companion(system, self.incident, errors, where, feedback)

    def waves(self, population: Population) -> dict[str, sp.Symbol]:
        """Error wave symbol of every state and unknown."""
        return {
            name: Variable(name + HAT, "state", complex=population.variables[name].complex).symbol
            for name in (*population.dynamic, *population.constraints)
        }

    def seen(self, population: Population, name: str) -> sp.Expr:
        """The error wave of a state as its equations see it: masked where a projection cut the state off."""
        wave = self.waves(population)[name]
        if name not in population.projections:
            return wave
        after = sp.Symbol(f"{name}_next", real=True)
        symbol = population.symbols[name]
        return population.projections[name].diff(symbol).xreplace({symbol: after}) * wave

    def echo(self, coupling: Coupling) -> Variable:
        source = self.system.populations[coupling.source]
        is_complex = source.is_complex(self.system.signals[coupling.name])
        return Variable(f"echo_{coupling.name}", "arrival", complex=is_complex)

    def density(self, population: Population, target: Variable) -> sp.Expr:
        """Everything that reflects onto one variable of a population, as a density in time."""
        total: sp.Expr = sp.Integer(0)
        for name, flow in population.flows.items():
            total += pulled_back(flow, target, self.seen(population, name), expression_is_complex=population.variables[name].complex)
        for name, following in population.maps.items():
            wave = self.seen(population, name) / population.symbols[STEP]
            total += pulled_back(following, target, wave, expression_is_complex=population.variables[name].complex)
        for name, residual in population.constraints.items():
            wave = self.waves(population)[name]
            total += pulled_back(residual, target, wave, expression_is_complex=population.is_complex(residual))
        return total + self.returned(population, target)

    def returned(self, population: Population, target: Variable) -> sp.Expr:
        """What comes back along couplings and from the loss onto one variable."""
        total: sp.Expr = sp.Integer(0)
        for coupling in self.system.leaving(population.name):
            if coupling.name in self.echoed:
                echo = self.echo(coupling)
                total += pulled_back(self.system.signals[coupling.name], target, echo.symbol, expression_is_complex=echo.complex)
        for name, port in self.system.outputs.items():
            if port.population == population.name:
                error = self.error(population, name)
                total += pulled_back(self.system.readouts[name], target, error.symbol, expression_is_complex=error.complex)
        return total

    def error(self, population: Population, port: str) -> Variable:
        return Variable(f"{port}_error", "input", "1", population.is_complex(self.system.readouts[port]))

    def population(self, population: Population) -> Population:
        flows, maps, constraints = {}, {}, {}
        step = population.symbols[STEP]
        for name in population.flows:
            wave, seen = self.waves(population)[name], self.seen(population, name)
            cut = (seen - wave) / step if seen != wave else sp.Integer(0)
            flows[name + HAT] = self.density(population, population.variables[name]) + cut
        for name in population.maps:
            maps[name + HAT] = step * self.density(population, population.variables[name])
        for name in population.constraints:
            constraints[name + HAT] = self.density(population, population.variables[name])
        variables = self.variables(population)
        return Population(
            population.name, population.shape, variables, flows, maps, constraints,
            values={k: v for k, v in population.values.items() if population.variables[k].role == "parameter"},
            text="reflected:" + population.text,
        )  # fmt: skip

    def variables(self, population: Population) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        for name, variable in population.variables.items():
            if variable.role == "parameter":
                found[name] = replace(variable, trainable=False)
            else:
                found[name] = replace(variable, role="input", trainable=False)
                self.incident[f"{population.name}.{name}"] = Incident(f"{population.name}.{name}")
        for name in population.noises:
            found[name] = Variable(name, "input")
            self.incident[f"{population.name}.{name}"] = Incident(f"{population.name}.{name}")
        for name in population.projections:
            found[f"{name}_next"] = Variable(f"{name}_next", "input")
            self.incident[f"{population.name}.{name}_next"] = Incident(f"{population.name}.{name}", ahead=1)
        for name in (*population.dynamic, *population.constraints):
            of = population.variables[name]
            found[name + HAT] = Variable(name + HAT, "state" if name in population.dynamic else "unknown", "1", of.complex)
        for coupling in self.system.leaving(population.name):
            if coupling.name in self.echoed:
                found[f"echo_{coupling.name}"] = self.echo(coupling)
        for name, port in self.system.outputs.items():
            if port.population == population.name:
                found[f"{name}_error"] = self.error(population, name)
        return found

    def coupling(self, coupling: Coupling) -> Coupling:
        source, target = self.system.populations[coupling.source], self.system.populations[coupling.target]
        signal = self.density(target, target.variables[coupling.into])
        operator: Any = Transposed(coupling.operator, source.shape)
        key = coupling.key
        if self.transport == "random":
            operator = Dense(int(np.prod(source.shape)), int(np.prod(target.shape)), source.shape if len(source.shape) > 1 else None)
            key = f"{coupling.key}.feedback"
        return Coupling(
            coupling.name, coupling.target, coupling.source, signal, operator, f"echo_{coupling.name}", coupling.delay,
            trainable=False, weights=key, initial=None if self.transport == "random" else coupling.initial,
        )  # fmt: skip

    def outputs(self) -> tuple[dict[str, Output], dict[str, str]]:
        """One output port a trainable parameter: the reflected wave where its gradient is formed."""
        ports: dict[str, Output] = {}
        where: dict[str, str] = {}
        for coupling in self.system.couplings.values():
            if coupling.trainable:
                target = self.system.populations[coupling.target]
                ports[f"{coupling.name}.reflected"] = Output(target.name, self.density(target, target.variables[coupling.into]))
                where[coupling.name] = f"{coupling.name}.reflected"
        for population in self.system.populations.values():
            for name, variable in population.variables.items():
                if variable.trainable:
                    key = f"{population.name}.{name}"
                    ports[f"{key}.reflected"] = Output(population.name, self.density(population, variable))
                    where[key] = f"{key}.reflected"
        return ports, where


def tangent(system: System) -> Companion:
    """The small-signal System about a trace: every variable v is replaced by its first-order change `v_hat`.

    Ports keep their names: the inputs take changes of the original's inputs, the outputs give changes of its outputs.
    """
    populations, incident = [], {}
    changes: dict[str, dict[str, sp.Symbol]] = {}
    for population in system.populations.values():
        moved = {
            n: Variable(n + HAT, v.role, v.unit, v.complex) for n, v in population.variables.items() if v.role != "parameter"
        }
        changes[population.name] = {n: v.symbol for n, v in moved.items()}
        fixed = {n: v if v.role == "parameter" else replace(v, role="input") for n, v in population.variables.items()}
        fixed |= {n: Variable(n, "input") for n in population.noises}
        incident |= {f"{population.name}.{n}": Incident(f"{population.name}.{n}") for n, v in fixed.items() if v.role == "input"}
        own = changes[population.name]
        populations.append(
            Population(
                population.name, population.shape, {**fixed, **{v.name: v for v in moved.values()}},
                {n + HAT: _change(population, f, own) for n, f in population.flows.items()},
                {n + HAT: _change(population, f, own) for n, f in population.maps.items()},
                {n + HAT: _change(population, f, own) for n, f in population.constraints.items()},
                values={k: v for k, v in population.values.items() if population.variables[k].role == "parameter"},
                text="tangent:" + population.text,
            )
        )  # fmt: skip
    couplings = [
        replace(
            c, signal=_change(system.populations[c.source], system.signals[c.name], changes[c.source]),
            into=c.into + HAT, weights=c.key, trainable=False,
        )
        for c in system.couplings.values()
    ]  # fmt: skip
    inputs = {name: Input(port.population, port.variable + HAT) for name, port in system.inputs.items()}
    inputs |= {port: Input(*port.split(".", 1)) for port in incident}
    outputs = {
        name: Output(p.population, _change(system.populations[p.population], system.readouts[name], changes[p.population]))
        for name, p in system.outputs.items()
    }
    return Companion(System.of(populations, couplings, inputs, outputs, derived=True), incident, {}, {}, {})


def _change(population: Population, expression: sp.Expr, changes: Mapping[str, sp.Symbol]) -> sp.Expr:
    return sum(
        (pushed_forward(expression, population.variables[name], change) for name, change in changes.items()), sp.Integer(0)
    )


def companion_inputs(companion: Companion, about: Trace, cotangents: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs for a run of a reflected System: incident fields played backwards, and the error that drives it.

    Parameters
    ----------
    about : Trace
        The incident trace, with entries 0..N.
    cotangents : mapping
        Output port of the original -> dL/d output, (batch, N+1, *shape).

    Returns
    -------
    dict
        Input port -> array with N+1 entries in reversed time; run N+1 steps, or find the steady state.
    """
    if about.steady:
        inputs = {port: about.fields[source.field][:, 0, ...] for port, source in companion.incident.items()}
        return inputs | {companion.errors[port]: value[:, 0, ...] for port, value in cotangents.items()}
    inputs = {port: _backwards(about.fields[source.field], source.ahead) for port, source in companion.incident.items()}
    return inputs | {companion.errors[port]: _backwards(value, 0) * (1.0 / about.step) for port, value in cotangents.items()}


def _backwards(field: Array, ahead: int) -> Array:
    last = field.shape[1] - 1
    return field[:, [min(n + ahead, last) for n in range(last, -1, -1)], ...]


def gradient(xp: Any, system: System, companion: Companion, incident: Trace, echo: Trace) -> dict[str, Array]:
    """Correlate an incident and a reflected trace: dL/d parameter for every trainable parameter.

    dL/dK = sum_t dt * (reflected wave at the target)_t x (incident signal)_(t - delay), summed over the batch; in a
    steady state the product itself.
    """
    found: dict[str, Array] = {}
    scale = 1.0 if incident.steady else incident.step
    for name, port in companion.reflected.items():
        wave = echo.outputs[port]
        if not incident.steady:
            wave = xp.flip(wave[:, : incident_length(incident), ...], axis=1)
        if name in system.couplings:
            coupling = system.couplings[name]
            delay = 0 if incident.steady else round(coupling.delay / incident.step)
            sent = incident.sent[name]
            times = sent.shape[1]
            pieces = wave[:, delay:, ...], sent[:, : times - delay, ...]
            merged = [xp.reshape(a, (a.shape[0] * a.shape[1], *a.shape[2:])) for a in pieces]
            value = coupling.operator.outer(xp, merged[0], _conjugate(xp, merged[1])) * scale
            if coupling.initial is not None and not np.iscomplexobj(coupling.initial) and "complex" in str(value.dtype):
                value = xp.real(value)
            found[coupling.key] = found[coupling.key] + value if coupling.key in found else value
        else:
            found[name] = _reduced(xp, xp.sum(wave, axis=(0, 1)), system.parameters[name].shape) * scale
    return found


def incident_length(incident: Trace) -> int:
    """Number of entries of a trace."""
    return next(iter(incident.fields.values())).shape[1]


def _conjugate(xp: Any, value: Array) -> Array:
    return xp.conj(value) if "complex" in str(value.dtype) else value


def _reduced(xp: Any, value: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which a parameter of `shape` was broadcast."""
    extra = len(value.shape) - len(shape)
    if extra:
        value = xp.sum(value, axis=tuple(range(extra)))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and value.shape[axis] != 1)
    return xp.sum(value, axis=stretched, keepdims=True) if stretched else value
