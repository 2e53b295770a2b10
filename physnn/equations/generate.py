"""SymPy expressions to functions of arrays, in whatever array-API namespace they are called with.

The same generated function runs on NumPy arrays and on torch tensors, on CPU and GPU, and is differentiable by
torch's autograd. Common subexpressions are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from physnn.equations.functions import relu, sigmoid, softplus, step
from physnn.errors import EquationError

_SAME_NAME = {
    sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos", sp.tan: "tan", sp.asin: "asin", sp.acos: "acos",
    sp.atan: "atan", sp.atan2: "atan2", sp.sinh: "sinh", sp.cosh: "cosh", sp.tanh: "tanh", sp.asinh: "asinh",
    sp.acosh: "acosh", sp.atanh: "atanh", sp.Abs: "abs", sp.sign: "sign", sp.re: "real", sp.im: "imag",
    sp.conjugate: "conj",
}  # fmt: skip


class ArrayPrinter(StrPrinter):
    """Prints an expression as Python code over an array-API namespace called `xp`."""

    def _print_Function(self, expr: sp.Function) -> str:
        for kind, name in _SAME_NAME.items():
            if isinstance(expr, kind):
                return f"xp.{name}({', '.join(map(self._print, expr.args))})"
        argument = self._print(expr.args[0])
        if isinstance(expr, relu):
            return f"xp.where({argument} > 0, {argument}, 0.0)"
        if isinstance(expr, step):
            return f"_as_number(xp, {argument})"
        if isinstance(expr, sigmoid):
            return f"(0.5*xp.tanh(0.5*({argument})) + 0.5)"
        if isinstance(expr, softplus):
            return f"_softplus(xp, {argument})"
        raise EquationError(f"the function {expr.func.__name__} cannot be computed on arrays")

    _print_Abs = _print_re = _print_im = _print_conjugate = _print_sign = _print_Function
    _print_exp = _print_log = _print_Function

    def _print_Heaviside(self, expr: sp.Expr) -> str:
        return f"_as_number(xp, {self._print(expr.args[0])})"

    def _print_DiracDelta(self, expr: sp.Expr) -> str:
        return "0.0"

    def _print_Max(self, expr: sp.Max) -> str:
        return self._fold(expr.args, ">")

    def _print_Min(self, expr: sp.Min) -> str:
        return self._fold(expr.args, "<")

    def _fold(self, args: Sequence[sp.Expr], sign: str) -> str:
        printed = [self._print(a) for a in sorted(args, key=lambda a: bool(a.is_number))]
        text = printed[0]
        for other in printed[1:]:
            text = f"xp.where({text} {sign} {other}, {text}, {other})"
        return text

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        text = self._print(expr.args[-1][0])
        for value, condition in reversed(expr.args[:-1]):
            text = f"xp.where({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_Relational(self, expr: sp.core.relational.Relational) -> str:
        return f"(({self._print(expr.lhs)}) {expr.rel_op} ({self._print(expr.rhs)}))"

    def _print_And(self, expr: sp.And) -> str:
        return "(" + " & ".join(map(self._print, expr.args)) + ")"

    def _print_Or(self, expr: sp.Or) -> str:
        return "(" + " | ".join(map(self._print, expr.args)) + ")"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        text = self.parenthesize(base, PRECEDENCE["Pow"], strict=False)
        if exponent == sp.S.Half:
            return f"xp.sqrt({self._print(base)})"
        if exponent in (2, 3):
            return "(" + "*".join([text] * int(exponent)) + ")"
        if exponent == -1:
            return f"(1.0/{text})"
        if exponent.is_Integer and exponent < 0:
            return f"(1.0/{text}**{-exponent})"
        return f"{text}**{self.parenthesize(exponent, PRECEDENCE['Pow'], strict=False)}"

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"({expr.p}/{expr.q})"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_ImaginaryUnit(self, expr: sp.Expr) -> str:
        return "1j"

    def _print_NumberSymbol(self, expr: sp.Expr) -> str:
        return repr(float(expr))

    _print_Pi = _print_Exp1 = _print_NumberSymbol


def _as_number(xp: Any, value: Any) -> Any:
    return xp.astype(value > 0, value.dtype)


def _softplus(xp: Any, value: Any) -> Any:
    return xp.logaddexp(value, xp.zeros_like(value))


@lru_cache(maxsize=4096)
def function(arguments: tuple[sp.Symbol, ...], expressions: tuple[sp.Basic, ...]) -> Callable[..., tuple[Any, ...]]:
    """A function `f(xp, *arrays) -> tuple` that computes the expressions; symbols are passed in the given order.

    A constant expression gives a Python number: the caller broadcasts.
    """
    printer = ArrayPrinter()
    names = {symbol: f"v{index}" for index, symbol in enumerate(arguments)}
    renamed = [e.xreplace({s: sp.Symbol(n, **s.assumptions0) for s, n in names.items()}) for e in expressions]
    shared, reduced = sp.cse(renamed, symbols=(sp.Symbol(f"c{i}") for i in range(10**6)), list=True)
    lines = [f"def generated(xp, {', '.join(names.values())}):" if names else "def generated(xp):"]
    lines += [f"    {symbol} = {printer.doprint(value)}" for symbol, value in shared]
    lines += [f"    return ({''.join(printer.doprint(e) + ', ' for e in reduced)})"]
    scope: dict[str, Any] = {"_as_number": _as_number, "_softplus": _softplus}
    exec("\n".join(lines), scope)  # the text is printed from SymPy, never taken from a user
    return scope["generated"]
