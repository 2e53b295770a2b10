"""Hardware profiles: found by name among installed packs, loaded from TOML files, described in words.

A pack is an installed distribution with an entry point in the group ``physnn.hardware_profiles`` whose value is a
package; the TOML files in that package's folder are its profiles. The package itself is not imported. The schema is
in :mod:`physnn.substrate.profile_schema`, one number in :mod:`physnn.substrate.profile_quantity`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from physnn.errors import ProfileError, UnknownNameError
from physnn.substrate.profile_quantity import Quantity
from physnn.substrate.profile_reading import read_profile
from physnn.substrate.profile_schema import Profile
from physnn.toml_reading import one_line

__all__ = [
    "Profile",
    "ProfileRow",
    "Quantity",
    "check_profile_file",
    "describe",
    "find_profile",
    "iter_profiles",
    "load_profile",
    "profile_names",
]

ENTRY_POINT_GROUP = "physnn.hardware_profiles"


@dataclass(frozen=True)
class ProfileRow:
    """One line of a profile's sheet."""

    name: str
    """``section.key``."""
    value: str
    """Value and range with a readable unit."""
    evidence: str
    """Evidence of a quantity; empty for a setting, which is no quantity."""
    verified: bool | None
    """None for a setting."""
    source: str


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """The profile in a TOML file.

    Raises
    ------
    ProfileError
        One line with file, line and place of the first fault, and how many more there are.
    """
    profile, faults = read_profile(Path(path))
    if profile is None:
        more = f" (and {len(faults) - 1} more: physnn profiles check {path})" if len(faults) > 1 else ""
        raise ProfileError(one_line(faults[0] + more))
    return profile


def check_profile_file(path: str | os.PathLike[str]) -> list[str]:
    """Every fault of a profile file, one line each; empty for a sound one."""
    return read_profile(Path(path))[1]


def profile_names() -> list[str]:
    """Names of all installed profiles, sorted."""
    return sorted(_installed_files())


def iter_profiles() -> Iterator[Profile]:
    """All installed profiles by name; a faulty file raises ProfileError when its turn comes."""
    for name in profile_names():
        yield find_profile(name)


def find_profile(name_or_path: str | os.PathLike[str]) -> Profile:
    """An installed profile by name, or a file: what ends in ``.toml`` or holds a path separator is a file.

    Raises
    ------
    UnknownNameError
        No installed pack has a profile of this name.
    ProfileError
        Two packs have it, or the file is faulty.
    """
    given = os.fspath(name_or_path)
    if given.endswith(".toml") or os.sep in given:
        return load_profile(given)
    installed = _installed_files()
    if given not in installed:
        hint = "a file of your own is named by its path, ending in .toml"
        raise UnknownNameError("profile", one_line(given, 80), installed, hint)
    files = installed[given]
    if len(files) > 1:
        raise ProfileError(f"profile {given!r} is in more than one pack: {', '.join(map(str, files))}; give the path")
    return load_profile(files[0])


def describe(profile: Profile) -> list[ProfileRow]:
    """Every number and setting of a profile, in the schema's order."""
    rows = [
        ProfileRow(name, quantity.text(), quantity.evidence, quantity.verified, quantity.source)
        for name, quantity in profile.quantities()
    ]
    if profile.precision is not None:
        for key in ("weight_bits", "input_bits", "output_bits", "dtype"):
            setting = getattr(profile.precision, key)
            if setting is not None:
                rows.append(ProfileRow(f"precision.{key}", str(setting), "", None, profile.precision.source))
    rows += [ProfileRow(path, "no price of its own", "", None, why) for path, why in profile.included.items()]
    return rows


def _installed_files() -> dict[str, list[Path]]:
    """TOML files of all installed packs by stem; more than one file where packs share a name."""
    files: dict[str, list[Path]] = {}
    for folder in _pack_folders():
        for file in sorted(folder.glob("*.toml")):
            files.setdefault(file.stem, []).append(file)
    return files


def _pack_folders() -> list[Path]:
    """Folders of the packages that the entry points name, each once, without importing them."""
    folders: dict[Path, None] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            spec = importlib.util.find_spec(entry.value)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise ProfileError(f"profile pack {entry.name!r} names the package {entry.value!r}, which is not installed")
        for location in spec.submodule_search_locations:
            folders[Path(location).resolve()] = None
    return list(folders)
