"""Losses: what an answer is held against. Each gives its value and dL/dy, the wave that is reflected there.

An answer y has its classes on the last axis and the samples on the first: (batch, classes) where a sample has one
label, (batch, *positions, classes) where each of its positions (the pixels of an image) has one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from physnn.equations.operators import is_complex
from physnn.errors import DataError, ParameterError, ShapeError

Array = Any


@dataclass(frozen=True)
class SquaredError:
    """L = mean over the batch of 1/2 |y - y*|^2 summed over outputs: the mismatch at the output boundary.

    A class label becomes the target `level` at its own output and `low` at the others, the defaults inside the range of
    tanh: 1 and 0 for outputs that are at least 0, such as sigmoid's.

    Parameters
    ----------
    level : float
    low : float, optional
        -`level` where not given; other than `level`, or classes could not be told apart.

    Raises
    ------
    ParameterError

    Examples
    --------
    >>> import numpy as np
    >>> SquaredError(0.5, -0.1).targets(np, np.array([1, 0]), 2)
    array([[-0.1,  0.5],
           [ 0.5, -0.1]])
    """

    level: float = 0.8
    low: float | None = None

    def __post_init__(self) -> None:
        if not (_is_finite(self.level) and (self.low is None or _is_finite(self.low)) and self._others != self.level):
            raise ParameterError(
                f"a squared error with targets {self.level!r} and {self._others!r}: they must be two different finite "
                "numbers"
            )

    def targets(self, xp: Any, labels: Array, classes: int) -> Array:
        """Labels (batch, *positions) as target amplitudes (batch, *positions, classes)."""
        own = one_hot(xp, labels, classes)
        return self.level * own + self._others * (1.0 - own)

    @property
    def _others(self) -> float:
        return -self.level if self.low is None else self.low

    def __call__(self, xp: Any, y: Array, targets: Array) -> tuple[float, Array]:
        """The loss and dL/dy, the reflected wave at the output boundary."""
        _check(y, targets)
        mismatch = y - targets
        return float(0.5 * xp.sum(mismatch * mismatch)) / y.shape[0], mismatch / y.shape[0]


@dataclass(frozen=True)
class CrossEntropy:
    """L = mean of -log softmax(gain y)[label] over the batch, and over the positions where each has a label.

    `gain` makes small wave amplitudes decisive. With `smoothing` s the targets are 1 - s + s/classes at the own output
    and s/classes at the others, and L = mean of -sum targets log softmax(gain y): answers need not grow without bound.

    Raises
    ------
    ParameterError

    Source
    ------
    Smoothed labels: Szegedy et al., "Rethinking the Inception architecture" (2016), section 7.
    """

    gain: float = 1.0
    smoothing: float = 0.0
    """at least 0, below 1"""

    def __post_init__(self) -> None:
        if not (_is_finite(self.smoothing) and 0 <= self.smoothing < 1):
            raise ParameterError(
                f"a cross-entropy with smoothing {self.smoothing!r}: it must be at least 0 and below 1; 0.05 to 0.1 is "
                "usual"
            )

    def targets(self, xp: Any, labels: Array, classes: int) -> Array:
        """Labels (batch, *positions) as probabilities (batch, *positions, classes)."""
        own = one_hot(xp, labels, classes)
        return own if self.smoothing == 0 else (1.0 - self.smoothing) * own + self.smoothing / classes

    def __call__(self, xp: Any, y: Array, targets: Array) -> tuple[float, Array]:
        """The loss and dL/dy."""
        _check(y, targets)
        logits = self.gain * y
        shifted = logits - xp.max(logits, axis=-1, keepdims=True)
        log_norm = xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
        count = math.prod(y.shape[:-1])
        loss = -float(xp.sum(targets * (shifted - log_norm))) / count
        return loss, self.gain * (xp.exp(shifted - log_norm) - targets) / count


LOSSES: dict[str, type[SquaredError] | type[CrossEntropy]] = {"squared": SquaredError, "cross-entropy": CrossEntropy}


def one_hot(xp: Any, labels: Array, classes: int) -> Array:
    """Labels (batch, *positions) -> (batch, *positions, classes) of zeros and ones.

    Raises
    ------
    DataError
        There is no label, or one is not a whole number of 0..classes-1.
    """
    check_labels(xp, labels, classes)
    return xp.eye(classes, dtype=xp.float64)[xp.asarray(labels, dtype=xp.int64)]


def check_labels(xp: Any, labels: Array, classes: int) -> None:
    """Whether every label is a whole number of 0..classes-1.

    Raises
    ------
    DataError
    """
    if labels.ndim == 0 or 0 in labels.shape or "int" not in str(labels.dtype):
        given = f"labels have shape {tuple(labels.shape)} and type {labels.dtype}"
        raise DataError(f"{given}; one whole number a sample, or one at each of its positions, is needed")
    lowest, highest = int(xp.min(labels)), int(xp.max(labels))
    if lowest < 0 or highest >= classes:
        raise DataError(f"labels run from {lowest} to {highest}; allowed are 0..{classes - 1}")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _check(y: Array, targets: Array) -> None:
    if is_complex(y):
        raise DataError(
            "the answer is complex, and a loss compares real numbers; read its re, im or abs, or demodulate"
        )
    if tuple(y.shape) != tuple(targets.shape):
        raise ShapeError(
            f"the answer has shape {tuple(y.shape)}, its targets {tuple(targets.shape)}; both are (batch, classes), or "
            "(batch, *positions, classes): a head with PerPixel brings the channels of a sheet to the last axis"
        )
