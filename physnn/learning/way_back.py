"""The way back of rules that do not send their error through the substrate's own companion.

The incident waves are measured on the substrate. What returns is computed elsewhere about these measured waves: on a
digital twin, or on the host, with feedback weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import array_api_compat.numpy as numpy_xp
import numpy as np

from physnn.equations import Companion, Interpreter, Trace, companion_inputs
from physnn.learning.rule import Passage, Returned, carried
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any


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
