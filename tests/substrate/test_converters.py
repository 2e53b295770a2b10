"""Converters: levels, clipping, ranges."""

import numpy as np
import pytest

from physnn.substrate.converters import own_range, quantise

RAMP = np.linspace(-3, 3, 4001)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("full_scale", [1.0, 2.5])
def test_levels_are_symmetric_about_zero(bits, full_scale):
    levels = np.unique(quantise(RAMP, bits, full_scale))
    assert len(levels) == 2**bits - 1
    np.testing.assert_allclose(levels, np.linspace(-full_scale, full_scale, 2**bits - 1), atol=1e-15)
    assert 0.0 in levels


@pytest.mark.parametrize("bits", [2, 5, 12])
def test_error_is_at_most_half_a_level(bits):
    inside = np.linspace(-1, 1, 999)
    spacing = 2 / (2**bits - 2)
    assert np.abs(quantise(inside, bits, 1.0) - inside).max() <= spacing / 2 + 1e-15


def test_clipping_with_and_without_bits():
    assert np.array_equal(quantise([-7.0, 0.3, 7.0], None, 2.0), [-2.0, 0.3, 2.0])
    assert np.array_equal(quantise([-7.0, 7.0], 8, 2.0), [-2.0, 2.0])


def test_one_bit_keeps_the_sign():
    assert np.array_equal(quantise([-0.1, 0.0, 3.0], 1, 2.0), [-2.0, 0.0, 2.0])


def test_quantising_twice_changes_nothing():
    once = quantise(RAMP, 6, 1.0)
    assert np.array_equal(quantise(once, 6, 1.0), once)


def test_a_range_for_each_sample():
    values = np.array([[0.3, -0.2], [30.0, 10.0], [0.0, 0.0], [4.0, 0.0]])
    ranges = own_range(values)
    assert np.array_equal(ranges, [[0.5], [32.0], [1.0], [4.0]])
    found = quantise(values, 8, ranges)
    assert np.all(np.abs(found - values) <= ranges / 127 / 2)


@pytest.mark.parametrize("tiny", [5e-324, 1e-310])
def test_the_reciprocal_of_a_range_never_overflows(tiny):
    assert np.isfinite(1 / own_range(np.array([[tiny]]))).all()
    assert np.isfinite(1 / own_range(np.array([[1e-290]]))).all()
