"""One number of a hardware profile: value, range, unit, evidence and source.

A file may write any unit of the right dimension (``pJ``, ``TFLOP/s``, ``GB/s``, ``mW``); :func:`unit` is the
annotation with which a field of the schema demands its dimension, and converts value, low and high to plain SI
floats when the file is read. Decibels are the one exception: a field in dB stays in dB.

Bytes and operations have dimensions of their own here (1 MAC = 2 FLOP), so a rate in 1/s is refused where bytes/s
are asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, model_validator

if TYPE_CHECKING:
    import pint

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]

_UNIT_TEXT = re.compile(r"[A-Za-z0-9_%°µμΩ/*^. ()-]{1,40}")
_UNUSUAL_POWER = re.compile(
    r"(?:\*\*|\^)(?!\s*(?:-?\d{1,2}(?:\.\d{1,3})?|\(-?\d/\d\))(?![\w.])(?!\s*(?:\*\*|\^)))"
    r"|\)\s*(?:\*\*|\^).*\)\s*(?:\*\*|\^)"
)
"""A power of a power, or one that is neither of two digits nor a fraction: pint would evaluate 9**9**9**9."""
_PREFIXES = tuple(zip((10.0**power for power in range(15, -21, -3)), [*"PTGMk", "", *"munpfa"], strict=True))
_SCALABLE = frozenset({"J", "W", "s", "Hz", "V", "ohm", "byte/s", "flop/s"})


class Quantity(BaseModel):
    """A number with its range and where it comes from.

    ``low <= value <= high``, all finite and not negative; a file that leaves out ``low`` or ``high`` means ``value``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Number
    """Typical value [``unit``]."""
    low: Number
    """Smallest plausible value [``unit``]."""
    high: Number
    """Largest plausible value [``unit``]."""
    unit: Text
    """Unit; SI once read by a profile ("1" for a ratio, "dB" for decibels)."""
    evidence: Literal["measured", "simulated", "vendor", "derived", "modelled", "assumed"]
    """How the number was obtained; ``assumed`` marks an assumption of the profile's author."""
    scope: Literal["per_term", "all_in"] = "per_term"
    """``all_in``: other terms of the same bill (fetch, hops, memory) are already inside and must not be added."""
    boundary: Literal["device", "core", "chip", "board", "wall"] | None = None
    """What the number includes."""
    operating_point: Text | None = None
    """Conditions: voltage, node, rate, precision."""
    source: Text
    """Paper, data set or data sheet with its table; or ``assumption: why``."""
    verified: StrictBool
    """True where value and range were found in the cited source; recalled, doubtful and assumed numbers are False."""

    @model_validator(mode="before")
    @classmethod
    def _range_defaults_to_value(cls, data: object) -> object:
        if isinstance(data, dict) and "value" in data:
            value = data["value"]
            usable = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
            default = value if usable else 0.0  # an unusable value is reported once, as the value
            return {"low": default, "high": default, **data}
        return data

    @model_validator(mode="after")
    def _is_consistent(self) -> Quantity:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"low <= value <= high does not hold: {self.low:g}, {self.value:g}, {self.high:g}")
        if self.evidence == "assumed" and self.verified:
            raise ValueError("an assumption cannot be verified: write verified = false, or cite where it was found")
        return self

    def text(self) -> str:
        """Value and range in a readable unit, such as ``23.6 pJ (23.6 to 35.5)``."""
        scale, prefix = _prefix_of(self.value or self.high) if self.unit in _SCALABLE else (1.0, "")
        shown = f"{self.value / scale:.6g}"
        if self.unit != "1":
            shown += f" {prefix}{self.unit}"
        if self.low == self.high:
            return shown
        return f"{shown} ({self.low / scale:.6g} to {self.high / scale:.6g})"


def unit(*allowed: str, positive: bool = False, at_most: float = math.inf) -> Callable[[Quantity], Quantity]:
    """A check for ``Annotated[Quantity, AfterValidator(unit("J"))]``: converts to the first of ``allowed`` that fits.

    ``positive`` refuses a low end of zero; ``at_most`` bounds the high end [the allowed unit].
    """

    def convert(quantity: Quantity) -> Quantity:
        scaled = _in_unit(quantity, allowed)
        if scaled.low < 0.0:
            raise ValueError(f"{quantity.low:g} {quantity.unit} is negative; a profile holds magnitudes")
        if positive and scaled.low == 0.0:
            raise ValueError("must be greater than zero, its low end too")
        if scaled.high > at_most:
            raise ValueError(f"{quantity.high:g} {quantity.unit} is above the largest possible value {at_most:g}")
        return scaled

    return convert


def _in_unit(quantity: Quantity, allowed: tuple[str, ...]) -> Quantity:
    """The same quantity with its three numbers in the first allowed unit of its dimension."""
    if quantity.unit == "dB" or "dB" in allowed:
        if quantity.unit not in allowed:
            raise ValueError(_misfit(quantity.unit, allowed))
        return quantity
    registry = _registry()
    given = _parsed(quantity.unit)
    for target in allowed:
        if registry.get_dimensionality(given) == registry.get_dimensionality(registry.Unit(target)):
            try:
                low, value, high = (
                    float(registry.Quantity(number, given).to(target).magnitude)
                    for number in (quantity.low, quantity.value, quantity.high)
                )
            except Exception as error:  # overflow, and units of temperature or level that pint does not convert
                raise ValueError(f"unit {quantity.unit!r} cannot be converted to {target!r}") from error
            if not all(map(math.isfinite, (low, value, high))):
                raise ValueError(f"{quantity.high:g} {quantity.unit} is too large a number in {target!r}")
            return quantity.model_copy(update={"low": low, "value": value, "high": high, "unit": target})
    raise ValueError(_misfit(quantity.unit, allowed))


def _misfit(given: str, allowed: tuple[str, ...]) -> str:
    return f"unit {given!r} has the wrong dimension; give it in {' or '.join(repr(u) for u in allowed)} or a multiple"


def _parsed(text: str) -> pint.Unit:
    if not _UNIT_TEXT.fullmatch(text) or _UNUSUAL_POWER.search(text):
        raise ValueError(f"unit {text!r} cannot be read")
    try:
        return _registry().Unit(text)
    except Exception as error:  # malformed text raises assertion, attribute and tokenizer errors alike in pint
        raise ValueError(f"unit {text!r} is not known") from error


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry:
    """Pint's units, with bytes and operations as dimensions of their own; built at the first use (0.5 s)."""
    import pint

    registry: pint.UnitRegistry = pint.UnitRegistry(on_redefinition="ignore")
    registry.define("byte = [information] = B")
    registry.define("bit = 0.125 * byte")
    registry.define("flop = [operation] = FLOP")
    registry.define("mac = 2 * flop = MAC")
    return registry


def _prefix_of(number: float) -> tuple[float, str]:
    """The largest engineering prefix not above ``number``: (scale, letter)."""
    for scale, letter in _PREFIXES:
        if number >= scale * (1.0 - 1e-12):
            return scale, letter
    return 1.0, ""
