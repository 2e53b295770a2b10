"""Derivatives of expressions for companions, real and complex alike.

For a real loss L and a complex variable a the error wave is a_hat = dL/dRe(a) + i dL/dIm(a). If y = f(a, conj(a)),

    a_hat = conj(df/da) y_hat + df/dconj(a) conj(y_hat),

which for real quantities is the ordinary chain rule a_hat = (df/da) y_hat.
"""

from __future__ import annotations

import sympy as sp

from physnn.equations.population import Variable


def pulled_back(expression: sp.Expr, variable: Variable, incoming: sp.Expr, *, expression_is_complex: bool) -> sp.Expr:
    """The contribution of `incoming`, the error wave of `expression`, to the error wave of `variable`."""
    symbol = variable.symbol
    if symbol not in expression.free_symbols:
        return sp.Integer(0)
    if variable.complex:
        holomorphic, antiholomorphic = wirtinger(expression, symbol)
        arriving = sp.conjugate(incoming) if expression_is_complex else incoming
        return sp.conjugate(holomorphic) * incoming + antiholomorphic * arriving
    slope = expression.diff(symbol)
    return sp.re(sp.conjugate(incoming) * slope) if expression_is_complex else slope * incoming


def pushed_forward(expression: sp.Expr, variable: Variable, change: sp.Symbol) -> sp.Expr:
    """The first-order change of `expression` when `variable` changes by `change`."""
    symbol = variable.symbol
    if symbol not in expression.free_symbols:
        return sp.Integer(0)
    if not variable.complex:
        return expression.diff(symbol) * change
    holomorphic, antiholomorphic = wirtinger(expression, symbol)
    return holomorphic * change + antiholomorphic * sp.conjugate(change)


def wirtinger(expression: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """df/da and df/dconj(a) of an expression that may hold conj, re, im and abs of a."""
    mirror = sp.Dummy("mirror")
    half = sp.Rational(1, 2)
    open_form = (
        expression.replace(sp.re, lambda e: half * (e + sp.conjugate(e)))
        .replace(sp.im, lambda e: -half * sp.I * (e - sp.conjugate(e)))
        .replace(sp.Abs, lambda e: sp.Abs(e) if e.is_real else sp.sqrt(e * sp.conjugate(e)))
        .replace(sp.conjugate, lambda e: mirror if e == symbol else sp.conjugate(e))
    )
    back = {mirror: sp.conjugate(symbol)}
    return open_form.diff(symbol).xreplace(back), open_form.diff(mirror).xreplace(back)
