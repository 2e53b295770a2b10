"""`physnn bench`: the list, what it prints and keeps, wrong words."""

import json

import pytest

from physnn import benchmarks
from physnn.benchmarks import BENCHES, Figure, Settings, run_bench
from physnn.benchmarks.timing import Spread
from physnn.cli import main
from physnn.errors import UnknownNameError


def test_the_list(capsys):
    assert main(["bench"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in BENCHES)


def test_wrong_words_end_the_command_in_one_line(tmp_path, capsys):
    assert main(["bench", "wavegiude", "--out", str(tmp_path / "out")]) == 2
    assert "did you mean 'waveguide'" in capsys.readouterr().err and not (tmp_path / "out").exists()
    with pytest.raises(SystemExit) as ended:
        main(["bench", "waveguide", "--rounds", "0"])
    assert ended.value.code == 2 and "whole number above 0" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["bench", "waveguide", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "choose another folder" in capsys.readouterr().err
    with pytest.raises(UnknownNameError):
        run_bench("none", Settings())


def figures(missed):
    value = Spread(3.0 if missed else 1.5, 1.0, 4.0)
    return [Figure("lines", "step / products", value, "1", 2.0), Figure("lines", "step", None, "s", note="refused")]


@pytest.mark.parametrize(("missed", "code"), [(False, 0), (True, 1)])
def test_a_missed_promise_is_told_and_ends_with_1(missed, code, monkeypatch, tmp_path, capsys):
    results = {"figures": [], "machine": {"processor": "abacus", "load": ""}}
    monkeypatch.setattr(benchmarks, "run_bench", lambda name, settings: (figures(missed), results))
    assert main(["bench", "waveguide", "--rounds", "3", "--out", str(tmp_path / "out")]) == code
    out = capsys.readouterr().out
    assert ("MISSED" in out, "processor abacus" in out, "not measured" in out) == (missed, True, True)
    assert json.loads((tmp_path / "out" / "waveguide.json").read_text()) == results
