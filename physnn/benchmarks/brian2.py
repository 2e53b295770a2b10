"""What training costs in Brian2, by how many samples go through one run.

The loop that one writes first calls `Network.run` once a sample, and Brian2 prepares its objects at every call. The
backend prepares a network once; a batch is replicated cells in it, which share a run and the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from physnn import streams
from physnn.benchmarks.figure import Figure, Settings
from physnn.benchmarks.timing import Spread, interleaved, ratios
from physnn.errors import CapabilityError
from physnn.learning import Objective, ReflectedWave, train
from physnn.learning import Settings as Training
from physnn.media import CrossEntropy, Network, Source, Waveguide
from physnn.substrate.registry import build

PROFILE = "ideal-brian2"
LEAST = 40.0
"""times as many samples a second as one run a sample, by the best size of batch"""
SIZES = (784, 100, 10)
BATCHES = (1, 10, 50, 200)
ANEW = 0
"""stands for batches of one whose every run is a `Network.run`"""
PRESENTED, STEP, TIME_CONSTANT = 0.05, 1e-3, 5e-3
"""how long a sample is shown, the step, and the time constant of the cells [s]"""
_SAMPLES = {1: 2}
"""how many samples are timed in batches of one; others take one batch"""


def figures(settings: Settings) -> Iterator[Figure]:
    """Training of 784-100-10, 50 ms a sample: incident wave, reflected wave, update."""
    group = f"training {'-'.join(map(str, SIZES))} in Brian2, {1e3 * PRESENTED:g} ms a sample"
    calls, counts = {}, {}
    for batch in (ANEW, *BATCHES):
        size = batch or 1
        counts[batch] = _SAMPLES.get(size, size)
        try:
            calls[str(batch)] = _training(size, counts[batch], anew=batch == ANEW)
        except CapabilityError as error:
            yield Figure(group, f"batch {size}", None, "/s", note=str(error))
            return
    times = interleaved(calls, settings.rounds)
    each = {batch: [time / counts[batch] for time in times[str(batch)]] for batch in counts}
    loop = "one Network.run a sample"
    yield Figure(group, loop, Spread.of(each[ANEW]).per(1.0), "/s", note="and one for its reflected wave")
    for batch in BATCHES:
        yield Figure(group, f"batch {batch}, prepared once", Spread.of(each[batch]).per(1.0), "/s")
    best = min(BATCHES, key=lambda batch: float(np.median(each[batch])))
    yield Figure(group, f"batch {best} / {loop}", ratios(each[ANEW], each[best]), "1", least=LEAST)


def _training(batch: int, samples: int, *, anew: bool) -> Callable[[], object]:
    """Training on so many samples, in batches of a size; `anew` with the objects prepared before every run."""
    source, *layers = SIZES
    cells = [Waveguide(f"layer {n}", size, time_constant=TIME_CONSTANT) for n, size in enumerate(layers)]
    network = Network.layered([Source("in", source), *cells])
    substrate: Any = build(network, PROFILE, step=STEP)
    substrate.anew = anew
    objective = Objective(network.readout, CrossEntropy(), layers[-1], duration=PRESENTED)
    inputs = streams.uniform(0, "inputs", "bench", (samples, source))
    labels = np.arange(samples) % layers[-1]
    settings = Training(epochs=1, batch=batch, rate=0.01, optimiser="sgd")
    return lambda: train(substrate, ReflectedWave(), objective, inputs, labels, settings)
