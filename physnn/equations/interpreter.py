"""The plain interpreter: any System, step by step, in NumPy. Slow and simple; it is the oracle of all backends.

One step from t_n to t_n + dt, explicit Euler for flows:

1. signals of states are computed and delivered (after their delay), populations taken in an order in which
   instantaneous signals are known before they are needed; constraints 0 = F are solved for their unknowns;
2. flows x <- x + dt f, with white noise xi = N(0, 1)/sqrt(dt) (Euler-Maruyama, Ito); maps x <- f; plastic weights
   likewise, with the mean over the batch of their equations;
3. projections; then events: where the guard holds and the element is not refractory, resets act and a pulse 1/dt is
   sent during the next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn import streams
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.equations.population import Population
from physnn.equations.system import Coupling, System
from physnn.equations.trace import Trace
from physnn.errors import NumericsError, ParameterError

Environment = dict[str, Any]
_NEWTON_STEPS = 100


class Interpreter:
    """Runs one System with given parameters.

    Parameters
    ----------
    system : System
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    seed : int
        Seed of the noise streams.
    """

    def __init__(self, system: System, parameters: Mapping[str, Any] | None = None, *, seed: int = 0) -> None:
        self.system = system
        self.parameters = {**system.parameters, **{k: np.asarray(v) for k, v in (parameters or {}).items()}}
        self.seed = seed
        missing = {c.key for c in system.couplings.values()} - self.parameters.keys()
        if missing:
            raise ParameterError(f"no weights for {sorted(missing)}; give them as parameters or as the coupling's `initial`")

    def run(self, inputs: Mapping[str, NDArray], steps: int, dt: float, state: Mapping[str, Any] | None = None) -> Trace:
        """Advance `steps` steps of `dt` [s]; every variable is recorded.

        Parameters
        ----------
        inputs : mapping
            Input port -> array (batch, *shape), held, or (batch, steps, *shape), one entry a step.
        steps : int
        dt : float
            [s]
        state : mapping, optional
            `Trace.state` of the run to be continued.
        """
        run = _Run(self, inputs, dt, state)
        for _ in range(steps):
            run.resolve()
            run.record()
            run.advance()
        run.resolve()
        run.record()
        return run.trace()

    def steady(self, inputs: Mapping[str, NDArray], tolerance: float = 1e-12, sweeps: int = 2000) -> Trace:
        """The stationary state, where no flow moves, no map changes and every constraint holds.

        Feed-forward Systems take one sweep through the populations; loops are swept until nothing changes by more
        than `tolerance` times its size.

        Raises
        ------
        NumericsError
            No stationary state was reached.
        """
        run = _Run(self, inputs, 1.0, None)
        order = self.system.steady_order
        change = np.inf
        for sweep in range(1 if order else sweeps):
            before = {k: v.copy() for k, v in run.state.items() if isinstance(v, np.ndarray)}
            for name in order or self.system.populations:
                run.settle(name)
            scale = max((float(np.max(np.abs(v))) for v in before.values() if v.size), default=0.0)
            change = max((float(np.max(np.abs(run.state[k] - v))) for k, v in before.items() if v.size), default=0.0)
            if sweep and change <= tolerance * max(scale, 1e-300):
                break
        if not order and change > tolerance * max(scale, 1e-300):
            raise NumericsError(f"no stationary state after {sweeps} sweeps (last change {change:.2g}); run it in time instead")
        run.resolve(delayed=False)
        run.record()
        return run.trace(steady=True)


class _Run:
    """The state of one run: environments of all populations, lines in flight, what was recorded."""

    def __init__(self, owner: Interpreter, inputs: Mapping[str, NDArray], dt: float, state: Mapping[str, Any] | None) -> None:
        self.system, self.seed, self.dt = owner.system, owner.seed, dt
        self.inputs = {name: np.asarray(value) for name, value in inputs.items()}
        self.system.check_inputs(self.inputs)
        self.batch = next((v.shape[0] for v in self.inputs.values()), 1)
        self.parameters = dict(owner.parameters)
        self.records: dict[str, list[NDArray]] = {}
        self.state: dict[str, Any] = self._initial() if state is None else _copied(state)
        self.environment: dict[str, Environment] = {}
        self.signals: dict[str, NDArray] = {}
        self.fresh()

    @property
    def now(self) -> int:
        return self.state["step"]

    def _initial(self) -> dict[str, Any]:
        state: dict[str, Any] = {"step": 0}
        for population in self.system.populations.values():
            for name in (*population.dynamic, *population.constraints):
                value = population.values.get(name, 0.0)
                dtype = complex if population.variables[name].complex else float
                state[f"{population.name}.{name}"] = np.broadcast_to(value, (self.batch, *population.shape)).astype(dtype)
            for event in population.events:
                state[f"{population.name}.{event.name}"] = np.zeros((self.batch, *population.shape))
                state[f"{population.name}.{event.name}:rest"] = np.zeros((self.batch, *population.shape))
        for name, port in self.system.inputs.items():
            key = f"{port.population}.{port.variable}"
            if key in state and name in self.inputs:
                state[key] = self.inputs[name].astype(state[key].dtype)
        for coupling in self.system.couplings.values():
            state[f"{coupling.name}:line"] = []
            if coupling.plasticity is not None:
                rule = coupling.plasticity
                for name in rule.dynamic:
                    start = self.parameters[coupling.key] if name == "w" else rule.values.get(name, 0.0)
                    state[f"{coupling.name}:{name}"] = np.broadcast_to(start, rule.shape).astype(float)
        return state

    def fresh(self) -> None:
        """Environments of this step before anything has arrived: parameters, inputs, states, noises, events."""
        for population in self.system.populations.values():
            here: Environment = {TIME: self.now * self.dt, STEP: self.dt}
            for name, variable in population.variables.items():
                key = f"{population.name}.{name}"
                if variable.role == "parameter":
                    here[name] = self.parameters[key]
                elif variable.role == "event":
                    here[name] = self.state[key] / self.dt
                elif variable.role in ("state", "unknown"):
                    here[name] = self.state[key]
                else:
                    here[name] = np.zeros((self.batch, *population.shape), complex if variable.complex else float)
            for name in population.noises:
                draw = streams.normal(
                    self.seed, f"{population.name}.{name}", "noise", (self.batch, *population.shape), step=self.now
                )
                here[name] = draw / np.sqrt(self.dt)
            self.environment[population.name] = here
        for name, value in self.inputs.items():
            port = self.system.inputs[name]
            population = self.system.populations[port.population]
            role = population.variables[port.variable].role
            if role != "state":
                timed = value.ndim == len(population.shape) + 2
                self.environment[port.population][port.variable] = value[:, min(self.now, value.shape[1] - 1)] if timed else value
        self.signals = {}

    def compute(self, population: Population, expression: sp.Basic) -> NDArray:
        """An expression's values in the present environment, (batch, *shape)."""
        names = sorted(str(s) for s in expression.free_symbols)
        compiled = function(tuple(population.symbols[n] for n in names), (expression,))
        here = self.environment[population.name]
        (value,) = compiled(np, *(here[n] for n in names))
        return np.broadcast_to(value, (self.batch, *population.shape))

    def resolve(self, delayed: bool = True) -> None:
        """Deliver all signals and solve all constraints at the present states."""
        for name in self.system.order:
            population = self.system.populations[name]
            self.receive(population, delayed)
            if population.constraints:
                self.solve(population, dict(population.constraints))
        for coupling in self.system.couplings.values():
            self.signal(coupling)

    def receive(self, population: Population, delayed: bool = True) -> None:
        """Sum what arrives at a population."""
        for arrival in population.role("arrival"):
            here = self.environment[population.name]
            total = np.zeros((self.batch, *population.shape), here[arrival].dtype)
            for coupling in self.system.arriving(population.name, arrival):
                sent = self.in_flight(coupling) if delayed else self.signal(coupling)
                if sent is not None:
                    total = total + coupling.operator.apply(np, self.weights(coupling), sent)
            here[arrival] = total

    def weights(self, coupling: Coupling) -> NDArray:
        return self.state[f"{coupling.name}:w"] if coupling.plasticity is not None else self.parameters[coupling.key]

    def signal(self, coupling: Coupling) -> NDArray:
        """What enters the coupling now."""
        source = self.system.populations[coupling.source]
        value = self.compute(source, self.system.signals[coupling.name])
        self.signals[coupling.name] = value
        return value

    def in_flight(self, coupling: Coupling) -> NDArray | None:
        """What leaves the coupling now: the signal of `delay` ago, nothing before the first."""
        delay = whole_steps(coupling, self.dt)
        if delay == 0:
            return self.signal(coupling)
        line = self.state[f"{coupling.name}:line"]
        return line[-delay] if len(line) >= delay else None

    def solve(self, population: Population, residuals: Mapping[str, sp.Expr]) -> None:
        """Newton's method, element by element, for the named unknowns of 0 = residual."""
        names = list(residuals)
        jacobian = [[residuals[row].diff(population.symbols[column]) for column in names] for row in names]
        here = self.environment[population.name]
        for _ in range(_NEWTON_STEPS):
            value = np.stack([self.compute(population, residuals[name]) for name in names], axis=-1)
            slope = np.stack([np.stack([self.compute(population, e) for e in row], axis=-1) for row in jacobian], axis=-2)
            try:
                change = np.linalg.solve(slope, value[..., None])[..., 0]
            except np.linalg.LinAlgError:
                raise NumericsError(f"population {population.name!r}: 0 = {residuals} has no unique solution") from None
            for index, name in enumerate(names):
                here[name] = here[name] - change[..., index]
            size = max(float(np.max(np.abs(here[name]))) for name in names)
            if not np.isfinite(size):
                break
            if float(np.max(np.abs(change))) <= 1e-14 * max(size, 1.0):
                for name in names:
                    self.state[f"{population.name}.{name}"] = here[name]
                return
        raise NumericsError(f"population {population.name!r}: no solution of 0 = {residuals} after {_NEWTON_STEPS} Newton steps")

    def settle(self, name: str) -> None:
        """Put one population into its stationary state for what arrives now."""
        population = self.system.populations[name]
        self.receive(population, delayed=False)
        residuals = dict(population.flows) | dict(population.constraints)
        residuals |= {state: following - population.symbols[state] for state, following in population.maps.items()}
        if residuals:
            self.solve(population, residuals)

    def advance(self) -> None:
        """One step: lines, plastic weights, flows and maps, projections, events."""
        for coupling in self.system.couplings.values():
            self.state[f"{coupling.name}:line"].append(self.signals[coupling.name])
        updates: dict[str, NDArray] = {}
        for coupling in self.system.couplings.values():
            if coupling.plasticity is not None:
                updates |= self._plastic(coupling)
        for population in self.system.populations.values():
            updates |= self._moved(population)
        self.state |= updates
        for population in self.system.populations.values():
            self._after(population)
        self.state["step"] += 1
        self.fresh()

    def _moved(self, population: Population) -> dict[str, NDArray]:
        here, moved = self.environment[population.name], {}
        resting = sum(self.state[f"{population.name}.{e.name}:rest"] > 0 for e in population.events)
        for name, flow in population.flows.items():
            change = self.dt * self.compute(population, flow)
            if name in population.held:
                change = np.where(resting, 0.0, change)
            moved[f"{population.name}.{name}"] = here[name] + change
        for name, following in population.maps.items():
            moved[f"{population.name}.{name}"] = self.compute(population, following)
        return moved

    def _plastic(self, coupling: Coupling) -> dict[str, NDArray]:
        rule = coupling.plasticity
        names = {TIME: self.now * self.dt, STEP: self.dt} | {n: rule.values[n] for n in rule.role("parameter")}
        names |= {n: self.state[f"{coupling.name}:{n}"] for n in rule.dynamic}
        target = self.system.populations[coupling.target]
        pre = self.signals[coupling.name]
        post = self.compute(target, target.expression(coupling.post, f"coupling {coupling.name!r}, post"))
        dense = len(rule.shape) == 2
        names |= {"pre": pre[:, None, :] if dense else pre, "post": post[:, :, None] if dense else post}
        moved = {}
        for name in rule.dynamic:
            expression = rule.flows.get(name, rule.maps.get(name))
            arguments = sorted(str(s) for s in expression.free_symbols)
            (value,) = function(tuple(rule.symbols[n] for n in arguments), (expression,))(np, *(names[n] for n in arguments))
            value = np.mean(np.broadcast_to(value, (self.batch, *rule.shape)), axis=0)
            moved[f"{coupling.name}:{name}"] = names[name] + self.dt * value if name in rule.flows else value
        return moved

    def _after(self, population: Population) -> None:
        here = self.environment[population.name]
        here |= {name: self.state[f"{population.name}.{name}"] for name in population.dynamic}
        for name, projection in population.projections.items():
            self.state[f"{population.name}.{name}"] = here[name] = self.compute(population, projection)
        for event in population.events:
            key = f"{population.name}.{event.name}"
            rest = np.maximum(self.state[f"{key}:rest"] - self.dt, 0.0)
            rest = np.where(rest < 1e-9 * self.dt, 0.0, rest)
            fires = self.compute(population, population.guards[event.name]) & (rest == 0)
            after = {n: np.where(fires, self.compute(population, r), here[n]) for n, r in population.resets[event.name].items()}
            here |= after
            self.state |= {f"{population.name}.{n}": value for n, value in after.items()}
            self.state[key] = fires.astype(float)
            pause = self.compute(population, population.refractory[event.name])
            self.state[f"{key}:rest"] = np.where(fires, pause, rest)

    def record(self) -> None:
        """Keep every variable, signal and output of this step."""
        for population in self.system.populations.values():
            for name in (*population.role("state", "unknown", "arrival", "input", "event"), *population.noises):
                here = self.environment[population.name][name]
                self._keep("field", f"{population.name}.{name}", np.broadcast_to(here, (self.batch, *population.shape)))
        for name, value in self.signals.items():
            self._keep("sent", name, value)
        for name, port in self.system.outputs.items():
            self._keep("output", name, self.compute(self.system.populations[port.population], self.system.readouts[name]))

    def _keep(self, kind: str, name: str, value: NDArray) -> None:
        self.records.setdefault(f"{kind}/{name}", []).append(value)

    def trace(self, steady: bool = False) -> Trace:
        kept: dict[str, dict[str, NDArray]] = {"field": {}, "sent": {}, "output": {}}
        for key, values in self.records.items():
            kind, name = key.split("/", 1)
            kept[kind][name] = np.stack(values, axis=1)
            if not np.all(np.isfinite(kept[kind][name])):
                raise NumericsError(f"{name} is not finite; the step {self.dt} s may be too long for this medium")
        return Trace(0.0 if steady else self.dt, kept["field"], kept["sent"], kept["output"], self.state)


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state whose lines can be added to without changing the trace it came from."""
    return {key: list(value) if isinstance(value, list) else value for key, value in state.items()}


def whole_steps(coupling: Coupling, dt: float) -> int:
    """A coupling's delay as a number of steps; it must be a whole one."""
    steps = round(coupling.delay / dt)
    if abs(steps * dt - coupling.delay) > 1e-6 * dt:
        raise ParameterError(
            f"coupling {coupling.name!r}: its delay of {coupling.delay} s is not a whole number of steps of {dt} s; "
            "choose a step that divides it"
        )
    return steps
