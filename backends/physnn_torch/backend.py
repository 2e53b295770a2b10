"""The torch backend: batched tensors on CPU or CUDA; the reference for all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import array_api_compat.torch as xp
import torch

from physnn.equations import System, Trace, companion_inputs
from physnn.errors import DeviceError, UnknownNameError
from physnn.substrate.contract import REFUSED, SUPPORTED, CompanionSpec, Finding
from physnn.substrate.meter import Meter
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profiles import Profile
from physnn_torch.costs import Cost, cost_of
from physnn_torch.engine import Engine, Tensor
from physnn_torch.stepping import Run

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Backend:
    """Runs any System whose weights do not change while it runs."""

    name = "torch"

    def check(self, system: System, profile: Profile) -> list[Finding]:
        """Plastic couplings are refused (the rule's updates run on the host instead); all else is supported."""
        found = [Finding(f"population {name}", SUPPORTED) for name in system.populations]
        for coupling in system.couplings.values():
            refused = coupling.plasticity is not None
            detail = "weights that change while it runs; freeze it, or run the System in the interpreter" if refused else ""
            found.append(Finding(f"coupling {coupling.name}", REFUSED if refused else SUPPORTED, detail))
        return found

    def build(self, placed: PlacedSystem) -> TorchSubstrate:
        """A substrate on the device and in the precision that the placed System asks for."""
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
        self.engine = Engine(placed.system, dtype, torch.device(placed.device))
        self.meter = Meter(host_is_device=True)
        self.cost = cost_of(placed.system, self.engine.dtype.itemsize)
        self._companions: dict[str, tuple[Engine, Cost]] = {}
        self._written: dict[str, Tensor] = {}
        self._held: dict[str, Tensor] = {}
        self._writes = 0
        self.write(placed.system.parameters)

    def asarray(self, values: Any) -> Tensor:
        """Values as a tensor of the substrate's precision and device."""
        return self.engine.array(values)

    def run(self, inputs: Mapping[str, Tensor], duration: float, state: Mapping[str, Any] | None = None) -> Trace:
        """Run for `duration` [s, model time] with the placed step."""
        steps = round(duration / self.placed.step)
        tensors = {name: self.asarray(value) for name, value in inputs.items()}
        trace = Run(self.engine, self._held, tensors, self.placed.step, self.placed.seed, state).advance(steps)
        self._count(self.cost, tensors, steps + 1)
        return trace

    def steady(self, inputs: Mapping[str, Tensor], tolerance: float = 1e-9) -> Trace:
        """The stationary state for constant inputs."""
        tensors = {name: self.asarray(value) for name, value in inputs.items()}
        trace = self.engine.steady(tensors, self._held, tolerance)
        self._count(self.cost, tensors, 1)
        return trace

    def companion(self, spec: CompanionSpec, about: Trace) -> TorchCompanion:
        """The reflected wave about an incident trace, through the same weights."""
        if spec.transport not in ("transpose", "random"):
            raise UnknownNameError("transport", spec.transport, ("transpose", "random"))
        companion = self.placed.companion(spec.transport)
        if spec.transport not in self._companions:
            engine = Engine(companion.system, self.engine.dtype, self.engine.device)
            self._companions[spec.transport] = engine, cost_of(companion.system, self.engine.dtype.itemsize)
            self._held |= {k: self.asarray(v) for k, v in self.placed.realise(self.placed.feedback(companion)).items()}
        return TorchCompanion(self, spec.transport, about)

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Program parameters; what the device then holds follows from the profile."""
        self._writes += 1
        for name, value in parameters.items():
            if name not in self.placed.system.parameters:
                raise UnknownNameError("parameter", name, self.placed.system.parameters)
            self._written[name] = self.asarray(value)
        if self.placed.profile.kind in ("processor", "ideal"):
            self._held |= {name: self._written[name] for name in parameters}
        else:
            plain = {name: self._written[name].detach().cpu().numpy() for name in parameters}
            self._held |= {k: self.asarray(v) for k, v in self.placed.realise(plain, self._writes).items()}

    def read(self) -> dict[str, Tensor]:
        """The parameters as written."""
        return dict(self._written)

    def snapshot(self) -> dict[str, Any]:
        """Parameters, number of writes and counts."""
        return {
            "written": {k: v.clone() for k, v in self._written.items()},
            "held": {k: v.clone() for k, v in self._held.items()},
            "writes": self._writes, "counts": dict(self.meter.counts),
        }  # fmt: skip

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self._written = {k: self.asarray(v).clone() for k, v in snapshot["written"].items()}
        self._held = {k: self.asarray(v).clone() for k, v in snapshot["held"].items()}
        self._writes = snapshot["writes"]
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def inventory(self) -> dict[str, float]:
        """A processor is one device, whatever runs on it."""
        return {}

    def _count(self, cost: Cost, inputs: Mapping[str, Tensor], sweeps: int) -> None:
        batch = next((v.shape[0] for v in inputs.values()), 1)
        size = sum(v.numel() for v in inputs.values()) if cost is self.cost else 0
        self.meter.add(**cost.counts(batch, sweeps), host_byte=size * self.engine.dtype.itemsize)
        if cost is self.cost:
            self.meter.add(sample=batch)


class TorchCompanion:
    """A companion System about an incident trace (see `physnn.substrate.contract.Companionship`)."""

    def __init__(self, substrate: TorchSubstrate, transport: str, about: Trace) -> None:
        self.substrate, self.about = substrate, about
        self.engine, self.cost = substrate._companions[transport]
        self.companion = substrate.placed.companion(transport)

    def run(self, cotangents: Mapping[str, Tensor]) -> Trace:
        """Send the reflected wave back over the whole incident trace."""
        inputs = companion_inputs(self.companion, self.about, cotangents)
        steps = next(iter(inputs.values())).shape[1]
        placed = self.substrate.placed
        trace = Run(self.engine, self.substrate._held, inputs, placed.step, placed.seed, None).advance(steps)
        self.substrate._count(self.cost, inputs, steps + 1)
        return trace

    def steady(self, cotangents: Mapping[str, Tensor], tolerance: float = 1e-9) -> Trace:
        """The stationary reflected wave."""
        inputs = companion_inputs(self.companion, self.about, cotangents)
        trace = self.engine.steady(inputs, self.substrate._held, tolerance)
        self.substrate._count(self.cost, inputs, 1)
        return trace

