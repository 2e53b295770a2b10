"""Known answers of the rules that follow the gradient, and of feedback weights that come to follow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from physnn.learning import Autograd, KolenPollack, Objective, PhysicsAware, ReflectedWave, Settings, equipped, train
from physnn.learning.alignment import cosine, reference_gradient
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.media.catalogue import MEDIA
from physnn.substrate import build
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.testing.answers.answer import Answer, at_least, at_most, close

_RULES = (ReflectedWave(), PhysicsAware(), Autograd())
_PERIODS = 8.0
"""length of runs in which a carrier is demodulated [s]"""
_LAYERS = (Source("in", 12), Waveguide("a", 10), Waveguide("b", 8), Waveguide("c", 10), Waveguide("out", 8))


def same_gradient() -> Iterator[Answer]:
    """Reflected wave, physics-aware training and autograd give one gradient on an ideal substrate, in every medium."""
    network, rng = Network.layered(_LAYERS, gain=1.5, bypass=2), np.random.default_rng(0)
    x, labels = rng.normal(size=(16, 12)), rng.integers(0, 8, 16)
    for words, duration in (("at rest", None), ("in time", 3.0)):
        objective = Objective(network.readout, SquaredError(), 8, duration)
        substrate = build(network, "ideal-torch", seed=1)
        true = reference_gradient(substrate, objective, x, labels)
        targets = substrate.asarray(objective.loss.targets(np, labels, 8))
        for rule in _RULES:
            found = _gradient(rule, substrate, {"in": substrate.asarray(x)}, targets, objective)
            worst = min(cosine(found, true, [key]) for key in true)
            yield at_least(f"{rule.name}, layers {words}: least cosine of a weight's gradient", worst, 0.99999)
    worst, off = _over_media()
    yield at_least("reflected wave and autograd: least cosine over all smooth media", worst, 0.99999)
    yield at_most("reflected wave and autograd: largest relative difference over all smooth media", off, 1e-9)


def feedback_learns() -> Iterator[Answer]:
    """Kolen and Pollack: W - B^T takes the factor 1 - rate decay in every step of gradient descent."""
    network, rng = Network.layered(_LAYERS[:3], gain=1.5), np.random.default_rng(0)
    rule, substrate = KolenPollack(decay=0.4), build(network, "ideal-torch", seed=1)
    objective = Objective(network.readout, SquaredError(), 8)
    before = _gap(rule, substrate, objective)
    settings = Settings(epochs=10, batch=10, rate=0.05, schedule="constant", optimiser="sgd")
    train(substrate, rule, objective, rng.normal(size=(40, 12)), rng.integers(0, 8, 40), settings)
    wanted = (1 - 0.05 * 0.4) ** 40
    yield close(
        "kolen-pollack: |W - B^T| after 40 steps", _gap(rule, substrate, objective) / before, wanted, relative=1e-9
    )


def _gradient(rule: Any, substrate: Substrate, data: Any, targets: Any, objective: Objective) -> dict[str, Any]:
    step = equipped(rule, substrate).step(substrate, data, targets, objective)
    return {key: as_numpy(value) for key, value in step.gradient.items()}


def _over_media() -> tuple[float, float]:
    """Least cosine and largest relative difference between reflected wave and autograd, in time, medium by medium."""
    rng, worst, off = np.random.default_rng(0), 1.0, 0.0
    for name, entry in MEDIA.items():
        if not entry.smooth or entry.random:
            continue
        network = entry.build()
        substrate = build(network, "ideal-torch", seed=1, step=entry.step)
        system = substrate.placed.system
        data = {
            port: substrate.asarray(rng.uniform(0.1, 1.0, (3, *system.populations[place.population].shape)))
            for port, place in system.inputs.items()
        }
        duration = max(entry.steps * entry.step, _PERIODS if name.startswith("carrier") else 0.0)
        objective = Objective(network.readout, SquaredError(), 2, duration)
        y, _ = objective.answer(substrate.xp, substrate.run(data, duration))
        targets = y + substrate.asarray(rng.normal(size=tuple(y.shape)))
        pair = [_gradient(rule, substrate, data, targets, objective) for rule in (ReflectedWave(), Autograd())]
        u, v = (np.concatenate([np.ravel(found[key]) for key in pair[0]]) for found in pair)
        size = float(np.linalg.norm(v))
        worst = min(worst, float(np.real(np.vdot(u, v))) / (size * float(np.linalg.norm(u))))
        off = max(off, float(np.linalg.norm(u - v)) / size)
    return worst, off


def _gap(rule: KolenPollack, substrate: Substrate, objective: Objective) -> float:
    weights, paths = substrate.read(), rule.digital(substrate, objective)["paths"].parameters
    gaps = [as_numpy(weights[key.removesuffix(".feedback")]) - as_numpy(b).T for key, b in paths.items()]
    return float(np.sqrt(sum(np.sum(gap**2) for gap in gaps)))


ANSWERS = {"one gradient": same_gradient, "feedback that learns": feedback_learns}
