"""The network of directional lines: waves leave repeaters, travel through couplers, and arrive at detectors.

Repeaters make up for the loss of their lines (`physnn_waveguide.detectors`). Both directions share lines, couplers and
die: a companion System is the same network run from the other end, with small-signal gain.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Coupling, System, Trace
from physnn.equations.parse import STEP, TIME
from physnn.equations.schedule import Task
from physnn.errors import NumericsError
from physnn.substrate.contract import check_constant
from physnn.substrate.placement import PlacedSystem
from physnn_waveguide.detectors import Detectors
from physnn_waveguide.repeaters import Environment, Repeaters

_ROUNDS = 2000


class Lines:
    """A System as repeaters joined by lines.

    Parameters
    ----------
    placed : PlacedSystem
        Profile, seed and scales; its System is the incident one.
    system : System
        The System that runs here: the incident one or a companion.
    direction : str
        Name of this direction in the noise streams.
    passes : Counter
        Direction -> runs so far, each of which has noise of its own.
    """

    def __init__(self, placed: PlacedSystem, system: System, direction: str, passes: Counter[str]) -> None:
        self.system = system
        self.repeaters = {name: Repeaters(system, p) for name, p in system.populations.items()}
        self.detectors = Detectors(placed, system, self.repeaters, direction, passes)

    def steady(
        self, inputs: Mapping[str, NDArray], parameters: Mapping[str, NDArray], tolerance: float
    ) -> tuple[Trace, int]:
        """The stationary state, and how often the wave front went through the network to reach it.

        Once without loops: the front passes each repeater, and all is settled behind it. With loops it goes round until
        no wave changes by more than `tolerance` times the largest amplitude. The noise of one state is drawn once.
        """
        check_constant(self.system, inputs)
        batch = _batch(inputs)
        here = {name: repeaters.environment(parameters, batch) for name, repeaters in self.repeaters.items()}
        for name, value in inputs.items():
            port = self.system.inputs[name]
            here[port.population][port.variable] = value
        noise = self.detectors.noise(batch, "detector", self.detectors.next(batch))
        sent: dict[str, NDArray] = {}
        rounds = 1
        with np.errstate(all="ignore"):  # what is not finite is refused below
            for name in self.system.steady_order or ():
                self._hop(name, here, sent, parameters, batch, noise)
            if self.system.steady_order is None:
                rounds = self._circulate(here, sent, parameters, batch, noise, tolerance)
        trace = self._trace(here, sent, batch)
        _check_finite(trace.outputs)
        return trace, rounds

    def _circulate(
        self,
        here: dict[str, Environment],
        sent: dict[str, NDArray],
        parameters: Mapping[str, NDArray],
        batch: int,
        noise: Mapping[Task, NDArray],
        tolerance: float,
    ) -> int:
        change = math.inf
        for rounds in range(1, _ROUNDS + 1):
            before = dict(sent)
            for name in self.system.populations:
                self._hop(name, here, sent, parameters, batch, noise)
            if before:
                change = max(float(np.abs(sent[name] - wave).max()) for name, wave in before.items())
                scale = max(float(np.abs(wave).max()) for wave in sent.values())
                if not math.isfinite(change + scale):
                    break
                if change <= tolerance * scale:
                    return rounds
        raise NumericsError(
            f"the waves have not settled after {rounds} rounds (last change {change:.2g}); run it in time instead"
        )

    def _hop(
        self,
        name: str,
        here: dict[str, Environment],
        sent: dict[str, NDArray],
        parameters: Mapping[str, NDArray],
        batch: int,
        noise: Mapping[Task, NDArray],
    ) -> None:
        repeaters, own = self.repeaters[name], here[name]
        for arrival, couplings in repeaters.arriving.items():
            waves = [c.operator.apply(np, parameters[c.key], sent[c.name]) for c in couplings if c.name in sent]
            own[arrival] = self._detected(waves, noise.get((name, arrival)), repeaters, batch)
        repeaters.settle(own, batch)
        sent |= {coupling: repeaters.filled(value, batch) for coupling, value in repeaters.signals(own).items()}

    @staticmethod
    def _detected(waves: list[NDArray], noise: NDArray | None, repeaters: Repeaters, batch: int) -> NDArray:
        """The sum of what arrives, and the noise of its detector."""
        parts = waves if noise is None else [*waves, noise]
        return sum(parts[1:], parts[0]) if parts else np.zeros((batch, *repeaters.population.shape))

    def run(
        self,
        inputs: Mapping[str, NDArray],
        parameters: Mapping[str, NDArray],
        steps: int,
        h: float,
        state: Mapping[str, Any] | None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Step the network in time: every line is a delay line, every repeater relaxes over each step."""
        self.system.check_inputs(inputs)
        batch = _batch(inputs)
        here = {name: repeaters.environment(parameters, batch) for name, repeaters in self.repeaters.items()}
        delays = {c.name: round(c.delay / h) for c in self.system.couplings.values()}
        start = self._rest(inputs, batch) if state is None else state
        lines = {name: deque(start["lines"].get(name, ()), maxlen=max(delay, 1)) for name, delay in delays.items()}
        for name, value in start["states"].items():
            here[name][self.system.populations[name].dynamic[0]] = value
        spread = self._spread(here, h)
        frames: list[Trace] = []
        for now in range(start["step"], start["step"] + steps + 1):
            for own in here.values():
                own |= {TIME: now * h, STEP: h}
            self._drive(here, inputs, now - start["step"])
            noise = self.detectors.noise(batch, "detector in time", start["first"], now)
            sent: dict[str, NDArray] = {}
            for name in self.system.order:
                self._receive(name, here, sent, lines, delays, parameters, batch, noise, spread)
            frames.append(self._trace(here, sent, batch))
            if now < start["step"] + steps:
                for name, wave in sent.items():
                    lines[name].append(wave)
                for name, repeaters in self.repeaters.items():
                    if repeaters.state:
                        here[name][repeaters.state] = repeaters.relaxed(here[name], h, batch)
        states = {name: here[name][r.state] for name, r in self.repeaters.items() if r.state}
        kept = {"lines": {k: list(v) for k, v in lines.items()}, "states": states}
        end = {"step": start["step"] + steps, "first": start["first"], **kept}
        return _joined(frames, h, end, start["step"] * h).only(record)

    def settling(self, held: Mapping[str, NDArray], constants: float) -> dict[str, float]:
        """Time in which each population settles [s, model time]: so many of its slowest time constants."""
        found = dict.fromkeys(self.repeaters, 0.0)
        for name, repeaters in self.repeaters.items():
            if repeaters.state:
                rate = float(np.min(repeaters.rate(repeaters.environment(held, 1))["rate"]))
                found[name] = constants / rate if rate > 0 else math.inf
        return found

    def _rest(self, inputs: Mapping[str, NDArray], batch: int) -> dict[str, Any]:
        """The state before anything is sent."""
        states = {
            name: repeaters.filled(repeaters.population.values.get(repeaters.state, 0.0), batch)
            for name, repeaters in self.repeaters.items()
            if repeaters.state
        }
        for name, value in inputs.items():
            port = self.system.inputs[name]
            if port.variable == self.repeaters[port.population].state:
                states[port.population] = value
        return {"step": 0, "first": self.detectors.next(batch), "lines": {}, "states": states}

    def _spread(self, here: Mapping[str, Environment], h: float) -> dict[str, Any]:
        """How much stronger the noise of one time step is than that of a settled wave: sqrt(coth(r h / 2)).

        A repeater of rate r averages the noise of many steps; with this factor its amplitude fluctuates as in a
        stationary state, however long the step is. One without damping has no such state, its factor is 1.
        """
        if not self.detectors.places:
            return {}
        rates = {name: np.abs(r.rate(here[name])["rate"]) for name, r in self.repeaters.items() if r.state}
        return {name: np.tanh(np.where(rate > 0, rate * h / 2, np.inf)) ** -0.5 for name, rate in rates.items()}

    def _drive(self, here: dict[str, Environment], inputs: Mapping[str, NDArray], step: int) -> None:
        for name, value in inputs.items():
            port = self.system.inputs[name]
            if port.variable == self.repeaters[port.population].state:
                continue
            timed = value.ndim == len(self.system.populations[port.population].shape) + 2
            here[port.population][port.variable] = value[:, min(step, value.shape[1] - 1)] if timed else value

    def _receive(
        self,
        name: str,
        here: dict[str, Environment],
        sent: dict[str, NDArray],
        lines: Mapping[str, deque[NDArray]],
        delays: Mapping[str, int],
        parameters: Mapping[str, NDArray],
        batch: int,
        noise: Mapping[Task, NDArray],
        spread: Mapping[str, Any],
    ) -> None:
        repeaters, own = self.repeaters[name], here[name]
        for arrival, couplings in repeaters.arriving.items():
            waves = []
            for coupling in couplings:
                delay, line = delays[coupling.name], lines[coupling.name]
                if delay == 0:
                    wave = self._signal(coupling, here, sent, batch)
                    waves.append(coupling.operator.apply(np, parameters[coupling.key], wave))
                elif len(line) >= delay:
                    waves.append(coupling.operator.apply(np, parameters[coupling.key], line[-delay]))
            error = noise.get((name, arrival))
            error = None if error is None else error * spread.get(name, 1.0)
            own[arrival] = self._detected(waves, error, repeaters, batch)
        sent |= {coupling: repeaters.filled(value, batch) for coupling, value in repeaters.signals(own).items()}

    def _signal(
        self, coupling: Coupling, here: dict[str, Environment], sent: Mapping[str, NDArray], batch: int
    ) -> NDArray:
        if coupling.name in sent:
            return sent[coupling.name]
        source = self.repeaters[coupling.source]
        return source.filled(source.signals(here[coupling.source])[coupling.name], batch)

    def _trace(self, here: dict[str, Environment], sent: Mapping[str, NDArray], batch: int) -> Trace:
        fields: dict[str, NDArray] = {}
        outputs: dict[str, NDArray] = {}
        for name, repeaters in self.repeaters.items():
            own = here[name]
            for variable, key in repeaters.recorded.items():
                fields[key] = repeaters.filled(own[variable], batch)[:, None]
            outputs |= {n: repeaters.filled(v, batch)[:, None] for n, v in repeaters.outputs(own).items()}
        return Trace(0.0, fields, {n: v[:, None] for n, v in sent.items()}, outputs)


def _batch(inputs: Mapping[str, NDArray]) -> int:
    return next((len(value) for value in inputs.values()), 1)


def _check_finite(waves: Mapping[str, NDArray]) -> None:
    for name, value in waves.items():
        if not np.isfinite(value).all():
            raise NumericsError(f"{name} is not finite: the inputs are not, or the waves grow without bound")


def _joined(frames: list[Trace], h: float, state: dict[str, Any], start: float) -> Trace:
    """Frames of one time each as one trace."""
    fields, sent, outputs = (
        {name: np.concatenate([getattr(f, kind)[name] for f in frames], axis=1) for name in getattr(frames[0], kind)}
        for kind in ("fields", "sent", "outputs")
    )
    _check_finite(fields)
    return Trace(h, fields, sent, outputs, state, start)
