"""Kolen-Pollack: feedback paths of their own that learn what the forward weights learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from physnn.equations import Companion, Coupling, Dense
from physnn.errors import CapabilityError, ParameterError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Returned, Step, step_about
from physnn.learning.way_back import returned_on_host
from physnn.substrate.contract import Substrate

Array = Any
PATHS = "paths"


@dataclass
class Paths:
    """The feedback weights that return the error of one substrate."""

    parameters: dict[str, Array]
    """'COUPLING.feedback' -> (elements fed, elements they are fed from)"""

    def write(self, values: Mapping[str, Array]) -> None:
        """New values of some paths."""
        self.parameters = {**self.parameters, **values}


@dataclass(frozen=True)
class KolenPollack:
    """As feedback alignment, but the feedback matrix B_l receives the transposed update of W_l, and both decay alike:

        delta_(l-1) = B_l ( sigma'(z_l) * delta_l ),     G_l = ( sigma'(z_l) * delta_l ) x_(l-1)^T
        W_l <- W_l - rate ( G_l + decay W_l ),           B_l <- B_l - rate ( G_l^T + decay B_l )

    W_l - B_l^T shrinks by the factor 1 - rate decay in every step of gradient descent, whatever G is, so that the
    error soon returns as through W_l^T and no weight was ever carried from one path to the other. The trainer's
    optimiser moves both; one that scales each weight by its own history (Adam) makes the two updates alike, not equal.

    The host holds B_l, computes the way back, and sigma'(z_l) from the measured z_l and the described sigma.
    Local: both updates need the two waves that meet at the weight, and the weight. Not local: nothing.

    Source
    ------
    J. F. Kolen, J. B. Pollack, IEEE ICNN (1994) 1375; M. Akrout et al., NeurIPS 2019.
    """

    decay: float = 1e-3
    """of the forward weights that have a feedback path, and of the paths: per unit of the learning rate"""
    gradient_label: ClassVar[str] = "twin-assisted"
    about: ClassVar[About] = About(
        equation="delta_(l-1) = B_l (sigma'(z_l) * delta_l); dW = -rate (G + decay W), dB = -rate (G^T + decay B)",
        companion="the reflected wave through feedback paths that learn; computed by the host",
        needs="reading every hidden wave; dense couplings between layers",
        local="both updates: the two waves that meet at a weight, and the weight itself",
        not_local="nothing",
        source="J. F. Kolen, J. B. Pollack, IEEE ICNN (1994) 1375; M. Akrout et al., NeurIPS 2019",
    )
    name: str = "kolen-pollack"
    _paths: WeakKeyDictionary[Substrate, Paths] = field(default_factory=WeakKeyDictionary, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.decay) and self.decay >= 0):
            raise ParameterError(f"decay {self.decay} must be finite and at least 0")

    def digital(self, substrate: Substrate, objective: Objective) -> dict[str, Paths]:
        """The feedback weights, which the trainer moves and keeps beside the substrate's own.

        Raises
        ------
        CapabilityError
            A trained coupling through which the error returns is not dense, or complex.
        """
        placed, paths = substrate.placed, self._paths.setdefault(substrate, Paths({}))
        companion = placed.companion("random", tuple(objective.encoders))
        drawn = {key: value for key, value in placed.feedback(companion).items() if key not in paths.parameters}
        if drawn:
            for name in companion.system.couplings:
                _check(placed.system.couplings[name])
            paths.write({key: substrate.asarray(value) for key, value in drawn.items()})
        return {PATHS: paths}

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The update directions of one batch: of the network, and of the feedback paths.

        Raises
        ------
        CapabilityError
            A trained coupling through which the error returns is not dense, or complex.
        """
        paths, placed = self.digital(substrate, objective)[PATHS], substrate.placed
        companion = placed.companion("random", tuple(objective.encoders), discrete=objective.duration is not None)

        def way_back(passage: Passage, cotangents: Mapping[str, Array]) -> Returned:
            parameters = substrate.read() | paths.parameters
            return returned_on_host(substrate, passage, cotangents, companion, parameters)

        step = step_about(substrate, inputs, targets, objective, way_back)
        return replace(step, gradient={**step.gradient, **self._learnt(substrate, companion, paths, step)})

    def _learnt(self, substrate: Substrate, companion: Companion, paths: Paths, step: Step) -> dict[str, Array]:
        """The decaying gradients of the forward weights that have a path, and of the paths."""
        written, found = substrate.read(), {}
        for name, echo in companion.system.couplings.items():
            coupling = substrate.placed.system.couplings[name]
            if coupling.trainable:
                slope = step.gradient[coupling.key]
                found[coupling.key] = slope + self.decay * written[coupling.key]
                found[f"{PATHS}.{echo.key}"] = slope.T + self.decay * paths.parameters[echo.key]
        return found


def _check(coupling: Coupling) -> None:
    """Whether the updates of a coupling's weights can go to a feedback path."""
    if not coupling.trainable:
        return
    if np.iscomplexobj(coupling.initial):
        raise CapabilityError(
            f"coupling {coupling.name!r} has complex weights and feedback paths are real; use reflected-wave"
        )
    if not isinstance(coupling.operator, Dense):
        raise CapabilityError(
            f"coupling {coupling.name!r} is {type(coupling.operator).__name__.lower()}: its weights have no single "
            "counterparts in a feedback path, to which their updates could go; use feedback-alignment"
        )
