"""Readouts and losses: functionals of a trace. Each gives a value and its cotangent at all recorded times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from physnn.equations import Trace
from physnn.errors import DataError, UnknownNameError

Array = Any


@dataclass(frozen=True)
class Readout:
    """What is read from a network: y = the observed signal at the end ("last"), or its mean over time ("mean")."""

    population: str
    expression: str = "x"
    kind: str = "last"
    port: str = "y"

    def __post_init__(self) -> None:
        if self.kind not in ("last", "mean"):
            raise UnknownNameError("readout", self.kind, ("last", "mean"))

    def read(self, xp: Any, trace: Trace) -> Array:
        """y, shape (batch, *shape)."""
        signal = trace.outputs[self.port]
        return signal[:, -1, ...] if self.kind == "last" else xp.mean(signal, axis=1)

    def pull_back(self, xp: Any, trace: Trace, cotangent: Array) -> dict[str, Array]:
        """dL/d signal at all recorded times from dL/dy: port -> (batch, times, *shape)."""
        signal = trace.outputs[self.port]
        times = signal.shape[1]
        if times == 1:
            return {self.port: cotangent[:, None, ...]}
        if self.kind == "mean":
            return {self.port: xp.stack([cotangent / times] * times, axis=1)}
        spread = xp.zeros_like(signal)
        spread[:, -1, ...] = cotangent
        return {self.port: spread}


@dataclass(frozen=True)
class SquaredError:
    """L = mean over the batch of 1/2 |y - y*|^2 summed over outputs: the mismatch at the output boundary.

    A class label becomes the target +`level` at its own output and -`level` at the others, inside the range of tanh.
    """

    level: float = 0.8

    def targets(self, xp: Any, labels: Array, classes: int) -> Array:
        """Labels (batch,) as target amplitudes (batch, classes)."""
        return self.level * (2.0 * one_hot(xp, labels, classes) - 1.0)

    def __call__(self, xp: Any, y: Array, targets: Array) -> tuple[float, Array]:
        """The loss and dL/dy, the reflected wave at the output boundary."""
        mismatch = y - targets
        return float(0.5 * xp.sum(mismatch * mismatch)) / y.shape[0], mismatch / y.shape[0]


@dataclass(frozen=True)
class CrossEntropy:
    """L = mean over the batch of -log softmax(gain y)[label]; `gain` makes small wave amplitudes decisive."""

    gain: float = 1.0

    def targets(self, xp: Any, labels: Array, classes: int) -> Array:
        """Labels (batch,) as probabilities (batch, classes)."""
        return one_hot(xp, labels, classes)

    def __call__(self, xp: Any, y: Array, targets: Array) -> tuple[float, Array]:
        """The loss and dL/dy."""
        logits = self.gain * y
        shifted = logits - xp.max(logits, axis=-1, keepdims=True)
        log_norm = xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
        loss = -float(xp.sum(targets * (shifted - log_norm))) / y.shape[0]
        return loss, self.gain * (xp.exp(shifted - log_norm) - targets) / y.shape[0]


LOSSES: dict[str, type[SquaredError] | type[CrossEntropy]] = {"squared": SquaredError, "cross-entropy": CrossEntropy}


def one_hot(xp: Any, labels: Array, classes: int) -> Array:
    """Labels (batch,) -> (batch, classes) of zeros and ones.

    Raises
    ------
    DataError
        There is no label, or one is not a whole number of 0..classes-1.
    """
    if labels.ndim != 1 or labels.shape[0] == 0 or "int" not in str(labels.dtype):
        given = f"labels have shape {tuple(labels.shape)} and type {labels.dtype}"
        raise DataError(f"{given}; one whole number a sample is needed")
    lowest, highest = int(xp.min(labels)), int(xp.max(labels))
    if lowest < 0 or highest >= classes:
        raise DataError(f"labels run from {lowest} to {highest}; allowed are 0..{classes - 1}")
    return xp.eye(classes, dtype=xp.float64)[xp.asarray(labels, dtype=xp.int64)]
