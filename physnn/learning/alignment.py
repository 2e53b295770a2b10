"""How well a rule's update points along the true gradient of its substrate, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Interpreter, System, companion_inputs, gradient
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


def cosines(
    substrate: Substrate,
    rule: Rule,
    objective: Objective,
    inputs: NDArray,
    labels: NDArray,
    *,
    port: str | None = None,
) -> list[float]:
    """Cosine between the rule's update and the reference gradient, one a layer, in feed-forward order.

    A layer is a population with all trainable weights that arrive there, bias included.
    """
    targets = substrate.asarray(objective.loss.targets(np, np.asarray(labels), objective.classes))
    data = dict.fromkeys(ports_of(substrate, objective, port), substrate.asarray(inputs))
    step = equipped(rule, substrate).step(substrate, data, targets, objective)
    found = {key: as_numpy(value) for key, value in step.gradient.items()}
    true = reference_gradient(substrate, objective, inputs, labels, port=port)
    return [cosine(found, true, keys) for keys in layers(substrate.placed.system)]


def _on_host(objective: Objective) -> Objective:
    """The objective with its digital layers as they are now, in NumPy."""
    copies = {
        prefix: replace(head, parameters={key: as_numpy(value) for key, value in head.parameters.items()})
        for prefix, head in objective.digital.items()
    }
    encoders = {port: copies[f"{ENCODER}.{port}"] for port in objective.encoders}
    return replace(objective, head=copies.get(HEAD), encoders=encoders)


def layers(system: System) -> list[list[str]]:
    """Trainable weights by the population at which they arrive, in feed-forward order where there is one."""
    order = system.steady_order or tuple(system.populations)
    by_target = [[c.key for c in system.couplings.values() if c.trainable and c.target == name] for name in order]
    return [keys for keys in by_target if keys]


def cosine(a: Mapping[str, NDArray], b: Mapping[str, NDArray], keys: list[str]) -> float:
    """Cosine of the angle between two updates restricted to some parameters; 0 where one of them vanishes."""
    u = np.concatenate([np.ravel(a[key]) for key in keys])
    v = np.concatenate([np.ravel(b[key]) for key in keys])
    size = float(np.linalg.norm(u) * np.linalg.norm(v))
    return float(u @ v) / size if size else 0.0
