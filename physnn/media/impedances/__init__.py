"""Impedances as descriptions of their own, and the lines and ends that they stand between."""

from physnn.media.impedances.bank import TransformerBank
from physnn.media.impedances.coupler import DirectionalCoupler, Repeater
from physnn.media.impedances.delay import Dispersion
from physnn.media.impedances.elements import Capacitor, Inductor, Resistor, Stub
from physnn.media.impedances.impedance import Impedance, Parallel, Series
from physnn.media.impedances.junction import SeriesJunction, ShuntJunction, Step
from physnn.media.impedances.line import Line
from physnn.media.impedances.passive import Shunts, passive_network
from physnn.media.impedances.passivity import Fault
from physnn.media.impedances.power import Balance, energy_balance
from physnn.media.impedances.rational import Rational
from physnn.media.impedances.shunt import NonlinearShunt
from physnn.media.impedances.termination import Termination
from physnn.media.impedances.touchstone import TouchstoneFit, fit_touchstone

__all__ = [
    "Balance",
    "Capacitor",
    "DirectionalCoupler",
    "Dispersion",
    "Fault",
    "Impedance",
    "Inductor",
    "Line",
    "NonlinearShunt",
    "Parallel",
    "Rational",
    "Repeater",
    "Resistor",
    "Series",
    "SeriesJunction",
    "ShuntJunction",
    "Shunts",
    "Step",
    "Stub",
    "Termination",
    "TouchstoneFit",
    "TransformerBank",
    "energy_balance",
    "fit_touchstone",
    "passive_network",
]
