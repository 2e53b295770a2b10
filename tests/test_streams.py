"""Random streams: keyed, splittable over batches, and truly uniform and normal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physnn import streams


@given(st.integers(0, 2**63), st.integers(1, 40), st.integers(1, 7), st.data())
def test_a_batch_may_be_split_anywhere(seed, rows, width, data):
    cut = data.draw(st.integers(0, rows))
    whole = streams.normal(seed, "a", "noise", (rows, width), step=3)
    head = streams.normal(seed, "a", "noise", (cut, width), step=3)
    tail = streams.normal(seed, "a", "noise", (rows - cut, width), step=3, first_sample=cut)
    assert np.array_equal(whole, np.concatenate([head, tail]))


def test_the_numbers_are_the_same_in_every_version():
    found = streams.uniform(0, "layer", "weights", (3,))
    assert found.tolist() == [0.0511347118883837, 0.875723789057537, 0.4573747391863233]


def test_every_part_of_the_key_matters():
    base = {"seed": 1, "name": "a", "purpose": "noise", "step": 0}
    changes = [{}, {"seed": 2}, {"seed": 11}, {"name": "b"}, {"purpose": "die"}, {"step": 1}, {"step": 10}]
    drawn = []
    for change in changes:
        key = base | change
        drawn.append(tuple(streams.uniform(key["seed"], key["name"], key["purpose"], (4,), step=key["step"])))
    drawn.append(tuple(streams.uniform(1, "ano", "ise", (4,))))
    assert len(set(drawn)) == len(drawn)


def test_distributions():
    size = 20_000
    assert stats.kstest(streams.uniform(5, "a", "b", (size,)), "uniform").pvalue > 1e-3
    drawn = streams.normal(5, "a", "b", (size,))
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / np.sqrt(size)
    steps = np.stack([streams.normal(5, "a", "b", (2000,), step=k) for k in range(2)])
    assert abs(np.corrcoef(steps)[0, 1]) < 4 / np.sqrt(2000)


@pytest.mark.parametrize("word", [0, 1, 2**11, 2**12, 2**63, 2**64 - 2**11, 2**64 - 1])
def test_the_interval_is_open_at_both_ends(monkeypatch, word):
    monkeypatch.setattr(streams, "_words", lambda *key: np.array([word], dtype=np.uint64))
    value = streams.uniform(0, "a", "b", (1,))[0]
    assert 0 < value < 1
    assert np.isfinite(streams.normal(0, "a", "b", (1,))[0])


def test_uniform_is_symmetric_about_one_half(monkeypatch):
    values = []
    for word in (2**40 + 12345, 2**64 - 1 - (2**40 + 12345)):
        monkeypatch.setattr(streams, "_words", lambda *key, word=word: np.array([word], dtype=np.uint64))
        values.append(streams.uniform(0, "a", "b", (1,))[0])
    assert values[0] + values[1] == 1.0


def test_permutations():
    order = streams.permutation(0, "digits", "split", 500)
    assert np.array_equal(np.sort(order), np.arange(500))
    assert not np.array_equal(order, streams.permutation(0, "digits", "split", 500, step=1))
    assert not np.array_equal(order, np.arange(500))


def test_scalars_and_empty_draws():
    assert streams.normal(0, "a", "b", ()).shape == ()
    assert streams.normal(0, "a", "b", (0, 4)).shape == (0, 4)
