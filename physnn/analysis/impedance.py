"""Reflection and transmission at given frequencies: impedance steps, loads, two-ports, transformer banks.

Impedances are numbers or arrays [ohm]. Voltage waves: v = a + b, i = (a - b)/Z, a travelling towards the port. An open
end is Z = inf. Two-ports are arrays (..., 2, 2): chain (ABCD) matrices  v1 = A v2 + B i2,  i1 = C v2 + D i2  with i2
leaving, and scattering matrices of power waves a/sqrt(Z) for real reference impedances.

Source: Pozar, Microwave Engineering, 4th ed. (2012), chapters 2 and 4; the transformer bank is derived from
v2 = W v1, i1 = -W^T i2.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.errors import ParameterError, ShapeError

Array = NDArray[Any]


def reflection(line: ArrayLike, load: ArrayLike) -> Array:
    """Voltage reflected from a load at the end of a line,  R = (Z_load - Z_line)/(Z_load + Z_line).

    The load may be the impedance of a further line: an impedance step.
    """
    first, second = np.broadcast_arrays(np.asarray(line), np.asarray(load))
    is_open = np.isinf(second)
    ends = np.where(is_open, 0, second)
    return np.where(is_open, 1.0, (ends - first) / (ends + first))


def transmission(line: ArrayLike, load: ArrayLike) -> Array:
    """Voltage across a load, or sent into a further line, for a unit wave:  T = 1 + R."""
    return 1.0 + reflection(line, load)


def power_reflection(line: ArrayLike, load: ArrayLike) -> Array:
    """Share of the power that returns to a line of real impedance, |R|^2."""
    _real(line)
    return np.abs(reflection(line, load)) ** 2


def power_transmission(line: ArrayLike, load: ArrayLike) -> Array:
    """Share of the power that a load takes from a line of real impedance,  |T|^2 Z_line Re(1/Z_load)."""
    _real(line)
    with np.errstate(divide="ignore"):
        conductance = np.real(1.0 / np.asarray(load, dtype=complex))
    return np.abs(transmission(line, load)) ** 2 * np.asarray(line) * np.where(np.isinf(load), 0.0, conductance)


def standing_wave_ratio(coefficient: ArrayLike) -> Array:
    """Largest over smallest voltage along a line,  (1 + |R|)/(1 - |R|); inf for total reflection."""
    size = np.abs(coefficient)
    if np.any(size > 1):
        raise ParameterError(f"a reflection coefficient of modulus {np.max(size)}: a standing wave needs one up to 1")
    with np.errstate(divide="ignore"):
        return (1 + size) / (1 - size)


def input_impedance(chain: Array, load: ArrayLike) -> Array:
    """What is seen into a two-port that ends in a load,  (A Z + B)/(C Z + D)."""
    (a, b), (c, d) = _entries(chain)
    end, is_open = np.asarray(load), np.isinf(load)
    ends = np.where(is_open, 0, end)
    return np.where(is_open, a, a * ends + b) / np.where(is_open, c, c * ends + d)


def series(impedance: ArrayLike) -> Array:
    """Chain matrix of an impedance in series, [[1, Z], [0, 1]]."""
    z = np.asarray(impedance)
    return _matrix(np.ones_like(z), z, np.zeros_like(z), np.ones_like(z))


def shunt(impedance: ArrayLike) -> Array:
    """Chain matrix of an impedance across the line, [[1, 0], [1/Z, 1]]."""
    z = np.asarray(impedance)
    return _matrix(np.ones_like(z), np.zeros_like(z), 1.0 / z, np.ones_like(z))


def line(impedance: ArrayLike, propagation: ArrayLike) -> Array:
    """Chain matrix of a line,  [[cosh g, Z sinh g], [sinh g/Z, cosh g]].

    Parameters
    ----------
    impedance : array
        Z [ohm]
    propagation : array
        g = (alpha + j beta) length: attenuation [Np] and phase; j omega tau for a lossless line of delay tau.
    """
    z, g = np.broadcast_arrays(np.asarray(impedance), np.asarray(propagation))
    return _matrix(np.cosh(g), z * np.sinh(g), np.sinh(g) / z, np.cosh(g))


def transformer(turns: ArrayLike) -> Array:
    """Chain matrix of an ideal transformer with v2 = turns v1, [[1/n, 0], [0, n]]."""
    n = np.asarray(turns, dtype=float)
    return _matrix(1.0 / n, np.zeros_like(n), np.zeros_like(n), n)


def cascade(*chains: Array) -> Array:
    """Two-ports one after the other: the product of their chain matrices."""
    return reduce(np.matmul, chains)


def scattering(chain: Array, first: float, second: float) -> Array:
    """Scattering matrix of a two-port between lines of real impedances, for power waves.

    Parameters
    ----------
    chain : array
        (..., 2, 2)
    first, second : float
        Reference impedances of port 1 and port 2 [ohm].
    """
    _real([first, second])
    (a, b), (c, d) = _entries(chain)
    total = a * second + b + c * first * second + d * first
    root = 2 * np.sqrt(first * second)
    determinant = a * d - b * c
    return _matrix(
        (a * second + b - c * first * second - d * first) / total,
        root * determinant / total,
        root / total,
        (-a * second + b - c * first * second + d * first) / total,
    )


def chain_of(scatter: Array, first: float, second: float) -> Array:
    """The chain matrix whose scattering matrix is given; the inverse of `scattering`."""
    _real([first, second])
    (s11, s12), (s21, s22) = _entries(scatter)
    root = 2 * s21 * np.sqrt(first * second)
    return _matrix(
        ((1 + s11) * (1 - s22) + s12 * s21) * first / root,
        ((1 + s11) * (1 + s22) - s12 * s21) * first * second / root,
        ((1 - s11) * (1 - s22) - s12 * s21) / root,
        ((1 - s11) * (1 + s22) + s12 * s21) * second / root,
    )


def transformer_bank(turns: ArrayLike, first: ArrayLike, second: ArrayLike) -> Array:
    """Scattering of voltage waves at a bank of ideal transformers  v2 = W v1,  i1 = -W^T i2.

    With M = Z1 W^T Z2^-1 W:

        S11 = (I + M)^-1 (I - M)       S12 = 2 (I + M)^-1 Z1 W^T Z2^-1
        S21 = 2 W (I + M)^-1           S22 = 2 W (I + M)^-1 Z1 W^T Z2^-1 - I

    Lossless, S^T Z^-1 S = Z^-1, and reciprocal, S12 = Z1 S21^T Z2^-1: with equal impedances the reflected wave meets
    exactly the transpose. A singular value s of W is transmitted as 2 s/(1 + rho s^2), rho = Z1/Z2.

    Parameters
    ----------
    turns : array
        W, (n2, n1)
    first, second : array
        Impedances of the n1 lines before and the n2 lines behind, each one number or one a line [ohm].

    Returns
    -------
    array
        (n1 + n2, n1 + n2)

    Raises
    ------
    ShapeError, ParameterError
    """
    w = np.asarray(turns, dtype=float)
    if w.ndim != 2:
        raise ShapeError(f"turns ratios of shape {w.shape}; (lines behind, lines before) is needed")
    before, behind = _lines(first, w.shape[1]), _lines(second, w.shape[0])
    back = before[:, None] * w.T / behind
    whole = np.linalg.inv(np.eye(w.shape[1]) + back @ w)
    across = whole @ back
    return np.block(
        [[whole @ (np.eye(w.shape[1]) - back @ w), 2 * across], [2 * w @ whole, 2 * w @ across - np.eye(w.shape[0])]]
    )


def _lines(impedance: ArrayLike, count: int) -> NDArray[np.float64]:
    try:
        found = np.broadcast_to(np.asarray(impedance, dtype=float), (count,))
    except ValueError:
        raise ShapeError(f"{np.size(impedance)} impedances for {count} lines; one number or one a line") from None
    _real(found)
    return found


def _real(impedance: ArrayLike) -> None:
    values = np.asarray(impedance)
    if np.any(np.imag(values) != 0) or not np.all((np.real(values) > 0) & np.isfinite(values)):
        raise ParameterError(f"line impedance {values}: power and waves need a real, finite one above 0 ohm")


def _matrix(a: Array, b: Array, c: Array, d: Array) -> Array:
    rows = np.broadcast_arrays(a, b, c, d)
    return np.stack([np.stack(rows[:2], axis=-1), np.stack(rows[2:], axis=-1)], axis=-2)


def _entries(two_port: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    values = np.asarray(two_port)
    if values.shape[-2:] != (2, 2):
        raise ShapeError(f"a two-port of shape {values.shape}; (..., 2, 2) is needed")
    return (values[..., 0, 0], values[..., 0, 1]), (values[..., 1, 0], values[..., 1, 1])
