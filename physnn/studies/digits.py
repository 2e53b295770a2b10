"""All rules on the handwritten digits and on their parity: what each reaches, and how its updates lie to the gradient.

Networks 64-32-32-10 (2 for parity) on ideal substrates, each rule by its recipe. Beside every accuracy stand two
controls: a linear readout of the pixels, and one of layered waveguides whose hidden layers stay as they were drawn. On
the digits the linear one is nearly as good as any network, so parity is what tells.

A training on the training part is judged on the validation part; one on training + validation on the test part, once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

from physnn.datasets import Part, load
from physnn.learning import Settings
from physnn.learning.controls import frozen_control, linear_control
from physnn.studies.recipes import RECIPES, find_recipe
from physnn.studies.study import Line, Record, Study, Task

PROFILE = "ideal-torch"
HIDDEN = (32, 32)
DATASETS = ("digits", "digits-parity")
TELLING = "digits-parity"
"""the data set on which something was promised"""
PROMISED = {"reflected-wave": 0.98, "equilibrium-propagation": 0.98, "physics-aware": 0.98}
"""rule -> least test accuracy"""
MARGIN = 0.03
"""that learning in hidden layers must be worth, against hidden layers as they were drawn"""
WIDEST_ANGLE = 70.0
"""between feedback alignment and the gradient, at the end [degrees]"""
PROBE = 256
"""training samples on which updates are compared"""


def controls(dataset: str, seed: int, hidden: Sequence[int]) -> dict[str, Any]:
    """Test accuracies of both controls."""
    data = load(dataset)
    network = find_recipe("reflected-wave").network(data.width, hidden, data.classes)
    return {"linear": linear_control(data), "frozen": frozen_control(data, network.lower(seed))}


def trained(rule: str, dataset: str, seed: int, hidden: Sequence[int], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What one rule reaches, and the cosine of its update with the gradient, layer by layer, before and after.

    Returns
    -------
    dict
        `validation`, `test`: accuracies; `start`, `end`: an `Alignment` before and after the training on training +
        validation.
    """
    data, recipe = load(dataset), find_recipe(rule)
    first, last = (
        replace(recipe.trial(PROFILE, data.width, hidden, data.classes, seed), settings=Settings(**settings))
        for _ in range(2)
    )
    first.train(data.part("train"))
    everything = data.part("train+validation")
    probe = Part(everything.inputs[:PROBE], everything.labels[:PROBE])
    start = asdict(last.aligned(probe))
    last.train(everything)
    return {
        "validation": first.accuracy(data.part("validation")),
        "test": last.accuracy(data.part("test")),
        "start": start,
        "end": asdict(last.aligned(probe)),
    }


def tasks(seeds: Sequence[int]) -> list[Task]:
    """The controls, then every rule, on each data set, with each seed."""
    hidden = list(HIDDEN)
    beside = [
        Task(_key(dataset, "controls", seed), controls, {"dataset": dataset, "seed": seed, "hidden": hidden})
        for dataset in DATASETS
        for seed in seeds
    ]
    return beside + [
        Task(
            _key(dataset, rule, seed),
            trained,
            {
                "rule": rule,
                "dataset": dataset,
                "seed": seed,
                "hidden": hidden,
                "settings": asdict(recipe.settings),
            },
        )
        for rule, recipe in RECIPES.items()
        for dataset in DATASETS
        for seed in seeds
    ]


def lines(records: Mapping[str, Record]) -> Iterator[Line]:
    """Accuracies beside the controls; what learning in hidden layers is worth; the angle of feedback alignment."""
    for dataset in DATASETS:
        beside = _of(records, dataset, "controls")
        for name, what in (("linear", "linear readout of the pixels"), ("frozen", "untrained waveguides")):
            yield Line(f"{dataset}, control: {what}", [record[name] for record in beside.values()])
        for rule in RECIPES:
            found = _of(records, dataset, rule)
            least = PROMISED.get(rule) if dataset == TELLING else None
            accuracies = [record["test"] for record in found.values()]
            yield Line(f"{dataset}, {rule}: test accuracy", accuracies, least, note=_beside(found, beside))
    beside = _of(records, TELLING, "controls")
    for rule, recipe in RECIPES.items():
        if recipe.supervised:
            found = _of(records, TELLING, rule)
            gained = [found[seed]["test"] - beside[seed]["frozen"] for seed in found if seed in beside]
            yield Line(f"{TELLING}, {rule}: gained over untrained waveguides", gained, MARGIN)
    for dataset in DATASETS:
        found = _of(records, dataset, "feedback-alignment")
        widest = [max(angles(record["end"]["cosines"])[:-1]) for record in found.values()]
        yield Line(
            f"{dataset}, feedback-alignment: widest angle of a hidden layer, at the end [degrees]",
            widest,
            most=WIDEST_ANGLE,
            note=_angles(found),
        )


def angles(cosines: Mapping[str, float]) -> list[float]:
    """Angles [degrees] of layers in their order."""
    return [math.degrees(math.acos(min(max(_number(value), -1.0), 1.0))) for value in cosines.values()]


def _number(value: float | None) -> float:
    """A number of a record, in which what was not finite is null."""
    return math.nan if value is None else value


def _key(dataset: str, rule: str, seed: int) -> str:
    return f"{dataset}-{rule}-{seed}"


def _of(records: Mapping[str, Record], dataset: str, rule: str) -> dict[int, Record]:
    """Seed -> record, of the trainings that ran to the end."""
    kind = {key: record for key, record in records.items() if key.rpartition("-")[0] == f"{dataset}-{rule}"}
    return {int(key.rpartition("-")[2]): record for key, record in kind.items() if record["status"] == "done"}


def _beside(found: Mapping[int, Record], controls: Mapping[int, Record]) -> str:
    """Controls, validation, loss, cosines before -> after and time, as means over seeds."""
    known = list(found.values())
    if not known:
        return ""
    told = []
    if controls:
        linear, frozen = (fmean(record[kind] for record in controls.values()) for kind in ("linear", "frozen"))
        told.append(f"linear {linear:.4f}, frozen {frozen:.4f}")
    told.append(f"validation {fmean(record['validation'] for record in known):.4f}")
    told.append(f"loss {fmean(_number(record['end']['loss']) for record in known):.2g}")
    told.append(_aligned(known))
    told.append(f"{fmean(record['cpu_s'] for record in known):.0f} s on a processor")
    return "; ".join(told)


def _aligned(known: Sequence[Record]) -> str:
    """Cosines with the gradient before -> after, layer by layer from the input on."""
    if any(record[when]["cosines"] is None for record in known for when in ("start", "end")):
        return "no cosine: " + next(r[w]["reason"] for r in known for w in ("start", "end") if r[w].get("reason"))
    ends = [
        [fmean(map(_number, values)) for values in zip(*(r[when]["cosines"].values() for r in known), strict=True)]
        for when in ("start", "end")
    ]
    return "cosines " + " -> ".join(", ".join(f"{value:.3f}" for value in end) for end in ends)


def _angles(found: Mapping[int, Record]) -> str:
    """Angles before -> after of each hidden layer, as means over seeds."""
    if not found:
        return ""
    ends = [zip(*(angles(r[when]["cosines"])[:-1] for r in found.values()), strict=True) for when in ("start", "end")]
    before, after = ([fmean(values) for values in end] for end in ends)
    return ", ".join(f"{a:.0f} -> {b:.0f}" for a, b in zip(before, after, strict=True))


STUDY = Study(
    "rules-digits",
    "All learning rules on the digits and their parity, beside two controls and the gradient",
    tasks,
    lines,
    seeds=range(5),
    datasets=DATASETS,
)
