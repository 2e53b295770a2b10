"""Reflections: energy, reciprocity, closed forms."""

import numpy as np
import pytest

from physnn.analysis import impedance as z
from physnn.errors import ParameterError, ShapeError

ROUNDING = 1e-12


def test_impedance_step():
    r, t = z.reflection(50.0, 75.0), z.transmission(50.0, 75.0)
    assert (r, t) == pytest.approx((0.2, 1.2))
    assert r**2 + 50 / 75 * t**2 == pytest.approx(1.0, rel=ROUNDING)
    assert z.power_reflection(50.0, 75.0) + z.power_transmission(50.0, 75.0) == pytest.approx(1.0, rel=ROUNDING)


def test_loads():
    # Matched, short, open, and one that only stores.
    loads = np.array([50.0, 0.0, np.inf, 50j])
    assert np.allclose(z.reflection(50.0, loads), [0, -1, 1, 1j])
    assert np.allclose(z.power_transmission(50.0, loads[[0, 2, 3]]), [1, 0, 0])
    assert np.allclose(z.standing_wave_ratio([0.0, 1 / 3, 1.0]), [1, 2, np.inf])


def test_energy_is_shared_by_any_load():
    rng = np.random.default_rng(0)
    loads = rng.uniform(0, 200, 50) + 1j * rng.normal(scale=100, size=50)
    assert np.allclose(z.power_reflection(50.0, loads) + z.power_transmission(50.0, loads), 1.0, rtol=ROUNDING)


def test_lines():
    # A quarter wave turns a load over: Z^2/Z_load; a half wave repeats it; a shorted eighth is +j Z.
    quarter, half, eighth = (z.line(50.0, 1j * length) for length in (np.pi / 2, np.pi, np.pi / 4))
    assert z.input_impedance(quarter, 100.0) == pytest.approx(25.0, rel=ROUNDING)
    assert z.input_impedance(half, 30 + 4j) == pytest.approx(30 + 4j, rel=ROUNDING)
    assert z.input_impedance(eighth, 0.0) == pytest.approx(50j, rel=ROUNDING)
    assert z.input_impedance(eighth, np.inf) == pytest.approx(-50j, rel=ROUNDING)


def test_two_ports_in_a_row():
    omega = np.linspace(1e3, 1e6, 7)
    chain = z.cascade(z.series(1j * omega * 1e-4), z.shunt(1 / (1j * omega * 1e-8)), z.line(75.0, 1j * omega * 1e-6))
    assert chain.shape == (7, 2, 2)
    scatter = z.scattering(chain, 50.0, 75.0)
    # Lossless: S^H S = 1. Reciprocal: S12 = S21.
    assert np.allclose(np.conj(np.swapaxes(scatter, -1, -2)) @ scatter, np.eye(2), atol=1e-10)
    assert np.allclose(scatter[..., 0, 1], scatter[..., 1, 0], rtol=1e-10)
    assert np.allclose(z.reflection(50.0, z.input_impedance(chain, 75.0)), scatter[..., 0, 0], rtol=1e-10)
    assert np.allclose(z.chain_of(scatter, 50.0, 75.0), chain, rtol=1e-9)


def test_low_pass_section():
    # A series R between matched lines: S21 = 2 Z/(2 Z + R), S11 = R/(2 Z + R).
    scatter = z.scattering(z.series(20.0), 50.0, 50.0)
    assert scatter == pytest.approx(np.array([[20, 100], [100, 20]]) / 120, rel=ROUNDING)


@pytest.mark.parametrize(("before", "behind"), [(50.0, 50.0), (50.0, 20.0)])
def test_transformer_bank(before, behind):
    rng = np.random.default_rng(1)
    w = rng.normal(size=(4, 3))
    first, second = before * rng.uniform(0.5, 2, 3), behind * rng.uniform(0.5, 2, 4)
    s = z.transformer_bank(w, first, second)
    admittance = np.diag(1 / np.concatenate([first, second]))
    assert np.allclose(s.T @ admittance @ s, admittance, atol=1e-14)
    assert np.allclose(s[:3, 3:], first[:, None] * s[3:, :3].T / second, atol=1e-13)
    # The laws of the transformer hold for whatever comes in.
    a = rng.normal(size=7)
    b = s @ a
    v, i = a + b, admittance @ (a - b)
    assert np.allclose(v[3:], w @ v[:3], rtol=1e-10)
    assert np.allclose(i[:3], -w.T @ i[3:], atol=1e-12)


def test_transformer_bank_reduces_to_a_step_and_to_singular_values():
    s = z.transformer_bank([[1.0]], 50.0, 75.0)
    assert s[0, 0] == pytest.approx(z.reflection(50.0, 75.0), rel=ROUNDING)
    assert s[1, 0] == pytest.approx(z.transmission(50.0, 75.0), rel=ROUNDING)
    w = np.random.default_rng(2).normal(size=(3, 3))
    turns, rho = np.linalg.svd(w)[1], 50.0 / 20.0
    sent = np.linalg.svd(z.transformer_bank(w, 50.0, 20.0)[3:, :3])[1]
    assert np.allclose(np.sort(sent), np.sort(2 * turns / (1 + rho * turns**2)), rtol=1e-10)
    assert np.all(sent <= 1 / np.sqrt(rho) * (1 + ROUNDING))
    one = z.scattering(z.transformer(1.7), 50.0, 20.0)
    # Voltage waves and power waves differ by the root of the impedances.
    bank = z.transformer_bank([[1.7]], 50.0, 20.0)
    assert one == pytest.approx(bank * np.sqrt([[1, 20 / 50], [50 / 20, 1]]), rel=ROUNDING)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ParameterError, match="above 0 ohm"):
        z.power_reflection(50j, 50.0)
    with pytest.raises(ParameterError, match="modulus"):
        z.standing_wave_ratio(1.5)
    with pytest.raises(ShapeError, match="impedances for 2 lines"):
        z.transformer_bank(np.ones((1, 2)), [1.0, 2.0, 3.0], 1.0)
    with pytest.raises(ShapeError, match="two-port"):
        z.scattering(np.ones((2, 3)), 50.0, 50.0)
