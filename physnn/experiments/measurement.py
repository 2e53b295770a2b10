"""What a comparison measures of one rule on one substrate: accuracy, alignment, energy, latency, counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from physnn.datasets import Dataset, Part
from physnn.energy import Bill, price
from physnn.experiments.schema import standard_error
from physnn.learning import Epoch, Objective, Rule, Settings, accuracy, outputs, train
from physnn.learning.alignment import Alignment, aligned
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.profiles import Profile

_ALIGNMENT_SAMPLES = 64
_DEPLOYMENT = "writing the trained weights to the substrate that runs them"


class Trial(Protocol):
    """One rule on one substrate, ready to be trained."""

    @property
    def substrate(self) -> Substrate: ...

    @property
    def rule(self) -> Rule: ...

    @property
    def objective(self) -> Objective: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def port(self) -> str | None:
        """Input port; the System's only one where None."""
        ...

    @property
    def seed(self) -> int: ...


def measured(
    dataset: Dataset,
    trial_on: Callable[[Profile], Trial],
    train_on: Profile,
    run_on: Profile,
    *,
    inference_batch: int = 1,
    target: float | None = None,
    aligned: Callable[[Any, Part], Alignment] | None = None,
) -> dict[str, Any]:
    """What a cell of `results.json` holds beside its names: accuracy, gradient_cosine, energy, latency_s, counts.

    It is trained twice: on the training part, to validate; anew on training + validation, to test.

    Parameters
    ----------
    dataset : Dataset
    trial_on : callable
        A fresh trial on a profile, the same one each time.
    train_on, run_on : Profile
        Where they differ, the trained weights are written to the second.
    inference_batch : int
        Samples at once for the figures per inference.
    target : float, optional
        Validation accuracy for `to_target_J`.
    aligned : callable, optional
        How a trial's update on some samples lies to the gradient, where it takes another way than
        `physnn.learning.alignment` on the trial's own substrate.

    Raises
    ------
    CapabilityError
        The rule cannot learn there, or the medium cannot run there.
    """
    return _Measurement(dataset, trial_on, train_on, run_on, inference_batch, target, aligned or _by_layer).record()


class _Measurement:
    def __init__(
        self,
        dataset: Dataset,
        trial_on: Callable[[Profile], Trial],
        train_on: Profile,
        run_on: Profile,
        inference_batch: int,
        target: float | None,
        aligned: Callable[[Any, Part], Alignment],
    ) -> None:
        self.dataset, self.trial_on = dataset, trial_on
        self.train_profile, self.run_profile = train_on, run_on
        self.inference_batch, self.target, self.aligned = inference_batch, target, aligned
        self.to_target: Bill | None = None
        self.inventories: dict[str, dict[str, float]] = {}
        """profile -> devices as built: what a rule adds for its way back is switched off when nothing is learnt"""

    def record(self) -> dict[str, Any]:
        """Everything that was measured."""
        validation = self._validation()
        trial, aligned = self._final()
        running = self._deployed(trial)
        test = self._accuracy(trial, running, self.dataset.part("test"))
        return {
            "accuracy": {
                "train": self._accuracy(trial, running, self.dataset.part("train")),
                "validation": validation,
                "test": test,
                "standard_error": standard_error(test, len(self.dataset.test)),
            },
            "gradient_cosine": aligned,
            **self._costs(trial, running),
        }

    def _built(self, profile: Profile) -> Trial:
        trial = self.trial_on(profile)
        self.inventories[profile.name] = trial.substrate.inventory()
        return trial

    def _validation(self) -> float:
        """Accuracy on the validation part after training on the training part alone."""
        trial, judged = self._built(self.train_profile), self.dataset.part("validation")

        def watch(epoch: Epoch) -> None:
            if self.to_target is None and self.target is not None and self._looked(trial, judged) >= self.target:
                inventory = trial.substrate.inventory()
                self.to_target = price(self.train_profile, epoch.counts, inventory, batch=trial.settings.batch)

        self._train(trial, self.dataset.part("train"), watch if self.target else None)
        return self._accuracy(trial, self._deployed(trial), judged)

    def _train(self, trial: Trial, part: Part, on_epoch: Callable[[Epoch], None] | None = None) -> None:
        train(
            trial.substrate,
            trial.rule,
            trial.objective,
            *part,
            trial.settings,
            seed=trial.seed,
            port=trial.port,
            on_epoch=on_epoch,
        )

    def _looked(self, trial: Trial, judged: Part) -> float:
        """Accuracy measured without leaving a trace: neither counts nor noise streams move on."""
        snapshot = trial.substrate.snapshot()
        found = self._accuracy(trial, trial.substrate, judged)
        trial.substrate.restore(snapshot)
        return found

    def _accuracy(self, trial: Trial, running: Substrate, part: Part) -> float:
        return accuracy(running, trial.objective, *part, port=trial.port)

    def _final(self) -> tuple[Trial, dict[str, Any]]:
        """The trial trained on training + validation, and the rule's alignment before and after."""
        trial, data = self._built(self.train_profile), self.dataset.part("train+validation")
        probe = Part(data.inputs[:_ALIGNMENT_SAMPLES], data.labels[:_ALIGNMENT_SAMPLES])
        start = self.aligned(trial, probe)
        before = dict(trial.substrate.meter.counts)
        self._train(trial, data)
        self.training_counts = trial.substrate.meter.since(before)
        self.training_inventory = trial.substrate.inventory()
        label = getattr(trial.rule, "gradient_label", trial.substrate.gradient_label)
        return trial, {**_cosines(start, self.aligned(trial, probe)), "label": label}

    def _deployed(self, trial: Trial) -> Substrate:
        """The substrate that runs: the trained one, or another that its weights are written to."""
        trained = trial.substrate
        if self.train_profile == self.run_profile:
            return trained
        running = self._built(self.run_profile).substrate
        weights = trained.read()
        running.write({key: as_numpy(weights[key]) for key in trained.placed.system.trainable})
        return running

    def _costs(self, trial: Trial, running: Substrate) -> dict[str, Any]:
        batch = self.inference_batch
        sample = np.resize(self.dataset.part("test").inputs, (batch, self.dataset.width))
        before = dict(running.meter.counts)
        outputs(running, trial.objective, sample, port=trial.port, batch=batch)
        counted = running.meter.since(before)
        inference = price(self.run_profile, counted, self.inventories[self.run_profile.name])
        training = price(self.train_profile, self.training_counts, self.training_inventory, batch=trial.settings.batch)
        bills = [bill for bill in (inference, training) if bill]
        left_out = dict.fromkeys(reason for bill in bills for reason in bill.not_counted)
        if bills and self.train_profile != self.run_profile:
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


def _by_layer(trial: Trial, probe: Part) -> Alignment:
    return aligned(trial.substrate, trial.rule, trial.objective, *probe, port=trial.port)


def _cosines(start: Alignment, end: Alignment) -> dict[str, Any]:
    """Cosines before and after a training, with the names of their layers, or why there are none."""
    if not (start.cosines and end.cosines):
        reason = start.reason or end.reason or "the rule moves nothing that the gradient could move"
        return {"per_layer_start": None, "per_layer_end": None, "reason": reason}
    values = {"per_layer_start": list(start.cosines.values()), "per_layer_end": list(end.cosines.values())}
    return {**values, "layers": list(end.cosines)}


def _interval(bill: Bill | None) -> dict[str, float] | None:
    return asdict(bill.total) if bill else None


def _causes(bill: Bill | None) -> Mapping[str, dict[str, float]] | None:
    return {cause: asdict(energy) for cause, energy in bill.breakdown.items()} if bill else None
