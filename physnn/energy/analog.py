"""Analog and photonic networks: conversions, active elements, standing power while the medium is on, light, host work.

t_on = medium_s + (weight_write / weights) t_write + host_kernel t_host [s];
E = sum_count n e + t_on (P_static + P_host + sum_device n P + P_laser) [J].

Samples pass one after another; all weights are programmed side by side, and the devices stay on while they settle.
P_laser is that of :mod:`physnn.substrate.profile_optics`.

Each modulated line is a light source: the inputs, and every repeater, which sends fresh light into the next mesh.
The meter's ``medium_s`` is for the typical time constant; its range scales with that of ``medium.time_constant``.
"""

from __future__ import annotations

from physnn.energy.bill import Bill, Constants
from physnn.energy.interval import Interval
from physnn.errors import ProfileError
from physnn.substrate.profile_optics import LIGHT_CONSTANTS, laser_power
from physnn.substrate.profile_schema import ENERGY_KEYS

_POWERED = ("repeater", "line", "weight", "input", "output")


def bill(constants: Constants, counts: dict[str, float], inventory: dict[str, float]) -> Bill:
    """The bill of an analog network."""
    driven = _driven(constants, counts.get("medium_s", 0.0))
    on = driven + _settling(constants, counts.get("weight_write", 0.0), inventory.get("weight", 0.0))
    on = on + _computing(constants, counts.get("host_kernel", 0.0))
    breakdown = constants.energies(counts, ENERGY_KEYS["analog"])
    if on.high:
        breakdown |= {cause: power * on for cause, power in _standing(constants, inventory).items()}
        laser = _light(constants, inventory)
        if laser is not None:
            breakdown["laser"] = laser * on
    return constants.bill(breakdown, on, driven * (1.0 / max(counts.get("sample", 0.0), 1.0)))


def _driven(constants: Constants, medium_s: float) -> Interval:
    """Time for which the medium is driven [s], with the relative range of the time constant."""
    if not medium_s or not constants.has("medium.time_constant"):
        return Interval.exact(medium_s)
    constant = constants.interval("medium.time_constant")
    return constant * (medium_s / constant.typical)


def _settling(constants: Constants, writes: float, weights: float) -> Interval:
    """Time that programming takes [s]; no time where the profile gives none."""
    if not writes or not constants.has("time.weight_write"):
        return Interval.exact(0.0)
    if not weights:
        raise ProfileError(
            f"profile {constants.profile.name!r}: {writes:g} weights were written, but the inventory has no 'weight'"
        )
    return constants.interval("time.weight_write") * (writes / weights)


def _computing(constants: Constants, kernels: float) -> Interval:
    """Time for which the devices wait for the host to compute an update [s]; no time where the profile gives none."""
    if not kernels or not constants.has("time.host_kernel"):
        return Interval.exact(0.0)
    return constants.interval("time.host_kernel") * kernels


def _standing(constants: Constants, inventory: dict[str, float]) -> dict[str, Interval]:
    """Standing power by cause [W]."""
    whole = {"static": "power.static", "static_host": "power.host"}
    causes = {cause: constants.interval(path) for cause, path in whole.items() if constants.has(path)}
    for device in _POWERED:
        if inventory.get(device) and f"power.{device}" not in constants.profile.included:
            causes[f"static_{device}"] = constants.interval(f"power.{device}") * inventory[device]
    return causes


def _light(constants: Constants, inventory: dict[str, float]) -> Interval | None:
    """Wall power of the laser [W]; None without a mesh."""
    if not constants.has("medium.mzi_loss"):
        return None
    if "mzi_depth" not in inventory:
        raise ProfileError(f"profile {constants.profile.name!r} is a mesh, but the inventory has no 'mzi_depth'")
    sources = inventory.get("input", 0.0) + inventory.get("repeater", 0.0)
    power = Interval(*laser_power(constants.profile, sources, inventory["mzi_depth"]))
    # laser_power read these from the profile itself: the bill must still name those that are not verified
    for path in (*LIGHT_CONSTANTS, "medium.modulator_loss"):
        if constants.has(path):
            constants.interval(path)
    return power
