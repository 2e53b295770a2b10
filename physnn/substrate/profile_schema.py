"""The schema of a hardware profile: which tables a file may have, what each number means, in which unit it is kept.

Top level: ``name`` (the file's stem), ``title``, ``kind`` (ideal, processor, event, analog), ``backends`` (the
first is the default), ``year``, ``node``, ``description``, ``in_place``, ``not_counted``, ``included`` (counts and
devices that need no price of their own, each with the reason). Tables: ``energy``, ``power``, ``time``, ``rate``,
``precision``, ``range``, ``noise``, ``mismatch``, ``drift``, ``medium``, ``mesh``, ``cells``, ``limits``, ``spiking``.
Every entry of a table is a :class:`~physnn.substrate.profile_quantity.Quantity`; only the bits and the dtype of
``precision`` and the settings of ``spiking`` are plain, with one ``source`` for the table. A table or entry that is
left out is absent, never zero: what acts in the simulation is then ideal, and what must be
priced is an error when it is priced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from physnn.errors import nearest
from physnn.substrate.profile_quantity import Quantity, Text, unit
from physnn.toml_reading import Fault, FaultsError

Joule = Annotated[Quantity, AfterValidator(unit("J"))]
Watt = Annotated[Quantity, AfterValidator(unit("W"))]
PositiveWatt = Annotated[Quantity, AfterValidator(unit("W", positive=True))]
Second = Annotated[Quantity, AfterValidator(unit("s"))]
PositiveSecond = Annotated[Quantity, AfterValidator(unit("s", positive=True))]
OperationRate = Annotated[Quantity, AfterValidator(unit("flop/s", positive=True))]
ByteRate = Annotated[Quantity, AfterValidator(unit("byte/s", positive=True))]
Decibel = Annotated[Quantity, AfterValidator(unit("dB"))]
Ratio = Annotated[Quantity, AfterValidator(unit("1"))]
PositiveRatio = Annotated[Quantity, AfterValidator(unit("1", positive=True))]
Fraction = Annotated[Quantity, AfterValidator(unit("1", at_most=1.0))]
PositiveFraction = Annotated[Quantity, AfterValidator(unit("1", positive=True, at_most=1.0))]
Kelvin = Annotated[Quantity, AfterValidator(unit("K", positive=True))]
Hertz = Annotated[Quantity, AfterValidator(unit("Hz", positive=True))]
Ohm = Annotated[Quantity, AfterValidator(unit("ohm", positive=True))]
Amplitude = Annotated[Quantity, AfterValidator(unit("V", "W**0.5", positive=True))]
Bits = Annotated[StrictInt, Field(ge=1, le=64)]


_HOST_KEYS = ("host_mac", "host_elementwise", "host_kernel")
ENERGY_KEYS = {
    "ideal": (),
    "processor": (),
    "analog": ("dac", "adc", "repeater", "weight_write", *_HOST_KEYS),
    "event": (
        *("synop", "neuron_update_active", "neuron_update_idle", "spike", "spike_hop", "weight_update"),
        *_HOST_KEYS,
    ),
}
"""Counts with an energy each, by kind. A processor has none: its all-in power times its time is the whole bill."""


class Section(BaseModel):
    """One table of a profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """(key, quantity) of every number that the file gives."""
        for key in type(self).model_fields:
            entry = getattr(self, key)
            if isinstance(entry, Quantity):
                yield key, entry


class EnergySection(Section):
    """``[energy]``: energy per count [J]; the keys are counts of the meters, :data:`ENERGY_KEYS` those of each kind."""

    dac: Joule | None = None
    """One conversion, with the driver or modulator behind it."""
    adc: Joule | None = None
    repeater: Joule | None = None
    """One use of an active element, beyond its standing power."""
    weight_write: Joule | None = None
    """One physical weight programmed, beyond the standing power while it settles."""
    synop: Joule | None = None
    neuron_update_active: Joule | None = None
    neuron_update_idle: Joule | None = None
    spike: Joule | None = None
    spike_hop: Joule | None = None
    weight_update: Joule | None = None
    """One on-chip plasticity update of one synapse."""
    host_mac: Joule | None = None
    host_elementwise: Joule | None = None
    host_kernel: Joule | None = None
    """One array operation of the host, from the call to its start."""


class PowerSection(Section):
    """``[power]``: standing power [W], of the whole target or of one device of the inventory."""

    static: Watt | None = None
    """Analog: the whole target while it is on; event: one chip."""
    idle: Watt | None = None
    """Processor that waits, all in."""
    busy: Watt | None = None
    """Processor that computes, all in."""
    host: Watt | None = None
    """Host electronics that must be on while the target runs."""
    repeater: Watt | None = None
    line: Watt | None = None
    weight: Watt | None = None
    input: Watt | None = None
    output: Watt | None = None


class TimeSection(Section):
    """``[time]`` [s]."""

    launch: Second | None = None
    """Processor: one array operation from the call to its start."""
    timestep: PositiveSecond | None = None
    """Event: chip time of one step."""
    host_kernel: Second | None = None
    """Analog: one array operation of the host, during which the devices stay on."""
    weight_write: Second | None = None
    """Analog: programming all weights once, until they have settled."""


class RateSection(Section):
    """``[rate]``: what a processor reaches."""

    peak: OperationRate | None = None
    """Dense arithmetic at the profile's dtype [flop/s], 1 MAC = 2 flop."""
    utilisation: PositiveFraction | None = None
    """Share of ``peak`` that a running kernel reaches [1]."""
    memory: ByteRate | None = None
    """Main memory [byte/s]."""
    host_link: ByteRate | None = None
    """Between host and device [byte/s]."""
    launch_activity: Fraction | None = None
    """Share of ``busy - idle`` power drawn while operations are launched or data carried over the link [1]."""


class PrecisionSection(Section):
    """``[precision]``: bits of converters and weights, plain integers; absent means not quantised."""

    weight_bits: Bits | None = None
    input_bits: Bits | None = None
    output_bits: Bits | None = None
    dtype: Literal["float32", "float64"] | None = None
    source: Text
    """Where the whole table comes from."""


class RangeSection(Section):
    """``[range]``: full scales in model units; a weight or signal lies in [-full scale, full scale]."""

    weight: PositiveRatio | None = None
    signal: PositiveRatio | None = None


class NoiseSection(Section):
    """``[noise]``: what is drawn anew at each use."""

    read: Ratio | None = None
    """Rms of a detected signal, relative to the signal's full scale; without the Johnson noise below [1]."""
    write: Ratio | None = None
    """Rms error of a written weight, relative to the weight's full scale [1]."""
    temperature: Kelvin | None = None
    """Of the Johnson noise, v_rms = sqrt(4 k T R B) [K]."""
    bandwidth: Hertz | None = None
    """Equivalent noise bandwidth B [Hz]."""
    impedance: Ohm | None = None
    """Source resistance R [ohm]."""
    amplitude: Amplitude | None = None
    """Physical amplitude of one model unit [V, or W^(1/2) for a power wave]."""


class MismatchSection(Section):
    """``[mismatch]``: relative standard deviations between devices, drawn once per die [1]."""

    weight: Ratio | None = None
    gain: Ratio | None = None
    offset: Ratio | None = None
    """Relative to the signal's full scale."""


class MediumSection(Section):
    """``[medium]``: lines, meshes and their light."""

    time_constant: PositiveSecond | None = None
    """Of one node [s]."""
    line_delay: Second | None = None
    """One line, one way [s]."""
    line_loss: Decibel | None = None
    """One line, one way [dB]."""
    mzi_loss: Decibel | None = None
    """One Mach-Zehnder interferometer [dB]."""
    modulator_loss: Decibel | None = None
    """The modulator before a mesh [dB]."""
    detector_power: PositiveWatt | None = None
    """Optical power that each detector needs [W]."""
    laser_efficiency: PositiveFraction | None = None
    """Wall to light [1]."""
    laser_limit: PositiveWatt | None = None
    """Wall power of the largest laser bank that is built [W]."""


class MeshSection(Section):
    """``[mesh]``: what the interferometers of a mesh get wrong, before anything is calibrated away in place."""

    coupler_error: Ratio | None = None
    """Rms error of a coupler's angle about pi/4 [rad]; it sends 1/2 + sin(2 error)/2 of the power across."""
    phase_error: Ratio | None = None
    """Rms error of a phase [rad]."""
    crosstalk: Fraction | None = None
    """Share of its phase by which a heater turns its next neighbours [1]."""


class CellsSection(Section):
    """``[cells]``: lumped analog cells, as built for equations that no repeater has; absent means ideal."""

    bandwidth: Hertz | None = None
    """Of the amplifier through which a wave enters a cell [Hz]."""
    saturation: PositiveRatio | None = None
    """Largest amplitude that leaves a cell, relative to the signal's full scale [1]."""
    gain: PositiveRatio | None = None
    """Of an integrator at DC; it leaks at 1/gain for each ``medium.time_constant`` [1]."""


class DriftSection(Section):
    """``[drift]``: weights after programming, w(t) = w(0) ((t + reference)/reference)^-nu."""

    exponent: Ratio | None = None
    """Mean of nu [1]."""
    exponent_spread: Ratio | None = None
    """Standard deviation of nu between weights, drawn once per die; a nu below 0 counts as 0 [1]."""
    reference: PositiveSecond | None = None
    """[s]"""


class LimitsSection(Section):
    """``[limits]``: what fits, and how often a weight can be written [1]."""

    max_fan_in: PositiveRatio | None = None
    max_fan_out: PositiveRatio | None = None
    max_neurons: PositiveRatio | None = None
    endurance: PositiveRatio | None = None


class SpikingSection(Section):
    """``[spiking]``: how signals cross between populations as spikes, plain settings; absent means that they do not."""

    code: Literal["sigma-delta", "poisson", "halving", "graded"] = "sigma-delta"
    """Name of the spike code (`physnn_brian2.spiking_codes`)."""
    presentation: Annotated[StrictInt, Field(ge=4)] = 32
    """Steps for which a sample is shown, and for which its reflected wave is."""
    full_scale: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """Signal at which a neuron sends one spike a step, in model units."""
    dead_band: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.01
    """Code "graded": the change, relative to the full scale, that is not worth a spike."""
    source: Text
    """Where the whole table comes from."""


class Profile(BaseModel):
    """One hardware target: what acts in the simulation, and what it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Text
    kind: Literal["ideal", "processor", "event", "analog"]
    backends: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Names of the backends that can run it, the default first."""
    year: StrictInt | None = None
    node: Text | None = None
    description: Text
    in_place: StrictBool = False
    """True where the device holds the only copy of its weights (no float shadow weights on the host)."""
    not_counted: tuple[Text, ...] = ()
    """What the bill leaves out."""
    included: dict[str, Text] = {}
    """``energy.COUNT`` or ``power.DEVICE`` that is inside another number or draws nothing: why."""
    energy: EnergySection = EnergySection()
    power: PowerSection = PowerSection()
    time: TimeSection = TimeSection()
    rate: RateSection = RateSection()
    precision: PrecisionSection | None = None
    range: RangeSection = RangeSection()
    noise: NoiseSection = NoiseSection()
    mismatch: MismatchSection = MismatchSection()
    drift: DriftSection = DriftSection()
    medium: MediumSection = MediumSection()
    mesh: MeshSection = MeshSection()
    cells: CellsSection = CellsSection()
    limits: LimitsSection = LimitsSection()
    spiking: SpikingSection | None = None

    @property
    def sections(self) -> dict[str, Section]:
        """The tables by name, those that the file has or may have."""
        entries = {key: getattr(self, key) for key in type(self).model_fields}
        return {key: entry for key, entry in entries.items() if isinstance(entry, Section)}

    def quantities(self) -> Iterator[tuple[str, Quantity]]:
        """(``section.key``, quantity) of every number of the profile, in the schema's order."""
        for name, section in self.sections.items():
            for key, quantity in section.quantities():
                yield f"{name}.{key}", quantity

    def quantity(self, path: str) -> Quantity | None:
        """The number at ``section.key``, None where the file gives none."""
        section, _, key = path.partition(".")
        return getattr(self.sections[section], key)

    @model_validator(mode="after")
    def _is_coherent(self) -> Profile:
        faults = [
            *self._faults_of_energy(),
            *self._faults_of_ideal(),
            *self._faults_of_included(),
            *self._faults_of_scope(),
        ]
        faults += [*self._faults_of_processor(), *self._faults_of_laser()]
        if faults:
            raise FaultsError(faults)
        return self

    def _faults_of_energy(self) -> Iterator[Fault]:
        allowed = ENERGY_KEYS[self.kind]
        for key, _ in self.energy.quantities():
            if key not in allowed:
                yield (
                    ("energy", key),
                    f"is in no bill of kind {self.kind!r}; known there: {', '.join(allowed) or 'none'}",
                )

    def _faults_of_ideal(self) -> Iterator[Fault]:
        if self.kind == "ideal":
            for section in ("power", "noise", "mismatch", "drift", "mesh", "cells", "limits"):
                for key, _ in self.sections[section].quantities():
                    yield (section, key), "an ideal profile is not a device and has none; remove it or change kind"

    def _faults_of_included(self) -> Iterator[Fault]:
        priceable = [f"energy.{key}" for key in EnergySection.model_fields]
        priceable += [f"power.{key}" for key in PowerSection.model_fields]
        for path in self.included:
            if path not in priceable:
                yield ("included", path), f"neither energy.COUNT nor power.DEVICE{nearest(path, priceable)}"
            elif self.quantity(path) is not None:
                yield ("included", path), "has a number of its own; keep one of the two"

    def _faults_of_scope(self) -> Iterator[Fault]:
        if self.energy.synop is not None and self.energy.synop.scope == "all_in":
            for key in ("neuron_update_active", "neuron_update_idle", "spike", "spike_hop"):
                if getattr(self.energy, key) is not None:
                    yield ("energy", key), "counted twice beside energy.synop of scope all_in; name it under [included]"

    def _faults_of_processor(self) -> Iterator[Fault]:
        idle, busy = self.power.idle, self.power.busy
        if idle is not None and busy is not None:
            below = [end for end in ("low", "value", "high") if getattr(busy, end) < getattr(idle, end)]
            if below:
                yield ("power", "busy"), f"below power.idle ({', '.join(below)})"

    def _faults_of_laser(self) -> Iterator[Fault]:
        if self.drift.exponent is not None and self.drift.reference is None:
            yield ("drift", "exponent"), "needs drift.reference, the time from which the power law counts"
        if self.medium.mzi_loss is not None:
            for key in ("detector_power", "laser_efficiency", "laser_limit"):
                if getattr(self.medium, key) is None:
                    yield ("medium", "mzi_loss"), f"needs medium.{key} beside it, which sets the laser's power"
