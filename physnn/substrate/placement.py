"""Placing a System on a hardware profile: scales, ranges, bits, line delays, and a die whose mismatch is drawn once."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann

from physnn import streams
from physnn.equations import Companion, System, dimensions, reflected
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.substrate.converters import quantise
from physnn.substrate.device_equations import devices, with_line_delays, with_offsets, with_own_values
from physnn.substrate.mesh_dies import MeshDies
from physnn.substrate.profile_schema import Profile
from physnn.substrate.stability import Stability

_STEPS_PER_TIME_CONSTANT = 20
_IMPEDANCES = ("ohm", "F", "H", "S")
"""units of what stores or draws energy; not above 0 it would deliver it"""
_MARGIN = 1e-3
"""part of a bound, or absolute where it is 0, by which a value may fall short: differences are measured across it"""


@dataclass(frozen=True)
class PlacedSystem:
    """A System on a profile, with its die. Model time is in units of `time_scale` seconds.

    Weights that are written go through range, bits, write noise and the die: `realise` says what the device then holds.
    """

    system: System
    """with the profile's line delays in its couplings, and a parameter for the offset of every arrival"""
    profile: Profile
    seed: int
    """of the die and of all noise"""
    step: float
    """time step of runs [s, model time]"""
    device: str = "cpu"
    """where a simulator computes: "cpu" or "cuda"; it changes neither the physics nor the bill"""
    mismatched: bool = True
    """False for a twin: the same System placed without the die"""
    offsets: frozenset[str] = frozenset()
    """parameter keys of the arrivals' offsets: zero as described, drawn with the die"""
    origin: str = ""
    """fingerprint of the System as it was described, the same on every profile"""
    _companions: dict[tuple[str, tuple[str, ...], bool], Companion] = field(
        default_factory=dict, repr=False, compare=False
    )
    _die: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def time_scale(self) -> float:
        """Physical seconds per second of model time."""
        constant = self.profile.medium.time_constant
        return constant.value if constant else 1.0

    @property
    def line_delay(self) -> float:
        """What a line adds to its coupling's own delay [s, model time]; in `system` it is rounded to whole steps."""
        return _line_delay(self.profile)

    def steps(self, duration: float) -> int:
        """A duration [s, model time] as a number of steps, rounded.

        Raises
        ------
        ParameterError
            It is negative or not finite.
        """
        if not (math.isfinite(duration) and duration >= 0):
            raise ParameterError(f"duration {duration} s must be finite and at least 0")
        return round(duration / self.step)

    def twin(self) -> PlacedSystem:
        """The same System placed without the die."""
        return replace(self, mismatched=False, _companions={}, _die={})

    def companion(self, transport: str, inputs: tuple[str, ...] = (), *, discrete: bool = False) -> Companion:
        """The reflected System, made once for each kind of transport and set of input ports.

        With `discrete`, of the steps that the populations' integrators take: the exact adjoint of a simulator's run.
        Parameters, ports and the waves that gradients correlate have the same names in both.
        """
        system = self.system.discrete if discrete else self.system
        kind = transport, inputs, system is not self.system
        if kind not in self._companions:
            self._companions[kind] = reflected(system, transport, inputs)
        return self._companions[kind]

    def check_record(self, record: Collection[str] | None) -> None:
        """Names of fields, couplings and output ports that a run is asked to keep.

        Raises
        ------
        UnknownNameError
        """
        for name in record or ():
            population = name.rpartition(".")[0]
            known = [*self.system.outputs, *self.system.couplings]
            if population in self.system.populations:
                known += [f"{population}.{own}" for own in self.system.populations[population].variables]
            if name not in known:
                raise UnknownNameError("output port, field or coupling", name, known)

    @cached_property
    def weight_keys(self) -> frozenset[str]:
        """Parameter keys of coupling weights that are devices."""
        return frozenset(c.key for c in self.system.couplings.values() if not c.constant)

    @cached_property
    def _constants(self) -> frozenset[str]:
        """Parameter keys of coupling weights that are no devices."""
        return frozenset(c.key for c in self.system.couplings.values() if c.constant)

    @cached_property
    def stability(self) -> Stability:
        """Judges the damping of the System's media."""
        return Stability(self.system)

    @cached_property
    def meshes(self) -> MeshDies | None:
        """What the die makes of interferometers; None where the profile knows of none."""
        return MeshDies.of(self.system, self.profile, self.seed, mismatched=self.mismatched)

    def completed(self, new: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters to realise when `new` are written after `written`: heaters of one mesh turn each other."""
        return dict(new) if self.meshes is None else self.meshes.completed(new, written)

    @cached_property
    def exact(self) -> bool:
        """Whether the device holds what is written, number for number."""
        profile, mismatch = self.profile, self.profile.mismatch
        drawn = any(spread is not None and spread.value for spread in (mismatch.weight, mismatch.gain, mismatch.offset))
        acts = self.meshes is not None and bool(self.meshes.keys)
        return profile.range.weight is None and not (self.mismatched and drawn) and not acts

    def check_write(self, parameters: Mapping[str, Any]) -> None:
        """Names, shapes and bounds of parameters that are to be written.

        Raises
        ------
        UnknownNameError, ShapeError
        ParameterError
            A value is below what its parameter may not fall below, or an impedance that was above 0 is not.
        """
        known = self.system.parameters
        for key, value in parameters.items():
            if key not in known:
                raise UnknownNameError("parameter", key, known)
            given = tuple(getattr(value, "shape", np.shape(value)))
            if given != known[key].shape:
                raise ShapeError(f"parameter {key!r} has shape {given}; the System needs {known[key].shape}")
            if key in self.bounds:
                self._check_bound(key, value)

    @cached_property
    def bounds(self) -> Mapping[str, float]:
        """Parameter key -> what a written value must be at least; 0 stands for above 0.

        Those that declare it, and impedances: what has a unit of ohm, F, H or S and is above 0 as described.
        """
        found: dict[str, float] = {}
        impedances = [dimensions.dimension(unit) for unit in _IMPEDANCES]
        for population in self.system.populations.values():
            for name in population.role("parameter"):
                variable, value = population.variables[name], population.values.get(name)
                if variable.least is not None:
                    found[f"{population.name}.{name}"] = variable.least
                elif not variable.complex and value is not None and np.all(value > 0):
                    if population.dimensions[variable.symbol] in impedances:
                        found[f"{population.name}.{name}"] = 0.0
        return found

    def _check_bound(self, key: str, value: Any) -> None:
        population, _, name = key.partition(".")
        variable, least = self.system.populations[population].variables[name], self.bounds[key]
        values = value if hasattr(value, "shape") else np.asarray(value)
        if variable.least is None:
            if bool((values <= 0).any()):
                raise ParameterError(
                    f"parameter {key!r}: a value of 0 {variable.unit} or below would make a passive element active; "
                    "write values above 0"
                )
        elif bool((values < least - _MARGIN * (abs(least) or 1.0)).any()):
            raise ParameterError(
                f"parameter {key!r}: a value is below {least:g} {variable.unit}, which it may not fall below; "
                "write values from there on"
            )

    def die(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Factor between what is programmed and what the device has, drawn once for each parameter of this die."""
        if key not in self._die:
            spread = self._spread(key)
            self._die[key] = 1.0 + spread * streams.normal(self.seed, key, "die", shape) if spread else np.ones(shape)
        return self._die[key]

    def _spread(self, key: str) -> float:
        """Relative standard deviation of a parameter between devices."""
        mismatch = self.profile.mismatch
        spread = mismatch.weight if self._is_weight(key) else mismatch.gain
        if not self.mismatched or spread is None or key in self.offsets or key in self._constants:
            return 0.0
        if self._is_weight(key):
            return spread.value
        if self.meshes is not None and key in self.meshes.keys:
            return 0.0
        population, _, name = key.partition(".")
        return spread.value if name in devices(self.system.populations[population]) else 0.0

    def _offset(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float64] | float:
        """What the die adds to a parameter."""
        spread, full_scale = self.profile.mismatch.offset, self.profile.range.signal
        if not self.mismatched or spread is None or key not in self.offsets:
            return 0.0
        return spread.value * (full_scale.value if full_scale else 1.0) * streams.normal(self.seed, key, "die", shape)

    def realise(self, parameters: Mapping[str, NDArray], writes: int = 0, *, noise: bool = True) -> dict[str, NDArray]:
        """What the device holds after `parameters` are written to it for the `writes`-th time.

        Weights are clipped to the profile's range, rounded to its bits, disturbed by its write noise, and multiplied by
        the die's factors; other parameters are multiplied by theirs; interferometers err in their own way (`meshes`).
        `noise=False` leaves the write noise out.

        Raises
        ------
        ParameterError
            A value is not finite.
        """
        held = {}
        for key, value in parameters.items():
            values = np.asarray(value, dtype=np.result_type(value, np.float64))
            if not np.isfinite(values).all():
                raise ParameterError(f"parameter {key!r} has a value that is not finite; it cannot be written")
            held[key] = self._programmed(values) if self._is_weight(key) else values
        for key, error in (self._write_noise(held, writes) if noise else {}).items():
            held[key] = held[key] + error
        made = {key: of * self.die(key, of.shape) + self._offset(key, of.shape) for key, of in held.items()}
        return made if self.meshes is None else made | self.meshes.held(made)

    def decay(
        self, held: Mapping[str, Any], ages: Mapping[str, float], seconds: float
    ) -> dict[str, NDArray[np.float64]]:
        """Factors by which weights shrink while `seconds` pass, `ages` [s] after each was programmed.

        The power law of the profile's drift, with an exponent for every weight that belongs to the die: a trajectory,
        not a draw. Weights that do not drift are left out.

        Raises
        ------
        ParameterError
            The time is negative or not finite.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ParameterError(f"waiting {seconds} s: the time must be finite and at least 0")
        drift = self.profile.drift
        if drift.exponent is None or drift.reference is None:
            return {}
        spread = drift.exponent_spread.value if drift.exponent_spread and self.mismatched else 0.0
        factors = {}
        for key in filter(self._is_weight, held):
            draw = streams.normal(self.seed, key, "drift", tuple(held[key].shape))
            before = ages.get(key, 0.0) + drift.reference.value
            exponent = np.maximum(drift.exponent.value + spread * draw, 0.0)
            factors[key] = ((before + seconds) / before) ** -exponent
        return factors

    def _is_weight(self, key: str) -> bool:
        return key in self.weight_keys or key.endswith(".feedback")

    def _programmed(self, values: NDArray) -> NDArray:
        full_scale, precision = self.profile.range.weight, self.profile.precision
        if full_scale is None:
            return values
        return quantise(values, precision.weight_bits if precision else None, full_scale.value)

    def _write_noise(self, values: Mapping[str, NDArray], writes: int) -> dict[str, NDArray[np.float64]]:
        """Errors of the `writes`-th write. All couplings share one draw, in which each has its place."""
        full_scale, noise = self.profile.range.weight, self.profile.noise.write
        if full_scale is None or noise is None or not noise.value:
            return {}
        rms = noise.value * full_scale.value
        own = [key for key in values if key in self._places]
        found = {
            key: rms * streams.normal(self.seed, key, "write", values[key].shape, step=writes)
            for key in values
            if self._is_weight(key) and key not in self._places
        }
        if own:
            last = max(self._places[key].stop for key in own)
            errors = rms * streams.normal(self.seed, "weights", "write", (last,), step=writes)
            found |= {key: errors[self._places[key]].reshape(values[key].shape) for key in own}
        return found

    @cached_property
    def _places(self) -> dict[str, slice]:
        """Where the weights of each coupling are, were all weights put in a row."""
        places: dict[str, slice] = {}
        end = 0
        for coupling in self.system.couplings.values():
            if coupling.key not in places and not coupling.constant:
                start, end = end, end + math.prod(coupling.operator.weight_shape)
                places[coupling.key] = slice(start, end)
        return places

    def feedback(self, companion: Companion) -> dict[str, NDArray]:
        """Fixed weights of a companion's own feedback paths: normal, standard deviation 1/sqrt(elements fed)."""
        return {
            key: streams.normal(self.seed, key, "feedback", shape) / np.sqrt(shape[0])
            for key, shape in companion.feedback.items()
        }

    def detector_noise(self, impedance: float | None = None) -> float:
        """Rms noise of a detected wave, in model units: read noise and Johnson noise sqrt(4 k T R B) added in power.

        `impedance` is that of the arriving lines [ohm]; the profile's where not given. A wave whose amplitude is
        counted in W^(1/2) carries k T B, whatever its impedance.
        """
        noise, full_scale = self.profile.noise, self.profile.range.signal
        read = noise.read.value * (full_scale.value if full_scale else 1.0) if noise.read else 0.0
        resistance = impedance or (noise.impedance.value if noise.impedance else None)
        if not (noise.temperature and noise.bandwidth and noise.amplitude and resistance):
            return read
        power = Boltzmann * noise.temperature.value * noise.bandwidth.value
        rms = math.sqrt(4 * power * resistance) if noise.amplitude.unit == "V" else math.sqrt(power)
        return math.hypot(read, rms / noise.amplitude.value)


def place(
    system: System, profile: Profile, *, seed: int = 0, step: float | None = None, device: str = "cpu"
) -> PlacedSystem:
    """Put a System on a profile.

    Parameters
    ----------
    system : System
    profile : Profile
    seed : int
        Seed of the die (mismatch) and of all noise.
    step : float, optional
        Time step of runs [s, model time]; a twentieth of the shortest time constant where not given.
    device : str
        "cpu" or "cuda".

    Raises
    ------
    ParameterError
        The step is not above 0, or a medium's damping or the gain of a loop with delays makes it unstable on this die.
    UnknownNameError
        The device is neither.
    """
    if device not in ("cpu", "cuda"):
        raise UnknownNameError("device", device, ("cpu", "cuda"))
    step = float(_default_step(system) if step is None else step)
    if not (math.isfinite(step) and step > 0):
        raise ParameterError(f"time step {step} s must be finite and above 0")
    offsets: frozenset[str] = frozenset()
    origin = system.fingerprint
    if profile.mismatch.offset is not None and profile.mismatch.offset.value:
        system, offsets = with_offsets(system)
    if profile.mismatch.gain is not None and profile.mismatch.gain.value:
        system = with_own_values(system)
    system = with_line_delays(system, round(_line_delay(profile) / step) * step)
    placed = PlacedSystem(system, profile, seed, step, device, offsets=offsets, origin=origin)
    placed.stability.check(system.parameters)
    own = {key: value for key, value in system.parameters.items() if key not in placed.weight_keys}
    placed.stability.check(placed.realise(own))
    if placed.stability.loops.linear:
        placed.stability.loops.check(step, placed.realise(system.parameters, noise=False))
    return placed


def _line_delay(profile: Profile) -> float:
    """Of one line [s, model time]."""
    line, constant = profile.medium.line_delay, profile.medium.time_constant
    return line.value / (constant.value if constant else 1.0) if line else 0.0


def _default_step(system: System) -> float:
    constants = [
        float(np.min(population.values[name]))
        for population in system.populations.values()
        for name in population.role("parameter")
        if population.dimensions[population.symbols[name]] == dimensions.dimension("s")
    ]
    return min((c for c in constants if c > 0), default=1.0) / _STEPS_PER_TIME_CONSTANT
