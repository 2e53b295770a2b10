"""`physnn compare` from end to end on small experiments."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from physnn.cli import main
from physnn.experiments import Store, read_experiment
from physnn.experiments.cell import empty_record

EXPERIMENT = """
name = "two by two"
datasets = ["digits-parity"]
rules = ["reflected-wave", "feedback-alignment"]
run_on = ["ideal-torch", "photonic-mzi"]
seeds = [0]
[network]
hidden = [6]
[training]
epochs = 2
"""
SCHEMA = {
    "train_on",
    "run_on",
    "profile",
    "backend",
    "rule",
    "dataset",
    "seed",
    "status",
    "reason",
    "accuracy",
    "controls",
    "gradient_cosine",
    "energy",
    "latency_s",
    "counts",
    "wall_s",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "e.toml").write_text(EXPERIMENT)
    assert main(["compare", str(folder / "e.toml"), "--out", str(folder / "out")]) == 0
    return folder


def results(folder):
    return json.loads((folder / "out" / "results.json").read_text())


def test_results_have_the_schema(finished):
    found = results(finished)
    assert found["schema"] == "physnn.results/1"
    assert found["experiment"]["name"] == "two by two"
    assert len(found["cells"]) == 4
    for cell in found["cells"]:
        assert set(cell) == SCHEMA
        assert cell["status"] == "done" and cell["reason"] is None
        assert set(cell["accuracy"]) == {"train", "validation", "test", "standard_error"}
        assert all(0 < cell["accuracy"][part] <= 1 for part in ("train", "validation", "test"))
        assert all(0 < value <= 1 for value in cell["controls"].values())
        assert len(cell["gradient_cosine"]["per_layer_start"]) == 2
        assert cell["gradient_cosine"]["label"] == "native"


def test_reflection_on_an_ideal_substrate_is_the_gradient_and_random_feedback_is_not(finished):
    cosines = {(c["run_on"], c["rule"]): c["gradient_cosine"]["per_layer_start"] for c in results(finished)["cells"]}
    assert cosines["ideal-torch", "reflected-wave"] == pytest.approx([1, 1], abs=1e-12)
    assert cosines["ideal-torch", "feedback-alignment"][0] < 0.95
    assert cosines["ideal-torch", "feedback-alignment"][1] == pytest.approx(
        1, abs=1e-12
    )  # the last layer needs no transport


def test_an_ideal_substrate_has_no_energy_and_a_device_has_a_range(finished):
    for cell in results(finished)["cells"]:
        energy = cell["energy"]
        if cell["run_on"] == "ideal-torch":
            assert energy["inference_J"] is None and energy["training_J"] is None and cell["latency_s"] is None
        else:
            for figure in (energy["inference_J"], energy["training_J"], cell["latency_s"]):
                assert 0 < figure["low"] <= figure["typical"] <= figure["high"]
            total = sum(cause["typical"] for cause in energy["breakdown"]["inference"].values())
            assert total == pytest.approx(energy["inference_J"]["typical"], rel=1e-9)
            assert energy["not_counted"] and energy["unverified_constants"]


def test_one_inference_is_counted_by_hand(finished):
    cell = next(c for c in results(finished)["cells"] if c["run_on"] == "photonic-mzi")
    counts = cell["counts"]["inference"]
    assert (counts["dac"], counts["adc"], counts["repeater"], counts["pass"]) == (64, 2, 6 + 2, 1)


def test_numbers_reproduce_from_the_seed(finished, tmp_path):
    (tmp_path / "e.toml").write_text(EXPERIMENT)
    assert main(["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0

    def measured(folder):
        return [{k: v for k, v in cell.items() if k != "wall_s"} for cell in results(folder)["cells"]]

    assert measured(tmp_path) == measured(finished)


def test_the_same_folder_continues_and_runs_nothing_again(finished, capsys):
    before = {p.name: p.stat().st_mtime_ns for p in (finished / "out" / "cells").iterdir()}
    assert main(["compare", str(finished / "e.toml"), "--out", str(finished / "out")]) == 0
    assert {p.name: p.stat().st_mtime_ns for p in (finished / "out" / "cells").iterdir()} == before


def test_files_of_the_report(finished):
    out = finished / "out"
    with open(out / "results.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    page = (out / "report.html").read_text()
    assert "<svg" in page and "two by two" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_train_here_run_there(tmp_path):
    (tmp_path / "e.toml").write_text(
        EXPERIMENT.replace(
            'run_on = ["ideal-torch", "photonic-mzi"]', 'run_on = ["photonic-mzi"]\ntrain_on = ["ideal-torch"]'
        )
    )
    assert main(["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 0
    for cell in results(tmp_path)["cells"]:
        assert (cell["train_on"], cell["run_on"], cell["profile"]) == ("ideal-torch", "photonic-mzi", "photonic-mzi")
        assert cell["energy"]["training_J"] is None and cell["energy"]["inference_J"]["typical"] > 0
        assert any("writing the trained weights" in reason for reason in cell["energy"]["not_counted"])


def test_a_diverging_cell_has_failed_and_the_others_go_on(tmp_path):
    text = EXPERIMENT.replace("hidden = [6]", 'hidden = [6]\nactivation = "softplus"\noutput_activation = "identity"')
    text = text.replace(
        "epochs = 2", 'epochs = 3\noptimiser = "sgd"\n[training.rate]\nreflected-wave = 1e9\nfeedback-alignment = 1e-3'
    )
    (tmp_path / "e.toml").write_text(text.replace(', "photonic-mzi"', ""))
    assert main(["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 1
    status = {cell["rule"]: cell for cell in results(tmp_path)["cells"]}
    assert status["reflected-wave"]["status"] == "failed" and "diverged in epoch" in status["reflected-wave"]["reason"]
    assert status["feedback-alignment"]["status"] == "done"


def test_a_cell_that_cannot_run_is_refused_and_the_exit_code_is_zero(tmp_path):
    text = EXPERIMENT.replace("hidden = [6]", "hidden = [600]").replace("epochs = 2", "epochs = 0")
    text = text.replace('rules = ["reflected-wave", "feedback-alignment"]', 'rules = ["reflected-wave"]')
    (tmp_path / "e.toml").write_text(text.replace('"ideal-torch", ', ""))
    assert main(["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 0
    (cell,) = results(tmp_path)["cells"]
    assert cell["status"] == "refused" and "dB" in cell["reason"]


def test_ctrl_c_keeps_finished_cells_and_stops_at_once(tmp_path):
    """One cell is done, one would take minutes; two Ctrl-C in a row end the command within seconds."""
    text = EXPERIMENT.replace("seeds = [0]", "seeds = [0, 1, 2, 3, 4, 5]").replace("epochs = 2", "epochs = 400")
    (tmp_path / "e.toml").write_text(text.replace('"reflected-wave", "feedback-alignment"', '"reflected-wave"'))
    folder = tmp_path / "out"
    experiment = read_experiment(tmp_path / "e.toml")
    store, first = Store(folder, experiment), next(experiment.cells())
    store.put(first, {**empty_record(first), "status": "done"})
    command = [sys.executable, "-m", "physnn.cli", "compare", "e.toml", "--out", "out"]
    child = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(12)  # the workers are in the middle of their cells
    assert child.poll() is None
    os.killpg(child.pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130, err
    assert "Traceback" not in err and "interrupted" in err
    assert [cell["status"] for cell in results(tmp_path)["cells"]] == ["done"]


def test_changed_data_are_another_experiment(tmp_path, capsys):
    def write(seed):
        rng = np.random.default_rng(seed)
        np.savez(tmp_path / "mine.npz", inputs=rng.random((60, 5)), labels=np.arange(60) % 3)

    write(0)
    data = str(tmp_path / "mine.npz")
    (tmp_path / "e.toml").write_text(EXPERIMENT.replace("digits-parity", data).replace(', "photonic-mzi"', ""))
    command = ["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    write(1)
    capsys.readouterr()
    assert main(command) == 2
    assert "holds another experiment" in capsys.readouterr().err


def test_deploying_from_a_die_to_the_ideal(tmp_path):
    text = EXPERIMENT.replace(
        'run_on = ["ideal-torch", "photonic-mzi"]', 'run_on = ["ideal-torch"]\ntrain_on = ["photonic-mzi"]'
    )
    (tmp_path / "e.toml").write_text(text.replace('"reflected-wave", "feedback-alignment"', '"reflected-wave"'))
    assert main(["compare", str(tmp_path / "e.toml"), "--out", str(tmp_path / "out")]) == 0
    (cell,) = results(tmp_path)["cells"]
    assert (
        cell["status"] == "done"
        and cell["energy"]["training_J"]["typical"] > 0
        and cell["energy"]["inference_J"] is None
    )


def test_samples_may_be_shown_for_a_time(tmp_path):
    """A network that is read after many time constants is the one that is read at rest."""
    found = {}
    for name, shown in (("rest", ""), ("time", "duration = 12.0\nstep = 0.5\n")):
        path = tmp_path / f"{name}.toml"
        text = EXPERIMENT.replace('"reflected-wave", "feedback-alignment"', '"reflected-wave"')
        path.write_text(shown + text.replace(', "photonic-mzi"', "").replace("epochs = 2", "epochs = 1"))
        assert main(["compare", str(path), "--out", str(tmp_path / name)]) == 0
        (found[name],) = json.loads((tmp_path / name / "results.json").read_text())["cells"]
    rest, timed = found["rest"], found["time"]
    assert timed["accuracy"]["test"] == rest["accuracy"]["test"]
    assert np.allclose(timed["gradient_cosine"]["per_layer_end"], 1.0, atol=1e-9)
    assert timed["counts"]["training"]["mac"] > 10 * rest["counts"]["training"]["mac"]
