"""What joins populations, and what joins a System to the world: couplings and ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations import dimensions
from physnn.equations.operators import Operator
from physnn.equations.population import Population
from physnn.errors import EquationError, ParameterError, ShapeError


@dataclass(frozen=True)
class Coupling:
    """`operator` applied to a signal of `source`, delivered to `target` under the name `into`, `delay` later.

    arrival(t) = sum over couplings of K signal(t - delay); nothing arrives before the first signal does.
    """

    name: str
    source: str
    target: str
    signal: str | sp.Expr
    """text or expression in the source's variables and definitions"""
    operator: Operator
    into: str
    """an arrival of the target"""
    delay: float = 0.0
    """[s], at least 0"""
    unit: str = "1"
    """unit of a weight: that of the arrival divided by that of the signal"""
    trainable: bool = True
    weights: str = ""
    """parameter key of the weights; the coupling's own name where empty. Couplings may share."""
    initial: Any = None
    """initial weights, an array of `operator.weight_shape`"""
    plasticity: Population | None = None
    """equations of the weights: a population of shape `weight_shape` with a state `w` and inputs `pre` (the signal as
    it leaves the coupling, that is, after the delay) and `post`; dense and one-to-one operators only"""
    post: str = ""
    """signal of the target that plasticity reads as `post`"""
    local: bool = False
    """its ends are at one place, as within a junction: a profile puts no line of its own between them"""
    constant: bool = False
    """its weights are numbers of the description and no devices: no die changes them, no write rounds them"""

    @property
    def key(self) -> str:
        """Parameter key of the weights."""
        return self.weights or self.name


@dataclass(frozen=True)
class Input:
    """A named way in: it drives an input, sets a state's initial condition, or sets a parameter per sample."""

    population: str
    variable: str


@dataclass(frozen=True)
class Output:
    """A named way out: an expression in one population's variables."""

    population: str
    expression: str | sp.Expr


def check_weights(coupling: Coupling, weights: Any) -> bool:
    """Whether weights are complex; they have the operator's shape and finite values.

    Raises
    ------
    ShapeError, ParameterError
    """
    where, values = f"coupling {coupling.name!r}", np.asarray(weights)
    if values.shape != coupling.operator.weight_shape:
        raise ShapeError(
            f"{where}: weights have shape {values.shape}, the operator needs {coupling.operator.weight_shape}"
        )
    if values.dtype.kind not in "biufc" or not np.all(np.isfinite(values)):
        raise ParameterError(f"{where}: weights hold something that is not a finite number")
    return values.dtype.kind == "c"


def weight_dimension(coupling: Coupling, where: str) -> Any:
    """The dimension of a coupling's weights."""
    try:
        return dimensions.dimension(coupling.unit)
    except EquationError as error:
        raise EquationError(f"{where}: {error}") from None
