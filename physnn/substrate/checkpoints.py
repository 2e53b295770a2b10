"""Checkpoints: arrays in a safetensors file, everything else as JSON in its header. Loading never executes code.

A nested snapshot is kept as arrays named by their path ("substrate/held/a->b") and a tree of plain values.
"""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as write_arrays

from physnn.errors import CheckpointError
from physnn.toml_reading import one_line, parse_json, read_bytes

SCHEMA: Literal["physnn.checkpoint/1"] = "physnn.checkpoint/1"
_HEADER = "physnn"
_LARGEST_HEADER = 2**22
_LARGEST_FILE = 2**28
"""[byte]; reading a file needs a little more than twice its size"""
_LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""which every backend can hold"""
_ARRAY = "array"
_COMPLEX = "complex"
LARGEST_COUNT = 2**53
"""above it, a float no longer counts by ones"""
Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST_COUNT)]


class Header(BaseModel):
    """What a checkpoint says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["physnn.checkpoint/1"] = Field(SCHEMA, alias="schema")
    fingerprint: str
    """of the System, before it was placed"""
    profile: str
    backend: str
    seed: Whole
    """of the substrate: die and noise"""
    training_seed: Whole
    rule: str
    settings: dict[str, Any]
    step: Whole
    """batches done"""
    tree: dict[str, Any]
    """the snapshot, an array standing as {"array": PATH}, a complex one as {"complex": PATH of its two parts}"""


def save(path: str | os.PathLike[str], header: Mapping[str, Any], snapshot: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a reader sees the old one or the new one, never half of one.

    Raises
    ------
    CheckpointError
        The file cannot be written, or would be too large to be read again.
    """
    arrays: dict[str, NDArray] = {}
    tree = _flattened(snapshot, "", arrays)
    told = Header(**{"schema": SCHEMA, **header, "tree": tree}).model_dump(mode="json", by_alias=True)
    data = write_arrays(arrays, {_HEADER: json.dumps(told, allow_nan=False)})
    target = Path(path)
    if len(data) > _LARGEST_FILE or _header_size(data) > _LARGEST_HEADER:
        raise CheckpointError(
            f"the checkpoint {target} would have {len(data)} bytes with a header of {_header_size(data)}; "
            f"at most {_LARGEST_FILE} and {_LARGEST_HEADER} can be read again"
        )
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {target} ({error.strerror})") from None


def load(path: str | os.PathLike[str]) -> tuple[Header, dict[str, Any]]:
    """A checkpoint's header and snapshot.

    Raises
    ------
    CheckpointError
        The file is missing, too large, damaged, of another schema, or holds numbers that are not finite.
    """
    source = Path(path)
    data = _checked_bytes(source)
    try:
        arrays = read_arrays(data)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        said = f"{source} is damaged or no checkpoint ({_short(error)})"
        raise CheckpointError(f"{said}; delete it to start anew") from None
    try:
        text = _metadata(data).get(_HEADER)
        header = Header.model_validate(parse_json(text) if isinstance(text, str) else None)
        snapshot = _nested(header.tree, arrays)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        said = f"{source} is not a checkpoint of this version ({_short(error)})"
        raise CheckpointError(f"{said}; delete it to start anew") from None
    for name, value in arrays.items():
        if value.dtype.kind != "f" or not _is_moderate(value):
            what = f"something that is not a finite number below {_LARGEST_NUMBER:.1g}"
            raise CheckpointError(f"{source}: {one_line(name, 80)!r} holds {what}; delete it to start anew")
    return header, snapshot


def _checked_bytes(source: Path) -> bytes:
    """The file's bytes, if its size and its header's size can be right."""
    try:
        data = read_bytes(source, _LARGEST_FILE)
    except OSError as error:
        raise CheckpointError(one_line(f"cannot read the checkpoint {source} ({error.strerror})")) from None
    if _header_size(data) > min(_LARGEST_HEADER, len(data) - 8):
        raise CheckpointError(f"{source} is damaged or no checkpoint (its header is cut off); delete it to start anew")
    return data


def _is_moderate(value: NDArray) -> bool:
    """Whether all numbers are finite and none is too large; NaN fails both comparisons. No copy is made."""
    return bool(np.max(value, initial=0.0) <= _LARGEST_NUMBER and np.min(value, initial=0.0) >= -_LARGEST_NUMBER)


def _header_size(data: bytes) -> float:
    """The size of the header that the file declares [byte]."""
    return struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else math.inf


def _metadata(data: bytes) -> dict[str, Any]:
    return json.loads(data[8 : 8 + int(_header_size(data))]).get("__metadata__", {})


def _flattened(value: Any, path: str, arrays: dict[str, NDArray]) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _flattened(item, f"{path}/{key}" if path else str(key), arrays) for key, item in value.items()
        }
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    array = np.asarray(value, order="C")
    is_complex = array.dtype.kind == "c"  # the format has no double-precision complex numbers
    arrays[path] = np.stack([array.real, array.imag], axis=-1) if is_complex else array
    return {_COMPLEX if is_complex else _ARRAY: path}


def _nested(tree: Any, arrays: Mapping[str, NDArray]) -> Any:
    if isinstance(tree, list):
        raise TypeError("a list in the snapshot")
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {_ARRAY} and isinstance(tree[_ARRAY], str):
        return arrays[tree[_ARRAY]]
    if set(tree) == {_COMPLEX} and isinstance(tree[_COMPLEX], str):
        parts = arrays[tree[_COMPLEX]]
        return parts[..., 0] + 1j * parts[..., 1]
    return {key: _nested(item, arrays) for key, item in tree.items()}


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        entry = error.errors(include_url=False, include_input=False)[0]
        return one_line(f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}", 120)
    return one_line(str(error), 120) or type(error).__name__
