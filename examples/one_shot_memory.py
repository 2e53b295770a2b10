"""Learn at one glance: critical modes store patterns as their couplings, and a readout is solved for.

    python one_shot_memory.py                   the embedded digits, odd or even, a second
    python one_shot_memory.py mnist             at 7 x 7 pixels, about a minute; PHYSNN_DATA names the data's folder
    python one_shot_memory.py fashion-mnist     likewise

Beside the memory stand its controls: the same readout of the pixels themselves, and of Gaussians about the same
patterns. The modes do as well as the Gaussians do: they are a valid nonlinearity, and no better one.
"""

import sys
import time

from physnn.datasets import load
from physnn.learning.critical import (
    CriticalMemory,
    Gaussian,
    averaged,
    drawn,
    in_reference_frame,
    learn_once,
    linear,
)

name = sys.argv[1] if len(sys.argv) > 1 else "digits-parity"
data = load(name)
known, test = data.part("train+validation"), data.part("test")


def prepared(inputs):
    """Images of 28 x 28 pixels as 7 x 7, digits in a common frame first; it would hide how wide clothes are."""
    if data.width != 784:
        return inputs
    images = inputs.reshape(-1, 28, 28)
    return averaged(in_reference_frame(images) if name == "mnist" else images, 7)


patterns, unseen = prepared(known.inputs), prepared(test.inputs)
modes = min(2000, len(patterns) // 2)
readouts = {
    "pixels": linear,
    f"{modes} Gaussians": Gaussian(drawn(patterns, modes)),
    f"{modes} critical modes": CriticalMemory.stored(patterns, modes),
}
for label, features in readouts.items():
    start = time.perf_counter()
    learnt = learn_once(features, patterns, known.labels, data.classes)
    score, taken = learnt.accuracy(unseen, test.labels), time.perf_counter() - start
    print(f"{label:>20}: held out {learnt.validation:.4f}, test {score:.4f}, in {taken:.1f} s")
