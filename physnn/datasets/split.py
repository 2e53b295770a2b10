"""The split of every data set: stratified 60 / 20 / 20 from a fixed seed, the same on every machine, in every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from physnn import streams

SPLIT_SEED = 0
FIFTHS = 5
"""One fifth of the samples tests, one validates, three train."""
MIN_SAMPLES = FIFTHS
"""Fewer leave a part empty."""


def split_indices(strata: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Indices (each ascending) of the training, validation and test samples.

    ceil(n / 5) samples test, floor(n / 5) validate, the rest train. Each stratum gives its share of a part, rounded so
    that the shares sum to the part (largest remainder). Within a stratum the samples stand in the order of one random
    number per sample.

    Parameters
    ----------
    strata
        (n,) which group each sample belongs to, n >= `MIN_SAMPLES`.
    """
    total = len(strata)
    draws = streams.uniform(SPLIT_SEED, "dataset", "split", (total,))
    groups, sizes = np.unique(strata, return_counts=True)
    tests = _apportion(-(-total // FIFTHS), sizes)
    validations = _apportion(total // FIFTHS, sizes - tests)
    part = np.zeros(total, dtype=np.int64)
    for group, test, validation in zip(groups, tests, validations, strict=True):
        members = np.flatnonzero(strata == group)
        members = members[np.argsort(draws[members], kind="stable")]
        part[members[:test]] = 2
        part[members[test : test + validation]] = 1
    train, valid, tested = (np.flatnonzero(part == index) for index in range(3))
    return train, valid, tested


def _apportion(seats: int, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Seats for each group in proportion to its size, by largest remainder; the first of equal groups goes first."""
    quotas = seats * sizes / sizes.sum()
    shares = np.floor(quotas).astype(np.int64)
    remainders = np.argsort(shares - quotas, kind="stable")
    shares[remainders[: seats - int(shares.sum())]] += 1
    return shares
