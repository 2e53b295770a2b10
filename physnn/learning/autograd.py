"""Automatic differentiation: the reference that every other rule is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from physnn.equations import Trace
from physnn.errors import CapabilityError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Step, count_digital, sent_back
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class Autograd:
    """The derivative of the simulator's own arithmetic, step by step:

        dL/d theta = sum over operations of ( d operation / d theta )^T  cotangent,     in reverse order

    It needs no companion and no equations, only a record of every operation: a simulation has one, a device has none.
    Local: nothing; it is no physical process.

    Source
    ------
    S. Linnainmaa, BIT 16:146 (1976); A. Paszke et al., NeurIPS 2019 (PyTorch).
    """

    about: ClassVar[About] = About(
        equation="dL/d theta = sum over operations of (d operation/d theta)^T cotangent, in reverse order",
        companion="none",
        needs="a simulator that records its operations (backend torch); no events",
        local="nothing",
        not_local="everything: it is a computation about the medium, no process in it",
        source="S. Linnainmaa, BIT 16:146 (1976); A. Paszke et al., NeurIPS 2019 (PyTorch)",
    )
    name: str = "autograd"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The gradient of one batch.

        Raises
        ------
        CapabilityError
            The substrate keeps no record of its operations.
        """
        differentiate = getattr(substrate, "differentiate", None)
        if differentiate is None:
            raise CapabilityError(
                f"profile {substrate.placed.profile.name!r}: a medium keeps no record of its operations, so nothing "
                "can be differentiated automatically; reflected-wave measures the same gradient, physics-aware has it "
                "from a twin"
            )
        xp = substrate.xp
        entering, tapes = objective.encode(xp, inputs)
        judged: list[tuple[Passage, float, dict[str, Array]]] = []

        def judge(incident: Trace) -> Mapping[str, Array]:
            y, behind = objective.answer(xp, incident)
            passage = Passage(entering, incident, y, tapes | behind)
            loss, cotangents, slopes = sent_back(substrate, passage, targets, objective)
            judged.append((passage, loss, slopes))
            return cotangents

        by_parameter, by_input = differentiate(entering, objective.duration, judge)
        ((passage, loss, slopes),) = judged
        slopes |= objective.pull_back_encoders(xp, passage.tapes, by_input)
        count_digital(substrate, objective, passage, 3)
        return Step(by_parameter | slopes, loss, passage.y)
