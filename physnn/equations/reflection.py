"""The reflected-wave companion: the adjoint of a System, as a System.

The reflected System of  x' = f(x, a, theta),  0 = F(v, x, a),  a = sum K g(x, v; t - delay)  about an incident trace is

    dx_hat/ds = (df/dx)^T x_hat + (dF/dx)^T v_hat + (dg/dx)^T echo + error,      s = reversed time
    0         = (dF/dv)^T v_hat + (df/dv)^T x_hat + (dg/dv)^T echo + error
    echo      = K^T [ (df/da)^T x_hat + (dF/da)^T v_hat + (dg/da)^T echo ]       the same delay, the same weights

It is again a System: populations elementwise, couplings run backwards through the same weights (reciprocity). With
explicit Euler it is the exact adjoint of explicit Euler. A state with a projection P is taken one step at a time,
x <- P(x + dt f): its wave passes the slope of P where the step arrived.

Error waves of flows are densities in time, dL/dx per second of injection; maps carry plain derivatives, and `dt`
converts where the two meet.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import sympy as sp

from physnn.equations.adjoint import pulled_back
from physnn.equations.linearised import Companion, Incident, check_smooth, incident_variables, joined, next_value
from physnn.equations.operators import Dense, Transposed
from physnn.equations.parse import HAT, STEP
from physnn.equations.population import Population, Variable
from physnn.equations.surrogate import with_slopes
from physnn.equations.system import Coupling, Input, Output, System
from physnn.errors import UnknownNameError

TRANSPORTS = ("transpose", "random")


def reflected(system: System, transport: str = "transpose", inputs: Collection[str] = ()) -> Companion:
    """The reflected-wave companion: linearised about the incident trace, transposed, reversed in time.

    Parameters
    ----------
    system : System
    transport : str
        "transpose": the wave returns through the couplings themselves, K^T. "random": through fixed feedback paths
        with weights of their own, parameter `COUPLING.feedback` (feedback alignment; Lillicrap et al., Nature
        Communications 7:13276, 2016).
    inputs : collection of str
        Input ports up to which the wave is followed, for gradients by what enters there (`input_gradient`).

    Raises
    ------
    CapabilityError
        The System has plastic couplings, or events without a surrogate: no adjoint exists.
    UnknownNameError
        There is no such transport or input port.
    """
    if transport not in TRANSPORTS:
        raise UnknownNameError("transport", transport, TRANSPORTS)
    for port in inputs:
        if port not in system.inputs:
            raise UnknownNameError("input port", port, system.inputs)
    check_smooth(system)
    return _Reflection(with_slopes(system), transport, inputs).build()


class _Reflection:
    def __init__(self, system: System, transport: str, inputs: Collection[str]) -> None:
        self.system = system
        self.transport = transport
        self.ports = tuple(inputs)
        self.incident: dict[str, Incident] = {}
        self.echoed = {c.name for c in system.couplings.values()}
        self.pruned()

    def pruned(self) -> None:
        """Leave out the wave into populations that neither hold a state nor pass it on (sources)."""
        entered = {self.system.inputs[port].population for port in self.ports}
        changed = True
        while changed:
            changed = False
            for coupling in self.system.couplings.values():
                source = self.system.populations[coupling.source]
                arriving = [c for n in source.role("arrival") for c in self.system.arriving(source.name, n)]
                passes = any(c.name in self.echoed or c.trainable for c in arriving)
                trained = any(v.trainable for v in source.variables.values())
                own = source.dynamic or source.constraints or trained or source.name in entered
                if coupling.name in self.echoed and not own and not (passes and self.system.instantaneous(coupling)):
                    self.echoed.discard(coupling.name)
                    changed = True

    def build(self) -> Companion:
        populations = [self.population(p) for p in self.system.populations.values()]
        couplings = [self.coupling(c) for c in self.system.couplings.values() if c.name in self.echoed]
        feedback = {c.key: c.operator.weight_shape for c in couplings if self.transport == "random"}
        driven = [(p.name, name) for p in populations for name in p.role("input")]
        inputs = {f"{population}.{name}": Input(population, name) for population, name in driven}
        errors = {name: f"{port.population}.{name}_error" for name, port in self.system.outputs.items()}
        outputs, where = self.outputs()
        entering = {port: f"{port}.entering" for port in self.ports}
        outputs |= {entering[port]: self.entering(port) for port in self.ports}
        system = System.of(populations, couplings, inputs, outputs, derived=True)
        return Companion(system, self.incident, errors, where, feedback, entering)

    def waves(self, population: Population) -> dict[str, sp.Symbol]:
        """Error wave symbol of every state and unknown."""
        return {
            name: Variable(name + HAT, "state", complex=population.variables[name].complex).symbol
            for name in (*population.dynamic, *population.constraints)
        }

    def echo(self, coupling: Coupling) -> Variable:
        """What comes back along a coupling: complex where complex waves arrived, even from a real signal."""
        arrival = self.system.populations[coupling.target].variables[coupling.into]
        return Variable(f"echo_{coupling.name}", "arrival", complex=arrival.complex)

    def error(self, population: Population, port: str) -> Variable:
        return Variable(f"{port}_error", "input", "1", population.is_complex(self.system.readouts[port]))

    def density(self, population: Population, target: Variable) -> sp.Expr:
        """Everything that reflects onto one variable of a population, as a density in time."""
        total, waves, step = self.returned(population, target), self.waves(population), population.symbols[STEP]
        for name in population.dynamic:
            if name in population.flows and name not in population.projections:
                expression, wave = population.flows[name], waves[name]
            else:
                expression, wave = next_value(population, name), waves[name] / step
            total += pulled_back(expression, target, wave, expression_is_complex=population.variables[name].complex)
        for name, residual in population.constraints.items():
            is_complex = population.variables[name].complex
            total += pulled_back(residual, target, waves[name], expression_is_complex=is_complex)
        return total

    def returned(self, population: Population, target: Variable) -> sp.Expr:
        """What comes back along couplings and from the loss onto one variable."""
        arrived: list[tuple[sp.Expr, Variable]] = []
        for coupling in self.system.leaving(population.name):
            if coupling.name in self.echoed:
                arrived.append((self.system.signals[coupling.name], self.echo(coupling)))
        for name, port in self.system.outputs.items():
            if port.population == population.name:
                arrived.append((self.system.readouts[name], self.error(population, name)))
        total: sp.Expr = sp.Integer(0)
        for expression, wave in arrived:
            is_complex = population.is_complex(expression)
            incoming = sp.re(wave.symbol) if wave.complex and not is_complex else wave.symbol
            total += pulled_back(expression, target, incoming, expression_is_complex=is_complex)
        return total

    def population(self, population: Population) -> Population:
        flows, maps, constraints = {}, {}, {}
        step, waves = population.symbols[STEP], self.waves(population)
        for name in population.flows:
            # A flow keeps its state; the step of a projected state already holds what is kept.
            kept = waves[name] / step if name in population.projections else sp.Integer(0)
            flows[name + HAT] = self.density(population, population.variables[name]) - kept
        for name in population.maps:
            maps[name + HAT] = step * self.density(population, population.variables[name])
        for name in population.constraints:
            constraints[name + HAT] = self.density(population, population.variables[name])
        return Population(
            population.name,
            population.shape,
            self.variables(population),
            flows,
            maps,
            constraints,
            values={k: v for k, v in population.values.items() if population.variables[k].role == "parameter"},
            text="reflected:" + population.text,
        )

    def variables(self, population: Population) -> dict[str, Variable]:
        fixed = incident_variables(self.system, population)
        fields = [f"{population.name}.{v.name}" for v in fixed.values() if v.role == "input"]
        self.incident |= {field: Incident(field) for field in fields}
        new: dict[str, Variable] = {}
        for name in (*population.dynamic, *population.constraints):
            role = "state" if name in population.dynamic else "unknown"
            new[name + HAT] = Variable(name + HAT, role, "1", population.variables[name].complex)
        for coupling in self.system.leaving(population.name):
            if coupling.name in self.echoed:
                new[f"echo_{coupling.name}"] = self.echo(coupling)
        for name, port in self.system.outputs.items():
            if port.population == population.name:
                new[f"{name}_error"] = self.error(population, name)
        return joined(population, fixed, new)

    def coupling(self, coupling: Coupling) -> Coupling:
        source, target = self.system.populations[coupling.source], self.system.populations[coupling.target]
        signal = self.density(target, target.variables[coupling.into])
        operator: Any = Transposed(coupling.operator, source.shape)
        key, initial = coupling.key, coupling.initial
        if self.transport == "random":
            sheet = source.shape if len(source.shape) > 1 else None
            operator = Dense(math.prod(source.shape), math.prod(target.shape), sheet)
            key, initial = f"{coupling.name}.feedback", None
        return Coupling(
            coupling.name,
            coupling.target,
            coupling.source,
            signal,
            operator,
            f"echo_{coupling.name}",
            coupling.delay,
            trainable=False,
            weights=key,
            initial=initial,
        )

    def outputs(self) -> tuple[dict[str, Output], dict[str, str]]:
        """One output port a trainable parameter: the reflected wave where its gradient is formed."""
        ports: dict[str, Output] = {}
        where: dict[str, str] = {}
        for coupling in self.system.couplings.values():
            if coupling.trainable:
                target = self.system.populations[coupling.target]
                where[coupling.name] = f"{coupling.name}.reflected"
                ports[where[coupling.name]] = Output(target.name, self.density(target, target.variables[coupling.into]))
        for population in self.system.populations.values():
            for name, variable in population.variables.items():
                if variable.trainable:
                    key = f"{population.name}.{name}"
                    where[key] = f"{key}.reflected"
                    ports[where[key]] = Output(population.name, self.density(population, variable))
        return ports, where

    def entering(self, port: str) -> Output:
        """The reflected wave that arrives at an input port."""
        place = self.system.inputs[port]
        population = self.system.populations[place.population]
        if population.variables[place.variable].role == "state":
            return Output(population.name, self.waves(population)[place.variable])
        return Output(population.name, self.density(population, population.variables[place.variable]))
