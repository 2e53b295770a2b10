"""Physical dimensions of expressions: every sum adds like to like, every function gets what it can take.

A dimension is a pint `UnitsContainer` such as [length] / [time]. Units are read by pint; inside, all values are plain
floats in SI units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

import pint
import sympy as sp
from pint.util import UnitsContainer

from physnn.equations.functions import relu, step
from physnn.equations.parse import shortened
from physnn.errors import EquationError

NONE = UnitsContainer()

# What pint may be asked to read: names joined by * / and brackets, with small exponents. It works out numbers itself.
_EXPONENT = re.compile(r"(?:\*\*|\^) *-? *\d{1,2}(?:\.\d{1,3})?(?![\d.])")
_CHAIN = re.compile(r"(?:\*\*|\^)[^*/^A-Za-z]*(?:\*\*|\^)")
_PLAIN = re.compile(r"[()*/ ]*[A-Za-z_][A-Za-z0-9_]*(?:[()*/ ]+[A-Za-z_][A-Za-z0-9_]*)*[() ]*")
_LONGEST = 80


@cache
def _registry() -> pint.UnitRegistry:
    return pint.UnitRegistry(cache_folder=None)


@cache
def dimension(unit: str) -> UnitsContainer:
    """The dimension of a unit given as text: dimension('V/s') is that of volts per second.

    Raises
    ------
    EquationError
        The unit is unknown, or it is not a coherent SI unit: all values are plain SI numbers, so that a time is given
        in 's', never in 'ms'.
    """
    text = unit.strip()
    if text in ("1", ""):
        return NONE
    rest = _EXPONENT.sub("", "dimensionless" + text[1:] if text.startswith("1/") else text)
    if len(text) > _LONGEST or _CHAIN.search(text) or not _PLAIN.fullmatch(rest):
        raise EquationError(f"unknown unit {shortened(unit)}; use units such as '1', 'V', 's', '1/s', 'V/m', 'm/s**2'")
    try:
        units = _registry().parse_units("dimensionless" + text[1:] if text.startswith("1/") else text)
        size = _registry().Quantity(1.0, units).to_base_units().magnitude
    except Exception as error:  # pint raises a dozen unrelated types for text that is not a unit
        reason = " ".join(str(error).split())
        raise EquationError(
            f"unknown unit {unit!r} ({reason}); use units such as '1', 'V', 's', '1/s', 'V/m'"
        ) from None
    if abs(size - 1.0) > 1e-12:
        raise EquationError(
            f"unit {unit!r} is {size:.6g} SI units; values are plain SI numbers, so name the SI unit itself"
        )
    return units.dimensionality


def check(expression: sp.Basic, dimensions: Mapping[sp.Symbol, UnitsContainer], where: str) -> UnitsContainer | None:
    """The dimension of `expression`, or None for a literal zero; `EquationError` where dimensions do not fit."""
    return _Checker(dimensions, where).of(expression)


class _Checker:
    _same = (sp.Abs, sp.re, sp.im, sp.conjugate, relu)
    _any = (sp.sign, step)
    _alike = (sp.Add, sp.Max, sp.Min)

    def __init__(self, dimensions: Mapping[sp.Symbol, UnitsContainer], where: str) -> None:
        self.dimensions = dimensions
        self.where = where

    def of(self, node: sp.Basic) -> UnitsContainer | None:
        if node.is_Number or node is sp.I or node.is_NumberSymbol:
            return None if node == 0 else NONE
        if node.is_Symbol:
            return self.dimensions[node]
        if isinstance(node, self._alike):
            return self._common(node.args, node)
        if isinstance(node, sp.Mul):
            product = NONE
            for factor in node.args:
                product = product * (self.of(factor) or NONE)
            return product
        if isinstance(node, sp.Pow):
            return self._power(node)
        if isinstance(node, sp.Piecewise):
            for _, condition in node.args:
                self.of(condition)
            return self._common([value for value, _ in node.args], node)
        if isinstance(node, sp.core.relational.Relational):
            self._common(node.args, node)
            return NONE
        if isinstance(node, sp.logic.boolalg.BooleanFunction | sp.logic.boolalg.BooleanAtom):
            for argument in node.args:
                self.of(argument)
            return NONE
        return self._function(node)

    def _common(self, terms: Iterable[sp.Basic], node: sp.Basic) -> UnitsContainer | None:
        first: tuple[sp.Basic, UnitsContainer] | None = None
        for term in terms:
            found = self.of(term)
            if found is None:
                continue
            if first is None:
                first = (term, found)
            elif found != first[1]:
                raise EquationError(
                    f"{self.where}: in {node}, {first[0]} has dimension {_show(first[1])} but {term} has {_show(found)}"
                )
        return first[1] if first else None

    def _power(self, node: sp.Pow) -> UnitsContainer:
        base, exponent = node.args
        of_base = self.of(base) or NONE
        if self.of(exponent) not in (None, NONE):
            raise EquationError(f"{self.where}: the exponent of {node} must be a pure number")
        if of_base == NONE:
            return NONE
        if not exponent.is_number:
            raise EquationError(
                f"{self.where}: {base} has dimension {_show(of_base)}, so its exponent must be a number"
            )
        return of_base ** float(exponent)

    def _function(self, node: sp.Basic) -> UnitsContainer:
        if isinstance(node, self._same):
            return self.of(node.args[0]) or NONE
        if isinstance(node, self._any):
            self.of(node.args[0])
            return NONE
        if isinstance(node, sp.atan2):
            self._common(node.args, node)
            return NONE
        for argument in node.args:
            found = self.of(argument) or NONE
            if found != NONE:
                raise EquationError(
                    f"{self.where}: {node.func.__name__} takes a pure number, "
                    f"but {argument} has dimension {_show(found)}"
                )
        return NONE


def _show(found: UnitsContainer) -> str:
    return str(found) if found != NONE else "1"
