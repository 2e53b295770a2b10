"""Expressions as Brian2 strings."""

from __future__ import annotations

import cmath
import keyword
import re
from collections.abc import Iterable, Mapping

import numpy as np
import sympy as sp
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, Function
from brian2.core.namespace import DEFAULT_UNITS
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from physnn.equations.functions import modulus, phi1, phi1_slope, pseudo, reciprocal, relu, sigmoid, softplus, step
from physnn.equations.generate import function
from physnn.errors import EquationError

_SAME_NAME = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.asin: "arcsin",
    sp.acos: "arccos",
    sp.atan: "arctan",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.Abs: "abs",
    sp.sign: "sign",
}
_HOSTED = {
    sp.atan2: "atan2_of",
    sp.asinh: "asinh_of",
    sp.acosh: "acosh_of",
    sp.atanh: "atanh_of",
    reciprocal: "reciprocal_of",
    phi1: "phi1_of",
    phi1_slope: "phi1_slope_of",
}
"""functions that Brian2 does not have -> what they are called there; NumPy computes them"""
CHOICE = "choice_of"
_TAKEN = {
    *DEFAULT_FUNCTIONS,
    *DEFAULT_CONSTANTS,
    *DEFAULT_UNITS,
    *("i", "j", "N", "t", "dt", "t_in_timesteps", "lastspike", "not_refractory", "refractory", "spikespace", "xi"),
}
_OURS = re.compile(r"(new|next|shared)_\d|pause$")
"""names of what is computed on the way"""


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Names of variables -> those in Brian2's equations: their own where Brian2 takes them, and no two alike."""
    found: dict[str, str] = {}
    for name in names:
        text = re.sub(r"\W+", "_", name).strip("_") or "x"
        taken = text in _TAKEN or keyword.iskeyword(text) or not text[0].isalpha()
        if taken or _OURS.match(text) or text.startswith("xi_") or text.endswith(("_pre", "_post")):
            text = f"v_{text}_"
        while text in found.values():
            text += "_"
        found[name] = text
    return found


class Printer(StrPrinter):
    """Prints real expressions; `names` are those of the symbols in Brian2's equations."""

    def __init__(self, names: Mapping[sp.Symbol, str]) -> None:
        super().__init__()
        self._names = names

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return self._names[expr]

    _print_Dummy = _print_Symbol

    def _print(self, expr: sp.Basic, **kwargs: object) -> str:
        if isinstance(expr, sp.Expr) and expr.is_number:
            value = complex(expr)
            if value.imag or not cmath.isfinite(value):
                raise EquationError(f"Brian2 has no complex or infinite numbers such as {expr}")
            return f"({value.real!r})" if value.real < 0 else repr(value.real)
        return super()._print(expr, **kwargs)

    def _print_Function(self, expr: sp.Function) -> str:
        arguments = [self._print(argument) for argument in expr.args]
        for kind, name in (*_SAME_NAME.items(), *_HOSTED.items()):
            if isinstance(expr, kind):
                return f"{name}({', '.join(arguments)})"
        if isinstance(expr, relu):
            return f"clip({arguments[0]}, 0.0, inf)"
        if isinstance(expr, step):
            return f"int({arguments[0]} > 0.0)"
        if isinstance(expr, pseudo):
            return "0.0"
        if isinstance(expr, sigmoid):
            return f"(0.5*tanh(0.5*({arguments[0]})) + 0.5)"
        if isinstance(expr, softplus):
            return f"(log1p(exp(-abs({arguments[0]}))) + clip({arguments[0]}, 0.0, inf))"
        if isinstance(expr, modulus):
            return f"sqrt(({arguments[0]})**2 + ({arguments[1]})**2)"
        raise EquationError(f"Brian2 has no function {expr.func.__name__}")

    _print_Abs = _print_sign = _print_exp = _print_log = _print_Function

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        text = self.parenthesize(base, PRECEDENCE["Pow"], strict=False)
        if exponent == sp.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent.is_Integer and 1 < exponent < 4:
            return "(" + "*".join([text] * int(exponent)) + ")"
        if exponent.is_Integer and exponent < 0:
            return f"(1.0/({self._print(base ** (-exponent))}))"
        power = str(exponent) if exponent.is_Integer else self._print(exponent)
        return f"({text}**({power}))"

    def _print_Heaviside(self, expr: sp.Expr) -> str:
        return f"int({self._print(expr.args[0])} > 0.0)"

    def _print_DiracDelta(self, expr: sp.Expr) -> str:
        return "0.0"

    def _print_Max(self, expr: sp.Max) -> str:
        text = self._print(expr.args[0])
        for other in expr.args[1:]:
            text = f"clip({text}, {self._print(other)}, inf)"
        return text

    def _print_Min(self, expr: sp.Min) -> str:
        text = self._print(expr.args[0])
        for other in expr.args[1:]:
            text = f"clip({text}, -inf, {self._print(other)})"
        return text

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        text = self._print(expr.args[-1][0])
        for value, condition in reversed(expr.args[:-1]):
            text = f"{CHOICE}(int({self._print(condition)}), {self._print(value)}, {text})"
        return text

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:
        return f"(({self._print(expr.lhs)}) {expr.rel_op} ({self._print(expr.rhs)}))"

    def _print_And(self, expr: sp.And) -> str:
        return "(" + " and ".join(map(self._print, expr.args)) + ")"

    def _print_Or(self, expr: sp.Or) -> str:
        return "(" + " or ".join(map(self._print, expr.args)) + ")"

    def _print_Not(self, expr: sp.Not) -> str:
        return f"(not {self._print(expr.args[0])})"

    def _print_BooleanTrue(self, expr: sp.Basic) -> str:
        return "True"

    def _print_BooleanFalse(self, expr: sp.Basic) -> str:
        return "False"

    def _print_Derivative(self, expr: sp.Expr) -> str:
        raise EquationError(f"the derivative of {expr.args[0]} has no closed form")

    _print_Subs = _print_Derivative


def parts(expression: sp.Expr, halves: Mapping[sp.Symbol, tuple[sp.Symbol, sp.Symbol]]) -> tuple[sp.Expr, sp.Expr]:
    """Real and imaginary part of an expression, written in the real and imaginary parts of its complex symbols."""
    split = expression.xreplace({symbol: a + sp.I * b for symbol, (a, b) in halves.items()})
    # Where its argument turns, the closed form of phi1 loses no more digits than the turn is small.
    split = split.replace(lambda e: isinstance(e, phi1) and e.args[0].has(sp.I), lambda e: _phi1(e.args[0]))
    split = split.replace(lambda e: isinstance(e, sp.Piecewise) and e.has(sp.I), _piecewise)
    real, imaginary = split.as_real_imag()
    return real, imaginary


def _piecewise(expression: sp.Expr) -> sp.Expr:
    """A choice between complex values as two choices between real ones."""
    values = [(value.as_real_imag(), condition) for value, condition in expression.args]
    real, imaginary = (sp.Piecewise(*((pair[half], condition) for pair, condition in values)) for half in (0, 1))
    return real + sp.I * imaginary


def _phi1(argument: sp.Expr) -> sp.Expr:
    return (sp.exp(argument) - 1) / argument


def hosted() -> dict[str, Function]:
    """Functions that Brian2 lacks, computed by NumPy on dimensionless numbers."""
    import array_api_compat.numpy as xp

    found = {}
    for kind, name in _HOSTED.items():
        count = 2 if kind is sp.atan2 else 1
        symbols = tuple(sp.Symbol(f"x{n}", real=True) for n in range(count))
        compiled = function(symbols, (kind(*symbols),))
        found[name] = Function(
            lambda *values, compiled=compiled: compiled(xp, *map(np.asarray, values))[0],
            arg_units=[1] * count,
            return_unit=1,
            arg_names=[f"x{n}" for n in range(count)],
        )
    found[CHOICE] = Function(
        lambda condition, yes, no: np.where(np.asarray(condition) != 0, yes, no),
        arg_units=[1, 1, 1],
        arg_names=["condition", "yes", "no"],
        return_unit=1,
    )
    return found
