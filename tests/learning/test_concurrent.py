"""Both waves in one medium: the gradient in the stationary limit, drift as equations, training, refusals."""

import numpy as np
import pytest

from physnn.equations import Convolution, Interpreter, OneToOne, gradient, reflected
from physnn.errors import CapabilityError, UnknownNameError
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.learning.alignment import reference_gradient
from physnn.learning.concurrent import Concurrent, coexisting, drifting
from physnn.media import LIF, CrossEntropy, Link, Medium, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers import concurrent

NETWORK = Network.layered([Source("in", 5), Waveguide("a", 6), Waveguide("b", 4, "sigmoid"), Waveguide("out", 3)])


def batch(substrate, samples=7):
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(samples, 5)), rng.integers(0, 3, samples)
    return inputs, labels, substrate.asarray(SquaredError().targets(np, labels, 3))


def test_stationary_waves_give_the_gradient():
    alone, both = build(NETWORK, "ideal-torch"), build(coexisting(NETWORK.lower()), "ideal-torch")
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    inputs, labels, targets = batch(both)
    step = Concurrent().step(both, {"in": both.asarray(inputs)}, targets, objective)
    wanted = reference_gradient(alone, objective, inputs, labels)
    assert step.gradient.keys() == wanted.keys()
    for key, value in wanted.items():
        assert as_numpy(step.gradient[key]) == pytest.approx(value, abs=1e-13)
    assert step.loss == ReflectedWave().step(alone, {"in": alone.asarray(inputs)}, targets, objective).loss


def test_parameters_loops_and_other_operators():
    """A recurrent sheet with a trainable gain, against its own stationary adjoint."""
    shape = (2, 4, 4)
    text = "dx/dt = k*(g*tanh(z) - x) : 1\nz : 1 (arrival)\ng : 1 (trainable)\nk : 1/s (parameter)"
    medium = Medium("a", shape, text, {"g": 0.8, "k": 1.0})
    links = [
        Link("in", "a", "K", Convolution(2, 1, (3, 3), "circular")),
        Link("a", "a", "R", OneToOne(shape), gain=0.3),
    ]
    system = Network((Source("in", (1, 4, 4)), medium), links, Readout("a", "x")).lower()
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(3, 1, 4, 4)), rng.normal(size=(3, *shape))
    union = Interpreter(coexisting(system)).steady({"in": x, "y.target": y, "y.shown": np.ones_like(y)})
    incident, companion = Interpreter(system).steady({"in": x}), reflected(system)
    error = incident.outputs["y"][:, 0] - y
    played = {p: incident.fields[i.field][:, 0] for p, i in companion.incident.items()}
    echo = Interpreter(companion.system).steady(played | {companion.errors["y"]: error})
    wanted = gradient(np, system, companion, incident, echo)
    both = build(coexisting(system), "ideal-torch")
    objective = Objective(Readout("a", "x"), SquaredError(), 4)
    found = Concurrent().step(both, {"in": both.asarray(x)}, both.asarray(y), objective).gradient
    assert found.keys() == wanted.keys() == {"K", "R", "a.g"}
    for key, value in wanted.items():
        assert as_numpy(found[key]) == pytest.approx(value / 3, rel=1e-7)  # both states are found to 1e-9
    assert union.outputs["K.reflected"] == pytest.approx(echo.outputs[companion.reflected["K"]], rel=1e-9, abs=1e-12)


def test_without_a_target_nothing_returns():
    union = Interpreter(coexisting(NETWORK.lower()))
    rng = np.random.default_rng(2)
    trace = union.run({"in": rng.normal(size=(2, 5)), "y.target": rng.normal(size=(2, 3))}, 40, 0.1)
    assert not any(trace.outputs[port].any() for port in trace.outputs if port.endswith(".reflected"))
    alone = Interpreter(NETWORK.lower()).run({"in": np.zeros((2, 5))}, 0, 0.1)
    assert alone.fields.keys() < trace.fields.keys()


def test_the_reflected_wave_leaves_the_incident_one_alone():
    inputs = np.random.default_rng(3).normal(size=(2, 5))
    target = {"y.target": np.ones((2, 3)), "y.shown": np.ones((2, 3))}
    plain = Interpreter(NETWORK.lower()).run({"in": inputs}, 30, 0.1)
    union = Interpreter(coexisting(NETWORK.lower())).run({"in": inputs, **target}, 30, 0.1)
    for name in ("a.x", "b.x", "out.x"):
        assert np.array_equal(plain.fields[name], union.fields[name])


def test_one_step_of_drift_by_hand():
    system = coexisting(NETWORK.lower())
    rng = np.random.default_rng(4)
    driven = {"in": rng.normal(size=(3, 5)), "y.target": rng.normal(size=(3, 3)), "y.shown": np.ones((3, 3))}
    state = Interpreter(drifting(system, 0.0)).run(driven, 60, 0.1).state
    after = Interpreter(drifting(system, 0.3)).run(driven, 1, 0.1, state)
    for name, source in (("in->a", "in.u"), ("a->b", "a.x"), ("b->out", "b.x")):
        wave, entered = after.outputs[f"{name}.reflected"][:, 0], after.fields[source][:, 0]
        wanted = state[f"{name}:w"] - 0.1 * 0.3 * wave.T @ entered / 3
        assert after.state[f"{name}:w"] == pytest.approx(wanted, abs=1e-15)
    for name in ("a->b", "b->out"):
        # Both directions of a junction see the same products, summed in another order at most.
        assert after.state[f"back_{name}:w"] == pytest.approx(after.state[f"{name}:w"].T, abs=1e-15)


def test_it_trains_through_the_trainer():
    rng = np.random.default_rng(5)
    inputs = rng.normal(size=(60, 5))
    labels = (inputs[:, 0] + inputs[:, 1] > 0).astype(int)
    objective = Objective(NETWORK.readout, SquaredError(), 3)
    losses = []
    for rule, system in ((Concurrent(), coexisting(NETWORK.lower())), (ReflectedWave(), NETWORK.lower())):
        substrate = build(system, "ideal-torch")
        history = train(substrate, rule, objective, inputs, labels, Settings(epochs=20, rate=0.03), port="in")
        losses.append([epoch.loss for epoch in history])
    # The same updates up to rounding, which training does not blow up in so few steps.
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0][-1] < 0.5 * losses[0][0]


def test_what_it_refuses():
    alone, both = build(NETWORK, "ideal-torch"), build(coexisting(NETWORK.lower()), "ideal-torch")
    inputs, _, targets = batch(both)
    data = {"in": both.asarray(inputs)}
    with pytest.raises(CapabilityError, match="carries the incident wave alone"):
        Concurrent().step(alone, data, targets, Objective(NETWORK.readout, SquaredError(), 3))
    for loss, kind in ((CrossEntropy(), "last"), (SquaredError(), "mean")):
        with pytest.raises(CapabilityError, match="the output boundary itself reflects"):
            Concurrent().step(both, data, targets, Objective(Readout("out", "x", kind), loss, 3))
    with pytest.raises(UnknownNameError, match="output port"):
        coexisting(NETWORK.lower(), "z")
    with pytest.raises(CapabilityError, match="has events"):
        coexisting(Network.layered([Source("in", 2), LIF("a", 3)]).lower())
    sheet = Medium("a", (1, 4, 4), "dx/dt = (z - x)*k : 1\nz : 1 (arrival)\nk : 1/s (parameter)", {"k": 1.0})
    kernel = Link("in", "a", "K", Convolution(1, 1, (3, 3), "circular"))
    with pytest.raises(CapabilityError, match="only dense and one-to-one"):
        drifting(coexisting(Network((Source("in", (1, 4, 4)), sheet), (kernel,), Readout("a", "x")).lower()), 0.1)
    late = Network((Source("in", 2), Waveguide("a", 2)), (Link("in", "a", delay=0.5),), Readout("a", "x"))
    with pytest.raises(CapabilityError, match="the two waves meet at different times"):
        drifting(coexisting(late.lower()), 0.1)


@pytest.mark.parametrize("subject", concurrent.ANSWERS)
def test_known_answers(subject):
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in concurrent.ANSWERS[subject]() if not a.holds]
    assert missed == []
