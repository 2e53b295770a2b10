"""How much of what is sent into a network of lines comes back, by frequency; and the response of other networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.analysis.linear import frequency_response
from physnn.analysis.point import Point
from physnn.analysis.space_time import ENDS, line_names
from physnn.equations import Output, System
from physnn.errors import CapabilityError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """Size of a matrix of responses by frequency."""

    frequencies: Array
    """[Hz]"""
    mean: Array
    """root of the mean square of the singular values: what noise at all inputs meets"""
    largest: Array
    """largest singular value: what the worst pattern meets"""


def reflection_spectrum(
    system: System,
    frequencies: ArrayLike,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    step: float | None = None,
) -> Response:
    """|S11| of a network of lines at its sources, made linear about a point.

        S11 = Z^-1/2 B A^-1 Z^1/2

    A and B are the waves that leave the sources and those that arrive there for a small voltage of each source, Z the
    impedances of their lines: the sources' own reflection drops out. The mean over noise is sqrt(|S11|^2/ports).

    Parameters
    ----------
    system : System
    frequencies : float or array
        [Hz]
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    about, step : optional
        As in `frequency_response`.

    Raises
    ------
    CapabilityError
        No line ends at a source; or `frequency_response` raises it.
    """
    sources = _sources(system)
    if not sources:
        raise CapabilityError("no line ends at a source, so that there is no reflection; see `response`")
    outputs = {f"{wave} {name}": Output(name, wave) for name in sources for wave in "ab"}
    watched = System.of(system.populations.values(), system.couplings.values(), system.inputs, outputs)
    values = parameters or {}
    impedances = [
        np.broadcast_to(
            values.get(f"{line}.Z0", system.populations[line].values["Z0"]), system.populations[name].shape
        ).ravel()
        for name, line in sources.items()
    ]
    root = np.sqrt(np.concatenate(impedances).astype(float))
    given = np.atleast_1d(np.asarray(frequencies, dtype=float))
    read = [f"{wave} {name}" for wave in "ab" for name in sources]
    waves = frequency_response(
        watched, [f"{name}.e" for name in sources], read, 2 * np.pi * given, parameters, about, step=step
    )
    away, back = waves[:, : len(root)], waves[:, len(root) :]
    scattered = back @ np.linalg.inv(away)
    return _sized(given, scattered * root / root[:, None])


def response(
    system: System,
    frequencies: ArrayLike,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    step: float | None = None,
) -> Response:
    """|H| from all inputs to all outputs of a network, made linear about a point.

    Raises
    ------
    CapabilityError
        The network has no input that is no parameter; or `frequency_response` raises it.
    """
    inputs = [
        name
        for name, port in system.inputs.items()
        if system.populations[port.population].variables[port.variable].role == "input"
    ]
    if not inputs:
        raise CapabilityError("nothing drives this network in time, so that it has no response to an input")
    given = np.atleast_1d(np.asarray(frequencies, dtype=float))
    found = frequency_response(system, inputs, list(system.outputs), 2 * np.pi * given, parameters, about, step=step)
    return _sized(given, found)


def _sources(system: System) -> dict[str, str]:
    """Terminations that something drives -> the line that ends there."""
    lines = line_names(system)
    ends = {system.arriving(line, end)[0].source: line for line in lines for end in ENDS}
    return {
        name: line
        for name, line in ends.items()
        if {"e", "b"} <= set(system.populations[name].role("arrival")) and system.arriving(name, "e")
    }


def _sized(frequencies: Array, matrices: NDArray[np.complex128]) -> Response:
    """Of matrices (frequencies, rows, columns)."""
    values: Array = np.asarray(np.linalg.svd(matrices, compute_uv=False), dtype=float)
    mean: Array = np.sqrt(np.sum(values**2, axis=-1) / matrices.shape[-1])
    return Response(frequencies, mean, values[:, 0])
