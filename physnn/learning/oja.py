"""Oja's rule in its subspace form: Hebbian growth, and the layer's own echo that bounds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from physnn.equations import Trace
from physnn.learning.about import About
from physnn.learning.hebbian import active, count, hebbian_products, unsupervised
from physnn.learning.objective import Objective
from physnn.learning.rule import Step
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class Oja:
    """A weight grows with the activity behind it times what the layer does not yet explain of what enters.

        dW_l = eta < y (x - W_l^T y)^T >          y = x_l, x = x_(l-1): columns; for rows, y (x - y W)

    W^T y is the layer's own wave sent back through the couplings that it came by. With linear layers the rows of W go
    to an orthonormal basis of the principal subspace of < x x^T >. Every coupling stands for itself; the target is not
    used. As a `Rule` it hands over minus the update; in runs means over time are integrals. A digital head behind the
    readout learns from its own gradient.

    Local: x - W^T y at the near end, if the coupling is reciprocal; y at the far end. Not local: where nothing comes
    back, W^T y has to be computed, as it is here, from the weights that were written.

    Source
    ------
    E. Oja, Journal of Mathematical Biology 15:267 (1982), one unit; International Journal of Neural Systems 1:61
    (1989), the subspace form.
    """

    name: str = "oja"
    about: ClassVar[About] = About(
        equation="dW_l = eta < y (x - W_l^T y)^T >",
        companion="none; the layer's own wave returns through its couplings",
        needs="activities and written weights; unsupervised, the target is not used",
        local="both ends of a weight, where the coupling is reciprocal",
        not_local="W^T y in a medium that sends nothing back: computed from the written weights",
        source="E. Oja, International Journal of Neural Systems 1:61 (1989)",
    )

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """Minus the update of one batch."""
        return unsupervised(substrate, inputs, targets, objective, oja_products)


def oja_products(substrate: Substrate, incident: Trace) -> dict[str, Array]:
    """y (x - W^T y)^T for every trainable coupling, summed over the batch, integrated over time."""
    xp, system, weights = substrate.xp, substrate.placed.system, substrate.read()
    found = hebbian_products(substrate, incident)
    # The echo and its product cost a multiply-accumulate a weight each.
    for _ in range(2):
        count(substrate, next(iter(incident.fields.values())).shape[0], incident)
    scale = 1.0 if incident.steady else incident.step
    for coupling in system.couplings.values():
        if coupling.trainable:
            wave = active(system, incident, coupling.target)
            y = xp.reshape(wave, (wave.shape[0] * wave.shape[1], *wave.shape[2:]))
            # For complex weights the echo is K^H y, and its conjugate is what `outer` takes.
            echo = coupling.operator.transpose(xp, weights[coupling.key], xp.conj(y))
            echo = xp.reshape(echo, (y.shape[0], *system.populations[coupling.source].shape))
            found[coupling.key] = found[coupling.key] - scale * coupling.operator.outer(xp, y, echo)
    return found
