"""What an experiment will meet, before it runs: refusals, memory, time, energy."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from physnn.analysis import stability_limit
from physnn.datasets import Dataset
from physnn.energy import price
from physnn.errors import CapabilityError, PhysnnError
from physnn.experiments.schema import Experiment
from physnn.learning import Objective, find_rule, outputs, train
from physnn.substrate.contract import REFUSED, SUPPORTED, Finding, Substrate, Traits, traits_of
from physnn.substrate.placement import place
from physnn.substrate.profiles import Profile, find_profile
from physnn.substrate.registry import backend_of, build, find_backend

_TRIED = 3
"""batches that are trained to estimate the time of all"""


@dataclass(frozen=True)
class Preview:
    """One data set on one profile."""

    dataset: str
    profile: str
    backend: str
    status: str
    """supported, approximated or refused: the worst of its parts"""
    told: tuple[Finding, ...]
    """what is approximated or refused, and why"""
    memory: str = ""
    """arrays of one batch with its reflected wave"""
    time: str = ""
    """estimated time of one cell on this machine, from a few batches"""
    energy: str = ""
    """one inference, typical"""
    step: str = ""
    """time step, and the largest at which the network is stable about rest; empty for stationary states, and for
    backends that step in a way of their own"""


def preview(experiment: Experiment) -> Iterator[Preview]:
    """One row for each data set and profile of the experiment; nothing is written."""
    for name in experiment.datasets:
        dataset = experiment.data(name)
        for profile_name in dict.fromkeys((*experiment.run_on, *experiment.train_on)):
            yield _row(experiment, dataset, find_profile(profile_name))


def _row(experiment: Experiment, dataset: Dataset, profile: Profile) -> Preview:
    network = experiment.network.build(dataset.width, dataset.classes)
    system = network.lower(0)
    try:
        backend = backend_of(profile)
    except CapabilityError as error:
        return Preview(dataset.name, profile.name, "none", REFUSED, (Finding("backend", REFUSED, str(error)),))
    findings = find_backend(backend).check(system, profile)
    told = tuple(f for f in findings if f.status != SUPPORTED)
    worst = max((f.status for f in findings), key=("supported", "approximated", "refused").index, default=SUPPORTED)
    if worst == REFUSED:
        return Preview(dataset.name, profile.name, backend, worst, tuple(f for f in told if f.status == REFUSED))
    substrate = build(network, profile, step=experiment.step, device=experiment.device)
    numbers = sum(math.prod(p.shape) * len(p.variables) for p in place(system, profile).system.populations.values())
    weights = sum(value.size for value in system.parameters.values())
    memory = 8 * (3 * weights + 2 * numbers * experiment.training.batch)
    seconds = _seconds(experiment, dataset, substrate, experiment.objective(network, dataset.classes))
    return Preview(
        dataset.name,
        profile.name,
        backend,
        worst,
        told,
        f"{memory / 2**20:.2g} MiB",
        f"{seconds:.2g} s",
        _inference(experiment, dataset, substrate, profile),
        _step(experiment, substrate, backend),
    )


def _step(experiment: Experiment, substrate: Substrate, backend: str) -> str:
    if experiment.duration is None or traits_of(find_backend(backend), substrate.placed.system) != Traits():
        return ""
    placed = substrate.placed
    try:
        limit = stability_limit(placed.system, placed.realise(placed.system.parameters, noise=False))
    except PhysnnError as error:
        return f"{placed.step:.3g} s; limit not known: {error}"
    said = "any" if math.isinf(limit) else f"{limit:.3g} s"
    return f"{placed.step:.3g} s of {said}" + ("" if placed.step <= limit else ": UNSTABLE")


def _seconds(experiment: Experiment, dataset: Dataset, substrate: Substrate, objective: Objective) -> float:
    """Time of both trainings of a cell, from a few batches of the first rule."""
    settings = experiment.training.settings(experiment.rules[0])
    rule, count = find_rule(experiment.rules[0]), _TRIED * settings.batch
    data = dataset.part("train")
    few = data.inputs[:count], data.labels[:count]
    one = type(settings)(1, settings.batch, settings.rate, optimiser=settings.optimiser)
    train(substrate, rule, objective, *few, one)  # the first pass compiles what later ones use
    started = time.perf_counter()
    train(substrate, rule, objective, *few, one)
    each = (time.perf_counter() - started) / max(len(few[1]) / settings.batch, 1)
    samples = len(data.labels) + len(dataset.part("train+validation").labels)
    return each * settings.epochs * samples / settings.batch


def _inference(experiment: Experiment, dataset: Dataset, substrate: Substrate, profile: Profile) -> str:
    network = experiment.network.build(dataset.width, dataset.classes)
    before = dict(substrate.meter.counts)
    batch = experiment.inference_batch
    outputs(
        substrate,
        experiment.objective(network, dataset.classes),
        np.resize(dataset.inputs, (batch, dataset.width)),
        batch=batch,
    )
    bill = price(profile, substrate.meter.since(before), substrate.inventory())
    return f"{bill.per(batch).total.typical:.2g}" if bill else "not a device"
