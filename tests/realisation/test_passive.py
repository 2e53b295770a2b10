"""Wanted transmissions as banks of ideal transformers."""

import numpy as np
import pytest

from physnn.errors import ParameterError, ShapeError
from physnn.realisation import largest_transmission, passive_bank

BOUND = 1e-12


def circuit(turns, near, far, arriving):
    """v2 = W v1, i1 = -W^T i2 solved for voltages and currents, with no S-matrix: what leaves on the far lines."""
    rows, columns = turns.shape
    # unknowns v1, i2 (into the far lines); v1 = 2 a - Z1 i1, i1 = W^T i2 flows on, v2 = W v1 = Z2 i2 without arrivals
    equations = np.block([[np.eye(columns), near[:, None] * turns.T], [turns, -np.diag(far)]])
    given = np.concatenate([2 * arriving, np.zeros(rows)])
    return turns @ np.linalg.solve(equations, given)[:columns]


def lines(rng, shape):
    return rng.uniform(1.0, 300.0, shape[1]), rng.uniform(1.0, 300.0, shape[0])


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (7, 3), (16, 16)])
@pytest.mark.parametrize("share", [1e-3, 0.5, 0.999999, 1.0])
def test_the_bank_passes_what_was_wanted(shape, share):
    rng = np.random.default_rng(sum(shape))
    near, far = lines(rng, shape)
    wanted = rng.normal(size=shape)
    wanted *= share / largest_transmission(wanted, near, far)
    bank = passive_bank(wanted, near, far)
    assert bank.gain == 1.0
    scale = np.max(np.abs(wanted))
    np.testing.assert_allclose(bank.transmission, wanted, atol=BOUND * scale)
    wave = rng.normal(size=shape[1])
    np.testing.assert_allclose(circuit(bank.turns, near, far, wave), wanted @ wave, atol=BOUND * np.linalg.norm(wave))


def test_both_answers_pass_the_same_and_reflect_with_opposite_signs():
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=(4, 4))
    wanted *= 0.8 / largest_transmission(wanted)
    few, many = (passive_bank(wanted, turns=turns) for turns in ("few", "many"))
    np.testing.assert_allclose(many.transmission, wanted, atol=1e-10)  # ratios up to some hundreds cost digits
    np.testing.assert_allclose(many.scattering[:4, :4], -few.scattering[:4, :4], atol=1e-10)
    assert np.linalg.norm(few.turns, 2) < 1 < np.linalg.svd(many.turns, compute_uv=False)[-1]


def test_a_matched_bank_reflects_nothing():
    bank = passive_bank(np.array([[0.0, np.sqrt(3.0)]]), 50.0, 150.0)
    np.testing.assert_allclose(bank.turns, [[0.0, np.sqrt(3.0)]], atol=1e-15)
    np.testing.assert_allclose(bank.scattering[1, 1], 0.0, atol=1e-15)


def test_the_gain_that_is_missing_is_the_excess_over_the_bound():
    rng = np.random.default_rng(2)
    near, far = lines(rng, (5, 3))
    wanted = rng.normal(size=(5, 3))
    wanted *= 1.7 / largest_transmission(wanted, near, far)
    bank = passive_bank(wanted, near, far)
    assert bank.gain == pytest.approx(1.7, rel=1e-12)
    np.testing.assert_allclose(bank.transmission, wanted, atol=BOUND * np.max(np.abs(wanted)))
    assert largest_transmission(bank.transmission / bank.gain, near, far) == pytest.approx(1.0, rel=1e-12)


def test_no_bank_passes_more_than_the_bound():
    rng = np.random.default_rng(3)
    for _ in range(50):
        near, far = lines(rng, (4, 6))
        bank = passive_bank(rng.normal(size=(4, 6)), near, far)
        turns = bank.turns * rng.uniform(0.1, 10.0) + rng.normal(size=(4, 6))
        wave = rng.normal(size=6)
        passed = circuit(turns, near, far, wave)
        assert np.sum(passed**2 / far) <= np.sum(wave**2 / near) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("matrix", "near", "far", "said"),
    [
        ([[1.0, np.nan]], 1.0, 1.0, "not a finite number"),
        ([[0.0, 0.0]], 1.0, 1.0, "zero everywhere"),
        ([1.0, 2.0], 1.0, 1.0, "not that of a matrix"),
        ([[1.0], [2.0, 3.0]], 1.0, 1.0, "unlike lengths"),
        ([["a"]], 1.0, 1.0, "in place of numbers"),
        (np.ones((1, 2000)), 1.0, 1.0, "too large"),
        ([[1e200]], 1.0, 1.0, "scale it"),
        ([[1j]], 1.0, 1.0, "do not turn phases"),
        ([[1.0]], 0.0, 1.0, "near lines.*above 0"),
        ([[1.0]], 1.0, -5.0, "far lines.*above 0"),
        ([[1.0]], 1.0, np.inf, "far lines.*finite"),
        ([[1.0]], "x", 1.0, "near lines.*not a number"),
    ],
)
def test_bad_input_is_refused(matrix, near, far, said):
    with pytest.raises(ParameterError, match=said):
        passive_bank(matrix, near, far)


def test_impedances_fit_the_lines():
    with pytest.raises(ShapeError, match=r"near lines.*one for each of 2 lines"):
        passive_bank([[1.0, 2.0]], [50.0, 50.0, 50.0])


def test_many_turns_need_full_rank():
    with pytest.raises(ParameterError, match="infinitely many turns"):
        passive_bank(np.ones((2, 2)) / 4, turns="many")
    with pytest.raises(ParameterError, match="'few'"):
        passive_bank(np.ones((2, 2)) / 4, turns="some")
