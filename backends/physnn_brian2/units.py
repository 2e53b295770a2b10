"""Units of a System in Brian2: SI, with times in physical seconds.

Equations are homogeneous in their units, so that a System whose model time is `scale` seconds long runs in physical
time when every quantity is multiplied by `scale` to the power of the time in its unit; volts and amperes stay.
"""

from __future__ import annotations

from physnn.equations.dimensions import dimension

_BASE = {
    "[length]": "meter",
    "[mass]": "kilogram",
    "[time]": "second",
    "[current]": "amp",
    "[temperature]": "kelvin",
    "[luminosity]": "candle",
    "[substance]": "mole",
}


def brian_unit(unit: str) -> str:
    """A unit in Brian2's equations."""
    powers = dimension(unit)
    return "*".join(f"{_BASE[base]}**{_number(power)}" for base, power in sorted(powers.items())) or "1"


def time_power(unit: str) -> float:
    """The power of the time in a unit made of volts, amperes, seconds and metres: 1 of a farad, 0 of an ohm."""
    powers = dimension(unit)
    return float(str(powers.get("[time]", 0))) + 3.0 * float(str(powers.get("[mass]", 0)))


def _number(power: object) -> str:
    power = float(str(power))
    return str(int(power)) if power.is_integer() else repr(power)
