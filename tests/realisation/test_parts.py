"""Realised matrices run as networks: what leaves is what was wanted."""

import numpy as np
import pytest

from physnn.equations import Dense, Interpreter, OneToOne
from physnn.media import Line, Link, Network, Readout, Resistor, Source, Termination
from physnn.realisation import bank_part, decompose_matrix, mesh_parts, passive_bank

WANTED = np.random.default_rng(0).normal(size=(3, 5))
LIGHT = np.random.default_rng(1).normal(size=(4, 5))


def through(network, **inputs):
    return Interpreter(network.lower()).steady(inputs, 1e-14).outputs["y"][:, -1]


@pytest.mark.parametrize("wanted", [WANTED, WANTED.T, 0.5 * np.linalg.qr(np.ones((4, 4)) + np.eye(4))[0]])
def test_meshes_pass_a_matrix_but_for_its_gain(wanted):
    mesh = decompose_matrix(wanted)
    parts, links = mesh_parts(mesh, "matrix")
    columns = wanted.shape[1]
    enter = Link("in", parts[0].name, operator=OneToOne((columns,)), weights=np.ones(columns), wire=True)
    network = Network((Source("in", columns), *parts), (enter, *links), Readout(parts[-1].name, "y"))
    light = np.random.default_rng(2).normal(size=(2, columns))
    np.testing.assert_allclose(mesh.gain * through(network, **{"in": light}), light @ wanted.T, atol=1e-12 * mesh.gain)


def test_a_loss_that_all_paths_share_is_a_factor():
    mesh = decompose_matrix(np.diag([2.0, 1.0]))
    parts, links = mesh_parts(mesh, "matrix", loss=1.0)
    enter = Link("in", parts[0].name, operator=OneToOne((2,)), weights=np.ones(2), wire=True)
    network = Network((Source("in", 2), *parts), (enter, *links), Readout(parts[-1].name, "y"))
    kept = 10 ** (-mesh.depth / 20)
    np.testing.assert_allclose(through(network, **{"in": np.eye(2)}), kept * np.diag([1.0, 0.5]), atol=1e-12)


def test_a_bank_between_matched_lines_passes_its_transmission():
    """A matched source sends half its voltage; a matched load hears what is transmitted and reflects nothing."""
    near, far = [50.0, 75.0, 60.0, 50.0, 40.0], [100.0, 50.0, 25.0]
    wanted = WANTED / 6
    bank = passive_bank(wanted, near, far)
    assert bank.gain == 1.0
    source, load = Termination("source", 5, Resistor(near)), Termination("load", 3, Resistor(far))
    before, behind = Line("before", 5, near, 1.0), Line("behind", 3, far, 1.0)
    links = (*before.links("source", "bank:1"), *behind.links("bank:2", "load"))
    enter = Link("in", "source", operator=Dense(5, 5), weights=2 * np.eye(5), wire=True)
    parts = (Source("in", 5), source, before, bank_part(bank, "bank"), behind, load)
    network = Network(parts, (enter, *links), Readout("load", "u"))
    np.testing.assert_allclose(through(network, **{"in": LIGHT}), LIGHT @ wanted.T, atol=1e-11)
