"""What a learning rule is: it runs a substrate and one of its companions, and correlates the two traces."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from physnn.equations import Companion, Trace, gradient, input_gradient
from physnn.errors import NumericsError
from physnn.learning.objective import Objective
from physnn.media.heads import Tapes
from physnn.substrate.contract import CompanionSpec, Substrate
from physnn.substrate.converters import as_numpy

Array = Any


@dataclass(frozen=True)
class Step:
    """What a rule found out about one batch."""

    gradient: Mapping[str, Array]
    """parameter key -> the rule's estimate of dL/d parameter, the loss being the mean over the batch; the keys of
    digital layers begin with those of `Objective.digital`"""
    loss: float
    outputs: Array
    """y, shape (batch, classes), or (batch, *positions, classes)"""


class Rule(Protocol):
    """A learning rule. It sees a substrate through its contract alone."""

    @property
    def name(self) -> str:
        """Name by which experiments call it."""
        ...

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Estimate the gradient of the objective for one batch."""
        ...


@dataclass(frozen=True)
class Passage:
    """A batch that has gone through: what entered the network, its trace, the answer, the tapes of digital layers."""

    entering: Mapping[str, Array]
    incident: Trace
    y: Array
    tapes: Mapping[str, Tapes]


def forward(
    substrate: Substrate, inputs: Mapping[str, Array], objective: Objective, record: Collection[str] | None = None
) -> Passage:
    """Send a batch through: encoders, the stationary state or a run of the objective's duration, readout and head.

    With `record`, a run keeps the fields and couplings of these names alone, beside the output that is read.
    """
    xp = substrate.xp
    entering, before = objective.encode(xp, inputs)
    duration = objective.duration
    if duration is None:
        incident = substrate.steady(entering)
    else:
        kept = None if record is None else {*record, objective.readout.port}
        incident = substrate.run(entering, duration, record=kept)
    y, behind = objective.answer(xp, incident)
    passage = Passage(entering, incident, y, before | behind)
    count_digital(substrate, objective, passage, 1)
    return passage


@dataclass(frozen=True)
class Returned:
    """A reflected wave, and the incident one about which it was sent or computed, in arrays of one kind."""

    companion: Companion
    incident: Trace
    echo: Trace
    xp: Any
    """array-API namespace of both traces"""


WayBack = Callable[[Passage, Mapping[str, Array]], Returned]
"""From what was measured, and the cotangents at the output ports."""


def step_about(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, way_back: WayBack
) -> Step:
    """Send a batch in, take what returns by `way_back`, and correlate the two waves where they meet.

    Raises
    ------
    NumericsError
        The loss is not finite.
    """
    xp, system = substrate.xp, substrate.placed.system
    passage = forward(substrate, inputs, objective)
    loss, cotangents, slopes = sent_back(substrate, passage, targets, objective)
    found: dict[str, Array] = {}
    if system.trainable or objective.encoders:
        back = way_back(passage, cotangents)
        slope = gradient(back.xp, system, back.companion, back.incident, back.echo)
        given = {port: passage.entering[port] for port in objective.encoders}
        arrived = input_gradient(system, back.companion, back.incident, back.echo, given)
        found = carried(slope, back.xp, substrate.asarray, xp)
        arrived = carried(arrived, back.xp, substrate.asarray, xp)
        slopes |= objective.pull_back_encoders(xp, passage.tapes, arrived)
        count_correlation(substrate, passage.y.shape[0], passage.incident.outputs[objective.readout.port].shape[1])
    # What a layer sends back, and what its parameters receive, cost as much again as its forward pass, each.
    count_digital(substrate, objective, passage, 2)
    return Step(found | slopes, loss, passage.y)


def judged(xp: Any, y: Array, targets: Array, objective: Objective) -> tuple[float, Array]:
    """The loss and dL/dy.

    Raises
    ------
    NumericsError
        The loss is not finite.
    """
    loss, mismatch = objective.loss(xp, y, targets)
    if not math.isfinite(loss):
        raise NumericsError("the loss is not finite; lower the learning rate or check the data")
    return loss, mismatch


def sent_back(
    substrate: Substrate, passage: Passage, targets: Array, objective: Objective
) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """The loss, the cotangents at the output ports, and the gradient of the head.

    Raises
    ------
    NumericsError
        The loss is not finite.
    """
    loss, mismatch = judged(substrate.xp, passage.y, targets, objective)
    cotangents, slopes = objective.pull_back(substrate.xp, passage.incident, passage.tapes, mismatch)
    return loss, cotangents, slopes


def carried(found: Mapping[str, Array], xp: Any, asarray: Callable[[Any], Array], to: Any) -> dict[str, Array]:
    """Arrays of the namespace `xp` as those that `asarray` makes, of the namespace `to`."""
    return {key: asarray(value if xp is to else as_numpy(value)) for key, value in found.items()}


def reflect(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, transport: str
) -> Step:
    """Send a batch in, its error back through the substrate along `transport`, and correlate where the waves meet."""

    def way_back(passage: Passage, cotangents: Mapping[str, Array]) -> Returned:
        ports, incident = tuple(objective.encoders), passage.incident
        companion = substrate.companion(CompanionSpec(transport, ports), incident)
        echo = companion.steady(cotangents) if objective.duration is None else companion.run(cotangents)
        return Returned(substrate.placed.companion(transport, ports), incident, echo, substrate.xp)

    return step_about(substrate, inputs, targets, objective, way_back)


def count_correlation(substrate: Substrate, batch: int, times: int) -> None:
    """Correlating is arithmetic of the host: one multiply-accumulate a weight, sample and time."""
    system = substrate.placed.system
    trained = [c for c in system.couplings.values() if c.trainable]
    macs = sum(c.operator.macs(system.populations[c.source].shape) for c in trained)
    substrate.meter.host(mac=macs * batch * times, kernel=len(trained))


def count_digital(substrate: Substrate, objective: Objective, passage: Passage, passes: int) -> None:
    """Digital layers are arithmetic of the host."""
    for prefix, head in objective.digital.items():
        macs = head.macs(passage.tapes[prefix])
        substrate.meter.host(mac=passes * macs, kernel=passes * len(head.layers))
