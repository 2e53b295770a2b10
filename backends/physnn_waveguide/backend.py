"""The waveguide backend: delay lines, loss, repeaters or analog cells, noise, converters, a die."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Companion, System, Trace, companion_inputs
from physnn.errors import CapabilityError
from physnn.substrate.contract import APPROXIMATED, REFUSED, SUPPORTED, CompanionSpec, Finding, Traits, check_cotangents
from physnn.substrate.converters import own_range, quantise
from physnn.substrate.memory import Memory
from physnn.substrate.meter import Meter
from physnn.substrate.pace import Pace
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profile_optics import laser_power
from physnn.substrate.profiles import Profile
from physnn_waveguide.analog import AnalogComputer
from physnn_waveguide.cells import with_cells
from physnn_waveguide.devices import converters_in, fan_in, inventory, mesh_exits, read_back, settings, transit
from physnn_waveguide.lines import Lines
from physnn_waveguide.pace import paced
from physnn_waveguide.repeaters import cells, directional

Network = Lines | AnalogComputer
_IDEAL_SETTLING = 40.0
"""time constants that an ideal repeater is waited for: exp(-40) is below float64's rounding"""


class Backend:
    """Analog networks: repeaters joined by lines where these suffice, an analog computer with lines elsewhere."""

    name = "waveguide"

    def traits(self, system: System) -> Traits:
        """Repeaters relax exactly while what arrives holds; an analog computer takes the interpreter's own steps."""
        return Traits(integrator="exponential Euler", order=1) if directional(system) else Traits()

    def check(self, system: System, profile: Profile) -> list[Finding]:
        """How the System is built, and whether the profile's light and fan-in suffice.

        Weights that change while it runs are refused: the settings of couplers are held during a run.
        """
        found, lines_alone = [], directional(system)
        for name, population in system.populations.items():
            found.append(Finding(f"population {name}", SUPPORTED, cells(population)))
        for coupling in system.couplings.values():
            if coupling.plasticity is not None:
                detail = "weights that change while it runs; freeze it and let the host update them"
                found.append(Finding(f"coupling {coupling.name}", REFUSED, detail))
            elif coupling.delay and lines_alone:
                found.append(Finding(f"coupling {coupling.name}", APPROXIMATED, "delay rounded to whole steps"))
            else:
                found.append(Finding(f"coupling {coupling.name}", SUPPORTED))
        if not lines_alone:
            found.append(Finding("time step", SUPPORTED, "held against the System's own spectrum when it is built"))
            if given := [key for key, _ in profile.cells.quantities()]:
                found.append(Finding("analog cells", SUPPORTED, f"with the profile's {', '.join(given)}"))
        if any(c.local for c in system.couplings.values()):
            given = [key for key in ("line_loss", "line_delay") if getattr(profile.medium, key) is not None]
            if given:
                named = f"{' and '.join(given)} {'act' if len(given) > 1 else 'acts'}"
                detail = f"keep their own loss and delay; the profile's {named} on other couplings alone"
                found.append(Finding("lines that the System describes", APPROXIMATED, detail))
        return found + self._limits(system, profile)

    def _limits(self, system: System, profile: Profile) -> list[Finding]:
        devices, found = inventory(system), []
        if profile.medium.mzi_loss is not None:
            try:
                laser_power(profile, devices["input"] + devices["repeater"], devices["mzi_depth"])
            except CapabilityError as error:
                found.append(Finding("optical loss", REFUSED, str(error)))
        most = profile.limits.max_fan_in
        for name, lines in fan_in(system).items():
            if most is not None and lines > most.value:
                detail = f"{lines} lines arrive at each element, the profile allows {most.value:g}; use narrower layers"
                found.append(Finding(f"population {name}", REFUSED, detail))
        most = profile.limits.max_neurons
        if most is not None and devices["repeater"] > most.value:
            detail = f"{devices['repeater']:g}, the profile allows {most.value:g}; use narrower layers"
            found.append(Finding("number of repeaters", REFUSED, detail))
        return found

    def build(self, placed: PlacedSystem) -> WaveguideSubstrate:
        """A network of lines on one die.

        Raises
        ------
        CapabilityError
            Weights change while it runs, or the profile's light or fan-in does not suffice.
        ParameterError
            The time step is too long for the System.
        """
        refused = [f for f in self.check(placed.system, placed.profile) if f.status == REFUSED]
        if refused:
            raise CapabilityError(f"backend 'waveguide' refuses {refused[0].part}: {refused[0].detail}")
        if directional(placed.system):
            return WaveguideSubstrate(placed)
        built, pace = paced(with_cells(placed))
        return WaveguideSubstrate(built, pace)


class WaveguideSubstrate:
    """A placed System as analog lines (see `physnn.substrate.contract.Substrate`).

    `Trace.fields` are the true waves inside the network, at which the repeaters are biased; `Trace.sent` and
    `Trace.outputs` are what the converters report of them. `pace` says how long the steps of an analog computer may be;
    repeaters take any.
    """

    gradient_label = "native"
    xp = xp

    def __init__(self, placed: PlacedSystem, pace: Pace | None = None) -> None:
        self.placed, self.pace = placed, pace
        self.meter = Meter(host_is_device=False)
        self.passes: Counter[str] = Counter()
        self.lines = self._network(placed.system, "incident")
        self.devices = inventory(placed.system)
        self.read_back = read_back(placed.system)
        self.converters_in = converters_in(placed.system)
        self.settings = settings(placed.system)
        self.echoes: dict[tuple[str, tuple[str, ...], bool], Network] = {}
        self.memory = Memory(placed, self._judge)
        self.settling_time = self._settling_time(self.held)
        self._count_writes(placed.system.parameters)

    def _network(self, system: System, direction: str) -> Network:
        lines_alone = directional(self.placed.system)
        kind: type[Lines] | type[AnalogComputer] = Lines if lines_alone else AnalogComputer
        return kind(self.placed, system, direction, self.passes)

    def asarray(self, values: Any) -> NDArray:
        """Values as a float64 array, complex where they are."""
        return np.asarray(values, dtype=complex if np.iscomplexobj(values) else float)

    def run(
        self,
        inputs: Mapping[str, NDArray],
        duration: float,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run for `duration` [s, model time] with the placed step."""
        self.placed.check_record(record)
        steps = self.placed.steps(duration)
        driven = {name: value.copy() for name, value in self._converted(inputs).items()}  # the trace is its own
        trace = self.lines.run(driven, self.held, steps, self.placed.step, state, record)
        self.count(_batch(inputs), steps + 1, duration)
        return self._measured(trace)

    def steady(self, inputs: Mapping[str, NDArray], tolerance: float = 1e-9) -> Trace:
        """The stationary state, read once the waves have settled."""
        trace, rounds = self.lines.steady(self._converted(inputs), self.held, tolerance)
        self.count(_batch(inputs), 1, rounds * self.settling_time)
        return self._measured(trace)

    def companion(self, spec: CompanionSpec, about: Trace) -> WaveguideCompanion:
        """The reflected wave on the same lines and die, about an incident trace.

        Raises
        ------
        CapabilityError
            It is to be followed up to input ports, where lines between repeaters have no detectors.
        """
        lines_alone = isinstance(self.lines, Lines)
        if spec.inputs and lines_alone:
            raise CapabilityError(f"backend 'waveguide' has no detectors at the input port {spec.inputs[0]!r}")
        kind = spec.transport, spec.inputs, not (lines_alone or about.steady)
        companion = self.placed.companion(spec.transport, spec.inputs, discrete=kind[2])
        if kind not in self.echoes:
            self.echoes[kind] = self._network(companion.system, f"reflected-{spec.transport}")
            paths = self.placed.feedback(companion)
            couplers = sum(path.size for path in paths.values())
            self.devices["weight"] += couplers
            if not paths.keys() <= self.held.keys():  # not restored from a snapshot that had them
                self.memory.held = self.held | self.placed.realise(paths)
                self.meter.add(weight_write=couplers)
        return WaveguideCompanion(self, companion, self.echoes[kind], about)

    @property
    def held(self) -> dict[str, NDArray]:
        """What range, bits, write noise, the die and drift made of the parameters."""
        return self.memory.held

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Program weights: range, bits, write noise, and what the die makes of them."""
        self.memory.write(parameters)
        if not self.placed.weight_keys.issuperset(parameters):
            self.settling_time = self._settling_time(self.held)
        self._count_writes(parameters)

    def wait(self, seconds: float) -> None:
        """Let time pass since programming [s]; weights drift until they are written again."""
        self.memory.wait(seconds)

    def read(self) -> dict[str, NDArray]:
        """The parameters as written."""
        return self.memory.read()

    def snapshot(self) -> dict[str, Any]:
        """Parameters, positions of the noise streams, counts."""
        return {**self.memory.snapshot(), "passes": dict(self.passes), "counts": dict(self.meter.counts)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.memory.restore(snapshot)
        self.settling_time = self._settling_time(self.held)
        self.passes.clear()
        self.passes.update(snapshot["passes"])
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def _judge(self, memory: Memory, new: Mapping[str, NDArray], held: Mapping[str, NDArray]) -> None:
        """Whether loops with delays stay bounded when parameters other than weights are written again."""
        numbers = new.keys() - self.placed.weight_keys
        moved = any(not np.array_equal(memory.written.get(key, np.nan), new[key]) for key in numbers)
        if moved and memory.writes and self.placed.stability.loops.linear:
            self.placed.stability.loops.check(self.placed.step, {**memory.held, **held})

    def _count_writes(self, parameters: Mapping[str, Any]) -> None:
        self.meter.add(weight_write=sum(count for key, count in self.settings.items() if key in parameters))

    def inventory(self) -> dict[str, float]:
        """Devices of the network."""
        return dict(self.devices)

    def _settling_time(self, held: Mapping[str, NDArray]) -> float:
        """Time for one wave front to pass and every repeater to settle to half a converter step [s, model time].

        A mesh without delays of its own is passed in the profile's line delay.
        """
        placed, precision = self.placed, self.placed.profile.precision
        bits = precision.output_bits if precision else None
        constants = (bits + 1) * math.log(2) if bits else _IDEAL_SETTLING
        settling = self.lines.settling(held, constants)
        unrounded = placed.line_delay - round(placed.line_delay / placed.step) * placed.step
        travel = {
            c.name: c.delay if c.local else max(c.delay + unrounded, 0.0) for c in placed.system.couplings.values()
        }
        for name in mesh_exits(placed.system):
            travel[name] += placed.line_delay
        return transit(placed.system, settling, travel)

    def count(self, batch: int, reads: int, duration: float) -> None:
        """Meter one incident run."""
        sizes = self.devices
        self.meter.add(
            dac=self.converters_in * batch,
            adc=sizes["output"] * batch * reads,
            repeater=sizes["repeater"] * batch,
            medium_s=duration * self.placed.time_scale * batch,
            sample=batch,
            **{"pass": batch},
        )

    def _converted(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Inputs after their DACs."""
        precision, full_scale = self.placed.profile.precision, self.placed.profile.range.signal
        if full_scale is None:
            return {name: self.asarray(value) for name, value in inputs.items()}
        bits = precision.input_bits if precision else None
        return {name: _through(self.asarray(value), bits, full_scale.value) for name, value in inputs.items()}

    def _measured(self, trace: Trace) -> Trace:
        """The trace as its ADCs report it."""
        precision, full_scale = self.placed.profile.precision, self.placed.profile.range.signal
        if full_scale is None:
            return trace
        bits = precision.output_bits if precision else None
        sent = {name: _through(value, bits, full_scale.value) for name, value in trace.sent.items()}
        outputs = {name: _through(value, bits, full_scale.value) for name, value in trace.outputs.items()}
        return replace(trace, sent=sent, outputs=outputs)


class WaveguideCompanion:
    """The way back through a network of lines (see `physnn.substrate.contract.Companionship`).

    The error of each sample is amplified to the full scale before it is sent in, and divided out of what is measured:
    the way back is linear, so this costs nothing but keeps it above the noise.
    """

    def __init__(self, substrate: WaveguideSubstrate, companion: Companion, lines: Network, about: Trace) -> None:
        self.substrate, self.companion, self.lines, self.about = substrate, companion, lines, about

    def run(self, cotangents: Mapping[str, NDArray]) -> Trace:
        """Send the reflected wave back over the whole incident trace."""
        sent, gain = self._injected(cotangents)
        inputs = companion_inputs(self.companion, self.about, sent)
        steps = next(iter(inputs.values())).shape[1]
        trace = self.lines.run(inputs, self.substrate.held, steps, self.substrate.placed.step, None)
        self._count(_batch(cotangents), steps, steps * self.substrate.placed.step)
        return self._measured(trace, gain)

    def steady(self, cotangents: Mapping[str, NDArray], tolerance: float = 1e-9) -> Trace:
        """The stationary reflected wave."""
        sent, gain = self._injected(cotangents)
        inputs = companion_inputs(self.companion, self.about, sent)
        trace, rounds = self.lines.steady(inputs, self.substrate.held, tolerance)
        self._count(_batch(cotangents), 1, rounds * self.substrate.settling_time)
        return self._measured(trace, gain)

    def _injected(self, cotangents: Mapping[str, NDArray]) -> tuple[dict[str, NDArray], NDArray]:
        """Errors after amplification and their DACs, and the gain of each sample, (batch,)."""
        profile = self.substrate.placed.profile
        check_cotangents(self.substrate.placed.system, cotangents)
        full_scale = profile.range.signal.value if profile.range.signal else 1.0
        ranges = [own_range(np.asarray(value)).reshape(len(value)) for value in cotangents.values()]
        gain = full_scale / np.maximum.reduce(ranges)
        amplified = {name: value * _as_rows(gain, value) for name, value in cotangents.items()}
        bits = profile.precision.input_bits if profile.precision else None
        if profile.range.signal is not None:
            amplified = {name: _through(value, bits, full_scale) for name, value in amplified.items()}
        return amplified, gain

    def _measured(self, trace: Trace, gain: NDArray) -> Trace:
        """What the ADCs report, each sample in a range of its own, with the gain divided out."""
        profile = self.substrate.placed.profile
        bits = profile.precision.output_bits if profile.precision else None

        def read(value: NDArray) -> NDArray:
            seen = _through(value, bits, own_range(value)) if bits and profile.range.signal else value
            return seen / _as_rows(gain, value)

        sent = {name: read(value) for name, value in trace.sent.items()}
        return replace(trace, sent=sent, outputs={name: read(value) for name, value in trace.outputs.items()})

    def _count(self, batch: int, reads: int, duration: float) -> None:
        """Meter one reflected run: errors in, and both waves read at every trained coupling."""
        substrate, devices = self.substrate, self.substrate.devices
        substrate.meter.add(
            dac=devices["output"] * batch,
            adc=substrate.read_back * batch * reads,
            repeater=devices["repeater"] * batch,
            medium_s=duration * substrate.placed.time_scale * batch,
            **{"pass": batch},
        )


def _as_rows(gain: NDArray, value: NDArray) -> NDArray:
    return gain.reshape(-1, *[1] * (value.ndim - 1))


def _through(values: NDArray, bits: int | None, full_scale: Any) -> NDArray:
    """Values after converters; the quadratures of an envelope have one each."""
    if not np.iscomplexobj(values):
        return quantise(values, bits, full_scale)
    return quantise(values.real, bits, full_scale) + 1j * quantise(values.imag, bits, full_scale)


def _batch(inputs: Mapping[str, NDArray]) -> int:
    return next((len(value) for value in inputs.values()), 1)
