"""Number formatting at the edges."""

from __future__ import annotations

import doctest
from itertools import pairwise

import pytest

import physnn.report.figures
import physnn.report.format
from physnn.report import Range
from physnn.report.figures import spread
from physnn.report.format import bounds, quantity, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 J"),
        (999.6e-9, "1.00 µJ"),
        (999.4e-9, "999 nJ"),
        (1.0, "1.00 J"),
        (-2.5e-3, "-2.50 mJ"),
        (3e-21, "0.00300 aJ"),
        (4.56e15, "4560 TJ"),
    ],
)
def test_prefix_and_three_digits(value, text):
    assert quantity(value, "J") == text


def test_every_prefix_names_its_power():
    found = [quantity(2 * 10.0**power, "s") for power in range(-18, 15, 3)]
    assert found == [f"2.00 {prefix}s" for prefix in ("a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T")]


@pytest.mark.parametrize("exponent", range(-30, 31))
def test_no_exponent_and_relative_error_below_half_a_digit(exponent):
    value = 3.14159 * 10.0**exponent
    text = significant(value)
    assert "e" not in text
    # Three significant digits: at most half a unit of the third, 0.005 / 3.14.
    assert float(text) == pytest.approx(value, rel=0.0016)


def test_bounds_from_zero_stay_in_one_unit():
    assert bounds(Range(0.0, 2e-9, 5e-9), "J") == "0–5.0 nJ"


def test_spread_keeps_order_gap_and_limit():
    wanted = [0.9, 0.1, 0.11, 0.92, 0.95]
    placed = spread(wanted, 0.1, 0.97)
    ordered = [placed[index] for index in sorted(range(5), key=wanted.__getitem__)]
    assert all(after - before >= 0.1 - 1e-12 for before, after in pairwise(ordered))
    assert max(placed) <= 0.97


@pytest.mark.parametrize("module", [physnn.report.format, physnn.report.figures])
def test_examples_in_docstrings(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0 and outcome.failed == 0
