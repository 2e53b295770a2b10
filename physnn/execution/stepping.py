"""Steps in time: flows (explicit Euler), maps, constraints, projections, events, delays, noise.

The order of a step is that of `physnn.equations.interpreter`, which is its oracle.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import reduce
from typing import Any

from physnn import streams
from physnn.equations import Coupling, Event, Population, Trace
from physnn.equations.companion import is_still
from physnn.equations.interpreter import whole_steps
from physnn.equations.parse import TIME
from physnn.equations.schedule import Joint, Task
from physnn.equations.surrogate import REST_OVER
from physnn.errors import NumericsError, ParameterError, ShapeError
from physnn.execution.arrays import Array
from physnn.execution.engine import Engine
from physnn.execution.recording import Recording, check_finite
from physnn.execution.site import Site


class Run:
    """One run in time: states, lines in flight, records.

    Parameters
    ----------
    engine : Engine
    parameters : mapping
        Parameter key -> array.
    inputs : mapping
        Input port -> array (batch, *shape), held, or (batch, steps, *shape).
    dt : float
        Step [s, model time].
    seed : int
        Seed of the noise.
    state : mapping, optional
        Where to continue, with the noise of the run that is continued.
    record : collection of str, optional
        Fields, couplings and output ports to keep; all where not given.
    errors : callable, optional
        Number of a step -> what is added to what arrives in it: (population, arrival) -> (batch, *shape).
    """

    def __init__(
        self,
        engine: Engine,
        parameters: Mapping[str, Array],
        inputs: Mapping[str, Array],
        dt: float,
        seed: int,
        state: Mapping[str, Any] | None,
        record: Collection[str] | None = None,
        errors: Callable[[int], Mapping[Task, Array]] | None = None,
    ) -> None:
        engine.system.check_inputs(inputs)
        self.engine, self.system, self.arrays, self.dt = engine, engine.system, engine.arrays, dt
        self.inputs, self.errors = inputs, errors
        self.batch = next((v.shape[0] for v in inputs.values()), 1 if state is None else self._batch(state))
        if state is not None:
            self._check_state(state)
        self.delays = {c.name: whole_steps(c, dt) for c in self.system.couplings.values()}
        held, self.played = self._entered()
        self._still = {name: wave[:, 0] for name, wave in self.played.items() if is_still(wave)}
        self.sites = engine.sites(parameters, self.batch, dt, held)
        self.joints = engine.joints(self.sites, record)
        self.state = self._initial(seed) if state is None else _copied(state)
        self.first: int = self.state["step"]
        self.sent: dict[str, Array] = {}
        self.recording = Recording(self.arrays, self.system, self.sites, self.played, record)
        kept = self.recording.sent
        self._holding = [site for site in self.sites.values() if site.compiled.held.names]
        self._schedule = self.system.schedule
        self._changing = tuple(task for task in self._schedule if not self._is_told(task))
        """what is to be done after the first step"""
        self.lasting = [name for name in self.system.couplings if name in kept or self.delays[name]]
        """couplings whose signals are needed beyond what arrives at once"""

    def advance(self, steps: int) -> Trace:
        """Take the steps and return what was recorded."""
        for name, site in self.sites.items():
            for own in (*site.population.dynamic, *site.population.constraints):
                site.here[own] = self.state[f"{name}.{own}"]
        with self.arrays.unchecked():
            for _ in range(steps):
                self._resolve()
                self._move()
            # The end is looked at, not lived through: a continued run starts its searches where this one did.
            end = dict(self.state)
            self._resolve()
            return self._trace(end)

    def _is_told(self, task: Task | Joint) -> bool:
        """Whether it is done once and for all."""
        if isinstance(task, Joint):
            return False
        name, arrival = task
        return arrival in self.engine.compiled[name].told and not self.errors

    def _entered(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Inputs that are held, by port; those that are played in, by 'population.variable'."""
        held, played = {}, {}
        for name, value in self.inputs.items():
            port = self.system.inputs[name]
            population = self.system.populations[port.population]
            variable = population.variables[port.variable]
            if value.ndim == len(population.shape) + 2:
                typed = self.arrays.cast(value, self.arrays.complex) if variable.complex else value
                played[f"{port.population}.{port.variable}"] = typed
            elif variable.role != "state":
                held[name] = value
        return held, played

    def _initial(self, seed: int) -> dict[str, Any]:
        state: dict[str, Any] = {"step": 0, "seed": seed}
        for name, site in self.sites.items():
            population = site.population
            for own in (*population.dynamic, *population.constraints):
                start = self.arrays.array(population.values.get(own, 0.0))
                state[f"{name}.{own}"] = site.silence(own) + start
            for event in population.events:
                state |= dict.fromkeys((f"{name}.{event.name}", f"{name}.{event.name}:rest"), site.silence(event.name))
        for name, port in self.system.inputs.items():
            key = f"{port.population}.{port.variable}"
            if key in state and name in self.inputs:
                state[key] = self.arrays.cast(self.inputs[name], state[key].dtype)
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

    def _resolve(self) -> None:
        """Deliver all signals, solve all constraints, record."""
        self._begin(self.state["step"])
        self.sent = {}
        for site in self._holding:
            self.sent |= site.values(site.compiled.held)
        for task in self._schedule:
            if isinstance(task, Joint):
                together = self.joints[task].solve(self._given)
                self.state |= {f"{name}.{unknown}": value for (name, unknown), value in together.items()}
                continue
            name, arrival = task
            if arrival:
                self.sites[name].receive(arrival, self._leaving(task))
            elif (solver := self.engine.compiled[name].solved) is not None:
                found = self.sites[name].solve(solver)
                self.state |= {f"{name}.{n}": value for n, value in found.items()}
        for coupling in self.lasting:
            self._signal(coupling)
        self._schedule = self._changing
        self.recording.take(self.sent, self.state)

    def _begin(self, now: int) -> None:
        """What is new in a step before anything has arrived: the time, pulses, noises, inputs."""
        for name, site in self.sites.items():
            site.forget()
            site.here[TIME] = now * self.dt
            for event in site.population.events:
                site.here[event.name] = self.state[f"{name}.{event.name}"] / self.dt
            for noise in site.population.noises:
                draw = streams.normal(self.state["seed"], f"{name}.{noise}", "noise", site.shape, step=now)
                site.here[noise] = self.arrays.array(draw) / math.sqrt(self.dt)
        for (name, arrival), error in (self.errors(now) if self.errors else {}).items():
            self.sites[name].errors[arrival] = error
        for name, wave in self.played.items():
            population, variable = name.rsplit(".", 1)
            still = self._still.get(name)  # the same array at each step: what hangs on it alone is computed once
            entry = wave[:, min(now - self.first, wave.shape[1] - 1)] if still is None else still
            self.sites[population].here[variable] = entry

    def _signal(self, coupling: str) -> Array:
        """What enters a coupling now; what it hangs on has arrived."""
        if coupling not in self.sent:
            self.sent[coupling] = self.sites[self.system.couplings[coupling].source].sent(coupling)
        return self.sent[coupling]

    def _given(self, task: Task, inside: frozenset[str]) -> Array:
        """What arrives by couplings that are not inside a joint."""
        return self.sites[task[0]].arriving(task[1], self._leaving(task, inside))

    def _leaving(self, task: Task, inside: frozenset[str] = frozenset()) -> list[tuple[Coupling, Array]]:
        """What leaves the couplings that are not inside a joint, towards one arrival."""
        leaving = []
        for coupling in self.engine.compiled[task[0]].into[task[1]]:
            if coupling.name in inside:
                continue
            delay, line = self.delays[coupling.name], self.state[f"{coupling.name}:line"]
            if not delay:
                leaving.append((coupling, self._signal(coupling.name)))
            elif len(line) >= delay:
                leaving.append((coupling, line[-delay]))
        return leaving

    def _move(self) -> None:
        for name, delay in self.delays.items():
            if delay:
                line = self.state[f"{name}:line"]
                entering = self.sent[name]
                # A wave that has not changed is the same array, for what hangs on it not to be computed again.
                line.append(line[-1] if line and self.arrays.same(entering, line[-1]) else entering)
                del line[: max(len(line) - delay, 0)]
        for site in self.sites.values():
            if site.population.dynamic:
                self._advance(site)
            for event in site.population.events:
                self._fire(site.population, event, site)
        self.state["step"] += 1

    def _advance(self, site: Site) -> None:
        """One step of a population's states."""
        population, own = site.population, site.here
        changes = site.values(site.compiled.moves)
        moved = {name: self.arrays.moved(own[name], changes[name], self.dt) for name in population.flows}
        moved |= {name: changes[name] for name in population.maps}
        if population.held:
            resting = self._resting(population)
            moved |= {n: self.arrays.xp.where(resting, own[n], moved[n]) for n in population.held}
        for name in site.compiled.forgetful:
            # A projection or reset may hide it in the same step.
            check_finite(self.arrays, f"{population.name}.{name}", moved[name], self.dt)
        own |= moved
        own |= site.values(site.compiled.projected)
        self.state |= {f"{population.name}.{n}": own[n] for n in population.dynamic}

    def _resting(self, population: Population) -> Array:
        return reduce(operator.or_, (self.state[f"{population.name}.{e.name}:rest"] > 0 for e in population.events))

    def _fire(self, population: Population, event: Event, site: Site) -> None:
        key, own = f"{population.name}.{event.name}", site.here
        where = self.arrays.xp.where
        rest = self.state[f"{key}:rest"] - self.dt
        rest = where(rest < REST_OVER * self.dt, site.silence(event.name), rest)
        compiled = site.compiled
        fires = site.values(compiled.guards[event.name])["guard"] & (rest == 0)
        after = {n: where(fires, v, own[n]) for n, v in site.values(compiled.resets[event.name]).items()}
        own |= after
        self.state |= {f"{population.name}.{n}": value for n, value in after.items()}
        self.state[key] = self.arrays.cast(fires, self.arrays.real)
        pause = site.values(compiled.rests[event.name])["rest"]
        self.state[f"{key}:rest"] = where(fires, pause, rest)

    def _trace(self, end: dict[str, Any]) -> Trace:
        for name, value in self.inputs.items():
            port = self.system.inputs[name]
            timed = value.ndim == len(self.system.populations[port.population].shape) + 2
            used = value[:, : self.state["step"] - self.first + 1] if timed else value
            if not self.arrays.is_finite(used):
                raise NumericsError(f"{port.population}.{port.variable} is not finite: what is driven in at {name!r}")
        fields, sent, outputs = self.recording.waves(self.state, self.dt)
        return Trace(self.dt, fields, sent, outputs, end, self.first * self.dt)

    def _batch(self, state: Mapping[str, Any]) -> int:
        return next((value.shape[0] for value in state.values() if isinstance(value, self.arrays.kinds)), 1)


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state whose lines can be added to without changing the trace it came from."""
    return {key: list(value) if isinstance(value, list) else value for key, value in state.items()}
