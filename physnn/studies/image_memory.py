"""Critical modes on images of 7 x 7 pixels: a memory that is solved for after one look, and modes that are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.datasets import Dataset, load
from physnn.equations import OneToOne
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning.critical import (
    CriticalMemory,
    Features,
    Gaussian,
    averaged,
    drawn,
    in_reference_frame,
    learn_once,
    linear,
)
from physnn.media import CrossEntropy, Link, Network, Readout, Source, Waveguide
from physnn.media.normalisation import MatchingSection, calibrated
from physnn.media.oscillators.critical_layer import DETUNING, CriticalLayer
from physnn.studies.image_training import PARTS, priced, single
from physnn.substrate.registry import build

Real = NDArray[np.float64]
SIDE, STORED, LEARNT = 7, 2000, 512
"""pixels a side, modes of the memory, modes that are trained"""
CALIBRATED = 2000
"""training images on which matching sections are set"""
FRAMED = ("mnist",)
"""images that are brought into a common frame first; chosen on images held out of the training ones"""
SETTINGS = Settings(epochs=20, batch=256, rate=3e-3)


def small(data: Dataset, part: str) -> tuple[Real, NDArray[np.int64]]:
    """A part's images as patterns of 7 x 7 pixels, and their labels."""
    given = data.part(part)
    images = given.inputs.reshape(-1, 28, 28)
    return averaged(in_reference_frame(images) if data.name in FRAMED else images, SIDE), given.labels


@dataclass(frozen=True)
class OneShot:
    """Features behind which a readout is solved for."""

    dataset: str
    features: Callable[[Real, int], Features]
    """from the training patterns and a seed"""


def _memory(patterns: Real, seed: int) -> Features:
    return CriticalMemory.stored(patterns, STORED, seed=seed)


def _gaussian(patterns: Real, seed: int) -> Features:
    return Gaussian(drawn(patterns, STORED, seed))


def _linear(patterns: Real, seed: int) -> Features:
    return linear


ONE_SHOT: dict[str, OneShot] = {
    "memory": OneShot("mnist", _memory),
    "memory-gaussian": OneShot("mnist", _gaussian),
    "memory-linear": OneShot("mnist", _linear),
    "fashion-memory": OneShot("fashion-mnist", _memory),
    "fashion-memory-gaussian": OneShot("fashion-mnist", _gaussian),
    "fashion-memory-linear": OneShot("fashion-mnist", _linear),
}


def seen_once(name: str, seed: int) -> dict[str, Any]:
    """Solve the readout from all training images, and judge it on the test images."""
    shot = ONE_SHOT[name]
    data = load(shot.dataset)
    patterns, labels = small(data, "train+validation")
    learnt = learn_once(shot.features(patterns, seed), patterns, labels, data.classes)
    return {"accuracy": learnt.accuracy(*small(data, "test")), "train_accuracy": learnt.accuracy(patterns, labels)}


def modes(patterns: Real, classes: int, seed: int) -> Network:
    """Pixels excite and detune critical modes; their frequencies, standardised by matching sections, are read out."""
    layers = (
        Source("input", SIDE**2),
        CriticalLayer("modes", LEARNT),
        MatchingSection("matching", LEARNT),
        Waveguide("output", classes, activation="identity"),
    )
    links = (
        Link("input", "modes", "excitation", gain=3.0),
        Link("input", "modes", "detuning", gain=0.5, into=DETUNING),
        Link("modes", "matching", operator=OneToOne((LEARNT,)), weights=np.ones(LEARNT), trainable=False),
        Link("matching", "output"),
    )
    return calibrated(Network(layers, links, Readout("output")), {"input": patterns[:CALIBRATED]}, seed=seed)


def modes_trained(dataset: str, seed: int, judged: str = "test") -> dict[str, Any]:
    """Train critical modes by the reflected wave, and judge them."""
    data = load(dataset)
    patterns, labels = small(data, PARTS[judged])
    unseen, answers = small(data, judged)
    middle = patterns.mean(axis=0)
    spread = np.sqrt(np.mean((patterns - middle) ** 2))
    patterns, unseen = (patterns - middle) / spread, (unseen - middle) / spread
    network = modes(patterns, data.classes, seed)
    objective = Objective(network.readout, CrossEntropy(smoothing=0.05), data.classes)
    substrate = build(network, single(), seed=seed)
    train(substrate, ReflectedWave(), objective, patterns, labels, SETTINGS, seed=seed)
    joules = priced(dict(substrate.meter.counts), SETTINGS.batch)
    reached = {"accuracy": accuracy(substrate, objective, unseen, answers), "training_J": joules}
    return reached | {"train_accuracy": accuracy(substrate, objective, patterns, labels)}
