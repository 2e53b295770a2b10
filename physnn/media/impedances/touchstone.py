"""Measured one-ports: Touchstone files, fitted by rational impedances with scikit-rf."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.errors import CapabilityError, DataError, ParameterError
from physnn.media.impedances.rational import SAME, Rational

FAR = 1e3
"""Poles that are this many times the highest measured frequency are none that the measurement could show."""


@dataclass(frozen=True)
class TouchstoneFit:
    """A rational impedance and how well it meets what was measured."""

    impedance: Rational
    error: float
    """root mean square of |S of the fit - S measured| [1]"""
    enforced: bool
    """whether the fit had to be changed to be passive"""
    reference: float
    """impedance to which S refers [ohm]"""


def fit_touchstone(path: str | Path, real_poles: int = 0, complex_pairs: int = 2) -> TouchstoneFit:
    """Fit the reflection coefficient S11 of a one-port by vector fitting;  Z = z0 (1 + S)/(1 - S).

    Parameters
    ----------
    path : str or Path
        A one-port Touchstone file (.s1p).
    real_poles, complex_pairs : int
        Number of real poles and of pairs of complex ones; real_poles + 2 complex_pairs is the order of Z.

    Returns
    -------
    TouchstoneFit
        Poles beyond a thousand times the highest frequency count as constants, and a limit of S at infinite frequency
        of 1 or more is set to 1 (an inductance or an open end). Where the fit is still not passive, its residues are
        changed as little as is needed; `error` is that of the changed fit.

    Raises
    ------
    CapabilityError
        scikit-rf is not installed.
    DataError
        The file cannot be read, has another number of ports, no usable reference impedance, numbers that are not
        finite, or no frequency above 0.
    ParameterError
        There are no poles, or more unknowns than measured numbers, or the fit is not passive and cannot be made so.

    Source
    ------
    Gustavsen, Semlyen, IEEE Trans. Power Delivery 14, 1052 (1999), as implemented by scikit-rf.
    """
    counts = (real_poles, complex_pairs)
    if not all(isinstance(count, Integral) and not isinstance(count, bool) and count >= 0 for count in counts):
        raise ParameterError(
            f"a fit with {real_poles!r} real poles and {complex_pairs!r} pairs; both must be whole numbers, 0 or more"
        )
    if not any(counts):
        raise ParameterError(f"a fit with {real_poles} real poles and {complex_pairs} pairs; give at least one of them")
    measured, fitting = _read(Path(path))
    _check_points(measured.f, real_poles + 2 * complex_pairs, path)
    reference = float(np.real(measured.z0[0, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-rf warns of what is looked at and reported here
        with suppress(np.linalg.LinAlgError):  # of a limit of 1 scikit-rf makes a singular matrix, when the fit is done
            fitting.vector_fit(real_poles, complex_pairs, parameter_type="s", fit_constant=True, fit_proportional=False)
        if fitting.poles is None:
            raise ParameterError(f"{path}: no fit with {real_poles} real poles and {complex_pairs} pairs; try others")
        _limit(fitting, 2 * np.pi * float(measured.f[-1]))
        enforced = _impedance(fitting, reference).fault() is not None
        if enforced:
            with suppress(np.linalg.LinAlgError):
                fitting.passivity_enforce()
    impedance = _impedance(fitting, reference)
    impedance.check_passive()
    missed = _reflection(fitting)(2j * np.pi * measured.f) - measured.s[:, 0, 0]
    return TouchstoneFit(impedance, float(np.sqrt(np.mean(np.abs(missed) ** 2))), enforced, reference)


def _check_points(frequencies: NDArray[np.float64], order: int, path: str | Path) -> None:
    """Whether there are as many measured numbers, two a frequency and one at 0, as poles, residues and the constant."""
    known, unknown = int(2 * len(frequencies) - np.sum(frequencies == 0)), 2 * order + 1
    if known < unknown:
        raise ParameterError(
            f"{path}: {len(frequencies)} frequencies give {known} numbers, a fit of order {order} has {unknown} "
            "unknowns; take fewer poles or more frequencies"
        )


def _limit(fitting: Any, highest: float) -> None:
    """Far poles as constants, and a reflection of at most 1 at infinite frequency."""
    far = np.abs(fitting.poles) > FAR * highest
    paired = np.where(np.imag(fitting.poles) != 0, 2, 1)
    fitting.constant_coeff[0] -= np.sum((paired * np.real(fitting.residues[0] / fitting.poles))[far])
    fitting.poles, fitting.residues = fitting.poles[~far], fitting.residues[:, ~far]
    fitting.constant_coeff[0] = np.clip(fitting.constant_coeff[0], -1.0, 1.0)


def _impedance(fitting: Any, reference: float) -> Rational:
    """Z = z0 (1 + S)/(1 - S); where S is 1 or -1 at no or infinite frequency, rounding must not move a pole or zero."""
    wave = _reflection(fitting)
    size = max(len(wave.numerator), len(wave.denominator))
    n, d = (np.pad(row, (size - len(row), 0)) for row in (wave.numerator, wave.denominator))
    top, bottom = (np.where(np.abs(row) <= SAME * (np.abs(n) + np.abs(d)), 0.0, row) for row in (d + n, d - n))
    return Rational(reference * top, bottom, wave.scale)


def _read(path: Path) -> tuple[Any, Any]:
    """The file as a network of scikit-rf, and what fits it."""
    try:
        import skrf
    except ImportError:
        raise CapabilityError("Touchstone files need scikit-rf; pip install 'physnn[rf]'") from None
    try:
        network = skrf.Network(str(path))
    except Exception as error:  # scikit-rf raises whatever its parser meets
        raise DataError(f"{path}: cannot be read as a Touchstone file ({error})") from None
    if network.nports != 1:
        raise DataError(f"{path}: {network.nports} ports; an impedance needs a one-port file (.s1p)")
    if not len(network.f) or not np.any(network.f > 0):
        raise DataError(f"{path}: no frequency above 0; a fit needs a measurement over a band")
    if not (np.all(np.isfinite(network.f)) and np.all(np.isfinite(network.s))):
        raise DataError(f"{path}: holds numbers that are not finite; take those lines out")
    reference = network.z0[:, 0]
    if np.any(np.abs(np.imag(reference)) > 0) or np.any(reference != reference[0]) or np.real(reference[0]) <= 0:
        raise DataError(f"{path}: the reference impedance must be real, above 0 and the same at all frequencies")
    return network, skrf.vectorFitting.VectorFitting(network)


def _reflection(fitting: Any) -> Rational:
    """The fitted S11; of each complex pair scikit-rf keeps one pole."""
    paired = np.imag(fitting.poles) != 0
    poles = np.concatenate([fitting.poles, np.conj(fitting.poles[paired])])
    residues = np.concatenate([fitting.residues[0], np.conj(fitting.residues[0][paired])])
    return Rational.from_poles(poles, residues, float(fitting.constant_coeff[0]))
