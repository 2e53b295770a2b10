"""Losses: values by hand, slopes against finite differences, a label for a sample or for each pixel, bad labels."""

import math

import numpy as np
import pytest

from physnn.errors import DataError, ParameterError, ShapeError
from physnn.media import CrossEntropy, SquaredError

BATCH, CLASSES = 4, 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def labels(rng):
    return rng.integers(0, CLASSES, BATCH)


@pytest.mark.parametrize(
    "loss",
    [SquaredError(), SquaredError(0.5), SquaredError(0.5, -0.1), CrossEntropy(), CrossEntropy(3.0, smoothing=0.1)],
    ids=repr,
)
@pytest.mark.parametrize("positions", [(), (2, 5)], ids=["one label a sample", "one label a pixel"])
def test_slope_is_the_derivative(rng, loss, positions):
    targets = loss.targets(np, rng.integers(0, CLASSES, (BATCH, *positions)), CLASSES)
    y = rng.normal(size=(BATCH, *positions, CLASSES))
    _, slope = loss(np, y, targets)
    assert slope.shape == y.shape
    h = 1e-5
    for index in np.ndindex(y.shape):
        moved = np.zeros_like(y)
        moved[index] = h
        wanted = (loss(np, y + moved, targets)[0] - loss(np, y - moved, targets)[0]) / (2 * h)
        # central differences in float64: h^2 of truncation, 1e-16/h of rounding
        assert slope[index] == pytest.approx(wanted, abs=1e-9)


def test_cross_entropy_of_pixels_is_their_mean(rng):
    """Pixels as samples of their own give the same loss."""
    loss, labels, y = CrossEntropy(), rng.integers(0, CLASSES, (2, 3, 5)), rng.normal(size=(2, 3, 5, CLASSES))
    whole, _ = loss(np, y, loss.targets(np, labels, CLASSES))
    apart, _ = loss(np, y.reshape(30, CLASSES), loss.targets(np, labels.ravel(), CLASSES))
    assert whole == pytest.approx(apart, rel=1e-14)


@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()], ids=repr)
def test_classes_that_are_not_on_the_last_axis(rng, loss):
    targets = loss.targets(np, rng.integers(0, CLASSES, (BATCH, 2, 5)), CLASSES)
    with pytest.raises(ShapeError, match="PerPixel"):
        loss(np, rng.normal(size=(BATCH, CLASSES, 2, 5)), targets)


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
    assert np.array_equal(SquaredError(0.5, -0.1).targets(np, np.array([1, 0]), 2), [[-0.1, 0.5], [0.5, -0.1]])
    assert np.array_equal(SquaredError(1.0, 0.0).targets(np, np.array([[2]]), 3), [[[0.0, 0.0, 1.0]]])
    assert np.array_equal(CrossEntropy().targets(np, np.array([1], dtype=np.uint8), 2), [[0.0, 1.0]])
    # rounding of 1 - s + s/classes
    np.testing.assert_allclose(
        CrossEntropy(smoothing=0.1).targets(np, np.array([1]), 4), [[0.025, 0.925, 0.025, 0.025]], rtol=1e-14
    )


def test_smoothed_labels_are_met_by_finite_answers():
    """The loss is least, at the entropy of its targets, where softmax answers with them: the slope vanishes there."""
    loss = CrossEntropy(2.0, smoothing=0.2)
    targets = loss.targets(np, np.array([0, 2]), 3)
    value, slope = loss(np, np.log(targets) / 2.0, targets)
    np.testing.assert_allclose(slope, 0.0, atol=1e-15)
    assert value == pytest.approx(-float(np.sum(targets * np.log(targets))) / 2, rel=1e-14)


@pytest.mark.parametrize(("level", "low"), [(0.5, 0.5), (0.0, None), (float("nan"), 0.0), (1.0, float("inf"))])
def test_targets_that_tell_no_classes_apart(level, low):
    with pytest.raises(ParameterError, match="two different finite numbers"):
        SquaredError(level, low)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_out_of_range(smoothing):
    with pytest.raises(ParameterError, match="at least 0 and below 1"):
        CrossEntropy(smoothing=smoothing)


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


@pytest.mark.parametrize("bad", [np.array([0.5, 1.0]), np.zeros((2, 0), dtype=int), np.array(1)])
def test_labels_that_are_no_whole_numbers(bad):
    with pytest.raises(DataError, match="one whole number a sample"):
        CrossEntropy().targets(np, bad, CLASSES)
