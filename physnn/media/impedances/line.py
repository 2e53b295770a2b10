"""Lines: waves that travel both ways between two parts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from physnn.equations import OneToOne, Population
from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import is_size, not_negative
from physnn.media.impedances.delay import Dispersion, Split
from physnn.media.impedances.elements import Values, above_zero, fraction
from physnn.media.network import Link
from physnn.media.part import Part

EQUATIONS = """
from_left  : V   (arrival)
from_right : V   (arrival)
Z0         : ohm ({impedance})
alpha      : 1   ({transmission}, at least 0)
k = exp(-alpha) : 1
Zr         : ohm (constant)
{sections}
"""
LEARNT = ("impedance", "transmission", "delay")
"""What of a line may be learnt."""
ONE = "must be one number for the whole bundle"
SMALLEST = 1e-3
"""Impedances may fall to this part of where they start when they are learnt: a line of none or less is no line."""
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
        tau [s, model time], above 0; a whole number of steps unless `step` is given.
    transmission : float
        k [1], above 0 and at most 1: what is left of a wave at the other end. The line holds its attenuation
        alpha = -log(k) [Np], the parameter 'NAME.alpha', at least 0: training and devices that differ by a share of
        it leave k above 0 and at most 1.
    trainable : bool, str or collection of str
        What is learnt, of "impedance", "transmission" and "delay"; True stands for the first two.
    step : float, optional
        Time step [s] for which the delay is split into whole steps and one all-pass section (`physnn.media.impedances.
        delay`), where it is not whole steps or is learnt; then it is at least 1.5 steps. At low frequencies the section
        is exact for any step, and lossless always; run it at this step, at which its dispersion is smallest.
    dispersion : Dispersion, optional
        Sections that make up for a part of the delay, and less of it at high frequencies; needs `step`.

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
    trainable: bool | str | Collection[str] = True
    step: float | None = None
    dispersion: Dispersion | None = None
    signal: str = field(default="k*from_left", init=False, repr=False)
    arrival: str = field(default="from_left", init=False, repr=False)

    def __post_init__(self) -> None:
        check_size(f"line {self.name!r}", self.size)
        object.__setattr__(self, "impedance", above_zero(self.impedance, f"line {self.name!r}: impedance", "ohm"))
        for own, unit in (("transmission", ""), ("delay", "s")):
            given = above_zero(getattr(self, own), f"line {self.name!r}: {own}", unit)
            if not isinstance(given, float):
                raise ParameterError(f"line {self.name!r}: {own} {getattr(self, own)} {ONE}")
            object.__setattr__(self, own, given)
        fraction(self.transmission, f"line {self.name!r}: transmission")
        for name in self.learnt:
            if name not in LEARNT:
                raise UnknownNameError(f"quantity of line {self.name!r}", name, LEARNT)
        if self.split.sections:
            object.__setattr__(self, "signal", "k*at_right")

    @classmethod
    def of_length(
        cls,
        name: str,
        size: int,
        length: float,
        velocity: float,
        *,
        decibels: float = 0.0,
        nepers: float = 0.0,
        **others: Any,
    ) -> Line:
        """A line of given length [m]:  tau = length/velocity,  k = exp(-(nepers + decibels ln(10)/20) length).

        Parameters
        ----------
        velocity : float
            Group velocity [m/s].
        decibels, nepers : float
            Attenuation [dB/m] and [Np/m]; they add up.
        **others
            As for a line given by its delay: impedance, trainable, step, dispersion.
        """
        where = f"line {name!r}"
        metres, speed = (
            above_zero(v, f"{where}: {q}", u) for v, q, u in ((length, "length", "m"), (velocity, "velocity", "m/s"))
        )
        parts = [not_negative(value, "attenuation", where) for value in (decibels, nepers)]
        if any(part.ndim for part in parts):
            raise ParameterError(f"{where}: attenuation {ONE}")
        alpha = float(parts[0]) * math.log(10) / 20 + float(parts[1])
        if not (isinstance(metres, float) and isinstance(speed, float)):
            raise ParameterError(f"{where}: length and velocity are one number each for the whole bundle")
        left = math.exp(-alpha * metres)
        if not left:
            raise ParameterError(
                f"{where}: its attenuation, {alpha * metres:.4g} Np over its length, leaves nothing of a wave; take a "
                "shorter line or one of less attenuation"
            )
        return cls(name, size, delay=metres / speed, transmission=left, **others)

    @property
    def learnt(self) -> tuple[str, ...]:
        """What of the line is learnt."""
        given = self.trainable
        if isinstance(given, str):
            return (given,)
        return (LEARNT[:2] if given else ()) if isinstance(given, bool) else tuple(given)

    @cached_property
    def split(self) -> Split:
        """The delay as whole steps and sections."""
        where = f"line {self.name!r}"
        return Split.of(where, self.delay, self.step, self.dispersion, learnt="delay" in self.learnt)

    def lower(self) -> Population:
        """Its parameters and the waves that come out at its ends."""
        flags = {name: "trainable" if name in self.learnt else "parameter" for name in LEARNT[:2]}
        if "impedance" in self.learnt:
            flags["impedance"] += f", at least {SMALLEST * float(np.min(self.impedance))!r}"
        text = EQUATIONS.format(**flags, sections=self.split.text("delay" in self.learnt))
        alpha = 0.0 - math.log(self.transmission)
        values = {"Z0": self.impedance, "alpha": alpha, "Zr": REFERENCE, **self.split.values}
        return Population.from_text(self.name, self.size, text, values)

    def links(self, left: str, right: str) -> tuple[Link, ...]:
        """What joins the line to the parts at its two ends.

        Parameters
        ----------
        left, right : str
            Name of a `Termination`, or 'NAME:1', 'NAME:2' for a side of a junction.
        """
        to_left, to_right = ("at_left", "at_right") if self.split.sections else ("from_right", "from_left")
        return (*self._end(left, "from_left", f"k*{to_left}"), *self._end(right, "from_right", f"k*{to_right}"))

    def _end(self, end: str, entering: str, leaving: str) -> tuple[Link, ...]:
        part, _, side = end.partition(":")
        number, label = (f"_{side}", f"{part} {side}") if side else ("", part)
        ones, operator = np.ones(self.size), OneToOne((self.size,))

        def link(source: str, target: str, name: str, signal: str, into: str, delay: float = 0.0) -> Link:
            return Link(source, target, name, operator, delay, 1.0, False, signal, into, "1", ones, True)

        return (
            link(end, self.name, f"{label}->{self.name}", f"a{number}", entering, self.split.whole),
            link(self.name, end, f"{self.name}->{label}", leaving, f"b{number}"),
            link(self.name, end, f"{self.name} tells {label}", "Z0 - Zr", f"dZ{number}"),
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
