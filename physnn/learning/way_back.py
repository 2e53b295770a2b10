"""The way back of rules that do not send their error through the substrate's own companion.

The incident waves are measured on the substrate. What returns is computed elsewhere about these measured waves: on a
digital twin, or on the host, with feedback weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import array_api_compat.numpy as numpy_xp
import numpy as np

from physnn.equations import Companion, Interpreter, Trace, companion_inputs, gradient, input_gradient
from physnn.errors import NumericsError
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Step, count_correlation, count_digital, forward
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any


@dataclass(frozen=True)
class Returned:
    """A reflected wave that was computed about measured waves, and both waves in the arrays of its computer."""

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
    """Send a batch in, compute what returns, and correlate the two waves where they meet.

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
    count_digital(substrate, objective, passage, 2)
    return Step(found | slopes, loss, passage.y)


def sent_back(
    substrate: Substrate, passage: Passage, targets: Array, objective: Objective
) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """The loss, the cotangents at the output ports, and the gradient of the head.

    Raises
    ------
    NumericsError
        The loss is not finite.
    """
    loss, mismatch = objective.loss(substrate.xp, passage.y, targets)
    if not np.isfinite(loss):
        raise NumericsError("the loss is not finite; lower the learning rate or check the data")
    cotangents, slopes = objective.pull_back(substrate.xp, passage.incident, passage.tapes, mismatch)
    return loss, cotangents, slopes


def carried(found: Mapping[str, Array], xp: Any, asarray: Callable[[Any], Array], to: Any) -> dict[str, Array]:
    """Arrays of the namespace `xp` as those that `asarray` makes, of the namespace `to`."""
    return {key: asarray(value if xp is to else as_numpy(value)) for key, value in found.items()}


def measured(trace: Trace, xp: Any, asarray: Callable[[Any], Array], to: Any) -> Trace:
    """A trace of arrays of `xp` as a trace of those that `asarray` makes, in the namespace `to`."""
    fields, sent, outputs = (carried(found, xp, asarray, to) for found in (trace.fields, trace.sent, trace.outputs))
    return replace(trace, fields=fields, sent=sent, outputs=outputs, state={})


def returned_on_host(
    substrate: Substrate,
    passage: Passage,
    cotangents: Mapping[str, Array],
    companion: Companion,
    parameters: Mapping[str, Array],
) -> Returned:
    """The reflected wave of a companion with these parameters, computed by the host in float64, and billed to it."""
    placed, xp = substrate.placed, substrate.xp
    incident = measured(passage.incident, xp, as_numpy, numpy_xp)
    drive = companion_inputs(companion, incident, {port: as_numpy(value) for port, value in cotangents.items()})
    system = companion.system
    engine = Interpreter(system, {key: as_numpy(value) for key, value in parameters.items()}, seed=placed.seed)
    batch, times = next(iter(incident.outputs.values())).shape[:2]
    echo = engine.steady(drive) if incident.steady else engine.run(drive, times, placed.step)
    macs = sum(c.operator.macs(system.populations[c.source].shape) for c in system.couplings.values())
    substrate.meter.host(mac=macs * batch * times, kernel=len(system.couplings) * times)
    read_out(substrate, companion, incident)
    return Returned(companion, incident, echo, numpy_xp)


def read_out(substrate: Substrate, companion: Companion, incident: Trace) -> None:
    """Bill the conversions by which a medium's hidden waves reach the host: one a sample, time, element and wave."""
    if not substrate.meter.host_is_device:
        waves = {source.field for source in companion.incident.values()}
        system = substrate.placed.system
        within = {name for name, population in system.populations.items() if population.dynamic}
        seen = [incident.fields[w] for w in waves if w in incident.fields and w.rpartition(".")[0] in within]
        substrate.meter.add(adc=sum(float(np.prod(wave.shape)) for wave in seen))
