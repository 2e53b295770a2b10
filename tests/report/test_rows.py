"""Grouping over seeds, errors, ranges and the Pareto front, against values worked out by hand."""

from __future__ import annotations

import copy
import math

import pytest

from physnn.errors import ExperimentError
from physnn.report import Range, summarise
from physnn.report.rows import outcomes, pareto


def wrap(*cells):
    return {"schema": "physnn.results/1", "experiment": {}, "cells": list(cells)}


def row_of(results, *names):
    return next(row for row in summarise(results) if (row.dataset, row.rule, row.run_on) == names)


def test_one_row_for_each_combination(results):
    rows = summarise(results)
    assert len(rows) == 2 * 2 * 6
    assert sum(row.done + row.failed + row.refused for row in rows) == len(results["cells"])


def test_mean_and_errors_by_hand(make_cell):
    cells = [make_cell("digits", "reflected-wave", "cpu-x86", seed) for seed in range(3)]
    for cell, test in zip(cells, (0.94, 0.96, 0.98), strict=True):
        cell["accuracy"] |= {"test": test, "standard_error": 0.009}
    (row,) = summarise(wrap(*cells))
    assert row.accuracy == pytest.approx(0.96)
    # s = 0.02 with n - 1, over sqrt(3); the binomial part stays that of one evaluation.
    assert row.seed_error == pytest.approx(0.02 / math.sqrt(3))
    assert row.image_error == pytest.approx(0.009)
    assert row.error == pytest.approx(math.sqrt(0.02**2 / 3 + 0.009**2))


def test_one_seed_has_no_seed_error(make_cell):
    (row,) = summarise(wrap(make_cell("digits", "reflected-wave", "cpu-x86", 0)))
    assert row.seed_error is None
    assert row.error == row.image_error


def test_ranges_take_mean_typical_and_outermost_bounds(make_cell):
    cells = [make_cell("digits", "reflected-wave", "cpu-x86", seed) for seed in range(2)]
    cells[0]["energy"]["inference_J"] = {"low": 1.0, "typical": 2.0, "high": 3.0}
    cells[1]["energy"]["inference_J"] = {"low": 2.0, "typical": 4.0, "high": 9.0}
    (row,) = summarise(wrap(*cells))
    assert row.inference == Range(1.0, 3.0, 9.0)


def test_failed_cells_leave_the_mean_alone(results):
    row = row_of(results, "digits", "reflected-wave", "rf-transmission-line")
    done = [
        cell["accuracy"]["test"]
        for cell in results["cells"]
        if cell["status"] == "done"
        and (cell["dataset"], cell["rule"], cell["run_on"]) == (row.dataset, row.rule, row.run_on)
    ]
    assert (row.done, row.failed, row.refused) == (2, 1, 0)
    assert row.accuracy == pytest.approx(sum(done) / 2)


def test_refused_row_has_no_number(results):
    row = row_of(results, "digits-parity", "feedback-alignment", "photonic-mzi")
    assert (row.done, row.refused) == (0, 3)
    assert row.accuracy is row.error is row.inference is row.latency is row.first_end is None


def test_ideal_substrate_has_no_energy_and_never_zero(results):
    row = row_of(results, "digits", "reflected-wave", "ideal-torch")
    assert row.inference is None and row.training is None and row.latency is None
    assert row.accuracy is not None


def test_cosines_of_first_and_last_layer(make_cell):
    cell = make_cell("digits", "feedback-alignment", "cpu-x86", 0)
    cell["gradient_cosine"] |= {"per_layer_start": [0.1, 0.5, 0.9], "per_layer_end": [0.2, None, float("nan")]}
    (row,) = summarise(wrap(cell))
    assert (row.first_start, row.last_start, row.first_end, row.last_end) == (0.1, 0.9, 0.2, None)


@pytest.mark.parametrize(("given", "count"), [(["a", "b"], 2), (7, 7), (None, 0), ([], 0)])
def test_unverified_constants_as_names_or_as_number(make_cell, given, count):
    cell = make_cell("digits", "reflected-wave", "cpu-x86", 0)
    cell["energy"]["unverified_constants"] = given
    assert summarise(wrap(cell))[0].unverified == count


def test_training_elsewhere_is_a_row_of_its_own(make_cell):
    here = make_cell("digits", "reflected-wave", "photonic-mzi", 0)
    there = copy.deepcopy(here) | {"train_on": "ideal-waveguide"}
    assert [row.place for row in summarise(wrap(here, there))] == ["photonic-mzi", "ideal-waveguide → photonic-mzi"]


def test_pareto_front(make_cell):
    cells = []
    for name, energy, test in (
        ("a", 1.0, 0.90),
        ("b", 2.0, 0.89),
        ("c", 3.0, 0.95),
        ("d", 3.0, 0.94),
        ("e", 9.0, 0.95),
    ):
        cell = make_cell("digits", "reflected-wave", "cpu-x86", 0) | {"train_on": name, "run_on": name}
        cell["energy"] = {"inference_J": {"low": energy, "typical": energy, "high": energy}}
        cell["accuracy"] = {"test": test}
        cells.append(cell)
    assert [row.run_on for row in pareto(summarise(wrap(*cells)))] == ["a", "c"]


def test_equal_points_are_both_on_the_front(make_cell):
    cell = make_cell("digits", "reflected-wave", "cpu-x86", 0)
    assert len(pareto(summarise(wrap(cell, copy.deepcopy(cell) | {"rule": "other"})))) == 2


def test_outcomes_gather_seeds_and_put_failures_first(results):
    failed, refused = outcomes(results)
    assert (failed.status, failed.seeds) == ("failed", ("2",))
    assert (refused.status, refused.seeds) == ("refused", ("0", "1", "2"))
    assert "128 dB" in refused.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": "physnn.results/9"}, "physnn.results/9"),
        ({"cells": None}, "cells"),
        ({"cells": [3]}, "cell 0 is int"),
        ({"cells": [{"dataset": "digits"}]}, "'rule'"),
        ({"cells": [dict.fromkeys(("dataset", "rule", "train_on", "run_on"), "x") | {"status": "fine"}]}, "'fine'"),
    ],
)
def test_other_schemas_are_refused_in_one_line(results, change, says):
    with pytest.raises(ExperimentError, match=says) as caught:
        summarise(results | change)
    assert "\n" not in str(caught.value)
