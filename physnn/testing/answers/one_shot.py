"""Known answers of the one-shot critical memory on the embedded digits; images are in `physnn.studies.images`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from physnn.datasets import load
from physnn.learning.critical import CriticalMemory, Features, learn_once, linear
from physnn.testing.answers.answer import Answer, at_least, at_most, close

Real = NDArray[np.float64]


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


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {"one-shot memory": digits}
