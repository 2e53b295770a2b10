"""Rules on MNIST and Fashion-MNIST, all 784 pixels: the networks, the settings, the training of one.

Settings were chosen on the validation part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from physnn.datasets import load
from physnn.energy import price
from physnn.learning import EquilibriumPropagation, HamiltonianEcho, Settings
from physnn.media import CrossEntropy, Network, Source, SquaredError, Waveguide
from physnn.media.energy import EnergyLayer, energy_network
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network
from physnn.media.potential import Potential, harmonic
from physnn.studies.recipes import Recipe, Sizes, rings
from physnn.substrate.profile_schema import Profile
from physnn.substrate.profiles import find_profile

PRICED_AS = "cpu-x86"
PARTS = {"validation": "train", "test": "train+validation"}
"""what is judged -> what was trained on"""


@dataclass(frozen=True)
class Training:
    """One rule on one set of images."""

    dataset: str
    recipe: Recipe
    hidden: Sizes


def waveguides(width: int, hidden: Sizes, classes: int) -> Network:
    """Tanh throughout."""
    (size,) = hidden
    return Network.layered([Source("input", width), Waveguide("hidden", size), Waveguide("output", classes)])


def energy_layers(width: int, hidden: Sizes, classes: int) -> Network:
    """Sigmoids; the pixels, of which most are dark, drive more strongly."""
    (size,) = hidden
    layers = [EnergyLayer("hidden", size), EnergyLayer("output", classes)]
    return energy_network([Source("input", width), *layers], gain=(4.0, 1.0))


def oscillators(width: int, hidden: Sizes, classes: int) -> Network:
    """Duffing oscillators whose hardening is learnt, and harmonic ones that are read."""
    (size,) = hidden
    values = {"k": 1.0, "b": np.ones(size)}
    hardening = Potential("k*x**2/2 + b*x**4/4", values, trainable=("b",), least={"b": 0.05})
    layers = [Hamiltonian("hidden", size, hardening), Hamiltonian("output", classes, harmonic())]
    return hamiltonian_network([Source("input", width), *layers], gain=(2.5, 1.0))


def _rings(rule: str) -> Recipe:
    settings = Settings(3, 100, 0.001, optimiser="rms")
    return Recipe(rule, "layers of rings", rings, SquaredError(0.5, -0.1), settings, 6.0, 0.5)


ENERGY = Recipe(
    "equilibrium-propagation",
    "energy layers",
    energy_layers,
    SquaredError(1.0, 0.0),
    Settings(15, 128, 5e-3),
    made=partial(EquilibriumPropagation, tolerance=1e-3),
)
ECHO = Recipe(
    "hamiltonian-echo",
    "oscillators",
    oscillators,
    CrossEntropy(4.0),
    Settings(10, 128, 2e-3),
    3.0,
    0.25,
    made=partial(HamiltonianEcho, 0.02),
)
WAVES = Recipe("reflected-wave", "waveguides", waveguides, CrossEntropy(4.0), Settings(12, 128, 3e-3))

TRAININGS: dict[str, Training] = {
    "reflected-wave": Training("mnist", WAVES, (256,)),
    "equilibrium-propagation": Training("mnist", ENERGY, (256,)),
    "hamiltonian-echo": Training("mnist", ECHO, (256,)),
    "gated-signal-propagation": Training("mnist", _rings("gated-signal-propagation"), (300, 300)),
    "signal-propagation": Training("mnist", _rings("signal-propagation"), (300, 300)),
    "fashion-gated-signal-propagation": Training("fashion-mnist", _rings("gated-signal-propagation"), (300, 300)),
    "fashion-signal-propagation": Training("fashion-mnist", _rings("signal-propagation"), (300, 300)),
}


def single() -> Profile:
    """The ideal substrate in float32, in which processors train."""
    profile = find_profile("ideal-torch")
    if profile.precision is None:
        return profile
    return profile.model_copy(update={"precision": profile.precision.model_copy(update={"dtype": "float32"})})


def trained(name: str, seed: int, judged: str = "test") -> dict[str, Any]:
    """Train and judge: accuracies, and the energy of the training as estimated for a processor [J]."""
    training = TRAININGS[name]
    data = load(training.dataset)
    trial = training.recipe.trial(single(), data.width, training.hidden, data.classes, seed)
    part = data.part(PARTS[judged])
    trial.train(part)
    spent = dict(trial.substrate.meter.counts)
    found = {"accuracy": trial.accuracy(data.part(judged)), "train_accuracy": trial.accuracy(part)}
    return found | {"training_J": priced(spent, training.recipe.settings.batch)}


def priced(counts: Mapping[str, float], batch: int) -> list[float]:
    """Low, typical and high energy of a training as estimated for a processor [J]."""
    bill = price(find_profile(PRICED_AS), counts, {}, batch=batch)
    return [] if bill is None else [bill.total.low, bill.total.typical, bill.total.high]
