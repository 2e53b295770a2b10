"""Known answers of backward signal propagation: its angle with the gradient, what the gate repairs, a sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from physnn.datasets import load
from physnn.learning.alignment import cosine
from physnn.learning.objective import Objective
from physnn.learning.reflected_wave import ReflectedWave
from physnn.learning.rule import Rule, Step, forward
from physnn.learning.signal_propagation import SignalPropagation, StrengthPropagation, multiplied
from physnn.media import Network, Source, SquaredError
from physnn.media.ring import Ring
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most

_SAMPLES = 128


class _Trial:
    """Rings in layers, digits, and the error of `SquaredError` at a level that the rings reach."""

    def __init__(
        self,
        widths: tuple[int, ...],
        strengths: tuple[float, float, float],
        gain: float,
        duration: float,
        trainable: tuple[str, ...] = (),
    ) -> None:
        data = load("digits").part("train")
        k1, k2, k3 = strengths
        rings = [Ring(f"layer{i}", n, k1, k2, k3, trainable=trainable) for i, n in enumerate(widths)]
        network = Network.layered([Source("pixels", data.inputs.shape[1]), *rings], gain=gain, readout="mean")
        self.substrate: Substrate = build(network, "ideal-torch", seed=0, step=0.4)
        self.objective = Objective(network.readout, SquaredError(0.3), widths[-1], duration)
        self.inputs = {"pixels": self.substrate.asarray(data.inputs[:_SAMPLES])}
        targets = self.objective.loss.targets(np, data.labels[:_SAMPLES], widths[-1])
        self.targets = self.substrate.asarray(targets)

    def step(self, rule: Rule) -> Step:
        return rule.step(self.substrate, self.inputs, self.targets, self.objective)

    def loss(self) -> float:
        y = forward(self.substrate, self.inputs, self.objective).y
        return self.objective.loss(self.substrate.xp, y, self.targets)[0]

    def cosines(self, rule: Rule) -> list[float]:
        """With the gradient, one a layer."""
        found, true = (
            {key: as_numpy(slope) for key, slope in self.step(r).gradient.items()} for r in (rule, ReflectedWave())
        )
        return [cosine(found, true, [key]) for key in found]


def small_signals() -> Iterator[Answer]:
    """Three layers, equal strengths, signals small against rest: the nonlinear backward rings carry the gradient."""
    trial = _Trial((40, 40, 10), (1.0, 0.6, 0.4), 0.3, 8.0)
    for gated in (False, True):
        rule = SignalPropagation(gated)
        for layer, value in enumerate(trial.cosines(rule), 1):
            yield at_least(f"{rule.name}, gain 0.3, layer {layer}: cosine with the gradient", value, 0.99)


def large_signals() -> Iterator[Answer]:
    """Signals that reach the floor: what the slope at the operating point is worth, and how much of it the gate is."""
    trial = _Trial((40, 40, 10), (1.0, 0.9, 0.5), 1.5, 6.0)
    plain, gated = (trial.cosines(SignalPropagation(gate)) for gate in (False, True))
    for layer in (0, 1):
        claim = f"gated against plain propagation at the floor, hidden layer {layer + 1}: gain in cosine"
        yield at_least(f"{claim} ({plain[layer]:.3f} to {gated[layer]:.3f})", gated[layer] - plain[layer], 0.02)
    yield at_most("gated against plain propagation, read-out layer: what changes", abs(gated[2] - plain[2]), 1e-12)


def sign() -> Iterator[Answer]:
    """Method 1 as published, with either sign of (19), and in the adjoint form: the loss after 20 updates."""
    for form, rate, direction in (
        ("published", 0.3, "exp(-G2)"),
        ("published", -0.3, "exp(+G2), as printed"),
        ("adjoint", 0.3, "exp(-G2)"),
    ):
        trial = _Trial((40, 10), (1.0, 0.6, 0.4), 1.0, 12.0, ("k3",))
        start, rule, xp = trial.loss(), StrengthPropagation(form), trial.substrate.xp
        for _ in range(20):
            found, held = trial.step(rule).gradient, trial.substrate.read()
            trial.substrate.write({key: multiplied(xp, held[key], slope, rate) for key, slope in found.items()})
        claim = f"{form} update of k3, {direction}: loss after 20 updates, in units of the first one"
        yield (at_most if rate > 0 else at_least)(claim, trial.loss() / start, 1.0)


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "signal propagation of small signals": small_signals,
    "signal propagation at the floor": large_signals,
    "sign of strength propagation": sign,
}
