"""Delays that are no whole number of steps, and dispersion: chains of all-pass sections behind the whole steps.

A section of delay T [s] turns what arrives, x, into y, with the state l of one step before:

    y = eta x + (1 - eta^2) l,      l+ = x - eta l,      eta = (dt - T)/(dt + T)

It is the lattice section (1 - s T/2)/(1 + s T/2) stepped by the trapezoidal rule: lossless, with (1 - eta^2) l^2/Z0 dt
stored. Its group delay at the angular frequency w is

    T/(cos(w dt/2)^2 + (T/dt)^2 sin(w dt/2)^2):

T at low frequencies, dt^2/T at half the step rate. For T above dt it falls with frequency, for T = dt the section is
one step of pure delay, for T below dt it rises.

Source: Laakso et al., Splitting the unit delay, IEEE Signal Process. Mag. 13, 30 (1996), section 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from physnn.errors import ParameterError
from physnn.media.checks import is_size
from physnn.media.impedances.elements import above_zero

SHORTEST = 0.5
"""of a section that makes up for a fraction, in steps; it lies between this and one more"""
WHOLE = 1e-6
"""Delays this near to whole steps, in steps, are whole; as where they are run."""


@dataclass(frozen=True)
class Dispersion:
    """A chain of `sections` lattice sections of delay T each: high frequencies arrive sooner.

    Of the line's delay tau the chain makes sections T at low frequencies; with c = cos(w dt/2), s = sin(w dt/2) the
    line's group delay at the angular frequency w is, for the time step dt at which it runs,

        tau - sections T (1 - 1/(c^2 + (T/dt)^2 s^2)),

    plus what the section of a fraction of a step departs from its delay by, the same formula. For steps that are short
    against T and 1/w that is tau - sections T (w T/2)^2/(1 + (w T/2)^2).
    """

    sections: int
    delay: float
    """T [s], above the time step of the line"""

    def __post_init__(self) -> None:
        if not is_size(self.sections):
            raise ParameterError(f"dispersion: {self.sections!r} sections; a whole number, at least 1")
        given = above_zero(self.delay, "dispersion: delay of a section", "s")
        if not isinstance(given, float):
            raise ParameterError(f"dispersion: delay {self.delay} must be one number for all sections")
        object.__setattr__(self, "delay", given)

    @property
    def total(self) -> float:
        """Delay of the whole chain at low frequencies [s]."""
        return self.sections * self.delay


@dataclass(frozen=True)
class Split:
    """A delay as whole steps, which a coupling has, and sections."""

    whole: float
    """[s]"""
    rest: float | None
    """delay of the section that makes up for the fraction [s]; None where there is none"""
    chain: Dispersion | None = None
    least: float = 0.0
    """[s], to which the section's delay may fall where it is learnt"""

    @classmethod
    def of(
        cls, where: str, delay: float, step: float | None, chain: Dispersion | None = None, *, learnt: bool = False
    ) -> Split:
        """Split a delay for a time step.

        Raises
        ------
        ParameterError
            Nothing is left for the whole steps, a learnt delay or a dispersion has no step, or a section of the
            dispersion is no longer than one.
        """
        left = delay - (chain.total if chain else 0.0)
        if step is None:
            if learnt:
                raise ParameterError(f"{where}: a delay that is learnt needs a section for its fraction; give `step`")
            if chain:
                raise ParameterError(f"{where}: what its dispersion does depends on the time step; give `step`")
            return cls(delay, None)
        given = above_zero(step, f"{where}: step", "s")
        if not isinstance(given, float):
            raise ParameterError(f"{where}: step {step} must be one number")
        step = given
        if chain and chain.delay <= step * (1 + WHOLE):
            raise ParameterError(
                f"{where}: a section of its dispersion of {chain.delay} s is no longer than a step of {step} s, so "
                "that high frequencies would not arrive sooner; take fewer, longer sections or a shorter step"
            )
        steps = left / step
        if not learnt and round(steps) >= 1 and abs(steps - round(steps)) <= WHOLE:
            return cls(left, None, chain)
        whole = math.floor(steps - SHORTEST + WHOLE)
        if whole < 1:
            raise ParameterError(
                f"{_too_short(where, delay, chain)}; it needs {1 + SHORTEST:g} steps of {step} s at least: take a "
                "shorter step or a longer line"
            )
        least = SHORTEST * step
        return cls(whole * step, max(left - whole * step, least), chain, least)  # WHOLE, or rounding, may fall short

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Number and delay's name of every section; none where the delay is whole steps."""
        names = ["rest"] * (self.rest is not None) + ["disp"] * (self.chain.sections if self.chain else 0)
        return tuple((f"{k}", name) for k, name in enumerate(names, start=1))

    def text(self, learnt: bool) -> str:
        """Equations of the sections; 'at_right' is what came from the left once it has passed them."""
        if not self.sections:
            return ""
        lines = []
        if self.rest is not None:
            flag = f"trainable, at least {self.least!r}" if learnt else "parameter"
            lines.append(f"rest : s ({flag})")
        if self.chain:
            lines.append("disp : s (parameter)")
        etas = [f"eta{tag} = (dt - {delay})/(dt + {delay}) : 1" for tag, delay in self.sections]
        for side, entering, end in (("l", "from_left", "at_right"), ("r", "from_right", "at_left")):
            x = entering
            for tag, _ in self.sections:
                state, eta = f"{side}{tag}", f"eta{tag}"
                y = end if tag == self.sections[-1][0] else f"{side}_behind{tag}"
                etas.append(f"{y} = {eta}*{x} + (1 - {eta}**2)*{state} : V")
                etas.append(f"{state}+ = {x} - {eta}*{state} : V")
                x = y
        return "\n".join((*lines, *etas))

    @property
    def values(self) -> dict[str, float]:
        """Values of the sections' parameters."""
        found = {"rest": self.rest, "disp": self.chain.delay if self.chain else None}
        return {name: value for name, value in found.items() if value is not None}


def _too_short(where: str, delay: float, chain: Dispersion | None) -> str:
    spent = f", of which its dispersion takes {chain.total} s," if chain else ""
    return f"{where}: a delay of {delay} s{spent} leaves no whole step"
