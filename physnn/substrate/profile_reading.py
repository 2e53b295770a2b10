"""From a TOML file to a profile, or to all of its faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from physnn.substrate.profile_schema import Profile
from physnn.toml_reading import Fault, read_model


def read_profile(path: Path) -> tuple[Profile | None, list[str]]:
    """(profile, []) of a sound file, (None, faults) otherwise; each fault is one line ``FILE:LINE: where: what``."""

    def name_faults(data: dict[str, Any]) -> Iterator[Fault]:
        name = data.get("name")
        if isinstance(name, str) and name != path.stem:
            yield ("name",), f"{name!r} is not the file's stem {path.stem!r}; rename one of them"

    return read_model(path, Profile, also=name_faults, words=_words)


def _words(entry: Any, model: type[BaseModel] | None) -> str | None:
    """What a profile's reader needs to hear besides the general faults."""
    match entry["type"]:
        case "missing":
            return "missing; a number needs it" if len(entry["loc"]) > 2 else "missing; a profile needs it"
        case "model_type" | "model_attributes_type" | "dict_type" if model and "unit" in model.model_fields:
            return "a bare number has no unit and no source; write a table: value, unit, evidence, source, verified"
    return None
