"""Some hundreds of malformed files, and proof that the script sees each kind of fault that it looks for."""

import importlib.util
import sys
import time
from pathlib import Path

import pytest

from physnn.errors import ProfileError

SCRIPT = Path(__file__).with_name("fuzz_files.py")


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz_files", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_malformed_files_are_read_or_refused_in_one_line(fuzz):
    tallies = fuzz.run(300, 1, workers=2)
    assert [failure for tally in tallies for failure in tally.failures] == []
    assert {tally.kind: tally.examples for tally in tallies} == {"checkpoint": 100, "profile": 100, "experiment": 100}
    assert all(tally.refused > tally.accepted > 0 for tally in tallies)
    assert all(tally.peak_bytes < fuzz.LARGEST_BYTES and tally.slowest_s < fuzz.SLOWEST_S for tally in tallies)


def raises(error):
    def read():
        raise error

    return read


def slow():
    time.sleep(5)


def slow_and_deaf():
    try:
        time.sleep(5)
    except Exception:
        pass


@pytest.mark.parametrize(
    ("read", "seen"),
    [
        (raises(KeyError("x")), "KeyError"),
        (raises(ProfileError("two\nlines")), "not one line"),
        (raises(ProfileError("Traceback (most recent call last)")), "not one line"),
        (raises(ProfileError("x" * 600)), "a line of 600 characters"),
        (raises(ProfileError("a bell\x07")), "not printable"),
        (raises(ProfileError("")), "not one line"),
        (raises(MemoryError()), "ran out of memory"),
        (slow, "more than 0.2 s"),
        (slow_and_deaf, "more than 0.2 s"),
        (raises(ProfileError("mine.toml: no such file")), None),
        (lambda: None, None),
    ],
)
def test_the_judge_sees_it(fuzz, read, seen):
    tally = fuzz.Tally("profile")
    wrong = fuzz.judge(read, tally, limit_s=0.2)
    assert wrong is None if seen is None else seen in wrong
    assert tally.examples == 1


def test_the_judge_sees_a_process_that_grew(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "LARGEST_BYTES", 1)
    assert "grew to" in fuzz.judge(lambda: None, fuzz.Tally("profile"))


def test_a_failure_is_printed_and_decides_the_exit_code(fuzz, monkeypatch, capsys):
    tallies = [fuzz.Tally(kind, 1, 1) for kind in fuzz.KINDS]
    monkeypatch.setattr(fuzz, "run", lambda *_: tallies)
    assert fuzz.main(["--examples", "3"]) == 0
    assert fuzz.main(["--examples", "4"]) == 1  # one was not run
    tallies[0].failures.append("KeyError")
    assert fuzz.main(["--examples", "3"]) == 1
    assert "KeyError" in capsys.readouterr().out


def test_a_child_that_dies_is_a_failure(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz.sys, "executable", "/bin/false")
    assert "ended with 1" in fuzz.run_child("profile", 1, 0).failures[0]
