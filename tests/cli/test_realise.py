"""`physnn realise`: what is printed, and one line for what cannot be."""

import numpy as np
import pytest

from physnn.cli import main


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def matrix(tmp_path):
    file = tmp_path / "wanted.npy"
    np.save(file, np.random.default_rng(0).normal(size=(4, 6)))
    return str(file)


def printed(capsys, name):
    """What stands behind a name in the first table."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith(name)]
    assert len(lines) == 1, name
    return lines[0].strip().removeprefix(name).strip()


def test_a_mesh(matrix, capsys):
    assert main(["realise", matrix, "--profile", "photonic-mzi"]) == 0
    out = capsys.readouterr().out
    assert "wanted.npy on photonic-mzi: interferometer mesh" in out
    for text in ("25, 11 in series", "missing gain", "laser, at the wall", "heaters", "10.0 µs", "fidelity"):
        assert text in out
    assert "error on the die, up to a common factor" in out


def test_a_bank_with_impedances_and_its_repeaters(matrix, capsys):
    assert main(["realise", matrix, "--profile", "rf-transmission-line", "--impedances", "50,75"]) == 0
    out = capsys.readouterr().out
    for text in ("transformer bank", "24, 1 in series", "repeaters", "power of the repeaters"):
        assert text in out
    assert "laser" not in out and "common factor" not in out
    np.save(matrix, 30 * np.load(matrix))
    assert main(["realise", matrix, "--profile", "rf-transmission-line"]) == 0
    assert printed(capsys, "repeaters") == "4, 3 stages each"
    np.save(matrix, 1e20 * np.load(matrix))
    assert main(["realise", matrix, "--profile", "rf-transmission-line"]) == 2
    assert "scale the matrix down" in capsys.readouterr().err


def test_an_ideal_profile_is_not_a_device(matrix, capsys):
    assert main(["realise", matrix, "--profile", "ideal-waveguide"]) == 0
    assert printed(capsys, "cost") == "not a device"


def test_csv_of_complex_numbers(tmp_path, capsys):
    file = tmp_path / "turn.csv"
    file.write_text("0, 1j\n1 + 0j, 0\n")
    assert main(["realise", str(file), "--profile", "photonic-mzi"]) == 0
    assert printed(capsys, "missing gain") == "none"
    assert main(["realise", str(file), "--profile", "rf-transmission-line"]) == 2
    assert "do not turn phases" in capsys.readouterr().err


def test_curves_of_every_imperfection(matrix, capsys):
    assert main(["realise", matrix, "--profile", "photonic-mzi", "--show"]) == 0
    _, _, table = capsys.readouterr().out.partition("error at best gain")
    for name in ("loss", "coupler error", "phase error", "crosstalk"):
        rows = [line.strip().removeprefix(name).split() for line in table.splitlines() if line.strip().startswith(name)]
        assert len(rows) == 6
        errors = [float(row[2]) for row in rows]
        assert errors[0] < 1e-12 and all(np.diff(errors) > 0)
    assert main(["realise", matrix, "--profile", "rf-transmission-line", "--show"]) == 0
    assert capsys.readouterr().out.count("turns spread") == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--profile", "photonic-mz"], "did you mean 'photonic-mzi'"),
        (["--profile", "loihi-1"], "no lines to scatter waves"),
        (["--profile", "photonic-mzi", "--impedances", "50,50"], "leave out impedances"),
        (["--profile", "rf-transmission-line", "--impedances", "50,0"], "above 0 ohm"),
    ],
)
def test_refusals_are_one_line(matrix, arguments, said, capsys):
    assert main(["realise", matrix, *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize("given", ["50", "50,75,100", "a,b", ""])
def test_impedances_are_two_numbers(matrix, given, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["realise", matrix, "--profile", "rf-transmission-line", "--impedances", given])
    assert caught.value.code == 2
    assert "pair of impedances" in capsys.readouterr().err


def test_a_mesh_that_loses_too_much_is_refused(tmp_path, capsys):
    file = tmp_path / "wide.npy"
    np.save(file, np.random.default_rng(0).normal(size=(128, 128)))
    assert main(["realise", str(file), "--profile", "photonic-mzi"]) == 2
    err = capsys.readouterr().err
    assert "dB less: cut the matrix into smaller blocks" in err and err.count("\n") == 1


FILES = {
    "words.csv": b"a,b\nc,d\n",
    "ragged.csv": b"1,2\n3\n",
    "empty.csv": b"",
    "nothing.csv": b"\n\n",
    "binary.csv": b"\xff\xfe\x00\x01",
    "infinite.csv": b"1,inf\n2,3\n",
    "zero.csv": b"0,0\n0,0\n",
    "broken.npy": b"\x93NUMPY\x01\x00 not a header",
    "empty.npy": b"",
    "matrix.txt": b"1,2\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_without_a_matrix_are_refused(name, tmp_path, capsys):
    file = tmp_path / name
    file.write_bytes(FILES[name])
    assert main(["realise", str(file), "--profile", "photonic-mzi"]) == 2
    err = capsys.readouterr().err
    assert "matrix" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "array",
    [np.ones(3), np.ones((2, 2, 2)), np.ones((0, 3)), np.full((2, 2), np.nan), np.ones((1, 3000)), np.array([["a"]])],
    ids=["vector", "cube", "empty", "nan", "wide", "text"],
)
def test_arrays_that_are_no_matrix_are_refused(array, tmp_path, capsys):
    file = tmp_path / "array.npy"
    np.save(file, array)
    assert main(["realise", str(file), "--profile", "photonic-mzi"]) == 2
    err = capsys.readouterr().err
    assert "matrix" in err and err.count("\n") == 1


def test_objects_and_archives_are_refused(tmp_path, capsys):
    odd = tmp_path / "objects.npy"
    np.save(odd, np.array([[{}]], dtype=object), allow_pickle=True)
    archive = tmp_path / "several.npz"
    np.savez(archive, a=np.eye(2))
    archive = archive.rename(tmp_path / "several.npy")
    for file, said in ((odd, "no rows and columns"), (archive, "archive"), (tmp_path / "none.npy", "cannot be read")):
        assert main(["realise", str(file), "--profile", "photonic-mzi"]) == 2
        assert said in capsys.readouterr().err
