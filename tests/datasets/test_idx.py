"""IDX files: their format byte by byte, the official split, and what is said where files are absent or others."""

import gzip
import hashlib
import os
import struct

import numpy as np
import pytest

from physnn.datasets import dataset_names, idx, load
from physnn.errors import DataError

RNG = np.random.default_rng(0)


def packed(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4)])
def test_reads_what_the_format_says(shape):
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(idx.read_idx(packed(array), "file"), array)


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "starts with nothing"),
        (b"\x1f\x8b\x08\x00", "no IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0", "no IDX file of unsigned bytes"),
        (b"\0\0\x08\x02\0\0\0\x01", "ends within its header of 12 bytes"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "3 numbers, its header says 5"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xffabc", "its header says 4294967295 x 4294967295"),
    ],
)
def test_other_bytes_are_refused(content, told):
    with pytest.raises(DataError, match=told):
        idx.read_idx(content, "file")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Files as those of MNIST with 50 + 10 images of 2 x 2 pixels; the last 10 of the 50 validate."""
    arrays = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in ((50, 2, 2), (10, 2, 2))]
    labels = [np.arange(n, dtype=np.uint8) % 10 for n in (50, 10)]
    contents = [packed(array) for array in (arrays[0], labels[0], arrays[1], labels[1])]
    folder = tmp_path / "mnist"
    folder.mkdir()
    for number, (part, content) in enumerate(zip(idx._PARTS, contents, strict=True)):
        if number % 2:  # both forms are read
            (folder / part).write_bytes(content)
        else:
            (folder / f"{part}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setitem(idx._CONTENT, "mnist", tuple(hashlib.sha256(content).hexdigest() for content in contents))
    monkeypatch.setattr(idx, "VALIDATION", 10)
    monkeypatch.setenv(idx.FOLDER_VARIABLE, str(tmp_path))
    return folder, np.concatenate(arrays), np.concatenate(labels)


def test_the_official_split(small):
    _, images, labels = small
    data = load("mnist")
    np.testing.assert_array_equal(data.inputs, images.reshape(60, 4) / 255)
    np.testing.assert_array_equal(data.labels, labels)
    assert data.classes == 10 and data.width == 4
    parts = {name: data.indices(name).tolist() for name in ("train", "validation", "test")}
    assert parts == {"train": [*range(40)], "validation": [*range(40, 50)], "test": [*range(50, 60)]}
    assert not data.inputs.flags.writeable


def test_an_altered_file_is_refused(small):
    file = small[0] / idx._PARTS[3]
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DataError, match="not the original mnist file; fetch it anew"):
        load("mnist")


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: b"no gzip", lambda content: b""])
def test_a_damaged_archive_is_refused(small, damage):
    file = small[0] / f"{idx._PARTS[0]}.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match="fetch it anew"):
        load("mnist")


def test_an_absent_file_is_named(small):
    (small[0] / f"{idx._PARTS[2]}.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: no such data file"):
        load("mnist")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_without_a_folder_it_says_what_to_do(name, monkeypatch, tmp_path):
    assert name in dataset_names()
    monkeypatch.delenv(idx.FOLDER_VARIABLE, raising=False)
    with pytest.raises(DataError, match="set PHYSNN_DATA to a folder"):
        load(name)
    monkeypatch.setenv(idx.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=f"there is no folder {name}/"):
        load(name)


@pytest.mark.skipif(not os.environ.get(idx.FOLDER_VARIABLE), reason="PHYSNN_DATA names no folder with the images")
@pytest.mark.parametrize(
    "name, trained, tested",
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 980),
        ("fashion-mnist", [6000] * 10, 1000),
    ],
)
def test_the_published_class_counts(name, trained, tested):
    data = load(name)
    assert data.inputs.shape == (70000, 784) and data.inputs.min() == 0 and data.inputs.max() == 1
    assert np.bincount(data.part("train+validation").labels).tolist() == trained
    assert np.bincount(data.part("test").labels)[0] == tested
    assert [len(data.indices(part)) for part in ("train", "validation", "test")] == [50000, 10000, 10000]
