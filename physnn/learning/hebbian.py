"""Hebbian learning: what fires together wires together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from physnn.equations import Companion, System, Trace, gradient
from physnn.errors import CapabilityError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Step, forward
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class Hebbian:
    """A weight grows with the product of the activities at its two ends.

        dW_l = eta < x_l x_(l-1)^T >       mean over the batch; over a run, the integral over time

    x_l is what layer l sends on, or what is read from it. Nothing is compared with a target and nothing bounds the
    weights: in a linear layer W grows as exp(eta C t) W_0, C = < x x^T >, until the medium saturates. As a `Rule` it
    hands over -< x_l x_(l-1)^T > where a gradient stands. A digital head behind the readout learns from its own
    gradient.

    Local: both factors. Not local: nothing.

    Source
    ------
    D. O. Hebb, The Organization of Behavior (1949); as a formula, Gerstner and Kistler, Biological Cybernetics 87:404
    (2002), equation (6).
    """

    name: str = "hebbian"
    about: ClassVar[About] = About(
        equation="dW_l = eta < x_l x_(l-1)^T >",
        companion="none",
        needs="nothing but the activities; unsupervised, the target is not used",
        local="the activities at the two ends of a weight",
        not_local="nothing",
        source="D. O. Hebb, The Organization of Behavior (1949)",
    )

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Minus the update of one batch."""
        return unsupervised(substrate, inputs, targets, objective, hebbian_products)


def unsupervised(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, products: Any
) -> Step:
    """Send a batch through and hand over minus the mean of `products(substrate, incident)`; the head learns beside it.

    Raises
    ------
    CapabilityError
        Digital layers before the network were to learn: no wave comes back to them.
    """
    if objective.encoders:
        raise CapabilityError(
            f"the encoders at {sorted(objective.encoders)} learn from a wave that comes back to the input, and this "
            "rule sends none; use the reflected wave, or fixed encoders"
        )
    xp = substrate.xp
    passage = forward(substrate, inputs, objective)
    loss, mismatch = objective.loss(xp, passage.y, targets)
    _, slopes = objective.pull_back(xp, passage.incident, passage.tapes, mismatch)
    batch = passage.y.shape[0]
    update = {key: value * (-1.0 / batch) for key, value in products(substrate, passage.incident).items()}
    count(substrate, batch, passage.incident)
    return Step(update | slopes, loss, passage.y)


def hebbian_products(substrate: Substrate, incident: Trace) -> dict[str, Array]:
    """x_l x_(l-1)^T for every trainable coupling, summed over the batch, integrated over time."""
    system = substrate.placed.system
    posts = {c.name: active(system, incident, c.target) for c in system.couplings.values() if c.trainable}
    return products(substrate.xp, system, incident, posts)


def products(xp: Any, system: System, incident: Trace, waves: Mapping[str, Array]) -> dict[str, Array]:
    """A wave at the far end of a coupling times the signal that came through it, summed over the batch and time.

    Parameters
    ----------
    waves : mapping
        Coupling -> (batch, times, *shape of its target), in the time of the incident trace; or trainable parameter ->
        the wave that acts on it, which is summed alone.

    Returns
    -------
    dict
        Parameter key -> array.
    """
    # `gradient` takes waves in reversed time; these run with the incident one.
    turned = waves if incident.steady else {name: xp.flip(wave, axis=1) for name, wave in waves.items()}
    where = Companion(system, {}, {}, {name: name for name in waves}, {})
    return gradient(xp, system, where, incident, replace(incident, outputs=turned))


def activity(system: System, population: str) -> tuple[str, str]:
    """Where a layer's activity is seen in a trace: ("sent", coupling) or ("outputs", port).

    Raises
    ------
    CapabilityError
        The layer sends nothing on and is not read.
    """
    for coupling in system.leaving(population):
        if coupling.target != population:
            return "sent", coupling.name
    for port, place in system.outputs.items():
        if place.population == population:
            return "outputs", port
    raise CapabilityError(
        f"population {population!r} sends nothing on and is not read: there is no activity to correlate; give it an "
        "output port"
    )


def active(system: System, incident: Trace, population: str) -> Array:
    """A layer's activity in a trace, (batch, times, *shape)."""
    where, name = activity(system, population)
    return getattr(incident, where)[name]


def count(substrate: Substrate, batch: int, incident: Trace) -> None:
    """Correlating is arithmetic of the host: one multiply-accumulate a weight, sample and time."""
    system = substrate.placed.system
    trained = [c for c in system.couplings.values() if c.trainable]
    macs = sum(c.operator.macs(system.populations[c.source].shape) for c in trained)
    times = next(iter(incident.fields.values())).shape[1]
    substrate.meter.host(mac=macs * batch * times, kernel=len(trained))
