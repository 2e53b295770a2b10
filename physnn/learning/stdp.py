"""Plasticity that depends on the timing of spikes: pairs in exponential windows, and phases about a clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from physnn.equations import Coupling, System, Trace
from physnn.errors import CapabilityError, ParameterError
from physnn.learning.about import About
from physnn.learning.hebbian import unsupervised
from physnn.learning.objective import Objective
from physnn.learning.rule import Step
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class PairSTDP:
    """Spike-timing-dependent plasticity: every pair of a spike that arrives and one of the cell behind counts.

        dw = eta sum over pairs K(t_post - t_pre),     K(d) =  A+ exp(-d/tau+)  for d > 0
                                                       K(d) = -A- exp( d/tau-)  for d < 0,   K(0) = 0

    t_pre is when the spike arrives, after the coupling's delay. All pairs of a run count, by two decaying traces; mean
    over the batch. The target is not used; as a `Rule` it hands over minus the update. Two regular trains of period T
    give, a period, A+ e^(-d/tau+)/(1 - e^(-T/tau+)) - A- e^(-(T-d)/tau-)/(1 - e^(-T/tau-)) for a lag 0 < d < T: with
    equal windows odd in the phase 2 pi d/T, where a correlation of waves would be even.

    It needs couplings that join two spiking populations, and a duration. Local: spikes and one trace at either end.
    Not local: nothing.

    Source
    ------
    S. Song, K. D. Miller, L. F. Abbott, Nature Neuroscience 3:919 (2000): windows of 20 ms, A-/A+ = 1.05; traces as in
    A. Morrison, M. Diesmann, W. Gerstner, Biological Cybernetics 98:459 (2008), section 4.1.
    """

    potentiation: float = 1.0
    """A+"""
    depression: float = 1.05
    """A-"""
    rise: float = 0.02
    """tau+ [s, model time]"""
    fall: float = 0.02
    """tau- [s, model time]"""
    name: str = "stdp"
    about: ClassVar[About] = About(
        equation="dw = eta sum over pairs: A+ exp(-d/tau+) for d = t_post - t_pre > 0, -A- exp(d/tau-) for d < 0",
        companion="none",
        needs="couplings between spiking populations, run in time; unsupervised, the target is not used",
        local="spikes and one decaying trace at either end of a weight",
        not_local="nothing",
        source="Song, Miller, Abbott, Nature Neuroscience 3:919 (2000)",
    )

    def __post_init__(self) -> None:
        for quantity, value in (("tau+", self.rise), ("tau-", self.fall)):
            if not (math.isfinite(value) and value > 0):
                raise ParameterError(f"STDP window: {quantity} = {value} s must be finite and above 0")

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Minus the update of one batch."""
        return unsupervised(substrate, inputs, targets, objective, _of_spikes(self._pairs, self.name))

    def _pairs(self, xp: Any, coupling: Coupling, pre: Array, post: Array, step: float) -> Array:
        before, after = _trace(xp, pre, step / self.rise), _trace(xp, post, step / self.fall)
        outer = coupling.operator.outer
        grown = outer(xp, _merged(xp, post), _merged(xp, before))
        shrunk = outer(xp, _merged(xp, after), _merged(xp, pre))
        return self.potentiation * grown - self.depression * shrunk


@dataclass(frozen=True)
class PhaseSTDP:
    """Plasticity by the phase difference of two spike trains about a clock: the cosine that waves would follow.

        dw = eta Re( p_post conj(p_pre) ),      p = 1/N sum over spikes exp(2 pi i t/T),      N periods T in the run
           = eta cos(phi_post - phi_pre)        for one spike a period each

    The same as pairs in a window cos(2 pi (t_post - t_pre)/T). It is even in the phase difference, as the correlation
    of two carriers is, A_i A_j cos(phi_i - phi_j)/2 (`Hebbian` on a carrier measures that), and unlike pairs in
    antisymmetric windows (`PairSTDP`). Mean over the batch; the target is not used; as a `Rule` it hands over minus
    the update.

    It needs couplings that join two spiking populations, and a duration. Local: a phase at either end. Not local: the
    clock, a period known everywhere.

    Source
    ------
    "Neural networks are wave propagation systems" (2026), prediction 2.
    """

    period: float = 0.025
    """T [s, model time]"""
    name: str = "phase-stdp"
    about: ClassVar[About] = About(
        equation="dw = eta cos(phi_post - phi_pre), phases of spikes about a clock",
        companion="none",
        needs="couplings between spiking populations, run in time; unsupervised, the target is not used",
        local="the phase of spikes at either end of a weight",
        not_local="the clock: one period known everywhere",
        source='"Neural networks are wave propagation systems" (2026), prediction 2',
    )

    def __post_init__(self) -> None:
        if not (math.isfinite(self.period) and self.period > 0):
            raise ParameterError(f"phase STDP: a period of {self.period} s must be finite and above 0")

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Minus the update of one batch."""
        return unsupervised(substrate, inputs, targets, objective, _of_spikes(self._phases, self.name))

    def _phases(self, xp: Any, coupling: Coupling, pre: Array, post: Array, step: float) -> Array:
        angle = 2 * math.pi * step / self.period * np.arange(pre.shape[1])
        periods = step * pre.shape[1] / self.period
        total: Array = 0.0
        for wave in (np.cos(angle), np.sin(angle)):
            clock = xp.asarray(wave, dtype=pre.dtype, device=pre.device)
            ends = [xp.sum(s * xp.reshape(clock, (1, -1) + (1,) * (s.ndim - 2)), axis=1) for s in (post, pre)]
            total = total + coupling.operator.outer(xp, *ends)
        return total / periods**2


def _of_spikes(window: Callable[..., Array], name: str) -> Callable[[Substrate, Trace], dict[str, Array]]:
    """What `unsupervised` asks for: the updates of all couplings between spiking cells, summed over the batch."""

    def products(substrate: Substrate, incident: Trace) -> dict[str, Array]:
        xp, system = substrate.xp, substrate.placed.system
        couplings = _between_spikes(system, name)
        if incident.steady:
            raise CapabilityError(
                f"{name}: a stationary state has no spikes to be timed; give the objective a duration"
            )
        found: dict[str, Array] = {}
        for coupling in couplings:
            pre = _delayed(xp, spikes(system, incident, coupling.source), round(coupling.delay / incident.step))
            value = window(xp, coupling, pre, spikes(system, incident, coupling.target), incident.step)
            found[coupling.key] = found[coupling.key] + value if coupling.key in found else value
        return found

    return products


def _between_spikes(system: System, name: str) -> list[Coupling]:
    spiking = {p.name for p in system.populations.values() if p.events}
    found = [c for c in system.couplings.values() if c.trainable and {c.source, c.target} <= spiking]
    if not found:
        raise CapabilityError(
            f"{name}: no trainable coupling joins two spiking populations, so there are no pairs of spikes; use "
            "spiking cells at both ends, or Hebbian learning for continuous waves"
        )
    return found


def spikes(system: System, incident: Trace, population: str) -> Array:
    """Number of spikes of every cell in every step, (batch, times, *shape)."""
    event = system.populations[population].events[0]
    return incident.fields[f"{population}.{event.name}"] * incident.step


def _delayed(xp: Any, pulses: Array, steps: int) -> Array:
    if not steps:
        return pulses
    late = pulses[:, : max(pulses.shape[1] - steps, 0), ...]
    return xp.concat([xp.zeros_like(pulses[:, : pulses.shape[1] - late.shape[1], ...]), late], axis=1)


def _trace(xp: Any, pulses: Array, rate: float) -> Array:
    """What earlier spikes left, each decaying by exp(-rate) a step; a spike of the same step is not in it."""
    left, found, keep = xp.zeros_like(pulses[:, 0, ...]), [], math.exp(-rate)
    for n in range(pulses.shape[1]):
        found.append(left)
        left = (left + pulses[:, n, ...]) * keep
    return xp.stack(found, axis=1)


def _merged(xp: Any, pulses: Array) -> Array:
    return xp.reshape(pulses, (pulses.shape[0] * pulses.shape[1], *pulses.shape[2:]))
