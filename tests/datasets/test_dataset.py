"""What `Dataset.from_arrays` accepts, refuses and guarantees."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from physnn.datasets import PARTS, Dataset
from physnn.errors import DataError, UnknownNameError


def arrays(samples=20, width=3, classes=4):
    inputs = np.random.default_rng(7).uniform(size=(samples, width))
    return inputs, np.arange(samples) % classes


@given(labels=st.lists(st.integers(0, 6), min_size=5, max_size=120).filter(lambda labels: max(labels) > 0))
def test_parts_are_disjoint_cover_everything_and_have_their_sizes(labels):
    data = Dataset.from_arrays("any", np.zeros((len(labels), 1)), labels)
    together = np.concatenate([data.train, data.validation, data.test])
    np.testing.assert_array_equal(np.sort(together), np.arange(len(labels)))
    assert len(data.test) == -(-len(labels) // 5) and len(data.validation) == len(labels) // 5
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        assert abs(np.sum(data.part("test").labels == label) - len(data.test) * size / len(labels)) < 1


def test_a_part_holds_the_samples_of_its_indices():
    inputs, labels = arrays()
    data = Dataset.from_arrays("small", inputs, labels)
    for part in PARTS:
        chosen, named = data.part(part)
        np.testing.assert_array_equal(chosen, inputs[data.indices(part)])
        np.testing.assert_array_equal(named, labels[data.indices(part)])
    np.testing.assert_array_equal(data.indices("train+validation"), np.setdiff1d(np.arange(20), data.test))


def test_unknown_part():
    with pytest.raises(UnknownNameError, match="'validaton'; did you mean 'validation'"):
        Dataset.from_arrays("small", *arrays()).part("validaton")


def test_cannot_be_changed_and_does_not_share_the_callers_arrays():
    inputs, labels = arrays()
    first = inputs[0, 0]
    data = Dataset.from_arrays("small", inputs, labels)
    inputs[0, 0] = 0.5 * first
    assert data.inputs[0, 0] == first
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


def test_classes_may_exceed_the_labels_seen():
    inputs, labels = arrays(classes=3)
    assert Dataset.from_arrays("small", inputs, labels).classes == 3
    assert Dataset.from_arrays("small", inputs, labels, 5).classes == 5


def test_strata_keep_the_split_when_labels_are_merged():
    inputs, labels = arrays(samples=40)
    fine = Dataset.from_arrays("fine", inputs, labels)
    merged = Dataset.from_arrays("merged", inputs, labels % 2, 2, strata=labels)
    np.testing.assert_array_equal(fine.test, merged.test)


def spoilt(row, value):
    inputs, labels = arrays()
    inputs[row, 1] = value
    return inputs, labels


INPUTS, LABELS = arrays()
REFUSED = {
    "nan": (*spoilt(13, np.nan), None, "row 13 of the inputs holds a NaN"),
    "infinity": (*spoilt(4, np.inf), None, "row 4 of the inputs holds a NaN or an infinity"),
    "above full scale": (*spoilt(6, 255.0), None, "row 6 of the inputs spans .* to 255, allowed is 0 to 1; divide"),
    "negative": (*spoilt(2, -0.1), None, "row 2 of the inputs spans -0.1"),
    "images not flattened": (np.zeros((20, 8, 8)), LABELS, None, r"shape \(20, 8, 8\).*flattened"),
    "no columns": (np.zeros((20, 0)), LABELS, None, r"shape \(20, 0\)"),
    "ragged": ([[0.0], [0.0, 1.0]], LABELS, None, "inputs are ragged"),
    "text": (np.full((20, 3), "a"), LABELS, None, "type <U1"),
    "complex": (INPUTS + 0j, LABELS, None, "type complex128"),
    "too few samples": (INPUTS[:4], LABELS[:4], None, "4 samples"),
    "fewer labels": (INPUTS, LABELS[:-1], None, r"labels have shape \(19,\); 20 inputs need \(20,\)"),
    "one-hot labels": (INPUTS, np.eye(20), None, r"labels have shape \(20, 20\)"),
    "fractional labels": (INPUTS, LABELS + 0.5, None, "labels are of type float64"),
    "label too large": (INPUTS, LABELS, 3, "row 3 has label 3, allowed is 0 to 2"),
    "negative label": (INPUTS, LABELS - 1, 4, "row 0 has label -1, allowed is 0 to 3"),
    "one class": (INPUTS, LABELS * 0, None, "1 class"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_that_names_the_data_set(case):
    inputs, labels, classes, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        Dataset.from_arrays("mine", inputs, labels, classes)
    assert str(caught.value).startswith("data set 'mine': ") and "\n" not in str(caught.value)


def test_wrong_width():
    with pytest.raises(DataError, match="width 3, expected 64"):
        Dataset.from_arrays("mine", *arrays(), width=64)


def test_wrong_strata():
    with pytest.raises(DataError, match=r"strata have shape \(3,\)"):
        Dataset.from_arrays("mine", *arrays(), strata=[0, 1, 2])
