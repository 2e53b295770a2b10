"""The trainer: any rule, on any substrate, in mini-batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.errors import DataError, NumericsError, ParameterError, UnknownNameError
from physnn.learning.optimisers import OPTIMISERS
from physnn.learning.rule import Objective, Rule, forward
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class Settings:
    """How to train."""

    epochs: int = 30
    batch: int = 32
    rate: float = 0.01
    """learning rate at the start"""
    schedule: str = "cosine"
    """"cosine": down to `final` times the rate; "constant" """
    final: float = 0.02
    optimiser: str = "adam"

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "constant"):
            raise UnknownNameError("schedule", self.schedule, ("cosine", "constant"))
        if self.optimiser not in OPTIMISERS:
            raise UnknownNameError("optimiser", self.optimiser, OPTIMISERS)
        if self.epochs < 0 or self.batch < 1:
            raise ParameterError(f"{self.epochs} epochs in batches of {self.batch}: epochs at least 0, batch at least 1")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ParameterError(f"learning rate {self.rate} must be finite and above 0")

    def rate_at(self, progress: float) -> float:
        """The learning rate when a share `progress` (0 to 1) of the steps is done."""
        if self.schedule == "constant":
            return self.rate
        return self.rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress)))


@dataclass(frozen=True)
class Epoch:
    """What happened in one pass over the data."""

    number: int
    loss: float
    counts: Mapping[str, float]
    """the meter's totals since training began"""


def train(
    substrate: Substrate,
    rule: Rule,
    objective: Objective,
    inputs: NDArray,
    labels: NDArray,
    settings: Settings,
    *,
    seed: int = 0,
    port: str | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a substrate in place.

    The host keeps float shadow weights and writes them to the substrate after every batch; the order of the samples
    follows from `seed` alone.

    Parameters
    ----------
    substrate : Substrate
    rule : Rule
    objective : Objective
    inputs : array
        (samples, *shape of the input port)
    labels : array
        (samples,), whole numbers 0..classes-1
    settings : Settings
    seed : int
    port : str, optional
        Input port; the System's only one where not given.
    on_epoch : callable, optional
        Called after every epoch, for progress and early records.

    Raises
    ------
    NumericsError
        The loss or a gradient is not finite; the message says at which epoch.
    """
    port = port or only_port(substrate)
    before = dict(substrate.meter.counts)
    optimiser = OPTIMISERS[settings.optimiser]()
    shadow = dict(substrate.read())
    size = sum(math.prod(value.shape) for key, value in shadow.items() if key in substrate.placed.system.trainable)
    data = substrate.asarray(inputs)
    targets = substrate.asarray(objective.loss.targets(np, np.asarray(labels), objective.classes))
    total = settings.epochs * math.ceil(len(labels) / settings.batch)
    history: list[Epoch] = []
    done = 0
    for number in range(1, settings.epochs + 1):
        order = streams.permutation(seed, "trainer", "order", len(labels), step=number)
        losses = []
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]
            step = _checked(rule, substrate, {port: data[rows]}, targets[rows], objective, number)
            new = optimiser.update(shadow, step.gradient, settings.rate_at(done / total))
            substrate.meter.host(elementwise=optimiser.elementwise * size, kernel=len(new), memory_byte=4.0 * 7 * size)
            shadow |= new
            substrate.write(new)
            losses.append(step.loss * len(rows))
            done += 1
        history.append(Epoch(number, math.fsum(losses) / len(order), substrate.meter.since(before)))
        if on_epoch:
            on_epoch(history[-1])
    return history


def _checked(rule: Rule, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, epoch: int) -> Any:
    try:
        step = rule.step(substrate, inputs, targets, objective)
    except NumericsError as error:
        raise NumericsError(f"training with {rule.name} diverged in epoch {epoch}: {error}") from None
    xp = substrate.xp
    total = sum(xp.sum(xp.abs(slope)) for slope in step.gradient.values())
    if not math.isfinite(float(total)):
        raise NumericsError(f"training with {rule.name} diverged in epoch {epoch}: a gradient is not finite")
    return step


def outputs(substrate: Substrate, objective: Objective, inputs: NDArray, *, port: str | None = None, batch: int = 512) -> NDArray:
    """What the substrate answers, as a NumPy array (samples, classes)."""
    port = port or only_port(substrate)
    answers = []
    for start in range(0, len(inputs), batch):
        trace = forward(substrate, {port: substrate.asarray(inputs[start : start + batch])}, objective)
        answers.append(np.asarray(objective.readout.read(substrate.xp, trace)))
    return np.concatenate(answers)


def accuracy(substrate: Substrate, objective: Objective, inputs: NDArray, labels: NDArray, *, port: str | None = None) -> float:
    """Share of samples whose largest output is their label's."""
    if len(labels) == 0:
        raise DataError("accuracy of no samples was asked for")
    return float(np.mean(np.argmax(outputs(substrate, objective, inputs, port=port), axis=1) == labels))


def only_port(substrate: Substrate) -> str:
    """The name of the System's only input port."""
    ports = [name for name, port in substrate.placed.system.inputs.items()]
    if len(ports) != 1:
        raise ParameterError(f"the System has the input ports {ports}; name one with `port`")
    return ports[0]
