"""Training that is interrupted and continued: bit by bit on the same substrate, and onward on another."""

import numpy as np
import pytest

from physnn.datasets import load
from physnn.errors import CheckpointError
from physnn.learning import FeedbackAlignment, Objective, ReflectedWave, Settings, train
from physnn.learning.trainer import accuracy
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate import build

DIGITS = load("digits-parity")
NETWORK = Network.layered([Source("pixels", 64), Waveguide("hidden", 8), Waveguide("output", 2)])
OBJECTIVE = Objective(NETWORK.readout, SquaredError(), 2)
DATA = DIGITS.inputs[:200], DIGITS.labels[:200]
SETTINGS = Settings(epochs=3, batch=16)


class Interrupted(Exception):
    pass


class Failing:
    """A rule that stops the world after some batches."""

    def __init__(self, rule, batches):
        self.rule, self.left, self.name = rule, batches, rule.name

    def step(self, *arguments):
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        return self.rule.step(*arguments)


def trained(profile, rule, path=None, seed=3, settings=SETTINGS, **options):
    substrate = build(NETWORK, profile, seed=1)
    history = train(substrate, rule, OBJECTIVE, *DATA, settings, seed=seed, checkpoint=path, **options)
    return substrate, history


@pytest.mark.parametrize("profile", ["ideal-torch", "cpu-x86", "ideal-waveguide", "photonic-mzi"])
@pytest.mark.parametrize("rule", [ReflectedWave(), FeedbackAlignment()], ids=lambda rule: rule.name)
def test_interrupted_training_continues_bit_by_bit(profile, rule, tmp_path):
    whole, history = trained(profile, rule)
    path = tmp_path / "training.safetensors"
    stops = np.random.default_rng(len(profile)).integers(1, 9, size=4)
    for batches in stops:
        with pytest.raises(Interrupted):
            trained(profile, Failing(rule, int(batches)), path, every=1)
    parts, continued = trained(profile, rule, path, every=5)
    assert [(e.number, e.loss) for e in continued] == [(e.number, e.loss) for e in history]
    for key, value in whole.read().items():
        assert np.array_equal(np.asarray(value), np.asarray(parts.read()[key])), key
    assert dict(parts.meter.counts) == dict(whole.meter.counts)
    x = whole.asarray(DATA[0][:5])
    first, second = (np.asarray(s.steady({"pixels": x}).outputs["y"]) for s in (whole, parts))
    assert np.array_equal(first, second)  # the noise of the next run too


def test_training_begun_on_torch_continues_on_waveguides(tmp_path):
    path = tmp_path / "training.safetensors"
    with pytest.raises(Interrupted):
        trained("ideal-torch", Failing(ReflectedWave(), 2 * 13), path, every=1)
    substrate, history = trained("photonic-mzi", ReflectedWave(), path)
    assert [epoch.number for epoch in history] == [1, 2, 3]
    ideal, whole = trained("ideal-torch", ReflectedWave())
    assert [epoch.loss for epoch in history[:2]] == [epoch.loss for epoch in whole[:2]]  # begun there, not anew
    assert history[2].loss < history[1].loss
    assert accuracy(substrate, OBJECTIVE, *DATA) > 0.8
    other, _ = trained("ideal-waveguide", ReflectedWave(), tmp_path / "none.safetensors")
    for key, value in ideal.read().items():  # both ideal backends compute the same training
        np.testing.assert_allclose(np.asarray(value), other.read()[key], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "training seed"),
        ({"settings": Settings(epochs=3, batch=8)}, "settings"),
        ({"rule": FeedbackAlignment()}, "rule"),
    ],
)
def test_a_checkpoint_of_another_training_is_explained(tmp_path, change, said):
    path = tmp_path / "training.safetensors"
    trained("ideal-torch", ReflectedWave(), path)
    rule = change.pop("rule", ReflectedWave())
    with pytest.raises(CheckpointError, match=said):
        trained("ideal-torch", rule, path, **change)


def test_a_checkpoint_of_another_network_is_explained(tmp_path):
    path = tmp_path / "training.safetensors"
    trained("ideal-torch", ReflectedWave(), path)
    other = Network.layered([Source("pixels", 64), Waveguide("hidden", 9), Waveguide("output", 2)])
    with pytest.raises(CheckpointError, match="fingerprint"):
        train(build(other, "ideal-torch"), ReflectedWave(), OBJECTIVE, *DATA, SETTINGS, seed=3, checkpoint=path)
