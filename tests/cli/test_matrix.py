"""`physnn matrix` from end to end: two rules on two profiles for one epoch."""

import csv
import io
import json
import shlex

import pytest
from rich.console import Console

from physnn.cli import main
from physnn.cli.matrix import command, run_matrix
from physnn.report import cells
from physnn.studies.matrix import Matrix

MATRIX = Matrix(
    rules=("reflected-wave", "autograd"), profiles=("ideal-waveguide", "photonic-mzi"), hidden=(6, 6), epochs=1
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("matrix"), io.StringIO()
    assert run_matrix(MATRIX, folder, Console(file=said, width=100), workers=1) == 0
    return folder, said.getvalue()


def test_every_pair_has_a_cell_in_the_schema_of_results(finished):
    folder, _ = finished
    found = cells.cells_of(json.loads((folder / "matrix.json").read_text()))
    assert [(c["rule"], c["run_on"], c["status"]) for c in found] == [
        ("reflected-wave", "ideal-waveguide", "done"),
        ("reflected-wave", "photonic-mzi", "done"),
        ("autograd", "ideal-waveguide", "refused"),
        ("autograd", "photonic-mzi", "refused"),
    ]
    assert all(c["controls"]["linear"] > 0.9 and c["controls"]["frozen_hidden"] > 0.5 for c in found)
    with open(folder / "matrix.csv", newline="") as file:
        assert [row["rule"] for row in csv.DictReader(file)] == [c["rule"] for c in found]


def test_table_figure_and_page(finished):
    folder, said = finished
    assert "refused 1" in said and said.count("a medium keeps no record of its operations") == 1
    assert "1.00→1.00" in said
    assert (folder / "matrix.svg").read_text().startswith("<?xml")
    page = (folder / "matrix.html").read_text()
    assert "<svg" in page and "keeps no record" in page and shlex.quote(str(folder)) in page


def test_the_same_folder_continues_and_runs_nothing_again(finished):
    folder, said = finished
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()}
    again = io.StringIO()
    assert run_matrix(MATRIX, folder, Console(file=again, width=100), workers=1) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "cells").iterdir()} == before
    assert again.getvalue().count("refused 1") == said.count("refused 1")


def test_the_command_on_the_page_asks_for_the_same_matrix():
    _, _, *options = shlex.split(command(MATRIX, "out"))
    assert options == [
        *("--dataset", "digits-parity", "--rules", "reflected-wave,autograd"),
        *("--profiles", "ideal-waveguide,photonic-mzi", "--seeds", "1", "--out", "out"),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--rules", "reflected-wav"], "did you mean 'reflected-wave'"),
        (["--profiles", "photonic"], "profile 'photonic'"),
        (["--dataset", "digit-parity"], "did you mean 'digits-parity'"),
    ],
)
def test_wrong_names_end_the_command_before_anything_is_written(given, told, tmp_path, capsys):
    assert main(["matrix", *given, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_names_are_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["matrix", "--rules", ","])
    assert ended.value.code == 2 and "at least one name" in capsys.readouterr().err
