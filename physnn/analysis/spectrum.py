"""Spectra, effective frequencies, harmonics, instantaneous phase and wavelength of recorded signals.

Signals are real arrays; time (or space) runs along the last axis unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.errors import ParameterError, ShapeError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes of a signal by frequency."""

    frequencies: Array
    """[Hz], (bins,)"""
    amplitudes: Array
    """(..., bins): a sinusoid A cos(2 pi f t) gives A at its bin"""


def amplitude_spectrum(signal: ArrayLike, step: float) -> Spectrum:
    """Amplitudes by discrete Fourier transform under a Hann window, the mean taken out.

    Parameters
    ----------
    signal : array
        (..., times)
    step : float
        Time between samples [s].
    """
    values = _sampled(signal, step, 4)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(values.shape[-1]) / values.shape[-1])
    swings = values - np.mean(values, axis=-1, keepdims=True)
    amplitudes = 2 * np.abs(np.fft.rfft(swings * window, axis=-1)) / np.sum(window)
    return Spectrum(np.fft.rfftfreq(values.shape[-1], step).astype(float), amplitudes)


@dataclass(frozen=True)
class Peaks:
    """The strongest peaks of a spectrum, strongest first."""

    frequencies: Array
    """[Hz]"""
    amplitudes: Array


def peaks(signal: ArrayLike, step: float, count: int = 1, band: tuple[float, float] | None = None) -> Peaks:
    """Frequencies between the bins of `amplitude_spectrum`: a parabola through the logarithms of three bins.

    For one sinusoid the error is below 0.02 bins of 1/(samples step), that of the amplitude below 4 %.

    Parameters
    ----------
    signal : array
        (times,)
    step : float
        [s]
    count : int
        How many; fewer where there are fewer.
    band : (low, high), optional
        Only peaks between these frequencies [Hz].
    """
    if np.ndim(signal) != 1:
        raise ShapeError(f"peaks of a signal of shape {np.shape(signal)}; one signal (times,) is needed")
    spectrum = amplitude_spectrum(signal, step)
    height = spectrum.amplitudes
    low, high = band if band is not None else (0.0, np.inf)
    middle = np.arange(1, len(height) - 1)
    found = middle[(height[middle] > height[middle - 1]) & (height[middle] >= height[middle + 1])]
    found = found[(spectrum.frequencies[found] >= low) & (spectrum.frequencies[found] <= high)]
    found = found[np.argsort(-height[found], kind="stable")][:count]
    with np.errstate(divide="ignore"):
        before, here, after = (np.log(height[found + k]) for k in (-1, 0, 1))
    shift = 0.5 * (before - after) / (before - 2 * here + after)
    frequencies = (found + shift) * spectrum.frequencies[1]
    return Peaks(frequencies, np.exp(here - 0.25 * (before - after) * shift))


def crossing_times(signal: ArrayLike, step: float, level: float = 0.0) -> Array:
    """When a signal (times,) rises through a level, by linear interpolation [s]."""
    values = _sampled(signal, step, 2)
    if values.ndim != 1:
        raise ShapeError(f"crossings of a signal of shape {values.shape}; one signal (times,) is needed")
    before = np.flatnonzero((values[:-1] < level) & (values[1:] >= level))
    return step * (before + (level - values[before]) / (values[before + 1] - values[before]))


def phase_crossing_times(phase: ArrayLike, step: float, level: float = 1.0) -> Array:
    """When a phase (times,), wrapped or not, first passes level + 2 pi n, for each n in turn [s]."""
    values = _sampled(phase, step, 2)
    if values.ndim != 1:
        raise ShapeError(f"crossings of a phase of shape {values.shape}; one phase (times,) is needed")
    # What was passed before, turned back and passed again is no new cycle.
    cycles = np.maximum.accumulate((np.unwrap(values) - level) / (2 * np.pi))
    first, last = int(np.floor(cycles[0])) + 1, int(np.floor(cycles[-1]))
    wanted = np.arange(first, last + 1)
    after = np.searchsorted(cycles, wanted, side="left")
    before = after - 1
    return step * (before + (wanted - cycles[before]) / (cycles[after] - cycles[before]))


def effective_frequency(phase: ArrayLike, step: float, level: float = 1.0, start: float = 0.0) -> Array:
    """Mean angular frequency over whole cycles [rad/s]: 2 pi (crossings - 1) / (last crossing - first).

    Relaxation oscillators move unevenly along a cycle, so that a mean over any other length is wrong by up to a cycle.

    Parameters
    ----------
    phase : array
        (..., times) [rad], wrapped or not; cycles are counted where it passes level + 2 pi n.
    step : float
        [s]
    start : float
        Leave out what comes before this time [s].

    Returns
    -------
    array
        (...): 0 where there is no whole cycle, negative where the phase runs backwards.
    """
    values = _sampled(phase, step, 2)
    kept = np.unwrap(values[..., round(start / step) :], axis=-1)
    found = np.empty(kept.shape[:-1])
    for index in np.ndindex(found.shape):
        backwards = kept[index][-1] < kept[index][0]
        times = phase_crossing_times(-kept[index] if backwards else kept[index], step, -level if backwards else level)
        found[index] = 2 * np.pi * (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        found[index] *= -1.0 if backwards else 1.0
    return found


def harmonic_amplitudes(signal: ArrayLike, step: float, fundamental: float, count: int) -> Array:
    """Amplitudes of a periodic signal's fundamental and harmonics, by least squares over the last whole periods.

    The signal is fitted by a constant and sinusoids of 1 .. count times the fundamental.

    Parameters
    ----------
    signal : array
        (..., times), settled; as many whole periods as there are, to the nearest sample, are used.
    step : float
        [s]
    fundamental : float
        [Hz]
    count : int
        Of amplitudes, the fundamental's among them.

    Returns
    -------
    array
        (..., count)

    Raises
    ------
    ParameterError
        There is no whole period, or the harmonics are beyond half the sampling rate.
    """
    values = _sampled(signal, step, 2)
    periods = int(np.floor(values.shape[-1] * step * fundamental * (1 + 1e-9)))
    if periods < 1 or count < 1 or count * fundamental >= 0.5 / step:
        raise ParameterError(
            f"{count} harmonics of {fundamental} Hz in {values.shape[-1]} samples {step} s apart: a whole period and "
            "harmonics below half the sampling rate are needed"
        )
    length = min(round(periods / (fundamental * step)), values.shape[-1])
    angle = 2 * np.pi * fundamental * step * np.outer(np.arange(length), np.arange(1, count + 1))
    basis = np.concatenate([np.ones((length, 1)), np.cos(angle), np.sin(angle)], axis=1)
    flat = values[..., -length:].reshape(-1, length)
    fitted = np.linalg.lstsq(basis, flat.T, rcond=None)[0]
    amplitudes = np.hypot(fitted[1 : count + 1], fitted[count + 1 :])
    return amplitudes.T.reshape(*values.shape[:-1], count)


def harmonic_level(signal: ArrayLike, step: float, fundamental: float, order: int) -> Array:
    """The n-th harmonic relative to the fundamental, 20 log10(A_n/A_1) [dB], (...)."""
    amplitudes = harmonic_amplitudes(signal, step, fundamental, order)
    with np.errstate(divide="ignore"):
        return 20 * np.log10(amplitudes[..., order - 1] / amplitudes[..., 0])


def harmonic_distortion(signal: ArrayLike, step: float, fundamental: float, count: int = 10) -> Array:
    """Total harmonic distortion, sqrt(A_2^2 + ... + A_count^2)/A_1, (...)."""
    amplitudes = harmonic_amplitudes(signal, step, fundamental, count)
    return np.linalg.norm(amplitudes[..., 1:], axis=-1) / amplitudes[..., 0]


def instantaneous_phase(signal: ArrayLike, axis: int = -1) -> Array:
    """Unwrapped phase of the analytic signal along an axis (Hilbert transform), the mean taken out [rad]."""
    values = np.asarray(signal, dtype=float)
    swings = values - np.mean(values, axis=axis, keepdims=True)
    from scipy.signal import hilbert  # loads half of scipy, which importing this package should not

    return np.unwrap(np.angle(hilbert(swings, axis=axis)), axis=axis)


def instantaneous_wavelength(field: ArrayLike, spacing: float = 1.0, axis: int = -1) -> Array:
    """2 pi / |d phase / dx| along an axis of a field, shape of the field [unit of `spacing`].

    Good where the wave has several periods on the axis and its wavelength varies slowly; ends are off by the window's
    edge. Infinite where the phase stands still.
    """
    slope = np.gradient(instantaneous_phase(field, axis), spacing, axis=axis)
    with np.errstate(divide="ignore"):
        return 2 * np.pi / np.abs(slope)


def _sampled(signal: ArrayLike, step: float, least: int) -> Array:
    values = np.asarray(signal, dtype=float)
    if values.ndim < 1 or values.shape[-1] < least:
        raise ShapeError(f"a signal of shape {values.shape}; at least {least} samples along the last axis are needed")
    if not (np.isfinite(step) and step > 0):
        raise ParameterError(f"a sampling step of {step} s; it must be finite and above 0")
    return values
