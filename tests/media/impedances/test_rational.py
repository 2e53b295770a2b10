"""Rational impedances: scaling, poles, realisation."""

import numpy as np
import pytest

from physnn.errors import NumericsError, ParameterError
from physnn.media.impedances import Capacitor, Inductor, Rational, Resistor

GHZ = 2 * np.pi * 1e9
S = 1j * GHZ * np.linspace(0.05, 8, 40)


def response(z, s):
    """v/i of the state-space matrices."""
    m = z.state_space()
    inner = np.array([m.C @ np.linalg.solve(x * np.eye(m.order) - m.A, m.B) for x in s])
    return inner + m.D + m.L * s


def test_coefficients_in_s_are_kept_in_units_of_their_own():
    z = Rational([2e-9 * 1e-12, 1e-12 * 20, 1.0], [1e-12, 0.0])  # 20 ohm + 2 nH + 1 pF
    np.testing.assert_allclose(z(S), 20 + 2e-9 * S + 1e12 / S, rtol=1e-13)
    sizes = np.abs([c for c in (*z.numerator, *z.denominator) if c])
    assert max(z.denominator) == 1.0 and sizes.max() / sizes.min() < 1e3 and 1e9 < z.scale < 1e12
    assert z.inductance == pytest.approx(2e-9, rel=1e-13)


def test_poles_and_residues_round_trip():
    poles = GHZ * np.array([-0.5, -0.1 + 1j, -0.1 - 1j, -0.3 + 3j, -0.3 - 3j])
    residues = GHZ * np.array([40.0, 10 + 2j, 10 - 2j, 5.0, 5.0])
    z = Rational.from_poles(poles, residues, constant=3.0, proportional=1e-9)
    wanted = 3 + 1e-9 * S + np.sum(residues / (S[:, None] - poles), axis=1)
    np.testing.assert_allclose(z(S), wanted, rtol=1e-12)
    order, back = np.lexsort((poles.imag, poles.real)), z.poles()
    again = np.lexsort((back.imag.round(3), back.real.round(3)))
    np.testing.assert_allclose(back[again], poles[order], rtol=1e-10)  # roots of a polynomial of degree 5
    np.testing.assert_allclose(z.residues()[again], residues[order], rtol=1e-9)
    assert z.inductance == pytest.approx(1e-9, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_state_space_has_the_same_response(seed):
    rng = np.random.default_rng(seed)
    pairs = GHZ * (-rng.uniform(0.01, 1, 3) + 1j * rng.uniform(0.1, 7, 3))
    real = -GHZ * rng.uniform(0.01, 5, 2)
    residues = GHZ * rng.uniform(1, 50, 5)
    z = Rational.from_poles([*pairs, *pairs.conj(), *real], [*residues[:3], *residues], 2.0, rng.uniform(0, 1e-9))
    np.testing.assert_allclose(response(z, S), z(S), rtol=1e-10)  # order 8


def test_poles_that_coincide_do_no_harm():
    triple = Rational([40.0], np.poly([-1.0, -1.0, -1.0]), GHZ)
    np.testing.assert_allclose(response(triple, S), triple(S), rtol=1e-12)
    twin = Rational([1.0], [1.0, 0.0, 0.0])
    with pytest.raises(NumericsError, match="multiple"):
        twin.residues()


def test_states_are_those_of_the_circuit_and_no_more():
    same = (Inductor(1e-9) | Capacitor(1e-12)).rational()
    assert same.plus(same).state_space().order == 2  # two equal tanks in series resonate as one
    assert (Capacitor(1e-12) + Capacitor(2e-12)).rational().state_space().order == 1
    ladder = Inductor(1e-9) + (Capacitor(1e-12) | (Inductor(1e-9) + Resistor(50.0)))
    matrices = ladder.rational().state_space()
    assert matrices.order == 2 and matrices.D == 0.0 and matrices.L == pytest.approx(1e-9)


def test_reciprocals():
    z = (Resistor(20.0) + Inductor(2e-9) + Capacitor(1e-12)).rational()
    np.testing.assert_allclose(z.reciprocal()(S), 1 / z(S), rtol=1e-13)
    with pytest.raises(ParameterError, match="zero"):
        Rational([0.0], [1.0]).reciprocal()


@pytest.mark.parametrize(
    ("top", "bottom", "fault"),
    [
        ([1.0], [0.0], "denominator is zero"),
        ([], [1.0], "row of finite"),
        ([1.0, np.nan], [1.0], "row of finite"),
        ([[1.0]], [1.0], "row of finite"),
        (["a"], [1.0], "real numbers"),
        ([1j], [1.0], "real numbers"),
    ],
)
def test_coefficients_are_checked(top, bottom, fault):
    with pytest.raises(ParameterError, match=fault):
        Rational(top, bottom)


def test_complex_poles_need_their_conjugates():
    with pytest.raises(ParameterError, match="conjugates"):
        Rational.from_poles([-1 + 1j], [1.0])
