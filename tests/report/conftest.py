"""Fake results that look like a run: 2 tasks x 2 rules x 6 substrates x 3 seeds, some cells refused or failed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

RULES = ("reflected-wave", "feedback-alignment")
TASKS = {"digits": (0.967, 0.921, 0.974), "digits-parity": (0.915, 0.868, 0.979)}
# name: backend, typical energy of an inference [J], low and high as factors, loss in accuracy, latency [s]
SUBSTRATES = {
    "ideal-torch": ("torch", None, None, 0.0, None),
    "ideal-waveguide": ("waveguide", None, None, 0.001, None),
    "cpu-x86": ("torch", 2.1e-4, (0.4, 2.5), 0.001, 3.1e-6),
    "gpu-h200": ("torch", 9.6e-3, (0.5, 1.6), 0.001, 2.4e-5),
    "photonic-mzi": ("waveguide", 1.4e-8, (0.2, 9.0), 0.018, 2.6e-9),
    "rf-transmission-line": ("waveguide", 3.9e-8, (0.5, 3.0), 0.034, 1.5e-8),
}
CAUSES = {
    "torch": {"busy": 0.55, "launch": 0.4, "host_byte": 0.05},
    "waveguide": {"adc": 0.3, "dac": 0.21, "repeater": 0.16, "laser": 0.12, "static": 0.1, "host_mac": 0.06}
    | {"host_elementwise": 0.03, "weight_write": 0.02},
}
REFUSAL = "fan-in 64 needs 128 dB through the mesh; use narrower layers or the 'rf-transmission-line' profile"


def _scaled(typical: float, factors: tuple[float, float]) -> dict[str, float]:
    return {"low": typical * factors[0], "typical": typical, "high": typical * factors[1]}


def fake_cell(task: str, rule: str, substrate: str, seed: int) -> dict[str, Any]:
    """A done cell with numbers of a likely size; the same arguments give the same cell."""
    linear, frozen, best = TASKS[task]
    backend, typical, factors, loss, latency = SUBSTRATES[substrate]
    key = [list(TASKS).index(task), RULES.index(rule), list(SUBSTRATES).index(substrate), seed]
    rng = np.random.default_rng(key)
    aligned = rule == "reflected-wave"
    test = best - loss - (0.0 if aligned else 0.021) + 0.004 * rng.standard_normal()
    energy = None
    if typical is not None:
        training = 3.0 * 70_000 * typical
        shares = CAUSES[backend]
        energy = {
            "inference_J": _scaled(typical, factors),
            "training_J": _scaled(training, factors),
            "breakdown": {
                "inference": {cause: _scaled(typical * share, factors) for cause, share in shares.items()},
                "training": {cause: _scaled(training * share, factors) for cause, share in reversed(shares.items())},
            },
            "not_counted": ["cooling", "data loading"] + (["laser start-up"] if backend == "waveguide" else []),
            "to_target_J": None,
            "unverified_constants": [f"{substrate}: energy.{cause}" for cause in list(shares)[1:4]],
        }
    noise = 0.0 if substrate.startswith("ideal") else 0.03 * abs(rng.standard_normal())
    return {
        "train_on": substrate,
        "run_on": substrate,
        "profile": substrate,
        "backend": backend,
        "rule": rule,
        "dataset": task,
        "seed": seed,
        "status": "done",
        "reason": None,
        "accuracy": {
            "train": 0.998,
            "validation": test + 0.002,
            "test": test,
            "standard_error": float(np.sqrt(test * (1 - test) / 360)),
        },
        "controls": {"linear": linear, "frozen_hidden": frozen},
        "gradient_cosine": {
            "per_layer_start": [1 - noise, 1 - noise / 2, 1.0] if aligned else [0.03, 0.11, 1.0 - noise],
            "per_layer_end": [1 - 2 * noise, 1 - noise, 1.0] if aligned else [0.42 - noise, 0.55, 1.0 - noise],
            "label": "native",
        },
        "energy": energy
        or {
            "inference_J": None,
            "training_J": None,
            "breakdown": None,
            "not_counted": [],
            "to_target_J": None,
            "unverified_constants": [],
        },
        "latency_s": None if latency is None else _scaled(latency, factors),
        "counts": {"mac": 3392.0, "sample": 360.0},
        "wall_s": 1.7,
    }


def lost_cell(task: str, rule: str, substrate: str, seed: int, status: str, reason: str) -> dict[str, Any]:
    """A cell without a single number."""
    cell = dict.fromkeys(fake_cell(task, rule, substrate, seed))
    names = {"train_on": substrate, "run_on": substrate, "profile": substrate, "backend": SUBSTRATES[substrate][0]}
    return cell | names | {"rule": rule, "dataset": task, "seed": seed, "status": status, "reason": reason}


def fake_results() -> dict[str, Any]:
    """The whole comparison; parity with feedback alignment is refused on photonics, one cell on rf failed."""
    cells = []
    for task in TASKS:
        for rule in RULES:
            for substrate in SUBSTRATES:
                for seed in range(3):
                    where = (task, rule, substrate, seed)
                    if where[:3] == ("digits-parity", "feedback-alignment", "photonic-mzi"):
                        cells.append(lost_cell(*where, "refused", REFUSAL))
                    elif where == ("digits", "reflected-wave", "rf-transmission-line", 2):
                        cells.append(lost_cell(*where, "failed", "the loss is not finite at step 41; lower the rate"))
                    else:
                        cells.append(fake_cell(*where))
    experiment = {"name": "built-in", "widths": [64, 32, 32, 10], "rules": list(RULES), "seeds": [0, 1, 2]}
    return {"schema": "physnn.results/1", "experiment": experiment, "cells": cells}


@pytest.fixture(scope="session")
def _fake() -> dict[str, Any]:
    return fake_results()


@pytest.fixture
def results(_fake: dict[str, Any]) -> dict[str, Any]:
    """A fresh copy for each test."""
    return copy.deepcopy(_fake)


@pytest.fixture
def small(results: dict[str, Any]) -> dict[str, Any]:
    """One task and one seed of it, for tests that draw the page many times."""
    kept = [cell for cell in results["cells"] if cell["dataset"] == "digits" and cell["seed"] == 2]
    return results | {"cells": kept}


@pytest.fixture
def make_cell() -> Any:
    """`fake_cell`, for tests that build their own results."""
    return fake_cell
