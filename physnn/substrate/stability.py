"""Whether a medium comes to rest by itself: the growth of populations, and of loops with delays, that are linear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.analysis import DelayedLoops
from physnn.equations import Population, System
from physnn.equations.generate import function
from physnn.errors import ParameterError

_ROUNDING = 1e-9
"""growth rates this small beside the fastest rate of their element are rounding errors of an undamped oscillation"""


class Stability:
    """The linear populations of a System, ready to be judged for given parameters.

    A population  dx/dt = A x + b(arrivals),  A of parameters alone, grows without bound whatever arrives if an
    eigenvalue of A has a positive real part. A real part of zero is allowed where all elements have it (integrators,
    lossless oscillators); a few undamped elements among damped ones are a mistake.

    Not judged, because their own equations do not decide: populations that are not linear in their states, that have
    events or projections (which bound the states), or that couplings lead back to (a loop may hold what grows alone).
    """

    def __init__(self, system: System) -> None:
        self.growth = {
            name: _growth(population)
            for name, population in system.populations.items()
            if _is_linear(population) and not _on_a_loop(system, name)
        }
        self.populations = system.populations
        self.loops = DelayedLoops(system)
        """judged by the map of one step"""

    def check(self, parameters: Mapping[str, NDArray]) -> None:
        """Judge the populations for these parameters.

        Raises
        ------
        ParameterError
            The damping of a population makes it unstable.
        """
        for name, growth in self.growth.items():
            population = self.populations[name]
            rates = growth({p: parameters[f"{name}.{p}"] for p in population.role("parameter")})
            where = f"population {name!r}: d{'/dt, d'.join(population.flows)}/dt"
            cure = "choose a damping above 0"
            if np.any(rates > 0):
                raise ParameterError(
                    f"{where}: the damping makes the medium unstable, its waves grow as exp(t {np.max(rates):.3g}/s) "
                    f"whatever arrives; {cure}"
                )
            if np.any(rates == 0) and np.any(rates < 0):
                raise ParameterError(
                    f"{where}: no damping at {np.sum(rates == 0)} of {rates.size} elements makes the medium unstable, "
                    f"what arrives there adds up without bound; {cure}"
                )


def _is_linear(population: Population) -> bool:
    """Whether the flows are affine in the states, with coefficients of parameters alone."""
    if not population.flows or population.maps or population.constraints or population.events or population.projections:
        return False
    if any(flow.has(sp.conjugate, sp.re, sp.im) for flow in population.flows.values()):
        return False
    constant = {population.symbols[name] for name in population.role("parameter")}
    return all(slope.free_symbols <= constant for row in _jacobian(population) for slope in row)


def _jacobian(population: Population) -> list[list[sp.Expr]]:
    symbols = [population.symbols[name] for name in population.flows]
    return [[flow.diff(symbol) for symbol in symbols] for flow in population.flows.values()]


def _growth(population: Population) -> Callable[[Mapping[str, Any]], NDArray[np.float64]]:
    """Parameters -> largest growth rate of each element [1/s], shape of the population."""
    slopes = [slope for row in _jacobian(population) for slope in row]
    used = sorted({str(s) for slope in slopes for s in slope.free_symbols})
    compiled = function(tuple(population.symbols[name] for name in used), tuple(slopes))
    size = len(population.flows)

    def rates(parameters: Mapping[str, Any]) -> NDArray[np.float64]:
        values = [np.broadcast_to(v, population.shape) for v in compiled(np, *[parameters[name] for name in used])]
        matrices = np.stack(values, axis=-1).reshape(*population.shape, size, size)
        found = np.linalg.eigvals(matrices) if size > 1 else matrices[..., 0]
        largest = np.max(np.real(found), axis=-1)
        return np.where(np.abs(largest) <= _ROUNDING * np.max(np.abs(found), axis=-1), 0.0, largest)

    return rates


def _on_a_loop(system: System, name: str) -> bool:
    """Whether couplings lead from a population back to it."""
    reached: set[str] = set()
    edge = {name}
    while edge:
        edge = {c.target for c in system.couplings.values() if c.source in edge} - reached
        reached |= edge
    return name in reached
