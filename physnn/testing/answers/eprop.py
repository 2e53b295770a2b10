"""Known answers of e-prop: where it is the gradient, what exactly it neglects, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Companion, System
from physnn.learning.alignment import cosine
from physnn.learning.eprop import EProp
from physnn.learning.objective import Objective
from physnn.learning.reflected_wave import ReflectedWave
from physnn.learning.rule import Passage, Returned, Rule, Step, step_about
from physnn.learning.way_back import returned_on_host
from physnn.media.losses import SquaredError
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.media.waveguide import Waveguide
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most

STEP, DURATION = 1e-3, 0.05
"""[s]"""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""standard deviation of the recurrent weights times the root of the number of cells"""


def one_layer() -> Iterator[Answer]:
    """Without couplings among hidden cells e-prop is the surrogate gradient: nothing is left out."""
    own: dict[str, LIF] = {
        "LIF": LIF("cells", 12, bias=True, trainable=("tau",)),
        "LIF behind synapses": LIF("cells", 12, synapse=0.005, trainable=("tau", "tau_s")),
        "adaptive LIF": AdaptiveLIF("cells", 12, adaptation_time=0.05, trainable=("beta", "tau_b")),
        "two-compartment LIF": TwoCompartmentLIF("cells", 12, trainable=("c", "k")),
    }
    for label, cells in own.items():
        for kind in ("mean", "last"):
            substrate, objective = _built(cells, None, kind)
            found, wanted = (_stepped(rule, substrate, objective) for rule in (EProp(), ReflectedWave()))
            claim = f"{label}, read as {kind}: e-prop against the reflected wave, relative error"
            yield at_most(claim, difference(found, wanted), 1e-9)


def neglected() -> Iterator[Answer]:
    """With couplings among the cells e-prop is the reflected wave without its paths from cell to cell, to rounding."""
    for strength in STRENGTHS:
        cosines, errors = [], []
        for seed in range(3):
            substrate, objective = _built(LIF("cells", 32), strength, "mean", seed)
            found, whole = (_stepped(rule, substrate, objective) for rule in (EProp(), ReflectedWave()))
            errors.append(difference(found, _stepped(Cut(), substrate, objective)))
            cosines.append(cosine(found, whole, ["in->cells", "recurrent"]))
        yield at_most(f"strength {strength}: e-prop against the cut wave, relative error", max(errors), 1e-9)
        claim = f"strength {strength}: cosine to the whole surrogate gradient, least of 3 networks"
        yield at_least(claim, min(cosines), 1.0 - 1e-9 if strength == 0 else 0.0)


def recurrent(
    source: Source, cells: LIF, classes: int, gain: float, strength: float | None, kind: str, delay: float
) -> Network:
    """A source, spiking cells that are coupled to each other where a strength is given, and a leaky linear readout."""
    links = [Link(source.name, cells.name, gain=gain), Link(cells.name, "out")]
    if strength is not None:
        links.append(Link(cells.name, cells.name, name="recurrent", gain=strength, delay=delay))
    out = Waveguide("out", classes, "identity", time_constant=0.02)
    return Network([source, cells, out], links, Readout("out", kind=kind))


def without_recurrence(companion: Companion) -> Companion:
    """The reflected wave cut where it passes from a hidden cell to another."""
    system = companion.system
    kept = [coupling for coupling in system.couplings.values() if coupling.name != "recurrent"]
    return replace(
        companion, system=System.of(system.populations.values(), kept, system.inputs, system.outputs, derived=True)
    )


class Cut:
    """The reflected wave without recurrence, computed by the host: what e-prop must be."""

    name = "cut"

    def step(self, substrate: Substrate, inputs: Mapping[str, Any], targets: Any, objective: Objective) -> Step:
        """The gradient of one batch along the paths that are left."""

        def way_back(passage: Passage, cotangents: Mapping[str, Any]) -> Returned:
            companion = without_recurrence(substrate.placed.companion("transpose", discrete=True))
            return returned_on_host(substrate, passage, cotangents, companion, substrate.read())

        return step_about(substrate, inputs, targets, objective, way_back)


def _built(cells: LIF, strength: float | None, kind: str, seed: int = 0) -> tuple[Substrate, Objective]:
    network = recurrent(Source("in", 8), cells, 3, 5.0, strength, kind, STEP)
    substrate = build(network, "ideal-torch", seed=seed, step=STEP)
    return substrate, Objective(network.readout, SquaredError(), 3, DURATION)


def _stepped(rule: Rule, substrate: Substrate, objective: Objective) -> dict[str, NDArray]:
    """A rule's gradient for currents that change every 5 ms."""
    draws = streams.normal(substrate.placed.seed, "e-prop", "inputs", (8, 11, 8))
    currents = np.abs(np.repeat(draws, 5, axis=1))[:, : round(DURATION / STEP) + 1]
    targets = streams.normal(substrate.placed.seed, "e-prop", "targets", (8, 3))
    step = rule.step(substrate, {"in": substrate.asarray(currents)}, substrate.asarray(targets), objective)
    return {key: as_numpy(slope) for key, slope in step.gradient.items()}


def difference(found: dict[str, NDArray], wanted: dict[str, NDArray]) -> float:
    """The largest relative error of a parameter's gradient, in the norm; infinite where a gradient vanishes."""
    sizes = {key: float(np.linalg.norm(value)) for key, value in wanted.items()}
    return max(float(np.linalg.norm(found[k] - v)) / sizes[k] if sizes[k] else np.inf for k, v in wanted.items())


ANSWERS = {
    "e-prop: one layer": one_layer,
    "e-prop: what it neglects": neglected,
}
