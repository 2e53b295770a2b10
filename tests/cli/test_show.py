"""`physnn show wave` from end to end: an experiment's sample, lines, a field, and wrong words."""

import re

import numpy as np
import pytest

from physnn.cli import main
from physnn.errors import PhysnnError
from physnn.experiments import waves
from physnn.experiments.waves import FIELD, LAYERS, LINES, watch

EXPERIMENT = """
name = "small <net>"
run_on = ["ideal-waveguide", "photonic-mzi"]
[network]
hidden = [5]
"""


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(EXPERIMENT)
    return str(path)


def test_an_experiments_sample(experiment, tmp_path, capsys):
    assert main(["show", "wave", experiment, "--sample", "3", "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "small.html").read_text()
    assert "small.html" in capsys.readouterr().out.replace("\n", "")
    assert "small &lt;net&gt;" in page and "sample 3 of digits" in page and "Reflected wave" in page
    assert len(re.findall("<svg", page)) == 4


def test_the_waves_of_layers_go_there_and_back(experiment):
    """Incident waves rise from rest; the reflected one starts at the output, at the end of the run."""
    shown = watch(experiment, profile="ideal-torch", duration=3.0)
    assert shown.kind == LAYERS and [s.name for s in shown.strips] == ["hidden1", "output"] and not shown.notes
    hidden = shown.strips[0]
    assert not np.any(hidden.forward[0]) and np.all(np.abs(hidden.forward[-1]) > 0)
    late = [np.argmax(np.max(np.abs(s.backward), axis=1)) for s in shown.strips]
    assert late[0] < late[1] and late[1] >= len(shown.times) - 3


def test_a_medium_with_lines(tmp_path):
    shown = watch("impedance-step")
    assert shown.kind == LINES and shown.reflects and [s.name for s in shown.strips] == ["near", "far"]
    # 1 and 2 ohm with k = 0.9, a load of 1.5 ohm; at rest what returns is what the lines' ends make of it.
    step, load = 1 / 3, -0.5 / 3.5
    inner = 0.81 * load
    assert shown.spectrum.mean[0] == pytest.approx(0.81 * abs((step + inner) / (1 + step * inner)))
    assert main(["show", "wave", "impedance-step", "--out", str(tmp_path)]) == 0
    assert "Reflection by frequency" in (tmp_path / "impedance-step.html").read_text()


def test_a_field_is_shown_on_a_larger_sheet_and_moves(monkeypatch):
    monkeypatch.setattr(waves, "FREQUENCIES", 3)
    shown = watch("tlm-field-matched", duration=3.0)
    assert shown.kind == FIELD and shown.movie.frames.shape[1:] == (41, 41)
    first, last = shown.movie.frames[1], shown.movie.frames[-1]
    row, column = np.unravel_index(np.argmax(np.abs(first)), first.shape)
    assert (row, column) == (20, 6) and np.count_nonzero(first) < 20 and np.all(last)


def test_a_medium_with_events_says_what_is_missing(capsys, tmp_path):
    assert main(["show", "wave", "lif", "--out", str(tmp_path)]) == 0
    assert "No spectrum" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["impedance-stop"], "did you mean 'impedance-step'"),
        (["nowhere.toml"], "nowhere.toml"),
        (["{experiment}", "--sample", "2000"], "samples 0 to 1796"),
        (["{experiment}", "--profile", "ideal-torhc"], "did you mean 'ideal-torch'"),
        (["{experiment}", "--duration", "1e9"], "a duration of at most"),
        (["{experiment}", "--duration", "0.01"], "give a longer one"),
    ],
)
def test_wrong_words_end_the_command_in_one_line(given, told, experiment, tmp_path, capsys):
    words = [word.format(experiment=experiment) for word in given]
    assert main(["show", "wave", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--sample", "-1"], ["--duration", "0"], ["--duration", "nan"], ["--sample", "x"]])
def test_arguments_are_numbers(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["show", "wave", "lif", *words])
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["show", "wave", "waveguide-tanh", "--out", str(tmp_path / "file" / "out")]) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_a_network_without_waves(monkeypatch):
    monkeypatch.setattr(waves, "layer_names", lambda system: ())
    with pytest.raises(PhysnnError, match="no wave to show"):
        watch("waveguide-tanh")
