"""The experiment file: network, data, rules, where to train and run; validated as a whole before anything runs.

name = "my comparison"
datasets = ["digits", "digits-parity"]        # or files: "mine.npz" with arrays `inputs` and `labels`
rules = ["reflected-wave", "feedback-alignment"]
run_on = ["ideal-torch", "photonic-mzi", "my-chip.toml"]
train_on = ["ideal-torch"]                    # left out: each substrate is trained in place
seeds = [0, 1, 2]

[network]
hidden = [32, 32]
activation = "tanh"

[training]
epochs = 20
[training.rate]                               # one number, or one for each rule
reflected-wave = 0.01
feedback-alignment = 0.005
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from physnn import __version__
from physnn.datasets import Dataset, dataset_names, load, load_file
from physnn.errors import ExperimentError, ParameterError, PhysnnError, UnknownNameError
from physnn.learning import OPTIMISERS, RULES, Objective, Settings
from physnn.media import ACTIVATIONS, LOSSES, Network, Source, Waveguide
from physnn.substrate.profiles import find_profile
from physnn.toml_reading import one_line, read_model

BUILT_IN = Path(__file__).with_name("digits.toml")
MOST_WEIGHTS = 50_000_000
"""in one coupling: 400 MB, of which a training holds several copies"""
MOST_NAMES = 100
MOST_CELLS = 100_000
_LONGEST_STEM = 20
"""of a file's name in the name of a record, which may have 255 bytes"""
Count = Annotated[int, Field(strict=True, ge=1, le=2**31)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A table of an experiment file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkTable(Part):
    """`[network]`: layered waveguides from the data's inputs to its classes."""

    hidden: Annotated[tuple[Count, ...], Field(max_length=MOST_NAMES)] = (32, 32)
    """sizes of the hidden layers"""
    activation: str = "tanh"
    output_activation: str = "tanh"
    damping: float = 1.0
    time_constant: float = 1.0
    """[s, model time]"""
    impedance: float = 50.0
    """[ohm]"""
    bias: bool = True
    gain: float | tuple[float, ...] = 1.0
    """initial weights have standard deviation gain / sqrt(fan-in); one number, or one a link"""

    @field_validator("activation", "output_activation")
    @classmethod
    def _known(cls, name: str) -> str:
        return _one_of("activation", name, ACTIVATIONS)

    @model_validator(mode="after")
    def _builds(self) -> NetworkTable:
        try:
            self.build(1, 2)
        except PhysnnError as error:
            raise ValueError(str(error)) from None
        return self

    def build(self, width: int, classes: int) -> Network:
        """The network for data of `width` inputs and `classes` classes.

        Raises
        ------
        ParameterError, ShapeError, UnknownNameError
            A value is not allowed, or a coupling has more than `MOST_WEIGHTS` weights.
        """
        sizes = (*self.hidden, classes)
        for before, after in pairwise((width, *sizes)):
            if before * after > MOST_WEIGHTS:
                what = f"{before} x {after} weights in one coupling"
                raise ParameterError(f"{what}; at most {MOST_WEIGHTS}, use narrower layers")
        names = [*(f"hidden{n}" for n in range(1, len(self.hidden) + 1)), "output"]
        kinds = [self.activation] * len(self.hidden) + [self.output_activation]
        layers = [
            Waveguide(name, size, kind, self.damping, self.time_constant, self.impedance, self.bias)
            for name, size, kind in zip(names, sizes, kinds, strict=True)
        ]
        return Network.layered([Source("input", width), *layers], gain=self.gain)


class TrainingTable(Part):
    """`[training]`."""

    epochs: Annotated[int, Field(strict=True, ge=0, le=2**31)] = 20
    batch: Count = 32
    rate: Positive | dict[str, Positive] = 0.01
    """learning rate; one number, or one for each rule"""
    schedule: Literal["cosine", "constant"] = "cosine"
    optimiser: str = "adam"
    loss: str = "squared"

    @field_validator("optimiser")
    @classmethod
    def _known_optimiser(cls, name: str) -> str:
        return _one_of("optimiser", name, OPTIMISERS)

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, name: str) -> str:
        return _one_of("loss", name, LOSSES)

    def settings(self, rule: str) -> Settings:
        """The trainer's settings for a rule."""
        rate = self.rate[rule] if isinstance(self.rate, dict) else self.rate
        return Settings(self.epochs, self.batch, rate, self.schedule, optimiser=self.optimiser)


class Experiment(Part):
    """A whole experiment file."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = "experiment"
    description: str = ""
    datasets: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_NAMES)] = ("digits",)
    rules: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_NAMES)] = ("reflected-wave",)
    run_on: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_NAMES)]
    """profiles, by name or file"""
    train_on: Annotated[tuple[str, ...], Field(max_length=MOST_NAMES)] = ()
    """profiles; where empty, each substrate is trained in place"""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2)
    network: NetworkTable = NetworkTable()
    training: TrainingTable = TrainingTable()
    duration: Positive | None = None
    """how long a sample is shown [s, model time]; where left out, networks are read in their stationary state"""
    step: Positive | None = None
    """time step of simulators that take steps [s, model time]; a twentieth of the shortest time constant if left out"""
    inference_batch: Annotated[int, Field(strict=True, ge=1, le=2**16)] = 1
    """samples at once for the figures per inference"""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """validation accuracy for `to_target_J`"""
    device: Literal["cpu", "cuda"] = "cpu"
    """where a simulator computes; it changes neither the physics nor the bill"""

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_one_of("rule", name, RULES) for name in names)

    @field_validator("datasets")
    @classmethod
    def _known_datasets(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name if is_file(name) else _one_of("dataset", name, dataset_names()) for name in names)

    @field_validator("run_on", "train_on")
    @classmethod
    def _known_profiles(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                find_profile(name)
            except PhysnnError as error:
                raise ValueError(str(error)) from None
        return names

    @model_validator(mode="after")
    def _coherent(self) -> Experiment:
        for key in ("datasets", "rules", "run_on", "train_on", "seeds"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names something twice: {list(values)}")
        cells = len(self.datasets) * len(self.rules) * len(self.run_on) * max(1, len(self.train_on)) * len(self.seeds)
        if cells > MOST_CELLS:
            raise ValueError(f"{cells} cells; one experiment has at most {MOST_CELLS}, split it")
        if self.step is not None and self.duration is None:
            raise ValueError("a step without a duration: stationary states are solved without steps; give a duration")
        if isinstance(self.training.rate, dict):
            for rule in self.training.rate:
                _one_of("rule", rule, RULES)
            missing = [rule for rule in self.rules if rule not in self.training.rate]
            if missing:
                raise ValueError(f"training.rate has no rate for {missing[0]!r}; give one for each rule, or one number")
        return self

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides the results: the file's values, its profiles and data, and the version."""
        profiles = {name: find_profile(name).model_dump(mode="json") for name in {*self.run_on, *self.train_on}}
        files = {name: hashlib.sha256(Path(name).read_bytes()).hexdigest() for name in self.datasets if is_file(name)}
        decided = [__version__, self.model_dump(mode="json"), profiles, files]
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()[:16]

    def data(self, name: str) -> Dataset:
        """One of the experiment's data sets."""
        return load_file(name) if is_file(name) else load(name)

    def objective(self, network: Network, classes: int) -> Objective:
        """What the network is held against."""
        return Objective(network.readout, LOSSES[self.training.loss](), classes, self.duration)

    def cells(self) -> Iterator[Cell]:
        """Every cell, in the order in which they run."""
        for dataset in self.datasets:
            for seed in self.seeds:
                for rule in self.rules:
                    for run_on in self.run_on:
                        for train_on in self.train_on or (run_on,):
                            yield Cell(train_on=train_on, run_on=run_on, rule=rule, dataset=dataset, seed=seed)


class Cell(Part):
    """One training and one test."""

    train_on: str
    run_on: str
    rule: str
    dataset: str
    seed: int

    @property
    def key(self) -> str:
        """A name for its record: readable, and unique by its hash."""
        digest = hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()[:10]
        stems = [Path(name).stem[:_LONGEST_STEM] for name in (self.dataset, self.run_on)]
        words = "-".join([stems[0], self.rule, stems[1], str(self.seed)])
        return f"{words}-{digest}"


def read_experiment(path: str | os.PathLike[str]) -> Experiment:
    """The experiment in a TOML file.

    Raises
    ------
    ExperimentError
        One line with file, line and place of the first fault, and how many more there are.
    """
    experiment, faults = read_model(Path(path), Experiment)
    if experiment is None:
        raise ExperimentError(one_line(faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "")))
    return experiment


def built_in() -> Experiment:
    """The experiment on the embedded digits that `physnn compare` runs without an argument."""
    return read_experiment(BUILT_IN)


def is_file(name: str) -> bool:
    """Whether a data set is named by its file."""
    return name.endswith(".npz") or os.sep in name


def standard_error(accuracy: float, images: int) -> float:
    """Binomial standard error of an accuracy measured on so many images."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def _one_of(kind: str, name: str, known: Collection[str]) -> str:
    if name not in known:
        raise ValueError(str(UnknownNameError(kind, name, known)))
    return name
