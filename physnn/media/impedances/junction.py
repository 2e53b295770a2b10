"""Where two lines meet: steps of impedance, and impedances in series or across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from physnn.equations import Coupling, Population
from physnn.media.impedances.circuit import Circuit, circuit
from physnn.media.impedances.impedance import Impedance, check_impedance
from physnn.media.impedances.line import REFERENCE, check_ends, check_size
from physnn.media.part import Part

SIDES = """
b_1  : V   (arrival)
b_2  : V   (arrival)
dZ_1 : ohm (arrival)
dZ_2 : ohm (arrival)
Zr   : ohm (constant)
Z_1 = Zr + dZ_1 : ohm
Z_2 = Zr + dZ_2 : ohm
"""
ACROSS = "2*(b_1*Z_2 + b_2*Z_1)/(Z_1 + Z_2)"
"""Voltage [V] where two lines meet that draw no other current."""


@dataclass(frozen=True)
class _Junction(Part):
    """Two lines side by side, element k of one to element k of the other; waves b arrive, waves a leave."""

    name: str
    size: int
    signal: str = field(default="a_2", init=False, repr=False)
    arrival: str = field(default="b_1", init=False, repr=False)

    def __post_init__(self) -> None:
        check_size(f"junction {self.name!r}", self.size)

    def check(self, arriving: Mapping[str, Sequence[str]]) -> None:
        """Whether exactly one line ends at each side.

        Raises
        ------
        EquationError
        """
        check_ends(f"junction {self.name!r}", self.name, arriving, ("1", "2"))


@dataclass(frozen=True)
class Step(_Junction):
    """Two lines of unlike impedance joined directly:  v = 2 (b_1/Z_1 + b_2/Z_2)/(1/Z_1 + 1/Z_2),  a_k = v - b_k.

    A wave from side 1 is reflected by R = (Z_2 - Z_1)/(Z_2 + Z_1) and transmitted by T = 1 + R.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n on each side.
    """

    def lower(self) -> Population:
        """The waves that leave."""
        text = f"{SIDES}v = {ACROSS} : V\na_1 = v - b_1 : V\na_2 = v - b_2 : V"
        return Population.from_text(self.name, self.size, text, {"Zr": REFERENCE})


@dataclass(frozen=True)
class _WithImpedance(_Junction):
    impedance: Impedance = field(kw_only=True)
    trainable: bool = True
    integrator: str = "euler"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_impedance(f"junction {self.name!r}", self.impedance)

    waves: ClassVar[str]
    """what leaves"""
    drive: ClassVar[tuple[str, str]]
    """voltage [V] and source impedance [ohm] that the impedance sees"""

    @cached_property
    def circuit(self) -> Circuit:
        """The impedance, driven by both lines."""
        return circuit(self.impedance, *self.drive, trainable=self.trainable, integrator=self.integrator)

    def lower(self) -> Population:
        """The waves that leave, and the states of the impedance."""
        text = f"{SIDES}{self.circuit.text}\n{self.waves}"
        return Population.from_text(
            self.name, self.size, text, {**self.circuit.values, "Zr": REFERENCE}, integrator=self.circuit.integrator
        )

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The lines of its stubs."""
        return self.circuit.couplings(self.name, self.size)


@dataclass(frozen=True)
class SeriesJunction(_WithImpedance):
    """An impedance through which one line goes over into the other:  i_1 = -i_2 = i,  v_1 - v_2 = Z i.

    Between equal lines S11 = Z/(Z + 2 Z0), S21 = 2 Z0/(Z + 2 Z0).

    Parameters
    ----------
    name : str
    size : int
        Number of lines n on each side.
    impedance : Impedance
        Passive.
    trainable : bool
        Whether the values of its elements are learnt.
    integrator : str
        How its states are stepped, as those of a `Termination`.
    """

    waves = "a_1 = b_1 - Z_1*i : V\na_2 = b_2 + Z_2*i : V"
    drive = ("2*(b_1 - b_2)", "(Z_1 + Z_2)")


@dataclass(frozen=True)
class ShuntJunction(_WithImpedance):
    """An impedance across the place where two lines meet:  v_1 = v_2 = v = Z (i_1 + i_2).

    Between equal lines S11 = -Z0/(Z0 + 2 Z), S21 = 2 Z/(Z0 + 2 Z).

    Parameters
    ----------
    name : str
    size : int
        Number of lines n on each side.
    impedance : Impedance
        Passive.
    trainable : bool
        Whether the values of its elements are learnt.
    integrator : str
        How its states are stepped, as those of a `Termination`.
    """

    waves = "a_1 = v - b_1 : V\na_2 = v - b_2 : V"
    drive = (ACROSS, "Z_1*Z_2/(Z_1 + Z_2)")
