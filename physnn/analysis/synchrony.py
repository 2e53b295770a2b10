"""How oscillators keep together: order parameter, locking, time to synchronise, jitter.

Phases are arrays (oscillators, times) [rad], wrapped or not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.analysis.spectrum import effective_frequency, phase_crossing_times
from physnn.errors import ParameterError, ShapeError

Array = NDArray[np.float64]


def order_parameter(phases: ArrayLike) -> Array:
    """Kuramoto's  R(t) = |mean over oscillators of exp(i phi)|, (times,): 1 in phase, about 1/sqrt(N) at random."""
    return np.abs(np.mean(np.exp(1j * _phases(phases)), axis=0))


def synchronisation_time(order: ArrayLike, step: float, level: float = 0.95) -> float:
    """When the order parameter (times,) was below `level` for the last time [s].

    0 where it never was, inf where it still is at the end.
    """
    below = np.flatnonzero(np.asarray(order) < level)
    if not len(below):
        return 0.0
    return float("inf") if below[-1] == np.size(order) - 1 else float(below[-1] * step)


def frequency_spread(frequencies: ArrayLike) -> float:
    """Standard deviation of effective frequencies over the modulus of their mean.

    nan where all are silent, inf where they cancel.
    """
    values = np.asarray(frequencies, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(np.std(values), np.abs(np.mean(values))))


def locked(phases: ArrayLike, step: float, start: float = 0.0, tolerance: float = 0.01) -> bool:
    """Whether all oscillators turn equally fast after `start` [s]: spread of effective frequencies below `tolerance`.

    Silent oscillators are not locked.
    """
    return frequency_spread(effective_frequency(_phases(phases), step, start=start)) < tolerance


def spike_jitter(phases: ArrayLike, step: float, level: float = 1.0, start: float = 0.0) -> float:
    """Root mean square deviation of spike times between oscillators, cycle by cycle [s].

    A spike is a passage of level + 2 pi n. Each oscillator's spike nearest to one of the first oscillator belongs to
    it; cycles that any oscillator is still to complete are left out. A constant lag counts as well.

    Raises
    ------
    ParameterError
        An oscillator has no spike.
    """
    kept = _phases(phases)[:, round(start / step) :]
    spikes = [phase_crossing_times(phase, step, level) for phase in kept]
    if not all(len(times) for times in spikes):
        raise ParameterError("spike jitter: an oscillator completes no cycle; run longer or start later")
    first, last = max(times[0] for times in spikes), min(times[-1] for times in spikes)
    reference = spikes[0]
    period = (reference[-1] - reference[0]) / max(len(reference) - 1, 1)
    whole = reference[(reference >= first - period / 2) & (reference <= last + period / 2)]
    if not len(whole):
        raise ParameterError("spike jitter: the oscillators have no cycle in common; run longer")
    matched = np.stack([times[np.argmin(np.abs(times[None, :] - whole[:, None]), axis=1)] for times in spikes])
    return float(np.sqrt(np.mean((matched - np.mean(matched, axis=0)) ** 2)))


def _phases(phases: ArrayLike) -> Array:
    values = np.asarray(phases, dtype=float)
    if values.ndim != 2 or 0 in values.shape:
        raise ShapeError(f"phases of shape {values.shape}; (oscillators, times) is needed")
    return values
