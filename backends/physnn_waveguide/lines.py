"""The network of directional lines: waves leave repeaters, travel through couplers, and arrive at detectors.

A line of loss A [dB] weakens its wave by kappa = 10^(-A/20); the repeater at its end makes up for it, and amplifies
the detector's noise by 1/kappa in doing so. Both directions share lines, couplers and die: a companion System is the
same network run from the other end, with small-signal gain.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import System, Trace
from physnn.errors import NumericsError
from physnn.substrate.placement import PlacedSystem
from physnn_waveguide.repeaters import Environment, Repeaters

_HOPS = 2000


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
    """

    def __init__(self, placed: PlacedSystem, system: System, direction: str) -> None:
        self.placed, self.system, self.direction = placed, system, direction
        self.repeaters = {name: Repeaters(system, p) for name, p in system.populations.items()}
        loss = placed.profile.medium.line_loss
        self.amplification = 10 ** (loss.value / 20) if loss else 1.0
        self.passes = 0

    @property
    def delay(self) -> float:
        """What every line adds to its coupling's own delay [s, model time]."""
        line = self.placed.profile.medium.line_delay
        return line.value / self.placed.time_scale if line else 0.0

    def noise(self, name: str, arrival: str, batch: int, step: int) -> NDArray | float:
        """Noise of the detectors at one arrival, in model units."""
        population = self.system.populations[name]
        impedance = population.values.get("Z")
        rms = self.placed.detector_noise(float(np.mean(impedance)) if impedance is not None else None) * self.amplification
        if rms == 0 or not self.repeaters[name].arriving[arrival]:
            return 0.0
        key = f"{name}.{arrival}.{self.direction}"
        return rms * streams.normal(self.placed.seed, key, "detector", (batch, *population.shape), step=step)

    def start(self, inputs: Mapping[str, NDArray], parameters: Mapping[str, NDArray]) -> tuple[dict[str, Environment], int]:
        """Environments with parameters and zero waves, and the batch size."""
        self.system.check_inputs(inputs)
        batch = next((v.shape[0] for v in inputs.values()), 1)
        here = {name: repeaters.environment(parameters) for name, repeaters in self.repeaters.items()}
        for name, population in self.system.populations.items():
            for variable in population.role("state", "input", "arrival"):
                start = population.values.get(variable, 0.0)
                here[name][variable] = np.broadcast_to(np.asarray(start, dtype=float), (batch, *population.shape))
        return here, batch

    def steady(self, inputs: Mapping[str, NDArray], parameters: Mapping[str, NDArray], tolerance: float) -> Trace:
        """The stationary state. Without loops the wave front passes each repeater once, and all is settled behind it."""
        here, batch = self.start(inputs, parameters)
        for name, value in inputs.items():
            port = self.system.inputs[name]
            here[port.population][port.variable] = value
        sent: dict[str, NDArray] = {}
        self.passes += 1
        if self.system.steady_order:
            for name in self.system.steady_order:
                self._hop(name, here, sent, parameters, batch, self.passes)
            return self._trace(here, sent, batch)
        change = math.inf
        for _ in range(_HOPS):
            before = {name: here[name][r.state] for name, r in self.repeaters.items() if r.state}
            for name in self.system.populations:
                self._hop(name, here, sent, parameters, batch, self.passes)
            change = max(float(np.max(np.abs(here[name][self.repeaters[name].state] - v))) for name, v in before.items())
            if change <= tolerance:
                return self._trace(here, sent, batch)
        raise NumericsError(f"the waves have not settled after {_HOPS} hops (last change {change:.2g}); run it in time instead")

    def _hop(
        self, name: str, here: dict[str, Environment], sent: dict[str, NDArray], parameters: Mapping[str, NDArray], batch: int,
        step: int,
    ) -> None:  # fmt: skip
        repeaters = self.repeaters[name]
        for arrival, couplings in repeaters.arriving.items():
            waves = [c.operator.apply(np, parameters[c.key], sent[c.name]) for c in couplings if c.name in sent]
            here[name][arrival] = sum(waves, np.zeros((batch, *repeaters.population.shape))) + self.noise(name, arrival, batch, step)
        repeaters.settle(here[name], batch)
        sent |= {coupling: repeaters.filled(value, batch) for coupling, value in repeaters.signals(here[name]).items()}

    def run(
        self, inputs: Mapping[str, NDArray], parameters: Mapping[str, NDArray], steps: int, h: float, state: Mapping[str, Any] | None
    ) -> Trace:
        """Step the network in time: every line is a delay line, every repeater relaxes over each step."""
        here, batch = self.start(inputs, parameters)
        delays = {c.name: round((c.delay + self.delay) / h) for c in self.system.couplings.values()}
        lines = {name: deque(maxlen=max(delay, 1)) for name, delay in delays.items()}
        now = 0
        if state is not None:
            now = state["step"]
            lines = {name: deque(kept, maxlen=max(delays[name], 1)) for name, kept in state["lines"].items()}
            for name, repeaters in self.repeaters.items():
                if repeaters.state:
                    here[name][repeaters.state] = state["states"][name]
        frames: list[Trace] = []
        for step in range(steps + 1):
            self._drive(here, inputs, now + step)
            sent: dict[str, NDArray] = {}
            for name in self.system.order:
                self._receive(name, here, sent, lines, delays, parameters, batch, now + step)
            frames.append(self._trace(here, sent, batch))
            if step < steps:
                for name, wave in sent.items():
                    lines[name].append(wave)
                for name, repeaters in self.repeaters.items():
                    if repeaters.state:
                        here[name][repeaters.state] = repeaters.relaxed(here[name], h, batch)
        states = {name: here[name][r.state] for name, r in self.repeaters.items() if r.state}
        return _joined(frames, h, {"step": now + steps, "lines": {k: list(v) for k, v in lines.items()}, "states": states})

    def _drive(self, here: dict[str, Environment], inputs: Mapping[str, NDArray], step: int) -> None:
        for name, value in inputs.items():
            port = self.system.inputs[name]
            population = self.system.populations[port.population]
            if population.variables[port.variable].role == "state":
                if step == 0:
                    here[port.population][port.variable] = value
                continue
            timed = value.ndim == len(population.shape) + 2
            here[port.population][port.variable] = value[:, min(step, value.shape[1] - 1)] if timed else value

    def _receive(
        self, name: str, here: dict[str, Environment], sent: dict[str, NDArray], lines: Mapping[str, deque],
        delays: Mapping[str, int], parameters: Mapping[str, NDArray], batch: int, step: int,
    ) -> None:  # fmt: skip
        repeaters = self.repeaters[name]
        for arrival, couplings in repeaters.arriving.items():
            total = np.zeros((batch, *repeaters.population.shape))
            for coupling in couplings:
                delay, line = delays[coupling.name], lines[coupling.name]
                if delay == 0:
                    total = total + coupling.operator.apply(np, parameters[coupling.key], self._signal(coupling, here, sent, batch))
                elif len(line) >= delay:
                    total = total + coupling.operator.apply(np, parameters[coupling.key], line[-delay])
            here[name][arrival] = total + self.noise(name, arrival, batch, step)
        sent |= {coupling: repeaters.filled(value, batch) for coupling, value in repeaters.signals(here[name]).items()}

    def _signal(self, coupling: Any, here: dict[str, Environment], sent: Mapping[str, NDArray], batch: int) -> NDArray:
        if coupling.name in sent:
            return sent[coupling.name]
        source = self.repeaters[coupling.source]
        return source.filled(source.signals(here[coupling.source])[coupling.name], batch)

    def _trace(self, here: dict[str, Environment], sent: Mapping[str, NDArray], batch: int) -> Trace:
        fields = {
            f"{name}.{n}": np.broadcast_to(here[name][n], (batch, *p.shape))[:, None]
            for name, p in self.system.populations.items()
            for n in p.role("state", "arrival", "input")
        }
        outputs = {n: r.filled(v, batch)[:, None] for name, r in self.repeaters.items() for n, v in r.outputs(here[name]).items()}
        return Trace(0.0, fields, {n: v[:, None] for n, v in sent.items()}, outputs)


def _joined(frames: list[Trace], h: float, state: dict[str, Any]) -> Trace:
    """Frames of one time each as one trace."""
    kept = [
        {name: np.concatenate([getattr(f, kind)[name] for f in frames], axis=1) for name in getattr(frames[0], kind)}
        for kind in ("fields", "sent", "outputs")
    ]
    for name, value in kept[0].items():
        if not np.all(np.isfinite(value)):
            raise NumericsError(f"{name} is not finite; the waves grow without bound")
    return Trace(h, *kept, state)
