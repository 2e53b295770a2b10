"""What a data set is: inputs in [0, 1], class labels, and which sample belongs to which part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.datasets.split import MIN_SAMPLES, split_indices
from physnn.errors import DataError, UnknownNameError

PARTS = ("train", "validation", "test", "train+validation")


class Part(NamedTuple):
    """The samples of one part: inputs (n, width) and labels (n,)."""

    inputs: NDArray[np.float64]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled vectors with their split; all arrays are read-only. Made by `from_arrays`, which checks them.

    Choices are made on "validation"; once chosen, a network is trained anew on "train+validation" and tested once.
    """

    name: str
    inputs: NDArray[np.float64]
    """(n, width), each value in [0, 1]: a fraction of the full scale of an input port [1]."""
    labels: NDArray[np.int64]
    """(n,), each in 0 .. classes - 1."""
    classes: int
    train: NDArray[np.int64]
    """Indices of the training samples, ascending; the three parts are disjoint and cover all samples."""
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    @classmethod
    def from_arrays(
        cls,
        name: str,
        inputs: ArrayLike,
        labels: ArrayLike,
        classes: int | None = None,
        *,
        width: int | None = None,
        strata: ArrayLike | None = None,
    ) -> Dataset:
        """Check arrays and split them 60 / 20 / 20.

        Parameters
        ----------
        name
            Names the data set in results and errors.
        inputs
            (n, width) real numbers in [0, 1], at least five samples.
        labels
            (n,) integers in 0 .. classes - 1.
        classes
            Number of classes, at least 2; by default the largest label + 1.
        width
            The width that a network expects; by default any.
        strata
            (n,) integers that the split keeps in proportion; by default the labels.

        Raises
        ------
        DataError
            The arrays do not fit; a faulty sample is named by its row.

        Examples
        --------
        >>> data = Dataset.from_arrays("ramp", [[i / 9] for i in range(10)], [0, 1] * 5)
        >>> len(data), data.width, data.classes, len(data.part("test").labels)
        (10, 1, 2, 2)
        """
        checked = _checked_inputs(name, inputs, width)
        whole = _checked_integers(name, "labels", labels, len(checked))
        count = _checked_classes(name, whole, classes)
        groups = whole if strata is None else _checked_integers(name, "strata", strata, len(checked))
        train, validation, test = split_indices(groups)
        for array in (checked, whole, train, validation, test):
            array.setflags(write=False)
        return cls(name, checked, whole, count, train, validation, test)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """Number of values in a sample."""
        return self.inputs.shape[1]

    def indices(self, part: str) -> NDArray[np.int64]:
        """Indices of a part: "train", "validation", "test" or "train+validation"."""
        if part not in PARTS:
            raise UnknownNameError("part of a data set", part, PARTS)
        if part == "train+validation":
            return np.sort(np.concatenate([self.train, self.validation]))
        indices: NDArray[np.int64] = getattr(self, part)
        return indices

    def part(self, part: str) -> Part:
        """Inputs and labels of a part, in the order of the data set."""
        chosen = self.indices(part)
        return Part(self.inputs[chosen], self.labels[chosen])


def _checked_inputs(name: str, inputs: ArrayLike, width: int | None) -> NDArray[np.float64]:
    """A float64 copy (n, width) of the inputs."""
    array = _as_array(name, "inputs", inputs)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"data set {name!r}: inputs have shape {array.shape}; give (samples, width), images flattened")
    if array.dtype.kind not in "biuf":
        raise DataError(f"data set {name!r}: inputs are of type {array.dtype}; give real numbers in [0, 1]")
    if width is not None and array.shape[1] != width:
        raise DataError(f"data set {name!r}: inputs have width {array.shape[1]}, expected {width}")
    if len(array) < MIN_SAMPLES:
        raise DataError(f"data set {name!r}: {len(array)} samples; a split into three parts needs {MIN_SAMPLES}")
    values = array.astype(np.float64)
    row = _first_bad_row(~np.isfinite(values))
    if row is not None:
        raise DataError(f"data set {name!r}: row {row} of the inputs holds a NaN or an infinity; remove or repair it")
    row = _first_bad_row((values < 0) | (values > 1))
    if row is not None:
        low, high = values[row].min(), values[row].max()
        raise DataError(
            f"data set {name!r}: row {row} of the inputs spans {low:g} to {high:g}, allowed is 0 to 1; "
            "divide by the full scale first"
        )
    return values


def _checked_integers(name: str, what: str, given: ArrayLike, length: int) -> NDArray[np.int64]:
    """An int64 copy (n,) of labels or strata."""
    array = _as_array(name, what, given)
    if array.shape != (length,):
        raise DataError(f"data set {name!r}: {what} have shape {array.shape}; {length} inputs need ({length},)")
    if array.dtype.kind not in "biu":
        raise DataError(f"data set {name!r}: {what} are of type {array.dtype}; give integers from 0")
    return array.astype(np.int64)


def _checked_classes(name: str, labels: NDArray[np.int64], classes: int | None) -> int:
    """The number of classes, after checking every label against it."""
    count = int(labels.max()) + 1 if classes is None else int(classes)
    row = _first_bad_row((labels < 0) | (labels >= count))
    if row is not None:
        raise DataError(f"data set {name!r}: row {row} has label {labels[row]}, allowed is 0 to {count - 1}")
    if count < 2:
        raise DataError(f"data set {name!r}: {count} class; a classification needs at least 2")
    return count


def _as_array(name: str, what: str, given: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except ValueError:
        raise DataError(f"data set {name!r}: {what} are ragged; every sample needs the same width") from None


def _first_bad_row(bad: NDArray[np.bool_]) -> int | None:
    """The first row with a fault, None when there is none."""
    rows = bad if bad.ndim == 1 else bad.any(axis=1)
    return int(np.argmax(rows)) if rows.any() else None
