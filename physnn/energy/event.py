"""Event-driven digital chips.

E = synop e_synop + active e_active + idle e_idle + spike e_spike + hops e_hop + updates e_update + host work
    + t chips (P_static + P_host) [J] (Davies et al. 2018, IEEE Micro 38(1):82, Table 2, with the standing power of
    Frady et al. 2020).

At biological time steps the standing power is most of the bill: a Loihi 1 chip needs 4e9 synaptic operations per
second before they cost more than its 104 mW.
"""

from __future__ import annotations

from physnn.energy.bill import Bill, Constants
from physnn.energy.interval import Interval
from physnn.substrate.profile_schema import ENERGY_KEYS


def bill(constants: Constants, counts: dict[str, float], inventory: dict[str, float]) -> Bill:
    """The bill of an event-driven target; ``inventory["chip"]`` chips, one where it is absent."""
    breakdown = constants.energies(counts, ENERGY_KEYS["event"])
    seconds = counts.get("timestep_s", 0.0)
    chips = inventory.get("chip", 1.0)
    if seconds:
        breakdown["static"] = constants.interval("power.static") * (chips * seconds)
        if constants.has("power.host"):
            breakdown["static_host"] = constants.interval("power.host") * (chips * seconds)
    duration = Interval.exact(seconds)
    return constants.bill(breakdown, duration, duration * (1.0 / max(counts.get("sample", 0.0), 1.0)))
