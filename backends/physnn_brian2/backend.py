"""The Brian2 backend: a System's own equations, integrated by Brian2."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import array_api_compat.numpy as xp
import brian2
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Companion, System, Trace, companion_inputs
from physnn.errors import CapabilityError, ParameterError
from physnn.execution import Engine, NumpyArrays
from physnn.substrate.contract import (
    APPROXIMATED,
    REFUSED,
    SUPPORTED,
    CompanionSpec,
    Finding,
    check_constant,
    check_cotangents,
)
from physnn.substrate.memory import Memory
from physnn.substrate.meter import Meter
from physnn.substrate.pace import pace_of
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profiles import Profile
from physnn_brian2.cells import check_cells
from physnn_brian2.network import BrianNetwork, BrianRun, numbers
from physnn_brian2.plastic import check_plastic
from physnn_brian2.spiking import SpikingSubstrate, check_spiking

_KEPT = 8
"""networks of other batch sizes that are kept for the next run"""


class Backend:
    """Runs Systems as NeuronGroups in Brian2's runtime mode, generated code in NumPy."""

    name = "brian2"

    def check(self, system: System, profile: Profile) -> list[Finding]:
        """One finding for each population and coupling: what Brian2 cannot take is refused here, by name.

        A profile with a table `[spiking]` runs the spiking code. The continuous code sends graded values at every step,
        so chips that send spikes are refused there.
        """
        if profile.spiking is not None:
            refused = [Finding(part, REFUSED, detail) for part, detail in check_spiking(system)]
            detail = f"by spikes of code {profile.spiking.code!r}, read after {profile.spiking.presentation} steps"
            return refused or [Finding("values between populations", APPROXIMATED, detail)]
        if profile.kind == "event":
            detail = (
                f"the continuous code sends graded values at every step, the chip of profile {profile.name!r} sends "
                "spikes; profile 'ideal-brian2' runs the same equations"
            )
            return [Finding("values between populations", REFUSED, detail)]
        found = []
        for name, population in system.populations.items():
            if not population.dynamic:
                found.append(Finding(f"population {name}", SUPPORTED, "without states: solved between the groups"))
                continue
            try:
                check_cells(population)
            except CapabilityError as error:
                found.append(Finding(f"population {name}", REFUSED, str(error)))
            else:
                found.append(Finding(f"population {name}", SUPPORTED))
        for coupling in system.couplings.values():
            part = f"coupling {coupling.name}"
            if coupling.plasticity is None:
                found.append(Finding(part, SUPPORTED))
                continue
            try:
                check_plastic(system, coupling.name)
            except CapabilityError as error:
                found.append(Finding(part, REFUSED, str(error)))
            else:
                found.append(Finding(part, SUPPORTED, "weights change while it runs, as Synapses"))
        found.append(Finding("stationary states", APPROXIMATED, "solved from the equations on the host, not run"))
        noise = profile.noise
        if profile.range.signal is not None or noise.read is not None or noise.temperature is not None:
            detail = "ideal: their range, bits and noise are left out; backend 'waveguide' simulates them"
            found.append(Finding("converters and detectors", APPROXIMATED, detail))
        return found

    def build(self, placed: PlacedSystem) -> BrianSubstrate | SpikingSubstrate:
        """A substrate whose networks are made when it first runs.

        Raises
        ------
        CapabilityError
            Brian2 cannot take the equations of a population or of weights that change while it runs.
        """
        refused = [f for f in self.check(placed.system, placed.profile) if f.status == REFUSED]
        if refused:
            raise CapabilityError(f"backend 'brian2' refuses {refused[0].part}: {refused[0].detail}")
        return BrianSubstrate(placed) if placed.profile.spiking is None else SpikingSubstrate(placed)


class BrianSubstrate:
    """A placed System in Brian2 (see `physnn.substrate.contract.Substrate`)."""

    gradient_label = "native"
    xp = xp

    def __init__(self, placed: PlacedSystem) -> None:
        self.placed = placed
        self.memory = Memory(placed)
        self.meter = Meter(host_is_device=False)
        self.anew = False
        """whether Brian2 prepares its objects before every run: slow, for comparison"""
        self.forward = Direction(placed, placed.system, self.meter)
        self._ways_back: dict[tuple[CompanionSpec, bool], Direction] = {}
        self._noisy = any(p.noises for p in placed.system.populations.values())
        self._runs = 0

    @property
    def network(self) -> brian2.Network:
        """The Brian2 network that ran last, or that one sample would run in: add monitors to it as always.

        Its groups are `network.objects`; `groups` names them by population.
        """
        return self.forward.latest.network

    @property
    def groups(self) -> dict[str, brian2.NeuronGroup]:
        """Population -> its NeuronGroup; one neuron for each element of each sample, sample after sample."""
        return {name: each.group for name, each in self.forward.latest.cells.items()}

    def asarray(self, values: Any) -> NDArray[Any]:
        """Values as a float64 array, complex where they are."""
        return np.asarray(values, dtype=complex if np.iscomplexobj(values) else float)

    def run(
        self,
        inputs: Mapping[str, NDArray[Any]],
        duration: float,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run for `duration` [s, model time] with the placed step.

        Noise in the equations is that of the interpreter with the seed `placed.seed + k 2^32`, k = 0 in the first run
        from rest, 1 in the second, and so on.

        Raises
        ------
        ParameterError
            The step is longer than the System's integrators can take without blowing up.
        """
        self._check_step()
        self.placed.check_record(record)
        steps = self.placed.steps(duration)
        seed = self.placed.seed + (self._runs << 32)
        self.forward.anew = self.anew
        trace = self.forward.run(numbers(inputs), self.memory.held, steps, seed, state, record)
        self._runs += self._noisy and state is None
        self.meter.add(sample=_batch(inputs))
        return trace

    def steady(self, inputs: Mapping[str, NDArray[Any]], tolerance: float = 1e-9) -> Trace:
        """The stationary state for constant inputs, solved from the equations."""
        check_constant(self.placed.system, inputs)
        trace = self.forward.steady(numbers(inputs), self.memory.held, tolerance)
        self.meter.add(sample=_batch(inputs))
        return trace

    def companion(self, spec: CompanionSpec, about: Trace) -> BrianCompanion:
        """The reflected wave about an incident trace, as groups of its own, through the same weights."""
        companion = self.placed.companion(spec.transport, spec.inputs, discrete=not about.steady)
        kind = spec, about.steady
        if kind not in self._ways_back:
            self._ways_back[kind] = Direction(self.placed, companion.system, self.meter)
            paths = self.placed.feedback(companion)
            if not paths.keys() <= self.memory.held.keys():
                self.memory.held = self.memory.held | self.placed.realise(paths)
        return BrianCompanion(self, companion, self._ways_back[kind], about)

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
        """Parameters, number of noisy runs, counts."""
        return {**self.memory.snapshot(), "runs": self._runs, "counts": dict(self.meter.counts)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.memory.restore(snapshot)
        self._runs = snapshot["runs"]
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def _check_step(self) -> None:
        pace = pace_of(self.placed.system)
        if not pace.allows(self.placed.step):
            raise ParameterError(
                f"time step {self.placed.step:.3g} s is too long ({pace}); place the System with a step of at most "
                f"{max(pace.limit, 1 / pace.rate):.3g} s, or describe its populations with another integrator"
            )

    def inventory(self) -> dict[str, float]:
        """One chip."""
        return {"chip": 1.0}


class Direction:
    """A System, the incident one or a companion, in Brian2 networks by size of batch."""

    def __init__(self, placed: PlacedSystem, system: System, meter: Meter) -> None:
        self.placed, self.system, self.meter = placed, system, meter
        self.anew = False
        self.engine = Engine(system, NumpyArrays())
        self._made: dict[int, BrianNetwork] = {}
        self._macs = sum(c.operator.macs(system.populations[c.source].shape) for c in system.couplings.values())
        self._cells = sum(math.prod(p.shape) for p in system.populations.values() if p.dynamic)

    @property
    def latest(self) -> BrianNetwork:
        """The network that ran last."""
        return next(reversed(self._made.values())) if self._made else self._for(1)

    def run(
        self,
        inputs: Mapping[str, NDArray[Any]],
        held: Mapping[str, NDArray[Any]],
        steps: int,
        seed: int,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run in time."""
        batch = _batch(inputs) if inputs or state is None else _batch_of(state)
        made = self._for(batch)
        made.prepared.anew = self.anew
        running = BrianRun(self.engine, made, held, inputs, self.placed.step, seed, state, record)
        trace = running.advance(steps)
        self._count(batch, steps)
        return trace

    def steady(self, inputs: Mapping[str, NDArray[Any]], held: Mapping[str, NDArray[Any]], tolerance: float) -> Trace:
        """The stationary state."""
        reached = max(tolerance, 16 * float(np.finfo(float).eps))
        trace, sweeps = self.engine.steady(inputs, held, reached)
        self._count(_batch(inputs), 1 if self.system.steady_order is not None else sweeps)
        return trace

    def _for(self, batch: int) -> BrianNetwork:
        made = self._made.pop(batch, None) or BrianNetwork(self.system, batch, self.placed.step, self.placed.time_scale)
        self._made[batch] = made
        while len(self._made) > _KEPT:
            del self._made[next(iter(self._made))]
        return made

    def _count(self, batch: int, steps: int) -> None:
        seconds = steps * self.placed.step * self.placed.time_scale
        self.meter.add(
            synop=float(self._macs * batch * steps),
            neuron_update_active=float(self._cells * batch * steps),
            timestep_s=seconds * batch,
        )


class BrianCompanion:
    """A companion System about an incident trace (see `physnn.substrate.contract.Companionship`)."""

    def __init__(self, substrate: BrianSubstrate, companion: Companion, way: Direction, about: Trace) -> None:
        self.substrate, self.companion, self.way, self.about = substrate, companion, way, about

    def run(self, cotangents: Mapping[str, NDArray[Any]]) -> Trace:
        """Send the reflected wave back over the whole incident trace."""
        inputs = self._inputs(cotangents)
        steps = next(iter(inputs.values())).shape[1]
        self.way.anew = self.substrate.anew
        return self.way.run(inputs, self.substrate.memory.held, steps, self.substrate.placed.seed)

    def steady(self, cotangents: Mapping[str, NDArray[Any]], tolerance: float = 1e-9) -> Trace:
        """The stationary reflected wave."""
        inputs = self._inputs(cotangents)
        check_constant(self.way.system, inputs)
        return self.way.steady(inputs, self.substrate.memory.held, tolerance)

    def _inputs(self, cotangents: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        check_cotangents(self.substrate.placed.system, cotangents)
        arrays = {name: self.substrate.asarray(value) for name, value in cotangents.items()}
        return companion_inputs(self.companion, self.about, arrays)


def _batch(inputs: Mapping[str, NDArray[Any]]) -> int:
    return next((len(value) for value in inputs.values()), 1)


def _batch_of(state: Mapping[str, Any]) -> int:
    return next((value.shape[0] for value in state.values() if isinstance(value, np.ndarray)), 1)
