"""From a TOML file to a pydantic model, or to all of its faults, each as one line ``FILE:LINE: where: what``."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from physnn.errors import nearest

Fault = tuple[tuple[str, ...], str]
"""Path of keys, and what is wrong there."""
Model = TypeVar("Model", bound=BaseModel)
Words = Callable[[Any, type[BaseModel] | None], str | None]

_TABLE = re.compile(r"^\s*\[\s*(?P<path>[^\[\]]+?)\s*\]\s*(#.*)?$")
_KEY = re.compile(r"""^\s*(?P<path>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_SYNTAX_PLACE = re.compile(r"^(?P<what>.*?)\s*\(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


class FaultsError(ValueError):
    """Several faults at once, for a model's own validators to raise."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("; ".join(what for _, what in faults))


def read_model(
    path: Path,
    model: type[Model],
    *,
    also: Callable[[dict[str, Any]], Iterator[Fault]] | None = None,
    words: Words | None = None,
) -> tuple[Model | None, list[str]]:
    """(model, []) of a sound file, (None, faults) otherwise.

    Parameters
    ----------
    also : callable, optional
        More faults of the file's data, looked for whether or not the model validates.
    words : callable, optional
        A sentence for one of pydantic's entries in place of the general one, or None; it is given the entry and the
        model at its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, [f"{path}: no such file"]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        return None, [f"{path}: cannot be read: {reason}"]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax_fault(path, text, str(error))]
    except RecursionError:
        return None, [f"{path}: malformed TOML: nested too deeply"]
    lines = key_lines(text)
    faults: list[Fault] = []
    found: Model | None = None
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        faults = [fault for entry in error.errors() for fault in _faults_of(entry, model, words)]
    if also is not None:
        faults += also(data)
    if not faults:
        return found, []
    return None, [placed(path, lines, where, what) for where, what in faults]


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Line, from 1, on which each key and table of a TOML text starts.

    >>> key_lines('name = "a"\\n[energy.mac]\\nvalue = 1.0')[("energy", "mac", "value")]
    3
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    inside_string = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside_string:
            header, key = _TABLE.match(line), _KEY.match(line)
            if header:
                table = _parts(header["path"])
                lines.setdefault(table, number)
            elif key:
                lines.setdefault(table + _parts(key["path"]), number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2 and inside_string in ("", quotes):
                inside_string = "" if inside_string else quotes
    return lines


def placed(path: Path, lines: dict[tuple[str, ...], int], where: tuple[str, ...], what: str) -> str:
    """One fault with the line of the closest key that the file has."""
    known = next((lines[where[:end]] for end in range(len(where), 0, -1) if where[:end] in lines), None)
    place = f"{path}:{known}" if known else str(path)
    return ": ".join(part for part in (place, ".".join(where), what) if part)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(path))


def _syntax_fault(path: Path, text: str, message: str) -> str:
    place = _SYNTAX_PLACE.match(message)
    if place is None:
        return f"{path}: malformed TOML: {message}"
    line = place["line"] or str(max(1, len(text.splitlines())))
    return f"{path}:{line}: malformed TOML: {place['what']}"


def _faults_of(entry: Any, model: type[BaseModel], words: Words | None) -> list[Fault]:
    """The faults in one entry of pydantic's list; a check of the whole model finds several at once."""
    error = entry.get("ctx", {}).get("error")
    if isinstance(error, FaultsError):
        return error.faults
    where = tuple(str(part) for part in entry["loc"])
    said = words(entry, _model_at(model, where)) if words else None
    return [(where, said or _said(entry, where, model))]


def _said(entry: Any, where: tuple[str, ...], model: type[BaseModel]) -> str:
    """What is wrong, in the words of this package."""
    owner = _model_at(model, where[:-1])
    match entry["type"]:
        case "extra_forbidden":
            return f"unknown key {where[-1]!r}{nearest(where[-1], list(owner.model_fields) if owner else [])}"
        case "missing":
            return "missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a table"
        case "value_error":
            return str(entry["ctx"]["error"])
        case "finite_number":
            return f"{entry['input']} is not finite"
    return f"{entry['msg'][:1].lower()}{entry['msg'][1:]}, not {str(entry['input'])[:60]!r}"


def _model_at(model: type[BaseModel], where: tuple[str, ...]) -> type[BaseModel] | None:
    """The model that describes the table at ``where``, None where there is none."""
    found: type[BaseModel] | None = model
    for key in where:
        field = found.model_fields.get(key) if found else None
        found = _model_in(field.annotation) if field else None
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The pydantic model inside an annotation such as ``Annotated[Quantity, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        return next(filter(None, map(_model_in, typing.get_args(annotation))), None)
    return None
