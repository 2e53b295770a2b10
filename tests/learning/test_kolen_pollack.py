"""Kolen-Pollack: feedback weights approach the transposed forward weights at the rate that the algebra says."""

import numpy as np
import pytest

from physnn.equations import OneToOne
from physnn.errors import CapabilityError, ParameterError
from physnn.learning import DirectFeedback, FeedbackAlignment, KolenPollack, Objective, ReflectedWave, Settings, train
from physnn.learning.alignment import cosine
from physnn.media import Flatten, Head, Link, Network, Perceptron, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build

NETWORK = Network.layered([Source("in", 6), Waveguide("a", 8), Waveguide("b", 7), Waveguide("out", 3)], gain=1.5)
OBJECTIVE = Objective(NETWORK.readout, SquaredError(), 3)


def data(samples=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(samples, 6)), rng.integers(0, 3, samples)


def gaps(rule, substrate):
    """W - B^T for every coupling through which the error returns."""
    weights = {key: np.asarray(value) for key, value in substrate.read().items()}
    paths = rule.digital(substrate, OBJECTIVE)["paths"].parameters
    return {key: weights[key.removesuffix(".feedback")] - np.asarray(b).T for key, b in paths.items()}


def gradient(rule, substrate):
    x, labels = data(5)
    targets = substrate.asarray(OBJECTIVE.loss.targets(np, labels, 3))
    step = rule.step(substrate, {"in": substrate.asarray(x)}, targets, OBJECTIVE)
    return {key: np.asarray(value) for key, value in step.gradient.items()}


@pytest.mark.parametrize("profile", ["ideal-torch", "ideal-waveguide"])
def test_the_gap_shrinks_geometrically_under_gradient_descent(profile):
    """W - B^T takes the factor 1 - rate decay a step, whatever was learnt meanwhile: exact but for rounding."""
    rate, decay, rule = 0.05, 0.4, KolenPollack(decay=0.4)
    substrate = build(NETWORK, profile, seed=1)
    before = gaps(rule, substrate)
    settings = Settings(epochs=3, batch=10, rate=rate, schedule="constant", optimiser="sgd")
    train(substrate, rule, OBJECTIVE, *data(), settings)
    after = gaps(rule, substrate)
    assert set(after) == {"a->b.feedback", "b->out.feedback"}
    for key, gap in before.items():
        np.testing.assert_allclose(after[key], gap * (1 - rate * decay) ** 12, rtol=0, atol=1e-13)


def test_the_update_turns_into_the_gradient():
    """With the gap at 0.95^80 = 2 % of what it was, the update without its decay lies along the reflected wave's."""
    rule, substrate = KolenPollack(decay=0.5), build(NETWORK, "ideal-torch", seed=1)

    def alignment():
        ours = gradient(rule, substrate)
        ours["a->b"] = ours["a->b"] - rule.decay * np.asarray(substrate.read()["a->b"])
        return cosine(ours, gradient(ReflectedWave(), substrate), ["in->a", "a->b"])

    assert alignment() < 0.7
    settings = Settings(epochs=20, batch=10, rate=0.1, schedule="constant", optimiser="sgd")
    train(substrate, rule, OBJECTIVE, *data(), settings)
    assert alignment() > 0.99


def test_it_starts_as_feedback_alignment():
    substrate = build(NETWORK, "ideal-torch", seed=1)
    ours, theirs = gradient(KolenPollack(decay=0.0), substrate), gradient(FeedbackAlignment(), substrate)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, rtol=1e-9, atol=1e-15)
    assert set(ours) - set(theirs) == {"paths.a->b.feedback", "paths.b->out.feedback"}


class Interrupted(Exception):
    pass


class Failing(KolenPollack):
    """Stops the world in its eighth batch."""

    def step(self, substrate, *arguments):
        if substrate.meter.counts["sample"] >= 70:
            raise Interrupted
        return super().step(substrate, *arguments)


def test_the_paths_are_in_the_checkpoint(tmp_path):
    """Continued with new paths of its own it would end elsewhere."""
    path, settings = tmp_path / "training.safetensors", Settings(epochs=3, batch=10)
    whole = build(NETWORK, "ideal-torch", seed=1)
    rule = KolenPollack()
    train(whole, rule, OBJECTIVE, *data(), settings)
    with pytest.raises(Interrupted):
        substrate = build(NETWORK, "ideal-torch", seed=1)
        train(substrate, Failing(), OBJECTIVE, *data(), settings, checkpoint=path, every=1)
    rest, fresh = build(NETWORK, "ideal-torch", seed=1), KolenPollack()
    train(rest, fresh, OBJECTIVE, *data(), settings, checkpoint=path)
    for key, value in whole.read().items():
        np.testing.assert_array_equal(np.asarray(rest.read()[key]), np.asarray(value))
    for key, gap in gaps(rule, whole).items():
        np.testing.assert_array_equal(gaps(fresh, rest)[key], gap)


def test_weights_that_are_not_dense_have_no_counterparts():
    parts = (Source("in", 4), Waveguide("a", 4), Waveguide("out", 4))
    network = Network(parts, (Link("in", "a"), Link("a", "out", operator=OneToOne((4,)))), Readout("out"))
    with pytest.raises(CapabilityError, match="no single counterparts"):
        KolenPollack().digital(build(network, "ideal-torch"), OBJECTIVE)


@pytest.mark.parametrize("rule", [KolenPollack(), DirectFeedback()], ids=lambda rule: rule.name)
def test_the_error_reaches_an_encoder_by_a_path_too(rule):
    """An encoder in front learns from what returns along one more path, drawn for it."""
    from_pixels = Head((Flatten(), Perceptron((6, 6))))
    objective = Objective(NETWORK.readout, SquaredError(), 3, encoders={"in": from_pixels})
    substrate, before = build(NETWORK, "ideal-torch", seed=1), dict(from_pixels.parameters)
    history = train(substrate, rule, objective, *data(), Settings(epochs=10, batch=10))
    assert history[-1].loss < history[0].loss
    assert all(np.abs(np.asarray(v) - before[key]).max() > 1e-3 for key, v in from_pixels.parameters.items())


def test_a_negative_decay_is_refused():
    with pytest.raises(ParameterError, match="at least 0"):
        KolenPollack(decay=-0.1)
