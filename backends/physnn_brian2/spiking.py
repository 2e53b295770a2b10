"""The spiking code: stationary states of a System, found by neurons that exchange nothing but spikes.

`steady` shows the inputs for a window of steps and returns what the populations then hold. The reflected wave is a
System like any other: its populations stand beside the forward ones, take their local factors from what was recorded
there, and exchange spikes through the transposed couplings. It is linear in the error that drives it, so that each
sample's error is amplified for its coders and what returns is divided by the same gain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import array_api_compat.numpy as xp
import brian2
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Companion, System, Trace, companion_inputs
from physnn.errors import CapabilityError, NumericsError, ParameterError
from physnn.execution import Engine, NumpyArrays
from physnn.substrate.contract import CompanionSpec, check_constant, check_cotangents
from physnn.substrate.memory import Memory
from physnn.substrate.meter import Meter
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profile_schema import SpikingSection
from physnn_brian2.network import numbers
from physnn_brian2.spiking_codes import find_code
from physnn_brian2.spiking_network import SpikingNetwork, coders_of

_KEPT = 8
"""networks of other batch sizes that are kept for the next presentation"""
_REACHED = 0.6
"""share of the full scale to which a sample's error is amplified"""
_STEPS_PER_HOP = 4
"""of a window, at least: the leaks forget what arrived before the layers in front had settled"""
_ATTEMPTS = 6
"""presentations of a reflected wave, each with less gain for samples in which a coder is overdriven"""


def check_spiking(system: System) -> list[tuple[str, str]]:
    """(part, why) of what cannot cross, or settle, by spikes."""
    found: list[tuple[str, str]] = []
    if system.unsteady:
        found.append(("network", system.unsteady))
    for name in system.joined:
        found.append((f"population {name}", "its constraints are solved together with others'; no spikes do that"))
    for name, population in system.populations.items():
        if any(variable.complex for variable in population.variables.values()):
            found.append((f"population {name}", "complex waves; the spike codes carry real signals"))
    for coupling in system.couplings.values():
        if coupling.local:
            found.append(
                (f"coupling {coupling.name}", "a wire at one place, which carries no spikes; run the continuous code")
            )
    return found


def hops(system: System) -> int:
    """How many couplings the longest way through a System has; 0 where they form a loop."""
    longest = dict.fromkeys(system.populations, 0)
    for name in system.steady_order or ():
        for coupling in system.leaving(name):
            longest[coupling.target] = max(longest[coupling.target], longest[name] + 1)
    return max(longest.values(), default=0)


class SpikingSubstrate:
    """A placed System whose populations exchange spikes (see `physnn.substrate.contract.Substrate`).

    Parameters
    ----------
    placed : PlacedSystem
    settings : SpikingSection, optional
        Code, window and full scale; those of the profile's table `[spiking]` where not given.

    Raises
    ------
    CapabilityError
        The System has no stationary state that spikes could carry.
    ParameterError
        The window is too short for the layers that the waves must pass.
    """

    gradient_label = "native"
    xp = xp

    def __init__(self, placed: PlacedSystem, settings: SpikingSection | None = None) -> None:
        refused = check_spiking(placed.system)
        if refused:
            raise CapabilityError(f"the spiking code refuses {refused[0][0]}: {refused[0][1]}")
        self.placed = placed
        default = SpikingSection(source="default of the backend")
        self.settings = settings or placed.profile.spiking or default
        find_code(self.settings.code)
        least = _STEPS_PER_HOP * hops(placed.system)
        if self.settings.presentation < least:
            raise ParameterError(
                f"a window of {self.settings.presentation} steps is too short for {least // _STEPS_PER_HOP} couplings "
                f"in a row; give at least {least} steps (spiking.presentation of the profile)"
            )
        self.memory = Memory(placed)
        self.meter = Meter(host_is_device=False)
        self.forward = Way(placed, placed.system, self.settings, self.meter)
        self._ways_back: dict[CompanionSpec, Way] = {}
        self.presentations = 0

    @property
    def network(self) -> brian2.Network:
        """The Brian2 network that ran last, or that one sample would run in: add monitors to it as always."""
        return self.forward.latest.network

    def asarray(self, values: Any) -> NDArray[Any]:
        """Values as a float64 array."""
        return np.asarray(values, dtype=complex if np.iscomplexobj(values) else float)

    def run(
        self,
        inputs: Mapping[str, NDArray[Any]],
        duration: float,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Refused: the windows of the spike code show stationary states.

        Raises
        ------
        CapabilityError
        """
        raise CapabilityError(
            "the spiking code finds stationary states; use `steady` (an objective without a duration), or a profile "
            "without [spiking] to run the equations in time"
        )

    def steady(self, inputs: Mapping[str, NDArray[Any]], tolerance: float = 1e-9) -> Trace:
        """The stationary state as far as spikes represent it in one window; `tolerance` is not theirs to meet.

        Raises
        ------
        NumericsError
            A signal is larger than a coder's full scale.
        """
        check_constant(self.placed.system, inputs)
        trace, overload = self.forward.present(numbers(inputs), self.memory.held, self._seed())
        if overload.max(initial=0.0) > 1.0:
            scale = self.settings.full_scale
            raise NumericsError(
                f"a signal of {overload.max() * scale:.3g} is beyond the full scale of the spike code, {scale:g}; its "
                "neurons would send a spike every step and say no more: raise spiking.full_scale of the profile"
            )
        self.meter.add(sample=_batch(inputs))
        return trace

    def companion(self, spec: CompanionSpec, about: Trace) -> SpikingCompanion:
        """The reflected wave about a stationary state, in spikes through the same weights."""
        if not about.steady:
            raise CapabilityError("the spiking code reflects stationary states; its incident trace must be one")
        companion = self.placed.companion(spec.transport, spec.inputs)
        if spec not in self._ways_back:
            self._ways_back[spec] = Way(self.placed, companion.system, self.settings, self.meter)
            paths = self.placed.feedback(companion)
            if not paths.keys() <= self.memory.held.keys():
                self.memory.held = self.memory.held | self.placed.realise(paths)
        return SpikingCompanion(self, companion, self._ways_back[spec], about)

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Program parameters; what the device then holds follows from the profile."""
        self.memory.write(parameters)

    def wait(self, seconds: float) -> None:
        """Let time pass since programming [s]; weights drift until they are written again."""
        self.memory.wait(seconds)

    def read(self) -> dict[str, NDArray[Any]]:
        """The parameters as written."""
        return self.memory.read()

    def snapshot(self) -> dict[str, Any]:
        """Parameters, number of presentations, counts."""
        return {**self.memory.snapshot(), "presentations": self.presentations, "counts": dict(self.meter.counts)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.memory.restore(snapshot)
        self.presentations = snapshot["presentations"]
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def inventory(self) -> dict[str, float]:
        """One chip."""
        return {"chip": 1.0}

    def _seed(self) -> tuple[int, int]:
        """Seed of the draws, and how many steps were drawn for before."""
        self.presentations += 1
        return self.placed.seed, (self.presentations - 1) * self.settings.presentation


class Way:
    """A System, the incident one or a companion, as spiking networks by size of batch."""

    def __init__(self, placed: PlacedSystem, system: System, settings: SpikingSection, meter: Meter) -> None:
        self.system, self.settings, self.meter = system, settings, meter
        self.engine = Engine(system, NumpyArrays())
        timestep = placed.profile.time.timestep
        self._seconds = timestep.value if timestep else placed.step * placed.time_scale
        self._made: dict[int, SpikingNetwork] = {}
        coders = [c.population for c in coders_of(system, 1)]
        self._neurons = sum(
            math.prod(population.shape) * max(coders.count(name), 1) for name, population in system.populations.items()
        )
        """a population's elements once for each signal that they send; those that send none are updated too"""

    @property
    def latest(self) -> SpikingNetwork:
        """The network that was used last, or that one sample would use."""
        return next(reversed(self._made.values())) if self._made else self.for_batch(1)

    def for_batch(self, batch: int) -> SpikingNetwork:
        """The network for so many samples at once."""
        made = self._made.pop(batch, None)
        if made is None:
            settings = self.settings
            code = find_code(settings.code)
            made = SpikingNetwork(self.engine, batch, code, settings.full_scale, settings.dead_band, self._seconds)
        self._made[batch] = made
        while len(self._made) > _KEPT:
            del self._made[next(iter(self._made))]
        return made

    def present(
        self, inputs: Mapping[str, NDArray[Any]], held: Mapping[str, NDArray[Any]], seed: tuple[int, int]
    ) -> tuple[Trace, NDArray[np.float64]]:
        """Show inputs for one window: what is then represented, and how far each sample drove its coders, (batch,)."""
        batch, steps = _batch(inputs), self.settings.presentation
        network = self.for_batch(batch)
        trace = network.present(held, inputs, steps, *seed)
        for name, value in trace.outputs.items():
            if not np.isfinite(value).all():
                raise NumericsError(f"output {name!r} is not finite after the presentation; check inputs and damping")
        self.meter.add(
            spike=float(network.counts["spike"]),
            synop=float(network.counts["synop"]),
            neuron_update_active=float(self._neurons * batch * steps),
            timestep_s=self._seconds * steps * batch,
        )
        overload = network.overload if network.code.leaking else np.zeros(batch)
        return trace, overload

    def quiet(self, inputs: Mapping[str, NDArray[Any]], held: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Largest signal of each sample while nothing has arrived anywhere, relative to the full scale, (batch,)."""
        network = self.for_batch(_batch(inputs))
        network.enter(held, inputs)
        for name in network.sites:
            network.settle(name)
        return network.overload


class SpikingCompanion:
    """A companion System about a stationary trace (see `physnn.substrate.contract.Companionship`)."""

    def __init__(self, substrate: SpikingSubstrate, companion: Companion, way: Way, about: Trace) -> None:
        self.substrate, self.companion, self.way, self.about = substrate, companion, way, about

    def run(self, cotangents: Mapping[str, NDArray[Any]]) -> Trace:
        """Refused: see `SpikingSubstrate.run`.

        Raises
        ------
        CapabilityError
        """
        raise CapabilityError("the spiking code reflects stationary states; use `steady`")

    def steady(self, cotangents: Mapping[str, NDArray[Any]], tolerance: float = 1e-9) -> Trace:
        """The reflected wave as far as spikes represent it in one window, gains divided out.

        The gain of a sample is 0.6 F/m, F the full scale and m the largest signal that its error makes where it enters;
        where an inner layer's coders are then overdriven, the batch is shown again with less for that sample.

        Raises
        ------
        NumericsError
            No gain was found at which the coders can follow.
        """
        check_cotangents(self.substrate.placed.system, cotangents)
        arrays = {name: self.substrate.asarray(value) for name, value in cotangents.items()}
        inputs = numbers(companion_inputs(self.companion, self.about, arrays))
        check_constant(self.way.system, inputs)
        held = self.substrate.memory.held
        largest = self.way.quiet(inputs, held)
        gain = np.divide(_REACHED, largest, out=np.ones_like(largest), where=largest > 0)
        for _ in range(_ATTEMPTS):
            shown = inputs | {
                port: _scaled(inputs[port], gain) for port in self.companion.errors.values() if port in inputs
            }
            trace, overload = self.way.present(shown, held, self.substrate._seed())
            if overload.max(initial=0.0) <= 1.0:
                return self._divided(trace, gain)
            gain = np.where(overload > 1.0, gain * _REACHED / np.maximum(overload, 1.0), gain)
        raise NumericsError(
            f"the reflected wave overdrives its spiking neurons by {overload.max():.3g} at every gain that was tried; "
            "raise spiking.full_scale of the profile or lower the weights"
        )

    def _divided(self, trace: Trace, gain: NDArray[np.float64]) -> Trace:
        """What the unamplified error would have left; incident waves were not amplified."""
        kept = self.companion.incident.keys()
        fields = {n: v if n in kept else _scaled(v, 1.0 / gain) for n, v in trace.fields.items()}
        sent = {name: _scaled(value, 1.0 / gain) for name, value in trace.sent.items()}
        outputs = {name: _scaled(value, 1.0 / gain) for name, value in trace.outputs.items()}
        return replace(trace, fields=fields, sent=sent, outputs=outputs)


def _scaled(values: NDArray[Any], gain: NDArray[np.float64]) -> NDArray[Any]:
    return values * gain.reshape(-1, *(1,) * (values.ndim - 1))


def _batch(inputs: Mapping[str, NDArray[Any]]) -> int:
    return next((len(value) for value in inputs.values()), 1)
