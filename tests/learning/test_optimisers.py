"""Optimisers against steps done by hand."""

import numpy as np
import pytest

from physnn.errors import ParameterError
from physnn.learning import SGD, Adam


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


def test_only_parameters_with_a_gradient_move():
    assert set(SGD().update({"a": np.ones(1), "b": np.ones(1)}, {"a": np.ones(1)}, 0.1)) == {"a"}


def test_momentum_of_one_is_refused():
    with pytest.raises(ParameterError, match="below 1"):
        SGD(momentum=1.0)
