"""Derivatives of expressions for companions, real and complex alike.

For a real loss L and a complex variable a the error wave is a_hat = dL/dRe(a) + i dL/dIm(a). If y = f(a, conj(a)),

    a_hat = Re(conj(y_hat) df/dRe(a)) + i Re(conj(y_hat) df/dIm(a)),

which is conj(f'(a)) y_hat where f is holomorphic, and for real quantities the chain rule a_hat = (df/da) y_hat.
"""

from __future__ import annotations

import sympy as sp

from physnn.equations.functions import complex_valued, modulus
from physnn.equations.population import Variable

_CONJUGATES = (sp.conjugate, sp.re, sp.im, sp.Abs, sp.arg, sp.sign)


def partials(expression: sp.Expr, variable: Variable) -> tuple[sp.Expr, ...]:
    """(df/dx,) of a real variable, (df/dRe(a), df/dIm(a)) of a complex one."""
    symbol, smooth = variable.symbol, expression.replace(sp.Abs, _differentiable)
    if not variable.complex:
        return (smooth.diff(symbol),)
    if symbol not in expression.free_symbols:
        return sp.Integer(0), sp.Integer(0)
    if _holomorphic(expression, symbol):
        slope = expression.diff(symbol)
        return slope, sp.I * slope
    real, imaginary = sp.Dummy("real", real=True), sp.Dummy("imaginary", real=True)
    split = real + sp.I * imaginary
    parts = smooth.xreplace({symbol: split})
    back = {real: sp.re(symbol), imaginary: sp.im(symbol)}
    return tuple(parts.diff(part).xreplace({split: symbol}).xreplace(back) for part in (real, imaginary))


def pulled_back(expression: sp.Expr, variable: Variable, incoming: sp.Expr, *, expression_is_complex: bool) -> sp.Expr:
    """The contribution of `incoming`, the error wave of `expression`, to the error wave of `variable`."""
    symbol = variable.symbol
    if symbol not in expression.free_symbols:
        return sp.Integer(0)
    if variable.complex and expression_is_complex and _holomorphic(expression, symbol):
        return sp.conjugate(expression.diff(symbol)) * incoming
    slopes = partials(expression, variable)
    if expression_is_complex:
        slopes = tuple(sp.re(sp.conjugate(incoming) * slope) for slope in slopes)
    else:
        slopes = tuple(slope * incoming for slope in slopes)
    return slopes[0] + sp.I * slopes[1] if variable.complex else slopes[0]


def pushed_forward(expression: sp.Expr, variable: Variable, change: sp.Symbol) -> sp.Expr:
    """The first-order change of `expression` when `variable` changes by `change`."""
    symbol = variable.symbol
    if symbol not in expression.free_symbols:
        return sp.Integer(0)
    if not variable.complex or _holomorphic(expression, symbol):
        return partials(expression, variable)[0] * change
    along_real, along_imaginary = partials(expression, variable)
    return along_real * sp.re(change) + along_imaginary * sp.im(change)


def _holomorphic(expression: sp.Expr, symbol: sp.Symbol) -> bool:
    return not any(symbol in part.free_symbols for part in expression.atoms(*_CONJUGATES))


def _differentiable(value: sp.Expr) -> sp.Expr:
    """|value| in a form whose derivative is defined everywhere, with slope 0 at 0."""
    if value.is_real:
        return sp.Abs(value)
    return modulus(sp.re(value), sp.im(value)) if complex_valued(value) else modulus(value, sp.Integer(0))
