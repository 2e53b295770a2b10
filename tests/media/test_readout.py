"""Readouts: values by hand and in closed form, cotangents against finite differences, what they refuse."""

import array_api_compat.numpy as compat
import numpy as np
import pytest

from physnn.equations import Trace
from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError
from physnn.media import Demodulated, EffectiveFrequency, Readout

BATCH, TIMES, DT = 2, 9, 0.1
OMEGA = 2 * np.pi / 0.4  # a period of four entries
KINDS = {
    "last": "last",
    "mean": "mean",
    "max": "max",
    "fft": "fft",
    "whole": "whole",
    "in phase": Demodulated(OMEGA, 0.3),
    "in quadrature": Demodulated(OMEGA, 0.3, "im"),
    "amplitude": Demodulated(OMEGA, part="abs"),
    "phase": Demodulated(OMEGA, 0.3, "phase"),
    "period that the step does not divide": Demodulated(9.1, part="abs"),
    "frequency": EffectiveFrequency(),
    "frequency about a level": EffectiveFrequency(0.2),
}


def trace(signal, step=DT, start=0.0):
    return Trace(step, {}, {}, {"y": signal}, start=start)


def namespaces():
    yield compat, np.asarray
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    yield pytest.importorskip("array_api_compat.torch"), torch.as_tensor


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(3,), (2, 1, 3)], ids=str)
@pytest.mark.parametrize(("times", "skip"), [(TIMES, 0), (TIMES, 2), (TIMES - 1, 0)])
@pytest.mark.parametrize("name", KINDS)
def test_cotangent_is_the_derivative_at_all_times(rng, name, times, skip, shape):
    """dL/dx of L = sum w y against central differences, one entry after the other; the same on torch."""
    readout = Readout("out", kind=KINDS[name], skip=skip)
    signal = rng.normal(size=(BATCH, times, *shape))
    weights = rng.normal(size=readout.read(compat, trace(signal)).shape)

    def value(wave):
        return np.sum(weights * readout.read(compat, trace(wave)))

    slopes, h = np.zeros_like(signal), 1e-6
    for index in np.ndindex(signal.shape):
        moved = np.zeros_like(signal)
        moved[index] = h
        slopes[index] = (value(signal + moved) - value(signal - moved)) / (2 * h)
    for xp, asarray in namespaces():
        found = readout.pull_back(xp, trace(asarray(signal)), asarray(weights))["y"]
        assert tuple(found.shape) == signal.shape
        # Central differences: rounding of 1e-16/h and, at crossings and small amplitudes of slope 100, h^2 100^3.
        np.testing.assert_allclose(np.asarray(found), slopes, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["last", "mean", "max", "fft", "whole"])
def test_a_stationary_state_is_a_trace_of_one_entry(rng, name):
    signal = rng.normal(size=(BATCH, 1, 3)) + 4.0  # positive: its spectrum is the number itself
    readout = Readout("out", kind=name)
    y = readout.read(compat, trace(signal, 0.0))
    np.testing.assert_allclose(y.reshape(BATCH, 3), signal[:, 0], rtol=1e-15)
    cotangent = rng.normal(size=y.shape)
    back = readout.pull_back(compat, trace(signal, 0.0), cotangent)["y"]
    np.testing.assert_allclose(back.reshape(BATCH, 3), cotangent.reshape(BATCH, 3), rtol=1e-15)


def test_the_first_maximum_counts():
    signal = np.array([[[1.0], [3.0], [3.0], [2.0]]])
    back = Readout("out", kind="max").pull_back(np, trace(signal), np.array([[5.0]]))["y"]
    assert back.ravel().tolist() == [0, 5, 0, 0]


def test_spectrum_of_a_cosine():
    """N/2 in the bin of its frequency and nothing elsewhere; the slope of nothing is 0."""
    times = 20
    signal = np.cos(2 * np.pi * 3 * np.arange(times) / times)[None, :, None]
    y = Readout("out", kind="fft").read(compat, trace(signal))[0, :, 0]
    assert y.shape == (11,)
    np.testing.assert_allclose(y, np.where(np.arange(11) == 3, times / 2, 0), atol=1e-13)
    silent = np.zeros((1, times, 1))
    assert not np.any(Readout("out", kind="fft").pull_back(compat, trace(silent), y[None, :, None])["y"])


@pytest.mark.parametrize("step", [0.05, 0.0437])
@pytest.mark.parametrize("start", [0.0, 1.3])
def test_demodulation_finds_amplitude_and_phase(step, start):
    """Of a tone with an offset, also where the step does not divide the period, and in a run that continues another."""
    omega, amplitude, phase = 2 * np.pi / 0.7, 1.7, 0.9
    times = start + step * np.arange(60)
    signal = (0.4 + amplitude * np.cos(omega * times + phase))[None, :, None]
    wanted = {"abs": amplitude, "phase": 0.7, "re": amplitude * np.cos(0.7), "im": amplitude * np.sin(0.7)}
    for part, value in wanted.items():
        y = Readout("out", kind=Demodulated(omega, phase - 0.7, part)).read(np, trace(signal, step, start))
        assert y[0, 0] == pytest.approx(value, rel=1e-12)  # least squares are exact for what they fit


def test_demodulation_over_whole_periods_is_the_correlation_with_the_carrier(rng):
    """(2/N) sum x cos(w t + phase) over the last whole periods, of any signal."""
    signal = rng.normal(size=(1, 11, 2))  # two periods of four entries, and three entries before them
    times = DT * np.arange(11)
    carrier = np.where(times > 0.25, np.cos(OMEGA * times + 0.3), 0.0)
    y = Readout("out", kind=Demodulated(OMEGA, 0.3)).read(np, trace(signal))
    np.testing.assert_allclose(y[0], 2 / 8 * carrier @ signal[0], rtol=1e-12, atol=1e-14)


def test_effective_frequency_of_a_tone():
    """Nine whole cycles; the line through two entries misses a crossing by less than (w dt)^2/16 of a step."""
    frequency, step = 1.3, 0.01
    signal = np.sin(2 * np.pi * frequency * (step * np.arange(750)) - 0.4)[None, :, None]
    readout = Readout("out", kind=EffectiveFrequency())
    error = (2 * np.pi * frequency * step) ** 2 / 16 * 2 * step * frequency / 9
    assert readout.read(np, trace(signal, step))[0, 0] == pytest.approx(frequency, rel=error)
    assert np.sum((signal[0, :-1] < 0) & (signal[0, 1:] >= 0)) == 10


@pytest.mark.parametrize("crossings", [0, 1])
def test_without_a_whole_cycle_the_frequency_is_zero_and_flat(crossings):
    signal = np.linspace(-1 if crossings else 0.5, 1, TIMES)[None, :, None]
    readout = Readout("out", kind=EffectiveFrequency())
    assert readout.read(np, trace(signal))[0, 0] == 0
    assert not np.any(readout.pull_back(np, trace(signal), np.ones((1, 1)))["y"])


def test_readout_skips_the_first_entries():
    signal = np.array([[[9.0], [1.0], [3.0]]])
    readout = Readout("out", kind="mean", skip=1)
    assert readout.read(np, trace(signal))[0, 0] == 2
    assert readout.pull_back(np, trace(signal), np.array([[4.0]]))["y"].ravel().tolist() == [0, 2, 2]


def test_unknown_readout():
    with pytest.raises(UnknownNameError, match="did you mean 'mean'"):
        Readout("out", kind="means")


def test_unknown_part_of_an_amplitude():
    with pytest.raises(UnknownNameError, match="did you mean 'phase'"):
        Demodulated(1.0, part="phas")


@pytest.mark.parametrize(
    ("readout", "signal", "step", "error", "said"),
    [
        (Readout("out", skip=3), np.zeros((1, 3, 1)), DT, ShapeError, "3 are skipped"),
        (Readout("out", kind="max"), np.zeros((1, 3, 1), complex), DT, EquationError, "read its re, im or abs"),
        (Readout("out", kind="fft"), np.zeros((1, 3, 1), complex), DT, EquationError, "read its re, im or abs"),
        (Readout("out", kind=Demodulated(1.0)), np.zeros((1, 9, 1)), DT, ParameterError, "last for one period"),
        (Readout("out", kind=Demodulated(40.0)), np.zeros((1, 9, 1)), DT, ParameterError, "more than two entries"),
        (Readout("out", kind=Demodulated(1.0)), np.zeros((1, 1, 1)), 0.0, ParameterError, "a run in time"),
        (Readout("out", kind=EffectiveFrequency()), np.zeros((1, 1, 1)), 0.0, ParameterError, "a run in time"),
    ],
)
def test_what_cannot_be_read_is_explained(readout, signal, step, error, said):
    with pytest.raises(error, match=said):
        readout.read(compat, trace(signal, step))


@pytest.mark.parametrize(("omega", "phase"), [(0.0, 0.0), (-1.0, 0.0), (float("nan"), 0.0), (1.0, float("inf"))])
def test_demodulation_at_no_frequency(omega, phase):
    with pytest.raises(ParameterError, match="above 0"):
        Demodulated(omega, phase)


@pytest.mark.parametrize("skip", [-1, 1.5, True])
def test_skip_is_a_whole_number(skip):
    with pytest.raises(ParameterError, match="skip"):
        Readout("out", skip=skip)
