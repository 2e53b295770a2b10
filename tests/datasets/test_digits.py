"""The embedded digits are the published ones, and their split never moves."""

import hashlib

import numpy as np
import pytest

from physnn.datasets import dataset_names, load
from physnn.errors import PhysnnError, UnknownNameError


def test_equal_to_scikit_learn():
    published = pytest.importorskip(
        "sklearn.datasets", reason="the data extra (scikit-learn) is not installed"
    ).load_digits()
    digits = load("digits")
    np.testing.assert_array_equal(digits.inputs * 16, published.data)
    np.testing.assert_array_equal(digits.labels, published.target)


def test_pixels_are_sixteenths_of_full_scale():
    digits = load("digits")
    assert digits.inputs.shape == (1797, 64) and digits.inputs.dtype == np.float64
    assert set(np.unique(digits.inputs * 16)) == set(range(17))
    assert digits.classes == 10 and set(np.unique(digits.labels)) == set(range(10))


def test_parity_is_odd_or_even_of_the_same_images_in_the_same_split():
    digits, parity = load("digits"), load("digits-parity")
    assert parity.name == "digits-parity" and parity.classes == 2
    np.testing.assert_array_equal(parity.inputs, digits.inputs)
    np.testing.assert_array_equal(parity.labels, digits.labels % 2)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(parity.indices(part), digits.indices(part))


def test_split_is_pinned():
    """Any change of the split makes old and new accuracies incomparable: these hashes are part of the convention."""
    digits = load("digits")
    assert [len(digits.indices(part)) for part in ("train", "validation", "test")] == [1078, 359, 360]
    hashes = [
        hashlib.sha256(digits.indices(part).astype("<i8").tobytes()).hexdigest()[:16] for part in ("train", "test")
    ]
    assert hashes == ["a7817ee816f647e4", "2b25ad6b6be7efbb"]


def test_every_digit_is_in_every_part_in_proportion():
    digits = load("digits")
    whole = np.bincount(digits.labels)
    for part, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        counts = np.bincount(digits.part(part).labels, minlength=10)
        assert np.all(np.abs(counts - share * whole) <= 2), part  # each part is rounded once, the training part twice


def test_known_names():
    assert dataset_names() == ("digits", "digits-parity", "fashion-mnist", "mnist")


def test_unknown_name_offers_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"unknown dataset 'digit-parity'; did you mean 'digits-parity'\?"
    ) as caught:
        load("digit-parity")
    assert isinstance(caught.value, PhysnnError)
