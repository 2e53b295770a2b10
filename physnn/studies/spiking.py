"""Spiking cells on the digits' parity: e-prop and the surrogate gradient beside a readout of the untrained cells.

Two tasks: all pixels at once as constant currents, into cells that do not know each other; and row by row, into cells
coupled to each other, with a silence before the answer. Rates and gains were chosen on the validation part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.datasets import load
from physnn.learning import Objective, Settings, accuracy, find_rule, train
from physnn.learning.controls import PENALTIES, logistic_regression
from physnn.media import CrossEntropy, Link, Network, Readout, Source, Waveguide
from physnn.media.spiking import LIF
from physnn.studies.study import Line, Record, Study, Task
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build

STEP, LEAK = 2e-3, 0.02
"""time step, and time constant of the readout [s]"""
ROW, SILENCE = 3, 6
"""steps for which a row is shown, and of the pause behind the last one"""
MARGIN = 0.03
"""that a rule must have over the untrained cells"""


@dataclass(frozen=True)
class Showing:
    """How digits are shown to cells, and how each rule is trained on them."""

    what: str
    cells: int
    inputs: int
    gain: float
    recurrence: float | None
    """standard deviation of the weights among the cells times the root of their number; None for no such weights"""
    kind: str
    """what is read of the leaky readout: its mean, or its last value"""
    steps: int
    batch: int
    rates: Mapping[str, float]
    """rule -> learning rate"""

    def network(self) -> Network:
        """A source, the cells, and a leaky linear readout of their spikes."""
        links = [Link("input", "cells", gain=self.gain), Link("cells", "out")]
        if self.recurrence is not None:
            links.append(Link("cells", "cells", name="recurrent", gain=self.recurrence, delay=STEP))
        out = Waveguide("out", 2, "identity", time_constant=LEAK)
        parts = [Source("input", self.inputs), LIF("cells", self.cells, bias=True), out]
        return Network(parts, links, Readout("out", kind=self.kind))

    def shown(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        """What enters: the pixels, held, or (samples, times, columns), each row for some steps, then silence."""
        if self.recurrence is None:
            return images
        rows = np.repeat(images.reshape(-1, 8, 8), ROW, axis=1)
        return np.concatenate([rows, np.zeros_like(rows[:, :SILENCE])], axis=1)

    def features(self, substrate: Substrate, shown: NDArray[np.float64]) -> NDArray[np.float64]:
        """The untrained cells' spikes as the leaky readout would see them, one feature a cell."""
        trace = substrate.run({"input": substrate.asarray(shown)}, self.steps * STEP, record=["cells.spike"])
        spikes = np.moveaxis(as_numpy(trace.fields["cells.spike"]), 1, 0)
        seen = [np.zeros_like(spikes[0])]
        for moment in spikes[:-1]:
            seen.append((1.0 - STEP / LEAK) * seen[-1] + STEP * moment)
        return np.mean(seen, axis=0) if self.kind == "mean" else seen[-1]


SHOWINGS = {
    "at-once": Showing(
        "all pixels at once, 64-64-2",
        64,
        64,
        4.0,
        None,
        "mean",
        20,
        32,
        {"e-prop": 0.03, "random-e-prop": 0.03, "reflected-wave": 0.03},
    ),
    "by-rows": Showing(
        "row by row, 8-32-2, recurrent",
        32,
        8,
        8.0,
        0.5,
        "last",
        29,
        64,
        {"e-prop": 0.03, "random-e-prop": 0.03, "reflected-wave": 0.01},
    ),
}
NAMES = {
    "e-prop": "e-prop",
    "random-e-prop": "e-prop, fixed random feedback",
    "reflected-wave": "surrogate gradient (reflected wave)",
}


def trained(showing: str, rule: str, seed: int) -> dict[str, Any]:
    """Test accuracy of the cells, trained for ten epochs."""
    task, data = SHOWINGS[showing], load("digits-parity")
    network = task.network()
    substrate = build(network, "ideal-torch", seed=seed, step=STEP)
    objective = Objective(network.readout, CrossEntropy(4.0), 2, task.steps * STEP)
    known, test = data.part("train+validation"), data.part("test")
    settings = Settings(10, task.batch, task.rates[rule])
    train(substrate, find_rule(rule), objective, task.shown(known.inputs), known.labels, settings, seed=seed)
    return {"accuracy": accuracy(substrate, objective, task.shown(test.inputs), test.labels)}


def untrained(showing: str, seed: int) -> dict[str, Any]:
    """Test accuracy of the best linear readout of the cells as they were built."""
    task, data = SHOWINGS[showing], load("digits-parity")
    substrate = build(task.network(), "ideal-torch", seed=seed, step=STEP)
    features = task.features(substrate, task.shown(data.inputs))
    with_bias = np.hstack([features, np.ones((len(features), 1))])

    def share(penalty: float, fit: str, judge: str) -> float:
        rows, judged = data.indices(fit), data.indices(judge)
        weights = logistic_regression(features[rows], data.labels[rows], 2, penalty)
        return float(np.mean(np.argmax(with_bias[judged] @ weights, axis=1) == data.labels[judged]))

    best = max(PENALTIES, key=lambda penalty: share(penalty, "train", "validation"))
    return {"accuracy": share(best, "train+validation", "test")}


def tasks(seeds: Sequence[int]) -> list[Task]:
    """Every showing, rule and seed, and the control."""
    found = []
    for showing, task in SHOWINGS.items():
        for seed in seeds:
            found.append(Task(f"{showing}-untrained-{seed}", untrained, {"showing": showing, "seed": seed}))
            for rule in task.rates:
                given = {"showing": showing, "rule": rule, "seed": seed}
                found.append(Task(f"{showing}-{rule}-{seed}", trained, given))
    return found


def lines(records: Mapping[str, Record]) -> Iterator[Line]:
    """Each rule beside the untrained cells, 3 points above which it must be."""
    for showing, task in SHOWINGS.items():
        control = _accuracies(records, f"{showing}-untrained")
        yield Line(f"{task.what}: readout of the untrained cells", control)
        least = fmean(control) + MARGIN if control else 1.0
        for rule in task.rates:
            yield Line(f"{task.what}: {NAMES[rule]}", _accuracies(records, f"{showing}-{rule}"), least)


def _accuracies(records: Mapping[str, Record], name: str) -> list[float]:
    return [record["accuracy"] for key, record in records.items() if key.rpartition("-")[0] == name]


STUDY = Study("spiking", "Spiking cells, the digits' parity: test accuracy", tasks, lines, datasets=("digits-parity",))
