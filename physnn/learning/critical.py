"""Critical modes as a memory: one look at the training data, a closed form, no gradient.

It is no `Rule`: a rule estimates a gradient from each batch for an optimiser that comes back to the data again and
again. Here every sample is seen once, its contribution to two sums is kept, and the readout follows from these sums by
one linear solution; what the modes store, they store as their couplings, pattern by pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.errors import DataError, ParameterError, ShapeError
from physnn.media.losses import check_labels
from physnn.media.oscillators.critical_frequency import effective_frequency_ratio

Real = NDArray[np.float64]
PENALTIES = tuple(10.0**power for power in range(-10, -2))
_BATCH = 2048
_BLOCK = 256
"""samples at a time whose periods are looked up: what a processor keeps close to hand"""
_KNOTS = 1 << 15


class Features(Protocol):
    """A fixed map of patterns, in front of a readout that is solved for."""

    def __call__(self, patterns: Real) -> Real:
        """(samples, J) -> (samples, features)."""
        ...


@dataclass(frozen=True)
class CriticalMemory:
    """Modes whose excitation is a matched filter; each answers with the period of its spikes.

        gamma_i / gamma_c = cr_i = c <p_i, x / |x|>,      T_i / T_0 = 1 / F(cr_i)

    A mode that has stored the pattern itself comes closest to its critical point, at cr = c, where it spikes slowest:
    a peaked, monotone answer. F is the measured frequency of the mode (`effective_frequency_ratio`).

    Parameters
    ----------
    prototypes : array (modes, J)
        Stored patterns p_i of unit length, 0 or above everywhere: the couplings from J inputs, in units of c gamma_c.
    criticality : float
        c, above 0 and below 1: beyond 1 a mode falls silent and has no period. The default did best on images held out
        of MNIST's and Fashion-MNIST's training sets, taken together (0.6 to 0.98 were tried); nearer to 1 is worse.
    law : callable
        F: cr -> omega_s / omega; `effective_frequency_ratio`, or another one for comparison.

    Raises
    ------
    ParameterError, ShapeError

    Source
    ------
    Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (26), (27) for delta = 0. The criticality
    and the readout's penalty are not stated there.
    """

    prototypes: Real
    criticality: float = 0.8
    law: Callable[[Real], Real] = effective_frequency_ratio

    def __post_init__(self) -> None:
        if np.ndim(self.prototypes) != 2:
            raise ShapeError(f"prototypes of shape {np.shape(self.prototypes)}; (modes, inputs) is needed")
        if not 0 < self.criticality < 1:
            raise ParameterError(
                f"criticality {self.criticality} must be above 0 and below 1: from 1 on a mode is silent"
            )
        if not (np.all(np.isfinite(self.prototypes)) and np.all(np.asarray(self.prototypes) >= 0)):
            raise ParameterError(
                "prototypes must be finite and at least 0: below 0 a mode decays, and answers nothing but its own omega"
            )

    @classmethod
    def stored(cls, patterns: Real, modes: int, *, criticality: float = 0.8, seed: int = 0) -> CriticalMemory:
        """A memory of patterns drawn from some, (samples, J), without replacement."""
        return cls(unit(drawn(patterns, modes, seed)), criticality)

    def criticalities(self, patterns: Real) -> Real:
        """cr of every mode, (samples, modes)."""
        return self.criticality * (unit(patterns) @ self.prototypes.T)

    def __call__(self, patterns: Real) -> Real:
        """T / T_0 of every mode, (samples, modes)."""
        answered = np.empty((len(patterns), len(self.prototypes)))
        for start in range(0, len(patterns), _BLOCK):
            answered[start : start + _BLOCK] = self._periods(self.criticalities(patterns[start : start + _BLOCK]))
        return answered

    def _periods(self, criticalities: Real) -> Real:
        """Between the knots of `_table`, along a straight line."""
        periods, rises = self._table
        place = np.clip(criticalities * ((_KNOTS - 1) / self.criticality), 0.0, _KNOTS - 1)
        knot = place.astype(np.int32)
        place -= knot
        place *= rises[knot]
        place += periods[knot]
        return np.asarray(place)

    @cached_property
    def _table(self) -> tuple[Real, Real]:
        """T / T_0 at equal distances from cr = 0 to c, and how much the next one is longer."""
        periods = 1.0 / self.law(np.linspace(0.0, self.criticality, _KNOTS))
        return periods, np.diff(periods, append=periods[-1])


@dataclass(frozen=True)
class Gaussian:
    """exp(-|x - p_i|^2 / (2 s^2)) of patterns of unit length: the machine-learning counterpart, as a control."""

    prototypes: Real
    width: float = 0.5

    def __call__(self, patterns: Real) -> Real:
        """(samples, J) -> (samples, prototypes)."""
        return np.exp((unit(patterns) @ unit(self.prototypes).T - 1.0) / self.width**2)


def linear(patterns: Real) -> Real:
    """The patterns themselves: the control without any medium."""
    return np.asarray(patterns, dtype=float)


@dataclass(frozen=True)
class OneShot:
    """Features with a linear readout: class = argmax of  weights . (1, features)."""

    features: Features
    weights: Real
    """(1 + features, classes), the intercept first"""
    penalty: float
    """share of the mean feature variance that was added to every one"""
    validation: float
    """accuracy on the held-out samples, before they were added"""

    def answers(self, patterns: Real) -> Real:
        """(samples, J) -> (samples, classes)."""
        pieces = [self.features(batch) @ self.weights[1:] + self.weights[0] for batch in _batches(patterns)]
        return np.concatenate(pieces)

    def accuracy(self, patterns: Real, labels: NDArray[np.int64]) -> float:
        """Share of the samples whose largest answer is their label's."""
        if len(labels) == 0:
            raise DataError("accuracy of no samples was asked for")
        return float(np.mean(np.argmax(self.answers(patterns), axis=1) == labels))


def learn_once(
    features: Features,
    patterns: Real,
    labels: NDArray[np.int64],
    classes: int,
    *,
    held_out: float = 1.0 / 6.0,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> OneShot:
    """Solve for the readout of some features from one pass over the data.

        W = (Z^T Z + lambda mean(diag Z^T Z) 1)^-1 Z^T Y,     Z centred, Y one column a class, 1 or 0, centred

    Both sums add up sample by sample, in float64: the features are much alike, and in float32 the matrix is no longer
    positive definite. lambda is chosen by the accuracy on samples held out at random; their sums are then added to the
    others', so that the readout that is returned knows all of them and nothing is run twice.

    Parameters
    ----------
    features : callable
    patterns : array (samples, J)
    labels : array (samples,)
    classes : int
    held_out : float
        Share of the samples that chooses lambda.
    penalties : sequence of float
        lambda to choose from. Read-out noise of 1 % asks for 1e-4 or more.
    seed : int
        Of the choice of held-out samples.

    Raises
    ------
    DataError, ParameterError, ShapeError
    """
    known = np.asarray(labels)
    check_labels(np, known, classes)
    if np.ndim(patterns) != 2 or known.shape != (len(patterns),):
        raise ShapeError(f"patterns of shape {np.shape(patterns)} and labels of shape {known.shape}: one label each")
    count = round(held_out * len(known))
    if not (0 < count < len(known) and len(penalties) and min(penalties) > 0):
        raise ParameterError(
            f"{count} of {len(known)} samples held out, penalties {tuple(penalties)}: hold out some and not all, "
            "and give penalties above 0"
        )
    order = streams.permutation(seed, "one-shot", "held out", len(known))
    aside, rest = order[:count], order[count:]
    sums = _Sums.over(features, patterns[rest], known[rest], classes)
    tried = sums.solved(penalties)
    others = _Sums.over(features, patterns[aside], known[aside], classes)
    scores = [0.0] * len(penalties)
    for start, batch in zip(range(0, count, _BATCH), _batches(patterns[aside]), strict=True):
        z = features(batch)
        right = known[aside[start : start + _BATCH]]
        for number, weights in enumerate(tried):
            scores[number] += np.sum(np.argmax(z @ weights[1:] + weights[0], axis=1) == right) / count
    best = int(np.argmax(scores))
    (weights,) = (sums + others).solved([penalties[best]])
    return OneShot(features, weights, penalties[best], float(scores[best]))


@dataclass(frozen=True)
class _Sums:
    """What one pass keeps: sums over samples of 1, z, y, z z^T and z y^T."""

    count: int
    z: Real
    y: Real
    zz: Real
    zy: Real

    @classmethod
    def over(cls, features: Features, patterns: Real, labels: NDArray[np.int64], classes: int) -> _Sums:
        total: _Sums | None = None
        for start, batch in zip(range(0, len(labels), _BATCH), _batches(patterns), strict=True):
            z, y = features(batch), np.eye(classes)[labels[start : start + _BATCH]]
            here = cls(len(z), z.sum(0), y.sum(0), z.T @ z, z.T @ y)
            total = here if total is None else total + here
        if total is None:
            raise DataError("no samples to learn from")
        return total

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.count + other.count, self.z + other.z, self.y + other.y, self.zz + other.zz, self.zy + other.zy
        )

    def solved(self, penalties: Sequence[float]) -> list[Real]:
        """Weights with their intercept, for each penalty."""
        z, y = self.z / self.count, self.y / self.count
        values, vectors = np.linalg.eigh(self.zz - self.count * np.outer(z, z))
        scale = float(np.mean(np.maximum(values, 0.0)))
        inner = vectors.T @ (self.zy - self.count * np.outer(z, y))
        found = []
        for penalty in penalties:
            weights = vectors @ (inner / (np.maximum(values, 0.0) + penalty * scale)[:, None])
            found.append(np.concatenate([(y - z @ weights)[None], weights]))
        return found


def unit(patterns: Real) -> Real:
    """Patterns of unit length, (samples, J); what is 0 everywhere stays so."""
    lengths = np.linalg.norm(patterns, axis=1, keepdims=True)
    return np.asarray(patterns / np.where(lengths == 0, 1.0, lengths))


def drawn(patterns: Real, count: int, seed: int = 0) -> Real:
    """Some of the patterns, without replacement.

    Raises
    ------
    ParameterError
        There are not as many.
    """
    if not 1 <= count <= len(patterns):
        raise ParameterError(f"{count} prototypes from {len(patterns)} patterns; 1 up to their number")
    return patterns[streams.permutation(seed, "one-shot", "prototypes", len(patterns))[:count]]


def in_reference_frame(images: Real, spread: tuple[float, float] = (0.40, 0.30)) -> Real:
    """Images brought into a common frame: centred, sheared upright, stretched to one height and width.

    The grey values, taken as weights, give each image its centre of mass and second moments. The shear that makes
    height and width uncorrelated, and the factors (0.6 to 1.5) that bring their standard deviations to `spread` of half
    the image, are undone by one bilinear interpolation. It helps strokes, and hurts clothes, whose width is their
    class.

    Parameters
    ----------
    images : array (samples, height, width)
    spread : (float, float)
        Standard deviation of grey along height and width, in halves of the image.
    """
    if images.ndim != 3:
        raise ShapeError(f"images of shape {images.shape}; (samples, height, width) is needed")
    return np.concatenate([_framed(batch, spread) for batch in _batches(images)])


def _framed(images: Real, spread: tuple[float, float]) -> Real:
    height, width = images.shape[1:]
    rows, columns = (_axis(n)[None, :] for n in (height, width))
    by_row, by_column = images.sum(2), images.sum(1)
    mass = np.maximum(by_row.sum(1), 1e-12)
    y, x = np.sum(by_row * rows, 1) / mass, np.sum(by_column * columns, 1) / mass
    dy, dx = rows - y[:, None], columns - x[:, None]
    var_y = np.sum(by_row * dy**2, 1) / mass
    var_x = np.sum(by_column * dx**2, 1) / mass
    joint = np.einsum("nhw,nh,nw->n", images, dy, dx, optimize=True) / mass
    shear = joint / np.maximum(var_y, 1e-6)
    upright = np.maximum(var_x - shear * joint, 1e-6)
    tall = np.clip(np.sqrt(np.maximum(var_y, 1e-6)) / spread[0], 0.6, 1.5)
    wide = np.clip(np.sqrt(upright) / spread[1], 0.6, 1.5)
    # Where each pixel of the new image lies in the old one, in halves of the image, then in pixels.
    at_y = y[:, None, None] + tall[:, None, None] * rows[:, :, None]
    at_x = (
        x[:, None, None] + wide[:, None, None] * columns[:, None, :] + shear[:, None, None] * (at_y - y[:, None, None])
    )
    at_y = np.broadcast_to(at_y, at_x.shape)
    return _interpolated(images, (at_y + 1) * height / 2 - 0.5, (at_x + 1) * width / 2 - 0.5)


def _axis(n: int) -> Real:
    """Middles of n pixels, from -1 to 1."""
    return (2 * np.arange(n) + 1) / n - 1


def _interpolated(images: Real, y: Real, x: Real) -> Real:
    """Bilinear values at fractional pixels, 0 outside."""
    count, height, width = images.shape
    padded = np.zeros((count, height + 2, width + 2))
    padded[:, 1:-1, 1:-1] = images
    y, x = np.clip(y + 1, 0, height + 1 - 1e-9), np.clip(x + 1, 0, width + 1 - 1e-9)
    row, column = y.astype(int), x.astype(int)
    y, x = y - row, x - column
    start = np.arange(count)[:, None, None] * padded[0].size + row * (width + 2) + column
    flat = padded.ravel()
    upper = flat[start] * (1 - x) + flat[start + 1] * x
    lower = flat[start + width + 2] * (1 - x) + flat[start + width + 3] * x
    return np.asarray(upper * (1 - y) + lower * y)


def averaged(images: Real, side: int) -> Real:
    """Images (samples, height, width) as patterns (samples, side * side): means over square blocks.

    Raises
    ------
    ShapeError
        The side does not divide height and width.
    """
    if images.ndim != 3 or images.shape[1] % side or images.shape[2] % side:
        raise ShapeError(f"images of shape {images.shape} do not divide into {side} x {side} blocks")
    count, height, width = images.shape
    blocks = images.reshape(count, side, height // side, side, width // side)
    return blocks.mean(axis=(2, 4)).reshape(count, side * side)


def _batches(rows: Real) -> Iterator[Real]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
