"""Native reflection on a carrier: phasors of a passive network, and the field driven into its outputs.

All linear parts are taken at one frequency from the System itself (`frequency_response`), with the shunts' currents as
sources; the shunts follow by first-harmonic balance. With v(t) = Re(V e^(j w t)),

    I      = 2 <g(v) e^(-j w t)>                              drawn by a shunt
    dI     = alpha dV + beta dV*,   alpha = <g'(v)>,   beta = <g'(v) e^(-2 j w t)>
    field^ : J = conj(dL/dRe v + j dL/dIm v), the phase conjugate, injected at the loads; shunts with alpha, conj(beta)

A shunt under a strong carrier has a conductance that swings at twice the frequency, and the second field needs that
swing backwards in time: conj(beta). By itself a shunt under the same carrier offers beta. Hence the labels: native for
linear networks and weak carriers, twin-assisted (a shunt that keeps g'(v(t)) for one period) otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.analysis import DelayedLoops, frequency_response
from physnn.equations import Output, Population, System
from physnn.errors import CapabilityError, NumericsError, ParameterError, ShapeError, UnknownNameError
from physnn.learning.native_fields import Field, PassiveNetwork
from physnn.media.impedances.line import REFERENCE
from physnn.media.impedances.shunt import MEETING

Array = NDArray[Any]
ELEMENTS = ("stored", "pumped", "mean", "static")
"""What a shunt is to the second field: its conductance backwards, as the carrier swings it, its mean, or I/V alone."""
_STEPS, _HALVINGS = 100, 60
_SMALL = 1e-13
"""of the largest voltage, at which Newton's method is done"""


class CarrierNetwork:
    """A passive network at one frequency.

    Parameters
    ----------
    system : System
        With a generator in each load (`with_way_back`). Constant sources are left out: the carrier alone flows.
    omega : float
        [rad/s], above 0.
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    step : float, optional
        [s]. Where given, of the System as it is stepped; without, delays are exact, and sections for fractions refused.

    Raises
    ------
    ParameterError
        The frequency is not above 0, or the step does not take more than two samples of a period.
    UnknownNameError, ShapeError
        A parameter that the System does not have, or of another shape.
    CapabilityError
        Something other than the shunts is nonlinear, or a shunt's current is not an odd function: it would rectify.
    """

    def __init__(
        self, system: System, omega: float, parameters: Mapping[str, Any] | None = None, *, step: float | None = None
    ) -> None:
        if not (np.isfinite(omega) and omega > 0):
            raise ParameterError(f"a carrier of {omega} rad/s; it must be finite and above 0")
        if step is not None and not 0 < omega * step < np.pi:
            raise ParameterError(
                f"a carrier of {omega} rad/s in steps of {step} s; the product must lie between 0 and pi: more than "
                "two steps a period"
            )
        self.network, self.omega, self.step = PassiveNetwork(system), omega, step
        self.parameters = {**system.parameters, **_known(system, parameters or {})}
        self._check_shunts()
        self._sizes = {name: system.populations[name].shape[0] for name in self.network.shunts}
        self._responses = self._linear(system)

    def incident(self, drives: Mapping[str, Array]) -> Field:
        """The waves for phasors [V] at the input ports, (batch, lines) each.

        Raises
        ------
        NumericsError
            No balance of the shunts was found.
        UnknownNameError, ShapeError, ParameterError
            Of drives: no such port, not one phasor a sample and line, or not finite.
        """
        drives = self._checked(drives)
        return self._filled(drives, self._balanced(self._open(drives)))

    def reflected(self, incident: Field, drives: Mapping[str, Array], element: str = "stored") -> Field:
        """The waves of the second field, about the incident one.

        Parameters
        ----------
        drives : mapping
            Input port -> phasor [V], (batch, lines): J R_L at the port of the loads' generators; ports that are left
            out are silent, here and in `incident`.
        element : str
            What shunts are to it: "stored" (conj(beta)), "pumped" (beta), "mean" (alpha alone), "static" (I/V, where
            there is no voltage its limit g'(0)).

        Raises
        ------
        UnknownNameError, ShapeError, ParameterError
        """
        drives = self._checked(drives)
        if element not in ELEMENTS:
            raise UnknownNameError("element of the second field", element, ELEMENTS)
        if not self.network.shunts:
            return self._filled(drives, None)
        voltage = self._at_shunts(incident)
        alpha, beta = self._slopes(voltage)
        if element == "static":
            silent = voltage == 0
            alpha = np.where(silent, alpha, self._drawn(voltage) / np.where(silent, 1.0, voltage))
        swing = {"stored": np.conj(beta), "pumped": beta}.get(element, np.zeros_like(beta))
        opened, through = self._open(drives), self._responses_of_shunts()
        back = np.stack([_solved(through, *each) for each in zip(alpha, swing, opened, strict=True)])
        return self._filled(drives, alpha * back + swing * np.conj(back))

    def gradient(self, incident: Field, reflected: Field) -> dict[str, Array]:
        """dL/d parameter for all that is trained, and 'LINE.delay' for the whole delay of each line."""
        found = self.network.gradient(self.parameters, incident, reflected, self.step, self.omega)
        delays = {
            f"{line}.delay": np.asarray(self.network.delay(line, self.parameters, incident, reflected, self.omega))
            for line in self.network.lines
        }
        return found | delays

    def generators(self, load: str, slopes: Array) -> Array:
        """J R_L [V] of the loads' generators from dL/dRe v + j dL/dIm v: the phase conjugate."""
        return np.conj(slopes) * np.asarray(self.parameters[f"{load}.R"])

    def _check_shunts(self) -> None:
        held = {name for names in DelayedLoops(self.network.system).nonlinear.values() for name in names}
        for name in sorted(held - set(self.network.shunts)):
            raise CapabilityError(
                f"population {name!r} is not linear, and no current of a conductance between two lines: its harmonics "
                "are not balanced; run the network in time"
            )
        for name in self.network.shunts:
            current, voltage = self.network.current_of(name), self.network.system.populations[name].symbols["v"]
            if sp.simplify(current + current.subs(voltage, -voltage)) != 0:
                raise CapabilityError(
                    f"shunt {name!r} has a current that is not an odd function of the voltage: a carrier makes it "
                    "rectify, which one harmonic does not describe; run the network in time"
                )

    def _checked(self, drives: Mapping[str, Array]) -> dict[str, Array]:
        """Phasors at the ports, (batch, lines) each.

        Raises
        ------
        UnknownNameError, ShapeError, ParameterError
        """
        system, found = self.network.system, {name: np.asarray(given) for name, given in drives.items()}
        if not found:
            raise ParameterError(f"no input port is driven; give phasors for one of {', '.join(system.inputs)}")
        batch = next((given.shape[0] for given in found.values() if given.ndim == 2), 1)
        for name, given in found.items():
            if name not in system.inputs:
                raise UnknownNameError("input port", name, list(system.inputs))
            width = self._shape(system.inputs[name].population)[0]
            if given.shape != (batch, width):
                raise ShapeError(
                    f"input port {name!r}: phasors of shape {given.shape}; {(batch, width)} is needed, samples by lines"
                )
            if not np.all(np.isfinite(given)):
                raise ParameterError(f"input port {name!r}: a phasor is not finite")
        return found

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.network.system.populations[name].shape

    def _linear(self, system: System) -> dict[str, dict[tuple[str, bool, bool], Array]]:
        """Source -> (line, whether left, whether it enters) -> response (lines, elements of the source)."""
        opened = {n: _opened(p) if n in self.network.shunts else p for n, p in system.populations.items()}
        outputs, places = {}, {}
        for key, end in self.network.ends.items():
            for coupling, enters in ((end.leaving, True), (end.arriving, False)):
                port = f"{end.line} {key[1]} {enters}"
                outputs[port] = Output(system.couplings[coupling].source, system.signals[coupling])
                places[port] = (*key, enters)
        cut = replace(system, populations=opened, outputs=outputs, derived=True)
        keys = cut.parameters.keys() | {c.key for c in cut.couplings.values()}
        given = {key: value for key, value in self.parameters.items() if key in keys}
        found: dict[str, dict[tuple[str, bool, bool], Array]] = {}
        sources = {**{port: port for port in system.inputs}, **{n: f"{n}.j" for n in self.network.shunts}}
        names = list(outputs)
        widths = [self._shape(places[port][0])[0] for port in names]
        whole = frequency_response(cut, list(sources.values()), names, self.omega, given, step=self.step)
        column = 0
        for name in sources:
            place = system.inputs.get(name)
            width = system.populations[place.population if place else name].shape[0]
            block, row = whole[:, column : column + width], 0
            found[name] = {}
            for port, size in zip(names, widths, strict=True):
                found[name][places[port]] = block[row : row + size]
                row += size
            column += width
        return found

    def _filled(self, drives: Mapping[str, Array], currents: Array | None) -> Field:
        """All waves, from what drives the ports and what the shunts draw, (batch, shunts)."""
        sources = dict(drives)
        if currents is not None:
            stops = np.cumsum(list(self._sizes.values()))[:-1]
            sources |= dict(zip(self._sizes, np.split(currents, stops, axis=1), strict=True))
        waves: dict[tuple[str, bool, bool], Array] = {}
        for name, phasors in sources.items():
            for place, response in self._responses[name].items():
                arrived = (np.asarray(phasors) @ response.T)[:, None, :]
                waves[place] = waves[place] + arrived if place in waves else arrived
        return Field(
            {place[:2]: wave for place, wave in waves.items() if place[2]},
            {place[:2]: wave for place, wave in waves.items() if not place[2]},
        )

    def _at_shunts(self, field: Field) -> Array:
        """Voltages at all shunts, (batch, shunts)."""
        return np.concatenate([self.network.voltage(field, n, "1")[:, 0] for n in self._sizes], axis=1)

    def _open(self, drives: Mapping[str, Array]) -> Array:
        """Voltages at the shunts if they drew nothing."""
        if not self._sizes:
            return np.zeros((next(iter(drives.values())).shape[0], 0), complex)
        return self._at_shunts(self._filled(drives, None))

    def _responses_of_shunts(self) -> Array:
        """Voltage at each shunt by the current that each draws, (shunts, shunts)."""
        count = sum(self._sizes.values())
        return self._at_shunts(self._filled({}, np.eye(count))).T

    def _drawn(self, voltage: Array) -> Array:
        """First harmonic of the current of each shunt, (batch, shunts)."""
        return self._each(
            lambda name, v: self.network.followed(name, self.network.current_of(name), self.parameters, v)
        )(voltage)

    def _slopes(self, voltage: Array) -> tuple[Array, Array]:
        """alpha and beta of each shunt, (batch, shunts)."""

        def mean(harmonic: int) -> Any:
            def of(name: str, v: Array) -> Array:
                slope = self.network.current_of(name).diff(self.network.system.populations[name].symbols["v"])
                return self.network.over_period(name, slope, self.parameters, v, harmonic)

            return self._each(of)

        return mean(0)(voltage), mean(2)(voltage)

    def _each(self, of: Any) -> Any:
        """A function of a shunt's name and voltages (batch, 1, lines), for all shunts side by side."""
        stops = np.cumsum(list(self._sizes.values()))[:-1]

        def every(voltage: Array) -> Array:
            parts = np.split(np.asarray(voltage, dtype=complex), stops, axis=1)
            return np.concatenate([of(n, v[:, None])[:, 0] for n, v in zip(self._sizes, parts, strict=True)], axis=1)

        return every

    def _balanced(self, opened: Array) -> Array | None:
        """Currents of the shunts: V = V_open + Z I(V), by Newton's method with shortened steps.

        Raises
        ------
        NumericsError
        """
        if not self._sizes:
            return None
        through = self._responses_of_shunts()
        voltage = np.zeros_like(opened)
        left = opened + self._drawn(voltage) @ through.T - voltage
        for _ in range(_STEPS):
            alpha, beta = self._slopes(voltage)
            step = np.stack([_solved(through, *each) for each in zip(alpha, beta, left, strict=True)])
            size, share = np.linalg.norm(left, axis=1), np.ones((len(left), 1))
            for _ in range(_HALVINGS):
                with np.errstate(over="ignore", invalid="ignore"):
                    tried = voltage + share * step
                    rest = opened + self._drawn(tried) @ through.T - tried
                    worse = ~(np.linalg.norm(rest, axis=1) < size) & (share[:, 0] > 2.0**-_HALVINGS)
                if not np.any(worse & (np.linalg.norm(share * step, axis=1) > _SMALL * np.max(np.abs(opened)))):
                    break
                share[worse] /= 2
            voltage, left = tried, rest
            if np.max(np.abs(share * step)) <= _SMALL * np.max(np.abs(opened), initial=1e-300):
                return self._drawn(voltage)
        raise NumericsError(
            f"the shunts found no balance at {self.omega} rad/s in {_STEPS} steps; lower the drive, or run it in time"
        )


def _known(system: System, parameters: Mapping[str, Any]) -> dict[str, Array]:
    """Parameters in place of a System's own.

    Raises
    ------
    UnknownNameError, ShapeError
    """
    found = {}
    for key, value in parameters.items():
        if key not in system.parameters:
            raise UnknownNameError("parameter", key, list(system.parameters))
        found[key], wanted = np.asarray(value), np.shape(system.parameters[key])
        if found[key].shape != wanted:
            raise ShapeError(f"parameter {key!r}: shape {found[key].shape}; {wanted} is needed")
    return found


def _solved(through: Array, alpha: Array, swing: Array, right: Array) -> Array:
    """V with V - Z (alpha V + swing V*) = right, as real and imaginary parts."""
    plain, mirrored = np.eye(len(right)) - through * alpha, -through * swing
    whole = np.block(
        [
            [np.real(plain + mirrored), -np.imag(plain - mirrored)],
            [np.imag(plain + mirrored), np.real(plain - mirrored)],
        ]
    )
    found = np.linalg.solve(whole, np.concatenate([np.real(right), np.imag(right)]))
    return found[: len(right)] + 1j * found[len(right) :]


def _opened(shunt: Population) -> Population:
    """The place of a shunt, with a source of current in its stead."""
    text = "j : A (input)\n" + MEETING.format(current="j")
    return Population.from_text(shunt.name, shunt.shape, text, {"Zr": REFERENCE})
