"""The waveguide benchmark at a size at which it takes no time: what it measures, not how fast that is."""

import json
from unittest.mock import patch

import numpy as np
import pytest

from physnn.benchmarks import Settings, run_bench, waveguide
from physnn.errors import CapabilityError

TINY = Settings(1, ("ideal-waveguide",), (4, 3, 2), (4, 3, 2), batches=(1, 2), meshes=(3,), delays=(1, 2), steps=2)


@pytest.fixture(scope="module")
def measured():
    """In a process of its own, as the command does."""
    return run_bench("waveguide", TINY)


@pytest.fixture(scope="module")
def figures(measured):
    return measured[0]


def test_the_file_holds_every_figure_and_what_it_depends_on(measured):
    found, results = measured
    kept = json.loads(json.dumps(results))
    assert [f["what"] for f in kept["figures"]] == [f.what for f in found]
    assert kept["settings"]["batches"] == [1, 2] and kept["machine"]["processor"]


def test_every_figure_is_measured_and_positive(figures):
    assert all(figure.value is not None and 0 < figure.value.low <= figure.value.high for figure in figures)


def test_the_promise_is_the_simulators_at_the_largest_batch(figures):
    promised = [(f.group, f.what, f.most) for f in figures if f.most is not None]
    assert promised == [("passive 4-3-2, batch 2", "step / products", 2.0)]


def test_line_steps_and_cost_follow_from_the_step(figures):
    """5 + 3 + 3 + 2 lines: a bias line, and hidden lines in two halves."""
    found = {f.what: f.value.median for f in reversed(figures) if f.group == "passive 4-3-2, batch 2"}
    assert found["line-steps"] == pytest.approx(13 * 2 / found["step on ideal-waveguide"])
    assert found["cost of a sample"] == pytest.approx(found["step on ideal-waveguide"] * 2 / 2)


def test_products_are_those_of_the_banks():
    """Two banks of three products each in every step, the inverse of the smaller side's size."""
    made = []

    class Counted(np.ndarray):
        def __matmul__(self, other):
            made.append((self.shape, other.shape))
            return np.asarray(self) @ np.asarray(other)

    with patch.object(waveguide, "_random", lambda name, shape: np.ones(shape).view(Counted)):
        waveguide.products((5, 2, 3), 7, 2, "float32")()
    assert made == 2 * [
        *(((7, 6), (6, 2)), ((7, 2), (2, 2)), ((7, 2), (2, 6))),
        *(((7, 2), (2, 3)), ((7, 2), (2, 2)), ((7, 3), (3, 2))),
    ]


def test_a_refusal_is_a_figure_without_a_value():
    def refuse(network, profile, *rest, **options):
        raise CapabilityError(f"{profile} has no lines")

    with patch.object(waveguide, "_stepping", refuse):
        found = list(waveguide._steps(TINY))
    assert [f.value for f in found] == 2 * [None] and "has no lines" in found[0].note
    assert [f.met for f in found] == [None, False]
