"""The functions that may stand in an equation, as SymPy functions with their derivatives.

SymPy has no `sigmoid`, `softplus` or `relu`; they are defined here once, so that every backend prints them and every
companion differentiates them in the same way. `step` is the Heaviside function with step(0) = 0.
"""

from __future__ import annotations

import sympy as sp


class step(sp.Function):
    """step(x) = 1 for x > 0, else 0; its derivative is taken as zero."""

    nargs = 1
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(0)


class relu(sp.Function):
    """relu(x) = max(x, 0)."""

    nargs = 1
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return step(self.args[0])


class modulus(sp.Function):
    """modulus(x, y) = sqrt(x^2 + y^2) of two real numbers: |a| in a form with derivatives, 0 at 0."""

    nargs = 2
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self.args[argindex - 1] * reciprocal(self)

    def _eval_power(self, exponent: sp.Expr) -> sp.Expr | None:
        x, y = self.args
        return (x**2 + y**2) ** (exponent / 2) if exponent.is_Integer and exponent.is_even else None


class reciprocal(sp.Function):
    """reciprocal(x) = 1/x, and 0 at 0."""

    nargs = 1
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return -(reciprocal(self.args[0]) ** 2)


class sigmoid(sp.Function):
    """sigmoid(x) = 1 / (1 + exp(-x))."""

    nargs = 1
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0]) * (1 - sigmoid(self.args[0]))


class softplus(sp.Function):
    """softplus(x) = log(1 + exp(x))."""

    nargs = 1
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sigmoid(self.args[0])


class pseudo(sp.Function):
    """pseudo(x, slope) = 0 with the derivative `slope` by x: the slope that a jump is said to have."""

    nargs = 2
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return self.args[1] if argindex == 1 else sp.Integer(0)


class phi1(sp.Function):
    """phi1(x) = (exp(x) - 1)/x, and 1 at 0: the mean of exp(x s) over 0 < s < 1."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return phi1_slope(self.args[0])

    @classmethod
    def eval(cls, value: sp.Expr) -> sp.Expr | None:
        return sp.Integer(1) if value == 0 else None

    def _eval_is_real(self) -> bool | None:
        return self.args[0].is_real


class phi1_slope(sp.Function):
    """The derivative of phi1: ((x - 1) exp(x) + 1)/x^2, and 1/2 at 0."""

    nargs = 1

    def _eval_is_real(self) -> bool | None:
        return self.args[0].is_real


def _where(condition: sp.Basic, yes: sp.Expr, no: sp.Expr) -> sp.Expr:
    return sp.Piecewise((yes, condition), (no, True))


def _clip(value: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    return sp.Min(sp.Max(value, low), high)


FUNCTIONS = {
    "abs": sp.Abs,
    "sign": sp.sign,
    "sqrt": sp.sqrt,
    "exp": sp.exp,
    "log": sp.log,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "asin": sp.asin,
    "acos": sp.acos,
    "atan": sp.atan,
    "atan2": sp.atan2,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "asinh": sp.asinh,
    "acosh": sp.acosh,
    "atanh": sp.atanh,
    "min": sp.Min,
    "max": sp.Max,
    "clip": _clip,
    "where": _where,
    "step": step,
    "relu": relu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "re": sp.re,
    "im": sp.im,
    "conj": sp.conjugate,
}
"""Name in an equation's text -> SymPy function."""

MANY = 99
ARITY = {"min": (2, MANY), "max": (2, MANY), "atan2": (2, 2), "clip": (3, 3), "where": (3, 3)}
"""Name -> least and greatest number of arguments, where it is not one."""

REAL_ONLY = frozenset({"sign", "atan2", "min", "max", "clip", "step", "relu", "sigmoid", "softplus"})
"""Functions that have no meaning for complex numbers."""

CONSTANTS = {"pi": sp.pi}


def complex_valued(expression: sp.Basic) -> bool:
    """Whether an expression takes complex values: it holds i or a complex variable outside re, im and abs."""
    if isinstance(expression, sp.re | sp.im | sp.Abs | sp.logic.boolalg.Boolean) and not expression.is_Symbol:
        return False
    if expression.is_real:
        return False
    if expression.is_Symbol or expression is sp.I:
        return True
    return any(complex_valued(part) for part in expression.args)
