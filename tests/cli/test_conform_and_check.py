"""`physnn conform` and `physnn check`."""

import pytest

from physnn.cli import main
from physnn.testing.conformance import FAIL, PASS, SKIP, Outcome
from physnn.testing.conformance import suite as conformance_suite
from physnn.testing.conformance.tables import features_table, write_html

OUTCOMES = [
    Outcome("delays", "pulse", PASS, 1e-15, 1e-12),
    Outcome("delays", "<layer>", FAIL, 0.5, 1e-12),
    Outcome("events", "cells", SKIP, reason="it has events & more"),
]


def test_features_table_counts_what_passed_failed_and_was_refused():
    lines = features_table({"mine": OUTCOMES}).splitlines()
    assert lines[0] == "| feature | `mine` |"
    assert lines[2] == "| delays | 1/2, error 5e-01 |"
    assert lines[3] == "| events | 1 refused |"


def test_page_escapes_and_tallies(tmp_path):
    write_html(tmp_path / "page.html", "mine", OUTCOMES)
    page = (tmp_path / "page.html").read_text()
    assert "1 pass, 1 FAIL, 1 refused" in page
    assert "&lt;layer&gt;" in page and "events &amp; more" in page and "<layer>" not in page


def test_conform_prints_every_comparison_and_fails_on_one(monkeypatch, capsys):
    monkeypatch.setattr("physnn.testing.conformance.conform", lambda backend: OUTCOMES)
    assert main(["conform", "waveguide"]) == 1
    monkeypatch.setattr("physnn.testing.conformance.conform", lambda backend: [OUTCOMES[0], OUTCOMES[2]])
    assert main(["conform", "waveguide"]) == 0
    out = capsys.readouterr().out
    assert "conformance of waveguide" in out and "| delays |" in out


def test_an_exception_of_a_backend_is_its_failure():
    def check(bench):
        raise ZeroDivisionError("of the backend")
        yield

    outcome = conformance_suite._outcome(None, "f", "c", check)
    assert outcome.status == FAIL and "ZeroDivisionError" in outcome.reason


@pytest.mark.parametrize(
    ("error", "tolerance", "status"), [(float("nan"), 1.0, FAIL), (0.0, 0.0, PASS), (1e-300, 0.0, FAIL)]
)
def test_an_error_that_is_no_number_fails(error, tolerance, status):
    outcome = conformance_suite._outcome(None, "f", "c", lambda bench: iter([(error, tolerance), (0.0, 1.0)]))
    assert outcome.status == status


def test_check_tells_costs_and_refusals(tmp_path, capsys):
    path = tmp_path / "e.toml"
    path.write_text(
        'run_on = ["ideal-torch", "photonic-mzi"]\nseeds = [0]\n[network]\nhidden = [8]\n[training]\nepochs = 2\n'
    )
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert "digits, ideal-torch" in out and "not a device" in out and "MiB" in out
    profile = tmp_path / "loom.toml"
    profile.write_text('name = "loom"\ntitle = "t"\nkind = "ideal"\nbackends = ["abacus"]\ndescription = "d"\n')
    path.write_text(f'run_on = ["photonic-mzi", "{profile}"]\nseeds = [0]\n[network]\nhidden = [600]\n')
    assert main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "refused" in out and "dB" in out and "not installed" in " ".join(out.split())


def test_check_holds_the_step_against_the_largest_stable_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "e.toml"
    text = 'run_on = ["ideal-torch"]\nseeds = [0]\nduration = 5.0\nstep = {}\n[network]\nhidden = [4]\ndamping = 2.0\n'
    path.write_text(text.format(0.25) + "[training]\nepochs = 1\n")
    assert main(["check", str(path)]) == 0
    assert "0.25 s of 1 s" in capsys.readouterr().out  # 2 tau / gamma of explicit Euler
    path.write_text(text.format(1.25) + "[training]\nepochs = 1\n")
    assert main(["check", str(path)]) == 0
    assert "1.25 s of 1 s: UNSTABLE" in capsys.readouterr().out


def test_a_step_needs_a_duration(tmp_path, capsys):
    path = tmp_path / "e.toml"
    path.write_text('run_on = ["ideal-torch"]\nseeds = [0]\nstep = 0.1\n')
    assert main(["check", str(path)]) == 2
    assert "a step without a duration" in capsys.readouterr().err
