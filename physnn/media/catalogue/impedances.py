"""Lines with steps, stubs and impedances at their ends and between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from physnn.media.catalogue.entry import Entry
from physnn.media.impedances import (
    Capacitor,
    DirectionalCoupler,
    Dispersion,
    Impedance,
    Inductor,
    Line,
    NonlinearShunt,
    Rational,
    Repeater,
    Resistor,
    SeriesJunction,
    ShuntJunction,
    Step,
    Stub,
    Termination,
    TransformerBank,
    passive_network,
)
from physnn.media.impedances.shunt import CONDUCTANCES, DUFFING, SATURABLE
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

POZAR = "Pozar, Microwave Engineering (2011), chapters 2 and 4"
BELEVITCH = "Belevitch, Classical Network Theory (1968), chapter 2"
LINES = 3
STEP = 0.05
"""[s], at which the catalogue's media are run"""
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
    """Three sources and three loads with a junction half-way; at a saturable conductance the second Z0 is kept."""
    saturable = isinstance(junction, NonlinearShunt) and junction.kind == SATURABLE

    def build() -> Network:
        source, load = (Termination(name, LINES, Resistor(r)) for name, r in (("source", 0.5), ("load", 1.5)))
        near, far = _line("near", 1.0, 0.1), _line("far", 2.0, 0.15)
        if saturable:
            far = replace(far, trainable="transmission")
        sides = f"{junction.name}:1", f"{junction.name}:2"
        links = (Link("in", "source"), *near.links("source", sides[0]), *far.links(sides[1], "load"))
        return Network((Source("in", LINES), source, near, junction, far, load), links, Readout("load", "u"))

    return build


def _line(name: str, impedance: float, delay: float, lines: int = LINES) -> Line:
    """Slightly lossy, so that Z0 and alpha matter at rest as well."""
    return Line(name, lines, impedance, delay, transmission=0.9)


def _banked(behind: int) -> Callable[[], Network]:
    """Three sources and some loads with a bank of transformers half-way."""

    def build() -> Network:
        source, load = Termination("source", LINES, Resistor(0.5)), Termination("load", behind, Resistor(1.5))
        near, far = _line("near", 1.0, 0.1), _line("far", 2.0, 0.15, behind)
        links = (Link("in", "source"), *near.links("source", "bank:1"), *far.links("bank:2", "load"))
        bank = TransformerBank("bank", LINES, behind)
        return Network((Source("in", LINES), source, near, bank, far, load), links, Readout("load", "u"))

    return build


def _uneven() -> Network:
    """A line whose length is learnt, with dispersion, between unlike ends."""
    source, load = (
        Termination(name, LINES, Resistor(r), trainable=False) for name, r in (("source", 0.5), ("load", 1.5))
    )
    learnt = ("impedance", "transmission", "delay")
    line = Line("line", LINES, 1.0, 0.265, 0.9, learnt, step=STEP, dispersion=Dispersion(2, 0.06))
    links = (Link("in", "source"), *line.links("source", "load"))
    return Network((Source("in", LINES), source, line, load), links, Readout("load", "u"))


def _coupled() -> Network:
    """Two sources and two loads at the four ports of a coupler."""
    ends = [
        Termination(name, LINES, Resistor(r))
        for name, r in (("source", 0.5), ("idle", 1.5), ("load", 2.0), ("dump", 0.7))
    ]
    lines = [_line(f"line{k}", impedance, 0.1) for k, impedance in enumerate((1.0, 1.3, 0.8, 1.1), start=1)]
    coupler = DirectionalCoupler("coupler", LINES, splitting=[0.2, 0.5, 0.8])
    ports = [
        *lines[0].links("source", "coupler:1"),
        *lines[1].links("idle", "coupler:2"),
        *lines[2].links("coupler:3", "load"),
        *lines[3].links("coupler:4", "dump"),
    ]
    return Network((Source("in", LINES), *ends, *lines, coupler), (Link("in", "source"), *ports), Readout("load", "u"))


def _passive() -> Network:
    """Two layers of lines; short, so that all that is learnt reaches the loads in time."""
    learnt = ("turns", "impedances", "losses", "shunts", "terminations")
    return passive_network((3, 4, 2), delays=0.1, transmission=0.95, drive=3.0, train=learnt)


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
    "transformer-bank": Entry(
        "bank of ideal transformers from three lines to two", _banked(2), part="bank 2", source=BELEVITCH
    ),
    "widening-transformer-bank": Entry(
        "bank of ideal transformers from three lines to five", _banked(5), part="bank 1", source=BELEVITCH
    ),
    "fractional-line": Entry(
        "line with dispersion whose length is learnt, no whole number of steps",
        _uneven,
        part="line",
        source="Laakso et al., IEEE Signal Process. Mag. 13 (1996)",
    ),
    "directional-coupler": Entry("two pairs of lines at a directional coupler", _coupled, part="coupler", source=POZAR),
    "repeater": Entry(
        "saturating amplifier between two lines",
        _between(Repeater("repeater", LINES, gain=1.5, back=0.2, limit=1.0)),
        part="repeater",
        source=POZAR,
    ),
    "passive-network": Entry(
        "sources, lines, transformer banks, diode shunts and loads; waves travel both ways",
        _passive,
        part="shunt1",
        source="Hughes et al., Optica 5, 864 (2018) for gradients from two fields",
    ),
    **{
        f"{kind}-shunt": Entry(
            f"nonlinear shunt ({kind}) where two lines meet",
            _between(NonlinearShunt("shunt", LINES, kind, scale=0.4, voltage=0.7)),
            part="shunt",
            source="Werner et al., Proc. DAFx-15 (2015)",
        )
        for kind in (*CONDUCTANCES, DUFFING)
    },
}
