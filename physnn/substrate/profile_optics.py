"""The light budget of an interferometer mesh: insertion loss and the laser power that pays for it.

IL = depth IL_MZI + IL_mod [dB], where depth is the number of interferometers passed in series: 2 max(fan-in, fan-out)
for a weight matrix as two meshes. P_laser = sources P_det 10^(IL/10) / eta [W at the wall]: exponential in the
width of a layer. Shen et al. 2017 Nat. Photonics 11:441 (mesh), Clements et al. 2016 Optica 3:1460 (depth N of an
N-port mesh).
"""

from __future__ import annotations

import math

from physnn.errors import CapabilityError, ProfileError
from physnn.substrate.profile_schema import Profile

LIGHT_CONSTANTS = ("medium.mzi_loss", "medium.detector_power", "medium.laser_efficiency", "medium.laser_limit")
"""Numbers that :func:`laser_power` uses; it also uses ``medium.modulator_loss`` where the profile has one."""

_ENDS = (("low", "high"), ("value", "value"), ("high", "low"))


def insertion_loss(profile: Profile, depth: float) -> tuple[float, float, float]:
    """(low, typical, high) loss [dB] of a modulator and ``depth`` interferometers in series."""
    mzi, modulator = profile.medium.mzi_loss, profile.medium.modulator_loss
    if mzi is None:
        raise ProfileError(f"profile {profile.name!r} has no medium.mzi_loss")
    ends = ("low", "value", "high")
    low, typical, high = (depth * getattr(mzi, end) + (getattr(modulator, end) if modulator else 0.0) for end in ends)
    return low, typical, high


def laser_power(profile: Profile, sources: float, depth: float) -> tuple[float, float, float]:
    """(low, typical, high) wall power [W] of the light for ``sources`` modulated lines through a mesh.

    The high end is clipped at ``medium.laser_limit``: a chip that needed more would not have been built.

    Raises
    ------
    CapabilityError
        The typical power is above the limit.
    """
    medium = profile.medium
    losses = insertion_loss(profile, depth)
    limit, detector, efficiency = medium.laser_limit, medium.detector_power, medium.laser_efficiency
    if limit is None or detector is None or efficiency is None:
        raise ProfileError(f"profile {profile.name!r} has no light budget; it needs {', '.join(LIGHT_CONSTANTS)}")
    if sources <= 0.0:
        return 0.0, 0.0, 0.0
    # in logarithms: a wide mesh of lossy interferometers overflows a float
    logs = [
        math.log10(sources * getattr(detector, end) / getattr(efficiency, other)) + loss / 10.0
        for (end, other), loss in zip(_ENDS, losses, strict=True)
    ]
    if logs[1] > math.log10(limit.value):
        mesh = depth * medium.mzi_loss.value if medium.mzi_loss else 0.0
        raise CapabilityError(
            f"profile {profile.name!r}: {depth:g} interferometers in series lose {mesh:.4g} dB, for which the "
            f"laser needs 10^{logs[1]:.1f} W (limit {limit.value:g} W); use narrower layers or a profile without a mesh"
        )
    low, typical, high = (10.0 ** min(log, math.log10(limit.value)) for log in logs)
    return low, typical, high
