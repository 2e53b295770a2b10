"""Known answers of the Hamiltonian echo: its gradient against the exact one of the same steps, orders, damping."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from physnn import streams
from physnn.learning import Objective, ReflectedWave
from physnn.learning.echo import HamiltonianEcho
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network
from physnn.media.losses import CrossEntropy
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.potential import Potential
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

STEP, STEPS, BATCH = 0.1, 60, 8
INPUTS, HIDDEN, CLASSES = 12, 20, 5
EPSILONS = (1e-2, 1e-3, 1e-4)
BAR = 1e-6
"""relative error at epsilon = 1e-4; a cosine alone does not see wrong stage weights"""


def gradients() -> Iterator[Answer]:
    """Weights, coupling within the layer, stiffness and hardening, static and changing drive, float64."""
    for drive in ("static", "changing"):
        for symmetric, order in ((True, 2.0), (False, 1.0)):
            errors = [deviation(HamiltonianEcho(e, symmetric), drive == "changing") for e in EPSILONS]
            what = f"{drive} drive, {'symmetric' if symmetric else 'one-sided'}"
            if symmetric:
                yield at_most(f"{what}, epsilon = 1e-4: relative error of the gradient", errors[-1], BAR)
            power = math.log10(errors[0] / errors[2]) / 2
            yield close(f"{what}: power of epsilon in the relative error", power, order, absolute=0.05)


def damping() -> Iterator[Answer]:
    """Uniform damping undone by gain; and what is left of the symmetric echo where it runs through the loss twice."""
    span = STEP * STEPS
    for strength in (0.1, 1.0, 3.0):
        claim = f"damping gamma T = {strength:g}, echo with gain: relative error of the gradient"
        yield at_most(claim, deviation(HamiltonianEcho(1e-4), damping=strength / span), BAR)
    lossy = [deviation(HamiltonianEcho(1e-4), damping=g / span, gain=False) for g in (0.1, 0.01)]
    claim = "damping, echo without gain: power of gamma T in the relative error, which epsilon does not cure"
    yield close(claim, math.log10(lossy[0] / lossy[1]), 1.0, absolute=0.05)


def network(damping: float = 0.0, gain: bool = True) -> Network:
    """Oscillators driven by a source and coupled to each other, and five that are read."""
    layers = [
        Hamiltonian("hidden", HIDDEN, _trained(HIDDEN), damping),
        Hamiltonian("output", CLASSES, _trained(CLASSES), damping),
    ]
    found = hamiltonian_network([Source("in", INPUTS), *layers])
    ports = {name: port for name, port in found.inputs.items() if gain or port.variable != "g"}
    return replace(found, links=(*found.links, Link("hidden", "hidden", "K", gain=0.2)), inputs=ports)


def deviation(rule: HamiltonianEcho, changing: bool = False, damping: float = 0.0, gain: bool = True) -> float:
    """Relative error of all gradients together against the adjoint of the same steps."""
    built = network(damping, gain)
    substrate = build(built, "ideal-torch", seed=1, step=STEP)
    shape = (BATCH, STEPS, INPUTS) if changing else (BATCH, INPUTS)
    inputs = {"in": substrate.asarray(streams.normal(0, "echo", "inputs", shape))}
    loss = CrossEntropy(4.0)
    targets = substrate.asarray(loss.targets(np, np.arange(BATCH) % CLASSES, CLASSES))
    objective = Objective(built.readout, loss, CLASSES, STEP * STEPS)
    found = rule.step(substrate, inputs, targets, objective).gradient
    true = ReflectedWave().step(substrate, inputs, targets, objective).gradient
    missed = sum(float(np.sum((as_numpy(found[k]) - as_numpy(true[k])) ** 2)) for k in true)
    return math.sqrt(missed / sum(float(np.sum(as_numpy(value) ** 2)) for value in true.values()))


def _trained(size: int) -> Potential:
    values = {"k": np.full(size, 1.1), "b": np.ones(size)}
    return Potential("k*x**2/2 + b*x**4/4", values, trainable=("k", "b"))


ANSWERS = {
    "Hamiltonian echo: gradient": gradients,
    "Hamiltonian echo: damping": damping,
}
