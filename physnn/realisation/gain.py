"""Gain that active elements have to add: how many stages it takes, and when none can."""

from __future__ import annotations

import math

from physnn.energy.interval import Interval
from physnn.errors import CapabilityError
from physnn.substrate.profile_schema import Profile

LEAST = 0.01
"""[dB]; nobody puts an amplifier behind a line for less, which is below what lines and weights differ by"""
STAGE = 20.0
"""Gain of one stage [dB], assumption: an amplifier of one transistor at some hundred megahertz; no profile names it."""
MOST = 80.0
"""Gain of one line [dB], assumption, of devices whose profile has no read noise: beyond it amplifiers oscillate."""


def stages(gain: Interval) -> Interval:
    """Amplifiers behind one another on a line [1], each of STAGE decibels at most."""
    return Interval(*(float(math.ceil(end / STAGE)) for end in (gain.low, gain.typical, gain.high)))


def limited_gain(gain: Interval, profile: Profile) -> Interval:
    """The gain [dB] without what is too small to be built; an end at or below 0 needs none.

    Raises
    ------
    CapabilityError
        It would raise the profile's read noise to its full scale, or is above MOST: no such gain is built.
    """
    noise = profile.noise.read
    most = max(0.0, -20.0 * math.log10(noise.value)) if noise is not None and noise.value else MOST
    if profile.kind != "ideal" and gain.typical > most:
        why = "raises its read noise to full scale" if most != MOST else "makes amplifiers oscillate"
        raise CapabilityError(
            f"profile {profile.name!r}: the matrix needs a gain of {gain.typical:.1f} dB, and {most:.1f} dB already "
            f"{why}; scale the matrix down"
        )
    return Interval(*(end if end > LEAST else 0.0 for end in (gain.low, gain.typical, gain.high)))
