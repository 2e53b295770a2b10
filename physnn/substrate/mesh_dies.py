"""Meshes of interferometers inside a System, as a die of a profile with a mesh makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import System
from physnn.media.mesh import ATTENUATORS, COLUMN, ENDS
from physnn.substrate.imperfections import Imperfections, angles_on_die, coupler_errors, phases_on_die
from physnn.substrate.profile_schema import Profile

Values = Mapping[str, Any]


@dataclass(frozen=True)
class MeshDies:
    """What the meshes and attenuators of a System hold on a die: those that `physnn.realisation.built` draws.

    Phases are rounded to the profile's bits over 2 pi. On a die they are turned by their neighbours' heat and by errors
    [rad], and couplers err [rad]: absolute errors in place of the shares by which other devices differ. A mesh that is
    described without loss has the profile's; one that is described with loss keeps its own. None can amplify.
    """

    system: System
    given: Imperfections
    seed: int

    @classmethod
    def of(cls, system: System, profile: Profile, seed: int, *, mismatched: bool) -> MeshDies | None:
        """None for a profile without interferometers. A twin has bits and loss alone."""
        if profile.medium.mzi_loss is None and not any(profile.mesh.quantities()):
            return None
        given = Imperfections.of(profile)
        if not mismatched:
            given = replace(given, coupler_error=0.0, phase_error=0.0, crosstalk=0.0)
        return cls(system, given, seed)

    @cached_property
    def meshes(self) -> dict[str, tuple[str, ...]]:
        """Population where a mesh begins and ends -> its columns, in the order of passing."""
        found = {}
        for name in self._with_text(ENDS):
            columns: list[str] = []
            while (following := f"{name}_{len(columns) + 1}") in self._columns:
                columns.append(following)
            found[name] = tuple(columns)
        return found

    @cached_property
    def attenuators(self) -> tuple[str, ...]:
        """Populations of attenuators."""
        return tuple(self._with_text(ATTENUATORS))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Parameters that are the meshes' own, with no other mismatch."""
        own = [*self.meshes, *self._columns, *self.attenuators]
        return frozenset(f"{name}.{key}" for name in own for key in self.system.populations[name].role("parameter"))

    def completed(self, new: Values, written: Values) -> dict[str, Any]:
        """`new`, and what was written before to the same meshes: the heat of what is new turns it too."""
        touched = {owner for key in new if (owner := self._owner(key)) is not None}
        return {key: value for key, value in written.items() if self._owner(key) in touched} | dict(new)

    def held(self, parameters: Values) -> dict[str, NDArray[np.float64]]:
        """What those of `parameters` that belong to meshes become; settings left out are as described."""
        wanted = {**self.system.parameters, **parameters}
        owners = {self._owner(key) for key in parameters}
        found: dict[str, Any] = {}
        for name, columns in self.meshes.items():
            if name in owners:
                found |= self._mesh(name, columns, wanted)
        for name in self.attenuators:
            if name in owners:
                found |= self._attenuated(name, wanted)
        return {key: value for key, value in found.items() if key in parameters}

    def _mesh(self, name: str, columns: tuple[str, ...], wanted: Values) -> dict[str, Any]:
        lengths = [self.system.populations[column].shape[-1] for column in columns]
        theta, phi = (
            np.concatenate([wanted[f"{c}.{key}"] for c in columns], axis=-1) if columns else np.zeros(0)
            for key in ("theta", "phi")
        )
        theta, phi, phase = phases_on_die(theta, phi, wanted[f"{name}.phase"], lengths, self.given, self.seed, name)
        errors = coupler_errors(sum(lengths), self.given, self.seed, name)
        found, start = {f"{name}.phase": phase}, 0
        for column, length in zip(columns, lengths, strict=True):
            own = slice(start, start := start + length)
            found |= {f"{column}.theta": theta[..., own], f"{column}.phi": phi[..., own]}
            found |= self._interferometers(column, errors[:, own], wanted)
        return found

    def _attenuated(self, name: str, wanted: Values) -> dict[str, Any]:
        angle = wanted[f"{name}.angle"]
        errors = coupler_errors(np.shape(angle)[-1], self.given, self.seed, name)
        turned = angles_on_die(angle, self.given, self.seed, name)
        return {f"{name}.angle": turned, **self._interferometers(name, errors, wanted)}

    def _interferometers(self, name: str, errors: NDArray[np.float64], wanted: Values) -> dict[str, Any]:
        described, lost = wanted[f"{name}.alpha"], self.given.attenuation
        return {
            f"{name}.first": wanted[f"{name}.first"] + errors[0],
            f"{name}.second": wanted[f"{name}.second"] + errors[1],
            f"{name}.alpha": described if np.any(described) else np.full_like(described, lost),
        }

    def _owner(self, key: str) -> str | None:
        """The mesh or the attenuators that a parameter belongs to."""
        return self._owners.get(key.rpartition(".")[0]) if key in self.keys else None

    @cached_property
    def _owners(self) -> dict[str, str]:
        found = {column: name for name, columns in self.meshes.items() for column in columns}
        return found | {name: name for name in (*self.meshes, *self.attenuators)}

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(self._with_text(COLUMN))

    def _with_text(self, text: str) -> Iterator[str]:
        """Populations with the equations of a part, learnt or not; offsets of a die are written behind them."""
        texts = {text.format(learnt=learnt) for learnt in ("trainable", "parameter")}
        for name, population in self.system.populations.items():
            if population.text.removesuffix("+offsets") in texts:
                yield name
