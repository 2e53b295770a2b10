"""Impedances as descriptions of their own, and the lines and ends that they stand between."""

from physnn.media.impedances.elements import Capacitor, Inductor, Resistor, Stub
from physnn.media.impedances.impedance import Impedance, Parallel, Series
from physnn.media.impedances.junction import SeriesJunction, ShuntJunction, Step
from physnn.media.impedances.line import Line
from physnn.media.impedances.passivity import Fault
from physnn.media.impedances.rational import Rational
from physnn.media.impedances.termination import Termination
from physnn.media.impedances.touchstone import TouchstoneFit, fit_touchstone

__all__ = [
    "Capacitor",
    "Fault",
    "Impedance",
    "Inductor",
    "Line",
    "Parallel",
    "Rational",
    "Resistor",
    "Series",
    "SeriesJunction",
    "ShuntJunction",
    "Step",
    "Stub",
    "Termination",
    "TouchstoneFit",
    "fit_touchstone",
]
