"""What a learning rule is: it runs a substrate and one of its companions, and correlates the two traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from physnn.equations import Trace, gradient, input_gradient
from physnn.errors import NumericsError
from physnn.learning.objective import Objective
from physnn.media.heads import Tapes
from physnn.substrate.contract import CompanionSpec, Substrate

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


def forward(substrate: Substrate, inputs: Mapping[str, Array], objective: Objective) -> Passage:
    """Send a batch through: encoders, the stationary state or a run of the objective's duration, readout and head."""
    xp = substrate.xp
    entering, before = objective.encode(xp, inputs)
    duration = objective.duration
    incident = substrate.steady(entering) if duration is None else substrate.run(entering, duration)
    y, behind = objective.answer(xp, incident)
    passage = Passage(entering, incident, y, before | behind)
    count_digital(substrate, objective, passage, 1)
    return passage


def reflect(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, transport: str
) -> Step:
    """Send a batch in, its error back along `transport`, and correlate where the two waves meet."""
    xp = substrate.xp
    passage = forward(substrate, inputs, objective)
    incident, y = passage.incident, passage.y
    loss, mismatch = objective.loss(xp, y, targets)
    if loss != loss or loss in (float("inf"), -float("inf")):
        raise NumericsError("the loss is not finite; lower the learning rate or check the data")
    cotangents, slopes = objective.pull_back(xp, incident, passage.tapes, mismatch)
    system, ports = substrate.placed.system, tuple(objective.encoders)
    found: dict[str, Array] = {}
    if system.trainable or ports:
        companion = substrate.companion(CompanionSpec(transport, ports), incident)
        echo = companion.steady(cotangents) if objective.duration is None else companion.run(cotangents)
        where = substrate.placed.companion(transport, ports)
        found = gradient(xp, system, where, incident, echo)
        arrived = input_gradient(system, where, incident, echo, {port: passage.entering[port] for port in ports})
        slopes |= objective.pull_back_encoders(xp, passage.tapes, arrived)
        count_correlation(substrate, y.shape[0], incident.outputs[objective.readout.port].shape[1])
    # What a layer sends back, and what its parameters receive, cost as much again as its forward pass, each.
    count_digital(substrate, objective, passage, 2)
    return Step(found | slopes, loss, y)


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
