"""Eligibility traces: what every synapse did to its own cell, carried forward in time by that cell's equations alone.

A cell steps as x(t+1) = M(x(t), a(t)), where a arrives, and sends g(x). A weight w through which s(t) arrives changes
its states by eps = dx/dw, no other cell in between:

    eps(t+1) = (dM/dx) eps(t) + (dM/da) s(t),     e(t) = (dg/dx) . eps(t) + (dg/da) s(t)

M is taken from the equations, events with their surrogate slopes included. A moment needs the one before it and no
other; traces of all times are never held together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations import Coupling, Dense, OneToOne, Population, Sparse
from physnn.equations.adjoint import partials
from physnn.equations.linearised import next_value
from physnn.equations.operators import alike
from physnn.errors import CapabilityError

Array = Any
DRIVE = ""
"""stands for what drives a cell, beside the names of its states"""


@dataclass(frozen=True)
class Slopes:
    """Slopes of one population's own step, and of its signals, by its states and by what drives it."""

    own: Mapping[tuple[str, str], Any]
    """(state, state or DRIVE) -> dM/d: an expression, or its value: a number, or an array (batch, times, *shape)"""
    read: tuple[Mapping[str, Any], ...]
    """for every signal: state or DRIVE -> dg/d, likewise"""

    @classmethod
    def of(cls, population: Population, signals: Sequence[sp.Expr], drive: str) -> Slopes:
        """Those that are not zero, of the states that reach one of the signals, now or later.

        Parameters
        ----------
        population : Population
            With events as maps (`physnn.equations.surrogate.with_slopes`).
        signals : sequence of expressions
        drive : str
            An arrival, or a parameter.
        """
        living: list[str] = []
        ahead = list(signals)
        while ahead:
            expression = ahead.pop()
            for name in population.dynamic:
                if name not in living and _slope(population, expression, name) != 0:
                    living.append(name)
                    ahead.append(next_value(population, name))
        by = {**{name: name for name in living}, DRIVE: drive}
        steps = {x: {y: _slope(population, next_value(population, x), of) for y, of in by.items()} for x in living}
        own = {(x, y): slope for x, row in steps.items() for y, slope in row.items() if slope != 0}
        read = [{y: _slope(population, signal, of) for y, of in by.items()} for signal in signals]
        return cls(own, tuple({y: slope for y, slope in row.items() if slope != 0} for row in read))

    @property
    def all(self) -> tuple[Any, ...]:
        """The slopes in a row."""
        return (*self.own.values(), *(slope for row in self.read for slope in row.values()))

    def valued(self, values: Sequence[Any]) -> Slopes:
        """The same with values in place of expressions, in the order of `all`."""
        given = iter(values)
        own = {where: next(given) for where in self.own}
        return Slopes(own, tuple({y: next(given) for y in row} for row in self.read))

    def moment(self, eps: Mapping[str, Any], sent: Any, at: Callable[[Any], Any]) -> tuple[list[Any], dict[str, Any]]:
        """What the signals feel now, and the traces one moment later; `at` takes the present value of a slope."""
        now: dict[str, Any] = {**eps, DRIVE: sent}
        felt = [sum(at(slope) * now.get(y, 0.0) for y, slope in row.items()) for row in self.read]
        later: dict[str, Any] = {}
        for (x, y), slope in self.own.items():
            later[x] = later.get(x, 0.0) + at(slope) * now.get(y, 0.0)
        return felt, later


def _slope(population: Population, expression: sp.Expr, name: str) -> sp.Expr:
    return partials(expression, population.variables[name])[0]


@dataclass(frozen=True)
class Way:
    """How one signal of the cells is judged."""

    error: Array
    """learning signals of the cells, (batch, times, *shape)"""
    answer: Slopes | None
    """of the readout to the signal, in numbers: linear and alike for all outputs; None where the cells are read"""
    delay: int
    """steps until the signal is at the readout"""

    @property
    def kept(self) -> int:
        """Numbers that it has to remember for each trace."""
        return self.delay + (len({x for x, _ in self.answer.own}) if self.answer else 0)

    @property
    def terms(self) -> int:
        """Multiply-accumulates for each trace and moment."""
        return 1 + (len(self.answer.all) if self.answer else 0)


@dataclass(frozen=True)
class Synapses:
    """Which traces are carried: one for each element of `shape`."""

    shape: tuple[int, ...]
    post: Callable[[Array], Array]
    """(batch, *shape of the cells) -> what broadcasts over the synapses"""
    arriving: Callable[[slice, int], Any]
    """samples, number of the moment -> what arrives at the synapses, likewise"""


def of_weights(xp: Any, coupling: Coupling, sent: Array, late: int) -> Synapses:
    """One trace a weight.

    Parameters
    ----------
    sent : array (batch, times, *shape of the source)
    late : int
        Steps by which it arrives later.

    Raises
    ------
    CapabilityError
        Synapses share weights.
    """
    operator = coupling.operator
    if isinstance(operator, Dense):
        post, pre = (partial(_reshaped, xp, sides) for sides in ((operator.rows, 1), (1, operator.columns)))
        return Synapses(operator.weight_shape, post, partial(_arriving, pre, sent, late))
    if isinstance(operator, OneToOne):
        return Synapses(operator.weight_shape, same, partial(_arriving, same, sent, late))
    if isinstance(operator, Sparse):
        ends = (alike(xp, np.asarray(end), sent, integer=True) for end in (operator.rows, operator.columns))
        post, pre = (partial(_taken, xp, end) for end in ends)
        return Synapses(operator.weight_shape, post, partial(_arriving, pre, sent, late))
    raise CapabilityError(
        f"e-prop: the weights of coupling {coupling.name!r} are shared by many synapses, and each synapse would need a "
        "trace of its own; use a dense, one-to-one or sparse coupling, or the reflected wave"
    )


def of_cells(shape: tuple[int, ...], late: int = 0) -> Synapses:
    """One trace a cell: what drives it is constant, from `late` steps on, and a factor outside the sum."""
    return Synapses(shape, same, lambda rows, n: float(n >= late))


def carried(xp: Any, rows: slice, slopes: Slopes, ways: Sequence[Way], synapses: Synapses) -> Array:
    """Sum over time of learning signal times trace, (samples, *synapses), of some samples of a batch."""
    first = ways[0].error[rows, 0, ...]
    total = xp.zeros((first.shape[0], *synapses.shape), dtype=first.dtype, device=first.device)
    eps: dict[str, Any] = {}
    remembered: list[dict[str, Any]] = [{} for _ in ways]
    lines: list[list[Any]] = [[0.0] * way.delay for way in ways]
    for n in range(ways[0].error.shape[1]):
        felt, eps = slopes.moment(eps, synapses.arriving(rows, n), partial(_present, synapses.post, rows, n))
        for number, way in enumerate(ways):
            lines[number].append(felt[number])
            trace = lines[number].pop(0)
            if way.answer:
                (trace,), remembered[number] = way.answer.moment(remembered[number], trace, same)
            total = total + synapses.post(way.error[rows, n, ...]) * trace
    return total


def same(value: Any) -> Any:
    """The value."""
    return value


def _present(post: Callable[[Array], Array], rows: slice, n: int, slope: Any) -> Any:
    """A slope now, as it stands beside the traces."""
    return slope if isinstance(slope, int | float) else post(slope[rows, n, ...])


def _arriving(pre: Callable[[Array], Array], sent: Array, late: int, rows: slice, n: int) -> Any:
    return pre(sent[rows, n - late, ...]) if n >= late else 0.0


def _reshaped(xp: Any, sides: tuple[int, int], value: Array) -> Array:
    return xp.reshape(value, (value.shape[0], *sides))


def _taken(xp: Any, places: Array, value: Array) -> Array:
    return xp.take(xp.reshape(value, (value.shape[0], -1)), places, axis=1)
