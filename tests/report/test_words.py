"""Sentences follow the numbers, and say so when the numbers do not carry them."""

from __future__ import annotations

import pytest

from physnn.report.words import summary


def wrap(*cells):
    return {"schema": "physnn.results/1", "experiment": {}, "cells": list(cells)}


def cell(make_cell, run_on, seed, test, energy=None, rule="reflected-wave", linear=0.9, backend="torch"):
    found = make_cell("digits", rule, "cpu-x86", seed)
    found |= {"train_on": run_on, "run_on": run_on, "backend": backend}
    found["accuracy"] = {"test": test, "standard_error": 0.005}
    found["controls"] = {"linear": linear, "frozen_hidden": 0.85}
    found["energy"] |= {"inference_J": energy}
    return found


def exact(value):
    return {"low": value, "typical": value, "high": value}


def text_of(*cells):
    found = summary(wrap(*cells))
    return " ".join(sentence for finding in found.findings for sentence in finding.sentences), " ".join(found.limits)


@pytest.mark.parametrize(("seeds", "claims"), [(1, False), (4, False), (5, True)])
def test_fewer_than_five_seeds_is_a_demonstration(make_cell, seeds, claims):
    _, limits = text_of(*(cell(make_cell, "a", seed, 0.97) for seed in range(seeds)))
    assert ("demonstration" in limits) is not claims


def test_best_is_named_and_a_clear_lead_is_said(make_cell):
    said, _ = text_of(cell(make_cell, "a", 0, 0.99), cell(make_cell, "b", 0, 0.90))
    assert "0.990 ± 0.005: reflected-wave on a" in said
    assert "above each of the other 1 by more than two standard errors" in said


def test_a_small_lead_is_not_told_apart(make_cell):
    # Errors 0.005 each: two standard errors of the difference are 0.0141.
    said, _ = text_of(cell(make_cell, "a", 0, 0.970), cell(make_cell, "b", 0, 0.957))
    assert "not told apart from reflected-wave on b" in said
    said, _ = text_of(cell(make_cell, "a", 0, 0.970), cell(make_cell, "b", 0, 0.955))
    assert "not told apart" not in said


def test_without_errors_nothing_is_told_apart(make_cell):
    cells = [cell(make_cell, "a", 0, 0.99), cell(make_cell, "b", 0, 0.50)]
    for entry in cells:
        entry["accuracy"]["standard_error"] = None
    assert "not told apart" in text_of(*cells)[0]


def test_cheapest_within_one_standard_error_of_the_best_device(make_cell):
    # One standard error of a difference is 0.0071: b qualifies, c does not, and the ideal is no device.
    said, _ = text_of(
        cell(make_cell, "ideal", 0, 0.999),
        cell(make_cell, "a", 0, 0.970, exact(1e-3)),
        cell(make_cell, "b", 0, 0.964, exact(1e-6)),
        cell(make_cell, "c", 0, 0.960, exact(1e-9)),
    )
    assert "the most accurate is reflected-wave on a" in said
    assert "cheapest within one standard error of it is reflected-wave on b" in said
    assert "1.00 µJ an inference" in said


def test_overlapping_energies_are_not_ranked(make_cell):
    wide = {"low": 1e-9, "typical": 1e-6, "high": 1e-2}
    said, limits = text_of(cell(make_cell, "a", 0, 0.97, wide), cell(make_cell, "b", 0, 0.97, exact(1e-3)))
    assert "which of them is cheaper is not settled" in said
    assert "a / b" in limits
    said, limits = text_of(cell(make_cell, "a", 0, 0.97, exact(1e-6)), cell(make_cell, "b", 0, 0.97, exact(1e-3)))
    assert "not settled" not in said + limits


def test_cost_of_noise_is_taken_against_the_ideal_of_the_same_backend(make_cell):
    said, _ = text_of(
        cell(make_cell, "ideal-torch", 0, 0.99),
        cell(make_cell, "ideal-waveguide", 0, 0.98, backend="waveguide"),
        cell(make_cell, "mesh", 0, 0.93, exact(1e-9), backend="waveguide"),
    )
    assert "mesh \N{MINUS SIGN}0.050 ± 0.007." in said


def test_rules_are_compared_on_shared_substrates(make_cell):
    said, _ = text_of(
        cell(make_cell, "a", 0, 0.97),
        cell(make_cell, "b", 0, 0.95),
        cell(make_cell, "a", 0, 0.90, rule="feedback-alignment"),
        cell(make_cell, "b", 0, 0.945, rule="feedback-alignment"),
        cell(make_cell, "c", 0, 0.80, rule="feedback-alignment"),
    )
    assert "above feedback-alignment on 2 of 2 shared substrates (mean difference +0.037)" in said
    assert "by more than two standard errors on 1; it is below by more than two on 0." in said


@pytest.mark.parametrize(("linear", "limited"), [(0.965, True), (0.90, False)])
def test_accuracy_that_does_not_beat_the_controls_is_said(make_cell, linear, limited):
    _, limits = text_of(cell(make_cell, "a", 0, 0.97, linear=linear))
    assert ("not above both controls" in limits) is limited


def test_lost_cells_and_twins_are_limits(make_cell):
    twin = cell(make_cell, "a", 0, 0.97)
    twin["gradient_cosine"]["label"] = "twin-assisted"
    lost = {key: twin[key] for key in ("train_on", "run_on", "rule", "dataset")} | {"status": "refused"}
    _, limits = text_of(twin, lost)
    assert "1 of 2 cells were refused" in limits and "digital twin" in limits
