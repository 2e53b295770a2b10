"""E-prop against finite differences, the reflected wave, and the reflected wave cut between cells; what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.equations import Dense, Event, OneToOne, Sparse
from physnn.errors import CapabilityError, UnknownNameError
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning import eprop as eprop_module
from physnn.learning.eprop import EProp
from physnn.media import (
    LIF,
    CrossEntropy,
    Link,
    Medium,
    Network,
    Readout,
    Source,
    SquaredError,
    Waveguide,
)
from physnn.media.heads import Head, Perceptron
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers.eprop import Cut, difference

STEP, STEPS = 1e-3, 40
EXACT = 1e-12
"""relative; both sides add up some thousand float64 products of like size"""


def network(links, cells=None, size=3, activation="identity", kind="mean", width=4):
    cells = cells or LIF("cells", 6)
    out = Waveguide("out", size, activation, time_constant=0.02)
    return Network([Source("in", width), cells, out], links, Readout("out", kind=kind))


def plain(**kwargs):
    return network([Link("in", "cells", gain=5.0), Link("cells", "out")], **kwargs)


def recurrent():
    links = [Link("in", "cells", gain=5.0), Link("cells", "out"), Link("cells", "cells", name="recurrent", delay=STEP)]
    return network(links)


def currents(batch=4, width=4, *, timed=True):
    rng = np.random.default_rng(3)
    return np.abs(rng.normal(size=(batch, STEPS + 1, width) if timed else (batch, width)))


def stepped(rule, net, x, targets=None, objective=None, substrate=None):
    substrate = substrate or build(net, "ideal-torch", seed=1, step=STEP)
    objective = objective or Objective(net.readout, SquaredError(), 3, STEPS * STEP)
    targets = np.random.default_rng(4).normal(size=(len(x), objective.classes)) if targets is None else targets
    found = rule.step(substrate, {"in": substrate.asarray(x)}, substrate.asarray(targets), objective)
    return {key: as_numpy(slope) for key, slope in found.gradient.items()}


def test_smooth_cells_by_finite_differences():
    """Without events there is a true gradient: e-prop of one hidden layer is it."""
    net = plain(cells=Waveguide("cells", 3, time_constant=0.01))
    x, targets = 0.2 * currents(2), np.ones((2, 3))
    found = stepped(EProp(), net, x, targets)
    substrate = build(net, "ideal-torch", seed=1, step=STEP)
    start = {key: as_numpy(value).copy() for key, value in substrate.read().items()}

    def loss(key, place, change):
        moved = start[key].copy()
        moved[place] += change
        substrate.write({**start, key: moved})
        y = net.readout.read(substrate.xp, substrate.run({"in": substrate.asarray(x)}, STEPS * STEP, record=["y"]))
        return float(0.5 * ((as_numpy(y) - targets) ** 2).sum() / 2)

    for key, place in (("in->cells", (1, 2)), ("bias->cells", (2, 0)), ("cells->out", (0, 1))):
        # Central differences of 1e-5: their error is 1e-10 of the third derivative, rounding 1e-11 of the loss.
        slope = (loss(key, place, 1e-5) - loss(key, place, -1e-5)) / 2e-5
        assert found[key][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("kind", ["last", "mean"])
def test_one_layer_is_the_surrogate_gradient(timed, kind):
    """Delays on the way in and out, a bias, learnt time constants; traces for each weight, or for each cell."""
    links = [Link("in", "cells", gain=6.0, delay=2 * STEP), Link("cells", "out", delay=3 * STEP)]
    cells = LIF("cells", 6, synapse=0.004, trainable=("tau", "tau_s"), bias=True)
    net, x = network(links, cells, kind=kind), currents(timed=timed)
    found, wanted = stepped(EProp(), net, x), stepped(ReflectedWave(), net, x)
    assert found.keys() == wanted.keys()
    assert np.abs(wanted["in->cells"]).max() > 0
    assert difference(found, wanted) < EXACT


@pytest.mark.parametrize(
    "operator", [Dense(6, 6), OneToOne((6,)), Sparse((0, 2, 2, 5), (1, 1, 4, 3), 6, 6)], ids=lambda o: type(o).__name__
)
def test_operators(operator):
    links = [Link("in", "cells", operator=operator, weights=np.full(operator.weight_shape, 3.0)), Link("cells", "out")]
    net, x = network(links, width=6), currents(width=6)
    assert difference(stepped(EProp(), net, x), stepped(ReflectedWave(), net, x)) < EXACT


def test_cells_that_are_read_themselves_behind_a_head():
    """A digital head is trained by its own gradient, and sends its error back to the cells."""
    net = Network([Source("in", 4), LIF("cells", 6)], [Link("in", "cells", gain=5.0)], Readout("cells", "v", "mean"))
    objective = Objective(net.readout, CrossEntropy(), 2, STEPS * STEP, head=Head((Perceptron((6, 2)),)))
    x, targets = currents(), np.eye(2)[[0, 1, 0, 1]]
    found, wanted = (stepped(rule, net, x, targets, objective) for rule in (EProp(), ReflectedWave()))
    assert found.keys() == wanted.keys() == {"in->cells", "head.0.weights1", "head.0.bias1"}
    assert difference(found, wanted) < EXACT


def test_between_cells_it_neglects_the_reflected_wave_and_nothing_else():
    net, x = recurrent(), currents()
    found, cut, whole = (stepped(rule, net, x) for rule in (EProp(), Cut(), ReflectedWave()))
    assert difference(found, cut) < EXACT
    assert difference(found, whole) > 0.01


def test_parts_of_a_batch_add_up(monkeypatch):
    net, x = recurrent(), currents(5)
    whole = stepped(EProp(), net, x)
    monkeypatch.setattr(eprop_module, "_NUMBERS", 200)
    assert difference(stepped(EProp(), net, x), whole) < EXACT


def test_random_feedback_is_that_of_a_readout_with_these_weights():
    """Symmetric e-prop through a readout whose weights are B^T, at the same errors, gives the same hidden update."""
    net, x = recurrent(), currents()
    one, other = (build(net, "ideal-torch", seed=1, step=STEP) for _ in range(2))
    rule = EProp("random", "random-e-prop")
    found = stepped(rule, net, x, np.zeros((4, 3)), substrate=one)
    (plan,) = rule._plans[one].values()
    (weights,) = one.placed.feedback(plan.companion).values()
    assert weights.shape == (6, 3)
    other.write({"cells->out": other.asarray(weights.T)})

    def answers(substrate):
        return as_numpy(net.readout.read(substrate.xp, substrate.run({"in": substrate.asarray(x)}, STEPS * STEP)))

    wanted = stepped(EProp(), net, x, answers(other) - answers(one), substrate=other)
    for key in ("in->cells", "recurrent"):
        np.testing.assert_allclose(found[key], wanted[key], rtol=1e-9, atol=1e-12 * np.abs(wanted[key]).max())


def test_random_feedback_reaches_layers_that_are_far_from_the_readout():
    parts = [Source("in", 4), LIF("a", 6), LIF("b", 5), Waveguide("out", 3, "identity", time_constant=0.02)]
    net = Network.layered(parts, gain=(5.0, 3.0, 1.0), readout="mean")
    found = stepped(EProp("random"), net, currents())
    assert all(np.abs(found[key]).max() > 0 for key in ("in->a", "a->b", "b->out"))
    with pytest.raises(CapabilityError, match=r"'a' has no coupling to the readout 'out'.*random feedback"):
        stepped(EProp(), net, currents())


@pytest.mark.parametrize("feedback", ["symmetric", "random"])
def test_it_learns_when_a_pulse_came(feedback):
    """Two classes that differ only in the order of two pulses; the order has to be kept until the end."""
    rng, early, late = np.random.default_rng(0), slice(0, 8), slice(16, 24)
    labels = rng.integers(0, 2, 32)
    x = 0.1 * np.abs(rng.normal(size=(32, 31, 2)))
    for sample, label in zip(x, labels, strict=True):
        sample[early, label] += 1.0
        sample[late, 1 - label] += 1.0
    links = [Link("in", "cells", gain=4.0), Link("cells", "out"), Link("cells", "cells", name="recurrent", delay=STEP)]
    net = network(links, LIF("cells", 16, bias=True), 2, kind="last", width=2)
    substrate = build(net, "ideal-torch", seed=0, step=STEP)
    objective = Objective(net.readout, CrossEntropy(4.0), 2, 30 * STEP)
    train(substrate, EProp(feedback), objective, x, labels, Settings(epochs=12, batch=16, rate=0.03))
    assert accuracy(substrate, objective, x, labels) > 0.9


def test_it_is_billed_for_every_trace():
    net, x = recurrent(), currents()
    substrate = build(net, "ideal-torch", seed=1, step=STEP)
    counts = []
    for rule in (ReflectedWave(), EProp()):
        before = dict(substrate.meter.counts)
        stepped(rule, net, x, substrate=substrate)
        counts.append(substrate.meter.since(before)["mac"])
    traces = (6 * 4 + 6 * 6 + 3 * 6) * len(x) * (STEPS + 1)
    assert counts[1] > counts[0] > 0
    assert counts[1] > 2 * traces


def silent(cells):
    return replace(cells, surrogate="")


def test_what_it_refuses():
    x = currents()
    with pytest.raises(UnknownNameError, match="symmetric"):
        EProp("symetric")
    with pytest.raises(CapabilityError, match="declare"):
        stepped(EProp(), plain(cells=silent(LIF("cells", 6))), x)
    with pytest.raises(CapabilityError, match="stationary state has no moments"):
        stepped(EProp(), plain(), x[:, 0], objective=Objective(plain().readout, SquaredError(), 3))
    encoded = Objective(plain().readout, SquaredError(), 3, 0.01, encoders={"in": Head((Perceptron((4, 4)),))})
    with pytest.raises(CapabilityError, match="a wave that comes back"):
        stepped(EProp(), plain(), x[:, 0], objective=encoded)
    with pytest.raises(CapabilityError, match="'out' is not linear"):
        stepped(EProp(), plain(activation="tanh"), x)
    oscillators = Medium(
        "cells", 6, "da/dt = (1j*a + z)*k : 1 (complex)\nz : 1 (arrival)\nk : 1/s (parameter)", {"k": 1}
    )
    links = [Link("in", "cells"), Link("cells", "out", signal="re(a)")]
    with pytest.raises(CapabilityError, match="complex waves"):
        stepped(EProp(), network(links, oscillators), x)


def test_readouts_that_remember_for_different_times_are_refused():
    leaky = Medium(
        "out", 3, "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)", {"tau": [0.01, 0.02, 0.02]}
    )
    links = [Link("in", "cells", gain=5.0), Link("cells", "out")]
    net = Network([Source("in", 4), LIF("cells", 6), leaky], links, Readout("out", kind="mean"))
    with pytest.raises(CapabilityError, match="'tau' of the readout 'out' differs between its outputs"):
        stepped(EProp(), net, currents())


def test_cells_that_nobody_hears_are_refused():
    links = [Link("in", "cells", gain=5.0), Link("in", "deaf"), Link("cells", "out")]
    parts = [Source("in", 4), LIF("cells", 6), LIF("deaf", 2), Waveguide("out", 3, "identity")]
    net = Network(parts, links, Readout("out"))
    with pytest.raises(CapabilityError, match="'deaf' is not on a way to the readout"):
        stepped(EProp("random"), net, currents())


def test_events_of_ones_own():
    """Any cell with a declared slope: here one that fires below, with a reset that keeps what is over."""
    text = "dv/dt = (-z - v)/tau : 1 (unless refractory)\nz : 1 (arrival)\ntau : s (parameter)"
    fires = Event("spike", "v < -1", {"v": "v + 1"}, "tau/10", surrogate="exp(-abs(margin))")
    cells = Medium("cells", 6, text, {"tau": 0.02}, signal="tau*spike", events=[fires])
    net, x = plain(cells=cells), currents()
    assert difference(stepped(EProp(), net, x), stepped(ReflectedWave(), net, x)) < EXACT
