"""Whether anything in a loop of delayed waves gains power when it is scattered: what is passive cannot grow.

    sigma_max( W S W^-1 ) <= 1,    W = 1/sqrt(Z0) for a wave that enters a line of impedance Z0 [ohm], else 1

S says what enters each delay now by what leaves the delays now. Sections that make up fractions of a delay
(`physnn.media.impedances.delay`) are lossless whatever their own delay is above 0, so S is taken as if they were not
there: with a delay of 0 a section hands on what it gets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from physnn.analysis.matrices import Matrix
from physnn.equations import Population, System
from physnn.equations.dimensions import dimension

_ROUNDING = 1e-9
"""what sigma_max of a lossless network may exceed 1 by"""
_SIGNALS = 3000
"""delayed signals that meet at one place, up to which the power that they carry is looked at"""
_SECTIONS = {"rest", "disp"}
"""delays of sections, as lines name them"""


def without_sections(system: System, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters by which sections hand on what they get; None where there are other states, whose power is not known.

    Parameters
    ----------
    system : System
    parameters : mapping
        Parameter key -> array.
    """
    found: dict[str, Any] = {}
    for name, population in system.populations.items():
        if not population.dynamic:
            continue
        own = [f"{name}.{p}" for p in _delays_of_sections(population)]
        if not own or any(np.any(np.asarray(parameters[key]) <= 0) for key in own):
            return None
        found |= {key: np.zeros_like(parameters[key]) for key in own}
    return found


def gains_no_power(system: System, matrix: Matrix, step: float, parameters: Mapping[str, Any]) -> bool:
    """Whether sigma_max of the scattering matrix is at most 1, waves weighted by what power they carry.

    Parameters
    ----------
    system : System
        Without states, or with those of sections alone (`without_sections`).
    matrix : scipy.sparse array
        Its map of one step with sections that hand on what they get.
    step : float
        [s].
    parameters : mapping
        Parameter key -> array.
    """
    late = [c for c in system.couplings.values() if c.delay > 0]
    scale = np.concatenate([_roots(system, c.target, parameters, c.name) for c in late])
    lengths = np.concatenate(
        [np.full(math.prod(system.populations[c.source].shape), max(round(c.delay / step), 1)) for c in late]
    )
    states = sum(len(p.dynamic) * math.prod(p.shape) for p in system.populations.values())
    if states + int(np.sum(lengths)) != matrix.shape[0]:
        return False  # complex signals are two real ones
    # What enters a line now, by what leaves it now; in between it only moves on.
    last = states + np.cumsum(lengths) - 1
    weights = sparse.diags_array(scale)
    scattering = weights @ matrix[last - lengths + 1][:, last] @ sparse.diags_array(1.0 / scale)
    return _contracts(scattering.tocsr())


def _contracts(matrix: Matrix) -> bool:
    """Whether no vector gets longer; signals that never meet are looked at apart."""
    size = matrix.shape[0]
    both = sparse.block_array([[None, matrix], [matrix.T, None]])
    count, label = connected_components(both, directed=False)
    rows, columns = np.argsort(label[:size], kind="stable"), np.argsort(label[size:], kind="stable")
    ordered = matrix[rows][:, columns]
    first, second = (np.searchsorted(np.sort(part), np.arange(count + 1)) for part in (label[:size], label[size:]))
    for top, bottom, left, right in zip(first[:-1], first[1:], second[:-1], second[1:], strict=True):
        if max(bottom - top, right - left) > _SIGNALS:
            return False
        part = ordered[top:bottom, left:right].toarray()
        rest = (1.0 + _ROUNDING) * np.eye(right - left) - part.T @ part
        try:
            scipy.linalg.cholesky(rest, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            return False
    return True


def _delays_of_sections(population: Population) -> tuple[str, ...]:
    """Parameters that are delays of sections; none where a population has other states, or no sections."""
    tags = [name[1:] for name in population.dynamic]
    if not {"at_left", "at_right", *(f"eta{tag}" for tag in tags)} <= population.definitions.keys():
        return ()
    if any(name[0] not in "lr" for name in population.dynamic):
        return ()
    return tuple(name for name in population.role("parameter") if name in _SECTIONS)


def _roots(system: System, target: str, parameters: Mapping[str, Any], coupling: str) -> NDArray[np.float64]:
    """1/sqrt(Z0) of every signal that a coupling carries into a line."""
    size = math.prod(system.populations[system.couplings[coupling].source].shape)
    population = system.populations[target]
    impedance = population.variables.get("Z0")
    ohm = impedance is not None and impedance.role == "parameter" and dimension(impedance.unit) == dimension("ohm")
    if not ohm or math.prod(population.shape) != size:
        return np.ones(size)
    values = np.broadcast_to(parameters[f"{target}.Z0"], population.shape).ravel()
    return 1.0 / np.sqrt(values) if np.all(values > 0) else np.ones(size)
