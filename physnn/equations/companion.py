"""Companions: Systems made from a System, and how an incident and a reflected trace give gradients.

The reflected wave (`physnn.equations.reflection`) is the adjoint of a System, the tangent
(`physnn.equations.small_signal`) its small-signal form. The gradient of a coupling's weights is the correlation of what
entered it from the source (incident) and what entered it from the target (reflected); `gradient` computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import array_api_compat
import numpy as np

from physnn.equations.linearised import Companion, Incident
from physnn.equations.operators import real_kind
from physnn.equations.parse import TIME
from physnn.equations.reflection import reflected
from physnn.equations.small_signal import tangent
from physnn.equations.system import System
from physnn.equations.trace import Trace
from physnn.errors import ShapeError, UnknownNameError

__all__ = [
    "Companion",
    "Incident",
    "companion_inputs",
    "gradient",
    "incident_length",
    "input_gradient",
    "reflected",
    "tangent",
]

Array = Any


def companion_inputs(companion: Companion, about: Trace, cotangents: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs for a run of a reflected System: incident fields played backwards, and the error that drives it.

    Parameters
    ----------
    about : Trace
        The incident trace, with entries 0..N.
    cotangents : mapping
        Output port of the original -> dL/d output, (batch, N+1, *shape).

    Returns
    -------
    dict
        Input port -> array with N+1 entries in reversed time; run N+1 steps, or find the steady state.

    Raises
    ------
    UnknownNameError, ShapeError
        A cotangent is for no output port, or has not the shape of that output.
    """
    for port, value in cotangents.items():
        if port not in companion.errors:
            raise UnknownNameError("output port", port, companion.errors)
        if tuple(value.shape) != tuple(about.outputs[port].shape):
            raise ShapeError(
                f"cotangent {port!r} has shape {tuple(value.shape)}; expected that of the output, "
                f"{tuple(about.outputs[port].shape)}"
            )
    fields = {port: _field(companion, about, source.field) for port, source in companion.incident.items()}
    errors = {companion.errors[port]: value for port, value in cotangents.items()}
    if about.steady:
        return {port: value[:, 0, ...] for port, value in (fields | errors).items()}
    played = {port: _backwards(value) for port, value in fields.items()}
    return played | {port: _backwards(value) * (1.0 / about.step) for port, value in errors.items()}


def _field(companion: Companion, about: Trace, name: str) -> Array:
    """A recorded field, or the time of the entries as one."""
    if name in about.fields:
        return about.fields[name]
    population, variable = name.rsplit(".", 1)
    if variable != TIME or not about.fields:
        raise UnknownNameError("recorded field", name, about.fields)
    beside = next(iter(about.fields.values()))
    batch, length = beside.shape[:2]
    shape = companion.system.populations[population].shape
    times = about.start + about.step * np.arange(length, dtype=float)
    spread = np.array(np.broadcast_to(np.reshape(times, (1, length) + (1,) * len(shape)), (batch, length, *shape)))
    kind = real_kind(beside)
    return array_api_compat.array_namespace(beside).asarray(spread, dtype=kind, device=array_api_compat.device(beside))


def _backwards(field: Array) -> Array:
    return field if is_still(field) else field[:, list(range(field.shape[1] - 1, -1, -1)), ...]


def is_still(field: Array) -> bool:
    """Whether all entries in time of an array (batch, times, *shape) are the same numbers in memory."""
    return (field.stride() if hasattr(field, "stride") else field.strides)[1] == 0 and field.shape[1] > 0


def gradient(xp: Any, system: System, companion: Companion, incident: Trace, echo: Trace) -> dict[str, Array]:
    """Correlate an incident and a reflected trace: dL/d parameter for every trainable parameter.

    dL/dK = sum_t dt * (reflected wave at the target)_t x (incident signal)_(t - delay), summed over the batch; in a
    steady state the product itself. The gradient of complex weights is dL/dRe + i dL/dIm; weights are complex where
    the coupling's initial ones are.
    """
    found: dict[str, Array] = {}
    scale = 1.0 if incident.steady else incident.step
    for name, port in companion.reflected.items():
        wave = echo.outputs[port]
        if not incident.steady:
            wave = xp.flip(wave[:, : incident_length(incident), ...], axis=1)
        if name in system.couplings:
            key, value = system.couplings[name].key, _correlated(xp, system, name, incident, wave)
        else:
            key, value = name, _reduced(xp, xp.sum(wave, axis=(0, 1)), system.parameters[name].shape)
        found[key] = found[key] + value * scale if key in found else value * scale
    return found


def input_gradient(
    system: System, companion: Companion, incident: Trace, echo: Trace, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """dL/d input for the ports up to which the companion follows the wave, in the shapes of what was given there.

    An input that is held collects what returns at all times, one that changes in time what returns at each; an initial
    condition meets the wave that comes back at the start, and does nothing in a stationary state.

    Parameters
    ----------
    inputs : mapping
        Input port -> the array of the incident run.
    """
    found: dict[str, Array] = {}
    length = incident_length(incident)
    for port, given in inputs.items():
        if port not in companion.entering:
            continue
        wave, place = echo.outputs[companion.entering[port]], system.inputs[port]
        xp = array_api_compat.array_namespace(wave)
        if system.populations[place.population].variables[place.variable].role == "state":
            found[port] = xp.zeros_like(wave[:, 0, ...]) if incident.steady else wave[:, length, ...]
        elif incident.steady:
            found[port] = wave[:, 0, ...]
        else:
            returned = xp.flip(wave[:, :length, ...], axis=1) * incident.step
            found[port] = _entered(xp, returned, given)
    return found


def _entered(xp: Any, returned: Array, given: Array) -> Array:
    """What returned at each entry of an input: entry n acts at time n, the last one from then on."""
    if given.ndim < returned.ndim:
        return xp.sum(returned, axis=1)
    entries, times = given.shape[1], returned.shape[1]
    if entries > times:
        unused = xp.zeros_like(given[:, times:, ...]) + xp.zeros_like(returned[:, :1, ...])
        return xp.concat([returned, unused], axis=1)
    rest = xp.sum(returned[:, entries - 1 :, ...], axis=1, keepdims=True)
    return xp.concat([returned[:, : entries - 1, ...], rest], axis=1)


def _correlated(xp: Any, system: System, name: str, incident: Trace, wave: Array) -> Array:
    """The reflected wave at one end of a coupling times the incident signal that came from the other."""
    coupling, sent = system.couplings[name], incident.sent[name]
    delay = 0 if incident.steady else round(coupling.delay / incident.step)
    pieces = wave[:, delay:, ...], sent[:, : max(sent.shape[1] - delay, 0), ...]
    merged = [xp.reshape(a, (a.shape[0] * a.shape[1], *a.shape[2:])) for a in pieces]
    value = coupling.operator.outer(xp, *_alike(xp, merged[0], _conjugate(xp, merged[1])))
    is_complex = coupling.initial is not None and np.asarray(coupling.initial).dtype.kind == "c"
    return xp.real(value) if _is_complex(value) and not is_complex else value


def _alike(xp: Any, a: Array, b: Array) -> tuple[Array, Array]:
    """Both complex where one is: libraries that multiply matrices of one type only need that."""
    if _is_complex(a) == _is_complex(b):
        return a, b
    kind = a.dtype if _is_complex(a) else b.dtype
    return xp.astype(a, kind), xp.astype(b, kind)


def _is_complex(value: Array) -> bool:
    kind = getattr(value.dtype, "kind", None)
    return kind == "c" if kind else bool(value.dtype.is_complex)


def incident_length(incident: Trace) -> int:
    """Number of entries of a trace."""
    return next(iter(incident.fields.values())).shape[1]


def _conjugate(xp: Any, value: Array) -> Array:
    return xp.conj(value) if _is_complex(value) else value


def _reduced(xp: Any, value: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which a parameter of `shape` was broadcast."""
    extra = len(value.shape) - len(shape)
    if extra:
        value = xp.sum(value, axis=tuple(range(extra)))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and value.shape[axis] != 1)
    return xp.sum(value, axis=stretched, keepdims=True) if stretched else value
