"""Feedback alignment: the error returns along fixed random paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Step, reflect
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class FeedbackAlignment:
    """As the reflected wave, with a fixed random matrix B_l in place of each transpose W_l^T:

        delta_(l-1) = B_l ( sigma'(z_l) * delta_l ),     dW_l proportional to ( sigma'(z_l) * delta_l ) x_(l-1)^T

    B_l is hardware of its own, with mismatch of its own; it is drawn once, normal, standard deviation
    1/sqrt(n_(l-1)). No reciprocity is needed; the update is no gradient, and its alignment is measured.

    Source
    ------
    T. P. Lillicrap, D. Cownden, D. B. Tweed, C. J. Akerman, Nature Communications 7:13276 (2016).
    """

    about: ClassVar[About] = About(
        equation="dW_l ~ (sigma'(z_l) * delta_l) x_(l-1)^T, delta_(l-1) = B_l (sigma'(z_l) * delta_l), B_l fixed",
        companion="the reflected wave through fixed random paths in place of the couplings",
        needs="feedback paths of their own; repeaters with the gain sigma' backwards; both waves read at every weight",
        local="everything: the incident and the returning wave at the two ends of a weight",
        not_local="nothing",
        source="T. P. Lillicrap et al., Nature Communications 7:13276 (2016)",
    )
    name: str = "feedback-alignment"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The update direction of one batch."""
        return reflect(substrate, inputs, targets, objective, "random")
