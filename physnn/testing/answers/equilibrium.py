"""Known answers of equilibrium propagation: its gradient against the implicit one, and the orders of its errors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.learning import Objective, ReflectedWave
from physnn.learning.equilibrium import EquilibriumPropagation
from physnn.media.energy import EnergyLayer, energy_network
from physnn.media.losses import CrossEntropy, SquaredError
from physnn.media.medium import Source
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, close

RESIDUAL = 1e-12
"""to which states are relaxed, relative to the largest signal"""
BETAS = (0.1, 0.01)
SIZES = (12, 20, 16, 5)


def gradients() -> Iterator[Answer]:
    """Two hidden layers of sigmoids and one of tanh, against the gradient through the stationary state."""
    for activation, sizes, loss in (
        ("sigmoid", SIZES, SquaredError()),
        ("sigmoid", SIZES, CrossEntropy()),
        ("tanh", (12, 20, 5), SquaredError()),
    ):
        what = f"{'-'.join(map(str, sizes))} {activation}, {type(loss).__name__}, residual {RESIDUAL:g}"
        for symmetric, order in ((True, 2.0), (False, 1.0)):
            kind = "symmetric" if symmetric else "one-sided"
            found = [deviation(activation, sizes, loss, beta, symmetric) for beta in BETAS]
            if symmetric:
                yield at_least(
                    f"{what}, {kind}, beta = {BETAS[-1]}: cosine with the true gradient", found[-1][1], 0.999
                )
            power = math.log10(found[0][0] / found[1][0])
            yield close(f"{what}, {kind}: power of beta in the relative error", power, order, absolute=0.1)


def in_time() -> Iterator[Answer]:
    """The same network left to itself: explicit Euler with half a time constant a step, nudged from the free state."""
    for symmetric in (True, False):
        at_rest = deviation("sigmoid", SIZES, SquaredError(), 0.1, symmetric)
        relaxed = deviation("sigmoid", SIZES, SquaredError(), 0.1, symmetric, duration=10.0)
        kind = "symmetric" if symmetric else "one-sided"
        claim = f"relaxed in time to {RESIDUAL:g}, {kind}, beta = 0.1: relative error as from the states of rest"
        yield close(claim, relaxed[0], at_rest[0], relative=1e-6)


def deviation(
    activation: str,
    sizes: tuple[int, ...],
    loss: SquaredError | CrossEntropy,
    beta: float,
    symmetric: bool,
    duration: float | None = None,
) -> tuple[float, float]:
    """Relative error of all gradients together, and their cosine with the true ones."""
    names = [f"layer{k}" for k in range(1, len(sizes))]
    layers = [EnergyLayer(name, size, activation) for name, size in zip(names, sizes[1:], strict=True)]
    network = energy_network([Source("in", sizes[0]), *layers], gain=1.0 if activation == "sigmoid" else 0.5)
    substrate = build(network, "ideal-torch", seed=1, step=0.5)
    inputs = {"in": substrate.asarray(streams.uniform(0, "equilibrium", "inputs", (8, sizes[0])))}
    labels = np.arange(8) % sizes[-1]
    targets = substrate.asarray(loss.targets(np, labels, sizes[-1]))
    rule = EquilibriumPropagation(beta, symmetric, RESIDUAL)
    found = rule.step(substrate, inputs, targets, Objective(network.readout, loss, sizes[-1], duration)).gradient
    # The reflected wave about a stationary state is the implicit gradient.
    true = ReflectedWave().step(substrate, inputs, targets, Objective(network.readout, loss, sizes[-1])).gradient
    keys = substrate.placed.system.trainable
    a, b = (_joined({key: as_numpy(g[key]) for key in keys}) for g in (found, true))
    cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b)), cosine


def _joined(gradient: dict[str, NDArray]) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(value) for value in gradient.values()])


ANSWERS = {
    "equilibrium propagation: gradient": gradients,
    "equilibrium propagation: in time": in_time,
}
