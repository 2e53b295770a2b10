"""Known answers of spiking cells: firing rates against their closed forms, surrogate gradients against definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn import streams
from physnn.equations import OneToOne, gradient
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.substrate.contract import CompanionSpec
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

STEP = 1e-5
"""[s]; spikes fall on steps, so that an interval of T is too long by up to STEP/T: below 0.1 % for T > 10 ms"""
CURRENTS = (1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)


def lif() -> Iterator[Answer]:
    """f(I) of leaky integrate-and-fire cells."""
    cells = LIF("cells", 1)
    found = _rates(cells, {"z": [*CURRENTS, 0.99]}, 0.1)
    for current, measured, wanted in zip(CURRENTS, found, cells.rate(CURRENTS), strict=False):
        yield close(f"LIF, I = {current}: rate [1/s]", measured, wanted, relative=1e-3)
    yield at_most("LIF, I = 0.99: rate [1/s]", found[-1], 0.0)


def adaptive_lif() -> Iterator[Answer]:
    """The rate to which cells with an adaptive threshold settle, of which a period solves its own equation."""
    cells = AdaptiveLIF("cells", 1, adaptation=0.4, adaptation_time=0.03)
    found = _rates(cells, {"z": CURRENTS}, 0.3, settled=5 * 0.03)  # after five adaptation times
    for current, measured, wanted in zip(CURRENTS, found, cells.rate(CURRENTS), strict=True):
        yield close(f"adaptive LIF, I = {current}: steady rate [1/s]", measured, wanted, relative=1e-3)


def two_compartment_lif() -> Iterator[Answer]:
    """The rate of cells whose apical compartment is driven too and remembers what was before the spike."""
    cells = TwoCompartmentLIF("cells", 1, apical_time=0.01, to_soma=0.6, to_apical=0.4)
    basal = (1.2, 1.2, 1.4, 1.6, 2.0, 2.3, 1.0, 0.5, 1.4)
    apical = (1.5, 2.0, 1.5, 2.0, 0.5, 0.0, 2.0, 3.5, 0.0)
    found = _rates(cells, {"z": basal, "z_apical": apical}, 0.135, settled=8 * 0.01)  # eight apical times
    pairs = list(zip(basal, apical, strict=True))
    for pair, measured, wanted in zip(pairs[:-1], found, cells.rate(basal, apical), strict=False):
        yield close(f"two-compartment LIF, I = {pair[0]}, {pair[1]}: rate [1/s]", measured, wanted, relative=1e-3)
    yield at_most("two-compartment LIF, I = 1.4, 0 (rests at 0.98): rate [1/s]", found[-1], 0.0)


def surrogate_gradient() -> Iterator[Answer]:
    """The reflected wave through spikes against sensitivities propagated forwards with the surrogate slope."""
    step, steps = 1e-3, 60
    cells = LIF("cells", 4)
    network = Network([Source("in", 3), cells], [Link("in", "cells", gain=4.0)], Readout("cells", "v + tau*spike"))
    substrate = build(network, "ideal-torch", step=step)
    inputs = np.abs(streams.normal(0, "surrogate gradient", "inputs", (2, 3)))
    trace = substrate.run({"in": substrate.asarray(inputs)}, steps * step)
    cotangents = streams.normal(0, "surrogate gradient", "cotangents", (2, steps + 1, 4))
    echo = substrate.companion(CompanionSpec(), trace).run({"y": substrate.asarray(cotangents)})
    placed = substrate.placed
    found = gradient(substrate.xp, placed.system, placed.companion("transpose"), trace, echo)
    weights = as_numpy(substrate.read()["in->cells"])
    wanted, spikes = _sensitivity(weights, inputs, cotangents, cells, step)
    error = np.max(np.abs(as_numpy(found["in->cells"]) - wanted)) / np.max(np.abs(wanted))
    yield at_most(f"LIF, surrogate gradient through {spikes} spikes: error", error, 1e-6)


def _rates(cells: LIF, currents: Mapping[str, ArrayLike], duration: float, settled: float = 0.0) -> NDArray:
    """Rates of one cell for a batch of constant currents, from the first spike after `settled` to the last [1/s]."""
    values = {arrival: np.asarray(drive, dtype=float)[:, None] for arrival, drive in currents.items()}
    links = [Link(f"to {a}", cells.name, into=a, operator=OneToOne((1,)), weights=np.ones(1)) for a in values]
    sources = [Source(f"to {arrival}", 1) for arrival in values]
    substrate = build(Network([*sources, cells], links, Readout(cells.name, "spike")), "ideal-torch", step=STEP)
    driven = {f"to {arrival}": substrate.asarray(value) for arrival, value in values.items()}
    pulses = as_numpy(substrate.run(driven, duration, record=["y"]).outputs["y"])[:, :, 0]
    return np.array([_rate(STEP * np.flatnonzero(row), settled) for row in pulses])


def _rate(times: NDArray, settled: float) -> float:
    late = times[times >= settled]
    return float((late.size - 1) / (late[-1] - late[0])) if late.size > 1 else 0.0


def _sensitivity(
    weights: NDArray, inputs: NDArray, cotangents: NDArray, cells: LIF, step: float
) -> tuple[NDArray, int]:
    """d/dW of sum(cotangents * (v + tau spike)) by forward differentiation of each step, and the number of spikes.

    v' = q v + (1 - q) W u  (v' = v at rest),   s = H(v' - 1),   v <- v' (1 - s),   ds := surrogate(v' - 1) dv'
    """
    tau, pause = float(cells.time_constant), round(float(cells.refractory) / step)
    keep = np.exp(-step / tau)
    current = inputs @ weights.T
    by_weight = inputs[:, None, :]  # of each cell's current, by its own row of weights
    v, spike, rest = np.zeros_like(current), np.zeros_like(current), np.zeros(current.shape, dtype=int)
    dv, dspike = np.zeros((*v.shape, inputs.shape[1])), np.zeros((*v.shape, inputs.shape[1]))
    total, count = np.zeros_like(weights), 0
    for cotangent in np.moveaxis(cotangents, 1, 0):
        total += np.einsum("bi,bij->ij", cotangent, dv + tau / step * dspike)
        resting, rest = rest > 0, np.maximum(rest - 1, 0)
        moved = np.where(resting, v, keep * v + (1 - keep) * current)
        dmoved = np.where(resting[..., None], dv, keep * dv + (1 - keep) * by_weight)
        ready = rest == 0
        spike = np.where(ready & (moved > 1), 1.0, 0.0)
        dspike = np.where(ready, 1.0 / (1.0 + (np.pi * (moved - 1.0)) ** 2), 0.0)[..., None] * dmoved
        v = moved * (1 - spike)
        dv = dmoved * (1 - spike)[..., None] - moved[..., None] * dspike
        rest = np.where(spike > 0, pause, rest)
        count += int(spike.sum())
    return total, count


ANSWERS = {
    "LIF": lif,
    "adaptive LIF": adaptive_lif,
    "two-compartment LIF": two_compartment_lif,
    "LIF: surrogate gradient": surrogate_gradient,
}
