"""Automatic differentiation against the reflected wave, in all kinds of media, and its bill."""

import numpy as np
import pytest

from physnn.errors import CapabilityError
from physnn.learning import Autograd, Objective, ReflectedWave
from physnn.media import CrossEntropy, Flatten, Head, Network, Perceptron, Source, SquaredError, Waveguide
from physnn.media.catalogue import MEDIA
from physnn.substrate import build

# One of each kind: flows of each integrator, maps, complex states, constraints, delays, projections, sheets, encoders.
KINDS = (
    "waveguide-tanh",
    "carrier-duffing",
    "envelope-normalised",
    "sine-gordon-field",
    "passive-cable",
    "linoss-imex",
    "kuramoto-lags",
    "stuart-landau",
    "lotka-volterra",
    "conv-lstm",
    "critical-modes",
    "rlc-termination",
    "stub",
    "encoder-natural-frequency",
)
LONGEST_PERIOD = 8.0
"""of what is demodulated [s]"""


def both(substrate, objective, data, targets):
    steps = [rule.step(substrate, data, targets, objective) for rule in (Autograd(), ReflectedWave())]
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-12)
    assert steps[0].gradient.keys() == steps[1].gradient.keys()
    return [{key: np.asarray(value) for key, value in step.gradient.items()} for step in steps]


def assert_equal(found, wanted):
    """Two orders of the same sums: they differ by rounding, here less than 1e-9 of the largest number."""
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=0, atol=1e-9 * max(np.abs(value).max(), 1e-12), err_msg=key)


@pytest.mark.parametrize("name", KINDS)
def test_equals_the_reflected_wave_in_time(name):
    entry = MEDIA[name]
    network, rng = entry.build(), np.random.default_rng(0)
    substrate = build(network, "ideal-torch", seed=1, step=entry.step)
    system = substrate.placed.system
    data = {
        port: substrate.asarray(rng.uniform(0.1, 1.0, (3, *system.populations[place.population].shape)))
        for port, place in system.inputs.items()
    }
    duration = max(entry.steps * entry.step, LONGEST_PERIOD if name.startswith("carrier") else 0.0)
    objective = Objective(network.readout, SquaredError(), 2, duration)
    trace = substrate.run(data, objective.duration)
    y, _ = objective.answer(substrate.xp, trace)
    found, wanted = both(substrate, objective, data, y.detach() + substrate.asarray(rng.normal(size=tuple(y.shape))))
    assert wanted
    assert_equal(found, wanted)


@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()])
def test_equals_the_reflected_wave_at_rest_with_encoder_and_head(loss):
    layers = [Source("in", 8), Waveguide("a", 6), Waveguide("b", 5), Waveguide("c", 6), Waveguide("out", 5)]
    network = Network.layered(layers, bypass=2)
    substrate, rng = build(network, "ideal-torch", seed=1), np.random.default_rng(0)
    objective = Objective(
        network.readout,
        loss,
        3,
        head=Head((Flatten(), Perceptron((5, 4, 3)))),
        encoders={"in": Head((Flatten(), Perceptron((5, 8))))},
    )
    data = {"in": substrate.asarray(rng.normal(size=(7, 5)))}
    targets = substrate.asarray(loss.targets(np, rng.integers(0, 3, 7), 3))
    found, wanted = both(substrate, objective, data, targets)
    assert {key.partition(".")[0] for key in wanted} >= {"head", "encoder", "a->b"}
    assert_equal(found, wanted)


def test_a_step_costs_three_passes_of_the_network():
    """Forward, and twice back: to what came before, and to the weights."""
    network = Network.layered([Source("in", 8), Waveguide("a", 6), Waveguide("out", 3)])
    objective = Objective(network.readout, SquaredError(), 3)
    substrate = build(network, "cpu-x86", seed=1)
    x, targets = substrate.asarray(np.ones((5, 8))), substrate.asarray(np.zeros((5, 3)))
    Autograd().step(substrate, {"in": x}, targets, objective)
    macs = 8 * 6 + 6 * 3 + 6 + 3  # couplings and biases
    assert substrate.meter.counts["mac"] == 3 * macs * 5
    assert substrate.meter.counts["sample"] == 5
    assert not any(value.requires_grad for value in substrate.read().values())


def test_a_medium_keeps_no_record():
    network = Network.layered([Source("in", 8), Waveguide("out", 3)])
    objective = Objective(network.readout, SquaredError(), 3)
    with pytest.raises(CapabilityError, match="keeps no record"):
        Autograd().step(build(network, "ideal-waveguide"), {"in": np.ones((1, 8))}, np.zeros((1, 3)), objective)


def test_events_are_refused():
    entry = MEDIA["lif"]
    network = entry.build()
    substrate = build(network, "ideal-torch", step=entry.step)
    system = substrate.placed.system
    data = {
        port: substrate.asarray(np.ones((1, *system.populations[place.population].shape)))
        for port, place in system.inputs.items()
    }
    objective = Objective(network.readout, SquaredError(), 2, 1.0)
    with pytest.raises(CapabilityError, match="derivative of firing is 0"):
        Autograd().step(substrate, data, None, objective)
