"""One cell of a comparison: train with one rule on one substrate, run on another or the same, measure, and price."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from physnn.datasets import Dataset, Part
from physnn.energy import Bill, price
from physnn.errors import CapabilityError, PhysnnError
from physnn.experiments.schema import Cell, Experiment, standard_error
from physnn.learning import Epoch, Objective, accuracy, find_rule, outputs, train
from physnn.learning.alignment import cosines
from physnn.learning.controls import frozen_control, linear_control
from physnn.media import Network
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.profiles import Profile, find_profile
from physnn.substrate.registry import build

_ALIGNMENT_SAMPLES = 64
_DEPLOYMENT = "writing the trained weights to the substrate that runs them"


def run_cell(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    """The cell's record: done, failed or refused, with its reason; the schema is that of `results.json`.

    A cell that a backend or profile cannot run is refused; one that diverges or breaks has failed. Neither stops the
    others.
    """
    started = time.perf_counter()
    record = empty_record(cell)
    try:
        record |= _Measurement(experiment, cell).record()
        record["status"] = "done"
    except CapabilityError as error:
        record |= {"status": "refused", "reason": str(error)}
    except PhysnnError as error:
        record |= {"status": "failed", "reason": str(error)}
    except Exception as error:  # a fault of a backend must not take the other cells with it
        record |= {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
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


class _Measurement:
    """The two trainings of a cell: on the training part, to validate; anew on training + validation, to test."""

    def __init__(self, experiment: Experiment, cell: Cell) -> None:
        self.experiment, self.cell = experiment, cell
        self.dataset: Dataset = experiment.data(cell.dataset)
        self.network: Network = experiment.network.build(self.dataset.width, self.dataset.classes)
        self.objective: Objective = experiment.objective(self.network, self.dataset.classes)
        self.rule = find_rule(cell.rule)
        self.settings = experiment.training.settings(cell.rule)
        self.train_profile, self.run_profile = find_profile(cell.train_on), find_profile(cell.run_on)
        self.to_target: Bill | None = None
        self.inventories: dict[str, dict[str, float]] = {}
        """profile -> devices as built: what a rule adds for its way back is switched off when nothing is learnt"""

    def record(self) -> dict[str, Any]:
        """Everything that was measured."""
        validation = self._validation()
        trained, start, end = self._final()
        running = self._deployed(trained)
        parts = {name: self.dataset.part(name) for name in ("train", "test")}
        test = accuracy(running, self.objective, *parts["test"])
        label = getattr(self.rule, "gradient_label", trained.gradient_label)
        return {
            "accuracy": {
                "train": accuracy(running, self.objective, *parts["train"]),
                "validation": validation,
                "test": test,
                "standard_error": standard_error(test, len(parts["test"].labels)),
            },
            "gradient_cosine": {"per_layer_start": start, "per_layer_end": end, "label": label},
            **self._costs(running),
        }

    def _build(self, profile: Profile) -> Substrate:
        experiment = self.experiment
        substrate = build(self.network, profile, seed=self.cell.seed, step=experiment.step, device=experiment.device)
        self.inventories[profile.name] = substrate.inventory()
        return substrate

    def _validation(self) -> float:
        """Accuracy on the validation part after training on the training part alone."""
        substrate = self._build(self.train_profile)
        target = self.experiment.target_accuracy
        judged = self.dataset.part("validation")

        def watch(epoch: Epoch) -> None:
            if self.to_target is None and target is not None and self._looked(substrate, judged) >= target:
                self.to_target = price(
                    self.train_profile, epoch.counts, substrate.inventory(), batch=self.settings.batch
                )

        data = self.dataset.part("train")
        train(
            substrate,
            self.rule,
            self.objective,
            *data,
            self.settings,
            seed=self.cell.seed,
            on_epoch=watch if target else None,
        )
        return accuracy(self._deployed(substrate), self.objective, *judged)

    def _looked(self, substrate: Substrate, judged: Part) -> float:
        """Accuracy measured without leaving a trace: neither counts nor noise streams move on."""
        snapshot = substrate.snapshot()
        found = accuracy(substrate, self.objective, *judged)
        substrate.restore(snapshot)
        return found

    def _final(self) -> tuple[Substrate, list[float], list[float]]:
        """The substrate trained on training + validation, and the rule's alignment before and after."""
        substrate = self._build(self.train_profile)
        data = self.dataset.part("train+validation")
        probe = data.inputs[:_ALIGNMENT_SAMPLES], data.labels[:_ALIGNMENT_SAMPLES]
        start = cosines(substrate, self.rule, self.objective, *probe)
        before = dict(substrate.meter.counts)
        train(substrate, self.rule, self.objective, *data, self.settings, seed=self.cell.seed)
        self.training_counts = substrate.meter.since(before)
        self.training_inventory = substrate.inventory()
        return substrate, start, cosines(substrate, self.rule, self.objective, *probe)

    def _deployed(self, trained: Substrate) -> Substrate:
        """The substrate that runs: the trained one, or another that its weights are written to."""
        if self.cell.train_on == self.cell.run_on:
            return trained
        running = self._build(self.run_profile)
        weights = trained.read()
        running.write({key: as_numpy(weights[key]) for key in trained.placed.system.trainable})
        return running

    def _costs(self, running: Substrate) -> dict[str, Any]:
        batch = self.experiment.inference_batch
        sample = np.resize(self.dataset.part("test").inputs, (batch, self.dataset.width))
        before = dict(running.meter.counts)
        outputs(running, self.objective, sample, batch=batch)
        counted = running.meter.since(before)
        inference = price(self.run_profile, counted, self.inventories[self.run_profile.name])
        training = price(self.train_profile, self.training_counts, self.training_inventory, batch=self.settings.batch)
        bills = [bill for bill in (inference, training) if bill]
        left_out = dict.fromkeys(reason for bill in bills for reason in bill.not_counted)
        if bills and self.cell.train_on != self.cell.run_on:
            left_out[_DEPLOYMENT] = None
        each = inference.per(batch) if inference else None
        return {
            "energy": {
                "inference_J": _interval(each),
                "training_J": _interval(training),
                "breakdown": {"inference": _causes(each), "training": _causes(training)} if bills else None,
                "not_counted": list(left_out) if bills else None,
                "to_target_J": _interval(self.to_target),
                "unverified_constants": sorted({name for b in bills for name in b.unverified_constants})
                if bills
                else None,
            },
            "latency_s": asdict(inference.latency) if inference else None,
            "counts": {"inference": counted, "inference_batch": batch, "training": self.training_counts},
        }


def _interval(bill: Bill | None) -> dict[str, float] | None:
    return asdict(bill.total) if bill else None


def _causes(bill: Bill | None) -> Mapping[str, dict[str, float]] | None:
    return {cause: asdict(energy) for cause, energy in bill.breakdown.items()} if bill else None
