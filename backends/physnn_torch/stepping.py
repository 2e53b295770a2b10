"""Steps in time on torch tensors: flows (explicit Euler), maps, constraints, projections, events, delays, noise.

The order of a step is that of `physnn.equations.interpreter`, which is its oracle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch

from physnn import streams
from physnn.equations import Event, Population, Trace
from physnn.equations.interpreter import whole_steps
from physnn.equations.parse import STEP, TIME
from physnn.equations.surrogate import rest_name
from physnn.errors import NumericsError, ParameterError, ShapeError
from physnn_torch.engine import Compiled, Engine, Environment, Tensor, is_finite


class Run:
    """One run in time: states, lines in flight, records.

    Parameters
    ----------
    engine : Engine
    parameters : mapping
        Parameter key -> tensor.
    inputs : mapping
        Input port -> tensor (batch, *shape), held, or (batch, steps, *shape).
    dt : float
        Step [s, model time].
    seed : int
        Seed of the noise.
    state : mapping, optional
        Where to continue, with the noise of the run that is continued.
    record : collection of str, optional
        Fields, couplings and output ports to keep; all where not given.
    """

    def __init__(
        self,
        engine: Engine,
        parameters: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        dt: float,
        seed: int,
        state: Mapping[str, Any] | None,
        record: Collection[str] | None = None,
    ) -> None:
        engine.system.check_inputs(inputs)
        self.kept = record
        self.engine, self.system = engine, engine.system
        self.parameters, self.inputs, self.dt = parameters, inputs, dt
        self.batch = next((v.shape[0] for v in inputs.values()), 1 if state is None else _batch(state))
        if state is not None:
            self._check_state(state)
        self.delays = {c.name: whole_steps(c, dt) for c in self.system.couplings.values()}
        self.records: dict[str, dict[str, list[Tensor]]] = {"fields": {}, "sent": {}, "outputs": {}}
        self.state = self._initial(seed) if state is None else _copied(state)
        self.first: int = self.state["step"]
        self.here: dict[str, Environment] = {}

    def advance(self, steps: int) -> Trace:
        """Take the steps and return what was recorded."""
        for _ in range(steps):
            self._resolve()
            self._move()
        self._resolve()
        return self._trace()

    def _initial(self, seed: int) -> dict[str, Any]:
        state: dict[str, Any] = {"step": 0, "seed": seed}
        for population in self.system.populations.values():
            for name in (*population.dynamic, *population.constraints):
                start = self.engine.array(population.values.get(name, 0.0))
                state[f"{population.name}.{name}"] = self.engine.zeros(population, name, self.batch) + start
            for event in population.events:
                for key in (event.name, f"{event.name}:rest"):
                    state[f"{population.name}.{key}"] = self.engine.zeros(population, event.name, self.batch)
        for name, port in self.system.inputs.items():
            key = f"{port.population}.{port.variable}"
            if key in state and name in self.inputs:
                state[key] = self.inputs[name].to(state[key].dtype)
        return state | {f"{name}:line": [] for name in self.system.couplings}

    def _check_state(self, state: Mapping[str, Any]) -> None:
        """Whether a state to be continued is one of this System's runs, for as many samples."""
        wanted = [f"{p.name}.{n}" for p in self.system.populations.values() for n in (*p.dynamic, *p.constraints)]
        missing = [key for key in ("step", *wanted) if key not in state]
        if missing:
            raise ParameterError(f"the state to be continued has no {missing[0]!r}: it is not of a run of this network")
        if wanted and state[wanted[0]].shape[0] != self.batch:
            raise ShapeError(
                f"the inputs have a batch of {self.batch}, the state to be continued one of {state[wanted[0]].shape[0]}"
            )

    def _environment(self, compiled: Compiled) -> Environment:
        population, now = compiled.population, self.state["step"]
        here: Environment = {TIME: now * self.dt, STEP: self.dt, **self.engine.environment(compiled, self.parameters)}
        for name, variable in population.variables.items():
            key = f"{population.name}.{name}"
            if variable.role in ("state", "unknown"):
                here[name] = self.state[key]
            elif variable.role == "event":
                here[name] = self.state[key] / self.dt
            elif variable.role in ("input", "arrival"):
                here[name] = self.engine.zeros(population, name, self.batch)
        for name in population.noises:
            shape = (self.batch, *population.shape)
            draw = streams.normal(self.state["seed"], f"{population.name}.{name}", "noise", shape, step=now)
            here[name] = self.engine.array(draw) / math.sqrt(self.dt)
        for name, value in self.inputs.items():
            port = self.system.inputs[name]
            if port.population == population.name and population.variables[port.variable].role != "state":
                timed = value.ndim == len(population.shape) + 2
                given = value[:, min(now - self.first, value.shape[1] - 1)] if timed else value
                here[port.variable] = self.engine.typed(population, port.variable, given)
        return here

    def _resolve(self) -> None:
        """Deliver all signals, solve all constraints, record."""
        engine = self.engine
        self.here = {name: self._environment(c) for name, c in engine.compiled.items()}
        self.sent: dict[str, Tensor] = {}
        for name, compiled in engine.compiled.items():
            held = compiled.held(self.here[name])
            self.sent |= {c: engine.broadcast(compiled.population, v, self.batch) for c, v in held.items()}
        for name, arrival in self.system.schedule:
            if arrival:
                self._receive(name, arrival)
            else:
                self._solve(name)
        for coupling in self.system.couplings:
            self._signal(coupling)
        self._record()

    def _solve(self, name: str) -> None:
        population, own, solver = self.system.populations[name], self.here[name], self.engine.compiled[name].solved
        if solver is not None:
            found = {n: self.engine.broadcast(population, v, self.batch) for n, v in solver(own).items()}
            own |= found
            self.state |= {f"{name}.{n}": value for n, value in found.items()}

    def _signal(self, coupling: str) -> Tensor:
        """What enters a coupling now; what it hangs on has arrived."""
        if coupling not in self.sent:
            name = self.system.couplings[coupling].source
            value = self.engine.compiled[name].instant[coupling](self.here[name])[coupling]
            self.sent[coupling] = self.engine.broadcast(self.system.populations[name], value, self.batch)
        return self.sent[coupling]

    def _receive(self, name: str, arrival: str) -> None:
        own = self.here[name]
        for coupling in self.engine.compiled[name].into[arrival]:
            delay, line = self.delays[coupling.name], self.state[f"{coupling.name}:line"]
            if delay and len(line) < delay:
                continue
            leaves = line[-delay] if delay else self._signal(coupling.name)
            own[arrival] = own[arrival] + self.engine.deliver(coupling, self.parameters, leaves)

    def _move(self) -> None:
        for name, value in self.sent.items():
            line = self.state[f"{name}:line"]
            line.append(value)
            del line[: max(len(line) - max(self.delays[name], 1), 0)]
        for population in self.system.populations.values():
            own, moved = self.here[population.name], {}
            changes = self.engine.compiled[population.name].moves(own)
            for name in population.flows:
                moved[name] = own[name] + self.dt * changes[name]
            moved |= {n: self.engine.broadcast(population, changes[n], self.batch) for n in population.maps}
            if population.held:
                resting = self._resting(population)
                moved |= {n: torch.where(resting, own[n], moved[n]) for n in population.held}
            own |= moved
            own |= self.engine.compiled[population.name].projected(own)
            self.state |= {f"{population.name}.{n}": own[n] for n in population.dynamic}
            for event in population.events:
                self._fire(population, event, own)
        self.state["step"] += 1

    def _resting(self, population: Population) -> Tensor:
        rests = [self.state[f"{population.name}.{e.name}:rest"] > 0 for e in population.events]
        return torch.stack(rests).any(dim=0)

    def _fire(self, population: Population, event: Event, own: Environment) -> None:
        key = f"{population.name}.{event.name}"
        rest = torch.clamp(self.state[f"{key}:rest"] - self.dt, min=0.0)
        rest = torch.where(rest < 1e-9 * self.dt, torch.zeros_like(rest), rest)
        compute = self.engine.compiled[population.name]
        fires = compute.guards[event.name](own)["guard"] & (rest == 0)
        after = {n: torch.where(fires, v, own[n]) for n, v in compute.resets[event.name](own).items()}
        own |= after
        self.state |= {f"{population.name}.{n}": value for n, value in after.items()}
        self.state[key] = fires.to(self.engine.dtype)
        pause = self.engine.broadcast(population, compute.rests[event.name](own)["rest"], self.batch)
        self.state[f"{key}:rest"] = torch.where(fires, pause, rest)

    def _record(self) -> None:
        for population in self.system.populations.values():
            own, compiled = self.here[population.name], self.engine.compiled[population.name]
            for name in (*compiled.recorded, *population.role("event")):
                self._keep("fields", f"{population.name}.{name}", population, own[name])
            for event in population.events:
                resting = self.state[f"{population.name}.{event.name}:rest"]
                self._keep("fields", f"{population.name}.{rest_name(event)}", population, resting)
            if any(self._wanted(name) for name in compiled.read):
                for name, value in compiled.outputs(own).items():
                    self._keep("outputs", name, population, value)
        for name, value in self.sent.items():
            self._keep("sent", name, self.system.populations[self.system.couplings[name].source], value)

    def _wanted(self, name: str) -> bool:
        return self.kept is None or name in self.kept

    def _keep(self, kind: str, name: str, population: Population, value: Any) -> None:
        if self._wanted(name):
            self.records[kind].setdefault(name, []).append(self.engine.broadcast(population, value, self.batch))

    def _trace(self) -> Trace:
        kept = {kind: {n: torch.stack(v, dim=1) for n, v in found.items()} for kind, found in self.records.items()}
        ends = {key: value for key, value in self.state.items() if isinstance(value, Tensor)}
        for name, value in {**ends, **kept["fields"], **kept["outputs"]}.items():
            if not is_finite(value):
                raise NumericsError(f"{name} is not finite; the step {self.dt} s may be too long for this medium")
        return Trace(self.dt, kept["fields"], kept["sent"], kept["outputs"], self.state, self.first * self.dt)


def _batch(state: Mapping[str, Any]) -> int:
    return next((value.shape[0] for value in state.values() if isinstance(value, Tensor)), 1)


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state whose lines can be added to without changing the trace it came from."""
    return {key: list(value) if isinstance(value, list) else value for key, value in state.items()}
