"""Spike codes: how one signed number crosses between populations in events.

A coder sees its signal s, relative to the full scale, once a step; its events carry a `payload`. What a receiver, or
the trace of a synapse, makes of the payloads p of step t = 1, 2, ... is the estimate h:

    leaking       h2 <- h2 + k (p - h2),  h <- h + k (h2 - h),  k = min(1, 4/t)
    adding up     h <- h + p

Leaks that fall with the time since presentation forget the transient of the layers before and average over all the
rest: behind `sigma-delta` the error falls about as t^(-1.4), behind `poisson` as t^(-0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

from physnn.errors import UnknownNameError


@dataclass(frozen=True)
class Code:
    """A spike code in Brian2's language. Variables: v, s, payload, chance, and the shared theta."""

    name: str
    encode: str
    """once a step: what is sent, 0 for nothing"""
    reset: str
    """where something was sent; empty for nothing to do"""
    leaking: bool
    """how payloads become an estimate: by two leaks, or by their sum"""
    dithered: bool = False
    """whether v starts a presentation anywhere in [-1/2, 1/2): from one start, equal signals of all samples would have
    equal errors, which add up in a gradient in which the samples' signals nearly cancel"""
    needs_chance: bool = False
    """whether `chance` must be drawn anew each step, uniform in (0, 1)"""


CODES = {
    code.name: code
    for code in (
        Code(
            "sigma-delta",
            # Half-open: an exact tie at both ends would flip its sign for ever.
            "v += s\npayload = int(v >= 0.5) - int(v < -0.5)",
            "v -= payload",
            leaking=True,
            dithered=True,
        ),
        Code("poisson", "payload = sign(s)*int(chance < abs(s))", "", leaking=True, needs_chance=True),
        Code("halving", "payload = theta*(int(s - v >= 0.5*theta) - int(s - v < -0.5*theta))", "v += payload", False),
        Code("graded", "payload = (s - v)*int(abs(s - v) > theta)", "v += payload", False),
    )
}
"""Signed sigma-delta with subtractive reset (+-1 events); a Poisson rate with a sign (+-1); events of a size that both
sides know, halved every 4 steps; and events that carry the change since the last one."""

_STEPS_PER_HALVING = 4
_MOST_HALVINGS = 52
_LEAK = 4.0


def find_code(name: str) -> Code:
    """A code by its name.

    Raises
    ------
    UnknownNameError
    """
    if name not in CODES:
        raise UnknownNameError("spike code", name, CODES)
    return CODES[name]


def leak(step: int) -> float:
    """k of step 1, 2, ... of a presentation."""
    return min(1.0, _LEAK / step)


def size(code: Code, step: int, dead_band: float) -> float:
    """theta of step 1, 2, ...: the size of an event of `halving`, none below rounding, or the dead band of `graded`."""
    if code.name != "halving":
        return dead_band
    halvings = 1 + (step - 1) // _STEPS_PER_HALVING
    return 0.5**halvings if halvings <= _MOST_HALVINGS else 0.0
