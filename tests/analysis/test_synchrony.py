"""Measures of synchrony on phases that are known."""

import numpy as np
import pytest

from physnn.analysis import frequency_spread, locked, order_parameter, spike_jitter, synchronisation_time
from physnn.errors import ParameterError, ShapeError

STEP = 0.02
TIMES = STEP * np.arange(2000)


def test_order_parameter():
    assert order_parameter(np.zeros((5, 2))) == pytest.approx([1.0, 1.0])
    spread = 2 * np.pi * np.arange(5) / 5
    assert order_parameter(spread[:, None]) == pytest.approx(0.0, abs=1e-15)
    # Uniform within +-w: R = sin(w)/w.
    wide = np.linspace(-1.2, 1.2, 100_001)
    assert order_parameter(wide[:, None]) == pytest.approx(np.sin(1.2) / 1.2, rel=1e-4)


def test_synchronisation_time():
    order = np.array([0.2, 0.97, 0.9, 0.96, 0.99, 1.0])
    assert synchronisation_time(order, 0.5) == 1.0
    assert synchronisation_time(order, 0.5, level=0.98) == 1.5
    assert synchronisation_time(order, 0.5, level=0.1) == 0.0
    assert synchronisation_time(order[::-1], 0.5) == np.inf


def test_two_coupled_phases_lock_below_the_threshold():
    # phi1' = w1 + k sin(phi2 - phi1) and its mirror lock iff |w1 - w2| < 2 k, at the mean frequency and a constant lag.
    def phases(k):
        found = np.zeros((2, len(TIMES)))
        for n in range(len(TIMES) - 1):
            pull = k * np.sin(found[1, n] - found[0, n])
            found[:, n + 1] = found[:, n] + STEP * (np.array([1.0, 1.4]) + np.array([pull, -pull]))
        return found

    held, free = phases(0.3), phases(0.1)
    assert locked(held, STEP, start=15.0) and not locked(free, STEP, start=15.0)
    lag = np.arcsin(0.4 / 0.6)
    assert order_parameter(held)[-1] == pytest.approx(np.cos(lag / 2), rel=1e-6)
    # Two spikes a lag apart deviate by half of it from their mean, at the frequency 1.2.
    assert spike_jitter(held, STEP, start=20.0) == pytest.approx(lag / 2 / 1.2, rel=1e-3)


def test_jitter_of_known_spikes():
    # Phases of frequency 2 with constant lags: the deviation of the lags over the frequency.
    lags = np.random.default_rng(0).normal(scale=0.05, size=20)
    phases = 2.0 * TIMES[None, :] + lags[:, None]
    assert spike_jitter(phases, STEP) == pytest.approx(np.std(lags) / 2.0, rel=1e-9)
    assert spike_jitter(np.broadcast_to(2.0 * TIMES, (3, len(TIMES))), STEP) < 1e-13


def test_spread():
    assert frequency_spread([1.0, 3.0]) == pytest.approx(0.5)
    assert not locked(np.zeros((3, 50)), STEP)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ShapeError, match="oscillators, times"):
        order_parameter([1.0, 2.0])
    with pytest.raises(ParameterError, match="no cycle"):
        spike_jitter(np.zeros((2, 50)), STEP)
