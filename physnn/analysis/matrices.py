"""Operators of couplings as sparse matrices: rows are elements of the target, columns elements of the source."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from physnn.equations import Convolution, Dense, OneToOne, Sparse, System, Transposed
from physnn.equations.operators import Operator

Matrix = Any
"""a scipy.sparse.csr_array"""
_CHUNK = 256
"""basis vectors that an operator without a matrix of its own is applied to at once"""


def operator_matrix(operator: Operator, weights: NDArray, source: tuple[int, ...]) -> Matrix:
    """The matrix of an operator with these weights.

    Parameters
    ----------
    operator : Operator
    weights : array
        Of the operator's `weight_shape`, real or complex.
    source : tuple of int
        Shape of the signals that the operator takes.

    Returns
    -------
    scipy.sparse.csr_array
        (elements of the target, elements of the source)
    """
    columns = math.prod(source)
    if isinstance(operator, Dense):
        return sparse.csr_array(weights)
    if isinstance(operator, OneToOne):
        return sparse.diags_array(np.ravel(weights)).tocsr()
    if isinstance(operator, Sparse):
        return sparse.csr_array((weights, (operator.rows, operator.columns)), (operator.target, operator.source))
    if isinstance(operator, Convolution):
        return _convolution(operator, weights, source)
    if isinstance(operator, Transposed):
        return operator_matrix(operator.forward, weights, operator.source).conj().T.tocsr()
    pieces = []
    for first in range(0, columns, _CHUNK):
        basis = np.eye(min(_CHUNK, columns - first), columns, first).reshape(-1, *source)
        answers = operator.apply(np, weights, basis)
        pieces.append(sparse.csr_array(answers.reshape(len(basis), -1)))
    return sparse.vstack(pieces).T.tocsr()


def _convolution(operator: Convolution, weights: NDArray, source: tuple[int, ...]) -> Matrix:
    """One block of taps a pair of channels; where a tap looks is asked of the operator itself, with numbered nodes."""
    height, width = source[1:]
    nodes = height * width
    rows, columns, values = [], [], []
    numbered = np.arange(1.0, nodes + 1).reshape(1, 1, height, width)
    one = Convolution(1, 1, operator.kernel, operator.padding)
    for i, j in np.ndindex(*operator.kernel):
        tap = np.zeros(one.weight_shape)
        tap[0, 0, i, j] = 1.0
        seen = np.rint(one.apply(np, tap, numbered)).astype(int).ravel()
        inside = np.flatnonzero(seen)
        for o, c in np.ndindex(operator.channels_out, operator.channels_in):
            rows.append(o * nodes + inside)
            columns.append(c * nodes + seen[inside] - 1)
            values.append(np.full(len(inside), weights[o, c, i, j]))
    shape = (operator.channels_out * nodes, operator.channels_in * nodes)
    return sparse.csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)


def real_form(matrix: Matrix, *, from_complex: bool, to_complex: bool) -> Matrix:
    """A matrix between complex quantities as one between their real parts followed by their imaginary parts."""
    if not to_complex:
        return matrix.real
    first = sparse.vstack([matrix.real, matrix.imag])
    return sparse.hstack([first, sparse.vstack([-matrix.imag, matrix.real])]).tocsr() if from_complex else first.tocsr()


def coupling_matrices(system: System, parameters: dict[str, NDArray]) -> dict[str, Matrix]:
    """Coupling -> its operator's matrix from the signal to the arrival, complex quantities as two real ones."""
    found = {}
    for coupling in system.couplings.values():
        source, target = system.populations[coupling.source], system.populations[coupling.target]
        matrix = operator_matrix(coupling.operator, np.asarray(parameters[coupling.key]), source.shape)
        found[coupling.name] = real_form(
            matrix,
            from_complex=source.is_complex(system.signals[coupling.name]),
            to_complex=target.variables[coupling.into].complex,
        )
    return found
