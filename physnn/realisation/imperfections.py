"""Matrices that dies of interferometers or transformers make, and how far they are from what was wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from physnn import streams
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import is_size
from physnn.media.mesh import LAYOUTS
from physnn.realisation.passive import PassiveBank
from physnn.realisation.rectangular import Matrix, MatrixMesh, MeshPhases, assembled, propagate
from physnn.substrate.imperfections import CURVES, Imperfections, Phases, angles_on_die, coupler_errors, phases_on_die


def built(
    mesh: MatrixMesh, imperfections: Imperfections, rows: int, columns: int, *, seed: int = 0, name: str = "mesh"
) -> Matrix:
    """The matrix that a die makes of the phases, (rows, columns).

    Phases are rounded to their bits, turned by their neighbours' heat and by the errors of the die. Attenuators are
    interferometers in push-pull and err in the same ways. The same seed and name give the same die for every matrix,
    and for the parts of that name (`mesh_parts`) in a network that is placed with this seed.

    Raises
    ------
    ShapeError
        The mesh has other lines.
    """
    lines = (mesh.second.size, mesh.meshes[0].size)
    if (rows, columns) != lines:
        raise ShapeError(f"a mesh of {lines[0]} lines out and {lines[1]} in is no matrix of shape {(rows, columns)}")
    names = [name] if mesh.first is None else [f"{name}_in", f"{name}_out"]
    shares = None if mesh.share is None else _attenuated(mesh.share, imperfections, seed, f"{name}_values")
    meshes = [_built(p, imperfections, seed, own) for own, p in zip(names, mesh.meshes, strict=True)]
    return assembled(mesh, meshes, shares, rows, columns)


def fidelity(found: Any, wanted: Any) -> float:
    """|tr(W^H A)|^2 / (tr(W^H W) tr(A^H A)) [1]: 1 where A is W but for one complex factor, 0 where A is zero.

    Raises
    ------
    ParameterError
        W is zero.
    """
    found, wanted = np.asarray(found) / (np.linalg.norm(found) or 1.0), np.asarray(wanted) / _size(wanted)
    return float(abs(np.vdot(wanted, found)) ** 2)


def missing_share(alike: float) -> float:
    """Error after the best common factor, sqrt(1 - fidelity) [1]; a fidelity that is not a number stays none."""
    return float(np.sqrt(np.maximum(0.0, 1.0 - alike)))


def normalised_error(found: Any, wanted: Any) -> float:
    """||A - W|| / ||W|| in the Frobenius norm [1].

    Raises
    ------
    ParameterError
        W is zero.
    """
    return float(np.linalg.norm(np.asarray(found) - wanted) / _size(wanted))


def _size(wanted: Any) -> float:
    size = float(np.linalg.norm(wanted))
    if not size:
        raise ParameterError("wanted matrix: is zero everywhere; no error is relative to it")
    return size


def path_lengths(layout: str, size: int) -> tuple[int, int]:
    """Fewest and most interferometers that light meets between an input and an output: the spread of path losses.

    Raises
    ------
    UnknownNameError, ParameterError
    """
    if layout not in LAYOUTS:
        raise UnknownNameError("layout of a mesh", layout, LAYOUTS)
    if not is_size(size):
        raise ParameterError(f"size {size!r} must be a whole number of lines, at least 1")
    fewest, most = np.zeros(size, int), np.zeros(size, int)
    for column in LAYOUTS[layout](size):
        for upper in column:
            pair = slice(upper, upper + 2)
            fewest[pair], most[pair] = fewest[pair].min() + 1, most[pair].max() + 1
    return int(fewest.min()), int(most.max())


@dataclass(frozen=True)
class CurvePoint:
    """Errors of a matrix at one value of one imperfection, over dies."""

    value: float
    error: float
    """mean normalised error [1]"""
    worst: float
    """largest normalised error [1]"""
    scaled: float
    """mean error after the best common gain, sqrt(1 - fidelity) [1]: what the receivers cannot make good"""


def error_curve(
    mesh: MatrixMesh,
    wanted: Any,
    quantity: str,
    values: Sequence[float],
    *,
    others: Imperfections | None = None,
    seeds: Sequence[int] = range(5),
) -> list[CurvePoint]:
    """How the error of a realised matrix grows with one imperfection.

    Parameters
    ----------
    mesh : MatrixMesh
    wanted : array
        The matrix (rows, columns) that the mesh was made for.
    quantity : str
        "loss" [dB], "coupler_error" [rad], "phase_error" [rad] or "crosstalk" [1].
    values : sequence of float
    others : Imperfections, optional
        All other imperfections; none where left out.
    seeds : sequence of int
        Dies, at least one; those of one seed are the same at every value, only scaled.

    Raises
    ------
    UnknownNameError, ParameterError, ShapeError
    """
    if quantity not in CURVES:
        raise UnknownNameError("imperfection", quantity, CURVES)
    _check_seeds(seeds)
    rows, columns = np.shape(wanted)
    found = []
    for value in values:
        changed: dict[str, Any] = {quantity: value}
        which = replace(others or Imperfections(), **changed)
        found.append(_point(value, [built(mesh, which, rows, columns, seed=seed) for seed in seeds], wanted))
    return found


def mismatch_curve(
    bank: PassiveBank, wanted: Any, values: Sequence[float], *, seeds: Sequence[int] = range(5)
) -> list[CurvePoint]:
    """How the error of a transformer bank grows with the relative spread of its turns ratios.

    Raises
    ------
    ParameterError
    """
    _check_seeds(seeds)
    found = []
    for value in values:
        if not (math.isfinite(value) and value >= 0):
            raise ParameterError(f"spread of turns ratios {value!r} must be a finite number, at least 0")
        draws = [1.0 + value * streams.normal(seed, "bank", "die", bank.turns.shape) for seed in seeds]
        dies = [replace(bank, turns=bank.turns * draw).transmission for draw in draws]
        found.append(_point(value, dies, wanted))
    return found


def _point(value: float, dies: list[Matrix], wanted: Any) -> CurvePoint:
    errors = [normalised_error(die, wanted) for die in dies]
    scaled = [missing_share(fidelity(die, wanted)) for die in dies]
    return CurvePoint(value, float(np.mean(errors)), max(errors), float(np.mean(scaled)))


def _check_seeds(seeds: Sequence[int]) -> None:
    if not len(seeds):
        raise ParameterError("seeds: no die; give at least one seed")


def _built(phases: MeshPhases, given: Imperfections, seed: int, name: str) -> Matrix:
    lengths = [len(column) for column in LAYOUTS[phases.layout](phases.size)]
    theta, phi, ends = phases_on_die(phases.theta, phases.phi, phases.phase, lengths, given, seed, name)
    keep = np.full(len(theta), math.exp(-given.attenuation))
    return propagate(MeshPhases(theta, phi, ends, phases.layout), keep, coupler_errors(len(theta), given, seed, name))


def _attenuated(share: Phases, given: Imperfections, seed: int, name: str) -> Matrix:
    """What attenuators pass (`physnn.media.mesh.Attenuators`): sin(angle) for perfect couplers."""
    angle = angles_on_die(np.arcsin(np.minimum(share, 1.0)), given, seed, name)
    errors = np.pi / 4 + coupler_errors(len(share), given, seed, name)
    straight, across = np.prod(np.cos(errors), axis=0), np.prod(np.sin(errors), axis=0)
    return -1j * math.exp(-given.attenuation) * (straight * np.exp(1j * angle) - across * np.exp(-1j * angle))
