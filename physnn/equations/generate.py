"""SymPy expressions to functions of arrays, in whatever array-API namespace they are called with.

The same generated function runs on NumPy arrays and on torch tensors, on CPU and GPU, and is differentiable by
torch's autograd. Common subexpressions are computed once. Results have the precision of the arrays given: constants are
printed as Python numbers, and functions of time alone (t and dt are Python numbers) give Python numbers.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from physnn.equations.functions import modulus, phi1, phi1_slope, pseudo, reciprocal, relu, sigmoid, softplus, step
from physnn.errors import EquationError

_SAME_NAME = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.asin: "asin",
    sp.acos: "acos",
    sp.atan: "atan",
    sp.atan2: "atan2",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.asinh: "asinh",
    sp.acosh: "acosh",
    sp.atanh: "atanh",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.re: "real",
    sp.im: "imag",
    sp.conjugate: "conj",
}
_HELPED = {
    softplus: "_softplus",
    modulus: "_modulus",
    reciprocal: "_reciprocal",
    phi1: "_phi1",
    phi1_slope: "_phi1_slope",
}


class ArrayPrinter(StrPrinter):
    """Prints an expression as Python code over an array-API namespace called `xp`."""

    def _print(self, expr: sp.Basic, **kwargs: Any) -> str:
        # A constant such as sqrt(2) or exp(1): a Python number, so that it has no precision of its own.
        if isinstance(expr, sp.Expr) and expr.is_number and not isinstance(expr, sp.Rational):
            return _number(expr)
        return super()._print(expr, **kwargs)

    def _print_Function(self, expr: sp.Function) -> str:
        arguments = [self._print(argument) for argument in expr.args]
        for kind, name in _SAME_NAME.items():
            if isinstance(expr, kind):
                return (
                    f"_call(xp, '{name}', {', '.join(arguments)})"
                    if self._is_clock(expr)
                    else f"xp.{name}({', '.join(arguments)})"
                )
        if isinstance(expr, relu):
            return f"_relu(xp, {arguments[0]})"
        if isinstance(expr, step):
            return self._where(f"{arguments[0]} > 0", "1.0", "0.0")
        if isinstance(expr, pseudo):
            return "0.0"
        if isinstance(expr, sigmoid):
            return f"(0.5*{self._print(sp.tanh(expr.args[0] / 2, evaluate=False))} + 0.5)"
        for kind, name in _HELPED.items():
            if isinstance(expr, kind):
                return f"{name}(xp, {', '.join(arguments)})"
        raise EquationError(f"the function {expr.func.__name__} cannot be computed on arrays")

    _print_Abs = _print_re = _print_im = _print_conjugate = _print_sign = _print_Function
    _print_exp = _print_log = _print_Function

    def _is_clock(self, expr: sp.Basic) -> bool:
        return {str(s) for s in expr.free_symbols} <= self._settings["clock"]

    def _where(self, condition: str, yes: str, no: str) -> str:
        return f"_where(xp, like, {condition}, {yes}, {no})"

    def _print_Heaviside(self, expr: sp.Expr) -> str:
        return self._print_Function(step(expr.args[0]))

    def _print_DiracDelta(self, expr: sp.Expr) -> str:
        return "0.0"

    def _print_Max(self, expr: sp.Max) -> str:
        rest = [a for a in expr.args if a != 0]
        return self._fold(expr.args, ">") if len(rest) != 1 else f"_relu(xp, {self._print(rest[0])})"

    def _print_Min(self, expr: sp.Min) -> str:
        return self._fold(expr.args, "<")

    def _fold(self, args: Sequence[sp.Expr], sign: str) -> str:
        printed = [self._print(a) for a in sorted(args, key=lambda a: bool(a.is_number))]
        text = printed[0]
        for other in printed[1:]:
            text = self._where(f"({text}) {sign} ({other})", text, other)
        return text

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        text = self._print(expr.args[-1][0])
        for value, condition in reversed(expr.args[:-1]):
            text = self._where(self._print(condition), self._print(value), text)
        return text

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:
        return f"(({self._print(expr.lhs)}) {expr.rel_op} ({self._print(expr.rhs)}))"

    def _print_And(self, expr: sp.And) -> str:
        return "(" + " & ".join(map(self._print, expr.args)) + ")"

    def _print_Or(self, expr: sp.Or) -> str:
        return "(" + " | ".join(map(self._print, expr.args)) + ")"

    def _print_ITE(self, expr: sp.logic.boolalg.ITE) -> str:
        condition, yes, no = map(self._print, expr.args)
        return f"(({condition}) & ({yes}) | (({condition}) == False) & ({no}))"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        text = self.parenthesize(base, PRECEDENCE["Pow"], strict=False)
        if exponent == sp.S.Half:
            return self._print_root(base)
        if exponent in (2, 3) and base.is_Symbol:
            return "(" + "*".join([text] * int(exponent)) + ")"
        if exponent == -1:
            return f"(1.0/{text})"
        if exponent.is_Integer and exponent < 0:
            return f"(1.0/{text}**{-exponent})"
        if exponent.is_Integer and exponent > 3:
            return f"_power({self._print(base)}, {exponent})"
        return f"{text}**{self.parenthesize(exponent, PRECEDENCE['Pow'], strict=False)}"

    def _print_root(self, base: sp.Expr) -> str:
        return f"_call(xp, 'sqrt', {self._print(base)})" if self._is_clock(base) else f"xp.sqrt({self._print(base)})"

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"({expr.p}/{expr.q})"

    def _print_Derivative(self, expr: sp.Expr) -> str:
        raise EquationError(
            f"the derivative of {expr.args[0]} has no closed form; write it with functions that have one"
        )

    _print_Subs = _print_Derivative


def _number(value: sp.Expr) -> str:
    found = complex(value)
    if not cmath.isfinite(found):
        raise EquationError(f"the constant {value} is not finite")
    # Brackets keep signs and the two parts together wherever the text is put.
    return f"({found.real!r})" if found.imag == 0 else f"({found!r})"


def _call(xp: Any, name: str, *values: Any) -> Any:
    """A function of what may be Python numbers."""
    if all(isinstance(value, int | float | complex) for value in values):
        return getattr(np, {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}.get(name, name))(*values).item()
    return getattr(xp, name)(*values)


def _where(xp: Any, like: Any, condition: Any, yes: Any, no: Any) -> Any:
    """xp.where that keeps the precision of the arrays where both values are Python numbers."""
    if isinstance(condition, bool):
        return yes if condition else no
    if not hasattr(yes, "dtype") and not hasattr(no, "dtype"):
        yes = xp.full_like(condition, yes, dtype=getattr(like, "dtype", None) or xp.float64)
    return xp.where(condition, yes, no)


def _relu(xp: Any, value: Any) -> Any:
    """max(value, 0), with the slope 0 at 0 where the library differentiates; what is no number remains none."""
    if isinstance(value, int | float):
        return max(value, 0.0)
    return xp.relu(value) if hasattr(xp, "relu") else xp.maximum(value, xp.zeros_like(value))


def _power(value: Any, exponent: int) -> Any:
    """A whole power by squaring: beyond the third, libraries take logarithms, at thirty times the cost."""
    if exponent == 1:
        return value
    root = _power(value, exponent // 2)
    return root * root * value if exponent % 2 else root * root


def _softplus(xp: Any, value: Any) -> Any:
    if isinstance(value, int | float):
        return math.log1p(math.exp(-abs(value))) + max(value, 0.0)
    return xp.logaddexp(value, xp.zeros_like(value))


def _modulus(xp: Any, x: Any, y: Any) -> Any:
    return _call(xp, "sqrt", x * x + y * y)


def _reciprocal(xp: Any, value: Any) -> Any:
    if isinstance(value, int | float):
        return 1.0 / value if value else 0.0
    zero = value == 0
    return xp.where(zero, xp.zeros_like(value), 1.0 / xp.where(zero, xp.ones_like(value), value))


_SERIES = 0.3
"""below this modulus phi1 and its slope are summed from their series, where the closed forms lose digits"""


def _phi1(xp: Any, value: Any) -> Any:
    """(e^x - 1)/x = sum x^n/(n + 1)!"""
    return _summed(xp, value, lambda x: (_call(xp, "exp", x) - 1.0) / x, lambda n: 1.0 / math.factorial(n + 1))


def _phi1_slope(xp: Any, value: Any) -> Any:
    """((x - 1) e^x + 1)/x^2 = sum x^n (n + 1)/(n + 2)!"""
    return _summed(
        xp,
        value,
        lambda x: ((x - 1.0) * _call(xp, "exp", x) + 1.0) / (x * x),
        lambda n: (n + 1) / math.factorial(n + 2),
    )


def _summed(xp: Any, value: Any, closed: Callable[[Any], Any], coefficient: Callable[[int], float]) -> Any:
    if isinstance(value, int | float | complex):
        return closed(value) if abs(value) >= _SERIES else sum(coefficient(n) * value**n for n in range(14))
    small = xp.abs(value) < _SERIES
    inside = xp.where(small, value, xp.zeros_like(value))
    total = xp.full_like(value, coefficient(13))
    for n in range(12, -1, -1):
        total = total * inside + coefficient(n)
    return xp.where(small, total, closed(xp.where(small, xp.ones_like(value), value)))


def _like(*values: Any) -> Any:
    """An array whose precision results shall have: the first real one among the arguments, else a real part."""
    arrays = [v for v in values if hasattr(v, "dtype") and "float" in str(v.dtype)]
    parts = [v.real for v in values if hasattr(v, "dtype") and "complex" in str(v.dtype)]
    return next(iter([*arrays, *parts]), None)


@lru_cache(maxsize=4096)
def function(arguments: tuple[sp.Symbol, ...], expressions: tuple[sp.Basic, ...]) -> Callable[..., tuple[Any, ...]]:
    """A function `f(xp, *arrays) -> tuple` that computes the expressions; symbols are passed in the given order.

    `t` and `dt` may be passed as Python numbers, all else as arrays. A constant expression gives a Python number: the
    caller broadcasts.

    Raises
    ------
    EquationError
        An expression holds a derivative without closed form.
    """
    names = {symbol: f"v{index}" for index, symbol in enumerate(arguments)}
    renamed = [e.xreplace({s: sp.Symbol(n, **s.assumptions0) for s, n in names.items()}) for e in expressions]
    shared, reduced = sp.cse(renamed, symbols=(sp.Symbol(f"c{i}") for i in range(10**6)), list=True)
    clock = {name for symbol, name in names.items() if str(symbol) in ("t", "dt")}
    for symbol, value in shared:
        if {str(s) for s in value.free_symbols} <= clock:
            clock.add(str(symbol))
    printer = ArrayPrinter()
    printer._settings["clock"] = clock
    lines = [f"def generated({', '.join(['xp', *names.values()])}):"]
    lines += [f"    {symbol} = {printer.doprint(value)}" for symbol, value in shared]
    lines += [f"    return ({''.join(printer.doprint(e) + ', ' for e in reduced)})"]
    if any("like" in line for line in lines):
        lines.insert(1, f"    like = _like({', '.join(names.values())})")
    helpers = (_call, _where, _relu, _power, _softplus, _modulus, _reciprocal, _phi1, _phi1_slope, _like)
    scope: dict[str, Any] = {helper.__name__: helper for helper in helpers}
    exec("\n".join(lines), scope)  # the text is printed from SymPy, never taken from a user
    return scope["generated"]
