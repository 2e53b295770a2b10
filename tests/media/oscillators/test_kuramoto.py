"""Kuramoto oscillators: products of sines against the sine of the difference, invariants, and what they refuse."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import ParameterError, ShapeError
from physnn.media import Network, Readout
from physnn.media.oscillators import Kuramoto, MeanFieldKuramoto

N = 5


def step(part, dt=1e-3):
    """dtheta/dt of one explicit step."""
    network = Network((part,), (), Readout(part.name, "theta"))
    theta = Interpreter(network.lower()).run({}, 1, dt).outputs["y"][0]
    return (theta[1] - theta[0]) / dt


def drawn(*shape):
    return np.random.default_rng(7).normal(size=shape)


# (theta + dt rate - theta)/dt loses three digits at dt = 1e-3.
SUBTRACTED = {"rtol": 1e-11, "atol": 1e-11}


@pytest.mark.parametrize("lagged", [False, True])
def test_pulls_are_sines_of_differences(lagged):
    theta, omega, k = drawn(N), drawn(N + 1)[1:], drawn(N, N)
    lags = drawn(N, N + 1)[:, 1:] if lagged else 0.0
    wanted = omega + np.sum(k * np.sin(theta - theta[:, None] - lags), axis=1)
    found = step(Kuramoto("cells", N, omega, k, lags, start=theta))
    np.testing.assert_allclose(found, wanted, **SUBTRACTED)


def test_mean_field_is_the_pairs_of_equal_strength():
    theta, omega = drawn(N), drawn(N + 1)[1:]
    pairs = Kuramoto("cells", N, omega, coupling=1.7, lags=0.4, start=theta)
    mean = MeanFieldKuramoto("cells", N, omega, coupling=1.7, lag=0.4, start=theta)
    np.testing.assert_allclose(step(mean), step(pairs), **SUBTRACTED)


def test_the_mean_frequency_is_that_of_the_oscillators():
    """Without lags the pulls of every symmetric pair cancel."""
    theta, omega, k = drawn(N), drawn(N + 1)[1:], drawn(N, N)
    rate = step(Kuramoto("cells", N, omega, k + k.T, start=theta))
    assert np.mean(rate) == pytest.approx(np.mean(omega), abs=1e-11)


def test_what_is_learnt_and_shared():
    plain = Network((Kuramoto("cells", N),), (), Readout("cells", "theta")).lower()
    lagged = Network((Kuramoto("cells", N, lags=0.1),), (), Readout("cells", "theta")).lower()
    assert plain.trainable == ("cells.K", "cells.omega")
    assert lagged.trainable == ("cells.K", "cells.lagged", "cells.omega")
    fixed = Network((Kuramoto("cells", N, lags=0.1, trainable=()),), (), Readout("cells", "theta")).lower()
    assert fixed.trainable == ()
    np.testing.assert_allclose(plain.parameters["cells.K"], np.full((N, N), 1 / N))


def test_refusals():
    with pytest.raises(ShapeError, match=r"coupling of shape \(5,\).*\(5, 5\)"):
        Kuramoto("cells", N, coupling=np.ones(N))
    with pytest.raises(ShapeError, match=r"lags of shape"):
        Kuramoto("cells", N, lags=np.ones((N, 2)))
    with pytest.raises(ParameterError, match="not finite"):
        Kuramoto("cells", N, coupling=float("nan"))
