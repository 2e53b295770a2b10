"""What training checks before it begins, and what its checkpoints keep of what it is for."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.errors import CheckpointError, DataError
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.media import CrossEntropy, EnvelopeMedium, Network, Readout, Source, SquaredError, Waveguide
from physnn.media.oscillators.critical import CriticalModes
from physnn.substrate import build

NETWORK = Network.layered([Source("in", 4), Waveguide("out", 2)])
OBJECTIVE = Objective(NETWORK.readout, SquaredError(), 2)
INPUTS = np.random.default_rng(0).normal(size=(12, 4))
LABELS = (INPUTS[:, 0] > 0).astype(int)
SETTINGS = Settings(epochs=2, batch=4)


@pytest.mark.parametrize("count", [3, 13])
def test_a_label_a_sample(count):
    labels = np.resize(LABELS, count)
    with pytest.raises(DataError, match=f"12 samples with {count} labels"):
        train(build(NETWORK, "ideal-torch"), ReflectedWave(), OBJECTIVE, INPUTS, labels, SETTINGS)
    with pytest.raises(DataError, match="give one an answer"):
        accuracy(build(NETWORK, "ideal-torch"), OBJECTIVE, INPUTS, labels)


@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()])
def test_a_complex_answer_is_explained(loss):
    network = Network.layered([Source("in", 4), EnvelopeMedium("out", 2)])
    objective = Objective(network.readout, loss, 2)
    with pytest.raises(DataError, match="the answer is complex"):
        train(build(network, "ideal-torch"), ReflectedWave(), objective, INPUTS, LABELS, SETTINGS)


@pytest.mark.parametrize(
    "other",
    [
        replace(OBJECTIVE, loss=SquaredError(level=0.5)),
        replace(OBJECTIVE, loss=CrossEntropy()),
        replace(OBJECTIVE, duration=2.0),
        replace(OBJECTIVE, readout=replace(NETWORK.readout, kind="mean")),
    ],
    ids=["level", "loss", "duration", "readout"],
)
def test_a_checkpoint_of_another_objective_is_refused(other, tmp_path):
    path = tmp_path / "c.safetensors"
    train(build(NETWORK, "ideal-torch"), ReflectedWave(), OBJECTIVE, INPUTS, LABELS, SETTINGS, checkpoint=path)
    with pytest.raises(CheckpointError):
        train(build(NETWORK, "ideal-torch"), ReflectedWave(), other, INPUTS, LABELS, SETTINGS, checkpoint=path)


class Interrupted(Exception):
    pass


def test_complex_weights_are_kept_and_continued_bit_by_bit(tmp_path):
    modes = CriticalModes("modes", 2, couplings=[[0, 0.3j], [0.2, 0]], start=[0.3, 0.2j])
    system = Network((Source("in", 4), modes), (), Readout("modes", "re(a)")).lower(seed=0)
    objective = Objective(Readout("modes", "re(a)"), SquaredError(), 2, duration=0.5)

    def trained(path, stop=None):
        def watch(epoch):
            if epoch.number == stop:
                raise Interrupted

        substrate = build(system, "ideal-torch", step=0.05)
        options = {"port": "in", "checkpoint": path, "every": 3, "on_epoch": watch}
        train(substrate, ReflectedWave(), objective, INPUTS, LABELS, Settings(epochs=4, batch=4), **options)
        return {key: np.asarray(value) for key, value in substrate.read().items()}

    whole, path = trained(None), tmp_path / "c.safetensors"
    with pytest.raises(Interrupted):
        trained(path, stop=2)
    parts = trained(path)
    assert any(np.iscomplexobj(value) and np.any(value.imag) for value in whole.values())
    for key, value in whole.items():
        assert np.array_equal(value, parts[key]), key
