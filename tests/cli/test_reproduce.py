"""`physnn reproduce`: the list, a run that is taken up again, bounds that are missed, wrong names."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from physnn import studies
from physnn.cli import main
from physnn.studies.study import Line, Record, Study, Task


def squared(seed: int) -> dict:
    return {"square": float(seed**2)}


def squares(seeds: Sequence[int]) -> list[Task]:
    return [Task(f"square-{seed}", squared, {"seed": seed}) for seed in seeds]


def table(records: Mapping[str, Record]) -> Iterator[Line]:
    found = [record["square"] for record in records.values()]
    yield Line("mean square", found, least=1.5, claim="1.67", note="of small numbers")


@pytest.fixture(autouse=True)
def prepared(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(studies.STUDIES, "squares", Study("squares", "Squares", squares, table))


def test_the_list_names_every_study(capsys):
    assert main(["reproduce"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in studies.STUDIES)


def test_a_table_and_its_exit_code(tmp_path, capsys):
    command = ["reproduce", "squares", "--out", str(tmp_path), "--workers", "1"]
    assert main([*command, "--seeds", "3"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("mean square", ">= 1.5", "1.667", "0 to 4", "1.67", "met", "of small numbers"))
    assert main([*command, "--seeds", "2"]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_show_runs_nothing(tmp_path, capsys):
    assert main(["reproduce", "squares", "--out", str(tmp_path), "--show"]) == 1
    said = capsys.readouterr().out
    assert "not run: square-0, square-1, square-2" in said
    assert not list(tmp_path.iterdir())


def test_wrong_names(capsys):
    assert main(["reproduce", "square"]) == 2
    assert "squares" in capsys.readouterr().err


def test_missing_data_are_told_before_anything_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(studies.STUDIES, "squares", Study("squares", "Squares", squares, table, datasets=("mnist",)))
    monkeypatch.delenv("PHYSNN_DATA", raising=False)
    assert main(["reproduce", "squares", "--out", str(tmp_path)]) == 2
    assert "PHYSNN_DATA" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
