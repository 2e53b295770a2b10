"""The matrix: every learning rule on every substrate, each with the medium that the rule needs (`physnn matrix`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from physnn.datasets import load
from physnn.errors import ParameterError
from physnn.experiments.cell import empty_record
from physnn.experiments.measurement import measured
from physnn.experiments.schema import Cell
from physnn.experiments.store import SCHEMA
from physnn.learning import Settings
from physnn.studies.digits import controls
from physnn.studies.recipes import RECIPES, Trial, find_recipe
from physnn.studies.study import Record, Task
from physnn.substrate.profiles import Profile, find_profile, iter_profiles
from physnn.substrate.registry import backend_names

_KINDS = ("ideal", "processor", "analog", "event")
"""of profiles, in the order in which they stand side by side"""


def runnable_profiles() -> tuple[str, ...]:
    """Names of the installed profiles that an installed backend runs: ideal ones, processors, media."""
    here = set(backend_names())
    found = [profile for profile in iter_profiles() if here.intersection(profile.backends)]
    return tuple(profile.name for profile in sorted(found, key=lambda profile: _KINDS.index(profile.kind)))


@dataclass(frozen=True)
class Matrix:
    """Rules x substrates on one data set, each pair trained in place.

    Raises
    ------
    ParameterError
        No rule, profile or seed is left.
    UnknownNameError
        There is no such data set, recipe or profile.
    """

    dataset: str = "digits-parity"
    rules: Sequence[str] = tuple(RECIPES)
    profiles: Sequence[str] = ()
    """names or files; all that can run here where empty"""
    seeds: Sequence[int] = (0,)
    hidden: Sequence[int] = (32, 32)
    target_accuracy: float = 0.9
    """validation accuracy for `to_target_J`"""
    epochs: int | None = None
    """in place of those of the recipes"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "profiles", tuple(self.profiles) or runnable_profiles())
        if not (self.rules and self.profiles and self.seeds):
            raise ParameterError("a matrix needs at least one rule, one profile that can run here, and one seed")
        load(self.dataset)
        for rule in self.rules:
            find_recipe(rule)
        for profile in self.profiles:
            find_profile(profile)

    def cells(self) -> list[Cell]:
        """Every pair with every seed, rule by rule."""
        return [
            Cell(train_on=profile, run_on=profile, rule=rule, dataset=self.dataset, seed=seed)
            for rule in self.rules
            for profile in self.profiles
            for seed in self.seeds
        ]

    def settings(self, rule: str) -> Settings:
        """How a rule is trained."""
        own = find_recipe(rule).settings
        return own if self.epochs is None else replace(own, epochs=self.epochs)

    def tasks(self) -> list[Task]:
        """The controls of each seed, then every cell."""
        hidden = list(self.hidden)
        values = {name: find_profile(name).model_dump(mode="json") for name in self.profiles}
        return [
            *(
                Task(_beside(self.dataset, seed), controls, {"dataset": self.dataset, "seed": seed, "hidden": hidden})
                for seed in self.seeds
            ),
            *(
                Task(
                    cell.key,
                    measure,
                    {
                        "rule": cell.rule,
                        "profile": values[cell.run_on],
                        "dataset": cell.dataset,
                        "seed": cell.seed,
                        "hidden": hidden,
                        "settings": asdict(self.settings(cell.rule)),
                        "target": self.target_accuracy,
                    },
                )
                for cell in self.cells()
            ),
        ]

    def results(self, records: Mapping[str, Record]) -> dict[str, Any]:
        """What the records by key hold so far, in the schema of `results.json`."""
        found = []
        for cell in self.cells():
            if cell.key in records:
                empty, record = empty_record(cell), records[cell.key]
                beside = records.get(_beside(cell.dataset, cell.seed), {})
                known = {key: record[key] for key in empty if key in record}
                values = {"linear": beside.get("linear"), "frozen_hidden": beside.get("frozen")}
                found.append({**empty, **known, "controls": values})
        return {"schema": SCHEMA, "experiment": self.description(), "cells": found}

    def description(self) -> dict[str, Any]:
        """The matrix in plain values, with what each rule was given."""
        recipes = {
            rule: {
                "medium": find_recipe(rule).medium,
                "loss": repr(find_recipe(rule).loss),
                "shown_s": find_recipe(rule).duration,
                **asdict(self.settings(rule)),
            }
            for rule in self.rules
        }
        return {
            "name": f"Learning rules and substrates: {self.dataset}",
            "dataset": self.dataset,
            "rules": list(self.rules),
            "run_on": list(self.profiles),
            "seeds": list(self.seeds),
            "hidden": list(self.hidden),
            "target_accuracy": self.target_accuracy,
            "recipes": recipes,
        }


def measure(
    rule: str,
    profile: Mapping[str, Any],
    dataset: str,
    seed: int,
    hidden: Sequence[int],
    settings: Mapping[str, Any],
    target: float,
) -> dict[str, Any]:
    """What is measured of one rule on one profile, given by its values: see `physnn.experiments.measurement`.

    Raises
    ------
    CapabilityError
        The pair is refused, for the physical reason in the message.
    """
    data, place = load(dataset), Profile.model_validate(profile)

    def trial_on(where: Profile) -> Trial:
        trial = find_recipe(rule).trial(where, data.width, hidden, data.classes, seed)
        return replace(trial, settings=Settings(**settings))

    return measured(data, trial_on, place, place, target=target, aligned=Trial.aligned)


def _beside(dataset: str, seed: int) -> str:
    """Names the record of the controls."""
    return f"{dataset}-controls-{seed}"
