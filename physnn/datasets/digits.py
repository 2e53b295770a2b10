"""The embedded handwritten digits: 1797 images of 8 x 8 pixels, and the same images by odd or even.

The images are the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998, UCI
Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0), as scikit-learn's `load_digits` serves
them: each pixel counts the ink in a 4 x 4 block of a 32 x 32 bitmap, 0 to 16. `digits.npz` holds them unchanged as
8-bit integers: `images` (1797, 64), rows of pixels from top left, and `labels` (1797,). The pixels are divided by 16
when loaded.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from physnn.datasets.dataset import Dataset

FULL_SCALE = 16
"""The ink count of a full block: the largest pixel."""


def digits() -> Dataset:
    """Ten classes: which digit. Inputs (1797, 64)."""
    images, labels = _embedded()
    return Dataset.from_arrays("digits", images / FULL_SCALE, labels, 10)


def digits_parity() -> Dataset:
    """Two classes: digit % 2, 1 for odd. The split is by digit, so it is the split of `digits`. Inputs (1797, 64)."""
    images, labels = _embedded()
    return Dataset.from_arrays("digits-parity", images / FULL_SCALE, labels % 2, 2, strata=labels)


def _embedded() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (1797, 64) and digits (1797,) of the package's own file."""
    with (
        files("physnn.datasets").joinpath("digits.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as arrays,
    ):
        return arrays["images"], arrays["labels"]
