"""Equation text to SymPy, through Python's own grammar and without ever evaluating the text.

    dx/dt = (tanh(z) - gamma*x)/tau : 1            a flow: x' = f
    h+ = tanh(z) + keep*h           : 1            a map: the value at the next step
    0 = i - G*v                     : V (solves v) a constraint, solved for v within each step
    power = v*i                     : W            a definition, put in wherever it is named
    gamma                           : 1 (parameter)  a declaration; flags below

Flags of a declaration: `parameter`, `trainable` (a parameter that is learnt), `constant` (one that is a number of the
description and no property of a device: it has no mismatch), `arrival` (the sum of what couplings deliver), `input`
(driven from a port). A parameter may be `at least 0.05` (any number): training keeps it there. Any variable may be
`complex`. A flow may be `unless refractory`.
`t`, `dt` [s] and `xi` (white noise [s^-1/2], Ito) are always there; `xi_NAME` are independent noises. Names that end in
`_hat` are kept for the waves of companions.
"""

from __future__ import annotations

import ast
import keyword
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from physnn.equations.functions import ARITY, CONSTANTS, FUNCTIONS, REAL_ONLY, complex_valued
from physnn.errors import EquationError, nearest

TIME, STEP, NOISE, HAT = "t", "dt", "xi", "_hat"
RESERVED = {TIME, STEP, *FUNCTIONS, *CONSTANTS}
LONGEST = 20_000
"""characters of an expression; longer ones are refused"""
LARGEST_EXPONENT = 1000

# A bracket after an operator belongs to the unit, as in 1/(V*s).
_UNIT_AND_FLAGS = re.compile(r"^(?P<unit>.*?)(?:(?<![*/^])(?<![*/^] )\((?P<flags>[a-z][a-zA-Z0-9_ ,.+-]*)\))?$")
_LEAST = "at least "
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_FLOW = re.compile(rf"^d(?P<name>{_NAME})\s*/\s*dt$")
_MAP = re.compile(rf"^(?P<name>{_NAME})\s*\+$")
_FLAGS = {
    "flow": {"complex", "unless refractory"},
    "map": {"complex"},
    "constraint": {"complex"},
    "definition": set(),
    "declaration": {"parameter", "trainable", "constant", "arrival", "input", "complex"},
}
"""Kind of line -> flags that it may carry."""


@dataclass(frozen=True)
class Line:
    """One line of a description: what kind it is, whom it concerns, and its parts as text."""

    kind: str
    """flow, map, constraint, definition or declaration"""
    name: str
    expression: str
    unit: str
    flags: tuple[str, ...]
    text: str
    least: float | None = None
    """what a parameter may not fall below"""


def split_lines(text: str, where: str) -> list[Line]:
    """The lines of a description, comments (#) and empty lines left out."""
    lines = []
    for number, raw in enumerate(text.splitlines(), start=1):
        source = raw.split("#", 1)[0].strip()
        if source:
            lines.append(_line(source, f"{where}, line {number} ({shortened(source)})"))
    return lines


def _line(source: str, where: str) -> Line:
    body, colon, tail = source.rpartition(":")
    match = _UNIT_AND_FLAGS.match(tail.strip())
    if not colon or match is None or not match["unit"].strip():
        raise EquationError(f"{where}: no unit; write ': UNIT' at the end, ': 1' for a pure number")
    given = [flag.strip() for flag in (match["flags"] or "").split(",") if flag.strip()]
    solves = [flag.removeprefix("solves ").strip() for flag in given if flag.startswith("solves ")]
    bounds = [flag for flag in given if flag.startswith(_LEAST)]
    flags = tuple(flag for flag in given if not flag.startswith(("solves ", _LEAST)))
    left, equals, right = (part.strip() for part in body.partition("="))
    kind, name = _kind(left, bool(equals))
    if kind == "constraint":
        if len(solves) != 1:
            raise EquationError(f"{where}: a constraint names its unknown: write '0 = ... : UNIT (solves NAME)'")
        name = solves[0]
    elif solves:
        raise EquationError(f"{where}: only a constraint '0 = ...' can have the flag 'solves {solves[0]}'")
    for flag in flags:
        _check_flag(flag, kind, where)
    least = _least(bounds, flags, where)
    return Line(kind, _name(name, where), right, match["unit"].strip(), flags, source, least)


def _kind(left: str, equals: bool) -> tuple[str, str]:
    """What kind of line has this left side, and the name in it."""
    if not equals:
        return "declaration", left
    if left == "0":
        return "constraint", ""
    for kind, pattern in (("flow", _FLOW), ("map", _MAP)):
        found = pattern.match(left)
        if found:
            return kind, found["name"]
    return "definition", left


def _check_flag(flag: str, kind: str, where: str) -> None:
    if flag in _FLAGS[kind]:
        return
    known = sorted(set().union(*_FLAGS.values()))
    if flag in known:
        raise EquationError(f"{where}: the flag {flag!r} does not go with a {kind}")
    raise EquationError(f"{where}: unknown flag {flag!r}{nearest(flag, known)}")


def _least(bounds: list[str], flags: tuple[str, ...], where: str) -> float | None:
    """The number of a flag 'at least NUMBER', which only a real parameter can have."""
    if not bounds:
        return None
    if len(bounds) > 1 or "complex" in flags or not {"parameter", "trainable"} & set(flags):
        raise EquationError(f"{where}: only a real parameter can be {bounds[0]!r}, and only one number")
    try:
        least = float(bounds[0].removeprefix(_LEAST))
    except ValueError:
        least = math.nan
    if not math.isfinite(least):
        raise EquationError(f"{where}: {bounds[0]!r} names no number; write such as 'at least 0.05'")
    return least


def _name(text: str, where: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise EquationError(f"{where}: {shortened(text)} is not a name; expected dNAME/dt, NAME+, 0 or NAME")
    return checked_name(text, where)


def checked_name(text: str, where: str) -> str:
    """`text` if a variable may be called so.

    Raises
    ------
    EquationError
    """
    if not re.fullmatch(_NAME, text):
        raise EquationError(f"{where}: {shortened(text)} is not a name of letters, digits and underscores")
    if text in RESERVED or keyword.iskeyword(text) or is_noise(text) or text.endswith(HAT):
        raise EquationError(f"{where}: {text!r} is a reserved name; choose another")
    return text


def is_noise(name: str) -> bool:
    """Whether a name is that of a white noise: xi, xi_1, ..."""
    return name.split("_")[0] == NOISE


def shortened(text: str) -> str:
    """Text in quotes, cut where it is too long for a line of an error message."""
    return repr(text if len(text) <= 100 else f"{text[:97]}...")


def parse_expression(text: str, names: Mapping[str, sp.Basic], where: str, *, condition: bool = False) -> sp.Basic:
    """`text` as a SymPy expression in the given names; anything that is not arithmetic is refused.

    With `condition` it must be true or false (`v > 1 and r < 2`), otherwise a number.

    Raises
    ------
    EquationError
    """
    if len(text) > LONGEST:
        raise EquationError(
            f"{where}: an expression of {len(text)} characters is too long (at most {LONGEST}); split it"
        )
    place = f"{where}: in {shortened(text)}"
    try:
        reader = _Reader(names, place)
        tree = ast.parse(text.strip(), mode="eval").body
        return reader.condition(tree) if condition else reader.number(tree)
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", "not an expression")
        raise EquationError(f"{where}: cannot read {shortened(text)} ({reason})") from None
    except (RecursionError, MemoryError):
        raise EquationError(f"{place}: nested too deeply; use definitions for its parts") from None


_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE = {ast.Gt: sp.Gt, ast.GtE: sp.Ge, ast.Lt: sp.Lt, ast.LtE: sp.Le}


class _Reader:
    def __init__(self, names: Mapping[str, sp.Basic], where: str) -> None:
        self.names = names
        self.where = where

    def number(self, node: ast.AST) -> sp.Expr:
        """A node that stands for a number."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | complex):
            return self._finite(self._literal(node.value), node)
        if isinstance(node, ast.Name):
            return self._symbol(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = self.number(node.left), self.number(node.right)
            if isinstance(node.op, ast.Pow):
                self._check_power(left, right, node)
            return self._finite(_BINARY[type(node.op)](left, right), node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            value = self.number(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._finite(self._call(node.func.id, node.args), node)
        if isinstance(node, ast.Compare | ast.BoolOp):
            raise self._error(node, "is true or false where a number is needed; use where(condition, yes, no)")
        raise self._error(node, "is not allowed; use + - * / **, comparisons, functions")

    def condition(self, node: ast.AST) -> sp.Basic:
        """A node that stands for true or false."""
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            sides = self._real([self.number(node.left), self.number(node.comparators[0])], node)
            return _COMPARE[type(node.ops[0])](*sides)
        if isinstance(node, ast.BoolOp):
            return (sp.And if isinstance(node.op, ast.And) else sp.Or)(*map(self.condition, node.values))
        raise self._error(node, "is not a condition; write a comparison such as v > 1, joined by and / or")

    def _literal(self, value: int | float | complex) -> sp.Expr:
        if isinstance(value, bool):
            raise EquationError(f"{self.where}: use 0 and 1 instead of True and False")
        if isinstance(value, complex):
            return sp.Float(value.real) + sp.I * sp.Float(value.imag) if value.real else sp.I * sp.Float(value.imag)
        return sp.Integer(value) if isinstance(value, int) else sp.Float(value)

    def _symbol(self, name: str) -> sp.Basic:
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in self.names:
            raise EquationError(f"{self.where}: unknown name {name!r}{nearest(name, self.names)}")
        return self.names[name]

    def _call(self, name: str, nodes: list[ast.expr]) -> sp.Expr:
        if name not in FUNCTIONS:
            raise EquationError(f"{self.where}: unknown function {name!r}{nearest(name, FUNCTIONS)}")
        least, most = ARITY.get(name, (1, 1))
        if not least <= len(nodes) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            raise EquationError(f"{self.where}: {name} takes {wanted} argument(s), not {len(nodes)}")
        if name == "where":
            return FUNCTIONS[name](self.condition(nodes[0]), self.number(nodes[1]), self.number(nodes[2]))
        arguments = [self.number(node) for node in nodes]
        return FUNCTIONS[name](*(self._real(arguments, nodes[0]) if name in REAL_ONLY else arguments))

    def _real(self, values: list[sp.Expr], node: ast.AST) -> list[sp.Expr]:
        for value in values:
            if complex_valued(value):
                raise self._error(node, f"has {value}, which is complex; take its re, im or abs")
        return values

    def _check_power(self, base: sp.Expr, exponent: sp.Expr, node: ast.AST) -> None:
        if exponent.is_number and abs(complex(exponent)) > LARGEST_EXPONENT:
            raise self._error(node, f"has an exponent larger than {LARGEST_EXPONENT}")
        if base.is_number and exponent.is_number and base != 0:
            if abs(complex(exponent)) * abs(math.log10(abs(complex(base)))) > 300:
                raise self._error(node, "is too large or too small a number")

    def _finite(self, value: sp.Expr, node: ast.AST) -> sp.Expr:
        """`value`, unless it holds a number that no array can hold."""
        if value.has(sp.oo, -sp.oo, sp.zoo, sp.nan):
            raise self._error(node, "is not finite")
        numbers = [value] if value.is_number else [n for n in value.args if n.is_number]
        try:
            sizes = [abs(complex(n)) for n in numbers]
        except (OverflowError, TypeError, ValueError):
            sizes = [math.inf]
        if not all(size < math.inf for size in sizes):
            raise self._error(node, "has a number that is not finite")
        return value

    def _error(self, node: ast.AST, fault: str) -> EquationError:
        return EquationError(f"{self.where}: {shortened(ast.unparse(node))} {fault}")
