"""The linear form of a System about a point, with arrivals and unknowns eliminated and delays kept apart.

    x' = A x + B u + from_lines w                   (x+ in place of x' where there is a step)
    y  = C x + D u + output_from_lines w
    q  = sent x + line_from_inputs u + line_to_line w,      w_i(t) = q_i(t - delays_i)

x are states, u inputs and waves added to arrivals, q the signals that enter delayed couplings, w what they were when
that which arrives now was sent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from physnn.analysis.matrices import Matrix, coupling_matrices
from physnn.analysis.point import Environment, Point, environment
from physnn.analysis.slopes import Blocks, Slopes
from physnn.equations import Interpreter, Population, System
from physnn.equations.generate import function
from physnn.errors import CapabilityError, NumericsError, ParameterError

_COLUMNS = 512
"""so many are solved for at once, as full columns"""


@dataclass(frozen=True)
class Linearised:
    """State matrices about a point, all scipy.sparse.csr_array; complex variables are two real ones."""

    A: Matrix
    B: Matrix
    C: Matrix
    D: Matrix
    from_lines: Matrix
    output_from_lines: Matrix
    sent: Matrix
    line_from_inputs: Matrix
    line_to_line: Matrix
    delays: NDArray[np.float64]
    """[s] of every delayed signal"""
    states: Mapping[str, slice]
    """'POPULATION.STATE' -> its entries of x"""
    inputs: Mapping[str, slice]
    """'POPULATION.VARIABLE' of an input or arrival -> its entries of u"""
    outputs: Mapping[str, slice]
    """output port -> its entries of y"""
    step: float | None
    """[s]; None for rates of change"""


class Linearisation:
    """A System ready to be linearised about one point, for any step.

    Parameters
    ----------
    stepped : bool
        Whether rows of states are values one step later, as the System's integrators give them, in place of rates.
    """

    def __init__(
        self,
        system: System,
        parameters: Mapping[str, Any] | None = None,
        about: Point | None = None,
        *,
        stepped: bool,
    ) -> None:
        self.slopes = Slopes(system, stepped=stepped)
        self.system, self.stepped, self.about = self.slopes.system, stepped, about
        self.parameters = Interpreter(self.system, parameters).parameters
        self._now, self._late, self.delays = self._operators()

    def at(self, step: float | None) -> Linearised:
        """The matrices for a step [s].

        Raises
        ------
        ParameterError
            The step is not positive, or the equations hold `dt` and there is none.
        CapabilityError
            A projection holds a state.
        """
        blocks = self._blocks(step)
        groups = ("states", "inputs", "arrivals", "lines")
        follows = {group: self._eliminated(blocks, group) for group in groups}
        moved, read = ({g: self._total(blocks, rows, g, follows[g]) for g in groups} for rows in ("states", "outputs"))
        sent = {g: self._sent(blocks, g, follows[g]) for g in groups}
        columns, entries = self.slopes.columns, self.slopes.sizes["inputs"]
        shifted = {name: slice(s.start + entries, s.stop + entries) for name, s in columns["arrivals"].items()}
        return Linearised(
            A=moved["states"],
            B=_beside(moved["inputs"], moved["arrivals"]),
            C=read["states"],
            D=_beside(read["inputs"], read["arrivals"]),
            from_lines=moved["lines"],
            output_from_lines=read["lines"],
            sent=sent["states"],
            line_from_inputs=_beside(sent["inputs"], sent["arrivals"]),
            line_to_line=sent["lines"],
            delays=self.delays,
            states=columns["states"],
            inputs={**columns["inputs"], **shifted},
            outputs=self.slopes.rows["outputs"],
            step=step,
        )

    def embedded(self, step: float) -> Matrix:
        """One step of states and of what is in flight, as one square matrix.

        A delay counts as the nearest whole number of steps, at least one.
        """
        blocks = self._blocks(step)
        follows = self._eliminated(blocks, "states")
        moved = self._total(blocks, "states", "states", follows)
        if not len(self.delays):
            return moved
        late = self._eliminated(blocks, "lines")
        lengths = np.maximum(np.rint(self.delays / step).astype(int), 1)
        total, lines = int(np.sum(lengths)), len(lengths)
        # Entry k of a line is what entered it k + 1 steps ago.
        starts = np.cumsum(lengths) - lengths
        one, order = np.ones(lines), np.arange(lines)
        leaves = sparse.csr_array((one, (order, starts + lengths - 1)), (lines, total))
        enters = sparse.csr_array((one, (starts, order)), (total, lines))
        inner = np.setdiff1d(np.arange(total), starts)
        shift = sparse.csr_array((np.ones(len(inner)), (inner, inner - 1)), (total, total))
        within = shift + enters @ self._sent(blocks, "lines", late) @ leaves
        entering = enters @ self._sent(blocks, "states", follows)
        arriving = self._total(blocks, "states", "lines", late) @ leaves
        return sparse.block_array([[moved, arriving], [entering, within]]).tocsr()

    def _blocks(self, step: float | None) -> Blocks:
        if step is not None and not (np.isfinite(step) and step > 0):
            raise ParameterError(f"a step of {step} s; it must be finite and above 0")
        if step is None and self.slopes.holds_step:
            raise ParameterError("the equations hold dt: they have no rates of change of their own; give a step")
        point = environment(self.system, self.parameters, self.about, step)
        if not self.stepped:
            for population in self.system.populations.values():
                _check_free(population, point)
        return self.slopes.at(point)

    def _operators(self) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
        """From signals to arrivals at once; from delayed signals to arrivals; the delay of each delayed signal."""
        rows, columns = self.slopes.columns["arrivals"], self.slopes.rows["signals"]
        shape = (self.slopes.sizes["arrivals"], self.slopes.sizes["signals"])
        now: list[tuple[Matrix, int, int]] = []
        late: list[tuple[Matrix, int, int]] = []
        delays: list[NDArray[np.float64]] = []
        count = 0
        for name, matrix in coupling_matrices(self.system, self.parameters).items():
            coupling = self.system.couplings[name]
            row = rows[f"{coupling.target}.{coupling.into}"].start
            if coupling.delay == 0:
                now.append((matrix, row, columns[name].start))
            else:
                late.append((matrix, row, count))
                delays.append(np.full(matrix.shape[1], coupling.delay))
                count += matrix.shape[1]
        return (
            _placed(now, shape),
            _placed(late, (shape[0], count)),
            np.concatenate(delays) if delays else np.zeros(0),
        )

    def _eliminated(self, blocks: Blocks, group: str) -> tuple[Matrix, Matrix]:
        """Arrivals and unknowns as they follow from one group of known quantities.

        With arrivals and unknowns q = N q + R known, and N nilpotent where there is no loop without delay,
        q = (1 + N + N^2 + ...) R known.
        """
        if self.system.joints:
            return self._solved_together(blocks, group)
        arrivals, unknowns = self._known(blocks, group)
        all_arrivals, all_unknowns = arrivals, unknowns
        while arrivals.nnz or unknowns.nnz:
            signals = blocks["signals", "arrivals"] @ arrivals + blocks["signals", "unknowns"] @ unknowns
            arrivals, unknowns = self._now @ signals, self._solved(blocks, blocks["constraints", "arrivals"] @ arrivals)
            all_arrivals, all_unknowns = all_arrivals + arrivals, all_unknowns + unknowns
        return all_arrivals, all_unknowns

    def _solved_together(self, blocks: Blocks, group: str) -> tuple[Matrix, Matrix]:
        """Arrivals and unknowns where they hang on each other:  a - K g(a, u) = K g(known),  F(a, u) = -F(known)."""
        count = self.slopes.sizes["arrivals"]
        through = [self._now @ blocks["signals", name] for name in ("arrivals", "unknowns")]
        own = [blocks["constraints", name] for name in ("arrivals", "unknowns")]
        whole = sparse.block_array([[sparse.eye_array(count) - through[0], -through[1]], own]).tocsc()
        try:
            factors = splu(whole)
        except RuntimeError:
            names = " and ".join(map(repr, sorted(self.system.joints)))
            raise NumericsError(
                f"the constraints of {names} do not determine their unknowns here; choose another `about`"
            ) from None
        if group in ("arrivals", "lines"):
            arrivals, residuals = self._known(blocks, group)
        else:
            arrivals, residuals = self._now @ blocks["signals", group], -blocks["constraints", group]
        known = sparse.vstack([arrivals, residuals]).tocsc()
        columns = range(0, known.shape[1], _COLUMNS)
        parts = [sparse.csr_array(factors.solve(known[:, k : k + _COLUMNS].toarray())) for k in columns]
        found = sparse.hstack(parts).tocsr() if parts else known.tocsr()
        return found[:count], found[count:]

    def _total(self, blocks: Blocks, rows: str, group: str, follows: tuple[Matrix, Matrix]) -> Matrix:
        """How some rows depend on a group, directly and through what follows from it."""
        through = blocks[rows, "arrivals"] @ follows[0] + blocks[rows, "unknowns"] @ follows[1]
        return through + blocks[rows, group] if group in ("states", "inputs") else through

    def _sent(self, blocks: Blocks, group: str, follows: tuple[Matrix, Matrix]) -> Matrix:
        """How the signals that enter delayed couplings depend on a group."""
        signals, rows = self._total(blocks, "signals", group, follows), self.slopes.rows["signals"]
        late = [signals[rows[c.name]] for c in self.system.couplings.values() if c.delay > 0]
        return sparse.vstack(late).tocsr() if late else sparse.csr_array((0, signals.shape[1]))

    def _known(self, blocks: Blocks, group: str) -> tuple[Matrix, Matrix]:
        """Arrivals and unknowns as they follow directly."""
        unknowns = self.slopes.sizes["unknowns"]
        if group == "arrivals":
            count = self.slopes.sizes["arrivals"]
            return sparse.eye_array(count).tocsr(), sparse.csr_array((unknowns, count))
        if group == "lines":
            return self._late, sparse.csr_array((unknowns, len(self.delays)))
        return self._now @ blocks["signals", group], self._solved(blocks, blocks["constraints", group])

    def _solved(self, blocks: Blocks, residuals: Matrix) -> Matrix:
        """Unknowns that undo a change of the constraints' residuals, element by element."""
        if not residuals.nnz:
            return residuals
        slope = blocks["constraints", "unknowns"]
        pieces = []
        for population in self.system.populations.values():
            keys = [f"{population.name}.{name}" for name in population.role("unknown")]
            if keys:
                rows = slice(
                    self.slopes.columns["unknowns"][keys[0]].start, self.slopes.columns["unknowns"][keys[-1]].stop
                )
                pieces.append(_inverse(slope[rows, rows], math.prod(population.shape), population.name))
        return -(sparse.block_diag(pieces).tocsr() @ residuals)


def _inverse(slope: Matrix, size: int, name: str) -> Matrix:
    """The inverse of a matrix whose blocks, (unknown, unknown), are diagonal over `size` elements."""
    count, entries = slope.shape[0] // size, slope.tocoo()
    dense = np.zeros((size, count, count))
    dense[entries.row % size, entries.row // size, entries.col // size] = entries.data
    try:
        inverse = np.linalg.inv(dense)
    except np.linalg.LinAlgError:
        raise NumericsError(
            f"population {name!r}: its constraints do not determine their unknowns here; choose another `about`"
        ) from None
    element, row, column = np.indices(inverse.shape)
    places = (row.ravel() * size + element.ravel(), column.ravel() * size + element.ravel())
    return sparse.csr_array((inverse.ravel(), places), slope.shape)


def _check_free(population: Population, point: Environment) -> None:
    """Whether no projection holds a state at this point.

    Raises
    ------
    CapabilityError
    """
    here = point[population.name]
    for name, projection in population.projections.items():
        symbol = population.symbols[name]
        expressions = (projection - symbol, projection.diff(symbol) - 1)
        names = sorted({str(s) for expression in expressions for s in expression.free_symbols})
        values = function(tuple(population.symbols[n] for n in names), expressions)(np, *(here[n] for n in names))
        if any(np.any(np.asarray(value) != 0) for value in values):
            raise CapabilityError(
                f"population {population.name!r}: the projection of {name!r} acts at this point; "
                "linearise about a point inside, or give a step"
            )


def _placed(pieces: list[tuple[Matrix, int, int]], shape: tuple[int, int]) -> Matrix:
    """One matrix of all pieces, each with its first row and first column."""
    if not pieces:
        return sparse.csr_array(shape)
    parts = [(matrix.tocoo(), row, column) for matrix, row, column in pieces]
    return sparse.csr_array(
        (
            np.concatenate([m.data for m, _, _ in parts]),
            (np.concatenate([m.row + row for m, row, _ in parts]), np.concatenate([m.col + c for m, _, c in parts])),
        ),
        shape,
    )


def _beside(left: Matrix, right: Matrix) -> Matrix:
    return sparse.hstack([left, right]).tocsr()
