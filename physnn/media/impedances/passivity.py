"""Whether a rational impedance is positive real, decided by polynomials and not by samples.

Z(s) = N/D is the impedance of a passive circuit if and only if its poles lie in the left half plane or are simple ones
on the imaginary axis with positive residues (infinity included), and Re Z(j w) >= 0 at all frequencies. With x = w^2,

    Re Z = E(x)/|D|^2,   E(x) = sum_(k + l even) (-1)^((k - l)/2) n_k d_l x^((k + l)/2)

changes its sign only at the real roots of E: looking between neighbouring roots, and at the poles, finds the narrowest
band.

Source: Brune, Synthesis of a finite two-terminal network, J. Math. Phys. 10 (1931).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Row = NDArray[Any]

ON_AXIS = 1e-9
"""A pole whose real part is that small against its modulus counts as one on the imaginary axis: roots are no better."""
TWIN = 1e-6
"""Poles nearer to each other, in parts of their modulus, count as one multiple pole: rounding splits a double pole by
the square root of 1e-16 and more."""
ROUNDING = 1000 * float(np.finfo(float).eps)
"""Relative error of a sum of terms, against the sum of their moduli, that coefficients worked out from elements may
have."""


@dataclass(frozen=True)
class Fault:
    """Where and how an impedance gives off energy."""

    frequency: float
    """[Hz]"""
    value: float
    """Re Z there [ohm]; where a pole is at fault, its real part [1/s] or the real part of its residue [ohm/s]"""
    reason: str


def fault(numerator: Sequence[float] | Row, denominator: Sequence[float] | Row, scale: float = 1.0) -> Fault | None:
    """What makes the impedance N(s/scale)/D(s/scale) give off energy; None where it is passive.

    Parameters
    ----------
    numerator, denominator : sequence of float
        Coefficients, the highest power first.
    scale : float
        [rad/s]

    Returns
    -------
    Fault or None
        Poles are looked at first. Otherwise the frequency is that where Re Z is smallest, infinite where it is smallest
        at infinity.
    """
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    poles = np.roots(bottom).astype(complex)
    return (
        _at_poles(top, bottom, poles, scale) or _at_infinity(top, bottom, scale) or _between(top, bottom, poles, scale)
    )


def _on_axis(poles: NDArray[np.complex128]) -> NDArray[np.bool_]:
    return np.abs(np.real(poles)) <= ON_AXIS * np.abs(poles)


def _at_poles(top: Row, bottom: Row, poles: NDArray[np.complex128], scale: float) -> Fault | None:
    growing = poles[(np.real(poles) > 0) & ~_on_axis(poles)]
    for k, pole in enumerate(poles):
        others = np.delete(poles, k)
        if abs(np.real(pole)) <= TWIN * abs(pole) and np.any(np.abs(others - pole) <= TWIN * abs(pole)):
            said = "its poles cannot be told from a multiple pole on the imaginary axis"
            return Fault(_hertz(pole, scale), 0.0, said)
    if growing.size:
        worst = growing[np.argmax(np.real(growing))]
        rate = float(np.real(worst)) * scale
        return Fault(_hertz(worst, scale), rate, f"a pole grows by {rate:.6g} per second")
    for pole in poles[_on_axis(poles)]:
        if abs(np.polyval(top, pole)) <= TWIN * np.polyval(np.abs(top), abs(pole)):
            continue  # cancelled by a zero
        residue = scale * np.polyval(top, pole) / np.polyval(np.polyder(bottom), pole)
        if not (np.real(residue) > 0 and abs(np.imag(residue)) <= TWIN * abs(residue)):
            value = float(np.real(residue))
            return Fault(
                _hertz(pole, scale), value, f"a pole without loss has the residue {residue:.6g} ohm/s, not one above 0"
            )
    return None


def _at_infinity(top: Row, bottom: Row, scale: float) -> Fault | None:
    rise = top.size - bottom.size
    if rise < 1 or not np.any(top):
        return None
    slope = float(top[0] / bottom[0] / scale)
    if rise > 1:
        return Fault(math.inf, slope, f"it rises with the power {rise} of the frequency")
    return Fault(math.inf, slope, f"it rises like an inductance of {slope:.6g} H, below 0") if slope < 0 else None


def _between(top: Row, bottom: Row, poles: NDArray[np.complex128], scale: float) -> Fault | None:
    def resistance(w: float) -> float:
        return float(np.real(np.polyval(top, 1j * w) / np.polyval(bottom, 1j * w)))

    looked = _places(top, bottom, poles[~_on_axis(poles)])
    negative = [w for w in looked if _is_negative(top, bottom, w)]
    if not negative:
        return None
    lowest = min([*negative, *_turning(top, bottom)], key=resistance)
    around, fine = (lowest * (1 - 1e-5), lowest * (1 + 1e-5)), {"xatol": 1e-13 * lowest}
    near = minimize_scalar(resistance, bounds=around, method="bounded", options=fine)
    lowest = min((lowest, float(near.x)), key=resistance)
    value, limit = resistance(lowest), _limit(top, bottom)
    if limit < value - ROUNDING * abs(value):
        return Fault(math.inf, limit, f"its resistance falls to {limit:.6g} ohm, below 0")
    return Fault(lowest * scale / (2 * math.pi), value, f"its resistance is {value:.6g} ohm, below 0")


def _turning(top: Row, bottom: Row) -> list[float]:
    """Frequencies at which Re Z = E/|D|^2 may turn: the roots of E' |D|^2 - E (|D|^2)'."""
    even, size = _even_part(top, bottom), _even_part(bottom, bottom)
    slope: Row = np.polysub(np.polymul(np.polyder(even), size), np.polymul(even, np.polyder(size)))
    # A turn that rounding has moved off the real axis is met by its real part.
    return [math.sqrt(x) for x in np.real(np.roots(slope)) if x > 0]


def _limit(top: Row, bottom: Row) -> float:
    """Re Z at infinite frequency."""
    even, size = np.trim_zeros(_even_part(top, bottom), "f"), np.trim_zeros(_even_part(bottom, bottom), "f")
    return float(even[0] / size[0]) if even.size == size.size else 0.0


def _places(top: Row, bottom: Row, poles: NDArray[np.complex128]) -> list[float]:
    """Frequencies of which at least one lies in every band where Re Z has one sign, in ascending order."""
    roots = np.real(np.roots(_even_part(top, bottom)))
    marks = {0.0, *(math.sqrt(x) for x in roots if x > 0)}
    for pole in poles:
        centre, width = abs(float(np.imag(pole))), abs(float(np.real(pole)))
        marks |= {centre, centre + width, max(centre - width, 0.0)}
    edges = sorted(marks)
    edges.append(10 * (edges[-1] or 1.0))
    return sorted({*edges, *((low + high) / 2 for low, high in pairwise(edges))})


def _is_negative(top: Row, bottom: Row, w: float) -> bool:
    """Whether Re Z(j w) is below 0 by more than rounding errors; Re Z has the sign of Re N conj(D)."""
    n, d = np.polyval(top, 1j * w), np.polyval(bottom, 1j * w)
    error = ROUNDING * (np.polyval(np.abs(top), w) * abs(d) + np.polyval(np.abs(bottom), w) * abs(n))
    return bool(np.real(n * np.conj(d)) < -error)


def _even_part(top: Row, bottom: Row) -> Row:
    """Coefficients of E, the highest power of x first; rounding errors are zero."""
    even, sizes = np.zeros(top.size + bottom.size), np.zeros(top.size + bottom.size)
    for k, n in enumerate(top[::-1]):
        for m, d in enumerate(bottom[::-1]):
            if (k - m) % 2 == 0:
                even[(k + m) // 2] += (-1) ** ((k - m) // 2) * n * d
                sizes[(k + m) // 2] += abs(n * d)
    return np.where(np.abs(even) <= ROUNDING * sizes, 0.0, even)[::-1]


def _hertz(pole: complex, scale: float) -> float:
    return abs(float(np.imag(pole))) * scale / (2 * math.pi)
