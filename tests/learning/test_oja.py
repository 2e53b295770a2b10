"""Oja's rule: the update written out, its fixed points, the principal subspace."""

import numpy as np
import pytest

from physnn.equations import Convolution
from physnn.learning import Objective
from physnn.learning.oja import Oja
from physnn.media import Link, Medium, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers import local_rules


def updates(substrate, x, objective):
    targets = substrate.asarray(np.zeros((len(x), objective.classes)))
    found = Oja().step(substrate, {"in": substrate.asarray(x)}, targets, objective).gradient
    return {key: as_numpy(value) for key, value in found.items()}


def test_the_update_written_out_in_a_saturating_network():
    network = Network.layered([Source("in", 4), Waveguide("a", 3), Waveguide("b", 2)])
    substrate, x = build(network, "ideal-torch"), np.random.default_rng(0).normal(size=(5, 4))
    held = {key: as_numpy(value) for key, value in substrate.read().items()}
    a = np.tanh(x @ held["in->a"].T)
    b = np.tanh(a @ held["a->b"].T)
    found = updates(substrate, x, Objective(network.readout, SquaredError(), 2))
    for key, y, before in (("in->a", a, x), ("a->b", b, a)):
        assert found[key] == pytest.approx(-y.T @ (before - y @ held[key]) / 5, rel=1e-12)


def test_an_orthonormal_principal_basis_does_not_move():
    data, vectors = local_rules.known_covariance()
    substrate, objective = local_rules.linear_layer(3)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))  # any basis of the subspace
    substrate.write({"in->out": substrate.asarray(turn @ vectors[:, :3].T)})
    assert np.max(np.abs(updates(substrate, data, objective)["in->out"])) < 1e-12


def test_in_a_run_it_is_the_integral_over_time():
    network = Network.layered([Source("in", 4), Waveguide("a", 3, bias=False)])
    substrate, x = build(network, "ideal-torch", step=0.1), np.random.default_rng(2).normal(size=(5, 4))
    w = as_numpy(substrate.read()["in->a"])
    found = updates(substrate, x, Objective(network.readout, SquaredError(), 3, 0.8))["in->a"]
    y, wanted = np.zeros((5, 3)), 0.0
    for _ in range(9):
        wanted = wanted + 0.1 * y.T @ (x - y @ w)
        y = y + 0.1 * (np.tanh(x @ w.T) - y)
    assert found == pytest.approx(-wanted / 5, rel=1e-12)


def test_the_echo_goes_back_through_any_operator():
    kernel = Convolution(2, 1, (3, 3), "circular")
    field = Link("in", "a", "K", kernel)
    equations = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    medium = Medium("a", (2, 4, 4), equations, {"tau": 1.0})
    network = Network((Source("in", (1, 4, 4)), medium), (field,), Readout("a", "x"))
    substrate, x = build(network, "ideal-torch"), np.random.default_rng(3).normal(size=(2, 1, 4, 4))
    targets = substrate.asarray(np.zeros((2, 2, 4, 4)))
    found = Oja().step(substrate, {"in": substrate.asarray(x)}, targets, Objective(network.readout, SquaredError(), 4))
    w = as_numpy(substrate.read()["K"])
    y = kernel.apply(np, w, x)
    wanted = kernel.outer(np, y, x - kernel.transpose(np, w, y)) / 2
    assert as_numpy(found.gradient["K"]) == pytest.approx(-wanted, rel=1e-10)


def test_known_answers():
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in local_rules.oja() if not a.holds]
    assert missed == []
