"""Placing a System on a hardware profile: scales, ranges, bits, and a die whose mismatch is drawn once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann

from physnn import streams
from physnn.equations import Companion, Population, System, Variable, reflected
from physnn.errors import ParameterError, UnknownNameError
from physnn.substrate.converters import quantise
from physnn.substrate.profile_schema import Profile

OFFSET = "_offset"
_STEPS_PER_TIME_CONSTANT = 20


@dataclass(frozen=True)
class PlacedSystem:
    """A System on a profile, with its die. Model time is in units of `time_scale` seconds.

    Weights that are written go through range, bits, write noise and the die: `realise` says what the device then holds.
    """

    system: System
    profile: Profile
    seed: int
    """of the die and of all noise"""
    step: float
    """time step of runs [s, model time]"""
    device: str = "cpu"
    """where a simulator computes: "cpu" or "cuda"; it changes neither the physics nor the bill"""
    mismatched: bool = True
    """False for a twin: the same System placed without the die"""
    _companions: dict[str, Companion] = field(default_factory=dict, repr=False, compare=False)

    @property
    def time_scale(self) -> float:
        """Physical seconds per second of model time."""
        constant = self.profile.medium.time_constant
        return constant.value if constant else 1.0

    def twin(self) -> PlacedSystem:
        """The same System placed without the die."""
        return replace(self, mismatched=False, _companions={})

    def companion(self, transport: str) -> Companion:
        """The reflected System, made once for each kind of transport."""
        if transport not in self._companions:
            self._companions[transport] = reflected(self.system, transport)
        return self._companions[transport]

    @cached_property
    def weight_keys(self) -> frozenset[str]:
        """Parameter keys that are coupling weights."""
        return frozenset(c.key for c in self.system.couplings.values())

    def die(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Factor between what is programmed and what the device has, drawn once for each parameter of this die."""
        population = self.system.populations.get(key.partition(".")[0])
        is_weight = key in self.weight_keys or population is None
        spread = self.profile.mismatch.weight if is_weight else self.profile.mismatch.gain
        passive = population is not None and not is_weight and not (population.dynamic or population.constraints)
        if not self.mismatched or spread is None or not spread.value or passive or key.endswith(OFFSET):
            return np.ones(shape)
        return 1.0 + spread.value * streams.normal(self.seed, key, "die", shape)

    def realise(self, parameters: Mapping[str, NDArray], writes: int = 0, *, noise: bool = True) -> dict[str, NDArray]:
        """What the device holds after `parameters` are written to it for the `writes`-th time.

        Weights are clipped to the profile's range, rounded to its bits, disturbed by its write noise, and multiplied by
        the die's factors; other parameters are multiplied by theirs. `noise=False` leaves the write noise out.
        """
        held = {}
        for key, value in parameters.items():
            values = np.asarray(value, dtype=np.result_type(value, np.float64))
            if not np.all(np.isfinite(values)):
                raise ParameterError(f"parameter {key!r} has a value that is not finite; it cannot be written")
            programmed = self._programmed(key, values, writes, noise) if self._is_weight(key) else values
            held[key] = programmed * self.die(key, values.shape)
        return held

    def _is_weight(self, key: str) -> bool:
        return key in self.weight_keys or key.endswith(".feedback")

    def _programmed(self, key: str, values: NDArray, writes: int, noisy: bool) -> NDArray:
        full_scale, precision = self.profile.range.weight, self.profile.precision
        if full_scale is None:
            return values
        written = quantise(values, precision.weight_bits if precision else None, full_scale.value)
        noise = self.profile.noise.write
        if not noisy or noise is None or not noise.value:
            return written
        return written + noise.value * full_scale.value * streams.normal(self.seed, key, "write", values.shape, step=writes)

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
        The step is not above 0.
    UnknownNameError
        The device is neither.
    """
    if device not in ("cpu", "cuda"):
        raise UnknownNameError("device", device, ("cpu", "cuda"))
    if step is None:
        step = _default_step(system)
    if not (math.isfinite(step) and step > 0):
        raise ParameterError(f"time step {step} s must be finite and above 0")
    offset = profile.mismatch.offset
    if offset is not None and offset.value:
        full_scale = profile.range.signal.value if profile.range.signal else 1.0
        system = with_offsets(system, offset.value * full_scale, seed)
    return PlacedSystem(system, profile, seed, step, device)


def with_offsets(system: System, spread: float, seed: int) -> System:
    """The System with a fixed offset added to every arriving wave, drawn once: normal, standard deviation `spread`."""
    populations = [_offset(p, spread, seed) for p in system.populations.values()]
    return System.of(populations, system.couplings.values(), system.inputs, system.outputs, derived=system.derived)


def _offset(population: Population, spread: float, seed: int) -> Population:
    arrivals = population.role("arrival")
    if not arrivals:
        return population
    variables, values, moved = dict(population.variables), dict(population.values), {}
    for arrival in arrivals:
        extra = Variable(arrival + OFFSET, "parameter", population.variables[arrival].unit)
        key = f"{population.name}.{extra.name}"
        variables[extra.name] = extra
        values[extra.name] = spread * streams.normal(seed, key, "die", population.shape)
        moved[population.symbols[arrival]] = population.symbols[arrival] + extra.symbol
    return replace(
        population, variables=variables, values=values, text=population.text + "+offsets",
        flows={k: v.xreplace(moved) for k, v in population.flows.items()},
        maps={k: v.xreplace(moved) for k, v in population.maps.items()},
        constraints={k: v.xreplace(moved) for k, v in population.constraints.items()},
    )  # fmt: skip


def _default_step(system: System) -> float:
    constants = [
        float(np.min(population.values[name]))
        for population in system.populations.values()
        for name in population.role("parameter")
        if population.variables[name].unit == "s" and np.min(population.values[name]) > 0
    ]
    return min(constants, default=1.0) / _STEPS_PER_TIME_CONSTANT
