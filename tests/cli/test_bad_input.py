"""Bad input: one line that says what was given, what is allowed and what to do; exit code 2; no traceback."""

import os
import subprocess
import sys

import numpy as np
import pytest

from physnn.cli import main

SMALL = """
name = "small"
datasets = ["digits"]
rules = ["reflected-wave"]
run_on = ["ideal-torch"]
seeds = [0]
[network]
hidden = [4]
[training]
epochs = 1
"""

LOOM = """
name = "loom"
title = "Loom"
kind = "ideal"
backends = ["abacus", "loom"]
description = "A profile whose backends nobody has."
"""


@pytest.fixture
def complain(tmp_path, capsys, monkeypatch):
    """Run the command on a file made from SMALL; returns its one line of complaint."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **changes):
        text = SMALL
        for old, new in changes.get("replace", {}).items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "e.toml").write_text(text + changes.get("add", ""))
        given = arguments or ("compare", "e.toml", "--out", "out")
        try:
            code = main([str(a) for a in given])
        except SystemExit as stop:
            code = stop.code
        err = capsys.readouterr().err
        assert code == 2, err
        assert err.count("\n") == 1 and err.startswith("physnn"), err
        assert "Traceback" not in err
        return err

    return run


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"replace": {"ideal-torch": "ideal-touch"}},
            ["unknown profile 'ideal-touch'", "did you mean 'ideal-torch'", "e.toml:5"],
        ),
        (
            {"replace": {"reflected-wave": "reflected-waves"}},
            ["unknown rule", "did you mean 'reflected-wave'", "e.toml:4"],
        ),
        ({"replace": {'"digits"': '"digit"'}}, ["unknown dataset", "did you mean 'digits'", "e.toml:3"]),
        (
            {"replace": {"hidden = [4]": 'hidden = [4]\nactivation = "tahn"'}},
            ["unknown activation", "did you mean 'tanh'", ":9"],
        ),
        ({"replace": {"hidden = [4]": "hiden = [4]"}}, ["unknown key 'hiden'", "did you mean 'hidden'", "e.toml:8"]),
        ({"replace": {"epochs = 1": "epoch = 1"}}, ["unknown key 'epoch'", "did you mean 'epochs'"]),
        ({"replace": {"epochs = 1": 'epochs = 1\noptimiser = "adm"'}}, ["unknown optimiser", "did you mean 'adam'"]),
        ({"replace": {"epochs = 1": "epochs = -1"}}, ["training.epochs", "greater than or equal to 0"]),
        ({"replace": {"epochs = 1": "epochs = 1\nrate = -0.1"}}, ["training.rate", "greater than 0"]),
        ({"replace": {"hidden = [4]": "hidden = [0]"}}, ["network.hidden"]),
        ({"replace": {"hidden = [4]": "hidden = [4]\nimpedance = -50.0"}}, ["impedance -50.0 ohm", "above 0"]),
        ({"replace": {"hidden = [4]": "hidden = [4]\ndamping = -1.0"}}, ["damping -1.0", "unstable"]),
        ({"replace": {"hidden = [4]": "hidden = [4]\ngain = [1.0]"}}, ["1 gains for 2 links"]),
        ({"replace": {"seeds = [0]": "seeds = [0, 0]"}}, ["seeds names something twice"]),
        ({"replace": {"seeds = [0]": "seeds = [0"}}, ["malformed TOML", "e.toml:"]),
        ({"replace": {'run_on = ["ideal-torch"]': "run_on = []"}}, ["run_on"]),
        ({"add": "[training.rates]\nx = 1\n"}, ["unknown key 'rates'", "did you mean 'rate'"]),
    ],
)
def test_experiment_file(complain, changes, expected):
    line = complain(**changes)
    for part in expected:
        assert part in line


def test_missing_experiment_file(complain):
    assert "no-such.toml: no such file" in complain("compare", "no-such.toml")


def test_unknown_command_and_option(complain):
    assert "did you mean 'compare'" in complain("compre")
    assert "did you mean '--out'" in complain("compare", "--outt", "x")


def test_profile_faults(complain, tmp_path):
    assert "did you mean 'photonic-mzi'" in complain("profiles", "show", "photonic-mzj")
    profile = tmp_path / "mine.toml"
    profile.write_text(
        'name = "mine"\ntitle = "t"\nkind = "analog"\nbackends = ["waveguide"]\ndescription = "d"\n'
        "[energy]\nadc = 3.0\n"
    )
    line = complain("profiles", "check", profile)
    assert "mine.toml:7" in line and "no unit and no source" in line
    assert "no unit and no source" in complain(replace={"ideal-torch": "mine.toml"})


def test_unknown_backend_is_refused_in_its_cell_not_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loom.toml").write_text(LOOM)
    (tmp_path / "e.toml").write_text(SMALL.replace("ideal-torch", "loom.toml"))
    assert main(["compare", "e.toml", "--out", "out"]) == 0
    assert "runs on backend 'abacus' or 'loom', which is not installed" in (tmp_path / "out/results.json").read_text()


def test_a_chip_that_sends_spikes_is_refused_in_its_cell_not_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.toml").write_text(SMALL.replace("ideal-torch", "loihi-1"))
    assert main(["compare", "e.toml", "--out", "out"]) == 0
    result = (tmp_path / "out/results.json").read_text()
    assert "the continuous code sends graded values" in result or "not installed" in result


def test_data_files(complain, tmp_path):
    rng = np.random.default_rng(0)
    inputs, labels = rng.random((50, 6)), np.arange(50) % 3
    bad = inputs.copy()
    bad[7, 2] = np.nan
    change = {'"digits"': '"mine.npz"'}
    np.savez(tmp_path / "mine.npz", inputs=bad, labels=labels)
    assert "row 7 of the inputs holds a NaN" in complain(replace=change)
    np.savez(tmp_path / "mine.npz", inputs=inputs, labels=labels - 1)
    assert "label" in complain(replace=change)
    np.savez(tmp_path / "mine.npz", inputs=inputs)
    assert "labels" in complain(replace=change)
    (tmp_path / "mine.npz").write_bytes(b"not a zip file")
    assert "mine.npz" in complain(replace=change)
    (tmp_path / "mine.npz").unlink()
    assert "mine.npz" in complain(replace=change)


def test_cuda_without_a_gpu(complain):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("a CUDA GPU is here, so asking for one is no error")
    assert "no CUDA GPU" in complain("compare", "e.toml", "--out", "out", "--device", "cuda")


def test_output_folder(complain, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert "cannot write" in complain("compare", "e.toml", "--out", "file")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "cannot write" in complain("compare", "e.toml", "--out", "locked/out")
    (tmp_path / "e.toml").write_text(SMALL)
    assert main(["compare", "e.toml", "--out", "out"]) == 0
    capsys.readouterr()
    assert "holds another experiment" in complain(replace={"hidden = [4]": "hidden = [5]"})
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.json").write_text("{}")
    assert "holds files of something else" in complain("compare", "e.toml", "--out", "other")


@pytest.mark.parametrize(("module", "extra"), [("torch", "torch"), ("matplotlib", "report"), ("jinja2", "report")])
def test_missing_extra_names_the_pip_command(tmp_path, module, extra):
    """The library is hidden from a child process; the command fails at once, before any cell has run."""
    (tmp_path / "e.toml").write_text(SMALL)
    run = "from physnn.cli import main; sys.exit(main(['compare', 'e.toml', '--out', 'out']))"
    hide = f"import sys; sys.modules[{module!r}] = None; {run}"
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'physnn[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
