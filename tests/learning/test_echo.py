"""Hamiltonian echo: against the adjoint of the same steps, stage by stage; damping; what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.datasets import load
from physnn.equations import Input
from physnn.errors import CapabilityError, ParameterError
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning.echo import HamiltonianEcho
from physnn.media import CrossEntropy, Head, Link, Medium, Network, Perceptron, Readout, Source, Waveguide, harmonic
from physnn.media.energy import Reciprocal
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network
from physnn.media.oscillators import CoRNN, Duffing
from physnn.substrate.registry import build
from physnn.testing.answers.echo import BAR, deviation

CLASSES, H, STEPS = 3, 0.2, 20
HEAVY = """
dq/dt = p/m                                  : 1
dp/dt = f*cos(q) + push - k*sin(q)           : 1/s
f    : 1/s**2 (arrival)
push : 1/s**2 (input)
k    : 1/s**2 (trainable)
m    : 1      (trainable)
"""
"""a pendulum of mass m, pushed through sin(q): what arrives meets the slope cos(q) of what it sends"""


def started(net, *states):
    """With ports that set where every layer starts."""
    layers = [part.name for part in net.parts if not isinstance(part, Source)]
    return replace(net, inputs={f"{layer}_{s}": Input(layer, s) for layer in layers for s in states} | dict(net.inputs))


def pendulums():
    masses = [np.linspace(0.8, 1.5, n) for n in (5, CLASSES)]
    options = {"signal": "sin(q)", "arrival": "f", "unit": "1/s**2", "integrator": "verlet"}
    layers = [
        Medium(name, m.size, HEAVY, {"m": m, "k": 1.0}, **options)
        for name, m in zip(("hidden", "output"), masses, strict=True)
    ]
    links = (Link("in", "hidden"), Link("hidden", "output"), Link("hidden", "hidden", "K", gain=0.3))
    net = Reciprocal((Source("in", 4), *layers), links, Readout("output", "q"))
    return started(replace(net, inputs={"push": Input("hidden", "push")}), "q", "p")


def both(net, rule, inputs=None, h=H, **options):
    """The rule's gradients and those of the adjoint, by key."""
    loss, rng = CrossEntropy(4.0), np.random.default_rng(0)
    substrate = build(net, "ideal-torch", seed=2, step=h)
    objective = Objective(net.readout, loss, CLASSES, **{"duration": h * STEPS, **options})
    given = {"in": rng.normal(size=(6, 4))} if inputs is None else inputs
    entering = {name: substrate.asarray(value) for name, value in given.items()}
    targets = substrate.asarray(loss.targets(np, np.arange(6) % CLASSES, CLASSES))
    steps = [r.step(substrate, entering, targets, objective) for r in (rule, ReflectedWave())]
    assert steps[0].loss == steps[1].loss
    # Running back shows no new samples: two rules, one batch each.
    assert substrate.meter.counts["sample"] == 12
    return [{key: np.asarray(value) for key, value in step.gradient.items()} for step in steps]


def relative(found, true):
    """The largest relative error of any parameter."""
    assert found.keys() == true.keys()
    return max(np.linalg.norm(found[key] - true[key]) / np.linalg.norm(true[key]) for key in true)


def layered(damping=0.0, kind=hamiltonian_network):
    layers = [Hamiltonian(name, n, damping=damping) for name, n in (("hidden", 5), ("output", CLASSES))]
    return kind([Source("in", 4), *layers])


@pytest.mark.parametrize("changing", [False, True])
def test_relative_error_at_a_ten_thousandth(changing):
    assert deviation(HamiltonianEcho(1e-4), changing) < BAR


@pytest.mark.parametrize(("symmetric", "order"), [(True, 2), (False, 1)])
def test_orders(symmetric, order):
    errors = [deviation(HamiltonianEcho(e, symmetric)) for e in (2e-3, 1e-3)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.02)


@pytest.mark.parametrize("h", [0.05, 0.4])
def test_stages_of_any_step(h):
    """Wrong stage weights would be off by a share of the step."""
    assert relative(*both(layered(), HamiltonianEcho(1e-4), h=h)) < BAR


@pytest.mark.parametrize("length", [1, STEPS, STEPS + 9])
def test_inputs_run_backwards(length):
    """However many entries are given: the last one lasts, and those after the end do nothing."""
    x = np.random.default_rng(3).normal(size=(6, length, 4))
    assert relative(*both(layered(), HamiltonianEcho(1e-4), {"in": x})) < BAR


def test_masses_pendulums_and_two_changing_inputs():
    rng = np.random.default_rng(4)
    inputs = {"in": rng.normal(size=(6, 4)), "push": rng.normal(size=(6, STEPS, 5))}
    found, true = both(pendulums(), HamiltonianEcho(1e-4), inputs)
    assert {"hidden.m", "output.m", "hidden.k", "output.k", "K", "hidden->output"} <= found.keys()
    assert relative(found, true) < BAR


def test_pendulums_one_sided():
    rng = np.random.default_rng(4)
    inputs = {"in": rng.normal(size=(6, STEPS, 4)), "push": rng.normal(size=(6, 5))}
    errors = [relative(*both(pendulums(), HamiltonianEcho(e, False), inputs)) for e in (2e-4, 1e-4)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.02)


def test_oscillators_of_the_catalogue():
    parts = (
        Source("in", 4),
        *(Duffing(n, k, damping=0.0, integrator="verlet") for n, k in (("hidden", 5), ("output", CLASSES))),
    )
    net = Reciprocal.layered(parts)
    assert relative(*both(started(net, "x", "v"), HamiltonianEcho(1e-4))) < BAR


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("damping", [0.0, 0.2])
def test_encoders_that_set_the_start(symmetric, damping):
    """Gradients by positions and velocities at the start reach the digital layers in front."""
    if damping and not symmetric:
        return
    net = layered(damping)
    encoders = {
        port: Head((Perceptron((4, 5), "tanh"),), seed=seed)
        for seed, port in enumerate(("hidden_x", "hidden_v"), start=1)
    }
    x = np.random.default_rng(5).normal(size=(6, 4))
    errors = [
        relative(*both(net, HamiltonianEcho(e, symmetric), dict.fromkeys(("in", *encoders), x), encoders=encoders))
        for e in (2e-4, 1e-4)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2 if symmetric else 1, abs=0.05)


class TestDamping:
    def test_gain_repairs_it(self):
        assert deviation(HamiltonianEcho(1e-4), damping=1.0 / 6.0) < BAR

    def test_without_gain_the_error_is_that_of_the_damping(self):
        """It does not fall with epsilon, and falls with the damping."""
        settings = ((1e-3, 0.02), (1e-4, 0.02), (1e-4, 0.01))
        errors = [deviation(HamiltonianEcho(e), damping=g, gain=False) for e, g in settings]
        assert errors[0] == pytest.approx(errors[1], rel=0.01)
        assert errors[1] / errors[2] == pytest.approx(2, rel=0.2)

    def test_given_sample_by_sample(self):
        """The damping of the incident motion is what entered at its port."""
        x, damping = np.random.default_rng(0).normal(size=(6, 4)), 0.35
        given = {"in": x, "hidden_g": np.full((6, 5), damping), "output_g": np.full((6, CLASSES), damping)}
        assert relative(*both(layered(0.1), HamiltonianEcho(1e-4), given)) < BAR

    def test_one_sided_is_refused(self):
        with pytest.raises(CapabilityError, match="one-sided"):
            deviation(HamiltonianEcho(symmetric=False), damping=0.01)

    def test_unlike_layers_are_refused(self):
        layers = [Hamiltonian("hidden", 5, damping=0.1), Hamiltonian("output", CLASSES, damping=0.2)]
        with pytest.raises(CapabilityError, match="damped unlike each other"):
            both(hamiltonian_network([Source("in", 4), *layers]), HamiltonianEcho())

    def test_explicit_damping_is_refused(self):
        net = Reciprocal.layered([Source("in", 4), Duffing("output", CLASSES, damping=0.1, integrator="verlet")])
        with pytest.raises(CapabilityError, match="no gain undoes"):
            both(started(net, "x", "v"), HamiltonianEcho())


class TestRefused:
    def refuse(self, net, match, **options):
        with pytest.raises(CapabilityError, match=match):
            both(net, HamiltonianEcho(), **options)

    def test_forces_without_a_potential(self):
        net = started(layered(kind=Network.layered), "x", "v")
        self.refuse(net, "no potential")
        net = layered()
        links = (*net.links[:-1], Link("hidden", "output", signal="x**3"))
        self.refuse(replace(net, links=links), "no potential")

    def test_a_force_that_bends_what_arrives(self):
        text = "dx/dt = v : 1\ndv/dt = tanh(z)*a - a*x : 1/s\nz : 1 (arrival)\na : 1/s**2 (parameter)"
        cells = Medium("output", CLASSES, text, {"a": 1.0}, integrator="verlet")
        self.refuse(started(Reciprocal.layered([Source("in", 4), cells]), "x", "v"), "not linear in what arrives")

    def test_first_order_media(self):
        self.refuse(Network.layered([Source("in", 4), Waveguide("output", CLASSES)]), "without a momentum")

    def test_other_steps(self):
        net = Network((Source("in", 4), CoRNN("output", CLASSES)), (Link("in", "output"),), Readout("output", "y"))
        self.refuse(net, "integrator 'verlet'")

    def test_nowhere_to_start(self):
        net = layered()
        self.refuse(replace(net, inputs={}), "cannot be started")

    def test_delays(self):
        net = layered()
        links = (net.links[0], replace(net.links[1], delay=H))
        self.refuse(replace(net, links=links), "delay")

    def test_losses_elsewhere(self):
        net = layered()
        self.refuse(replace(net, readout=Readout("output", kind="mean")), "at the end")
        self.refuse(replace(net, readout=Readout("output", "v")), "loss of positions")
        self.refuse(net, "a state of rest has none", duration=None)

    def test_encoders_of_sources(self):
        self.refuse(layered(), "encoder", encoders={"in": Head((Perceptron((4, 4), "tanh"),))})

    @pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan")])
    def test_numbers(self, epsilon):
        with pytest.raises(ParameterError, match="above 0"):
            HamiltonianEcho(epsilon)

    def test_no_motion(self):
        with pytest.raises(ParameterError, match="shorter than a step"):
            both(layered(), HamiltonianEcho(), duration=0.0)


def test_learns_digits():
    data = load("digits")
    layers = [Hamiltonian("hidden", 32), Hamiltonian("output", 10, harmonic())]
    net = hamiltonian_network([Source("in", 64), *layers])
    substrate, part = build(net, "ideal-torch", seed=0, step=0.25), data.part("train")
    objective = Objective(net.readout, CrossEntropy(4.0), 10, duration=3.0)
    train(substrate, HamiltonianEcho(0.02), objective, part.inputs, part.labels, Settings(epochs=2), port="in")
    held = data.part("validation")
    assert accuracy(substrate, objective, held.inputs, held.labels, port="in") > 0.9
