"""Physics-aware training: the physical system answers, its digital twin says in which direction to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from physnn.errors import CapabilityError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Returned, Step, carried, step_about
from physnn.learning.way_back import measured, read_out
from physnn.substrate.contract import CompanionSpec, Substrate

Array = Any
_ARITHMETIC = ("mac", "elementwise", "kernel", "memory_byte")


@dataclass(frozen=True)
class PhysicsAware:
    """The error is measured on the substrate; it returns through the twin, linearised about the measured waves.

        y = f(x; W)                                                   on the substrate
        delta_(l-1) = W_l^T ( sigma'(z_l) * delta_l )                 on the twin, with the measured z_l
        dL/dW_l     = ( sigma'(z_l) * delta_l ) x_(l-1)^T             with the measured x_(l-1)

    The twin is the System as it was described, with the profile's ranges and bits, without its die and noise.
    Local: nothing; the gradient is a computer's. Without mismatch and noise it is the true one.

    Source
    ------
    L. G. Wright et al., Nature 601:549 (2022).
    """

    twin: Substrate | None = None
    """a second substrate with the same System; the trainer hands it over"""
    name: str = "physics-aware"
    gradient_label: ClassVar[str] = "twin-assisted"
    measures_waves: ClassVar[bool] = True
    about: ClassVar[About] = About(
        equation="dL/dW_l = (sigma'(z_l) * delta_l) x_(l-1)^T with measured z, x; delta by the twin's W^T",
        companion="the reflected wave of the digital twin, about the waves measured on the substrate",
        needs="reading every hidden wave; a digital twin of the substrate (backend torch)",
        local="nothing",
        not_local="the whole way back: a computer holds a copy of all weights and states",
        source="L. G. Wright et al., Nature 601:549 (2022)",
    )

    def with_twin(self, twin: Substrate) -> Self:
        """The rule with a digital twin of the substrate that it is to train."""
        return replace(self, twin=twin)

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The twin's gradient of one batch.

        Raises
        ------
        CapabilityError
            The rule has no twin.
        """
        twin = self.twin
        if twin is None:
            raise CapabilityError(
                f"{self.name} computes its gradient on a digital twin and has none; "
                "hand it over by physnn.learning.equipped(rule, substrate), as the trainer does"
            )

        def way_back(passage: Passage, cotangents: Mapping[str, Array]) -> Returned:
            return self._returned(substrate, twin, passage, cotangents, objective)

        return step_about(substrate, inputs, targets, objective, way_back)

    def _returned(
        self,
        substrate: Substrate,
        twin: Substrate,
        passage: Passage,
        cotangents: Mapping[str, Array],
        objective: Objective,
    ) -> Returned:
        """The reflected wave of the twin, with the weights that the substrate was given."""
        timed, before = objective.duration is not None, dict(twin.meter.counts)

        def carry(found: Mapping[str, Array]) -> dict[str, Array]:
            return carried(found, substrate.xp, twin.asarray, twin.xp)

        written = substrate.read()
        twin.write(carry({key: written[key] for key in substrate.placed.system.trainable}))
        spec = CompanionSpec("transpose", tuple(objective.encoders))
        companion = twin.placed.companion(spec.transport, spec.inputs, discrete=timed)
        if self.measures_waves:
            incident = measured(passage.incident, substrate.xp, twin.asarray, twin.xp)
            read_out(substrate, companion, passage.incident)
        else:
            entering = carry(passage.entering)
            incident = twin.steady(entering) if objective.duration is None else twin.run(entering, objective.duration)
        way, errors = twin.companion(spec, incident), carry(cotangents)
        echo = way.run(errors) if timed else way.steady(errors)
        spent = twin.meter.since(before)
        substrate.meter.host(**{kind: spent.get(kind, 0.0) for kind in _ARITHMETIC})
        return Returned(companion, incident, echo, twin.xp)


@dataclass(frozen=True)
class TwinGradient(PhysicsAware):
    """As physics-aware training, with the twin's own waves in place of the measured ones:

        dL/dW_l = ( sigma'(z_l) * delta_l ) x_(l-1)^T,   delta_L = dL/dx_L measured, all else the twin's own run

    Only the output is read from the substrate, so it shows what measuring the hidden waves is worth: the twin's errors
    add up from layer to layer.
    """

    name: str = "twin-gradient"
    measures_waves: ClassVar[bool] = False
    about: ClassVar[About] = About(
        equation="dL/dW_l = (sigma'(z_l) * delta_l) x_(l-1)^T with the twin's z, x, W^T; dL/dx_L measured",
        companion="the reflected wave of the digital twin, about the twin's own run",
        needs="reading the output; a digital twin of the substrate (backend torch)",
        local="nothing",
        not_local="everything but the error at the output",
        source="the comparison within L. G. Wright et al., Nature 601:549 (2022)",
    )
