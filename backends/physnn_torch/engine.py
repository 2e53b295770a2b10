"""Batched execution of a System on torch tensors: what its runs share, and its stationary state.

Everything is a function of the parameters given, so that torch's autograd can differentiate through it. Expressions
are compiled once for each population; the arithmetic of a step is that of `physnn.equations.Interpreter`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from physnn.equations import System, Trace
from physnn.errors import NumericsError
from physnn.substrate.contract import check_constant
from physnn_torch.compiled import Compiled, Tensor
from physnn_torch.site import Site


class Engine:
    """One System compiled for torch.

    Parameters
    ----------
    system : System
    dtype : torch.dtype
        torch.float32 or torch.float64; complex states take the complex type of that precision.
    device : torch.device
    """

    def __init__(self, system: System, dtype: torch.dtype, device: torch.device) -> None:
        self.system = system
        self.dtype, self.device = dtype, device
        self.complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        self.compiled = {name: Compiled(system, p) for name, p in system.populations.items()}

    def array(self, values: Any) -> Tensor:
        """Values as a tensor of the engine's precision and device."""
        if isinstance(values, torch.Tensor):
            kind = self.complex_dtype if values.is_complex() else self.dtype
            return values.to(device=self.device, dtype=kind)
        tensor = torch.tensor(values)
        return tensor.to(device=self.device, dtype=self.complex_dtype if tensor.is_complex() else self.dtype)

    def sites(
        self, parameters: Mapping[str, Tensor], batch: int, step: float, held: Mapping[str, Tensor]
    ) -> dict[str, Site]:
        """The populations by name, for one run with inputs that are held: input port -> (batch, *shape)."""
        entering: dict[str, dict[str, Tensor]] = {}
        for name, value in held.items():
            port = self.system.inputs[name]
            entering.setdefault(port.population, {})[port.variable] = value
        found = {}
        for name, compiled in self.compiled.items():
            site = found[name] = Site(compiled, parameters, batch, step, self.dtype, self.device)
            site.enter(entering.get(name, {}))
        return found

    def steady(
        self, inputs: Mapping[str, Tensor], parameters: Mapping[str, Tensor], tolerance: float, sweeps: int = 2000
    ) -> tuple[Trace, int]:
        """The stationary state, and the number of sweeps it took: one where the System is feed-forward.

        Loops are swept until nothing moves by more than `tolerance` times the largest amplitude.
        """
        self.system.check_steady()
        check_constant(self.system, inputs)
        sites = self.sites(parameters, next((v.shape[0] for v in inputs.values()), 1), 1.0, inputs)
        order = self.system.steady_order
        sent: dict[str, Tensor] = {}
        for name in order or ():
            self._settle(sites[name], sent)
        taken = 1 if order is not None else self._sweep(sites, sent, tolerance, sweeps)
        trace = _steady_trace(sites, sent)
        for name, value in trace.outputs.items():
            if not is_finite(value):
                raise NumericsError(f"output {name!r} is not finite in the stationary state; check inputs and damping")
        return trace, taken

    def _sweep(self, sites: Mapping[str, Site], sent: dict[str, Tensor], tolerance: float, sweeps: int) -> int:
        """Settle one population after the other, round and round; the number of rounds."""
        change, sizes = math.inf, dict[str, float]()
        for sweep in range(1, sweeps + 1):
            before = dict(sent)
            for site in sites.values():
                self._settle(site, sent)
            # What a clamped population sends is the same array in every sweep.
            moved = [name for name, value in sent.items() if value is not before.get(name)]
            sizes |= {name: _largest(sent[name]) for name in moved}
            if before:
                changes = [_largest(sent[name] - before[name]) for name in moved if name in before]
                change, scale = max(changes, default=0.0), max(sizes.values())
                if not all(map(math.isfinite, (*changes, *sizes.values()))):
                    break
                if change <= tolerance * scale:
                    return sweep
        raise NumericsError(
            f"no stationary state after {sweep} sweeps (last change {change:.2g}); run it in time instead"
        )

    def _settle(self, site: Site, sent: dict[str, Tensor]) -> None:
        compiled = site.compiled
        for arrival, couplings in compiled.into.items():
            site.receive(arrival, [(c, sent[c.name]) for c in couplings if c.name in sent])
        if compiled.stationary is not None:
            for state in compiled.guessed:
                if state not in site.here:
                    site.here[state] = site.silence(state) + self.array(site.population.values.get(state, 0.0))
            site.solve(compiled.stationary)
        sent |= site.values(compiled.signals)


def _steady_trace(sites: Mapping[str, Site], sent: Mapping[str, Tensor]) -> Trace:
    fields = {f"{name}.{n}": site.field(n).unsqueeze(1) for name, site in sites.items() for n in site.compiled.recorded}
    outputs = {n: v.unsqueeze(1) for site in sites.values() for n, v in site.values(site.compiled.outputs).items()}
    return Trace(0.0, fields, {n: v.unsqueeze(1) for n, v in sent.items()}, outputs)


def is_finite(value: Tensor) -> bool:
    """Whether all numbers are finite. A finite sum settles it, at a quarter of the cost of looking at each."""
    return math.isfinite(abs(value.detach().sum().item())) or bool(torch.isfinite(value).all())


def _largest(value: Tensor) -> float:
    """The largest modulus; not finite where one is not."""
    if value.is_complex():
        return float(value.detach().abs().max())
    low, high = torch.aminmax(value.detach())
    return max(-low.item(), high.item())
