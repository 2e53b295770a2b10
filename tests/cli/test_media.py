"""`physnn media`: the catalogue, one medium, known answers."""

import pytest

from physnn.cli import main
from physnn.media.catalogue import FAMILIES, MEDIA
from physnn.substrate.contract import REFUSED, Finding
from physnn.testing.answers import ANSWERS, COVERS, at_most, close


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_medium(capsys):
    assert main(["media"]) == 0
    out = capsys.readouterr().out
    assert all(family in out for family in FAMILIES)
    for name in MEDIA:
        line = next(line for line in out.splitlines() if f" {name} " in line)
        assert "torch" in line


@pytest.mark.parametrize("name", ["waveguide-tanh", "carrier-duffing", "lif", "wave-field-clamped", "rlc-termination"])
def test_show(name, capsys):
    assert main(["media", "show", name]) == 0
    out = capsys.readouterr().out
    assert MEDIA[name].title in out and "torch: runs it" in out and "stable up to" in out
    system = MEDIA[name].build().lower()
    population = system.populations[MEDIA[name].shown(system)]
    for parameter in population.role("parameter"):
        assert any(line.split()[:1] == [parameter] for line in out.splitlines())


def test_show_says_why_a_backend_refuses(capsys, monkeypatch):
    backend = pytest.importorskip("physnn_waveguide").Backend
    monkeypatch.setattr(backend, "check", lambda *_: [Finding("population oscillators", REFUSED, "too warm")])
    assert main(["media", "show", "duffing"]) == 0
    assert "waveguide: refuses population oscillators: too warm" in capsys.readouterr().out


def test_unknown_names_offer_the_nearest(capsys):
    assert main(["media", "show", "dufing"]) == 2
    assert "did you mean 'duffing'" in capsys.readouterr().err
    assert main(["media", "verify", "square drum"]) == 2
    assert "did you mean 'square drums'" in capsys.readouterr().err


def test_verify_fails_where_an_answer_is_missed(monkeypatch, capsys):
    monkeypatch.setitem(ANSWERS, "sound", lambda: iter([close("one", 1.001, 1.0, relative=0.01)]))
    monkeypatch.setitem(ANSWERS, "wrong", lambda: iter([at_most("two", 3.0, 2.0), close("three", 1, 1, absolute=0)]))
    assert main(["media", "verify", "sound"]) == 0
    assert "1 of 1 known answers hold" in capsys.readouterr().out
    assert main(["media", "verify", "sound", "wrong"]) == 1
    out = capsys.readouterr().out
    assert "2 of 3 known answers hold" in out
    assert [line.split()[0] for line in out.splitlines() if "MISSED" in line] == ["wrong"]


def test_every_subject_says_what_it_covers():
    assert COVERS.keys() == ANSWERS.keys() - {"sound", "wrong"}
    assert {name for media in COVERS.values() for name in media} <= MEDIA.keys()
