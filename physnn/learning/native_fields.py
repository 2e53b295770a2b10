"""Gradients of a passive network from two measured fields: the incident one, and one driven into its outputs.

Each line has waves a that enter it at either end and waves b that arrive there; v = a + b, i = (a - b)/Z into the line.
A hat marks the second field: sources silent but their resistances kept, the current J = dL/dv injected into the loads.
With <x, y^> the sum over the batch, and over time with the second field played backwards,

    turns ratios   dL/dW   = -( <i_2, v^_1> + <v_1, i^_2> )       two terms: what goes forward is loaded by what follows
    shunt          dL/dp   = -<dg/dp(v), v^>
    impedance      dL/dZ   = 1/Z^2 sum_ends ( <a, a^> - <b, b^> )
    attenuation    dL/dalpha = -2/Z sum_ends <b, a^>               what arrives is k = exp(-alpha) of what was sent
    resistor       dL/dR   = <i_R, i^_R>                           i_R through the resistor itself
    fraction       dL/deta = 2 k/Z sum_ends <w - w_(-2), w^>       w + eta w_(-1) = a, of the waves that enter

by Tellegen's theorem in difference form, sum (v^ di - i^ dv) = 0 over all ports. For phasors the product is the real
part of x y^, without conjugation, and a line of delay tau has dL/dtau = Re( -2 j w/Z sum_ends b a^ ).

Source: Tellegen's theorem: Penfield, Spence, Duinker, Tellegen's Theorem and Electrical Networks (1970), chapter 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.equations import Population, System, Trace, Transposed
from physnn.equations.generate import function
from physnn.errors import CapabilityError
from physnn.learning.native_reciprocity import Side, check_reciprocal
from physnn.substrate.converters import as_numpy

Array = NDArray[Any]
PERIOD = 64
"""points of a period at which the current of a shunt is looked at for phasors: exact up to its 31st harmonic"""


@dataclass(frozen=True)
class End:
    """One end of a line, and the side of a part at which it ends."""

    line: str
    left: bool
    part: str
    """population"""
    side: str
    """"1", "2", or "" of a part with one side only"""
    leaving: str
    """coupling that carries a into the line"""
    arriving: str
    """coupling that brings b"""


@dataclass(frozen=True)
class Field:
    """Waves at all ends of lines, (batch, times, lines); one time for a state of rest, and for phasors (complex)."""

    entering: Mapping[tuple[str, bool], Array]
    """(line, whether its left end) -> a"""
    arriving: Mapping[tuple[str, bool], Array]

    def __sub__(self, other: Field) -> Field:
        return Field(
            {end: a - other.entering[end] for end, a in self.entering.items()},
            {end: b - other.arriving[end] for end, b in self.arriving.items()},
        )

    def scaled(self, factor: float) -> Field:
        """All waves times a factor."""
        return Field(
            {end: factor * a for end, a in self.entering.items()}, {end: factor * b for end, b in self.arriving.items()}
        )

    def backwards(self) -> Field:
        """The field played backwards."""
        return Field(
            {end: a[:, ::-1] for end, a in self.entering.items()}, {end: b[:, ::-1] for end, b in self.arriving.items()}
        )

    def drift(self, entries: int) -> float:
        """The largest change from one of the last so many entries to the last one, in parts of the largest amplitude.

        1 where there are not so many entries: not everything has met everything yet.
        """
        waves = [*self.entering.values(), *self.arriving.values()]
        if any(wave.shape[1] <= entries for wave in waves):
            return 1.0
        largest = max(float(np.max(np.abs(wave), initial=0.0)) for wave in waves)
        moved = max(float(np.max(np.abs(wave[:, -entries - 1 :] - wave[:, -1:]), initial=0.0)) for wave in waves)
        return moved / largest if largest > 0 else 0.0


class PassiveNetwork:
    """Where the lines of a System end, and how gradients follow from two fields on them.

    Parameters
    ----------
    system : System
        Lines, banks of transformers, shunts, resistors and steps of impedance (`physnn.media.impedances`).

    Raises
    ------
    CapabilityError
        Something in it is not reciprocal, or something is trained whose gradient two fields on the lines do not give.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        lines = [
            n for n, p in system.populations.items() if {"from_left", "from_right", "Z0", "alpha"} <= p.variables.keys()
        ]
        self.lines = tuple(lines)
        self.ends = {(end.line, end.left): end for line in lines for end in _ends(system, line)}
        self.at = {(end.part, end.side): end for end in self.ends.values()}
        """(population, side) -> the end of a line there"""
        parts = {end.part for end in self.ends.values()}
        self.shunts = tuple(n for n in system.populations if n in parts and _is_shunt(system.populations[n]))
        self.resistors = tuple(n for n in system.populations if n in parts and _is_resistor(system.populations[n]))
        self.banks = {
            c.key: (c.source, c.target)
            for c in system.couplings.values()
            if not isinstance(c.operator, Transposed) and _returns(system, c.key) and {c.source, c.target} <= parts
        }
        """parameter key of the turns ratios -> populations of the primary and the secondary side"""
        self._check_trained()
        sides = [Side(end.part, end.side, end.leaving, end.arriving) for end in self.ends.values()]
        check_reciprocal(system, self.lines, sides, self.banks)

    def _check_trained(self) -> None:
        known = {*self.banks}
        known |= {f"{line}.{name}" for line in self.lines for name in ("Z0", "alpha")}
        known |= {f"{line}.rest" for line in self.lines if "disp" not in self.system.populations[line].variables}
        known |= {f"{n}.{p}" for n in self.shunts for p in self.system.populations[n].role("parameter")}
        known |= {f"{name}.R" for name in self.resistors}
        for key in self.system.trainable:
            if key not in known:
                raise CapabilityError(
                    f"two fields on the lines do not give the gradient of {key!r}: it belongs to no line without "
                    "dispersion, bank of transformers, conductance across two lines or resistor; hold it, or train by "
                    "rule 'reflected-wave'"
                )

    @property
    def linear(self) -> bool:
        """Whether there is no shunt."""
        return not self.shunts

    def field(self, trace: Trace) -> Field:
        """The waves of a trace at the ends of lines."""
        return Field(
            {key: as_numpy(trace.sent[end.leaving]) for key, end in self.ends.items()},
            {key: as_numpy(trace.sent[end.arriving]) for key, end in self.ends.items()},
        )

    def voltage(self, field: Field, part: str, side: str) -> Array:
        """v = a + b [V] at a side of a part."""
        end = self.at[part, side]
        return field.entering[end.line, end.left] + field.arriving[end.line, end.left]

    def current(self, field: Field, part: str, side: str, parameters: Mapping[str, Any]) -> Array:
        """i = (a - b)/Z [A] from a side of a part into the line that ends there."""
        end = self.at[part, side]
        difference = field.entering[end.line, end.left] - field.arriving[end.line, end.left]
        return difference / np.asarray(parameters[f"{end.line}.Z0"])

    def gradient(
        self,
        parameters: Mapping[str, Any],
        incident: Field,
        reflected: Field,
        step: float | None = None,
        omega: float | None = None,
    ) -> dict[str, Array]:
        """dL/d parameter for all that is trained, in the shapes of the parameters.

        Parameters
        ----------
        parameters : mapping
            Parameter key -> array, as programmed.
        incident, reflected : Field
            Entry for entry, the second one already played backwards.
        step : float, optional
            [s]; needed where the fraction of a delay is trained.
        omega : float, optional
            [rad/s], of phasors.
        """
        given = {key: as_numpy(value) for key, value in parameters.items()}
        found: dict[str, Array] = {}
        for key in self.system.trainable:
            if key in self.banks:
                forward, loading = self.turns(key, given, incident, reflected)
                found[key] = forward + loading
            else:
                owner, _, name = key.rpartition(".")
                found[key] = _reduced(self._own(owner, name, given, incident, reflected, step, omega), given[key].shape)
        return found

    def turns(self, key: str, parameters: Mapping[str, Any], incident: Field, reflected: Field) -> tuple[Array, Array]:
        """The two terms of dL/dW (n2, n1): what is sent forward meets what returns; and the other way round."""
        primary, secondary = self.banks[key]
        pairs = [
            (self.current(field, secondary, "2", parameters), self.voltage(field, primary, "1"))
            for field in (incident, reflected)
        ]
        (current, voltage), (returned, back) = pairs
        return -_outer(returned, voltage), -_outer(current, back)

    def _own(
        self,
        owner: str,
        name: str,
        parameters: Mapping[str, Any],
        incident: Field,
        reflected: Field,
        step: float | None,
        omega: float | None,
    ) -> Array:
        """The gradient of a parameter of a population, line by line."""
        if owner in self.shunts:
            back = self.voltage(reflected, owner, "1")
            return -_pair(self.sensitivity(owner, name, parameters, self.voltage(incident, owner, "1")), back)
        if owner in self.resistors:
            through = -self.current(incident, owner, "", parameters)
            return _pair(through, self.voltage(reflected, owner, "")) / parameters[f"{owner}.R"]
        impedance, k = parameters[f"{owner}.Z0"], np.exp(-parameters[f"{owner}.alpha"])
        sides = [(owner, True), (owner, False)]
        if name == "Z0":
            ends = [
                _pair(incident.entering[s], reflected.entering[s]) - _pair(incident.arriving[s], reflected.arriving[s])
                for s in sides
            ]
            return sum(ends) / impedance**2
        if name == "alpha":
            return -2 / impedance * sum(_pair(incident.arriving[s], reflected.entering[s]) for s in sides)
        rest = parameters[f"{owner}.rest"]
        if step is None:
            raise CapabilityError(f"line {owner!r}: the fraction of its delay has a gradient only for a step in time")
        eta = (step - rest) / (step + rest)
        if omega is None:
            slope = k * self._fraction(owner, eta, incident, reflected, step)
        else:
            back = np.exp(-1j * omega * step)
            relative = (1 - back**2) / ((eta + back) * (1 + eta * back))
            slope = sum(_pair(relative * incident.arriving[s], reflected.entering[s]) for s in sides)
        return 2 / impedance * slope * -2 * step / (step + rest) ** 2

    def _fraction(self, line: str, eta: Array, incident: Field, reflected: Field, step: float) -> Array:
        """sum_ends <w - w_(-2), w^>, w from the waves that enter, as the section itself has it once they arrive."""
        whole, total = round(self._delay(line) / step), np.zeros(self.system.populations[line].shape)
        for left in (True, False):
            sent = _section(incident.entering[line, left], eta)
            # Of the field that is played backwards the first entry in its own time is the last one.
            back = _section(reflected.entering[line, not left][:, ::-1], eta)[:, ::-1]
            total = total + _pair(_late(sent, whole) - _late(sent, whole + 2), back)
        return total

    def _delay(self, line: str) -> float:
        """Whole steps of a line's delay [s]."""
        return self.system.couplings[self.ends[line, True].leaving].delay

    def longest(self, step: float) -> int:
        """Whole steps of the longest delay of a line, at least one."""
        return max((round(self._delay(line) / step) for line in self.lines), default=1) or 1

    def delay(self, line: str, parameters: Mapping[str, Any], incident: Field, reflected: Field, omega: float) -> float:
        """dL/dtau of one line's delay, all lines of the bundle together, from phasors at `omega` [rad/s]."""
        products = sum(incident.arriving[line, left] * reflected.entering[line, left] for left in (True, False))
        return float(np.sum(np.real(-2j * omega / as_numpy(parameters[f"{line}.Z0"]) * products)))

    def sensitivity(self, shunt: str, name: str, parameters: Mapping[str, Any], voltage: Array) -> Array:
        """dg/dp of the current of a shunt at a voltage; of phasors the first harmonic of it."""
        slope = self.current_of(shunt).diff(self.system.populations[shunt].symbols[name])
        return self.followed(shunt, slope, parameters, voltage)

    def followed(self, shunt: str, expression: sp.Expr, parameters: Mapping[str, Any], voltage: Array) -> Array:
        """An expression in the voltage of a shunt and its parameters; of phasors its first harmonic."""
        if not np.iscomplexobj(voltage):
            return self.computed(shunt, expression, parameters, voltage)
        return 2 * self.over_period(shunt, expression, parameters, voltage, 1)

    def over_period(
        self, shunt: str, expression: sp.Expr, parameters: Mapping[str, Any], phasor: Array, harmonic: int
    ) -> Array:
        """<f(v(t)) e^(-j harmonic w t)> over a period, v(t) = Re(V e^(j w t)); V has one time, (batch, 1, lines)."""
        phases = np.exp(2j * np.pi * np.arange(PERIOD) / PERIOD)[:, None]
        seen = self.computed(shunt, expression, parameters, np.real(phasor * phases))
        return np.mean(seen * phases**-harmonic, axis=1, keepdims=True)

    def computed(self, shunt: str, expression: sp.Expr, parameters: Mapping[str, Any], voltage: Array) -> Array:
        """An expression in the voltage of a shunt and its parameters, at real voltages."""
        population = self.system.populations[shunt]
        names = sorted(str(symbol) for symbol in expression.free_symbols)
        values = [voltage if n == "v" else as_numpy(parameters[f"{shunt}.{n}"]) for n in names]
        compiled = function(tuple(population.symbols[n] for n in names), (expression,))
        return np.broadcast_to(compiled(np, *values)[0], voltage.shape)

    def current_of(self, shunt: str) -> sp.Expr:
        """The current g(v) of a shunt."""
        return self.system.populations[shunt].definitions["i"]


def _ends(system: System, line: str) -> tuple[End, End]:
    """The ends of a line.

    Raises
    ------
    CapabilityError
        It is not joined by `Line.links`.
    """
    found = []
    for into, left in (("from_left", True), ("from_right", False)):
        leaving = system.arriving(line, into)
        label = leaving[0].name.removesuffix(f"->{line}") if len(leaving) == 1 else ""
        arriving = system.couplings.get(f"{line}->{label}")
        if arriving is None:
            raise CapabilityError(f"line {line!r}: its ends are not found; join it by `Line.links`")
        side = arriving.into.removeprefix("b").removeprefix("_")
        found.append(End(line, left, arriving.target, side, leaving[0].name, arriving.name))
    return found[0], found[1]


def _is_shunt(population: Population) -> bool:
    """A conductance across two half-lines: a current that follows from the voltage alone."""
    current = population.definitions.get("i")
    if current is None or "v" not in population.constraints or not {"b_1", "b_2"} <= population.variables.keys():
        return False
    own = {population.symbols[name] for name in ("v", *population.role("parameter"))}
    return isinstance(current, sp.Expr) and current.free_symbols <= own


def _is_resistor(population: Population) -> bool:
    """The end of a line with nothing but a resistor and a source in it."""
    own = {"b", "dZ", "e", "R", "Zr"}
    return population.variables.keys() == own


def _returns(system: System, key: str) -> bool:
    """Whether weights also lead back, as a bank's do."""
    return any(isinstance(c.operator, Transposed) and c.key == key for c in system.couplings.values())


def _pair(x: Array, back: Array) -> Array:
    """<x, y^> of each line: the sum over batch and times, of phasors its real part."""
    return np.real(np.sum(x * back, axis=(0, 1)))


def _outer(x: Array, y: Array) -> Array:
    """(lines of x, lines of y), summed over batch and times."""
    return np.real(np.einsum("bti,btj->ij", x, y))


def _section(wave: Array, eta: Array) -> Array:
    """w(n) = x(n) - eta w(n - 1), line by line."""
    each = np.broadcast_to(eta, wave.shape[2:])
    from scipy.signal import lfilter  # loads half of scipy, which importing this package should not

    return np.stack([lfilter([1.0], [1.0, e], wave[..., k], axis=1) for k, e in enumerate(each)], axis=-1)


def _late(wave: Array, steps: int) -> Array:
    """The wave that many entries later, nothing before it began."""
    found = np.zeros_like(wave)
    found[:, steps:] = wave[:, : max(wave.shape[1] - steps, 0)]
    return found


def _reduced(values: Array, shape: tuple[int, ...]) -> Array:
    """The sum over the lines that share one value."""
    return values if values.shape == shape else np.reshape(np.sum(values), shape)
