"""Passive or not: closed forms, narrow bands, poles on the axis, and dense sampling as an independent judge."""

import numpy as np
import pytest

from physnn.errors import ParameterError
from physnn.media.impedances import Capacitor, Inductor, Rational, Resistor, SeriesJunction, Termination

GHZ = 2 * np.pi * 1e9


def dip(lowest, quality):
    """50 ohm but for a band about 1 GHz, where the resistance goes down to `lowest`."""
    return Rational([50.0, lowest / quality, 50.0], [1.0, 1 / quality, 1.0], GHZ)


@pytest.mark.parametrize("quality", [1.0, 30.0, 1e4, 1e6])
def test_the_narrowest_band_is_found_with_its_frequency(quality):
    found = dip(-0.01, quality).fault()
    assert found is not None
    assert found.frequency == pytest.approx(1e9, rel=1e-6)
    assert found.value == pytest.approx(-0.01, rel=1e-6)
    assert dip(0.01, quality).fault() is None


def test_a_band_away_from_the_poles_is_found():
    # Re Z = ((1 - x)^2 - band)/|D|^2, x = w^2, with a double pole at -1: negative only where |1 - x| < sqrt(band).
    band = 1e-4
    # Re N(jw) D(-jw) for D = (s + 1)^2 = 1 - x + 2jw and N = a s^2 + b s + c: (c - a x)(1 - x) + 2 b x
    # = c + (2 b - a - c) x + a x^2, wanted (1 - x)^2 - band.
    a, c = 1.0, 1.0 - band
    z = Rational([a, (a + c - 2) / 2, c], [1.0, 2.0, 1.0], GHZ)
    found = z.fault()
    w = np.sqrt(np.linspace(0.98, 1.02, 200_001))
    resistance = np.real(z(1j * GHZ * w))
    assert found is not None
    assert found.frequency == pytest.approx(1e9 * w[np.argmin(resistance)], rel=1e-6)  # spacing of the samples: 1e-7
    assert found.value == pytest.approx(resistance.min(), rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_sampling_agrees(seed):
    """Random quotients of fourth order with damped poles: dense sampling finds the same lowest resistance."""
    rng = np.random.default_rng(seed)
    poles = -rng.uniform(0.2, 1, 2) + 1j * rng.uniform(0.3, 3, 2)
    residues = rng.normal(1.0, 1.0, 2) + 1j * rng.normal(0, 0.5, 2)
    z = Rational.from_poles([*poles, *poles.conj()], [*residues, *residues.conj()], rng.uniform(0, 1))
    w = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 40_001)])
    resistance = np.real(z(1j * w))
    found = z.fault()
    assert (found is not None) == bool(resistance.min() < 0)
    if found is not None:
        assert found.value <= resistance.min() + 1e-12
        assert found.value == pytest.approx(resistance.min(), abs=1e-6)  # curvature times the spacing of 4e-4 squared


@pytest.mark.parametrize("seed", range(10))
def test_ladders_of_passive_elements_are_passive(seed):
    rng = np.random.default_rng(seed)
    z = Resistor(rng.uniform(10, 100))
    for _ in range(3):
        z = Inductor(rng.uniform(0.1, 3) * 1e-9) + (Capacitor(rng.uniform(0.1, 3) * 1e-12) | z)
    assert z.rational().fault() is None
    assert z.rational().reciprocal().fault() is None


def test_lossless_circuits_are_passive():
    z = (Inductor(1e-9) | Capacitor(1e-12)) + (Inductor(2e-9) | Capacitor(3e-12)) + Capacitor(1e-12) + Inductor(1e-9)
    assert z.rational().fault() is None
    assert z.rational().reciprocal().fault() is None


@pytest.mark.parametrize(
    ("top", "bottom", "frequency", "reason"),
    [
        ([1.0], [1.0, -0.2, 1.01], 1 / (2 * np.pi), "grows by 0.1"),
        ([1.0, 1.0], [1.0, 0.0, 2.0, 0.0, 1.0], 1 / (2 * np.pi), "multiple"),
        ([1.0], [1.0, 0.0, 0.0], 0.0, "multiple"),
        ([-1.0, 0.0], [1.0, 0.0, 1.0], 1 / (2 * np.pi), "residue"),
        ([1.0, 1.0], [1.0, 0.0, 1.0], 1 / (2 * np.pi), "residue"),
        ([-1.0], [1.0, 0.0], 0.0, "residue"),
        ([-1.0, 2.0], [1.0], np.inf, "below 0"),
        ([1.0, 0.0, 1.0], [1.0], np.inf, "power 2"),
        ([-1.0], [1.0], 0.0, "below 0"),
    ],
)
def test_poles_and_limits(top, bottom, frequency, reason):
    z = Rational(top, bottom)
    found = z.fault()
    assert found is not None and reason in found.reason
    assert found.frequency == pytest.approx(frequency, rel=1e-6)


@pytest.mark.parametrize("part", [Termination, lambda n, k, z: SeriesJunction(n, k, impedance=Resistor(1.0) + z)])
def test_what_is_not_passive_is_refused_with_the_frequency(part):
    with pytest.raises(ParameterError, match=r"not passive: at 1e\+09 Hz its resistance is -5 ohm"):
        part("end", 1, dip(-5.0, 10.0))
