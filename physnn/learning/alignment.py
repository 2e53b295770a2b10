"""How well a rule's update points along the true gradient of its substrate, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Interpreter, System, companion_inputs, gradient
from physnn.errors import CapabilityError
from physnn.learning.objective import ENCODER, HEAD, Objective
from physnn.learning.rule import Rule
from physnn.learning.trainer import ports_of
from physnn.learning.twins import equipped
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any


def reference_gradient(
    substrate: Substrate, objective: Objective, inputs: NDArray, labels: NDArray, *, port: str | None = None
) -> dict[str, NDArray]:
    """The float64 gradient of the placed System: its die and bits included, its noise off; by the plain interpreter."""
    placed = substrate.placed
    plain = {key: as_numpy(value) for key, value in substrate.read().items()}
    engine = Interpreter(placed.system, placed.realise(plain, noise=False), seed=placed.seed)
    objective, timed = _on_host(objective), objective.duration is not None
    data = np.asarray(inputs, dtype=float)
    entering, _ = objective.encode(xp, dict.fromkeys(ports_of(substrate, objective, port), data))
    companion = placed.companion("transpose", discrete=timed)
    echo_engine = Interpreter(companion.system, engine.parameters, seed=placed.seed)
    if objective.duration is None:
        incident = engine.steady(entering)
    else:
        incident = engine.run(entering, round(objective.duration / placed.step), placed.step)
    targets = objective.loss.targets(np, np.asarray(labels), objective.classes)
    y, tapes = objective.answer(xp, incident)
    _, mismatch = objective.loss(xp, y, targets)
    cotangents, _ = objective.pull_back(xp, incident, tapes, mismatch)
    drive = companion_inputs(companion, incident, cotangents)
    if objective.duration is None:
        echo = echo_engine.steady(drive)
    else:
        echo = echo_engine.run(drive, next(iter(drive.values())).shape[1], placed.step)
    return gradient(xp, placed.system, companion, incident, echo)


@dataclass(frozen=True)
class Alignment:
    """How a rule's update lies to the gradient."""

    loss: float
    cosines: dict[str, float] | None
    """layer -> cosine, from the input on; None where there is no gradient"""
    reason: str = ""
    """why there is none"""


def aligned(
    substrate: Substrate,
    rule: Rule,
    objective: Objective,
    inputs: NDArray,
    labels: NDArray,
    *,
    port: str | None = None,
    reference: Substrate | None = None,
) -> Alignment:
    """The loss on some samples, and the cosine of the rule's update with the gradient at each layer that it trains.

    A layer is a population with what is trained of it and of the couplings that lead there, bias included; weights that
    lead both ways count once. A medium that carries both waves has the gradient of the same network with one, the
    `reference`.
    """
    targets = substrate.asarray(objective.loss.targets(np, np.asarray(labels), objective.classes))
    data = dict.fromkeys(ports_of(substrate, objective, port), substrate.asarray(inputs))
    step = equipped(rule, substrate).step(substrate, data, targets, objective)
    found = {key: as_numpy(value) for key, value in step.gradient.items()}
    reference = reference or substrate
    try:
        true = reference_gradient(reference, objective, inputs, labels, port=port)
    except CapabilityError as error:
        return Alignment(step.loss, None, str(error))
    shared = found.keys() & true.keys()
    compared = {name: [k for k in keys if k in shared] for name, keys in layers(reference.placed.system).items()}
    return Alignment(step.loss, {name: cosine(found, true, keys) for name, keys in compared.items() if keys})


def cosines(
    substrate: Substrate,
    rule: Rule,
    objective: Objective,
    inputs: NDArray,
    labels: NDArray,
    *,
    port: str | None = None,
) -> list[float]:
    """Cosine between the rule's update and the reference gradient, one a layer that it trains, from the input on.

    Raises
    ------
    CapabilityError
        There is no gradient.
    """
    found = aligned(substrate, rule, objective, inputs, labels, port=port)
    if found.cosines is None:
        raise CapabilityError(found.reason)
    return list(found.cosines.values())


def _on_host(objective: Objective) -> Objective:
    """The objective with its digital layers as they are now, in NumPy."""
    copies = {
        prefix: replace(head, parameters={key: as_numpy(value) for key, value in head.parameters.items()})
        for prefix, head in objective.digital.items()
    }
    encoders = {port: copies[f"{ENCODER}.{port}"] for port in objective.encoders}
    return replace(objective, head=copies.get(HEAD), encoders=encoders)


def layers(system: System) -> dict[str, list[str]]:
    """Population -> keys of what is trained there, in feed-forward order where there is one.

    Of weights that lead both ways, at the end of the first coupling.
    """
    places: dict[str, list[str]] = {name: [] for name in system.steady_order or system.populations}
    taken: set[str] = set()
    for coupling in system.couplings.values():
        if coupling.trainable and coupling.key not in taken:
            taken.add(coupling.key)
            places[coupling.target].append(coupling.key)
    for key in system.trainable:
        if key not in taken:
            places[key.partition(".")[0]].append(key)
    return {name: keys for name, keys in places.items() if keys}


def cosine(a: Mapping[str, NDArray], b: Mapping[str, NDArray], keys: list[str]) -> float:
    """Cosine of the angle between two updates restricted to some parameters; 0 where one of them vanishes."""
    u = np.concatenate([np.ravel(a[key]) for key in keys])
    v = np.concatenate([np.ravel(b[key]) for key in keys])
    size = float(np.linalg.norm(u) * np.linalg.norm(v))
    return float(u @ v) / size if size else 0.0
