"""The study of the passive network: what its dies are, what its table says of given records. Trainings are short."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from physnn.studies.passive import (
    DATASETS,
    DIES,
    MISMATCHES,
    SETTINGS,
    STUDY,
    fabricated,
    figure,
    network,
    on_a_die,
)
from physnn.substrate import build

SHORT = asdict(replace(SETTINGS, epochs=1))


def test_the_scaled_network_is_that_of_the_prototype():
    """12 V and 1 V thermal voltages, or 1 V and 1/12 V: voltages are scaled, what is read is the same."""
    from physnn.media.impedances import passive_network

    pixels = {"in": np.random.default_rng(0).uniform(size=(3, 64))}
    ours, theirs = (
        build(described, "ideal-waveguide", seed=1, step=1.0).run(pixels, 12.0, record=["y"]).outputs["y"]
        for described in (network(10), passive_network((64, 32, 10)))
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-11)


def test_a_die_draws_every_device_and_no_wire():
    held = build(network(10), fabricated(10), seed=3, step=1.0).held
    described = network(10).lower(3).parameters
    drawn = {key for key in described if np.ptp(held[key] - described[key]) > 0}
    devices = {"W1", "W2", "source.R", "load.R", "shunt1.I", "shunt1.V"}
    lines = {"line0.Z0", "line1a.Z0", "line1b.Z0", "line2.Z0"}
    assert drawn == devices | lines
    spread = held["W1"] / described["W1"] - 1
    assert np.std(spread) == pytest.approx(0.1, rel=0.1)  # of 2080 draws, known to 1.6 %


@pytest.mark.parametrize("loss", [0.0, 1.0])
def test_lines_lose_what_is_said(loss):
    alpha = network(10, loss).lower(0).parameters["line0.alpha"]
    assert 20 * np.log10(np.exp(-alpha)) == pytest.approx(-loss)


def test_a_training_on_a_die_with_converters_learns():
    found = on_a_die("digits-parity", 0, 0, SHORT, mismatch=10, bits=8)
    assert found["test"] > 0.6  # one epoch; guessing gives 0.5


def test_tasks_have_keys_of_their_own_and_plain_arguments():
    tasks = STUDY.tasks(range(2))
    assert len({task.key for task in tasks}) == len(tasks)
    assert json.loads(json.dumps([dict(task.arguments) for task in tasks])) == [dict(t.arguments) for t in tasks]


def test_the_table_pairs_dies_with_their_own_ideal_network(tmp_path):
    records = {}
    for task in STUDY.tasks(range(2)):
        seed = task.arguments["seed"]
        deployed = {str(m): 0.9 for m in MISMATCHES}
        best = {"linear": 0.9, "without_diodes": 0.91, "test": 0.97 + 0.01 * seed, "deployed": deployed}
        records[task.key] = best if task.key.endswith(f"ideal-{seed}") else {"test": 0.96 + 0.01 * seed}
    lines = {line.what: line for line in STUDY.lines(records)}
    for dataset in DATASETS:
        lost = lines[f"{dataset}, trained on dies of 10 %: points lost"]
        assert lost.measured == pytest.approx([1.0] * 2 * DIES) and lost.most == 1.0
    assert lines["digits, passive network: test accuracy"].met and not any(
        line.met for line in STUDY.lines({}) if line.least or line.most
    )
    assert figure(records, tmp_path / "passive.svg").read_text().startswith("<?xml")
