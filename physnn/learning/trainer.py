"""The trainer: any rule, on any substrate, in mini-batches."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.errors import DataError, NumericsError, ParameterError, UnknownNameError
from physnn.learning.objective import Objective
from physnn.learning.optimisers import OPTIMISERS
from physnn.learning.progress import Epoch, Progress
from physnn.learning.rule import Rule, Step, forward
from physnn.learning.twins import equipped
from physnn.media.losses import check_labels
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any
_BYTES_A_WORD = 4.0


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
            raise ParameterError(
                f"{self.epochs} epochs in batches of {self.batch}: epochs at least 0, batch at least 1"
            )
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ParameterError(f"learning rate {self.rate} must be finite and above 0")

    def rate_at(self, progress: float) -> float:
        """The learning rate when a share `progress` (0 to 1) of the steps is done."""
        if self.schedule == "constant":
            return self.rate
        return self.rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress)))


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
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 100,
) -> list[Epoch]:
    """Train a substrate in place, and with it the digital layers of the objective and what a rule has to learn itself.

    The host keeps float shadow weights and writes them to the substrate, and to the digital layers, after every batch;
    the order of the samples follows from `seed` alone. A rule that asks for a digital twin is handed one.

    Parameters
    ----------
    substrate : Substrate
    rule : Rule
    objective : Objective
    inputs : array
        (samples, *shape of the input port), or what the objective's encoders take
    labels : array
        (samples,), or (samples, *positions) where each pixel has one; whole numbers 0..classes-1
    settings : Settings
    seed : int
    port : str, optional
        Input port; the System's only one where not given, and those of the objective's encoders where it has some.
    on_epoch : callable, optional
        Called after every epoch, for progress and early records.
    checkpoint : path, optional
        A file from which to continue where it exists, and which is written every `every` batches and at the end. On
        the same substrate, seed and data the result is the same to the bit as without an interruption.
    every : int

    Raises
    ------
    CheckpointError
        The checkpoint is damaged, or of another network, rule or training.
    NumericsError
        The loss or a gradient is not finite; the message says at which epoch.
    """
    ports, rule = ports_of(substrate, objective, port), equipped(rule, substrate)
    digital = {**objective.digital, **_learning(rule, substrate, objective)}
    path = Path(checkpoint) if checkpoint is not None else None
    identity = identity_of(rule, settings, objective, seed)
    if path is not None and path.exists():
        progress = Progress.load(path, substrate, settings.optimiser, identity, digital)
    else:
        progress = Progress.fresh(substrate, settings.optimiser, digital)
    data, known = substrate.asarray(inputs), np.asarray(labels)
    check_labels(np, known, objective.classes)
    if len(known) != len(inputs):
        raise DataError(
            f"{len(inputs)} samples with {len(known)} labels; give one label, or one row of labels, a sample"
        )
    batches = math.ceil(len(labels) / settings.batch)
    total = settings.epochs * batches
    while progress.done < total:
        number, batch = progress.done // batches + 1, progress.done % batches
        if batch == 0 or progress.done == progress.resumed:
            order = streams.permutation(seed, "trainer", "order", len(labels), step=number)
        rows = order[batch * settings.batch : (batch + 1) * settings.batch]
        targets = substrate.asarray(objective.loss.targets(np, known[rows], objective.classes))
        step = _checked(rule, substrate, dict.fromkeys(ports, data[rows]), targets, objective, number)
        _update(substrate, progress, step, settings.rate_at(progress.done / total))
        progress.losses.append(step.loss * len(rows))
        progress.done += 1
        if batch == batches - 1:
            loss, progress.losses = sum(progress.losses) / len(order), []
            progress.history.append(Epoch(number, loss, substrate.meter.since(progress.before)))
            if on_epoch:
                on_epoch(progress.history[-1])
        if path is not None and (progress.done % every == 0 or progress.done == total):
            progress.save(path, substrate, identity)
    return progress.history


def _learning(rule: Rule, substrate: Substrate, objective: Objective) -> Mapping[str, Any]:
    """Prefix -> what a rule itself has to learn on the host, such as feedback weights: `parameters` and `write`."""
    digital = getattr(rule, "digital", None)
    return {} if digital is None else digital(substrate, objective)


def _update(substrate: Substrate, progress: Progress, step: Step, rate: float) -> None:
    """One step of the optimiser on the host's float weights, written to the substrate and the digital layers."""
    new = progress.optimiser.update(progress.shadow, step.gradient, rate)
    for key, least in substrate.placed.system.least.items():
        if key in new:
            new[key] = substrate.xp.clip(new[key], min=least)
    size = sum(math.prod(value.shape) for value in new.values())
    traffic = progress.optimiser.words * _BYTES_A_WORD * size
    substrate.meter.host(elementwise=progress.optimiser.elementwise * size, kernel=len(new), memory_byte=traffic)
    progress.write(substrate, new)


def _checked(
    rule: Rule, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, epoch: int
) -> Step:
    try:
        step = rule.step(substrate, inputs, targets, objective)
    except NumericsError as error:
        raise NumericsError(f"training with {rule.name} diverged in epoch {epoch}: {error}") from None
    xp = substrate.xp
    total = sum(xp.sum(xp.abs(slope)) for slope in step.gradient.values())
    if not math.isfinite(float(total)):
        raise NumericsError(f"training with {rule.name} diverged in epoch {epoch}: a gradient is not finite")
    return step


def outputs(
    substrate: Substrate, objective: Objective, inputs: NDArray, *, port: str | None = None, batch: int = 512
) -> NDArray:
    """What the substrate, with the digital layers, answers, as a NumPy array (samples, *positions, classes)."""
    ports = ports_of(substrate, objective, port)
    answers = []
    for start in range(0, len(inputs), batch):
        data = substrate.asarray(inputs[start : start + batch])
        answers.append(as_numpy(forward(substrate, dict.fromkeys(ports, data), objective).y))
    return np.concatenate(answers)


def accuracy(
    substrate: Substrate, objective: Objective, inputs: NDArray, labels: NDArray, *, port: str | None = None
) -> float:
    """Share of samples, or of their positions, whose largest output is their label's."""
    if len(labels) == 0:
        raise DataError("accuracy of no samples was asked for")
    answers = np.argmax(outputs(substrate, objective, inputs, port=port), axis=-1)
    if answers.shape != np.shape(labels):
        raise DataError(f"labels of shape {np.shape(labels)} for answers of shape {answers.shape}; give one an answer")
    return float(np.mean(answers == labels))


def ports_of(substrate: Substrate, objective: Objective, port: str | None = None) -> tuple[str, ...]:
    """The input ports that the data reach: those of encoders, and the one that is named."""
    named = (port,) if port else ()
    return tuple(dict.fromkeys((*objective.encoders, *named))) or (only_port(substrate),)


def identity_of(rule: Rule, settings: Settings, objective: Objective, seed: int) -> dict[str, Any]:
    """What a checkpoint must know of a training to be continued by no other: rule, settings, objective, seed."""
    digital = {prefix: [repr(layer) for layer in head.layers] for prefix, head in objective.digital.items()}
    sought = {"readout": repr(objective.readout), "loss": repr(objective.loss), "duration": objective.duration}
    told = asdict(settings) | {"objective": sought, "digital": digital}
    return {"rule": rule.name, "settings": told, "training_seed": seed}


def only_port(substrate: Substrate) -> str:
    """The name of the System's only input port."""
    system = substrate.placed.system
    ports = list(system.inputs)
    if len(ports) > 1:  # those that nudge or start a medium belong to rules
        ports = [name for name, port in system.inputs.items() if not system.populations[port.population].dynamic]
    if len(ports) != 1:
        raise ParameterError(f"the System has the input ports {list(system.inputs)}; name one with `port`")
    return ports[0]
