"""The study of all rules on the digits: what a record holds, and what the table says of given records."""

import json
import math
from dataclasses import asdict, replace

import pytest

from physnn.datasets import Part, load
from physnn.learning.alignment import layers
from physnn.learning.controls import frozen_control, linear_control
from physnn.studies.digits import DATASETS, MARGIN, PROMISED, STUDY, TELLING, angles, controls, trained
from physnn.studies.recipes import RECIPES, find_recipe

SMALL = (6, 5)


def trial(rule):
    return find_recipe(rule).trial("ideal-torch", 64, SMALL, 2, 0)


def probe():
    data = load(TELLING)
    return Part(data.inputs[:40], data.labels[:40])


@pytest.mark.parametrize("rule", ["reflected-wave", "autograd", "physics-aware", "concurrent", "wave-hebbian-apart"])
def test_rules_that_send_the_error_back_have_the_gradient(rule):
    """In both kinds of medium, in every layer; float64, stationary states to 1e-9, summed over 40 samples."""
    found = trial(rule).aligned(probe())
    assert list(found.cosines) == ["hidden1", "hidden2", "output"]
    assert all(value == pytest.approx(1.0, abs=1e-6) for value in found.cosines.values())
    assert math.isfinite(found.loss) and not found.reason


def test_layers_are_those_that_the_rule_trains():
    rings = find_recipe("strength-propagation").trial("ideal-torch", 64, (4,), 2, 0)
    assert list(rings.aligned(probe()).cosines) == ["hidden1", "output"]
    assert list(trial("stdp").aligned(probe()).cosines) == ["hidden2"]


def test_weights_that_lead_both_ways_count_once():
    system = trial("equilibrium-propagation").substrate.placed.system
    places = layers(system)
    assert places["hidden2"] == ["hidden1->hidden2", "bias->hidden2"]
    keys = [key for found in places.values() for key in found]
    assert sorted(keys) == sorted(system.trainable)
    strengths = layers(trial("strength-propagation").substrate.placed.system)["output"]
    assert strengths[0] == "hidden2->output" and len(strengths) == 1 + 3 * 5


def test_a_record_in_plain_values():
    settings = asdict(replace(find_recipe("reflected-wave").settings, epochs=2))
    record = trained("reflected-wave", TELLING, 0, SMALL, settings)
    assert json.loads(json.dumps(record)) == record
    assert 0.6 < record["test"] <= 1 and 0.6 < record["validation"] <= 1
    assert record["end"]["loss"] < record["start"]["loss"]
    assert record == trained("reflected-wave", TELLING, 0, SMALL, settings)


def test_controls_are_those_of_the_waveguides():
    data = load(TELLING)
    system = find_recipe("reflected-wave").network(64, SMALL, 2).lower(1)
    assert controls(TELLING, 1, SMALL) == {"linear": linear_control(data), "frozen": frozen_control(data, system)}


def test_tasks():
    tasks = STUDY.tasks(STUDY.seeds)
    assert len(tasks) == len(DATASETS) * 5 * (len(RECIPES) + 1)
    assert len({task.key for task in tasks}) == len({task.fingerprint for task in tasks}) == len(tasks)
    json.dumps([dict(task.arguments) for task in tasks])


def record(test, cosines=(0.9, 0.8, 1.0), reason=None):
    end = {"loss": 0.1, "cosines": dict(zip(("hidden1", "hidden2", "output"), cosines, strict=True))}
    told = {"loss": 0.1, "cosines": None, "reason": reason} if reason else end
    return {"status": "done", "cpu_s": 2.0, "test": test, "validation": 0.9, "start": told, "end": told}


def control(frozen, linear=0.92):
    return {"status": "done", "cpu_s": 1.0, "linear": linear, "frozen": frozen}


def table(records):
    return {line.what: line for line in STUDY.lines(records)}


def test_promises_are_held_against_the_mean_over_seeds_on_parity_alone():
    found = table({f"{TELLING}-physics-aware-{n}": record(0.97 + 0.02 * n) for n in (0, 1)})
    line = found[f"{TELLING}, physics-aware: test accuracy"]
    assert line.measured == [0.97, 0.99] and line.least == PROMISED["physics-aware"] and line.met is True
    assert found["digits, physics-aware: test accuracy"].met is None
    assert found[f"{TELLING}, reflected-wave: test accuracy"].met is False  # nothing measured meets no bound


def test_margins_are_taken_seed_by_seed():
    records = {f"{TELLING}-controls-{n}": control(0.93 + 0.01 * n) for n in (0, 1)}
    records |= {f"{TELLING}-oja-0": record(0.9), f"{TELLING}-concurrent-1": record(0.98)}
    records |= {f"{TELLING}-concurrent-2": record(0.5)}  # without its control
    found = table(records)
    line = found[f"{TELLING}, concurrent: gained over untrained waveguides"]
    assert line.measured == [pytest.approx(0.04)] and line.least == MARGIN and line.met is True
    assert f"{TELLING}, oja: gained over untrained waveguides" not in found
    note = found[f"{TELLING}, concurrent: test accuracy"].note
    assert "linear 0.9200, frozen 0.9350" in note and "0.900, 0.800, 1.000 -> 0.900, 0.800, 1.000" in note


def test_the_widest_angle_of_a_hidden_layer_counts():
    assert angles({"a": 0.5, "b": -1.0000001, "c": 1.0000001}) == pytest.approx([60.0, 180.0, 0.0], abs=1e-4)
    records = {f"{TELLING}-feedback-alignment-0": record(0.98, (0.5, math.cos(math.radians(71.0)), -1.0))}
    line = table(records)[f"{TELLING}, feedback-alignment: widest angle of a hidden layer, at the end [degrees]"]
    assert line.measured == [pytest.approx(71.0)] and line.met is False and line.note == "60 -> 60, 71 -> 71"


def test_without_cosines_the_reason_stands_in_the_table():
    records = {"digits-oja-0": record(0.9), "digits-oja-1": record(0.9, reason="events have no slope")}
    line = table(records)["digits, oja: test accuracy"]
    assert "no cosine: events have no slope" in line.note and line.measured == [0.9, 0.9]
    records = {"digits-oja-0": {"status": "failed", "reason": "diverged"}}
    assert table(records)["digits, oja: test accuracy"].measured == []
