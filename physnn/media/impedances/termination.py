"""Ends of lines: any impedance, with or without a source in series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from physnn.equations import Coupling, Population
from physnn.media.impedances.circuit import Circuit, circuit
from physnn.media.impedances.impedance import Impedance, check_impedance
from physnn.media.impedances.line import REFERENCE, check_ends, check_size
from physnn.media.part import Part

EQUATIONS = """
b  : V   (arrival)
dZ : ohm (arrival)
e  : V   (arrival)
Zr : ohm (constant)
Z0 = Zr + dZ : ohm
{circuit}
a = b - Z0*i : V
u = v + e    : V
"""


@dataclass(frozen=True)
class Termination(Part):
    """An impedance Z(s), in series with a source of voltage e, at the end of a line:  2 b - Z0 i = u = e + Z i.

    b arrives, a = b - Z0 i leaves, i flows out of the line, u = a + b is the line's voltage at its end and v = Z i that
    across Z. Without a source the reflection is a/b = (Z - Z0)/(Z + Z0); a generator of internal resistance Rs is a
    termination by Resistor(Rs) whose arrival `e` is fed; a load is one whose `e` nothing feeds. Currents of inductors,
    voltages of capacitors and the states of rational impedances are states of the population; a stub is a coupling of
    the population with itself.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n; elements of the impedance have one value for all or one each.
    impedance : Impedance
        Passive.
    trainable : bool
        Whether the values of resistors, inductors, capacitors and stubs are learnt; those of rational impedances are
        not, since a step of learning could make them active.
    integrator : str
        How its states are stepped: "trapezoidal" for circuits of resistors, inductors, capacitors and stubs that are to
        be passive, and lossless without resistors, with every step and line; they have the impedance at the frequency
        (2/dt) tan(omega dt/2). "implicit" for circuits whose time constants are short against the step, or another of
        `physnn.equations.integrators`. Explicit ones give energy to circuits that store it, and may be unstable between
        lines that lose little.

    Raises
    ------
    ParameterError
        The impedance is none, or not passive.

    Source
    ------
    Thevenin's theorem for waves: Pozar, Microwave Engineering (2011), section 2.3.
    """

    name: str
    size: int
    impedance: Impedance
    trainable: bool = True
    integrator: str = "euler"
    signal: str = field(default="u", init=False, repr=False)
    arrival: str = field(default="e", init=False, repr=False)
    unit: str = field(default="V", init=False, repr=False)

    def __post_init__(self) -> None:
        check_size(f"termination {self.name!r}", self.size)
        check_impedance(f"termination {self.name!r}", self.impedance)

    @cached_property
    def circuit(self) -> Circuit:
        """The impedance behind the line's Thevenin source."""
        return circuit(self.impedance, "(2*b - e)", "Z0", trainable=self.trainable, integrator=self.integrator)

    def lower(self) -> Population:
        """Waves, current and voltage, and the states of the impedance."""
        text = EQUATIONS.format(circuit=self.circuit.text)
        return Population.from_text(
            self.name, self.size, text, {**self.circuit.values, "Zr": REFERENCE}, integrator=self.circuit.integrator
        )

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The lines of its stubs."""
        return self.circuit.couplings(self.name, self.size)

    def check(self, arriving: Mapping[str, Sequence[str]]) -> None:
        """Whether exactly one line ends here.

        Raises
        ------
        EquationError
        """
        check_ends(f"termination {self.name!r}", self.name, arriving, ("",))
