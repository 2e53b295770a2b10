"""Rational impedances: any quotient of polynomials in s, kept in units of its own so that GHz circuits stay exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from physnn.errors import CapabilityError, NumericsError, ParameterError
from physnn.media.impedances.circuit import Branch, Writer, in_series, inductive
from physnn.media.impedances.impedance import Impedance
from physnn.media.impedances.passivity import Fault, fault
from physnn.media.impedances.realisation import StateSpace, realised

Row = NDArray[Any]

SAME = 1e-9
"""Relative distance of two poles that are taken for the same: simple roots are known better than that."""


@dataclass(frozen=True)
class Rational(Impedance):
    """A rational impedance:  Z(s) = N(s/w) / D(s/w), real coefficients.

    Given with w = 1, coefficients are those of polynomials in s [rad/s]. They are kept for the w in the middle (the
    geometric mean) of all poles and zeros, and divided by the largest coefficient of D.

    Parameters
    ----------
    numerator, denominator : sequence of float
        Coefficients, the highest power first. Z is in ohm.
    scale : float
        w [rad/s] of the coefficients given.

    Examples
    --------
    A resistance of 50 ohm in series with 1 nH:

    >>> z = Rational([1e-9, 50.0], [1.0])
    >>> z.poles().size, z.inductance
    (0, 1e-09)
    """

    numerator: Sequence[float] | Row
    denominator: Sequence[float] | Row
    scale: float = 1.0

    def __post_init__(self) -> None:
        top, bottom = _coefficients(self.numerator, "numerator"), _coefficients(self.denominator, "denominator")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ParameterError(f"rational impedance: scale {self.scale} rad/s must be finite and above 0")
        if not np.any(bottom):
            raise ParameterError("rational impedance: the denominator is zero")
        if not np.any(top):
            top, bottom = np.zeros(1), np.ones(1)
        shared = min(_roots_at_zero(top), _roots_at_zero(bottom)) if np.any(top) else 0
        top, bottom = top[: top.size - shared], bottom[: bottom.size - shared]
        middle = _middle(top, bottom)
        top, bottom = (_rescaled(polynomial, middle) for polynomial in (top, bottom))
        size = np.max(np.abs(bottom))
        object.__setattr__(self, "numerator", tuple(float(c) for c in top / size))
        object.__setattr__(self, "denominator", tuple(float(c) for c in bottom / size))
        object.__setattr__(self, "scale", float(self.scale * middle))
        if not np.all(np.isfinite([*self.numerator, *self.denominator, self.scale])):
            raise NumericsError(
                "rational impedance: coefficients of too many orders of magnitude; give a nearer `scale`"
            )

    @classmethod
    def from_poles(
        cls, poles: ArrayLike, residues: ArrayLike, constant: float = 0.0, proportional: float = 0.0
    ) -> Rational:
        """The sum  proportional s + constant + sum_k r_k/(s - p_k).

        Parameters
        ----------
        poles, residues : array
            p_k [1/s] and r_k [ohm/s]; complex ones come with their conjugates.
        constant : float
            [ohm]
        proportional : float
            [H]

        Raises
        ------
        ParameterError
            There is not one residue for each pole, or complex poles are without their conjugates.
        """
        try:
            at, strength = (np.atleast_1d(np.asarray(row, dtype=complex)) for row in (poles, residues))
        except (TypeError, ValueError):
            raise ParameterError("rational impedance: poles and residues must be rows of numbers") from None
        if at.ndim != 1 or at.shape != strength.shape:
            raise ParameterError(
                f"rational impedance: poles of shape {at.shape} and residues of shape {strength.shape}; give one "
                "residue for each pole"
            )
        scale = float(np.max(np.abs(at), initial=0.0)) or 1.0
        at, strength = at / scale, strength / scale
        bottom = np.poly(at)
        top = np.polymul([proportional * scale, constant], bottom)
        for k, residue in enumerate(strength):
            top = np.polyadd(top, residue * np.poly(np.delete(at, k)))
        for polynomial in (top, bottom):
            if np.max(np.abs(np.imag(polynomial))) > SAME * np.max(np.abs(polynomial)):
                raise ParameterError("complex poles and residues come in pairs: give their conjugates as well")
        return cls(np.real(top), np.real(bottom), scale)

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        p = s / self.scale
        return np.asarray(np.polyval(self.numerator, p) / np.polyval(self.denominator, p), dtype=complex)

    def rational(self) -> Rational:
        return self

    def poles(self) -> NDArray[np.complex128]:
        """Poles [1/s], without the one at infinity."""
        return np.asarray(self.scale * np.roots(self.denominator), dtype=complex)

    def zeros(self) -> NDArray[np.complex128]:
        """Zeros [1/s], without one at infinity."""
        return np.asarray(self.scale * np.roots(self.numerator), dtype=complex)

    def residues(self) -> NDArray[np.complex128]:
        """Residues [ohm/s] at the poles, which must be simple.

        Raises
        ------
        NumericsError
            A pole is multiple.
        """
        poles = np.roots(self.denominator).astype(complex)
        slopes = np.polyval(np.polyder(self.denominator), poles)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self.scale * np.polyval(self.numerator, poles) / slopes
        if not np.all(np.isfinite(found)):
            raise NumericsError("rational impedance: a pole is multiple, it has no residue; use `state_space`")
        return np.asarray(found, dtype=complex)

    @property
    def inductance(self) -> float:
        """Residue of the pole at infinity, L [H] of Z -> s L."""
        rise = len(self.numerator) - len(self.denominator)
        return self.numerator[0] / self.denominator[0] / self.scale if rise == 1 else 0.0

    def plus(self, other: Rational) -> Rational:
        """The sum as one quotient over the least common multiple of the denominators."""
        mine, theirs = self._in(other.scale), (np.asarray(other.numerator), np.asarray(other.denominator))
        common, own, others = _shared_roots(mine[1], theirs[1])
        top = np.polyadd(np.polymul(mine[0], others), np.polymul(theirs[0], own))
        return Rational(top, np.polymul(common, np.polymul(own, others)), other.scale)

    def reciprocal(self) -> Rational:
        """1/Z.

        Raises
        ------
        ParameterError
            Z is zero.
        """
        if not any(self.numerator):
            raise ParameterError("the impedance is zero, it has no reciprocal")
        return Rational(self.denominator, self.numerator, self.scale)

    def state_space(self) -> StateSpace:
        """Real matrices of  x' = A x + B i,  v = C x + D i + L di/dt."""
        return realised(self.numerator, self.denominator, self.scale)

    def fault(self) -> Fault | None:
        """Where and how it gives off energy; None where it is passive."""
        return fault(self.numerator, self.denominator, self.scale)

    def check_passive(self) -> None:
        found = self.fault()
        if found is not None:
            raise ParameterError(
                f"the impedance is not passive: at {found.frequency:.6g} Hz {found.reason}; choose a positive-real one "
                "(for a fit: fewer poles, or enforced passivity)"
            )

    def branch(self, writer: Writer) -> Branch:
        """x' = A x + B i,  v = C x + D i + L di/dt, states x [V]"""
        if writer.trapezoidal:
            raise CapabilityError(
                "a rational impedance is not stepped by the trapezoidal rule: solving for its states within a step "
                "makes formulas too long to differentiate; build it of resistors, inductors and capacitors, or use "
                'integrator="implicit"'
            )
        tag, matrices = writer.tag("Z"), self.state_space()
        states = [sp.Symbol(f"x{k + 1}_{tag}") for k in range(matrices.order)]

        def row(name: str, unit: str, values: Row) -> list[sp.Expr]:
            return [
                writer.parameter(f"{name}{k + 1}_{tag}", unit, value, fixed=True) if value else sp.Integer(0)
                for k, value in enumerate(values)
            ]

        inner = [row(f"A{k + 1}_", "1/s", values) for k, values in enumerate(matrices.A)]
        gains, taps = row("B", "ohm/s", matrices.B), row("C", "1", matrices.C)
        resistance = writer.parameter(f"D_{tag}", "ohm", matrices.D, fixed=True) if matrices.D else sp.Integer(0)

        def tell(v: sp.Expr, i: sp.Expr) -> None:
            writer.burn(v * i)
            for state, rates, gain in zip(states, inner, gains, strict=True):
                writer.flow(str(state), _product(rates, states) + gain * i, "V")

        proper = Branch(tell, resistance, _product(taps, states))
        if not matrices.L:
            return proper
        rise = writer.parameter(f"L_{tag}", "H", matrices.L, fixed=True)
        return in_series([proper, inductive(writer, f"i_{tag}", rise)])

    def _in(self, scale: float) -> tuple[Row, Row]:
        """Numerator and denominator for another w."""
        share = scale / self.scale
        return _rescaled(np.asarray(self.numerator), share), _rescaled(np.asarray(self.denominator), share)


def _product(left: Sequence[sp.Expr], right: Sequence[sp.Expr]) -> sp.Expr:
    return sp.Add(*(a * b for a, b in zip(left, right, strict=True)))


def _coefficients(values: Sequence[float] | Row, what: str) -> Row:
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        raise ParameterError(f"rational impedance: the {what} {values!r} must hold real numbers") from None
    if found.ndim != 1 or not found.size or not np.all(np.isfinite(found)):
        raise ParameterError(
            f"rational impedance: the {what} must be a row of finite coefficients, the highest power first"
        )
    return np.trim_zeros(found, "f") if np.any(found) else np.zeros(1)


def _roots_at_zero(polynomial: Row) -> int:
    return int(polynomial.size - 1 - np.max(np.flatnonzero(polynomial)))


def _middle(top: Row, bottom: Row) -> float:
    """Geometric mean of the moduli of all roots that are not zero: by Vieta, last over first coefficient."""
    spread, count = 0.0, 0
    for polynomial in (top, bottom):
        kept = np.flatnonzero(polynomial)
        if kept.size and kept[-1] > 0:
            spread += math.log(abs(polynomial[kept[-1]])) - math.log(abs(polynomial[0]))
            count += int(kept[-1])
    return math.exp(spread / count) if count else 1.0


def _rescaled(polynomial: Row, share: float) -> Row:
    """Coefficients for p/share of a polynomial in p."""
    with np.errstate(over="ignore", under="ignore"):
        return polynomial * share ** np.arange(polynomial.size - 1, -1, -1.0)


def _shared_roots(first: Row, second: Row) -> tuple[Row, Row, Row]:
    """Factors g, p, q of first = g p, second = g q, where g has the roots that both have."""
    rest, others = list(np.roots(first)), list(np.roots(second))
    shared: list[complex] = []
    for root in list(rest):
        near = min(others, key=lambda other: abs(other - root), default=None)
        if near is not None and abs(near - root) <= SAME * abs(root):
            rest.remove(root)
            others.remove(near)
            shared.append(root)
    if not shared:
        return np.ones(1), first, second
    common, own, other = (np.real(np.poly(roots)) for roots in (shared, rest, others))
    return common, first[0] * own, second[0] * other
