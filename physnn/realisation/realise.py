"""Placing a wanted matrix on a hardware profile: what has to be built, what it costs, what it gets wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from physnn import streams
from physnn.energy.interval import Interval
from physnn.errors import CapabilityError, NumericsError, ParameterError, ProfileError
from physnn.realisation.checks import checked_matrix
from physnn.realisation.gain import limited_gain, stages
from physnn.realisation.imperfections import built, fidelity, missing_share, normalised_error
from physnn.realisation.passive import Matrix, PassiveBank, largest_transmission, passive_bank
from physnn.realisation.rectangular import MatrixMesh, composed, decompose_matrix, mesh_depth
from physnn.substrate.converters import quantise
from physnn.substrate.imperfections import Imperfections
from physnn.substrate.profile_optics import LIGHT_CONSTANTS, insertion_loss, laser_power
from physnn.substrate.profile_quantity import Quantity
from physnn.substrate.profile_schema import Profile
from physnn.substrate.profiles import find_profile

ALTERNATIVES = "ideal-waveguide, photonic-mzi, rf-transmission-line"
"""Profiles with lines or meshes, for messages."""


@dataclass(frozen=True)
class Realisation:
    """A wanted matrix on a device; a cost that the profile has no number for is None."""

    how: str
    """"transformer bank" or "interferometer mesh\""""
    profile: str
    shape: tuple[int, int]
    """(rows, columns) = (lines out, lines in)"""
    device: PassiveBank | MatrixMesh
    """turns ratios, or phases"""
    elements: int
    """transformers, or interferometers with the attenuators"""
    settings: int
    """turns ratios or phases that are set"""
    depth: int
    """elements passed in series"""
    loss: Interval
    """on the way through, that of the matrix itself left out [dB]"""
    gain: Interval
    """that active elements must add, 0 where none is needed [dB]"""
    laser: Interval | None
    """wall power of the light [W]"""
    holding: Interval | None
    """power that holds the settings: heaters at these phases, or standing power of the weights [W]"""
    repeaters: int
    """lines whose gain has to come from active elements"""
    stages: Interval
    """of gain behind one another on such a line, each a repeater of its own (`physnn.realisation.gain`)"""
    amplifying: Interval | None
    """standing power of all stages [W]"""
    use: Interval | None
    """energy of all stages for one use of all lines [J]"""
    writing: Interval | None
    """energy of setting everything once [J]"""
    settling: Interval | None
    """time of setting everything once [s]"""
    error: float
    """normalised error of what the ideal device makes of the matrix [1]"""
    die_error: float
    """on one die of the profile, with its bits and errors; of a mesh that of the matrix up to one complex factor [1]"""
    die_fidelity: float
    """[1]"""

    def __post_init__(self) -> None:
        for key in ("error", "die_error", "die_fidelity"):
            if not math.isfinite(getattr(self, key)):
                raise NumericsError(
                    f"matrix of shape {self.shape} on {self.profile!r}: its {key} is no finite number; choose elements "
                    "or impedances that are nearer to each other in size"
                )


def realise(matrix: Any, profile: Profile | str, *, near: Any = None, far: Any = None, seed: int = 0) -> Realisation:
    """What a wanted matrix needs on a profile.

    A profile with interferometers gets meshes, whose uniform loss the laser pays for; any other analog one gets a bank
    of ideal transformers between its lines, and repeaters on the lines out for what is above the passivity bound, the
    loss of one line included.

    Parameters
    ----------
    matrix : array
        (rows, columns), from incident to leaving waves; real for a bank.
    profile : Profile or str
        Or its name or file.
    near, far : float or array, optional
        Impedances [ohm] of the lines in (columns,) and out (rows,) of a bank; the profile's where left out.
    seed : int
        Of the die.

    Raises
    ------
    ParameterError, ShapeError
        Not a matrix of finite numbers, zero, or impedances that no line has.
    CapabilityError
        The profile scatters no waves, loses more than its laser makes good, has no such turns ratio, or no such gain.
    NumericsError
        Sizes so far apart that an error is not a finite number.
    """
    target = find_profile(profile) if isinstance(profile, str) else profile
    wanted = checked_matrix(matrix, "matrix")
    if target.medium.mzi_loss is not None:
        if near is not None or far is not None:
            raise ParameterError(f"profile {target.name!r} is a mesh, whose guides are matched: leave out impedances")
        return _as_mesh(matrix, wanted, target, seed)
    if target.kind not in ("analog", "ideal"):
        raise CapabilityError(
            f"profile {target.name!r} of kind {target.kind!r} computes a matrix and has no lines to scatter waves: "
            f"take {ALTERNATIVES}"
        )
    own = target.noise.impedance.value if target.noise.impedance else 1.0
    return _as_bank(wanted, target, own if near is None else near, own if far is None else far, seed)


def _as_mesh(matrix: Any, wanted: Matrix, profile: Profile, seed: int) -> Realisation:
    rows, columns = wanted.shape
    depth = mesh_depth(matrix)  # as it was given: its digits say how alike singular values have to be
    _check_budget(profile, wanted.shape, depth)
    mesh = decompose_matrix(matrix)
    gain = limited_gain(Interval.exact(max(0.0, _decibels(mesh.gain))), profile)
    die = built(mesh, Imperfections.of(profile), rows, columns, seed=seed)
    # the profile prices a weight of two shifters, heated to a mean phase of pi
    pairs, heat = mesh.shifters / 2.0, mesh.heated / (2.0 * math.pi)
    alike, repeaters = fidelity(die, wanted), rows if gain.typical else 0
    return Realisation(
        how="interferometer mesh",
        profile=profile.name,
        shape=(rows, columns),
        device=mesh,
        elements=mesh.interferometers,
        settings=mesh.shifters,
        depth=depth,
        loss=Interval(*insertion_loss(profile, depth)),
        gain=gain,
        laser=Interval(*laser_power(profile, columns, depth)),
        holding=_priced(profile.power.weight, heat),
        repeaters=repeaters,
        stages=stages(gain),
        amplifying=_amplified(profile.power.repeater, repeaters, gain),
        use=_amplified(profile.energy.repeater, repeaters, gain),
        writing=_priced(profile.energy.weight_write, pairs),
        settling=_priced(profile.time.weight_write, 1.0),
        error=normalised_error(composed(mesh, rows, columns), wanted),
        # the laser and the receivers' reference make good a loss and a turn that all paths share
        die_error=missing_share(alike),
        die_fidelity=alike,
    )


def _check_budget(profile: Profile, shape: tuple[int, ...], depth: int) -> None:
    """Whether the laser that is built makes good what a mesh loses.

    Raises
    ------
    CapabilityError
    """
    medium = profile.medium
    limit, detector, efficiency = medium.laser_limit, medium.detector_power, medium.laser_efficiency
    if limit is None or detector is None or efficiency is None:
        raise ProfileError(f"profile {profile.name!r} has no light budget; it needs {', '.join(LIGHT_CONSTANTS)}")
    budget = 10.0 * math.log10(limit.value * efficiency.value / (shape[1] * detector.value))
    lost = insertion_loss(profile, depth)[1]
    if lost > budget:
        raise CapabilityError(
            f"profile {profile.name!r}: a {shape[0]} x {shape[1]} matrix puts {depth} interferometers in series, which "
            f"with the modulator lose {lost:.1f} dB; a laser of {limit.value:g} W lets {budget:.1f} dB be lost, "
            f"{lost - budget:.1f} dB less: cut the matrix into smaller blocks, or take a profile without a mesh"
        )


def _as_bank(wanted: Matrix, profile: Profile, near: Any, far: Any, seed: int) -> Realisation:
    rows, columns = wanted.shape
    line = profile.medium.line_loss
    loss = Interval.of(line) if line else Interval.exact(0.0)
    before_loss = wanted * 10.0 ** (loss.typical / 20.0)
    bank = passive_bank(before_loss, near, far)
    bound = _decibels(largest_transmission(wanted, near, far))
    gain = limited_gain(Interval(*(max(0.0, bound + end) for end in (loss.low, loss.typical, loss.high))), profile)
    largest, full_scale = float(np.max(np.abs(bank.turns))), profile.range.weight
    if full_scale is not None and largest > full_scale.value:
        raise CapabilityError(
            f"profile {profile.name!r}: the bank needs a turns ratio of {largest:.3g}, its weights reach "
            f"{full_scale.value:g}; choose impedances of the lines out that are nearer to those in"
        )
    repeaters = rows if gain.typical else 0
    kept = 10.0 ** (-loss.typical / 20.0)
    ideal, die = (kept * own.transmission for own in (bank, replace(bank, turns=_on_die(bank.turns, profile, seed))))
    return Realisation(
        how="transformer bank",
        profile=profile.name,
        shape=(rows, columns),
        device=bank,
        elements=wanted.size,
        settings=wanted.size,
        depth=1,
        loss=loss,
        gain=gain,
        laser=None,
        holding=_priced(profile.power.weight, wanted.size),
        repeaters=repeaters,
        stages=stages(gain),
        amplifying=_amplified(profile.power.repeater, repeaters, gain),
        use=_amplified(profile.energy.repeater, repeaters, gain),
        writing=_priced(profile.energy.weight_write, wanted.size),
        settling=_priced(profile.time.weight_write, 1.0),
        error=normalised_error(ideal, wanted),
        die_error=normalised_error(die, wanted),
        die_fidelity=fidelity(die, wanted),
    )


def _on_die(turns: Matrix, profile: Profile, seed: int) -> Matrix:
    """Turns ratios as a die holds them: rounded to the profile's bits, with its errors of writing and of mismatch."""
    full_scale, precision = profile.range.weight, profile.precision
    held = turns
    if full_scale is not None:
        held = quantise(held, precision.weight_bits if precision else None, full_scale.value)
        if profile.noise.write is not None:
            rms = profile.noise.write.value * full_scale.value
            held = held + rms * streams.normal(seed, "bank", "write", turns.shape)
    spread = profile.mismatch.weight
    return held * (1.0 + spread.value * streams.normal(seed, "bank", "die", turns.shape)) if spread else held


def _priced(price: Quantity | None, count: float) -> Interval | None:
    return None if price is None else Interval.of(price) * float(count)


def _amplified(price: Quantity | None, lines: int, gain: Interval) -> Interval | None:
    """Of all stages on so many lines; the range of the gain adds to that of the price."""
    return None if price is None else Interval.of(price) * stages(gain) * float(lines)


def _decibels(gain: float) -> float:
    return 20.0 * math.log10(gain)
