"""Hebb's rule against sums written out: stationary, in time with a delay, shared weights, heads; what it refuses."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Input, Output, Population, System
from physnn.errors import CapabilityError
from physnn.learning import Objective
from physnn.learning.hebbian import Hebbian
from physnn.learning.oja import Oja
from physnn.learning.rule import forward
from physnn.media import ConvStack, Head, Network, Perceptron, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers import local_rules


def step_of(substrate, inputs, objective, classes):
    targets = substrate.asarray(np.zeros((len(inputs), classes)))
    return Hebbian().step(substrate, {"in": substrate.asarray(inputs)}, targets, objective)


def test_activities_at_both_ends_of_every_weight():
    network = Network.layered([Source("in", 4), Waveguide("a", 3), Waveguide("b", 2)])
    substrate, x = build(network, "ideal-torch"), np.random.default_rng(0).normal(size=(5, 4))
    held = {key: as_numpy(value) for key, value in substrate.read().items()}
    a = np.tanh(x @ held["in->a"].T)
    b = np.tanh(a @ held["a->b"].T)
    found = step_of(substrate, x, Objective(network.readout, SquaredError(), 2), 2).gradient
    wanted = {"in->a": a.T @ x, "a->b": b.T @ a, "bias->a": a.sum(0)[:, None], "bias->b": b.sum(0)[:, None]}
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert as_numpy(found[key]) == pytest.approx(-value / 5, rel=1e-12)


def test_in_time_the_delayed_signal_meets_the_present_activity():
    delay, dt, steps = 0.3, 0.1, 9
    source = Population.from_text("in", 3, "u : 1 (input)")
    layer = Population.from_text("a", 2, "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)", {"tau": 1.0})
    w = np.random.default_rng(1).normal(size=(2, 3))
    wire = Coupling("w", "in", "a", "u", Dense(2, 3), "z", delay, initial=w)
    system = System.of([source, layer], [wire], {"in": Input("in", "u")}, {"y": Output("a", "x")})
    substrate, u = build(system, "ideal-torch", step=dt), np.random.default_rng(2).normal(size=(4, steps, 3))
    objective = Objective(Readout("a", "x"), SquaredError(), 2, steps * dt)
    found = as_numpy(step_of(substrate, u, objective, 2).gradient["w"])
    x, wanted = np.zeros((4, 2)), np.zeros((2, 3))
    for n in range(steps + 1):
        before = u[:, n - 3] if n >= 3 else np.zeros((4, 3))
        wanted += dt * x.T @ before
        x = x + dt * (before @ w.T - x)
    assert found == pytest.approx(-wanted / 4, rel=1e-12)


def test_a_head_learns_from_its_own_gradient():
    network = Network.layered([Source("in", 4), Waveguide("a", 3)])
    head = Head((Perceptron((3, 2)),), 0)
    substrate, x = build(network, "ideal-torch"), np.random.default_rng(3).normal(size=(5, 4))
    objective = Objective(network.readout, SquaredError(), 2, head=head)
    found = step_of(substrate, x, objective, 2).gradient
    assert {key for key in found if key.startswith("head.")}
    assert {key for key in found if not key.startswith("head.")} == {"in->a", "bias->a"}


def test_encoders_are_refused():
    network = Network.layered([Source("in", (1, 2, 2)), Waveguide("a", 3)])
    encoders = {"in": Head((ConvStack((1, 1), "relu", "tanh"),), 0, "in")}
    objective = Objective(network.readout, SquaredError(), 3, encoders=encoders)
    with pytest.raises(CapabilityError, match="learn from a wave that comes back"):
        step_of(build(network, "ideal-torch"), np.ones((2, 1, 2, 2)), objective, 3)


@pytest.mark.parametrize(("rule", "products"), [(Hebbian(), 1), (Oja(), 3)])
def test_its_work_is_counted(rule, products):
    """A product of the two ends a weight and sample; Oja's echo and its product as well."""
    network = Network.layered([Source("in", 4), Waveguide("a", 3, bias=False)])
    substrate = build(network, "ideal-torch")
    inputs, targets = {"in": substrate.asarray(np.ones((5, 4)))}, substrate.asarray(np.zeros((5, 3)))
    objective = Objective(network.readout, SquaredError(), 3)
    rule.step(substrate, inputs, targets, objective)
    both = substrate.meter.counts["mac"]
    forward(substrate, inputs, objective)
    alone = substrate.meter.counts["mac"] - both
    assert both - alone == products * 5 * 3 * 4


def test_known_answers():
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in local_rules.hebb() if not a.holds]
    assert missed == []
