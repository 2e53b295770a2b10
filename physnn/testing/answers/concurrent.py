"""Known answers of the concurrent mode: how slow, against the medium, learning must be to follow the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Interpreter
from physnn.learning.alignment import reference_gradient
from physnn.learning.concurrent import Concurrent, coexisting, drifting
from physnn.learning.objective import Objective
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most, close

STEP = 0.05
"""[s]; the medium's time constant tau and its damping are 1 s and 1"""
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
"""eta tau: drift of the weights for a gradient of 1, in one time constant of the medium"""
SHOWN = (5.0, 10.0, 20.0, 40.0, 80.0)
"""time for which samples are shown, over tau"""


class ThreeLayers:
    """A waveguide of three layers, its union with the reflected wave, and a few samples with targets."""

    def __init__(self) -> None:
        self.network = Network.layered([Source("in", 5), Waveguide("a", 6), Waveguide("b", 4), Waveguide("out", 3)])
        self.system = self.network.lower(0)
        self.union = coexisting(self.system)
        self.alone = build(self.network, "ideal-torch", step=STEP)
        self.both = build(self.union, "ideal-torch", step=STEP)
        self.names = [c.name for c in self.system.couplings.values() if c.trainable]
        self.inputs = streams.normal(0, "concurrent", "inputs", (8, 5))
        self.labels = np.arange(8) % 3
        self.objective = Objective(self.network.readout, SquaredError(), 3)

    @property
    def targets(self) -> NDArray:
        """Target amplitudes (8, 3)."""
        return self.objective.loss.targets(np, self.labels, 3)

    def true_gradient(self) -> NDArray:
        """Of the stationary network with the weights as they are on `alone`, by the reference."""
        found = reference_gradient(self.alone, self.objective, self.inputs, self.labels)
        return np.concatenate([np.ravel(found[name]) for name in self.names])

    @property
    def driven(self) -> dict[str, NDArray]:
        """What enters both waves' medium."""
        return {"in": self.inputs, "y.target": self.targets, "y.shown": np.ones_like(self.targets)}

    @cached_property
    def settled(self) -> dict[str, Any]:
        """Both waves after 40 time constants without drift."""
        return dict(Interpreter(drifting(self.union, 0.0)).run(self.driven, round(40.0 / STEP), STEP).state)

    def cosine_while_drifting(self, rate: float, learning: float = 10.0) -> float:
        """Cosine of dW/dt with minus the gradient at the same weights, after `learning` [s] of drift at `rate`."""
        engine = Interpreter(drifting(self.union, rate))
        state = engine.run(self.driven, round(learning / STEP), STEP, self.settled).state
        after = engine.run(self.driven, 1, STEP, state).state
        keys = [f"{name}:w" for name in self.names]
        self.alone.write({n: self.alone.asarray(state[k]) for n, k in zip(self.names, keys, strict=True)})
        moved = np.concatenate([np.ravel(after[key] - state[key]) for key in keys])
        return _cosine(moved, -self.true_gradient())

    def cosine_while_shown(self, duration: float | None) -> float:
        """Cosine of the mean product of both waves over `duration` [s] from rest with the gradient."""
        both = self.both
        objective = Objective(self.network.readout, SquaredError(), 3, duration)
        data, targets = {"in": both.asarray(self.inputs)}, both.asarray(self.targets)
        found = Concurrent().step(both, data, targets, objective).gradient
        return _cosine(np.concatenate([np.ravel(as_numpy(found[n])) for n in self.names]), self.true_gradient())


def drift() -> Iterator[Answer]:
    """Weights that drift as equations, against the ratio of their speed to the medium's."""
    medium = ThreeLayers()
    misses = {rate: 1 - medium.cosine_while_drifting(rate) for rate in RATES}
    for rate in RATES[:2]:
        yield at_least(f"drifting weights, eta tau = {rate:g}: cosine with the gradient", 1 - misses[rate], 0.999)
    # Where learning is no longer slow, the number is for the curve; the bar says that it still descends.
    for rate in RATES[2:]:
        yield at_most(f"drifting weights, eta tau = {rate:g}: 1 - cosine (curve)", misses[rate], 0.1)
    # The waves lag behind the weights by a few tau, so the angle grows as the ratio and 1 - cosine as its square.
    order = np.log(misses[RATES[1]] / misses[RATES[0]]) / np.log(RATES[1] / RATES[0])
    yield close("drifting weights: order of 1 - cosine in eta tau", order, 2.0, absolute=0.2)


def shown() -> Iterator[Answer]:
    """Samples shown from rest with no phases, the time of settling included, against how long they stand."""
    medium = ThreeLayers()
    yield at_least("both waves stationary: cosine with the gradient", medium.cosine_while_shown(None), 0.99999)
    misses = {time: 1 - medium.cosine_while_shown(time) for time in SHOWN}
    for time in SHOWN[:3]:
        yield at_most(f"shown for {time:g} tau: 1 - cosine (curve)", misses[time], 0.1)
    for time in SHOWN[3:]:
        yield at_least(f"shown for {time:g} tau: cosine with the gradient", 1 - misses[time], 0.999)
    # A fixed share of the time goes into settling: an error of tau/T in the update, its square in the cosine.
    order = np.log(misses[SHOWN[-2]] / misses[SHOWN[-1]]) / np.log(2)
    yield close("shown: order of 1 - cosine in tau/T", order, 2.0, absolute=0.2)


def _cosine(a: NDArray, b: NDArray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


ANSWERS = {"concurrent waves: drifting weights": drift, "concurrent waves: time shown": shown}
