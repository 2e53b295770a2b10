"""The elements of circuits: resistors, inductors, capacitors, and stubs of line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.errors import ParameterError, UnknownNameError
from physnn.media.impedances.circuit import HALF_STEP, Branch, Echo, Writer, inductive
from physnn.media.impedances.impedance import Impedance
from physnn.media.impedances.rational import Rational

Values = float | Sequence[float]
"""One value for all lines, or one for each."""

ENDS = {"open": 1.0, "shorted": -1.0}
"""Far end of a stub -> its reflection coefficient."""


@dataclass(frozen=True)
class Resistor(Impedance):
    """A resistance:  Z = R.

    Parameters
    ----------
    resistance : float or sequence of float
        R [ohm], above 0; one for all lines or one each.
    """

    resistance: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "resistance", above_zero(self.resistance, "resistance", "ohm"))

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return np.asarray(self.resistance) + 0 * s

    def rational(self) -> Rational:
        return Rational((_single(self.resistance),), (1.0,))

    def branch(self, writer: Writer) -> Branch:
        """v = R i"""
        resistance = writer.parameter(writer.tag("R"), "ohm", self.resistance)
        return Branch(lambda v, i: writer.burn(resistance * i**2), resistance)


@dataclass(frozen=True)
class Inductor(Impedance):
    """An inductance:  Z = s L,  L di/dt = v. Its current is a state.

    Parameters
    ----------
    inductance : float or sequence of float
        L [H], above 0; one for all lines or one each.
    """

    inductance: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "inductance", above_zero(self.inductance, "inductance", "H"))

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return s * np.asarray(self.inductance)

    def rational(self) -> Rational:
        return Rational((_single(self.inductance), 0.0), (1.0,))

    def branch(self, writer: Writer) -> Branch:
        """di/dt = v/L"""
        tag = writer.tag("L")
        return inductive(writer, f"i_{tag}", writer.parameter(tag, "H", self.inductance))


@dataclass(frozen=True)
class Capacitor(Impedance):
    """A capacitance:  Z = 1/(s C),  C dv/dt = i. Its voltage is a state.

    Parameters
    ----------
    capacitance : float or sequence of float
        C [F], above 0; one for all lines or one each.
    """

    capacitance: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "capacitance", above_zero(self.capacitance, "capacitance", "F"))

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return 1 / (s * np.asarray(self.capacitance))

    def rational(self) -> Rational:
        return Rational((1.0,), (_single(self.capacitance), 0.0))

    def branch(self, writer: Writer) -> Branch:
        """dv/dt = i/C"""
        tag = writer.tag("C")
        capacitance, state = writer.parameter(tag, "F", self.capacitance), f"v_{tag}"
        voltage = sp.Symbol(state)
        writer.store(capacitance * voltage**2 / 2)
        if writer.trapezoidal:
            return Branch(lambda v, i: writer.map(state, 2 * v - voltage, "V"), HALF_STEP / capacitance, voltage)
        return Branch(lambda v, i: writer.flow(state, i / capacitance, "V"), emf=voltage)


@dataclass(frozen=True)
class Stub(Impedance):
    """A piece of line with an open or shorted far end.

    Z(s) = Z0 (1 + g)/(1 - g),  g = rho k^2 exp(-2 s tau),  rho = 1 where it is open, -1 where it is shorted; without
    loss Z0 coth(s tau) and Z0 tanh(s tau). It has no rational form: the wave a that enters it comes back as
    b(t) = rho k^2 a(t - 2 tau), by a coupling with delay, and v = Z0 i + 2 b.

    Parameters
    ----------
    impedance : float or sequence of float
        Characteristic impedance Z0 [ohm], above 0; one for all lines or one each.
    delay : float
        tau from end to end [s], above 0; 2 tau is a whole number of steps.
    end : str
        "open" or "shorted".
    transmission : float
        k [1]: what is left of a wave after one way, above 0 and at most 1.
    """

    impedance: Values
    delay: float
    end: str = "open"
    transmission: float = 1.0

    def __post_init__(self) -> None:
        if self.end not in ENDS:
            raise UnknownNameError("end of a stub", self.end, ENDS)
        object.__setattr__(self, "impedance", above_zero(self.impedance, "impedance of a stub", "ohm"))
        object.__setattr__(self, "delay", _single(above_zero(self.delay, "delay of a stub", "s")))
        object.__setattr__(self, "transmission", fraction(self.transmission, "transmission of a stub"))

    @property
    def echo(self) -> float:
        """rho k^2: what comes back of a wave."""
        return ENDS[self.end] * self.transmission**2

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        back = self.echo * np.exp(-2 * s * self.delay)
        return np.asarray(np.asarray(self.impedance) * (1 + back) / (1 - back), dtype=complex)

    def rational(self) -> Rational:
        raise ParameterError("a stub has no rational impedance: it answers after a delay; use it as it is")

    def branch(self, writer: Writer) -> Branch:
        """v = Z i + 2 b,  a = b + Z i"""
        tag = writer.tag("stub")
        impedance = writer.parameter(f"Z_{tag}", "ohm", self.impedance)
        back, sent = sp.Symbol(f"b_{tag}"), f"a_{tag}"

        def tell(v: sp.Expr, i: sp.Expr) -> None:
            writer.echo(sent, back + impedance * i, Echo(sent, f"b_{tag}", 2 * self.delay, self.echo))

        return Branch(tell, impedance, 2 * back)


def above_zero(value: Any, quantity: str, unit: str) -> Values:
    """A number, or one for each line as a tuple, all finite and above 0.

    Raises
    ------
    ParameterError
    """
    try:
        values = np.asarray(value)
    except ValueError:
        raise ParameterError(f"{quantity} {value!r} must be a number, or one for each line") from None
    sound = values.dtype.kind in "iuf" and values.ndim <= 1 and values.size > 0
    if not sound or not (np.all(np.isfinite(values)) and np.all(values > 0)):
        raise ParameterError(
            f"{quantity} {value!r}{unit and ' ' + unit} must be finite and above 0, one number or one for each line"
        )
    return float(values) if values.ndim == 0 else tuple(float(v) for v in values)


def fraction(value: Any, quantity: str) -> float:
    """A number above 0 and at most 1.

    Raises
    ------
    ParameterError
    """
    found = _single(above_zero(value, quantity, ""))
    if found > 1:
        raise ParameterError(f"{quantity} {found} must be at most 1: a passive line has no gain")
    return found


def _single(value: Values) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ParameterError(f"{value} are several values, one for each line, where one is needed; give a single number")
