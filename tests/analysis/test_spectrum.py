"""Spectra, frequencies and harmonics of signals that are known in closed form."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from physnn.analysis import (
    amplitude_spectrum,
    crossing_times,
    effective_frequency,
    harmonic_amplitudes,
    harmonic_distortion,
    harmonic_level,
    instantaneous_phase,
    instantaneous_wavelength,
    peaks,
    phase_crossing_times,
)
from physnn.errors import ParameterError, ShapeError

STEP = 0.01
TIMES = STEP * np.arange(4000)


def test_amplitudes():
    found = amplitude_spectrum(5.0 + 0.3 * np.cos(2 * np.pi * 2.5 * TIMES + 0.4), STEP)
    top = np.argmax(found.amplitudes)
    # 2.5 Hz is bin 100 of 1/40 s exactly, where a Hann window gives the amplitude itself.
    assert found.frequencies[top] == pytest.approx(2.5, rel=1e-12)
    assert found.amplitudes[top] == pytest.approx(0.3, rel=1e-12)
    assert amplitude_spectrum(np.ones((2, 3, 50)), STEP).amplitudes.shape == (2, 3, 26)


def test_peaks_between_bins():
    wanted = np.array([1.2345, 3.3333, 7.7171])
    amplitudes = np.array([0.5, 2.0, 1.0])
    signal = amplitudes @ np.cos(2 * np.pi * np.outer(wanted, TIMES) + 0.7)
    found = peaks(signal, STEP, 3)
    order = np.argsort(-amplitudes)
    # The parabola's bias is below 0.02 bins, in amplitude below 4 %; neighbours leak less.
    assert np.allclose(found.frequencies, wanted[order], atol=0.02 / 40)
    assert np.allclose(found.amplitudes, amplitudes[order], rtol=0.04)
    assert peaks(signal, STEP, 3, band=(3.0, 4.0)).frequencies == pytest.approx(wanted[1], abs=0.02 / 40)


def test_the_bounds_of_a_peak_hold_wherever_it_lies_between_bins():
    times = STEP * np.arange(5000)
    errors = []
    for wanted in np.linspace(3.0, 3.02, 21):  # one bin of 1/50 s
        found = peaks(2.0 * np.cos(2 * np.pi * wanted * times + 0.7), STEP)
        assert abs(found.frequencies[0] - wanted) < 0.02 / 50
        errors.append(abs(found.amplitudes[0] / 2.0 - 1))
    assert max(errors) < 0.04


def test_crossings():
    # Linear interpolation of a straight line is exact.
    assert crossing_times([-1.0, 1.0, 3.0, -1.0, 0.5], 0.5, 0.25) == pytest.approx([0.3125, 1.5 + 0.5 * 1.25 / 1.5])
    phase = 3.0 * TIMES + 0.2
    wanted = (1.0 - 0.2 + 2 * np.pi * np.arange(19)) / 3.0
    assert np.allclose(phase_crossing_times(phase, STEP, 1.0), wanted, rtol=1e-10)
    assert np.allclose(phase_crossing_times(np.angle(np.exp(1j * phase)), STEP, 1.0), wanted, rtol=1e-10)
    # What turns back crosses once.
    assert len(phase_crossing_times([0.5, 1.5, 0.5, 1.5, 2.0], 1.0, 1.0)) == 1


def test_effective_frequency_of_an_uneven_cycle():
    # phi' = omega - k sin(phi) has the mean frequency sqrt(omega^2 - k^2).
    found = solve_ivp(lambda t, x: 2.0 - 1.9 * np.sin(x), (0, 40), [0.3], t_eval=TIMES, rtol=1e-10, atol=1e-10).y[0]
    wanted = np.sqrt(4.0 - 1.9**2)
    # Linear interpolation errs by phi'' dt^2/8, below 5e-5 s at each of two crossings 30 s apart.
    assert effective_frequency(found, STEP) == pytest.approx(wanted, rel=1e-5)
    assert abs((found[-1] - found[0]) / TIMES[-1] - wanted) > 1e-3
    assert effective_frequency(-found, STEP) == pytest.approx(-wanted, rel=1e-5)
    both = effective_frequency(np.stack([found, 0 * found]), STEP, start=5.0)
    assert np.allclose(both, [wanted, 0.0], rtol=1e-5)


def test_harmonics_whatever_the_sampling():
    # Periods of 33.7 samples, so that no whole number of samples is a whole number of periods.
    fundamental = 1 / (33.7 * STEP)
    angle = 2 * np.pi * fundamental * TIMES
    signal = 0.4 + np.cos(angle + 1.0) + 0.01 * np.cos(2 * angle) + 0.05 * np.sin(3 * angle)
    assert np.allclose(harmonic_amplitudes(signal, STEP, fundamental, 4), [1.0, 0.01, 0.05, 0.0], atol=1e-12)
    assert harmonic_level(signal, STEP, fundamental, 3) == pytest.approx(20 * np.log10(0.05), abs=1e-8)
    assert harmonic_distortion(signal, STEP, fundamental, 6) == pytest.approx(np.hypot(0.01, 0.05), rel=1e-10)
    assert harmonic_level(np.cos(angle), STEP, fundamental, 3) < -200
    assert harmonic_amplitudes(np.ones((2, 3, 400)), STEP, 1.0, 2).shape == (2, 3, 2)


def test_duffing_third_harmonic():
    # x'' + x + b x^3 = 0 near x = a cos(omega t): a3/a = b a^2/(32 omega0^2) in first order.
    a, b = 0.2, 0.1
    omega = np.sqrt(1 + 0.75 * b * a**2)
    solution = solve_ivp(
        lambda t, s: [s[1], -s[0] - b * s[0] ** 3], (0, 40), [a, 0.0], t_eval=TIMES, rtol=1e-12, atol=1e-14
    )
    found = harmonic_amplitudes(solution.y[0], STEP, omega / (2 * np.pi), 3)
    assert found[2] / found[0] == pytest.approx(b * a**2 / 32, rel=0.01)


def test_instantaneous_wavelength_of_a_chirp():
    x = np.linspace(0, 100, 2001)
    # phase = 2 pi (x/10 + x^2/2000): wavelength 1/(0.1 + x/1000), from 10 to 5.
    field = np.cos(2 * np.pi * (x / 10 + x**2 / 2000))
    wanted = 1 / (0.1 + x / 1000)
    inner = slice(400, -400)
    # Away from the ends, where a transform of a cut wave rings, within 2 %.
    assert np.allclose(instantaneous_wavelength(field, x[1])[inner], wanted[inner], rtol=0.02)
    sheet = np.stack([field, field[::-1]], axis=1)
    across = instantaneous_wavelength(sheet, x[1], axis=0)
    assert np.allclose(across[inner, 0], wanted[inner], rtol=0.02)
    assert np.allclose(across[inner, 1], wanted[::-1][inner], rtol=0.02)


def test_instantaneous_phase():
    x = np.arange(400)
    found = instantaneous_phase(3.0 + np.cos(2 * np.pi * x / 20))
    assert np.allclose(found, 2 * np.pi * x / 20, atol=1e-9)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ShapeError, match="one signal"):
        peaks(np.ones((2, 100)), STEP)
    with pytest.raises(ShapeError, match="at least"):
        amplitude_spectrum([1.0, 2.0], STEP)
    with pytest.raises(ParameterError, match="step"):
        crossing_times([1.0, 2.0], 0.0)
    with pytest.raises(ParameterError, match="whole period"):
        harmonic_amplitudes(np.ones(10), STEP, 1.0, 2)
