"""One run of the plain interpreter: what is known at a step, how signals are delivered, how a step is taken.

`physnn.equations.interpreter` says in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn import streams
from physnn.equations.coupling import Coupling
from physnn.equations.generate import function
from physnn.equations.joint import solve_joint
from physnn.equations.joint_slopes import Kept
from physnn.equations.newton import solve
from physnn.equations.operators import Dense
from physnn.equations.parse import STEP, TIME
from physnn.equations.population import Population
from physnn.equations.schedule import Joint, Task
from physnn.equations.stationary import residuals
from physnn.equations.surrogate import REST_OVER, rest_name
from physnn.equations.system import System
from physnn.equations.trace import Trace
from physnn.errors import NumericsError, ParameterError, ShapeError

Environment = dict[str, Any]


class Run:
    """The state of one run: environments of all populations, lines in flight, what was recorded.

    `silent` is for stationary states: no noise, and delays do not matter.
    """

    def __init__(
        self,
        system: System,
        parameters: Mapping[str, NDArray],
        seed: int,
        inputs: Mapping[str, NDArray],
        dt: float,
        state: Mapping[str, Any] | None,
        *,
        silent: bool = False,
    ) -> None:
        self.system, self.parameters, self.seed, self.dt, self.silent = system, parameters, seed, dt, silent
        self.delays = {c.name: 0 if silent else whole_steps(c, dt) for c in self.system.couplings.values()}
        self.inputs = {name: np.asarray(value) for name, value in inputs.items()}
        self.system.check_inputs(self.inputs)
        self.records: dict[str, list[NDArray]] = {}
        self.compiled: dict[tuple[str, tuple[sp.Basic, ...]], tuple[list[str], Any]] = {}
        self.batch = next((v.shape[0] for v in self.inputs.values()), 1 if state is None else state["batch"])
        self.state: dict[str, Any] = self._initial() if state is None else _copied(state)
        if self.state["batch"] != self.batch:
            raise ShapeError(
                f"the inputs have a batch of {self.batch}, the state to be continued one of {self.state['batch']}"
            )
        self.first = self.now
        self.environment: dict[str, Environment] = {}
        self.signals: dict[str, NDArray] = {}
        self.fresh()

    @property
    def now(self) -> int:
        return self.state["step"]

    def check_length(self, steps: int) -> None:
        """Timed inputs must last for the run."""
        for name, value in self.inputs.items():
            if self.timed(name) and value.shape[1] < steps:
                raise ShapeError(
                    f"input {name!r} has {value.shape[1]} entries in time for {steps} steps; give one a step"
                )

    def check_held(self) -> None:
        """A stationary state has constant inputs."""
        for name in self.inputs:
            if self.timed(name):
                raise ShapeError(f"input {name!r} changes in time; a stationary state takes (batch, *shape)")

    def timed(self, name: str) -> bool:
        """Whether an input has one entry a step."""
        return self.inputs[name].ndim == len(self.system.populations[self.system.inputs[name].population].shape) + 2

    def values(self) -> dict[str, NDArray]:
        """States, unknowns and arrivals as they are now."""
        return {
            f"{p.name}.{name}": np.array(self.environment[p.name][name])
            for p in self.system.populations.values()
            for name in p.role("state", "unknown", "arrival")
        }

    def _initial(self) -> dict[str, Any]:
        state: dict[str, Any] = {"step": 0, "batch": self.batch}
        for population in self.system.populations.values():
            for name in (*population.dynamic, *population.constraints):
                value = population.values.get(name, 0.0)
                dtype = complex if population.variables[name].complex else float
                state[f"{population.name}.{name}"] = np.broadcast_to(value, (self.batch, *population.shape)).astype(
                    dtype
                )
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
                    dtype = complex if rule.variables[name].complex else float
                    state[f"{coupling.name}:{name}"] = np.broadcast_to(start, rule.shape).astype(dtype)
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
                shape = (self.batch, *population.shape)
                draw = streams.normal(self.seed, f"{population.name}.{name}", "noise", shape, step=self.now)
                here[name] = np.zeros(shape) if self.silent else draw / np.sqrt(self.dt)
            self.environment[population.name] = here
        for name, value in self.inputs.items():
            port = self.system.inputs[name]
            population = self.system.populations[port.population]
            variable = population.variables[port.variable]
            if variable.role != "state":
                given = value[:, min(self.now - self.first, value.shape[1] - 1)] if self.timed(name) else value
                self.environment[port.population][port.variable] = given.astype(complex if variable.complex else float)
        self.signals = {}

    def compute(self, population: Population, expression: sp.Basic) -> NDArray:
        """An expression's values in the present environment, (batch, *shape)."""
        return self.computed(population, (expression,))[0]

    def computed(self, population: Population, expressions: tuple[sp.Basic, ...]) -> list[NDArray]:
        """Values of several expressions, which share what they have in common."""
        key = (population.name, expressions)
        if key not in self.compiled:
            names = sorted({str(s) for expression in expressions for s in expression.free_symbols})
            self.compiled[key] = names, function(tuple(population.symbols[n] for n in names), expressions)
        names, compiled = self.compiled[key]
        here = self.environment[population.name]
        values = compiled(xp, *(here[n] for n in names))
        return [np.broadcast_to(value, (self.batch, *population.shape)) for value in values]

    def resolve(self) -> None:
        """Deliver all signals and solve all constraints at the present states."""
        for task in self.system.schedule:
            if isinstance(task, Joint):
                self.solve_joint(task)
                continue
            name, arrival = task
            population = self.system.populations[name]
            if arrival:
                self.receive(population, arrival)
            else:
                self.solve(population, population.constraints)
        for coupling in self.system.couplings.values():
            self.signal(coupling)

    def receive(self, population: Population, arrival: str) -> None:
        """Sum what arrives at a population under one name."""
        self.environment[population.name][arrival] = self.given((population.name, arrival))

    def given(self, task: Task, inside: frozenset[str] = frozenset()) -> NDArray:
        """The sum of what arrives under one name by couplings that are not `inside`."""
        name, arrival = task
        kind = complex if self.system.populations[name].variables[arrival].complex else float
        total = np.zeros((self.batch, *self.system.populations[name].shape), kind)
        for coupling in self.system.arriving(name, arrival):
            sent = None if coupling.name in inside else self.in_flight(coupling)
            if sent is not None:
                total = total + coupling.operator.apply(xp, self.weights(coupling), sent)
        return total

    def put(self, population: str, values: Mapping[str, NDArray]) -> None:
        """From now on variables of a population have these values."""
        self.environment[population] |= values

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
        delay = self.delays[coupling.name]
        if delay == 0:
            return self.signal(coupling)
        line = self.state[f"{coupling.name}:line"]
        return line[-delay] if len(line) >= delay else None

    def solve(self, population: Population, residuals: Mapping[str, sp.Expr], *, at_rest: bool = False) -> None:
        """Solve 0 = residual, element by element, for the named unknowns."""
        here = self.environment[population.name]

        def compute(expressions: tuple[sp.Expr, ...], values: Mapping[str, NDArray]) -> list[NDArray]:
            here.update(values)
            return self.computed(population, expressions)

        start = {name: here[name] for name in residuals}
        found = solve(
            population, residuals, start, compute, at_rest=at_rest and set(residuals) == set(population.flows)
        )
        here |= found
        self.state |= {f"{population.name}.{name}": value for name, value in found.items()}

    def solve_joint(self, joint: Joint) -> None:
        """Solve constraints that need each other."""
        start = {
            (name, unknown): self.environment[name][unknown]
            for name in joint.populations
            for unknown in self.system.populations[name].constraints
        }
        found = solve_joint(self.system, joint, self, start, Kept())
        self.state |= {f"{name}.{unknown}": value for (name, unknown), value in found.items()}

    def settle(self, name: str) -> None:
        """Put one population into its stationary state for what arrives now; those of a joint together."""
        population = self.system.populations[name]
        joint = self.system.joints.get(name)
        members = () if name in self.system.joined else (name,)  # those of a joint hear what others send together
        for member in members if joint is None else joint.members:
            for arrival in self.system.populations[member].role("arrival"):
                if joint is None or (member, arrival) not in joint.arrivals:
                    self.receive(self.system.populations[member], arrival)
        zero = residuals(population)
        if joint is not None:
            self.solve_joint(joint)
            zero = {own: zero[own] for own in population.dynamic}
        if zero:
            self.solve(population, zero, at_rest=True)

    def advance(self) -> None:
        """One step: lines, plastic weights, flows and maps, projections, events."""
        updates: dict[str, NDArray] = {}
        for coupling in self.system.couplings.values():
            if coupling.plasticity is not None:
                updates |= self._plastic(coupling, coupling.plasticity)
        for coupling in self.system.couplings.values():
            line = [*self.state[f"{coupling.name}:line"], self.signals[coupling.name]]
            self.state[f"{coupling.name}:line"] = line[max(len(line) - self.delays[coupling.name], 0) :]
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
        for name, expression in population.maps.items():
            following = self.compute(population, expression)
            if name in population.held:
                following = np.where(resting, here[name], following)
            moved[f"{population.name}.{name}"] = following
        return moved

    def _plastic(self, coupling: Coupling, rule: Population) -> dict[str, NDArray]:
        names = {TIME: self.now * self.dt, STEP: self.dt} | {n: rule.values[n] for n in rule.role("parameter")}
        names |= {n: self.state[f"{coupling.name}:{n}"] for n in rule.dynamic}
        names |= self._ends(coupling, rule)
        moved = {}
        for name in rule.dynamic:
            expression = rule.flows.get(name, rule.maps.get(name))
            arguments = sorted(str(s) for s in expression.free_symbols)
            (value,) = function(tuple(rule.symbols[n] for n in arguments), (expression,))(
                xp, *(names[n] for n in arguments)
            )
            value = np.mean(np.broadcast_to(value, (self.batch, *rule.shape)), axis=0)
            moved[f"{coupling.name}:{name}"] = names[name] + self.dt * value if name in rule.flows else value
        return moved

    def _ends(self, coupling: Coupling, rule: Population) -> dict[str, NDArray]:
        """What a plastic coupling meets at its two ends, in shapes that broadcast to (batch, *shape of the weights)."""
        source, target = self.system.populations[coupling.source], self.system.populations[coupling.target]
        arrived = self.in_flight(coupling)
        ends = {"pre": np.zeros((self.batch, *source.shape)) if arrived is None else arrived}
        if "post" in rule.variables:
            ends["post"] = self.compute(target, target.expression(coupling.post, f"coupling {coupling.name!r}, post"))
        if isinstance(coupling.operator, Dense):
            wanted = {"pre": (self.batch, 1, -1), "post": (self.batch, -1, 1)}
            ends = {name: np.reshape(value, wanted[name]) for name, value in ends.items()}
        return ends

    def _after(self, population: Population) -> None:
        here = self.environment[population.name]
        here |= {name: self.state[f"{population.name}.{name}"] for name in population.dynamic}
        for name, projection in population.projections.items():
            self.state[f"{population.name}.{name}"] = here[name] = self.compute(population, projection)
        for event in population.events:
            key = f"{population.name}.{event.name}"
            rest = np.maximum(self.state[f"{key}:rest"] - self.dt, 0.0)
            rest = np.where(rest < REST_OVER * self.dt, 0.0, rest)
            fires = self.compute(population, population.guards[event.name]) & (rest == 0)
            after = {
                n: np.where(fires, self.compute(population, r), here[n])
                for n, r in population.resets[event.name].items()
            }
            here |= after
            self.state |= {f"{population.name}.{n}": value for n, value in after.items()}
            self.state[key] = fires.astype(float)
            pause = self.compute(population, population.refractory[event.name])
            self.state[f"{key}:rest"] = np.where(fires, pause, rest)

    def record(self) -> None:
        """Keep every variable, signal and output of this step, and parameters that input ports set per sample."""
        driven = {(port.population, port.variable) for port in self.system.inputs.values()}
        for population in self.system.populations.values():
            set_here = [name for name in population.role("parameter") if (population.name, name) in driven]
            own = (*population.role("state", "unknown", "arrival", "input", "event"), *population.noises, *set_here)
            for name in own:
                here = self.environment[population.name][name]
                self._keep("field", f"{population.name}.{name}", np.broadcast_to(here, (self.batch, *population.shape)))
            for event in population.events:
                self._keep(
                    "field", f"{population.name}.{rest_name(event)}", self.state[f"{population.name}.{event.name}:rest"]
                )
        for name, value in self.signals.items():
            self._keep("sent", name, value)
        for name, port in self.system.outputs.items():
            self._keep(
                "output", name, self.compute(self.system.populations[port.population], self.system.readouts[name])
            )

    def _keep(self, kind: str, name: str, value: NDArray) -> None:
        self.records.setdefault(f"{kind}/{name}", []).append(value)

    def trace(self, state: Mapping[str, Any], steady: bool = False) -> Trace:
        """What was recorded, and the state from which to continue."""
        kept: dict[str, dict[str, NDArray]] = {"field": {}, "sent": {}, "output": {}}
        for key, values in self.records.items():
            kind, name = key.split("/", 1)
            kept[kind][name] = np.stack(values, axis=1)
            if not np.all(np.isfinite(kept[kind][name])):
                raise NumericsError(f"{name} is not finite; the step of {self.dt} s may be too long for this medium")
        start = 0.0 if steady else self.first * self.dt
        return Trace(0.0 if steady else self.dt, kept["field"], kept["sent"], kept["output"], state, start)


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state whose lines can be added to without changing the trace it came from."""
    return {key: list(value) if isinstance(value, list) else value for key, value in state.items()}


def whole_steps(coupling: Coupling, dt: float) -> int:
    """A coupling's delay as a number of steps; it must be a whole one.

    Raises
    ------
    ParameterError
    """
    steps = round(coupling.delay / dt)
    if abs(steps * dt - coupling.delay) > 1e-6 * dt or (steps == 0 and coupling.delay > 0):
        raise ParameterError(
            f"coupling {coupling.name!r}: its delay of {coupling.delay} s is not a whole number of steps of {dt} s; "
            "choose a step that divides it"
        )
    return steps
