"""The torch backend: batched tensors on CPU or CUDA; the reference for all others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import array_api_compat.torch as xp
import torch

from physnn.equations import Companion, System, Trace, companion_inputs
from physnn.errors import CapabilityError, DeviceError, ParameterError
from physnn.execution import Engine, Run
from physnn.substrate.contract import (
    APPROXIMATED,
    REFUSED,
    SUPPORTED,
    CompanionSpec,
    Finding,
    check_constant,
    check_cotangents,
)
from physnn.substrate.meter import Meter
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profiles import Profile
from physnn_torch.costs import Cost, cost_of
from physnn_torch.tensors import Tensor, Tensors

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Backend:
    """Runs any System whose weights do not change while it runs."""

    name = "torch"

    def check(self, system: System, profile: Profile) -> list[Finding]:
        """Plastic couplings are refused (the rule's updates run on the host instead), converters are ideal."""
        found = [Finding(f"population {name}", SUPPORTED) for name in system.populations]
        for coupling in system.couplings.values():
            if coupling.plasticity is None:
                found.append(Finding(f"coupling {coupling.name}", SUPPORTED))
            else:
                detail = "weights that change while it runs; freeze it, or run the System in the interpreter"
                found.append(Finding(f"coupling {coupling.name}", REFUSED, detail))
        noise = profile.noise
        if profile.range.signal is not None or noise.read is not None or noise.temperature is not None:
            detail = "ideal: their range, bits and noise are left out; backend 'waveguide' simulates them"
            found.append(Finding("converters and detectors", APPROXIMATED, detail))
        return found

    def build(self, placed: PlacedSystem) -> TorchSubstrate:
        """A substrate on the device and in the precision that the placed System asks for.

        Raises
        ------
        DeviceError
            A GPU is asked for and there is none.
        CapabilityError
            A coupling is plastic.
        """
        refused = [f for f in self.check(placed.system, placed.profile) if f.status == REFUSED]
        if refused:
            raise CapabilityError(f"backend 'torch' refuses {refused[0].part}: {refused[0].detail}")
        if placed.device == "cuda" and not torch.cuda.is_available():
            raise DeviceError("device 'cuda' was asked for, but no CUDA GPU is available here; use device 'cpu'")
        return TorchSubstrate(placed)


class TorchSubstrate:
    """A placed System on torch tensors (see `physnn.substrate.contract.Substrate`)."""

    gradient_label = "native"
    xp = xp

    def __init__(self, placed: PlacedSystem) -> None:
        self.placed = placed
        precision = placed.profile.precision
        dtype = _DTYPES[(precision.dtype if precision else None) or "float64"]
        self.arrays = Tensors(dtype, torch.device(placed.device))
        self.engine = Engine(placed.system, self.arrays)
        """of stationary states"""
        self.meter = Meter(host_is_device=True)
        self.cost = cost_of(placed.system, dtype.itemsize)
        self._companions: dict[tuple[CompanionSpec, bool], tuple[Engine, Cost]] = {}
        self._noisy = any(p.noises for p in placed.system.populations.values())
        self._written: dict[str, Tensor] = {}
        self.held: dict[str, Tensor] = {}
        self._ages: dict[str, float] = {}
        self._writes = self._runs = 0
        self.write(placed.system.parameters)

    def asarray(self, values: Any) -> Tensor:
        """Values as a tensor of the substrate's precision and device."""
        return self.arrays.array(values)

    @cached_property
    def stepper(self) -> Engine:
        """The engine of runs in time: with every integrator's step as a map."""
        discrete = self.placed.system.discrete
        same = discrete is self.placed.system
        return self.engine if same else Engine(discrete, self.arrays)

    def run(
        self,
        inputs: Mapping[str, Tensor],
        duration: float,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run for `duration` [s, model time] with the placed step, each population by its own integrator.

        Noise in the equations is that of the interpreter with the seed `placed.seed + k 2^32`, k = 0 in the first run
        from rest, 1 in the second, and so on.
        """
        steps = self.placed.steps(duration)
        tensors = {name: self.asarray(value).clone() for name, value in inputs.items()}  # the trace is its own
        seed = self.placed.seed + (self._runs << 32)
        self.placed.check_record(record)
        trace = Run(self.stepper, self.held, tensors, self.placed.step, seed, state, record).advance(steps)
        self._runs += self._noisy and state is None
        self._count(self.cost, tensors, steps + 1)
        return trace

    def steady(self, inputs: Mapping[str, Tensor], tolerance: float = 1e-9) -> Trace:
        """The stationary state for constant inputs."""
        tensors = {name: self.asarray(value) for name, value in inputs.items()}
        check_constant(self.placed.system, tensors)
        trace, sweeps = self.engine.steady(tensors, self.held, self.reached(tolerance))
        self._count(self.cost, tensors, sweeps)
        return trace

    def reached(self, tolerance: float) -> float:
        """A tolerance that numbers of this precision can keep."""
        return max(tolerance, 16 * torch.finfo(self.arrays.real).eps)

    def companion(self, spec: CompanionSpec, about: Trace) -> TorchCompanion:
        """The reflected wave about an incident trace, through the same weights."""
        companion = self.placed.companion(spec.transport, spec.inputs, discrete=not about.steady)
        kind = spec, about.steady
        if kind not in self._companions:
            engine = Engine(companion.system, self.arrays)
            self._companions[kind] = engine, cost_of(companion.system, self.arrays.real.itemsize)
            self.held |= {k: self.asarray(v) for k, v in self.placed.realise(self.placed.feedback(companion)).items()}
        return TorchCompanion(self, companion, *self._companions[kind], about)

    def differentiate(
        self,
        inputs: Mapping[str, Tensor],
        duration: float | None,
        judge: Callable[[Trace], Mapping[str, Tensor]],
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Torch's own derivative of a run, or of a stationary state: the reference for all learning rules.

        Parameters
        ----------
        inputs : mapping
        duration : float or None
            [s, model time]; None for the stationary state.
        judge : callable
            From the trace, without its graph, to the cotangents dL/d output at the output ports.

        Returns
        -------
        dict, dict
            dL/d parameter for all trainable parameters, by what the device holds of them; dL/d input, for all inputs.

        Raises
        ------
        CapabilityError
            A population has events.
        """
        system = self.placed.system
        for name, population in system.populations.items():
            if population.events:
                raise CapabilityError(
                    f"population {name!r} has events: the derivative of firing is 0 almost everywhere, and torch takes "
                    "it as that; a reflected wave follows the slopes that are declared for it"
                )
        entered = {name: self.asarray(value).detach().requires_grad_() for name, value in inputs.items()}
        leaves = {key: self.held[key].detach().requires_grad_() for key in system.trainable}
        held, before = self.held, dict(self.meter.counts)
        self.held = held | leaves
        try:
            trace = self.steady(entered) if duration is None else self.run(entered, duration)
        finally:
            self.held = held
        spent = self.meter.since(before)
        # Every operation is met twice more: on the way to what came before it, and to its weights.
        self.meter.add(**{kind: 2 * spent.get(kind, 0.0) for kind in ("mac", "elementwise", "kernel", "memory_byte")})
        judged = [(trace.outputs[port], wave) for port, wave in judge(_without_graph(trace)).items()]
        reached = [(output, wave) for output, wave in judged if output.requires_grad]
        by = {**leaves, **{f"{name}:entered": value for name, value in entered.items()}}
        slopes = torch.autograd.grad(
            [output for output, _ in reached],
            list(by.values()),
            [wave.to(output.dtype) for output, wave in reached],
            allow_unused=True,
            materialize_grads=True,
        )
        found = dict(zip(by, slopes, strict=True))
        return {key: found[key] for key in leaves}, {name: found[f"{name}:entered"] for name in entered}

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Program parameters; what the device then holds follows from the profile."""
        self.placed.check_write(parameters)
        new = {name: self.asarray(value).detach().clone() for name, value in parameters.items()}
        for name, value in new.items():
            if not self.arrays.is_finite(value):
                raise ParameterError(f"parameter {name!r} has a value that is not finite; it cannot be written")
        if self.placed.exact:
            held = new
        else:
            all_new = self.placed.completed(new, self._written)
            plain = {name: value.cpu().numpy() for name, value in all_new.items()}
            held = {k: self.asarray(v) for k, v in self.placed.realise(plain, self._writes + 1).items()}
        if not self.placed.weight_keys.issuperset(new):
            self.placed.stability.check({name: value.cpu().numpy() for name, value in (self.held | held).items()})
        self._writes += 1
        self._written |= new
        self.held |= held
        self._ages |= dict.fromkeys(new, 0.0)

    def wait(self, seconds: float) -> None:
        """Let time pass since programming [s]; weights drift until they are written again."""
        for name, factor in self.placed.decay(self.held, self._ages, seconds).items():
            self.held[name] = self.held[name] * self.asarray(factor)
            self._ages[name] = self._ages.get(name, 0.0) + seconds

    def read(self) -> dict[str, Tensor]:
        """The parameters as written."""
        return {name: value.clone() for name, value in self._written.items()}

    def snapshot(self) -> dict[str, Any]:
        """Parameters, numbers of writes and noisy runs, counts."""
        return {
            "written": {k: v.clone() for k, v in self._written.items()},
            "held": {k: v.clone() for k, v in self.held.items()},
            "writes": self._writes,
            "runs": self._runs,
            "counts": dict(self.meter.counts),
            "ages": dict(self._ages),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self._written = {k: self.asarray(v).clone() for k, v in snapshot["written"].items()}
        self.held |= {k: self.asarray(v).clone() for k, v in snapshot["held"].items()}
        self._writes, self._runs, self._ages = snapshot["writes"], snapshot["runs"], dict(snapshot["ages"])
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def inventory(self) -> dict[str, float]:
        """A processor is one device, whatever runs on it."""
        return {}

    def _count(self, cost: Cost, inputs: Mapping[str, Tensor], sweeps: int) -> None:
        batch = next((v.shape[0] for v in inputs.values()), 1)
        size = sum(v.numel() for v in inputs.values()) if cost is self.cost else 0
        self.meter.add(**cost.counts(batch, sweeps), host_byte=size * self.arrays.real.itemsize)
        if cost is self.cost:
            self.meter.add(sample=batch)


class TorchCompanion:
    """A companion System about an incident trace (see `physnn.substrate.contract.Companionship`)."""

    def __init__(
        self, substrate: TorchSubstrate, companion: Companion, engine: Engine, cost: Cost, about: Trace
    ) -> None:
        self.substrate, self.companion, self.about = substrate, companion, about
        self.engine, self.cost = engine, cost

    def run(self, cotangents: Mapping[str, Tensor]) -> Trace:
        """Send the reflected wave back over the whole incident trace."""
        inputs = self._inputs(cotangents)
        steps = next(iter(inputs.values())).shape[1]
        placed = self.substrate.placed
        trace = Run(self.engine, self.substrate.held, inputs, placed.step, placed.seed, None).advance(steps)
        self.substrate._count(self.cost, inputs, steps + 1)
        return trace

    def steady(self, cotangents: Mapping[str, Tensor], tolerance: float = 1e-9) -> Trace:
        """The stationary reflected wave."""
        inputs = self._inputs(cotangents)
        check_constant(self.engine.system, inputs)
        trace, sweeps = self.engine.steady(inputs, self.substrate.held, self.substrate.reached(tolerance))
        self.substrate._count(self.cost, inputs, sweeps)
        return trace

    def _inputs(self, cotangents: Mapping[str, Tensor]) -> dict[str, Tensor]:
        check_cotangents(self.substrate.placed.system, cotangents)
        arrays = {name: self.substrate.asarray(value) for name, value in cotangents.items()}
        return companion_inputs(self.companion, self.about, arrays)


def _without_graph(trace: Trace) -> Trace:
    """The trace as plain numbers."""
    fields, sent, outputs = (
        {name: value.detach() for name, value in found.items()} for found in (trace.fields, trace.sent, trace.outputs)
    )
    return replace(trace, fields=fields, sent=sent, outputs=outputs, state={})
