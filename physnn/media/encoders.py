"""Encoders: how a number u becomes a wave at a source. Each is a `Source`, so its name is an input port of the network.

A constant drive is `Source` itself. Two encodings have no part of their own, for they set what a medium already has;
they are input ports of the network:

    Network(parts, links, readout, inputs={"y0": Input("field", "y")})              initial condition
    Network(parts, links, readout, inputs={"omega": Input("oscillators", "w")})     natural frequency, one a sample

A port on a state sets where it starts, a port on a parameter its value for each sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from physnn.equations import Event, Population
from physnn.errors import ParameterError, UnknownNameError
from physnn.media.medium import Source

_RECTANGLE = """
pulse = u*where(t + dt/2 >= at, 1, 0)*where(t + dt/2 < at + width, 1, 0) : 1
u     : 1 (input)
at    : s (parameter)
width : s (parameter)
"""
_GAUSSIAN = """
pulse = u*exp(-((t - at)/width)**2/2) : 1
u     : 1 (input)
at    : s (parameter)
width : s (parameter)
"""
FORMS = {"rectangle": _RECTANGLE, "gaussian": _GAUSSIAN}
"""Form of a pulse -> its equations. With the half step, rounding of t does not change how many steps a pulse lasts."""


@dataclass(frozen=True)
class Pulse(Source):
    """A pulse of height u:  u for at <= t < at + width ("rectangle"), or  u exp(-(t - at)^2/(2 width^2)) ("gaussian").

    Parameters
    ----------
    name : str
    size : int or tuple of int
        Lines (n,), or a sheet (channels, height, width).
    width : float or array
        Length, or standard deviation, of the pulse [s, model time]; above 0.
    at : float or array
        When it begins, or is highest [s, model time].
    form : str
        "rectangle" or "gaussian".

    Raises
    ------
    ParameterError, UnknownNameError
    """

    width: Any = 1.0
    at: Any = 0.0
    form: str = "rectangle"
    signal: str = field(default="pulse", init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise UnknownNameError("form of a pulse", self.form, FORMS)
        _check_above_zero(self, "width", self.width, "s")

    def lower(self) -> Population:
        """The pulse's equations."""
        return Population.from_text(self.name, self.size, FORMS[self.form], {"at": self.at, "width": self.width})


@dataclass(frozen=True)
class Carrier(Source):
    """A carrier of amplitude u:  u cos(omega t + phase), or its complex envelope  u exp(i phase).

    Parameters
    ----------
    name : str
    size : int or tuple of int
    omega : float or array
        Angular frequency [rad/s, model time]; above 0. The envelope turns with the carrier and does not contain it.
    phase : float or array
        [rad]
    envelope : bool
        The complex amplitude about the carrier is sent in place of the carrier itself; it must arrive at a medium whose
        arrival is complex.

    Raises
    ------
    ParameterError
    """

    omega: Any = 2 * np.pi
    phase: Any = 0.0
    envelope: bool = False
    signal: str = field(default="carrier", init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_above_zero(self, "omega", self.omega, "rad/s")

    def lower(self) -> Population:
        """The carrier's equations."""
        if self.envelope:
            text = "carrier = u*exp(1j*phase) : 1\nu : 1 (input)\nphase : 1 (parameter)"
            return Population.from_text(self.name, self.size, text, {"phase": self.phase})
        text = "carrier = u*cos(omega*t + phase) : 1\nu : 1 (input)\nomega : 1/s (parameter)\nphase : 1 (parameter)"
        return Population.from_text(self.name, self.size, text, {"omega": self.omega, "phase": self.phase})


@dataclass(frozen=True)
class Rate(Source):
    """A regular train of spikes, `rate` u a second:  dphi/dt = rate relu(u),  a spike and phi <- phi - 1 at phi = 1.

    What is sent are the pulses divided by `rate`. Their mean is u (0 for u < 0): on average couplings see what a
    constant drive sends. At most one spike is sent in a step, so rate u dt must stay below 1.

    A spike has no slope with respect to u. To reflected waves it is said to have that of its mean over all phases, one
    spike a cycle: what a step adds to the phase is then sent in full, and the wave returns as from a constant drive.

    Parameters
    ----------
    name : str
    size : int or tuple of int
    rate : float or array
        Spikes a second at u = 1 [1/s, model time]; above 0.
    start : float or array
        The phase at t = 0 [cycles], 0 to below 1; different ones keep lines from firing together.

    Raises
    ------
    ParameterError
    """

    rate: Any = 100.0
    start: Any = 0.0
    signal: str = field(default="spike/rate", init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_above_zero(self, "rate", self.rate, "1/s")
        phases = _numbers(self, "start", self.start)
        if not np.all((phases >= 0) & (phases < 1)):
            raise ParameterError(f"source {self.name!r}: start {self.start} must be at least 0 and below 1 cycle")

    def lower(self) -> Population:
        """The phase integrators and their events."""
        return Population.from_text(
            self.name,
            self.size,
            "dphi/dt = rate*relu(u) : 1\nu : 1 (input)\nrate : 1/s (parameter)",
            {"rate": self.rate, "phi": self.start},
            events=[Event("spike", "phi >= 1", {"phi": "phi - 1"}, surrogate="1")],
        )


def _numbers(source: Source, quantity: str, value: Any) -> np.ndarray:
    """A number or an array of them as finite floats."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        numbers = np.asarray(np.nan)
    if not np.all(np.isfinite(numbers)):
        raise ParameterError(
            f"source {source.name!r}: {quantity} {value!r} must be a finite number, or an array of them"
        )
    return numbers


def _check_above_zero(source: Source, quantity: str, value: Any, unit: str) -> None:
    if not np.all(_numbers(source, quantity, value) > 0):
        raise ParameterError(f"source {source.name!r}: {quantity} {value} {unit} must be above 0")
