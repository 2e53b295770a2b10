"""Lines: waves that travel both ways between two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from physnn.equations import OneToOne, Population
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media.checks import is_size
from physnn.media.impedances.elements import Values, above_zero, fraction
from physnn.media.network import Link
from physnn.media.part import Part

EQUATIONS = """
from_left  : V   (arrival)
from_right : V   (arrival)
Z0         : ohm ({learnt})
k          : 1   ({learnt})
Zr         : ohm (parameter)
"""
REFERENCE = 1.0
"""Zr [ohm]. A line tells its ends Z0 - Zr: an end that has heard nothing yet, as where the search for a stationary
state starts, sees an impedance of Zr and does not divide by zero."""


@dataclass(frozen=True)
class Line(Part):
    """A bundle of transmission lines:  b_right(t) = k a_left(t - tau),  b_left(t) = k a_right(t - tau).

    a leaves an end into the line, b arrives there; v = a + b, i = (a - b)/Z0 into the line. The two waves are couplings
    with a delay, and the line tells what stands at its ends its Z0: a line has one impedance, also when that is learnt.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n.
    impedance : float or sequence of float
        Characteristic impedance Z0 [ohm], above 0; one for all lines or one each.
    delay : float
        tau [s, model time], above 0; a whole number of steps.
    transmission : float
        k [1], above 0 and at most 1: what is left of a wave at the other end, exp(-attenuation).
    trainable : bool
        Whether Z0 and k are learnt.

    Examples
    --------
    >>> from physnn.media.impedances import Resistor, Termination
    >>> source, line = Termination("source", 1, Resistor(50.0)), Line("line", 1, impedance=75.0, delay=1e-9)
    >>> [link.label for link in line.links("source", "step:1")]
    ['source->line', 'line->source', 'line tells source', 'step 1->line', 'line->step 1', 'line tells step 1']
    """

    name: str
    size: int
    impedance: Values = 50.0
    delay: float = 1.0
    transmission: float = 1.0
    trainable: bool = True
    signal: str = field(default="k*from_left", init=False, repr=False)
    arrival: str = field(default="from_left", init=False, repr=False)

    def __post_init__(self) -> None:
        check_size(f"line {self.name!r}", self.size)
        object.__setattr__(self, "impedance", above_zero(self.impedance, f"line {self.name!r}: impedance", "ohm"))
        fraction(self.transmission, f"line {self.name!r}: transmission")
        if not isinstance(above_zero(self.delay, f"line {self.name!r}: delay", "s"), float):
            raise ParameterError(f"line {self.name!r}: delay {self.delay} must be one number for the whole bundle")

    def lower(self) -> Population:
        """Its parameters and the waves that come out at its ends."""
        return Population.from_text(
            self.name,
            self.size,
            EQUATIONS.format(learnt="trainable" if self.trainable else "parameter"),
            {"Z0": self.impedance, "k": self.transmission, "Zr": REFERENCE},
        )

    def links(self, left: str, right: str) -> tuple[Link, ...]:
        """What joins the line to the parts at its two ends.

        Parameters
        ----------
        left, right : str
            Name of a `Termination`, or 'NAME:1', 'NAME:2' for a side of a junction.
        """
        return (*self._end(left, "from_left", "k*from_right"), *self._end(right, "from_right", "k*from_left"))

    def _end(self, end: str, entering: str, leaving: str) -> tuple[Link, ...]:
        part, _, side = end.partition(":")
        number, label = (f"_{side}", f"{part} {side}") if side else ("", part)
        ones, operator = np.ones(self.size), OneToOne((self.size,))

        def link(source: str, target: str, name: str, signal: str, into: str, delay: float = 0.0) -> Link:
            return Link(source, target, name, operator, delay, 1.0, False, signal, into, "1", ones)

        return (
            link(part, self.name, f"{label}->{self.name}", f"a{number}", entering, self.delay),
            link(self.name, part, f"{self.name}->{label}", leaving, f"b{number}"),
            link(self.name, part, f"{self.name} tells {label}", "Z0 - Zr", f"dZ{number}"),
        )


def check_size(where: str, size: object) -> None:
    """Whether this is a number of lines.

    Raises
    ------
    ShapeError
    """
    if not is_size(size):
        raise ShapeError(f"{where}: size {size!r} must be a whole number of lines, at least 1")


def check_ends(where: str, part: str, arriving: Mapping[str, Sequence[str]], sides: Sequence[str]) -> None:
    """Whether exactly one line ends at each side of a part; the side of a part that has only one is "".

    Raises
    ------
    EquationError
        Two lines on one side would each get the other's wave and create energy; a side without a line would be one that
        ends in an impedance of 1 ohm.
    """
    ends = [f"{part}:{side}" if side else part for side in sides]
    given = {name.removeprefix("dZ").removeprefix("_") for name in arriving if name == "dZ" or name.startswith("dZ_")}
    strange = sorted(given - set(sides))
    if strange:
        said = f"at its side {strange[0]!r}, which it does not have" if strange[0] else "at it without naming a side"
        raise EquationError(f"{where}: a line ends {said}; end it at {' or '.join(map(repr, ends))} in Line.links")
    for side, end in zip(sides, ends, strict=True):
        number, place = (f"_{side}", f"its side {side}") if side else ("", "it")
        waves, told = arriving.get(f"b{number}", ()), arriving.get(f"dZ{number}", ())
        if not waves and not told:
            raise EquationError(
                f"{where}: no line ends at {place}; end one there, Line(...).links(..., {end!r}), or leave the part out"
            )
        if len(waves) != 1 or len(told) != 1:
            raise EquationError(
                f"{where}: exactly one line must end at {place}, but {len(waves)} waves and {len(told)} impedances "
                f"arrive ({', '.join((*waves, *told))}); join lines by a Step or a junction, with links by Line.links"
            )
