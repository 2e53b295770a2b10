"""What a learning rule is: it runs a substrate and one of its companions, and correlates the two traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from physnn.equations import gradient
from physnn.errors import NumericsError
from physnn.media import CrossEntropy, Readout, SquaredError
from physnn.substrate.contract import CompanionSpec, Substrate

Array = Any


@dataclass(frozen=True)
class Objective:
    """What is read from the network and what it is held against."""

    readout: Readout
    loss: SquaredError | CrossEntropy
    classes: int
    duration: float | None = None
    """how long a sample is shown [s, model time]; None for the stationary state"""


@dataclass(frozen=True)
class Step:
    """What a rule found out about one batch."""

    gradient: Mapping[str, Array]
    """parameter key -> the rule's estimate of dL/d parameter, the loss being the mean over the batch"""
    loss: float
    outputs: Array
    """y, shape (batch, classes)"""


class Rule(Protocol):
    """A learning rule. It sees a substrate through its contract alone."""

    @property
    def name(self) -> str:
        """Name by which experiments call it."""
        ...

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Estimate the gradient of the objective for one batch."""
        ...


def forward(substrate: Substrate, inputs: Mapping[str, Array], objective: Objective) -> Any:
    """The incident trace of a batch: the stationary state, or a run of the objective's duration."""
    return substrate.steady(inputs) if objective.duration is None else substrate.run(inputs, objective.duration)


def reflect(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, transport: str
) -> Step:
    """Send a batch in, its error back along `transport`, and correlate where the two waves meet."""
    xp = substrate.xp
    incident = forward(substrate, inputs, objective)
    y = objective.readout.read(xp, incident)
    loss, mismatch = objective.loss(xp, y, targets)
    if loss != loss or loss in (float("inf"), -float("inf")):
        raise NumericsError("the loss is not finite; lower the learning rate or check the data")
    companion = substrate.companion(CompanionSpec(transport), incident)
    cotangents = objective.readout.pull_back(xp, incident, mismatch)
    echo = companion.steady(cotangents) if objective.duration is None else companion.run(cotangents)
    system = substrate.placed.system
    found = gradient(xp, system, substrate.placed.companion(transport), incident, echo)
    _count(substrate, y.shape[0], 1 if incident.steady else round(objective.duration / incident.step) + 1)
    return Step(found, loss, y)


def _count(substrate: Substrate, batch: int, times: int) -> None:
    """Correlating is arithmetic of the host: one multiply-accumulate a weight, sample and time."""
    system = substrate.placed.system
    trained = [c for c in system.couplings.values() if c.trainable]
    macs = sum(c.operator.macs(system.populations[c.source].shape) for c in trained)
    substrate.meter.host(mac=macs * batch * times, kernel=len(trained))
