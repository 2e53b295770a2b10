"""Energy and time from counts: every number of a bill comes from a profile, with its range."""

from physnn.energy.bill import Bill
from physnn.energy.interval import Interval
from physnn.energy.pricing import COUNTS, DEVICES, price

__all__ = ["COUNTS", "DEVICES", "Bill", "Interval", "price"]
