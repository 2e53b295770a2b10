"""Equilibrium propagation: against the gradient through the state of rest; what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.datasets import load
from physnn.equations import Input
from physnn.errors import CapabilityError, NumericsError, ParameterError
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning.equilibrium import EquilibriumPropagation
from physnn.media import (
    CrossEntropy,
    Head,
    Link,
    Medium,
    Network,
    Perceptron,
    Readout,
    Source,
    SquaredError,
    StuartLandau,
    Waveguide,
)
from physnn.media.energy import EnergyLayer, Reciprocal, energy_network
from physnn.substrate.registry import build
from physnn.testing.answers.equilibrium import RESIDUAL, deviation

CLASSES = 3


def network(output="sigmoid"):
    return energy_network([Source("in", 4), EnergyLayer("hidden", 5), EnergyLayer("output", CLASSES, output)])


def batch(substrate, loss, size=6):
    rng = np.random.default_rng(0)
    targets = loss.targets(np, np.arange(size) % CLASSES, CLASSES)
    return {"in": substrate.asarray(rng.normal(size=(size, 4)))}, substrate.asarray(targets)


def both(net, rule, loss=None, **options):
    """The rule's gradients and the true ones, by key."""
    loss = loss or SquaredError()
    substrate, objective = build(net, "ideal-torch", seed=2, step=0.5), Objective(net.readout, loss, CLASSES, **options)
    inputs, targets = batch(substrate, loss)
    found = rule.step(substrate, inputs, targets, objective).gradient
    still = replace(objective, duration=None)
    true = ReflectedWave().step(substrate, inputs, targets, still).gradient
    return {k: np.asarray(v) for k, v in found.items()}, {k: np.asarray(v) for k, v in true.items()}


def relative(found, true):
    return max(np.linalg.norm(found[key] - true[key]) / np.linalg.norm(true[key]) for key in true)


@pytest.mark.parametrize("duration", [None, 10.0])
def test_symmetric_nudge_at_a_hundredth(duration):
    _, cosine = deviation("sigmoid", (12, 20, 5), SquaredError(), 0.01, True, duration)
    assert cosine > 0.999999


@pytest.mark.parametrize(("symmetric", "order"), [(True, 2), (False, 1)])
def test_orders(symmetric, order):
    errors = [deviation("sigmoid", (12, 20, 5), CrossEntropy(), beta, symmetric)[0] for beta in (0.04, 0.02)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


def test_every_parameter():
    found, true = both(network(), EquilibriumPropagation(1e-3, tolerance=RESIDUAL))
    assert found.keys() == true.keys()
    # The error is of order beta^2, below that rounding over beta.
    assert relative(found, true) < 1e-5


def test_a_multiple_of_the_signal_is_read():
    net = replace(network(), readout=Readout("output", "2*s - 1"))
    assert relative(*both(net, EquilibriumPropagation(1e-3, tolerance=RESIDUAL))) < 1e-5


@pytest.mark.parametrize("duration", [None, 5.0])
def test_a_sample_is_shown_once(duration):
    net = network()
    substrate, objective = (
        build(net, "ideal-torch", step=0.5),
        Objective(net.readout, SquaredError(), CLASSES, duration),
    )
    EquilibriumPropagation().step(substrate, *batch(substrate, SquaredError()), objective)
    assert substrate.meter.counts["sample"] == 6


def test_layers_coupled_to_themselves():
    net = network()
    net = replace(net, links=(*net.links, Link("hidden", "hidden", gain=0.3)))
    assert relative(*both(net, EquilibriumPropagation(1e-3, tolerance=RESIDUAL))) < 1e-5


def test_digital_layers_behind_the_readout():
    net = network("tanh")
    head = Head((Perceptron((CLASSES, CLASSES), "tanh"),), seed=1)
    found, true = both(net, EquilibriumPropagation(1e-3, tolerance=RESIDUAL), CrossEntropy(), head=head)
    assert any(key.startswith("head.") for key in found)
    assert relative(found, true) < 1e-5


def test_a_loose_relaxation_is_seen_in_the_gradient():
    """The residual must be far below beta times the effect of the nudge."""
    loose = relative(*both(network(), EquilibriumPropagation(1e-3, tolerance=1e-2), duration=1.0))
    tight = relative(*both(network(), EquilibriumPropagation(1e-3, tolerance=1e-10), duration=1.0))
    assert tight < 1e-5 < 1e-2 < loose


def test_what_does_not_settle():
    layers = [EnergyLayer("hidden", 5, "identity"), EnergyLayer("output", CLASSES, "identity")]
    net = energy_network([Source("in", 4), *layers], gain=1.2)
    with pytest.raises(NumericsError):
        both(net, EquilibriumPropagation(), duration=5.0)


def test_learns_digits():
    """After a few epochs; an untrained network gets 0.1."""
    data = load("digits")
    net = energy_network([Source("in", 64), EnergyLayer("hidden", 32), EnergyLayer("output", 10)])
    substrate = build(net, "ideal-torch", seed=0)
    objective, part = Objective(net.readout, CrossEntropy(8.0), 10), data.part("train")
    rule = EquilibriumPropagation(0.2, tolerance=1e-3)
    train(substrate, rule, objective, part.inputs, part.labels, Settings(epochs=4, rate=0.02), port="in")
    held = data.part("validation")
    assert accuracy(substrate, objective, held.inputs, held.labels, port="in") > 0.9


class TestRefused:
    def refuse(self, net, match, **options):
        with pytest.raises(CapabilityError, match=match):
            both(net, EquilibriumPropagation(), **options)

    def test_one_way_couplings(self):
        parts = [Source("in", 4), Waveguide("hidden", 5), Waveguide("output", CLASSES)]
        self.refuse(Network.layered(parts), "one-way, there is no energy")
        parts = [Source("in", 4), EnergyLayer("hidden", 5), EnergyLayer("output", CLASSES)]
        self.refuse(Network.layered(parts), "one-way, there is no energy")

    def test_repeaters_that_distort_what_arrives(self):
        parts = [Source("in", 4), Waveguide("hidden", 5), Waveguide("output", CLASSES)]
        self.refuse(Reciprocal.layered(parts), "not a sum of what arrives")

    def test_no_nudge(self):
        net = network()
        self.refuse(replace(net, inputs={}), "cannot be nudged")
        self.refuse(replace(net, inputs={"start": Input("output", "u")}), "sets a state")

    def test_what_is_read_is_not_the_signal(self):
        self.refuse(replace(network(), readout=Readout("output", "u")), "energy is one of its signal")

    def test_more_than_one_state(self):
        cells = StuartLandau("cells", CLASSES)
        links = (Link("in", "cells"),)
        self.refuse(Network((Source("in", 4), cells), links, Readout("cells", "re(a)")), "one real flow")

    def test_parameters_of_the_layer(self):
        text = "du/dt = z + f - k*u : 1\nz : 1/s (arrival)\nf : 1/s (input)\nk : 1/s (trainable)"
        layer = Medium("layer", CLASSES, text, {"k": 1.0}, signal="u", unit="1/s")
        ports = {"nudge": Input("layer", "f")}
        net = Network((Source("in", 4), layer), (Link("in", "layer"),), Readout("layer", "u"), inputs=ports)
        self.refuse(net, r"'layer.k' is no weight")

    def test_encoders(self):
        self.refuse(network(), "encoder", encoders={"in": Head((Perceptron((4, 4), "tanh"),))})

    @pytest.mark.parametrize("options", [{"beta": 0.0}, {"beta": float("inf")}, {"tolerance": -1.0}])
    def test_numbers(self, options):
        with pytest.raises(ParameterError, match="above 0"):
            EquilibriumPropagation(**options)
