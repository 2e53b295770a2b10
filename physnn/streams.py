"""Random streams: the same draw for the same (seed, object, purpose, step), whatever the backend, batch split or order.

A stream is a NumPy Philox counter generator whose key is a hash of what the draw is for. Each number costs exactly one
64-bit word, so that rows of a batch can be drawn apart: samples 0..31 and 32..63 give the numbers of samples 0..63.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_WORDS_PER_COUNTER = 4


def _words(seed: int, name: str, purpose: str, step: int, count: int, first: int) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(f"{seed}\x1f{name}\x1f{purpose}\x1f{step}".encode(), digest_size=16).digest()
    bits = np.random.Philox(key=int.from_bytes(digest, "little"))
    skip = first % _WORDS_PER_COUNTER
    bits.advance(first // _WORDS_PER_COUNTER)
    return bits.random_raw(count + skip)[skip:]


def uniform(
    seed: int, name: str, purpose: str, shape: tuple[int, ...], *, step: int = 0, first_sample: int = 0
) -> NDArray[np.float64]:
    """Uniform numbers in the open interval (0, 1), shape `shape`.

    `first_sample` is the position of row 0 in the whole batch: the leading axis may be split at will.
    """
    count = math.prod(shape)
    row = math.prod(shape[1:])
    words = _words(seed, name, purpose, step, count, first_sample * row)
    # 52 bits: with 53, the half could not be added to the largest one, and 1 would be drawn.
    return (((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52).reshape(shape)


def normal(
    seed: int, name: str, purpose: str, shape: tuple[int, ...], *, step: int = 0, first_sample: int = 0
) -> NDArray[np.float64]:
    """Standard normal numbers, shape `shape`, through the inverse normal distribution function of `uniform`."""
    return ndtri(uniform(seed, name, purpose, shape, step=step, first_sample=first_sample))


def permutation(seed: int, name: str, purpose: str, count: int, *, step: int = 0) -> NDArray[np.int64]:
    """A random order of 0..count-1 [indices]."""
    return np.argsort(uniform(seed, name, purpose, (count,), step=step), kind="stable")
