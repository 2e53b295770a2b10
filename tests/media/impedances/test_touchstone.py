"""Touchstone files: fits of known circuits, passivity, and what is refused."""

import sys

import numpy as np
import pytest

from physnn.errors import CapabilityError, DataError, ParameterError
from physnn.media.impedances import Capacitor, Inductor, Resistor, Stub, Termination, fit_touchstone

FREQUENCIES = np.linspace(1e8, 5e9, 201)
S = 2j * np.pi * FREQUENCIES


@pytest.fixture
def written(tmp_path):
    skrf = pytest.importorskip("skrf")

    def write(wave, reference=50.0):
        network = skrf.Network(f=FREQUENCIES, f_unit="Hz", s=np.reshape(wave, (-1, 1, 1)), z0=reference)
        network.write_touchstone(filename="measured", dir=tmp_path)
        return tmp_path / "measured.s1p"

    return write


def reflection(z, reference=50.0):
    return (z - reference) / (z + reference)


@pytest.mark.parametrize(
    ("z", "order"),
    [
        (Resistor(20.0) + Inductor(2e-9) + (Capacitor(1e-12) | Resistor(300.0)), (0, 1)),
        (Resistor(20.0) + Inductor(2e-9) + (Capacitor(1e-12) | Resistor(300.0)), (0, 2)),
        (Resistor(30.0) + Capacitor(2e-12), (1, 0)),
        (Resistor(200.0) | Capacitor(2e-12) | (Inductor(1e-9) + Capacitor(1e-12)), (1, 1)),
    ],
)
@pytest.mark.parametrize("reference", [50.0, 75.0])
def test_circuits_are_found_again(written, z, order, reference):
    fit = fit_touchstone(written(reflection(z(S), reference), reference), *order)
    assert fit.reference == reference and not fit.enforced
    assert fit.error < 1e-9  # the file has some 16 digits, the fit solves least squares
    np.testing.assert_allclose(fit.impedance(S), z(S), rtol=1e-6)
    Termination("load", 1, fit.impedance).lower()


def test_noise_is_reported_as_error_and_passivity_enforced(written):
    noise = np.random.default_rng(0).normal(size=FREQUENCIES.size) * 2e-3
    fit = fit_touchstone(written(0.999 * reflection(Stub(70.0, 0.12e-9)(S)) + noise), complex_pairs=5)
    assert fit.enforced and fit.impedance.fault() is None
    assert 1e-3 < fit.error < 4e-3  # the noise, and what enforcing costs


def test_gain_is_refused(written):
    with pytest.raises(ParameterError, match="not passive"):
        fit_touchstone(written(1.5 * np.exp(-S * 1e-10)), complex_pairs=1)


def test_files_and_orders_are_checked(written, tmp_path):
    with pytest.raises(DataError, match=r"missing\.s1p"):
        fit_touchstone(tmp_path / "missing.s1p")
    (tmp_path / "two.s2p").write_text("# GHz S RI R 50\n1 0 0 1 0 1 0 0 0\n2 0 0 1 0 1 0 0 0\n")
    pytest.importorskip("skrf")
    with pytest.raises(DataError, match="2 ports"):
        fit_touchstone(tmp_path / "two.s2p")
    with pytest.raises(ParameterError, match="at least one"):
        fit_touchstone(written(0 * S), real_poles=0, complex_pairs=0)


@pytest.mark.parametrize(
    ("lines", "error", "advice"),
    [
        ("1 0.5 0\n2 nan 0\n3 0.3 0\n", DataError, "not finite"),
        ("0 0.5 0\n", DataError, "no frequency above 0"),
        ("", DataError, "no frequency above 0"),
        ("1 0.5 0\n2 0.4 0.1\n3 0.3 0.2\n4 0.3 0.2\n", ParameterError, "8 numbers, a fit of order 4 has 9 unknowns"),
    ],
)
def test_measurements_that_determine_no_fit(tmp_path, lines, error, advice):
    pytest.importorskip("skrf")
    (tmp_path / "measured.s1p").write_text("# GHz S RI R 50\n" + lines)
    with pytest.raises(error, match=advice):
        fit_touchstone(tmp_path / "measured.s1p")


@pytest.mark.parametrize("count", [1.5, True, "2", -1])
def test_numbers_of_poles_are_whole(count, tmp_path):
    for order in ((count, 1), (1, count)):
        with pytest.raises(ParameterError, match="must be whole numbers, 0 or more"):
            fit_touchstone(tmp_path / "any.s1p", *order)


def test_scikit_rf_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "skrf", None)
    with pytest.raises(CapabilityError, match=r"physnn\[rf\]"):
        fit_touchstone(tmp_path / "any.s1p")
