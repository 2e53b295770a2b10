"""Optimisers against steps done by hand."""

import numpy as np
import pytest

from physnn.errors import ParameterError
from physnn.learning import OPTIMISERS, SGD, Adam, Momentum, RMSNormalised


def test_first_step_of_adam_has_the_length_of_the_rate():
    """With bias correction m_hat = g and v_hat = g^2, so the step is rate * sign(g), whatever the size of g."""
    start = {"w": np.array([1.0, 1.0, 1.0])}
    new = Adam().update(start, {"w": np.array([1e-3, -2.0, 50.0])}, 0.1)
    np.testing.assert_allclose(new["w"], [0.9, 1.1, 0.9], rtol=1e-4)


def test_two_steps_of_adam_by_hand():
    adam, w = Adam(epsilon=0.0), {"w": np.array([0.0])}
    gradients = (2.0, -1.0)
    for g in gradients:
        w = adam.update(w, {"w": np.array([g])}, 0.01)
    m = 0.9 * (0.1 * 2.0) + 0.1 * -1.0
    v = 0.999 * (0.001 * 4.0) + 0.001 * 1.0
    second = 0.01 * (m / (1 - 0.9**2)) / np.sqrt(v / (1 - 0.999**2))
    assert w["w"][0] == pytest.approx(-0.01 - second, rel=1e-12)


def test_sgd_with_momentum_by_hand():
    sgd, w = SGD(momentum=0.5), {"w": np.array([1.0])}
    for _ in range(2):
        w = sgd.update(w, {"w": np.array([2.0])}, 0.1)
    assert w["w"][0] == pytest.approx(1.0 - 0.1 * 2.0 - 0.1 * 3.0)


def test_momentum_is_descent_with_nine_tenths():
    """A constant gradient ends in steps of rate g / (1 - mu): ten times the gradient's own."""
    descent, w = Momentum(), {"w": np.array([0.0])}
    for _ in range(200):
        before, w = w, descent.update(w, {"w": np.array([2.0])}, 0.1)
    assert before["w"][0] - w["w"][0] == pytest.approx(0.1 * 2.0 * 10, rel=1e-6)  # 0.9^200 = 7e-10 is left


def test_rms_normalised_by_hand():
    rms, w = RMSNormalised(epsilon=0.0), {"w": np.array([0.0])}
    for g in (2.0, -1.0):
        w = rms.update(w, {"w": np.array([g])}, 0.01)
    second = -1.0 / np.sqrt((0.99 * 0.01 * 4.0 + 0.01 * 1.0) / (1 - 0.99**2))
    assert w["w"][0] == pytest.approx(-0.01 * (1.0 + second), rel=1e-12)


def test_rms_normalised_steps_do_not_know_the_size_of_gradients():
    """Each weight by itself: a factor on one weight's gradients leaves all its steps as they were."""
    rng = np.random.default_rng(0)
    slopes, factors = rng.normal(size=(20, 3)), np.array([1.0, 1e-3, 1e4])
    ends = []
    for scale in (np.ones(3), factors):
        rms, w = RMSNormalised(epsilon=0.0), {"w": np.zeros(3)}
        for slope in slopes:
            w = rms.update(w, {"w": scale * slope}, 0.01)
        ends.append(w["w"])
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_finds_the_bottom_of_a_bowl(name):
    """L = sum k w^2 / 2 with curvatures 1 to 10; steps that fade go to the bottom."""
    optimiser, curvature, w = OPTIMISERS[name](), np.array([1.0, 3.0, 10.0]), {"w": np.ones(3)}
    for step in range(2000):
        w = optimiser.update(w, {"w": curvature * w["w"]}, 0.02 * (1 - step / 2000))
    assert np.abs(w["w"]).max() < 1e-4


def test_only_parameters_with_a_gradient_move():
    assert set(SGD().update({"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1)}, 0.1)) == {"a"}


def test_momentum_of_one_is_refused():
    with pytest.raises(ParameterError, match="below 1"):
        SGD(momentum=1.0)
