"""A user's NPZ file is read with the checks of `Dataset.from_arrays`; anything else is one typed line."""

import zipfile

import numpy as np
import pytest

from physnn.datasets import load_file
from physnn.errors import DataError

INPUTS = np.random.default_rng(3).uniform(size=(12, 5))
LABELS = np.arange(12) % 3


def test_reads_what_numpy_wrote(tmp_path):
    np.savez_compressed(tmp_path / "mine.npz", inputs=INPUTS, labels=LABELS, notes=np.array([1]))
    data = load_file(tmp_path / "mine.npz", classes=4, width=5)
    assert data.name == "mine" and data.classes == 4
    np.testing.assert_array_equal(data.inputs, INPUTS)
    np.testing.assert_array_equal(data.labels, LABELS)


def missing(folder):
    return folder / "nowhere.npz"


def other_format(folder):
    (folder / "data.csv").write_text("1,2,3\n")
    return folder / "data.csv"


def garbage(folder):
    (folder / "data.npz").write_bytes(b"not a zip archive")
    return folder / "data.npz"


def empty(folder):
    (folder / "data.npz").write_bytes(b"")
    return folder / "data.npz"


def folder_named_as_data(folder):
    (folder / "data.npz").mkdir()
    return folder / "data.npz"


def truncated(folder):
    np.savez(folder / "whole.npz", inputs=INPUTS, labels=LABELS)
    (folder / "data.npz").write_bytes((folder / "whole.npz").read_bytes()[:-40])
    return folder / "data.npz"


def damaged_member(folder):
    with zipfile.ZipFile(folder / "data.npz", "w") as archive:
        archive.writestr("inputs.npy", b"\x93NUMPY garbage")
        archive.writestr("labels.npy", b"")
    return folder / "data.npz"


def no_labels(folder):
    np.savez(folder / "data.npz", inputs=INPUTS, targets=LABELS)
    return folder / "data.npz"


def objects(folder):
    np.savez(folder / "data.npz", inputs=np.array([[1], [1, 2]], dtype=object), labels=LABELS)
    return folder / "data.npz"


def wrong_width(folder):
    np.savez(folder / "data.npz", inputs=INPUTS[:, :4], labels=LABELS)
    return folder / "data.npz"


def not_finite(folder):
    inputs = INPUTS.copy()
    inputs[9, 0] = np.nan
    np.savez(folder / "data.npz", inputs=inputs, labels=LABELS)
    return folder / "data.npz"


FAULTS = {
    missing: "no such data file",
    other_format: "a data file is an .npz",
    garbage: "cannot be read as an NPZ file",
    empty: "cannot be read as an NPZ file",
    folder_named_as_data: "cannot be read as an NPZ file",
    truncated: "cannot be read as an NPZ file",
    damaged_member: "cannot be read as an NPZ file",
    no_labels: "no array 'labels'; the file holds: inputs, targets",
    objects: "cannot be read as an NPZ file of plain numbers",
    wrong_width: "width 4, expected 5",
    not_finite: "row 9 of the inputs holds a NaN",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_faulty_file_is_one_typed_line(fault, tmp_path):
    path = fault(tmp_path)
    with pytest.raises(DataError, match=FAULTS[fault]) as caught:
        load_file(path, width=5)
    assert path.stem in str(caught.value) and "\n" not in str(caught.value)
