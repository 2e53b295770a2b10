"""Partial derivatives of all of a System's equations at one point, as sparse matrices.

Rows and columns come in groups, and within a group variable by variable, a complex one as its real parts followed by
its imaginary parts, each the population's elements in order.

    rows      states (flows, or values one step later), constraints, signals (of couplings), outputs (ports)
    columns   states, inputs, arrivals, unknowns
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import sympy as sp
from numpy.typing import NDArray

from physnn.analysis.chain import Chain
from physnn.analysis.matrices import Matrix
from physnn.analysis.point import Environment
from physnn.equations.linearised import next_value
from physnn.equations.parse import STEP
from physnn.equations.population import Population
from physnn.equations.system import System
from physnn.errors import CapabilityError, NumericsError

Blocks = dict[tuple[str, str], Matrix]
"""(group of rows, group of columns) -> slopes"""
GROUPS = {"state": "states", "input": "inputs", "arrival": "arrivals", "unknown": "unknowns"}
"""role of a variable -> group of columns"""


@dataclass(frozen=True)
class _Row:
    group: str
    name: str
    expression: sp.Expr
    complex: bool


@dataclass(frozen=True)
class _Entries:
    """One population's rows, and their slopes."""

    population: Population
    rows: tuple[_Row, ...]
    chain: Chain


class Slopes:
    """The symbolic slopes of a System, compiled once, to be evaluated at any point and step.

    Parameters
    ----------
    system : System
    stepped : bool
        Whether the rows of states are their values one step later, as the System's own integrators give them, in place
        of their rates of change.

    Raises
    ------
    CapabilityError
        Maps have no rate of change.
    """

    def __init__(self, system: System, *, stepped: bool) -> None:
        self.system = system.discrete if stepped else system
        self.stepped = stepped
        self.rows: dict[str, dict[str, slice]] = {}
        self.columns: dict[str, dict[str, slice]] = {group: self._columns(role) for role, group in GROUPS.items()}
        rows = {p.name: self._rows(p) for p in self.system.populations.values()}
        for group in ("states", "constraints", "signals", "outputs"):
            self.rows[group] = _slices(
                (row.name, _parts(row.complex) * _size(self.system.populations[p]))
                for p, found in rows.items()
                for row in found
                if row.group == group
            )
        self.sizes = {group: _extent(slices) for group, slices in (self.columns | self.rows).items()}
        """number of entries of a group"""
        self.empty: Blocks = {
            (row, column): sparse.csr_array((self.sizes[row], self.sizes[column]))
            for row in self.rows
            for column in self.columns
        }
        self.entries = [self._entries(self.system.populations[name], found) for name, found in rows.items()]

    def at(self, point: Environment) -> Blocks:
        """(group of rows, group of columns) -> sparse matrix."""
        triplets: dict[tuple[str, str], list[tuple[NDArray, NDArray, NDArray]]] = {}
        for entries in self.entries:
            shape, elements = entries.population.shape, np.arange(_size(entries.population))
            slopes = entries.chain.at(point[entries.population.name])
            for row, towards in zip(entries.rows, slopes, strict=True):
                first = self.rows[row.group][row.name].start
                for (name, part), value in towards.items():
                    group = GROUPS[entries.population.variables[name].role]
                    column = self.columns[group][f"{entries.population.name}.{name}"].start + part * len(elements)
                    flat = np.broadcast_to(np.asarray(value), shape).ravel()
                    halves = (np.real(flat), np.imag(flat)) if row.complex else (np.real(flat),)
                    for half, values in enumerate(halves):
                        places = first + half * len(elements) + elements, column + elements
                        triplets.setdefault((row.group, group), []).append((values, *places))
        found = dict(self.empty)
        for block, parts in triplets.items():
            data, rows, columns = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
            if not np.all(np.isfinite(data)):
                raise NumericsError("a derivative of the equations is not finite at this point; choose another `about`")
            found[block] = sparse.csr_array((data, (rows, columns)), found[block].shape)
            found[block].eliminate_zeros()
        return found

    def _columns(self, role: str) -> dict[str, slice]:
        return _slices(
            (f"{p.name}.{name}", _parts(p.variables[name].complex) * _size(p))
            for p in self.system.populations.values()
            for name in p.role(role)
        )

    def _rows(self, population: Population) -> list[_Row]:
        if population.maps and not self.stepped:
            raise CapabilityError(
                f"population {population.name!r} advances by maps, which have no rate of change; give a step"
            )
        found = []
        for name in population.role("state"):
            expression = next_value(population, name) if self.stepped else population.flows[name]
            found.append(_Row("states", f"{population.name}.{name}", expression, population.variables[name].complex))
        for name in population.role("unknown"):
            residual, is_complex = population.constraints[name], population.variables[name].complex
            found.append(_Row("constraints", f"{population.name}.{name}", residual, is_complex))
        for coupling in self.system.leaving(population.name):
            signal = self.system.signals[coupling.name]
            found.append(_Row("signals", coupling.name, signal, population.is_complex(signal)))
        for name, port in self.system.outputs.items():
            if port.population == population.name:
                read = self.system.readouts[name]
                found.append(_Row("outputs", name, read, population.is_complex(read)))
        return found

    def _entries(self, population: Population, rows: list[_Row]) -> _Entries:
        variables = [v for v in population.variables.values() if v.role in GROUPS]
        return _Entries(population, tuple(rows), Chain([row.expression for row in rows], variables))

    @property
    def holds_step(self) -> bool:
        """Whether slopes depend on the length of a step."""
        return any(STEP in entries.chain.held for entries in self.entries)


def _extent(slices: Mapping[str, slice]) -> int:
    return max((s.stop for s in slices.values()), default=0)


def _parts(is_complex: bool) -> int:
    return 2 if is_complex else 1


def _size(population: Population) -> int:
    return math.prod(population.shape)


def _slices(sizes: Iterable[tuple[str, int]]) -> dict[str, slice]:
    found, start = {}, 0
    for name, size in sizes:
        found[name] = slice(start, start + size)
        start += size
    return found
