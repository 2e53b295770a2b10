"""Backward signal propagation: the error goes through the same cells with every influence turned round.

The companion is no linearised System but a medium of the same kind: each ring reversed (`physnn.media.ring`), each
coupling run from its other end, and the error a constant push where the answer leaves. It is built as a second System
with the same parameters, on the same profile and die, and run for as long as the forward wave.

With equal strengths its Jacobian at rest is the transpose of the forward one, so that for small signals it carries the
gradient, each layer up to a positive factor. What it lacks is the slope at the operating point: at larger amplitudes
some elements lie on their floor and pass nothing on, which the backward cells, close to rest, do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from physnn.errors import ParameterError, UnknownNameError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.reversal import Reversal, entry_of, reversal_of
from physnn.learning.rule import Step
from physnn.substrate.contract import Substrate

Array = Any
FORMS = ("adjoint", "published")
_SOURCE = "Jiang, Feng, Algorithms 18, 594 (2025)"
_NEEDS = "rings of elements (media.Ring) between a source and the readout, run in time; equal strengths to be exact"


@dataclass(frozen=True)
class SignalPropagation:
    """Couplings between rings learn from the two signals that meet there (method 2).

        G1 = mean D_i dt * mean Dh_(i+1) dt,     C <- C + rate atan(kt G1)/kt

    D_i is the deviation that enters the coupling C_i forwards, Dh_(i+1) the one that enters it backwards: of the
    reversed ring behind it, into which C_(i+2)^T, ..., and at the last layer the error  target - y  were sent. Dh is
    taken against a sample without error in the same batch; with unequal strengths rest itself moves, and equation (15)
    is no reference. Means in place of integrals make the estimate dL/dC itself where the run is long.

    Gated, the backward signal is multiplied by the share of the forward run in which the element that it reaches, and
    the one that it leaves, was above its floor. This is beyond the paper, local, and most of the slope that it lacks;
    the read-out layer is not gated.

    Local: each coupling needs the mean of the signal that enters it from either end, each gate its own element. Not
    local: the same couplings are used both ways (C and C^T).

    Parameters
    ----------
    gated : bool
    limit : float
        kt of equation (18), which limits single updates to pi/(2 kt); none where 0.

    Raises
    ------
    ParameterError
        The limit is negative or not finite.

    Source
    ------
    Jiang, Feng, Algorithms 18, 594 (2025), equations (12) to (18) and (20) to (23). Ports, run length and references
    are not stated there.
    """

    gated: bool = False
    limit: float = 0.0
    _reversals: WeakKeyDictionary[Substrate, Reversal] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    about = About(
        equation="dC = mean(D_i) mean(Dh_(i+1)): incident times backward deviation; gated: Dh times the share of time "
        "above the floor",
        companion="the reversed rings, nonlinear, couplings transposed, error pushed in where the answer leaves",
        needs=_NEEDS,
        local="the time means of the two signals at a coupling; a gate is its own element's",
        not_local="forward and backward couplings are the same (C and C^T)",
        source=f"{_SOURCE}, equations (12) to (18), (20) to (23); the gate is new",
    )

    def __post_init__(self) -> None:
        if not (np.isfinite(self.limit) and self.limit >= 0):
            raise ParameterError(f"limit kt {self.limit!r} must be finite and at least 0; 0 limits nothing")

    @property
    def name(self) -> str:
        """Name by which experiments call it."""
        return "gated-signal-propagation" if self.gated else "signal-propagation"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The update direction of one batch, for the couplings."""
        reversal = reversal_of(self._reversals, substrate, objective, gated=self.gated)
        learnt = [c for c in reversal.couplings if c.trainable]
        returned = {f"{c.target}.{entry_of(c)}" for c in learnt}
        echo = reversal.send(substrate, inputs, targets, objective, {c.name for c in learnt}, returned)
        xp, found = substrate.xp, dict(echo.slopes)
        for coupling in learnt:
            sent = xp.mean(echo.passage.incident.sent[coupling.name], axis=1)
            slope = -coupling.operator.outer(xp, echo.arrived(coupling), sent) / sent.shape[0]
            substrate.meter.host(mac=coupling.operator.macs(sent.shape[1:]) * sent.shape[0], kernel=1)
            found[coupling.key] = found[coupling.key] + slope if coupling.key in found else slope
        if self.limit:
            found = {key: _limited(xp, slope, self.limit) for key, slope in found.items()}
        return Step(found, echo.loss, echo.passage.y)


@dataclass(frozen=True)
class StrengthPropagation:
    """The strengths inside the rings learn, the couplings stay (method 1).

        published   d log k3_e = -mean D_e mean Dh_e
        adjoint     d log k3_e = -k3_e mean(E_e E_(e-2)) mean Dh_e,   d log k1_e = k1_e mean(E_(e-1)) mean Dh_e,
                    d log k2_e = -k2_e mean(E_e) mean Dh_e

    The published product is one term of the adjoint form, expanded about rest: E_e E_(e-2) = B^2 + B (D_e + D_(e-2)) +
    D_e D_(e-2); and no gradient, its cosine with it changes sign between networks. With the printed sign, K3 <- K3
    exp(+G2), the loss grows: more k3 answers less. D is held against the rest state as built, also when strengths have
    moved it; subtracting the moved one would remove the bias that carries the learning.

    Local: each strength needs the two elements that it joins, and the backward deviation at one of them. Not local:
    the same strengths act in both rings, and couplings are used both ways.

    Parameters
    ----------
    form : str
        "adjoint", for every strength that is trainable, or "published", for k3.

    Raises
    ------
    UnknownNameError
        There is no such form.

    Source
    ------
    Jiang, Feng, Algorithms 18, 594 (2025), equations (14) to (19); the adjoint form follows from equation (8).
    """

    form: str = "adjoint"
    _reversals: WeakKeyDictionary[Substrate, Reversal] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    about = About(
        equation="adjoint: d log k3_e = -k3_e mean(E_e E_(e-2)) mean(Dh_e), k1 and k2 alike; published: "
        "d log k3_e = -mean(D_e) mean(Dh_e)",
        companion="the reversed rings, nonlinear, couplings transposed, error pushed in where the answer leaves",
        needs=_NEEDS + "; rings whose strengths are trainable",
        local="the elements that a strength joins, and the backward deviation at one of them",
        not_local="forward and backward strengths are the same",
        source=f"{_SOURCE}, equations (14) to (19), the sign of (19) corrected; the adjoint form is new",
    )

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise UnknownNameError("form of strength propagation", self.form, FORMS)

    @property
    def name(self) -> str:
        """Name by which experiments call it."""
        return "strength-propagation" if self.form == "adjoint" else "published-strength-propagation"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The update direction of one batch, for the rings' trainable strengths."""
        reversal = reversal_of(self._reversals, substrate, objective)
        states = {f"{name}.{e}" for name, ring in reversal.rings.items() for e in ring.elements}
        echo = reversal.send(substrate, inputs, targets, objective, states, states)
        xp, found, held = substrate.xp, dict(echo.slopes), substrate.read()
        for name, ring in reversal.rings.items():
            learnt = reversal.forward.populations[name].variables
            for e in ring.elements:
                for label in [label for label in ("k1", "k2", "k3") if learnt[f"{label}_{e}"].trainable]:
                    key = f"{name}.{label}_{e}"
                    if self.form == "adjoint":
                        moved = echo.driven(ring, label, e)
                    elif label == "k3":
                        moved = -echo.deviation(name, e, held[f"{name}.B_{e}"]) / held[key]
                    else:
                        continue
                    found[key] = -xp.mean(moved * echo.moved(name, e), axis=0)
                    substrate.meter.host(mac=moved.shape[0] * ring.size, kernel=1)
        return Step(found, echo.loss, echo.passage.y)


def multiplied(xp: Any, strength: Array, slope: Array, rate: float) -> Array:
    """K <- K exp(-rate dL/dlog K), which keeps every strength above 0; a negative rate is the printed sign.

    Source
    ------
    Jiang, Feng (2025), equation (19).
    """
    return strength * xp.exp(-rate * strength * slope)


def _limited(xp: Any, slope: Array, limit: float) -> Array:
    return xp.atan(limit * slope) / limit
