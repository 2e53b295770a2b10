"""What a backend offers. It is small on purpose: whoever implements these two protocols can be trained and compared.

A backend is found through the entry-point group `physnn.backends`; the entry point names a class that is called
without arguments. It never imports a learning rule, and no rule ever imports it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from physnn.equations import System, Trace
from physnn.errors import ShapeError, UnknownNameError
from physnn.substrate.meter import Meter
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profile_schema import Profile

Array = Any
SUPPORTED, APPROXIMATED, REFUSED = "supported", "approximated", "refused"
TRANSPORTS = ("transpose", "random")


@dataclass(frozen=True)
class Finding:
    """What a backend says about one part of a System before anything runs."""

    part: str
    status: str
    """supported, approximated or refused"""
    detail: str = ""
    """how it is approximated and with what error, or why it is refused and what would be the nearest alternative"""


@dataclass(frozen=True)
class Traits:
    """What a backend promises about its numbers; the conformance suite holds it to this.

    It does so by its attribute `traits`, or by a method of that name where the System decides; a backend without one
    promises the interpreter's own steps in float64.
    """

    integrator: str = "explicit Euler"
    """how flows are stepped; with "explicit Euler" every step is that of the interpreter"""
    order: int = 1
    """order of the integrator's error in the step, where it is not explicit Euler"""
    rounding: float = 2.0**-52
    """relative precision of its arithmetic"""


def traits_of(backend: Backend, system: System) -> Traits:
    """What a backend promises about the numbers of a System."""
    own = getattr(backend, "traits", Traits())
    return own(system) if callable(own) else own


@dataclass(frozen=True)
class CompanionSpec:
    """Which companion of a System to build: the reflected wave, through the couplings or through fixed random paths.

    Raises
    ------
    UnknownNameError
        The transport is not one of `TRANSPORTS`.
    """

    transport: str = "transpose"
    """"transpose" (reciprocity) or "random" (feedback alignment)"""
    inputs: tuple[str, ...] = ()
    """input ports up to which the wave is followed (`physnn.equations.input_gradient`)"""

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise UnknownNameError("transport", self.transport, TRANSPORTS)


@runtime_checkable
class Substrate(Protocol):
    """A System that can be run. The batch is the leading axis of every array, time the second where there is one."""

    placed: PlacedSystem
    meter: Meter
    xp: Any
    """array-API namespace of the substrate's arrays"""
    gradient_label: str
    """"native" where gradients come from fields of this substrate alone, else "twin-assisted" """

    def asarray(self, values: Any) -> Array:
        """Values as an array of the substrate's own kind, precision and place."""
        ...

    def run(
        self,
        inputs: Mapping[str, Array],
        duration: float,
        state: Mapping[str, Any] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run for `duration` [s, model time] from `state` (rest where not given).

        Every wave is recorded, which a companion needs; with `record`, the fields, couplings and output ports of these
        names alone.
        """
        ...

    def steady(self, inputs: Mapping[str, Array], tolerance: float = 1e-9) -> Trace:
        """The stationary state for constant inputs; it is accurate to `tolerance` times the largest amplitude."""
        ...

    def companion(self, spec: CompanionSpec, about: Trace) -> Companionship:
        """The companion on the same die, about an incident trace of this substrate."""
        ...

    def write(self, parameters: Mapping[str, Array]) -> None:
        """Program parameters, through the profile's range, bits and write noise.

        Raises
        ------
        UnknownNameError, ShapeError, ParameterError
            A name or shape is not the System's, a value is not finite, or the damping makes a medium unstable.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass since programming [s]: weights drift along their die's trajectory until written again."""
        ...

    def read(self) -> dict[str, Array]:
        """The parameters as they were written (the host's shadow values, not what the die made of them)."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Everything that `restore` needs to continue bit by bit."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        ...

    def inventory(self) -> dict[str, float]:
        """Devices of the placed network, for standing power."""
        ...


def check_constant(system: System, inputs: Mapping[str, Array]) -> None:
    """Names and shapes of inputs for a stationary state: (batch, *shape) each.

    Raises
    ------
    UnknownNameError, ShapeError
    """
    system.check_inputs(inputs)
    for name, value in inputs.items():
        shape = system.populations[system.inputs[name].population].shape
        if len(value.shape) != len(shape) + 1:
            raise ShapeError(
                f"input {name!r} has shape {tuple(value.shape)}; a stationary state needs constant inputs, "
                f"(batch, {', '.join(map(str, shape))}): leave the time axis out, or use `run`"
            )


def check_cotangents(system: System, cotangents: Mapping[str, Array]) -> None:
    """Names of the output ports into which a loss sends its cotangents.

    Raises
    ------
    UnknownNameError
    """
    for name in cotangents:
        if name not in system.outputs:
            raise UnknownNameError("output port", name, system.outputs)


class Companionship(Protocol):
    """A companion System on the same die. Its inputs are the loss's cotangents at the original's output ports."""

    def run(self, cotangents: Mapping[str, Array]) -> Trace:
        """Send the reflected wave back in time over the whole incident trace."""
        ...

    def steady(self, cotangents: Mapping[str, Array], tolerance: float = 1e-9) -> Trace:
        """The stationary reflected wave about a stationary incident one."""
        ...


@runtime_checkable
class Backend(Protocol):
    """What runs Systems: a simulator, or hardware."""

    name: str

    def check(self, system: System, profile: Profile) -> list[Finding]:
        """One finding for each part of the System, before anything runs."""
        ...

    def build(self, placed: PlacedSystem) -> Substrate:
        """A substrate for a placed System.

        Raises
        ------
        CapabilityError
            Something in the System is refused.
        """
        ...
