"""Waveguides: what they refuse, and the equation they stand for."""

import math

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import ParameterError, PhysnnError, ShapeError, UnknownNameError
from physnn.media import ACTIVATIONS, Network, Source, Waveguide

CHARACTERISTICS = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "relu": lambda z: np.maximum(z, 0),
    "identity": lambda z: z,
}


@pytest.mark.parametrize("damping", [0.0, -1.0, math.nan, math.inf, "1", None])
def test_damping_must_let_waves_decay(damping):
    with pytest.raises(ParameterError, match=r"unstable.*above 0"):
        Waveguide("hidden", 3, damping=damping)


@pytest.mark.parametrize("quantity", ["impedance", "time_constant"])
@pytest.mark.parametrize("value", [-50.0, 0.0, math.nan, math.inf, "50"])
def test_impedance_and_time_constant_are_positive(quantity, value):
    with pytest.raises(ParameterError, match=r"'hidden'.*above 0") as caught:
        Waveguide("hidden", 3, **{quantity: value})
    assert str(value) in str(caught.value)


def test_unknown_activation_offers_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'softplus'"):
        Waveguide("hidden", 3, "softpuls")
    with pytest.raises(UnknownNameError, match="known: identity, relu, sigmoid, softplus, tanh"):
        Waveguide("hidden", 3, "gabor")


@pytest.mark.parametrize("size", [0, -2, 2.0, "3", True])
def test_size_is_a_whole_number_above_zero(size):
    with pytest.raises(ShapeError, match="hidden"):
        Waveguide("hidden", size)


def test_size_may_come_from_numpy():
    assert Waveguide("hidden", np.int64(3)).lower().shape == (3,)


def test_errors_are_one_line_under_one_root():
    with pytest.raises(PhysnnError) as caught:
        Waveguide("hidden", 3, impedance=-1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_steady_state_is_the_characteristic_over_the_damping(activation):
    layer = Waveguide("layer", 4, activation, damping=2.0, time_constant=0.3)
    system = Network.layered([Source("in", 3), layer]).lower(seed=1)
    bias = np.array([0.3, -0.2, 0.1, 0.0])
    x = np.random.default_rng(0).normal(size=(5, 3))
    y = Interpreter(system, {"bias->layer": bias[:, None]}).steady({"in": x}).outputs["y"][:, 0]
    z = x @ system.parameters["in->layer"].T + bias
    np.testing.assert_allclose(y, CHARACTERISTICS[activation](z) / 2.0, rtol=1e-13)
