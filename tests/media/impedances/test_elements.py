"""Elements and how they combine: closed forms, and what is refused."""

import numpy as np
import pytest

from physnn.errors import ParameterError, UnknownNameError
from physnn.media.impedances import Capacitor, Inductor, Parallel, Resistor, Series, Stub

S = 2j * np.pi * np.geomspace(1e6, 1e11, 25) + 1e6
ROUNDING = 1e-13  # some tens of operations in float64


def test_elements_have_their_impedances():
    np.testing.assert_allclose(Resistor(50)(S), 50 + 0 * S)
    np.testing.assert_allclose(Inductor(2e-9)(S), 2e-9 * S)
    np.testing.assert_allclose(Capacitor(3e-12)(S), 1 / (3e-12 * S))


def test_series_add_impedances_and_parallels_add_admittances():
    z = (Resistor(10.0) + Inductor(1e-9)) | Capacitor(2e-12) | Resistor(300.0)
    wanted = 1 / (1 / (10 + 1e-9 * S) + 2e-12 * S + 1 / 300)
    np.testing.assert_allclose(z(S), wanted, rtol=ROUNDING)
    assert z == Parallel([Series([Resistor(10.0), Inductor(1e-9)]), Capacitor(2e-12), Resistor(300.0)])


def test_stubs_are_hyperbolic_functions():
    tau = 1e-10
    np.testing.assert_allclose(Stub(70.0, tau)(S), 70 / np.tanh(S * tau), rtol=1e-9)  # tanh amplifies rounding at poles
    np.testing.assert_allclose(Stub(70.0, tau, "shorted")(S), 70 * np.tanh(S * tau), rtol=1e-9)


def test_a_long_lossy_stub_looks_like_its_own_impedance():
    assert abs(Stub(70.0, 1e-10, transmission=1e-6)(1e9) - 70) < 1e-9  # what comes back is 1e-12


@pytest.mark.parametrize(
    "z",
    [
        Resistor(7.0),
        Inductor(1e-9) + Resistor(3.0),
        Capacitor(1e-12) | Inductor(1e-9),
        Resistor(10.0) + (Capacitor(1e-12) | (Inductor(1e-9) + (Capacitor(4e-12) | Resistor(75.0)))),
        Series([Capacitor(1e-12), Capacitor(3e-12), Inductor(1e-9), Inductor(2e-9)]),
    ],
)
def test_circuits_as_quotients(z):
    np.testing.assert_allclose(z.rational()(S), z(S), rtol=1e-10)  # zeros of LC circuits lie close to some of S


def test_values_per_line_broadcast_against_frequencies():
    z = Resistor([10.0, 20.0]) + Inductor(1e-9)
    found = z(S[:, None])
    assert found.shape == (25, 2)
    np.testing.assert_allclose(found[:, 1], 20 + 1e-9 * S)
    with pytest.raises(ParameterError, match="single number"):
        z.rational()


@pytest.mark.parametrize("kind", [Resistor, Inductor, Capacitor])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, "50", True, [], [[1.0]], [1.0, -2.0], None])
def test_values_are_finite_and_above_zero(kind, value):
    with pytest.raises(ParameterError, match="above 0"):
        kind(value)


def test_stubs_refuse_gain_and_unknown_ends():
    with pytest.raises(ParameterError, match="no gain"):
        Stub(50.0, 1e-10, transmission=1.01)
    with pytest.raises(UnknownNameError, match="did you mean 'shorted'"):
        Stub(50.0, 1e-10, "short")
    with pytest.raises(ParameterError, match="no rational"):
        Stub(50.0, 1e-10).rational()


def test_only_impedances_combine():
    with pytest.raises(ParameterError, match=r"50\.0, which is no impedance"):
        Series([Resistor(1.0), 50.0])
    with pytest.raises(ParameterError, match="nothing"):
        Parallel([])
