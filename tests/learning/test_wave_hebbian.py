"""Wave-Hebbian learning: its two terms, in one medium and one after the other, stationary and in time."""

import numpy as np
import pytest

from physnn.errors import CapabilityError, NumericsError
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.learning.concurrent import coexisting
from physnn.learning.hebbian import Hebbian
from physnn.learning.wave_hebbian import WaveHebbian
from physnn.media import ConvStack, CrossEntropy, Head, Network, Perceptron, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers import local_rules

NETWORK = Network.layered([Source("in", 5), Waveguide("a", 6), Waveguide("b", 4), Waveguide("out", 3)])


def batch(substrate, samples=7):
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(samples, 5)), np.eye(3)[rng.integers(0, 3, samples)]
    return {"in": substrate.asarray(inputs)}, substrate.asarray(targets)


def flat(update):
    return np.concatenate([np.ravel(as_numpy(update[key])) for key in sorted(update)])


@pytest.mark.parametrize("duration", [None, 2.0])
@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()])
def test_the_sum_holds_both_terms(duration, loss):
    substrate = build(NETWORK, "ideal-torch", step=0.1)
    objective = Objective(NETWORK.readout, loss, 3, duration)
    given = (substrate, *batch(substrate), objective)
    total, rest, hebb, gradient = (
        flat(rule.step(*given).gradient)
        for rule in (WaveHebbian(), WaveHebbian(apart=True), Hebbian(), ReflectedWave())
    )
    # Sums and differences of a few hundred numbers of size 1: rounding.
    assert total == pytest.approx(hebb + gradient, abs=1e-12)
    assert rest == pytest.approx(gradient, abs=1e-12)


def test_it_does_not_depend_on_how_many_samples_share_a_batch():
    """Amplitudes are those of single samples, so the ratio of the terms is that of the batch's means."""
    substrate = build(NETWORK, "ideal-torch")
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    inputs, targets = batch(substrate, 4)
    once = flat(WaveHebbian().step(substrate, inputs, targets, objective).gradient)
    twice = (
        {"in": substrate.asarray(np.tile(as_numpy(inputs["in"]), (2, 1)))},
        substrate.asarray(np.tile(as_numpy(targets), (2, 1))),
    )
    assert flat(WaveHebbian().step(substrate, *twice, objective).gradient) == pytest.approx(once, abs=1e-14)


def test_a_head_gets_its_gradient_once():
    head = Head((Perceptron((3, 2)),), 0)
    substrate = build(NETWORK, "ideal-torch")
    objective = Objective(NETWORK.readout, CrossEntropy(), 2, head=head)
    inputs, _ = batch(substrate)
    given = substrate, inputs, substrate.asarray(np.eye(2)[np.arange(7) % 2]), objective
    wanted = ReflectedWave().step(*given).gradient
    for rule in (WaveHebbian(), WaveHebbian(apart=True)):
        found = rule.step(*given).gradient
        for key in (key for key in wanted if key.startswith("head.")):
            assert as_numpy(found[key]) == pytest.approx(as_numpy(wanted[key]), abs=1e-14)


def test_with_its_terms_apart_it_trains():
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(60, 5))
    labels = (inputs[:, 0] + inputs[:, 1] > 0).astype(int)
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    losses = []
    for rule in (WaveHebbian(apart=True), ReflectedWave()):
        substrate = build(NETWORK, "ideal-torch")
        history = train(substrate, rule, objective, inputs, labels, Settings(epochs=15, rate=0.03))
        losses.append([epoch.loss for epoch in history])
    # The same updates up to rounding, which training does not blow up in so few steps.
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0][-1] < 0.5 * losses[0][0]


def test_what_it_refuses():
    network = Network.layered([Source("in", (1, 2, 2)), Waveguide("a", 3)])
    encoders = {"in": Head((ConvStack((1, 1), "relu", "tanh"),), 0, "in")}
    objective = Objective(network.readout, SquaredError(), 3, encoders=encoders)
    substrate = build(network, "ideal-torch")
    with pytest.raises(CapabilityError, match="no synapses that could meet two waves"):
        WaveHebbian().step(
            substrate, {"in": substrate.asarray(np.ones((2, 1, 2, 2)))}, substrate.asarray(np.ones((2, 3))), objective
        )
    with pytest.raises(CapabilityError, match="squared error"):
        both = build(coexisting(NETWORK.lower()), "ideal-torch")
        WaveHebbian().step(both, *batch(both), Objective(NETWORK.readout, CrossEntropy(), 3))
    with pytest.raises(NumericsError, match="not finite"):
        plain = build(NETWORK, "ideal-torch")
        inputs, targets = batch(plain)
        WaveHebbian().step(plain, inputs, targets * float("inf"), Objective(NETWORK.readout, SquaredError(), 3))


def test_known_answers():
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in local_rules.wave_hebbian() if not a.holds]
    assert missed == []
