"""The reflected-wave rule: backpropagation as a wave."""

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
class ReflectedWave:
    """The error returns through the couplings; each weight sees the product of the two waves that meet there.

        delta_L     = dL/dx_L                                        at the output boundary
        delta_(l-1) = W_l^T ( sigma'(z_l) * delta_l )                reciprocity
        dL/dW_l     = ( sigma'(z_l) * delta_l ) x_(l-1)^T            incident times reflected

    Local: each weight needs the wave that enters its coupling from either end. Not local: nothing, where the medium is
    reciprocal and its repeaters have the small-signal gain sigma' backwards.

    Source
    ------
    "Deriving backpropagation from wave equations" (2026), equations (4) to (7); its (7) lacks the factor sigma'(z_l),
    which its own definition of delta requires.
    """

    about: ClassVar[About] = About(
        equation="dL/dW_l = (sigma'(z_l) * delta_l) x_(l-1)^T, delta_(l-1) = W_l^T (sigma'(z_l) * delta_l)",
        companion="the reflected wave: linearised about the incident one, couplings transposed, time reversed",
        needs="reciprocal couplings; repeaters with the gain sigma' backwards; both waves read at every weight",
        local="everything: the incident and the reflected wave at the two ends of a weight",
        not_local="nothing",
        source='"Deriving backpropagation from wave equations" (2026), equations (4) to (7)',
    )
    name: str = "reflected-wave"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The gradient of one batch."""
        return reflect(substrate, inputs, targets, objective, "transpose")
