"""Known answers of the one-shot critical memory: accuracies beside their controls, and how much F itself matters.

Those of `IMAGE_ANSWERS` need MNIST and Fashion-MNIST (the environment variable PHYSNN_DATA, `physnn.datasets.idx`) and
take about a minute each on one core. Each is measured once on the test images; prototypes' number, criticality and
penalty, and which images are brought into the common frame, were chosen on images held out of the training ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from physnn.datasets import load
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
from physnn.testing.answers.answer import Answer, at_least, at_most, close

Real = NDArray[np.float64]
_MODES = 2000
_SIDE = 7


def digits() -> Iterator[Answer]:
    """The embedded digits, odd or even: what a linear readout cannot do, and the published formula in place of F."""
    data = load("digits-parity")
    known, test = data.part("train+validation"), data.part("test")
    memory = CriticalMemory.stored(known.inputs, 500)

    def published(cr: Real) -> Real:
        return np.sqrt(1.0 - cr**2)

    found = {}
    features: dict[str, Features] = {
        "linear": linear,
        "memory": memory,
        "published": CriticalMemory(memory.prototypes, memory.criticality, published),
    }
    for name, feature in features.items():
        learnt = learn_once(feature, known.inputs, known.labels, data.classes)
        found[name] = learnt.accuracy(test.inputs, test.labels)
    yield at_least("one-shot memory, odd or even digits, 500 modes: accuracy", found["memory"], 0.97)
    yield at_most("linear ridge readout of the same pixels: accuracy", found["linear"], 0.93)
    # two of 360 test images
    claim = "one-shot memory with sqrt(1 - cr^2) in place of F, both fitted: accuracy"
    yield close(claim, found["published"], found["memory"], absolute=2.0 / 360.0)


def mnist() -> Iterator[Answer]:
    """MNIST at 7 x 7, in the common frame."""
    return _images("mnist", True, 0.979, {"linear ridge": (0.909, 0.005), "Gaussian": (0.983, 0.003)})


def fashion() -> Iterator[Answer]:
    """Fashion-MNIST at 7 x 7, as it is."""
    return _images("fashion-mnist", False, 0.857, {"linear ridge": (0.750, 0.005), "Gaussian": (0.8645, 0.007)})


def _images(name: str, framed: bool, bar: float, controls: dict[str, tuple[float, float]]) -> Iterator[Answer]:
    """Accuracy of the memory and of its controls: wanted is what a prototype reached, within two standard errors."""
    data = load(name)
    start = time.process_time()
    known, test = data.part("train+validation"), data.part("test")
    x, unseen = (_seen(part.inputs, framed) for part in (known, test))
    prepared = time.process_time() - start
    memory = CriticalMemory.stored(x, _MODES)
    start = time.process_time()
    learnt = learn_once(memory, x, known.labels, data.classes)
    score = learnt.accuracy(unseen, test.labels)
    taken = prepared + time.process_time() - start
    yield at_least(f"one-shot memory, {name} 7 x 7, {_MODES} modes: accuracy", score, bar)
    yield at_most(f"one-shot memory, {name}: processor seconds, preparation and test included", taken, 60.0)
    for label, feature in (("linear ridge", linear), ("Gaussian", Gaussian(drawn(x, _MODES)))):
        score = learn_once(feature, x, known.labels, data.classes).accuracy(unseen, test.labels)
        wanted, width = controls[label]
        yield close(f"{label} readout of the same images: accuracy", score, wanted, absolute=width)


def _seen(inputs: Real, framed: bool) -> Real:
    """Images of 28 x 28 as patterns of 7 x 7."""
    images = inputs.reshape(-1, 28, 28)
    return averaged(in_reference_frame(images) if framed else images, _SIDE)


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {"one-shot memory": digits}
IMAGE_ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "one-shot memory of MNIST": mnist,
    "one-shot memory of Fashion-MNIST": fashion,
}
