"""From a TOML file to a pydantic model, or to all of its faults, each as one line ``FILE:LINE: where: what``.

A file comes from anywhere, so nothing about it is trusted: `read_bytes` takes regular files of a bounded size alone,
and `one_line` makes a message of whatever they hold.
"""

from __future__ import annotations

import errno
import itertools
import json
import math
import os
import re
import stat
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

LARGEST_FILE = 2**18
"""[byte]; a hundred times a large profile"""
LONGEST_MESSAGE = 540
MOST_FAULTS = 100
_SHOWN = 60
_LONGEST_PLACE = 80
_TABLE = re.compile(r"^\s*\[(?P<path>[^\[\]]+)\]\s*(#.*)?$")
_KEY = re.compile(r"""^\s*(?P<path>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_SYNTAX_PLACE = re.compile(r"\(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){50}""")
"""tomllib needs a time that grows with the square of a key's parts, or worse"""


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
        text = read_bytes(path, LARGEST_FILE).decode("utf-8")
    except FileNotFoundError:
        return None, [one_line(f"{path}: no such file")]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file in UTF-8"
        return None, [one_line(f"{path}: cannot be read: {reason}")]
    if _LONG_KEY.search(text):
        return None, [one_line(f"{path}: malformed TOML: a key of more than 50 parts")]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_syntax_fault(path, text, str(error))]
    except ValueError:  # of int(), for thousands of digits
        return None, [one_line(f"{path}: malformed TOML: a number has too many digits")]
    except RecursionError:
        return None, [one_line(f"{path}: malformed TOML: nested too deeply")]
    lines = key_lines(text)
    faults: list[Fault] = []
    found: Model | None = None
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        entries = itertools.islice(error.errors(include_url=False), MOST_FAULTS)
        faults = [fault for entry in entries for fault in _faults_of(entry, model, words)]
    if also is not None:
        faults += also(data)
    if not faults:
        return found, []
    return None, [placed(path, lines, where, what) for where, what in faults[:MOST_FAULTS]]


def read_bytes(path: Path, largest: int) -> bytes:
    """What a regular file holds; a device or a pipe, which may have no end, is never read.

    Raises
    ------
    OSError
        There is no such file, it is not a regular one, or it has more than ``largest`` bytes.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:
        raise OSError(errno.EINVAL, "a file has no such name") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(largest + 1) if status.st_size <= largest else None
    finally:
        os.close(handle)
    if data is None or len(data) > largest:
        raise OSError(errno.EFBIG, f"it has more than {largest} bytes")
    return data


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text without NaN and infinities, which are a ValueError."""
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Any text as one printable line, its middle left out where it is longer than ``longest``.

    >>> one_line("an escape\\x1b and a\\nnew line")
    'an escape and a new line'
    """
    if len(text) > longest:
        text = f"{text[: longest // 2]} ... {text[-(longest // 2 - 5) :]}"
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


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
    return one_line(": ".join(part for part in (place, one_line(".".join(where), _LONGEST_PLACE), what) if part))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(path))


def _syntax_fault(path: Path, text: str, message: str) -> str:
    place = _SYNTAX_PLACE.search(message)
    if place is None:
        return one_line(f"{path}: malformed TOML: {message}")
    line = place["line"] or str(max(1, len(text.splitlines())))
    return one_line(f"{path}:{line}: malformed TOML: {message[: place.start()]}")


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
            known = nearest(where[-1], list(owner.model_fields) if owner else [])
            return f"unknown key {one_line(where[-1], _LONGEST_PLACE)!r}{known}"
        case "missing":
            return "missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a table"
        case "value_error":
            return str(entry["ctx"]["error"])
        case "finite_number":
            return f"{_shown(entry['input'])} is not finite"
    return f"{entry['msg'][:1].lower()}{entry['msg'][1:]}, not {_shown(entry['input'])!r}"


def _shown(given: Any) -> str:
    """The beginning of a value that was given."""
    try:
        return str(given)[:_SHOWN]
    except (ValueError, RecursionError):  # an integer of thousands of digits, or tables in tables without end
        return f"this {type(given).__name__}"


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
