"""Recipes: that there is one for every rule, and that each learns what it says. The trainings here are short."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from physnn.datasets import Part, load
from physnn.errors import UnknownNameError
from physnn.learning import RULES, find_rule, outputs
from physnn.studies.recipes import RECIPES, find_recipe
from physnn.substrate.converters import as_numpy

HIDDEN, WIDTH, CLASSES = (6, 5), 64, 2
WITHOUT_AN_ERROR = {"hebbian", "oja", "stdp", "phase-stdp"}


def part(samples=48):
    data = load("digits-parity")
    return Part(data.inputs[:samples], data.labels[:samples])


def trial(rule, *, seed=0, epochs=2):
    made = find_recipe(rule).trial("ideal-torch", WIDTH, HIDDEN, CLASSES, seed)
    return replace(made, settings=replace(made.settings, epochs=epochs))


def weights(found):
    held = found.substrate.read()
    return {key: as_numpy(held[key]) for key in found.substrate.placed.system.trainable}


def learnt(rule):
    """Layers whose weights or strengths a training changed, and the keys."""
    found = trial(rule)
    before = weights(found)
    found.train(part())
    after = weights(found)
    assert all(np.all(np.isfinite(value)) for value in after.values())
    return {key for key in after if np.any(after[key] != before[key])}


def test_every_rule_has_a_recipe():
    assert set(RECIPES) == set(RULES)
    made = {rule: (recipe.made or partial(find_rule, rule))() for rule, recipe in RECIPES.items()}
    assert all(RECIPES[rule].rule == made[rule].name == rule for rule in RECIPES)


def test_an_unknown_rule_is_told_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="reflected-wave"):
        find_recipe("reflected-waves")


def test_rules_without_an_error_read_the_classes_digitally():
    assert {rule for rule, recipe in RECIPES.items() if not recipe.supervised} == WITHOUT_AN_ERROR
    for rule in WITHOUT_AN_ERROR:
        assert trial(rule).objective.digital


@pytest.mark.parametrize("rule", sorted(RECIPES))
def test_what_is_learnt(rule):
    changed = learnt(rule)
    if "strength" in rule:
        strengths = "123" if rule == "strength-propagation" else "3"
        rings = ("hidden1", "hidden2", "output")
        assert changed == {f"{ring}.k{n}_{e}" for ring in rings for n in strengths for e in "JSMHT"}
    elif "stdp" in rule:
        assert changed == {"hidden1->hidden2"}
    elif rule == "native-reflection":
        assert changed == {"W1", "W2", "W3"}
    else:
        ends = ("hidden1", "hidden2") if rule in WITHOUT_AN_ERROR else ("hidden1", "hidden2", "output")
        assert {f"{a}->{b}" for a, b in zip(("input", *ends), ends, strict=False)} <= changed


def test_a_trial_is_the_same_each_time_and_another_with_another_seed():
    trials = [trial("kolen-pollack", seed=seed) for seed in (3, 3, 4)]
    for found in trials:
        found.train(part())
    same, again, other = (weights(found)["input->hidden1"] for found in trials)
    np.testing.assert_array_equal(same, again)
    assert np.any(same != other)


def test_a_medium_with_both_waves_answers_as_the_one_without_the_reflected_wave():
    found = trial("concurrent")
    found.train(part())
    samples = part().inputs
    both = outputs(found.substrate, found.objective, samples, port=found.port)
    single = found.with_one_wave()
    assert single is not found.substrate and not any("reflected" in port for port in single.placed.system.outputs)
    one = outputs(single, found.objective, samples, port=found.port)
    np.testing.assert_allclose(both, one, rtol=0, atol=1e-8)  # stationary states are solved to 1e-9
    plain = trial("reflected-wave")
    assert plain.with_one_wave() is plain.substrate
