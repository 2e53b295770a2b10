"""From counts to joules and seconds: one entry, one module per kind of hardware.

The counts are the meters' vocabulary (:data:`COUNTS`). ``sample`` and ``pass`` are free by definition: they only
make figures per sample. Every other count needs a price in the profile, or a reason under ``included``; one without
is an error, never zero joules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from physnn.energy import analog, event, processor
from physnn.energy.bill import Bill, Constants
from physnn.errors import NumericsError, ProfileError, nearest
from physnn.substrate.profile_schema import ENERGY_KEYS, Profile

COUNTS = {
    "processor": frozenset({"mac", "elementwise", "kernel", "memory_byte", "host_byte", "sample"}),
    "analog": frozenset({*ENERGY_KEYS["analog"], "pass", "medium_s", "sample"}),
    "event": frozenset({*ENERGY_KEYS["event"], "timestep_s", "sample"}),
}
"""Counts that each kind of hardware can be billed for."""

DEVICES = frozenset({"repeater", "line", "weight", "input", "output", "mzi_depth", "layer", "chip"})
"""Entries that an inventory may have."""


def price(
    profile: Profile, counts: Mapping[str, float], inventory: Mapping[str, float], *, batch: int | None = None
) -> Bill | None:
    """Energy [J] and time [s] of what was counted on a profile; None for an ideal one, which is not a device.

    Parameters ---------- counts : totals over everything metered inventory : devices of the placed network, for
    standing power; ``chip`` (1 where absent) for event hardware batch : samples that a processor takes at once;
    None where all samples of the counts were one batch. It sets the latency only.

    Raises
    ------
    ProfileError
        A count or device has no price in this profile, or is not known for its kind.
    CapabilityError
        The network needs more light than a laser gives.
    NumericsError
        A count is negative or not finite.
    """
    if profile.kind == "ideal":
        return None
    _refuse_unknown("count", profile, counts, COUNTS[profile.kind])
    _refuse_unknown("device", profile, inventory, DEVICES)
    constants = Constants(profile)
    tally = {name: float(number) for name, number in counts.items()}
    devices = {name: float(number) for name, number in inventory.items()}
    match profile.kind:
        case "processor":
            return processor.bill(constants, tally, batch)
        case "analog":
            return analog.bill(constants, tally, devices)
        case "event":
            return event.bill(constants, tally, devices)


def _refuse_unknown(what: str, profile: Profile, given: Mapping[str, float], known: frozenset[str]) -> None:
    for name, number in given.items():
        if name not in known:
            raise ProfileError(
                f"profile {profile.name!r} ({profile.kind}) has no price for the {what} {name!r}"
                f"{nearest(name, sorted(known))}"
            )
        if not (0.0 <= number < math.inf):
            raise NumericsError(
                f"{what} {name!r} on profile {profile.name!r} is {number}; it must be finite and not negative"
            )
