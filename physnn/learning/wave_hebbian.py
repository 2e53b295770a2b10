"""Wave-Hebbian learning: a synapse meets the sum of two waves, and what looks Hebbian holds the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from physnn.errors import CapabilityError
from physnn.learning.about import About
from physnn.learning.concurrent import SUPERPOSED, measured, together
from physnn.learning.hebbian import active, count, products
from physnn.learning.objective import Objective
from physnn.learning.rule import Step, forward, judged
from physnn.substrate.contract import CompanionSpec, Substrate

Array = Any


@dataclass(frozen=True)
class WaveHebbian:
    """A weight grows with what enters it times the whole amplitude at its far end, both waves superposed.

        dW_l = eta < ( x_l + r_l ) x_(l-1)^T >,      r_l = -sigma'(z_l) * delta_l,    delta_L = x_L - y*
             = eta < x_l x_(l-1)^T >                 Hebbian term: what is measured where no target is shown
             + eta < r_l x_(l-1)^T >                 gradient term: the rest, the reflected-wave update

    Amplitudes are those of single samples (delta is not divided by the batch); means are over the batch, in runs
    integrals over time. The update comes from the sum alone: a probe cannot tell the waves apart. With `apart` a
    second passage without the target measures the Hebbian term, which is subtracted. In a medium that carries both
    waves at once (`physnn.learning.concurrent.coexisting`) the sum is read there; elsewhere the two waves pass one
    after the other and their fields are added.

    Local: what enters a weight, the sum at its far end. Not local: with `apart`, the sum of another passage, to be kept
    until then. As it stands, the Hebbian term does not vanish where the task is solved, and nothing bounds it.

    Source
    ------
    "Neural networks are wave propagation systems" (2026), parts III and IV; r_l stands for its reflected amplitude,
    with the sign that lowers the loss.
    """

    name: str = "wave-hebbian"
    apart: bool = False
    """subtract the Hebbian term, measured in a second passage without the target"""
    about: ClassVar[About] = About(
        equation="dW_l = eta < (x_l + r_l) x_(l-1)^T >, r_l = -sigma'(z_l) * delta_l",
        companion="reflected wave, superposed on the incident one",
        needs="what the reflected wave needs; digital encoders are refused",
        local="what enters a weight and the summed amplitude at its far end",
        not_local="with `apart`: the sum without the target, kept from another passage",
        source='"Neural networks are wave propagation systems" (2026), parts III and IV',
    )

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Minus the update of one batch."""
        found = passage(substrate, inputs, targets, objective, shown=True)
        if not self.apart:
            return found
        plain = passage(substrate, inputs, targets, objective, shown=False).gradient
        return Step(
            {key: value - plain[key] if key in plain else value for key, value in found.gradient.items()},
            found.loss,
            found.outputs,
        )


def passage(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, *, shown: bool
) -> Step:
    """Minus what is measured at every coupling, < (x_l + r_l) x_(l-1)^T >, with the target shown or without (r = 0).

    Raises
    ------
    CapabilityError
        The objective has digital encoders.
    """
    if objective.encoders:
        raise CapabilityError(
            f"the encoders at {sorted(objective.encoders)} are no synapses that could meet two waves; use the "
            "reflected wave, or fixed encoders"
        )
    if any(port.endswith(SUPERPOSED) for port in substrate.placed.system.outputs):
        return _in_one_medium(substrate, inputs, targets, objective, shown)
    return _one_after_the_other(substrate, inputs, targets, objective, shown)


def _in_one_medium(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, shown: bool
) -> Step:
    """Both waves are there at the same time; their sum is a port."""
    xp, system = substrate.xp, substrate.placed.system
    trace = together(substrate, inputs, targets, objective, shown=shown)
    y = objective.readout.read(xp, trace)
    loss, _ = objective.loss(xp, y, targets)
    count(substrate, y.shape[0], trace)
    share = -1.0 / y.shape[0]
    return Step({key: value * share for key, value in measured(xp, system, trace, SUPERPOSED).items()}, loss, y)


def _one_after_the_other(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, shown: bool
) -> Step:
    """The incident wave passes, then the reflected one; the probe adds them up."""
    xp, system = substrate.xp, substrate.placed.system
    went = forward(substrate, inputs, objective)
    incident, batch = went.incident, went.y.shape[0]
    loss, mismatch = judged(xp, went.y, targets, objective)
    cotangents, slopes = objective.pull_back(xp, incident, went.tapes, mismatch)
    trained = [c for c in system.couplings.values() if c.trainable]
    sums = {c.name: active(system, incident, c.target) for c in trained}
    if shown:
        companion = substrate.companion(CompanionSpec(), incident)
        amplitudes = {port: batch * value for port, value in cotangents.items()}
        echo = companion.steady(amplitudes) if objective.duration is None else companion.run(amplitudes)
        ports = substrate.placed.companion("transpose").reflected
        for name, wave in sums.items():
            back = echo.outputs[ports[name]]
            if not incident.steady:
                back = xp.flip(back[:, : wave.shape[1], ...], axis=1)
            sums[name] = wave - back
    count(substrate, batch, incident)
    found = {key: value * (-1.0 / batch) for key, value in products(xp, system, incident, sums).items()}
    return Step(found | slopes if shown else found, loss, went.y)
