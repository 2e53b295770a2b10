"""Readouts and losses: values by hand, cotangents against finite differences, bad labels."""

import math

import numpy as np
import pytest

from physnn.equations import Trace
from physnn.errors import DataError, UnknownNameError
from physnn.media import CrossEntropy, Readout, SquaredError

BATCH, TIMES, CLASSES = 4, 5, 3


def trace(signal):
    return Trace(0.1, {}, {}, {"y": signal})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def labels(rng):
    return rng.integers(0, CLASSES, BATCH)


@pytest.mark.parametrize("loss", [SquaredError(), SquaredError(0.5), CrossEntropy(), CrossEntropy(3.0)], ids=repr)
@pytest.mark.parametrize("times", [1, TIMES])
@pytest.mark.parametrize("kind", ["last", "mean"])
def test_cotangent_is_the_derivative_at_all_times(rng, labels, kind, times, loss):
    readout = Readout("out", kind=kind)
    signal = rng.normal(size=(BATCH, times, CLASSES))
    targets = loss.targets(np, labels, CLASSES)

    def value(wave):
        return loss(np, readout.read(np, trace(wave)), targets)[0]

    _, mismatch = loss(np, readout.read(np, trace(signal)), targets)
    cotangent = readout.pull_back(np, trace(signal), mismatch)["y"]
    assert cotangent.shape == signal.shape
    h = 1e-5
    for index in np.ndindex(signal.shape):
        moved = np.zeros_like(signal)
        moved[index] = h
        slope = (value(signal + moved) - value(signal - moved)) / (2 * h)
        # central differences in float64: h^2 of truncation, 1e-16/h of rounding
        assert cotangent[index] == pytest.approx(slope, abs=1e-9)


def test_squared_error_by_hand():
    loss, slope = SquaredError()(np, np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 2.0]]))
    assert loss == (0.5 * 1 + 0.5 * 4) / 2
    assert np.array_equal(slope, [[0.5, 0.0], [0.0, -1.0]])


def test_cross_entropy_of_equal_outputs_is_log_classes():
    loss, _ = CrossEntropy()(np, np.zeros((2, 4)), np.eye(4)[:2])
    assert loss == pytest.approx(math.log(4), rel=1e-14)


def test_cross_entropy_of_large_outputs_does_not_overflow():
    loss, slope = CrossEntropy()(np, np.array([[1000.0, -1000.0]]), np.array([[0.0, 1.0]]))
    assert loss == 2000.0
    assert np.array_equal(slope, [[1.0, -1.0]])


def test_targets():
    assert np.array_equal(SquaredError(0.8).targets(np, np.array([1]), 2), [[-0.8, 0.8]])
    assert np.array_equal(CrossEntropy().targets(np, np.array([1], dtype=np.uint8), 2), [[0.0, 1.0]])


def test_losses_agree_on_torch(rng, labels):
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    xp = pytest.importorskip("array_api_compat.torch")
    y = rng.normal(size=(BATCH, CLASSES))
    for loss in (SquaredError(), CrossEntropy(2.0)):
        value, slope = loss(np, y, loss.targets(np, labels, CLASSES))
        found, tensor = loss(xp, torch.tensor(y), loss.targets(xp, torch.tensor(labels), CLASSES))
        assert found == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(tensor.numpy(), slope, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("bad", [[0, 3], [-1, 0]])
def test_labels_out_of_range(bad):
    with pytest.raises(DataError, match=r"allowed are 0\.\.2"):
        SquaredError().targets(np, np.array(bad), CLASSES)


@pytest.mark.parametrize("bad", [np.array([0.5, 1.0]), np.array([], dtype=int), np.zeros((2, 2), dtype=int)])
def test_labels_that_are_no_whole_numbers(bad):
    with pytest.raises(DataError, match="one whole number a sample"):
        CrossEntropy().targets(np, bad, CLASSES)


def test_unknown_readout():
    with pytest.raises(UnknownNameError, match="did you mean 'mean'"):
        Readout("out", kind="means")
