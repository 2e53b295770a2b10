"""Lines with steps, stubs and impedances at their ends and between them."""

from __future__ import annotations

from collections.abc import Callable

from physnn.media.catalogue.entry import Entry
from physnn.media.impedances import (
    Capacitor,
    Impedance,
    Inductor,
    Line,
    Rational,
    Resistor,
    SeriesJunction,
    ShuntJunction,
    Step,
    Stub,
    Termination,
)
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

POZAR = "Pozar, Microwave Engineering (2011), chapters 2 and 4"
LINES = 3
FOURTH_ORDER = Rational([0.8, 2.0, 4.0, 3.0, 1.5], [1.0, 1.5, 3.0, 2.0, 1.0])
"""Resistive 0.8 and 1.5 ohm at its two ends, two resonances between."""


def _ended(impedance: Impedance) -> Callable[[], Network]:
    """Three sources, each on a line of its own that ends in the impedance."""

    def build() -> Network:
        source, line = Termination("source", LINES, Resistor(0.5), trainable=False), _line("line", 1.0, 0.1)
        load = Termination("load", LINES, impedance)
        links = (Link("in", "source"), *line.links("source", "load"))
        return Network((Source("in", LINES), source, line, load), links, Readout("load", "u"))

    return build


def _between(junction: Part) -> Callable[[], Network]:
    """Three sources and three loads with a junction half-way."""

    def build() -> Network:
        source, load = (Termination(name, LINES, Resistor(r)) for name, r in (("source", 0.5), ("load", 1.5)))
        near, far = _line("near", 1.0, 0.1), _line("far", 2.0, 0.15)
        sides = f"{junction.name}:1", f"{junction.name}:2"
        links = (Link("in", "source"), *near.links("source", sides[0]), *far.links(sides[1], "load"))
        return Network((Source("in", LINES), source, near, junction, far, load), links, Readout("load", "u"))

    return build


def _line(name: str, impedance: float, delay: float) -> Line:
    """Slightly lossy, so that Z0 and k matter at rest as well."""
    return Line(name, LINES, impedance, delay, transmission=0.9)


_RLC = Resistor(0.7) + Inductor(0.5) + Capacitor([0.3, 0.4, 0.5])

ENTRIES = {
    "impedance-step": Entry(
        "two lines of unlike impedance, a generator and a load",
        _between(Step("step", LINES)),
        part="step",
        source=POZAR,
    ),
    "rlc-termination": Entry(
        "line that ends in a resistor, an inductor and a capacitor in series", _ended(_RLC), source=POZAR
    ),
    "rational-termination": Entry(
        "line that ends in a positive-real impedance of fourth order",
        _ended(FOURTH_ORDER),
        source="Brune, J. Math. Phys. 10 (1931)",
    ),
    "stub": Entry(
        "line that ends in a resistor across a stub of line with an open end",
        _ended(Resistor(1.5) | Stub(1.2, 0.15, transmission=0.9)),
        source=POZAR,
    ),
    "series-impedance": Entry(
        "resistor and inductor between two lines",
        _between(SeriesJunction("bridge", LINES, impedance=Resistor(0.4) + Inductor(0.6))),
        part="bridge",
        source=POZAR,
    ),
    "shunt-impedance": Entry(
        "resistor and capacitor across the place where two lines meet",
        _between(ShuntJunction("across", LINES, impedance=Resistor(2.0) | Capacitor(0.4))),
        part="across",
        source=POZAR,
    ),
}
