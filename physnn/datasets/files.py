"""A user's own data from a file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physnn.datasets.dataset import Dataset
from physnn.errors import DataError

ARRAYS = ("inputs", "labels")


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
    return Dataset.from_arrays(file.stem, inputs, labels, classes, width=width)


def _read_arrays(file: Path) -> list[NDArray[np.generic]]:
    """The two arrays of the file."""
    if not file.exists():
        raise DataError(f"{file}: no such data file")
    if file.suffix != ".npz":
        raise DataError(f"{file}: a data file is an .npz with the arrays inputs and labels (numpy.savez)")
    try:
        with zipfile.ZipFile(file) as archive:
            present = sorted(Path(entry).stem for entry in archive.namelist())
        missing = [name for name in ARRAYS if name not in present]
        if missing:
            raise DataError(f"{file}: no array {missing[0]!r}; the file holds: {', '.join(present) or 'nothing'}")
        with np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in ARRAYS]
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{file}: cannot be read as an NPZ file of plain numbers ({reason})") from error
