"""What built interferometers make of the phases they are given: bits, heat of neighbours, errors of a die, loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.errors import ParameterError
from physnn.media.mesh import NEPER
from physnn.substrate.profile_schema import Profile

Phases = NDArray[np.float64]
CURVES = ("loss", "coupler_error", "phase_error", "crosstalk")
"""Imperfections against which an error can be drawn."""


@dataclass(frozen=True)
class Imperfections:
    """What is not as designed; errors are normal, drawn once per die.

    Raises
    ------
    ParameterError
    """

    loss: float = 0.0
    """of one interferometer [dB]; lines that pass a column without meeting one lose nothing"""
    coupler_error: float = 0.0
    """rms error of a coupler's angle about pi/4 [rad]: 0.02 is a splitting of 52 to 48"""
    phase_error: float = 0.0
    """rms error of a phase [rad]"""
    crosstalk: float = 0.0
    """share of its phase by which a heater turns its neighbours: the other shifter of its interferometer, and the
    shifters of the same kind above and below in its column [1]"""
    phase_bits: int | None = None
    """of the converters that set a phase between 0 and 2 pi; exact where None"""

    def __post_init__(self) -> None:
        for key in CURVES:
            value = getattr(self, key)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not (number and math.isfinite(value) and value >= 0):
                raise ParameterError(f"imperfections: {key} {value!r} must be a finite number, at least 0")
            object.__setattr__(self, key, float(value))
        bits = self.phase_bits
        if bits is not None and not (isinstance(bits, Integral) and 1 <= bits <= 64):
            raise ParameterError(f"imperfections: phase_bits {bits!r} must be a whole number from 1 to 64, or None")

    @classmethod
    def of(cls, profile: Profile) -> Imperfections:
        """Those of a profile, at its typical values; what it does not name is perfect."""
        mesh, loss, precision = profile.mesh, profile.medium.mzi_loss, profile.precision
        errors = {key: quantity.value for key, quantity in mesh.quantities()}
        return cls(loss.value if loss else 0.0, phase_bits=precision.weight_bits if precision else None, **errors)

    @property
    def attenuation(self) -> float:
        """Of the amplitude in one interferometer [Np]."""
        return self.loss * NEPER


def phases_on_die(
    theta: Phases, phi: Phases, phase: Phases, lengths: Sequence[int], given: Imperfections, seed: int, name: str
) -> tuple[Phases, Phases, Phases]:
    """Phases of a mesh as its die turns them: rounded, with the heat of their neighbours and the die's errors.

    Parameters
    ----------
    theta, phi : array
        (..., interferometers) [rad], column by column.
    phase : array
        At the end of each line, (..., n) [rad].
    lengths : sequence of int
        Interferometers in each column.
    given : Imperfections
    seed : int
    name : str
        Of the mesh: seed and name make the die, whatever the phases are.
    """
    inner, outer, ends = (_rounded(p, given.phase_bits) for p in (2 * theta, phi, phase))
    hot, warm, last = (_heated(p) for p in (inner, outer, ends))
    share = given.crosstalk
    inner = inner + share * (_beside(hot, lengths) + warm)
    outer = outer + share * (_beside(warm, lengths) + hot)
    ends = ends + share * _neighbours(last)
    inner, outer, ends = (
        own + given.phase_error * streams.normal(seed, name, purpose, own.shape[-1:])
        for own, purpose in ((inner, "theta"), (outer, "phi"), (ends, "phase"))
    )
    return inner / 2, outer, ends


def angles_on_die(angle: Phases, given: Imperfections, seed: int, name: str) -> Phases:
    """Angles of a column of attenuators (..., n) [rad] as its die turns them: arms in push-pull of twice the angle."""
    arms = _rounded(2 * angle, given.phase_bits)
    arms = arms + given.crosstalk * _neighbours(_heated(arms))
    return (arms + given.phase_error * streams.normal(seed, name, "angle", arms.shape[-1:])) / 2


def coupler_errors(count: int, given: Imperfections, seed: int, name: str) -> Phases:
    """Errors of the two couplers of each interferometer [rad], (2, count)."""
    return given.coupler_error * streams.normal(seed, name, "couplers", (2, count))


def _rounded(phases: Phases, bits: int | None) -> Phases:
    if bits is None:
        return phases
    step = 2 * np.pi / 2.0**bits
    return step * np.round(phases / step)


def _heated(phases: Phases) -> Phases:
    """What a heater is set to, 0 to 2 pi: a whole turn is not heated, nor is what misses one by rounding."""
    set_to = np.mod(phases, 2 * np.pi)
    return np.where(2 * np.pi - set_to < 1e-14, 0.0, set_to)


def _beside(values: Phases, lengths: Sequence[int]) -> Phases:
    """Sums over the next interferometers above and below in the same column."""
    found, start = np.zeros_like(values), 0
    for length in lengths:
        own = slice(start, start := start + length)
        found[..., own] = _neighbours(values[..., own])
    return found


def _neighbours(values: Phases) -> Phases:
    """Sum of what is before and after in a row."""
    found = np.zeros_like(values)
    found[..., 1:] += values[..., :-1]
    found[..., :-1] += values[..., 1:]
    return found
