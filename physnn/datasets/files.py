"""A user's own data from a file."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physnn.datasets.dataset import Dataset
from physnn.errors import DataError
from physnn.toml_reading import one_line

ARRAYS = ("inputs", "labels")
MOST_VALUES = 50_000_000
"""in an array; each costs up to 18 bytes while it is checked"""


def load_file(path: str | Path, *, classes: int | None = None, width: int | None = None) -> Dataset:
    """A data set from an NPZ file with the arrays `inputs` (n, width), in [0, 1], and `labels` (n,), integers from 0.

    It is named after the file's stem. `classes` and `width` are checked as in `Dataset.from_arrays`. Pickled objects
    are never read.

    Raises
    ------
    DataError
        The file is missing, no NPZ file, lacks an array, or the arrays do not fit.
    """
    file = Path(path)
    inputs, labels = _read_arrays(file)
    data = Dataset.from_arrays(file.stem, inputs, labels, classes, width=width)
    if data.classes > len(data):
        raise DataError(f"{file}: {data.classes} classes for {len(data)} samples; labels count the classes from 0")
    return data


def _read_arrays(file: Path) -> list[NDArray[np.generic]]:
    """The two arrays of the file."""
    try:
        if not file.exists():
            raise DataError(one_line(f"{file}: no such data file"))
        if file.suffix != ".npz":
            raise DataError(one_line(f"{file}: a data file is an .npz with the arrays inputs and labels (numpy.savez)"))
        if not (file.is_file() or file.is_dir()):  # a device or a pipe may have no end; a folder says so itself
            raise DataError(one_line(f"{file}: not a regular file"))
        with zipfile.ZipFile(file) as archive:
            present = sorted(Path(entry).stem for entry in archive.namelist())
            missing = [name for name in ARRAYS if name not in present]
            if missing:
                held = ", ".join(present) or "nothing"
                raise DataError(one_line(f"{file}: no array {missing[0]!r}; the file holds: {held}"))
            for name in ARRAYS:
                _check_size(archive, f"{name}.npy")
        with np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in ARRAYS]
    except DataError:
        raise
    except Exception as error:  # damaged archives raise errors of zipfile, zlib, lzma, struct, tokenize and ast alike
        reason = one_line(str(error), 200) or type(error).__name__
        raise DataError(one_line(f"{file}: cannot be read as an NPZ file of plain numbers ({reason})")) from error


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse an array that is too large by its own header, or other than its header says, before it is read."""
    with archive.open(name) as entry:
        version = np.lib.format.read_magic(entry)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(entry)
        values, size = math.prod(shape), archive.getinfo(name).file_size - entry.tell()
    if values > MOST_VALUES or size > MOST_VALUES * np.dtype(np.float64).itemsize:
        raise ValueError(f"{name} has {values} values in {size} bytes; at most {MOST_VALUES} values are read")
    if not dtype.hasobject and values * dtype.itemsize != size:
        raise ValueError(f"{name} has {size} bytes, its header asks for {values * dtype.itemsize}")
