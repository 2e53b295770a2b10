"""One cell of a comparison: train with one rule on one substrate, run on another or the same, measure, and price."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from physnn.experiments.measurement import measured
from physnn.experiments.outcome import outcome
from physnn.experiments.schema import Cell, Experiment
from physnn.learning import Objective, Rule, Settings, find_rule
from physnn.learning.controls import frozen_control, linear_control
from physnn.substrate.contract import Substrate
from physnn.substrate.profiles import Profile, find_profile
from physnn.substrate.registry import build


def run_cell(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    """The cell's record: done, failed or refused, with its reason; the schema is that of `results.json`."""
    started = time.perf_counter()
    record = empty_record(cell) | outcome(lambda: _measured(experiment, cell))
    return record | {"wall_s": time.perf_counter() - started}


def empty_record(cell: Cell) -> dict[str, Any]:
    """A record with nothing measured."""
    profile = find_profile(cell.run_on)
    missing = {"train": None, "validation": None, "test": None, "standard_error": None}
    return {
        **cell.model_dump(),
        "profile": profile.name,
        "backend": profile.backends[0],
        "status": "failed",
        "reason": None,
        "accuracy": missing,
        "controls": {"linear": None, "frozen_hidden": None},
        "gradient_cosine": {"per_layer_start": None, "per_layer_end": None, "label": None},
        "energy": {
            "inference_J": None,
            "training_J": None,
            "breakdown": None,
            "not_counted": None,
            "to_target_J": None,
            "unverified_constants": None,
        },
        "latency_s": None,
        "counts": None,
        "wall_s": None,
    }


def controls(experiment: Experiment, dataset_name: str, seed: int) -> dict[str, float | None]:
    """Test accuracies of a linear readout and of the network with frozen hidden layers; None where there is none."""
    dataset = experiment.data(dataset_name)
    network = experiment.network.build(dataset.width, dataset.classes)
    frozen = frozen_control(dataset, network.lower(seed)) if experiment.network.hidden else None
    return {"linear": linear_control(dataset), "frozen_hidden": frozen}


@dataclass(frozen=True)
class _Trial:
    """One rule of the experiment on a substrate with its network."""

    substrate: Substrate
    rule: Rule
    objective: Objective
    settings: Settings
    seed: int
    port: str | None = None


def _measured(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    dataset = experiment.data(cell.dataset)
    network = experiment.network.build(dataset.width, dataset.classes)
    objective = experiment.objective(network, dataset.classes)

    def trial_on(profile: Profile) -> _Trial:
        substrate = build(network, profile, seed=cell.seed, step=experiment.step, device=experiment.device)
        settings = experiment.training.settings(cell.rule)
        return _Trial(substrate, find_rule(cell.rule), objective, settings, cell.seed)

    return measured(
        dataset,
        trial_on,
        find_profile(cell.train_on),
        find_profile(cell.run_on),
        inference_batch=experiment.inference_batch,
        target=experiment.target_accuracy,
    )
