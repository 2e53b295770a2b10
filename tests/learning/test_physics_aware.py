"""Physics-aware training: whose waves, whose weights, and what a gradient from a twin is worth on a die."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import CapabilityError
from physnn.learning import (
    Objective,
    PhysicsAware,
    ReflectedWave,
    Settings,
    TwinGradient,
    equipped,
    train,
    twin_of,
)
from physnn.learning.alignment import cosine, layers, reference_gradient
from physnn.media import CrossEntropy, Network, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.profiles import Profile

NETWORK = Network.layered([Source("in", 6), Waveguide("a", 8), Waveguide("b", 7), Waveguide("out", 3)], gain=1.5)
RULES = (PhysicsAware(), TwinGradient())


def mismatched(share: float) -> Profile:
    """An analog profile whose only fault is that its weights and gains have this spread."""
    known = {"evidence": "assumed", "source": "assumption: for tests", "verified": False}
    spread = {"value": share, "unit": "1", **known}
    head = {"name": "bench", "title": "Bench", "kind": "analog", "backends": ["waveguide"], "description": "Tests."}
    return Profile.model_validate({**head, "mismatch": {"weight": spread, "gain": spread}})


def batch(samples=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(samples, 6)), rng.integers(0, 3, samples)


def gradient(rule, substrate, objective, x, labels):
    targets = substrate.asarray(objective.loss.targets(np, labels, 3))
    step = equipped(rule, substrate).step(substrate, {"in": substrate.asarray(x)}, targets, objective)
    return {key: np.asarray(value) for key, value in step.gradient.items()}


# In time the lines relax exactly, not by Euler's steps, so their trace is not that of the reference.
@pytest.mark.parametrize("profile, duration", [("ideal-torch", None), ("ideal-torch", 3.0), ("ideal-waveguide", None)])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_true_gradient_where_nothing_is_mismatched(rule, profile, duration):
    objective = Objective(NETWORK.readout, CrossEntropy(), 3, duration)
    substrate, (x, labels) = build(NETWORK, profile, seed=1), batch()
    found = gradient(rule, substrate, objective, x, labels)
    true = reference_gradient(substrate, objective, x, labels)
    for key, value in true.items():
        np.testing.assert_allclose(found[key], value, rtol=0, atol=1e-12 * np.abs(value).max(), err_msg=key)


def test_the_error_passes_nominal_weights_about_measured_waves():
    """delta_l = W^T (sigma'(z_measured) delta) by hand, on a die whose weights are 20 % off."""
    substrate, (x, labels) = build(NETWORK, mismatched(0.2), seed=1), batch()
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    found = gradient(PhysicsAware(), substrate, objective, x, labels)
    trace, w = substrate.steady({"in": x}), substrate.read()
    wave = {name: trace.fields[f"{name}.x"][:, 0] for name in ("a", "b", "out")}
    driven = {name: trace.fields[f"{name}.z"][:, 0] for name in wave}
    delta = (wave["out"] - objective.loss.targets(np, labels, 3)) / len(x)
    for before, layer in (("b", "out"), ("a", "b"), ("in", "a")):
        delta = delta / np.cosh(driven[layer]) ** 2
        entered = trace.sent[f"{before}->{layer}"][:, 0]
        np.testing.assert_allclose(found[f"{before}->{layer}"], delta.T @ entered, rtol=1e-9, atol=1e-12)
        delta = delta @ w[f"{before}->{layer}"]


def test_the_twin_gradient_reads_the_output_alone():
    """By hand: the plain interpreter's run of the System as described, with the error of the die."""
    substrate, (x, labels) = build(NETWORK, mismatched(0.2), seed=1), batch()
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    found = gradient(TwinGradient(), substrate, objective, x, labels)
    y = objective.readout.read(np, substrate.steady({"in": x}))
    own = Interpreter(substrate.placed.system, substrate.read()).steady({"in": x})
    delta = (y - objective.loss.targets(np, labels, 3)) / len(x) / np.cosh(own.fields["out.z"][:, 0]) ** 2
    np.testing.assert_allclose(found["b->out"], delta.T @ own.sent["b->out"][:, 0], rtol=1e-9, atol=1e-12)


def test_measured_waves_are_worth_more_than_the_twins_own():
    """Mean cosine with the die's gradient, over layers and 5 dies at 20 %."""
    means = {}
    objective, (x, labels) = Objective(NETWORK.readout, SquaredError(), 3), batch(40)
    for rule in (ReflectedWave(), *RULES):
        found = []
        for seed in range(5):
            substrate = build(NETWORK.lower(seed=0), mismatched(0.2), seed=seed)
            true = reference_gradient(substrate, objective, x, labels)
            step = gradient(rule, substrate, objective, x, labels)
            found += [cosine(step, true, keys) for keys in layers(substrate.placed.system).values()]
        means[rule.name] = np.mean(found)
    assert means["reflected-wave"] > 1 - 1e-9 > means["physics-aware"] > means["twin-gradient"] > 0.5


def test_a_twin_has_neither_die_nor_noise_but_the_bits():
    substrate = build(NETWORK, "photonic-mzi", seed=1)
    twin = twin_of(substrate)
    twin.write(substrate.read())
    assert not twin.placed.mismatched and twin.placed.profile.noise.write is None
    held = {key: np.asarray(value) for key, value in twin.held.items()}
    wanted = substrate.placed.twin().realise(substrate.read(), noise=False)
    for key, value in wanted.items():
        np.testing.assert_array_equal(held[key], value)


def test_the_trainer_hands_over_a_twin_and_bills_its_arithmetic():
    (x, labels), objective = batch(12), Objective(NETWORK.readout, SquaredError(), 3)
    spent = {}
    for rule in (PhysicsAware(), ReflectedWave()):
        substrate = build(NETWORK, "photonic-mzi", seed=1)
        history = train(substrate, rule, objective, x, labels, Settings(epochs=2, batch=4))
        assert history[-1].loss < history[0].loss
        spent[rule.name] = substrate.meter.counts
    back = 12 * 2 * (8 * 7 + 7 * 3)  # the error passes two couplings in every sample
    more = spent["physics-aware"]["host_mac"] - spent["reflected-wave"]["host_mac"]
    assert more >= back
    assert spent["physics-aware"]["pass"] == spent["reflected-wave"]["pass"] / 2


def test_without_a_twin():
    (x, labels), objective = batch(), Objective(NETWORK.readout, SquaredError(), 3)
    substrate = build(NETWORK, "ideal-waveguide")
    with pytest.raises(CapabilityError, match="digital twin and has none"):
        PhysicsAware().step(substrate, {"in": x}, objective.loss.targets(np, labels, 3), objective)
