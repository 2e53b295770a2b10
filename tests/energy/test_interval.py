"""Intervals keep their order and bracket what lies within their arguments."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physnn.energy import Interval
from physnn.errors import NumericsError

numbers = st.floats(min_value=0.0, max_value=1e9, allow_nan=False)
intervals = st.lists(numbers, min_size=3, max_size=3).map(lambda three: Interval(*sorted(three)))


@given(intervals, intervals, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_results_bracket_every_choice_of_the_arguments(a, b, s, t):
    x, y = a.low + s * (a.high - a.low), b.low + t * (b.high - b.low)
    slack = 1.0 + 1e-12  # of the interpolation above
    for result, exact in ((a + b, x + y), (a * b, x * y), (Interval.combine(max, a, b), max(x, y))):
        assert result.low <= exact * slack
        assert exact <= result.high * slack


@given(intervals, numbers)
def test_scaling_is_exact(a, factor):
    assert (a * factor, factor * a) == (Interval(a.low * factor, a.typical * factor, a.high * factor),) * 2


def test_inverse_swaps_the_ends():
    assert Interval(1.0, 2.0, 4.0).inverse() == Interval(0.25, 0.5, 1.0)


def test_inverse_of_zero_is_refused():
    with pytest.raises(NumericsError, match="zero"):
        Interval(0.0, 2.0, 4.0).inverse()


@pytest.mark.parametrize("ends", [(2, 1, 3), (1, 3, 2), (-1, 0, 1), (0, 1, math.inf), (0, math.nan, 1)])
def test_disorder_is_refused(ends):
    with pytest.raises(NumericsError, match="does not hold"):
        Interval(*ends)


def test_scaling_by_a_negative_number_is_refused():
    with pytest.raises(NumericsError, match="does not hold"):
        Interval(1.0, 2.0, 3.0) * -1.0
