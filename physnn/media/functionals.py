"""Functionals of a recorded wave: what is taken from all its times, and how a cotangent returns to each of them.

Each offers `read`, the value y of a wave x(t_n), and `pull_back`, dL/dx(t_n) at all recorded times from dL/dy. They act
on every element of the population by itself. None has anything to learn: a trainable map of time is the layer
`physnn.media.heads.LinearInTime`, behind the functional `Whole`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from physnn.equations.operators import alike, is_complex
from physnn.errors import EquationError, ParameterError, UnknownNameError

Array = Any


@dataclass(frozen=True)
class Wave:
    """A recorded signal and the times of its entries, t_n = start + n step."""

    values: Array
    """(batch, times, *shape)"""
    start: float
    """[s, model time]"""
    step: float
    """[s, model time]; 0 where the one entry is a stationary state"""


class Functional(Protocol):
    """What turns a wave into a value."""

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, *shape) or (batch, features, *shape)."""
        ...

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """dL/d wave, (batch, times, *shape), from dL/dy."""
        ...


@dataclass(frozen=True)
class Last:
    """y = x(t_N): the end of the run, or the stationary state."""

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, *shape)."""
        return wave.values[:, -1, ...]

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """The cotangent at the last entry, 0 before it."""
        if wave.values.shape[1] == 1:
            return cotangent[:, None, ...]
        spread = xp.zeros_like(wave.values)
        spread[:, -1, ...] = cotangent
        return spread


@dataclass(frozen=True)
class Mean:
    """y = (1/N) sum_n x(t_n)."""

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, *shape)."""
        return xp.mean(wave.values, axis=1)

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """An equal share for every entry."""
        times = wave.values.shape[1]
        return cotangent[:, None, ...] if times == 1 else xp.stack([cotangent / times] * times, axis=1)


@dataclass(frozen=True)
class Maximum:
    """y = max_n x(t_n) of a real signal; where several entries are largest, the first one counts."""

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, *shape)."""
        _check_real(wave, "the maximum")
        return xp.max(wave.values, axis=1)

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """The cotangent at the first maximum, 0 elsewhere."""
        x = wave.values
        number = _along_time(xp, np.arange(x.shape[1]), x)
        late = xp.where(x == xp.max(x, axis=1, keepdims=True), number, number + x.shape[1])
        first = late == xp.min(late, axis=1, keepdims=True)
        return xp.where(first, cotangent[:, None, ...], xp.zeros_like(x))


@dataclass(frozen=True)
class Spectrum:
    """y_k = |sum_n x(t_n) exp(-2 pi i k n/N)|, k = 0..N//2, of a real signal: the magnitudes of its Fourier transform.

    Bin k belongs to the frequency k/(N step) [Hz]. The slope of a magnitude that is 0 is taken as 0.
    """

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, N//2 + 1, *shape)."""
        _check_real(wave, "a spectrum")
        return xp.abs(xp.fft.rfft(wave.values, axis=1))

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """dL/dx_n = Re sum_k dL/dy_k X_k/|X_k| exp(2 pi i k n/N)."""
        x = wave.values
        amplitude = xp.fft.rfft(x, axis=1)
        size = xp.abs(amplitude)
        waves = cotangent * amplitude / xp.where(size > 0, size, xp.ones_like(size))
        upper = xp.zeros_like(amplitude[:, 1 : x.shape[1] - size.shape[1] + 1])  # bins that repeat the lower ones
        return xp.real(xp.fft.ifft(xp.concat([waves, upper], axis=1), axis=1)) * x.shape[1]


@dataclass(frozen=True)
class Whole:
    """y = x(t_n) at all times: what a head with a layer over time (`LinearInTime`) takes."""

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, times, *shape)."""
        return wave.values

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """The cotangent itself."""
        return cotangent


PARTS = ("re", "im", "abs", "phase")


@dataclass(frozen=True)
class Demodulated:
    """The complex amplitude a of x(t) = c + Re(a exp(i(omega t + phase))) over the last whole periods of a run.

        Re a = (2/N) sum_n x(t_n) cos(omega t_n + phase),     Im a = -(2/N) sum_n x(t_n) sin(omega t_n + phase)

    These sums are right where the N entries fill whole periods; the least-squares fit of a and of the constant c that
    is made here equals them then, and stays right for a pure tone where the step does not divide the period.

    Parameters
    ----------
    omega : float
        Angular frequency of the carrier [rad/s, model time].
    phase : float
        Phase of the reference [rad].
    part : str
        "re", "im", "abs" or "phase" (in (-pi, pi]) of a. Where a is 0 the slopes of "abs" and "phase" are taken as 0.
    """

    omega: float
    phase: float = 0.0
    part: str = "re"

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise UnknownNameError("part of a demodulated amplitude", self.part, PARTS)
        numbers = isinstance(self.omega, Real) and isinstance(self.phase, Real)
        if not (numbers and math.isfinite(self.omega) and self.omega > 0 and math.isfinite(self.phase)):
            raise ParameterError(
                f"demodulation at {self.omega!r} rad/s with the phase {self.phase!r}: the frequency must be above 0, "
                "and both be finite numbers"
            )

    def read(self, xp: Any, wave: Wave) -> Array:
        """y, (batch, *shape)."""
        real, imaginary = self._amplitude(xp, wave)
        if self.part == "abs":
            return xp.hypot(real, imaginary)
        if self.part == "phase":
            return xp.atan2(imaginary, real)
        return real if self.part == "re" else imaginary

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """The cotangent, carried by the reference wave."""
        real, imaginary = self._amplitude(xp, wave)
        to_real, to_imaginary = _along_time(xp, self._weights(wave), wave.values)
        if self.part == "re":
            return cotangent[:, None, ...] * to_real
        if self.part == "im":
            return cotangent[:, None, ...] * to_imaginary
        power = real * real + imaginary * imaginary
        power = xp.where(power > 0, power, xp.ones_like(power))
        if self.part == "abs":
            slopes = real / power**0.5, imaginary / power**0.5
        else:
            slopes = -imaginary / power, real / power
        along_real, along_imaginary = ((cotangent * slope)[:, None, ...] for slope in slopes)
        return along_real * to_real + along_imaginary * to_imaginary

    def _amplitude(self, xp: Any, wave: Wave) -> tuple[Array, Array]:
        """Re a and Im a, (batch, *shape) each."""
        _check_real(wave, "demodulation")
        real, imaginary = _along_time(xp, self._weights(wave), wave.values)
        return xp.sum(wave.values * real, axis=1), xp.sum(wave.values * imaginary, axis=1)

    def _weights(self, wave: Wave) -> NDArray[np.float64]:
        """(2, times): what each entry contributes to Re a and to Im a."""
        times, turn = wave.values.shape[1], self.omega * wave.step / (2 * math.pi)
        _check_moving(wave, "demodulation")
        periods = math.floor(times * turn + 1e-9)  # rounding must not cost a period that is just complete
        if periods < 1 or turn >= 0.5:
            raise ParameterError(
                f"demodulation at {self.omega:g} rad/s of {times} entries {wave.step:g} s apart: they must last for "
                f"one period, {2 * math.pi / self.omega:g} s, with more than two entries in it"
            )
        taken = min(round(periods / turn), times)
        angle = self.omega * (wave.start + wave.step * np.arange(times - taken, times)) + self.phase
        tone = np.stack([np.cos(angle), -np.sin(angle), np.ones(taken)], axis=1)
        weights = np.zeros((2, times))
        weights[:, times - taken :] = np.linalg.pinv(tone)[:2]
        return weights


@dataclass(frozen=True)
class EffectiveFrequency:
    """f = whole cycles / their time [Hz], from the rising crossings of `level`, found by linear interpolation:

        t_n* = t_n + step (level - x_n)/(x_(n+1) - x_n),     f = (crossings - 1)/(t_last* - t_first*)

    Its slope follows from the crossing times, dt* = -dx/x'(t*). With less than two crossings f and its slope are 0.
    """

    level: float = 0.0
    """in the unit of the signal"""

    def __post_init__(self) -> None:
        if not (isinstance(self.level, Real) and math.isfinite(self.level)):
            raise ParameterError(f"an effective frequency: level {self.level!r} must be a finite number")

    def read(self, xp: Any, wave: Wave) -> Array:
        """f, (batch, *shape)."""
        return self._measured(xp, wave)[0]

    def pull_back(self, xp: Any, wave: Wave, cotangent: Array) -> Array:
        """Cotangents on either side of the first and of the last crossing."""
        x = wave.values
        frequency, span, first, last, rise = self._measured(xp, wave)
        pull = (-cotangent * frequency / span)[:, None, ...] * (last - first)
        spread = xp.zeros_like(x)
        spread[:, :-1, ...] += pull * wave.step * (self.level - x[:, 1:, ...]) / (rise * rise)
        spread[:, 1:, ...] += pull * wave.step * (x[:, :-1, ...] - self.level) / (rise * rise)
        return spread

    def _measured(self, xp: Any, wave: Wave) -> tuple[Array, ...]:
        """f, the time of its cycles, the first and the last crossing (1 there, 0 elsewhere), and the rise there."""
        _check_real(wave, "an effective frequency")
        _check_moving(wave, "an effective frequency")
        before, after = wave.values[:, :-1, ...], wave.values[:, 1:, ...]
        zero, one = xp.zeros_like(before), xp.ones_like(before)
        rising = (before < self.level) & (after >= self.level)
        rise = xp.where(rising, after - before, one)
        number = _along_time(xp, np.arange(before.shape[1]), before)
        # Counted from 1, so that an element without a crossing has its first and last one at no entry.
        first = xp.where(rising, before.shape[1] - number, zero)
        last = xp.where(rising, 1 + number, zero)
        first = xp.where(rising & (first == xp.max(first, axis=1, keepdims=True)), one, zero)
        last = xp.where(rising & (last == xp.max(last, axis=1, keepdims=True)), one, zero)
        crossing = wave.step * (number + (self.level - before) / rise)
        span = xp.sum(crossing * last, axis=1) - xp.sum(crossing * first, axis=1)
        span = xp.where(span > 0, span, xp.ones_like(span))
        cycles = xp.sum(xp.where(rising, one, zero), axis=1) - 1
        return xp.where(cycles > 0, cycles, xp.zeros_like(cycles)) / span, span, first, last, rise


FUNCTIONALS: dict[str, type[Last] | type[Mean] | type[Maximum] | type[Spectrum] | type[Whole]] = {
    "last": Last,
    "mean": Mean,
    "max": Maximum,
    "fft": Spectrum,
    "whole": Whole,
}
"""Name -> functional, of those that need no parameters."""


def _along_time(xp: Any, values: NDArray, like: Array) -> Array:
    """Numbers (..., times) as arrays that broadcast against a wave's values, (..., 1, times, 1, ...)."""
    shape = (*values.shape[:-1], 1, values.shape[-1], *(1,) * (like.ndim - 2))
    return alike(xp, np.reshape(values, shape), like)


def _check_real(wave: Wave, what: str) -> None:
    if is_complex(wave.values):
        raise EquationError(f"{what} needs a real signal, and this one is complex; read its re, im or abs")


def _check_moving(wave: Wave, what: str) -> None:
    if wave.step == 0 or wave.values.shape[1] < 2:
        raise ParameterError(f"{what} needs a run in time; a stationary state or a single entry has none")
