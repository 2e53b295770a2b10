"""Direct feedback alignment: its errors by hand, its paths, and what it refuses."""

import numpy as np
import pytest

from physnn.errors import CapabilityError
from physnn.learning import DirectFeedback, Objective, Settings, accuracy, train
from physnn.learning.direct_feedback import direct
from physnn.media import Link, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build

NETWORK = Network.layered([Source("in", 6), Waveguide("a", 8), Waveguide("b", 7), Waveguide("out", 3)], gain=1.5)


def stepped(rule, substrate, objective, x, targets):
    step = rule.step(substrate, {"in": substrate.asarray(x)}, substrate.asarray(targets), objective)
    return {key: np.asarray(value) for key, value in step.gradient.items()}


@pytest.mark.parametrize("profile", ["ideal-torch", "ideal-waveguide"])
def test_by_hand(profile):
    """delta_l = (B_l e) sigma'(z_l), e = sigma'(z_L) dL/dy, for both hidden layers."""
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(5, 6)), rng.uniform(-0.8, 0.8, (5, 3))
    substrate, objective = build(NETWORK, profile, seed=1), Objective(NETWORK.readout, SquaredError(), 3)
    found = stepped(DirectFeedback(), substrate, objective, x, targets)
    placed = substrate.placed
    paths = placed.feedback(direct(placed.system, placed.companion("random")))
    assert {key: value.shape for key, value in paths.items()} == {"out=>a.feedback": (8, 3), "out=>b.feedback": (7, 3)}
    trace = substrate.steady({"in": substrate.asarray(x)})
    z = {name: np.asarray(trace.fields[f"{name}.z"])[:, 0] for name in ("a", "b", "out")}
    sent = {name: np.asarray(value)[:, 0] for name, value in trace.sent.items()}
    e = (np.tanh(z["out"]) - targets) / 5 / np.cosh(z["out"]) ** 2
    deltas = {"out": e} | {name: e @ paths[f"out=>{name}.feedback"].T / np.cosh(z[name]) ** 2 for name in ("a", "b")}
    for name, coupling in placed.system.couplings.items():
        np.testing.assert_allclose(found[name], deltas[coupling.target].T @ sent[name], rtol=1e-9, atol=1e-12)


def test_a_path_is_as_late_as_the_layers_it_replaces():
    parts = (Source("in", 2), Waveguide("a", 3), Waveguide("b", 3), Waveguide("out", 2))
    links = (Link("in", "a", delay=0.1), Link("a", "b", delay=0.2), Link("b", "out", delay=0.4))
    network = Network(parts, links, Readout("out"))
    placed = build(network, "ideal-torch", step=0.05).placed
    found = direct(placed.system, placed.companion("random", discrete=True)).system.couplings.values()
    assert {c.target: pytest.approx(c.delay) for c in found} == {"b": 0.4, "a": 0.6}
    assert {c.source for c in found} == {"out"}


def test_it_learns_in_time_too():
    """Three classes of noisy patterns, each layer fed straight from the output; chance is 1/3."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 60)
    x = np.eye(3)[labels].repeat(2, axis=1) + 0.3 * rng.normal(size=(60, 6))
    substrate = build(NETWORK, "ideal-torch", seed=1, step=0.2)
    objective = Objective(NETWORK.readout, SquaredError(), 3, 4.0)
    history = train(substrate, DirectFeedback(), objective, x, labels, Settings(epochs=15, batch=10, rate=0.02))
    assert history[-1].loss < 0.2 * history[0].loss
    assert accuracy(substrate, objective, x, labels) > 0.9


def test_loops_are_refused():
    parts = (Source("in", 2), Waveguide("a", 3), Waveguide("out", 2))
    network = Network(parts, (Link("in", "a"), Link("a", "a", gain=0.1), Link("a", "out")), Readout("out"))
    substrate, objective = build(network, "ideal-torch"), Objective(network.readout, SquaredError(), 2)
    with pytest.raises(CapabilityError, match="the network has loops"):
        stepped(DirectFeedback(), substrate, objective, np.ones((1, 2)), np.zeros((1, 2)))
