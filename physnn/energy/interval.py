"""Low, typical and high of a cost, and arithmetic that keeps them in order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from physnn.errors import NumericsError
from physnn.substrate.profile_quantity import Quantity


@dataclass(frozen=True)
class Interval:
    """Three numbers 0 <= low <= typical <= high in one unit.

    Sums and products take ends with ends: all causes are low together or high together. The interval is thus the
    widest that the ranges allow, not a confidence interval.
    """

    low: float
    typical: float
    high: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.low <= self.typical <= self.high < math.inf):
            raise NumericsError(
                f"0 <= low <= typical <= high < inf does not hold: {self.low}, {self.typical}, {self.high}"
            )

    @classmethod
    def exact(cls, number: float) -> Interval:
        """A number without range."""
        return cls(number, number, number)

    @classmethod
    def of(cls, quantity: Quantity) -> Interval:
        """The range of a profile's quantity, in its SI unit."""
        return cls(quantity.low, quantity.value, quantity.high)

    @classmethod
    def combine(cls, function: Callable[..., float], *arguments: Interval) -> Interval:
        """``function`` of several intervals, where it grows (or stays) with each of its arguments."""
        return cls(
            function(*(a.low for a in arguments)),
            function(*(a.typical for a in arguments)),
            function(*(a.high for a in arguments)),
        )

    def inverse(self) -> Interval:
        """1 / x; low and high change places."""
        if self.low == 0.0:
            raise NumericsError("an interval that reaches zero has no inverse")
        return Interval(1.0 / self.high, 1.0 / self.typical, 1.0 / self.low)

    def __add__(self, other: Interval) -> Interval:
        if not isinstance(other, Interval):
            return NotImplemented
        return Interval(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def __mul__(self, other: Interval | float) -> Interval:
        if isinstance(other, Interval):
            return Interval(self.low * other.low, self.typical * other.typical, self.high * other.high)
        return Interval(self.low * other, self.typical * other, self.high * other)

    __rmul__ = __mul__
