"""MNIST and Fashion-MNIST from IDX files that the user has: 70,000 grey images of 28 x 28 pixels, ten classes each.

The environment variable PHYSNN_DATA names a folder with `mnist/` and `fashion-mnist/` in it; each holds the four files
of the original distribution, compressed (.gz) or not. A file's content is compared with the original's SHA-256, so
everybody has the same images in the same order. The official split is kept: 60,000 images train and 10,000 test; the
last 10,000 of the training images validate. Pixels are divided by 255.

IDX is big-endian: two zero bytes, the type of the numbers (8: unsigned bytes), the number of axes, the length of each
axis as four bytes, then the numbers row by row.

Sources
-------
Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proceedings of the IEEE 86(11), 2278 (1998); H. Xiao, K. Rasul, R. Vollgraf,
arXiv:1708.07747 (2017).
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from physnn.datasets.dataset import Dataset
from physnn.errors import DataError
from physnn.toml_reading import one_line

FOLDER_VARIABLE = "PHYSNN_DATA"
VALIDATION = 10_000
"""of the training images, the last ones"""
CLASSES = 10
_WHITE = 255
_UNSIGNED_BYTES = 8

_PARTS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CONTENT = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion-mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}
"""data set -> SHA-256 of its four files, uncompressed"""


def mnist() -> Dataset:
    """Handwritten digits. Inputs (70000, 784)."""
    return _official("mnist")


def fashion_mnist() -> Dataset:
    """Articles of clothing. Inputs (70000, 784)."""
    return _official("fashion-mnist")


def read_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file.

    Parameters
    ----------
    content
        The file's bytes, uncompressed.
    name
        Names the file in errors.

    Raises
    ------
    DataError
        It is no IDX file of unsigned bytes, or has another length than its header says.

    Examples
    --------
    >>> read_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]), "three numbers")
    array([[7, 8, 9]], dtype=uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTES or not content[3]:
        raise DataError(f"{name}: no IDX file of unsigned bytes; it starts with {content[:4].hex(' ') or 'nothing'}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{name}: ends within its header of {start} bytes")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(f"{name}: {len(content) - start} numbers, its header says {' x '.join(map(str, shape))}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _official(name: str) -> Dataset:
    """One of the two data sets, with its official split."""
    arrays = _read(name, _folder(name), dict(zip(_PARTS, _CONTENT[name], strict=True)))
    images, labels, test_images, test_labels = (arrays[part] for part in _PARTS)
    count, total = len(labels), len(labels) + len(test_labels)
    inputs = np.concatenate([images, test_images]).reshape(total, -1) / _WHITE
    classes = np.concatenate([labels, test_labels]).astype(np.int64)
    train, validation, test = np.split(np.arange(total), [count - VALIDATION, count])
    for array in (inputs, classes, train, validation, test):
        array.setflags(write=False)
    return Dataset(name, inputs, classes, CLASSES, train, validation, test)


def _folder(name: str) -> Path:
    """Where the files of a data set are.

    Raises
    ------
    DataError
        No folder is named, or the named one does not have them.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    if not given:
        raise DataError(
            f"data set {name!r} is not part of physnn: set {FOLDER_VARIABLE} to a folder in which {name}/ holds "
            f"{_PARTS[0]}.gz and the three files beside it, as their authors distribute them"
        )
    folder = Path(given) / name
    if not folder.is_dir():
        raise DataError(one_line(f"{FOLDER_VARIABLE} is {given!r}, in which there is no folder {name}/"))
    return folder


def _read(name: str, folder: Path, sums: Mapping[str, str]) -> dict[str, NDArray[np.uint8]]:
    """The arrays of the four files, each compared with the original's SHA-256."""
    arrays = {}
    for part, wanted in sums.items():
        content = _content(folder / part)
        if hashlib.sha256(content).hexdigest() != wanted:
            raise DataError(one_line(f"{folder / part}: not the original {name} file; fetch it anew"))
        arrays[part] = read_idx(content, part)
    return arrays


def _content(file: Path) -> bytes:
    """What a file holds, uncompressed."""
    packed = file.with_name(f"{file.name}.gz")
    try:
        if packed.exists():
            with gzip.open(packed) as stream:
                return stream.read()
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError(one_line(f"{packed}: no such data file, nor one without .gz")) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(one_line(f"{packed}: cannot be read ({error}); fetch it anew")) from None
