"""Potentials of second-order media: V(x) as text, its force by differentiation, and the force's fundamental."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from physnn.equations.parse import parse_expression, shortened
from physnn.errors import EquationError, ParameterError, nearest
from physnn.media.oscillators.roles import check_names

_HALF_TURN = 16
"""points on half a turn at which the force of a potential that is no polynomial is averaged"""


@dataclass(frozen=True)
class Potential:
    """A potential V(x) of one element; the medium feels -dV/dx.

    Parameters
    ----------
    text : str
        V in the displacement x [1] and in parameters of any name [1/s^2]; smooth in x.
    values : mapping
        Parameter -> value, a number or an array of the medium's shape.
    units : mapping
        Parameter -> SI unit where it is not 1/s^2 (an exponent or a width of the well has the unit "1").
    trainable : tuple of str
        Parameters that are learnt.
    least : mapping
        Parameter -> what it may not fall below; training keeps it there. A hardening b above 0 keeps V bounded.

    Raises
    ------
    EquationError
        The text cannot be read, or V has a kink.

    Examples
    --------
    >>> Potential("D*(1 - cos(a*x))", {"D": 1.0, "a": 2.0}, units={"a": "1"}).force
    'D*a*sin(a*x)'
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()
    least: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise EquationError(f"a potential is a text such as 'k*x**2/2', not {self.text!r}")
        check_names(self.trainable, self.values, self._where)
        for name in (*self.units, *self.trainable, *self.least):
            if name not in self.values:
                raise EquationError(f"{self._where}: no parameter {name!r}{nearest(name, self.values)}")
        kinks = self._slope.atoms(sp.Abs, sp.sign, sp.Max, sp.Min, sp.Piecewise, sp.Heaviside)
        if kinks:
            raise EquationError(f"{self._where}: V must be smooth, its slope holds {kinks.pop()}")

    @property
    def declarations(self) -> str:
        """The parameters as lines of a description."""
        flags = {name: "trainable" if name in self.trainable else "parameter" for name in self.values}
        flags |= {name: f"{flags[name]}, at least {least}" for name, least in self.least.items()}
        return "\n".join(f"{name} : {self.units.get(name, '1/s**2')} ({flags[name]})" for name in self.values)

    @cached_property
    def force(self) -> str:
        """dV/dx [1/s^2] as text in x and the parameters."""
        return str(self._slope)

    @cached_property
    def fundamental(self) -> tuple[str, str]:
        """The force's first harmonic about x = p cos(w t) - q sin(w t) [1/s^2], as text in p, q and the parameters.

            F_p = <2 V'(x) cos(w t)>,   F_q = -<2 V'(x) sin(w t)>,   <> the mean over a period

        For V' = sum_m a_m x^(2m+1) this is F = sum_m a_m 2 binom(2m+2, m+1) / 4^(m+1) P^m X, X = p + jq, P = |X|^2:
        k + (3/4) b P for the Duffing potential. Other potentials are averaged over 32 points of a period: exact up to
        the harmonics 31 and 33 of the force.

        Raises
        ------
        ParameterError
            V is not even: its force has a mean, which would move the element to where a single harmonic does not say.
        """
        x, p, q = self._x, sp.Symbol("p", real=True), sp.Symbol("q", real=True)
        if sp.simplify(self._slope + self._slope.xreplace({x: -x})) != 0:
            raise ParameterError(
                f"{self._where}: an envelope needs an even potential, V(-x) = V(x); run it on its carrier"
            )
        if self._slope.is_polynomial(x):
            terms = sp.Poly(self._slope, x).terms()
            powers = [((order[0] - 1) // 2, slope) for order, slope in terms]
            stiffness = sum(
                a * 2 * sp.binomial(2 * m + 2, m + 1) / 4 ** (m + 1) * (p**2 + q**2) ** m for m, a in powers
            )
            return str(stiffness * p), str(stiffness * q)
        turns = [sp.pi * (2 * m + 1) / (2 * _HALF_TURN) for m in range(_HALF_TURN)]
        waves = [(float(sp.cos(turn)), float(sp.sin(turn))) for turn in turns]
        forces = [self._slope.xreplace({x: c * p - s * q}) * sp.Rational(2, _HALF_TURN) for c, s in waves]
        in_phase = sp.Add(*[f * c for f, (c, _) in zip(forces, waves, strict=True)])
        quadrature = sp.Add(*[-f * s for f, (_, s) in zip(forces, waves, strict=True)])
        return str(in_phase), str(quadrature)

    @property
    def _where(self) -> str:
        return f"potential {shortened(self.text)}"

    @property
    def _x(self) -> sp.Symbol:
        return sp.Symbol("x", real=True)

    @cached_property
    def _slope(self) -> sp.Expr:
        names = {name: sp.Symbol(name, real=True) for name in self.values} | {"x": self._x}
        return sp.diff(parse_expression(self.text, names, self._where), self._x)


def harmonic(k: Any = 1.0) -> Potential:
    """V = k x^2/2: a linear element, whose natural frequency is sqrt(k) [rad/s]; k [1/s^2]."""
    return Potential("k*x**2/2", {"k": k})


def duffing(k: Any = 1.0, b: Any = 1.0) -> Potential:
    """V = k x^2/2 + b x^4/4: stiffer (b > 0) or softer (b < 0) with amplitude; k, b [1/s^2]."""
    return Potential("k*x**2/2 + b*x**4/4", {"k": k, "b": b})


def saturable(k: Any = 0.5, b: Any = 0.5) -> Potential:
    """V = k x^2/2 + b sqrt(1 + x^2): a spring b that gives way beyond x = 1 beside a linear one; k, b [1/s^2]."""
    return Potential("k*x**2/2 + b*sqrt(1 + x**2)", {"k": k, "b": b})
