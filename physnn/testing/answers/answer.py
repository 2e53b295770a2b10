"""A known answer: what theory says, what was measured, and how far the two may lie apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One comparison of `physnn media verify`."""

    claim: str
    measured: float
    wanted: float
    tolerance: float = 0.0
    kind: str = "relative"
    """"relative" or "absolute" deviation up to `tolerance`; "at least" or "at most" the wanted number"""

    @property
    def deviation(self) -> float:
        """Distance from what is wanted, in the kind's own measure; at most 0 where a one-sided bar is kept."""
        if self.kind == "at least":
            return self.wanted - self.measured
        if self.kind == "at most":
            return self.measured - self.wanted
        distance = abs(self.measured - self.wanted)
        return distance / abs(self.wanted) if self.kind == "relative" else distance

    @property
    def holds(self) -> bool:
        """Whether the bar is kept; a number that is not one keeps none."""
        return self.deviation <= (self.tolerance if self.kind in ("relative", "absolute") else 0.0)

    @property
    def bar(self) -> str:
        """What is wanted, in words."""
        if self.kind in ("at least", "at most"):
            return f"{self.kind} {self.wanted:.7g}"
        width = f"{self.tolerance:g}" if self.kind == "absolute" else f"{100 * self.tolerance:.3g} %"
        return f"{self.wanted:.7g} within {width}"

    @property
    def off(self) -> str:
        """How far from it the measurement is, in words."""
        if self.kind == "relative":
            return f"{100 * self.deviation:.2g} %"
        return f"{self.deviation:.2g}" if self.kind == "absolute" else ""


def close(
    claim: str, measured: float, wanted: float, *, relative: float | None = None, absolute: float | None = None
) -> Answer:
    """Measured lies within a relative or an absolute tolerance of what is wanted."""
    if relative is not None:
        return Answer(claim, float(measured), float(wanted), relative, "relative")
    return Answer(claim, float(measured), float(wanted), absolute or 0.0, "absolute")


def at_least(claim: str, measured: float, bar: float) -> Answer:
    """Measured is the bar or more."""
    return Answer(claim, float(measured), float(bar), kind="at least")


def at_most(claim: str, measured: float, bar: float) -> Answer:
    """Measured is the bar or less."""
    return Answer(claim, float(measured), float(bar), kind="at most")
