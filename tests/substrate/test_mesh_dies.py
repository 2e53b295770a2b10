"""Meshes that run on a profile: the die that `realise` counts, absolute errors, bits, loss, nothing that amplifies."""

import numpy as np
import pytest
from scipy.stats import unitary_group

from physnn.equations import Interpreter, OneToOne
from physnn.media import Attenuators, Link, Mesh, Network, Readout, Source
from physnn.realisation import Imperfections, built, decompose_matrix, mesh_parts
from physnn.substrate import build
from physnn.substrate.placement import place
from physnn.substrate.profiles import find_profile

MESH = find_profile("photonic-mzi")
BARE = MESH.model_copy(update={"medium": MESH.medium.model_copy(update={"mzi_loss": None}), "precision": None})
LINES = 8


def wired(parts, links=(), shape=None):
    size = parts[0].shape if shape is None else shape
    enter = Link("in", parts[0].name, operator=OneToOne(size), weights=np.ones(size), trainable=False, wire=True)
    return Network((Source("in", size), *parts), (enter, *links), Readout(parts[-1].name, "y")).lower()


def held(placed, **written):
    return placed.realise({**placed.system.parameters, **written}, noise=False)


def passed(placed, columns):
    """The matrix on the die, offsets of receivers left out."""
    own = {key: 0 * value if key in placed.offsets else value for key, value in held(placed).items()}
    return Interpreter(placed.system, own).steady({"in": np.eye(columns)}, 1e-14).outputs["y"][:, -1].T


@pytest.mark.parametrize(
    "wanted", [unitary_group.rvs(LINES, random_state=0), np.random.default_rng(0).normal(size=(5, 8))]
)
@pytest.mark.parametrize("seed", [0, 3])
def test_a_placed_mesh_is_the_die_that_is_built(wanted, seed):
    mesh = decompose_matrix(wanted)
    placed = place(wired(*mesh_parts(mesh, "mesh"), shape=(wanted.shape[1],)), MESH, seed=seed, step=1.0)
    die = built(mesh, Imperfections.of(MESH), *wanted.shape, seed=seed)
    np.testing.assert_allclose(mesh.gain * passed(placed, wanted.shape[1])[: len(wanted)], die, atol=1e-12 * mesh.gain)


@pytest.mark.parametrize(
    "profile", [MESH, BARE, find_profile("rf-transmission-line")], ids=["mesh", "no loss", "board"]
)
def test_no_die_amplifies(profile):
    """A mesh and attenuators without loss of their own: at most the light that enters leaves."""
    parts = (Mesh("mesh", LINES), Attenuators("values", LINES))
    after = Link("mesh", "values", operator=OneToOne((LINES,)), weights=np.ones(LINES), trainable=False, wire=True)
    for seed in range(3):
        found = passed(place(wired(parts, (after,)), profile, seed=seed, step=1.0), LINES)
        assert np.linalg.norm(found, 2) <= 1 + 1e-12


def test_errors_are_absolute():
    """Phases of zero err as others do; the rms over 380 shifters or couplers scatters by 4 %."""
    size = 20
    zeros = np.zeros(size * (size - 1) // 2)
    exact = BARE.model_copy(update={"mesh": MESH.mesh.model_copy(update={"crosstalk": None})})
    own = held(place(wired((Mesh("mesh", size, zeros, zeros),)), exact, step=1.0))
    phases = [np.concatenate([own[f"mesh_{k + 1}.{key}"] for k in range(size)]) for key in ("theta", "phi")]
    assert np.std(np.concatenate([2 * phases[0], phases[1]])) == pytest.approx(MESH.mesh.phase_error.value, rel=0.12)
    couplers = np.concatenate([own[f"mesh_{k + 1}.{key}"] for k in range(size) for key in ("first", "second")])
    assert np.std(couplers) == pytest.approx(MESH.mesh.coupler_error.value, rel=0.12)


def test_a_twin_has_bits_and_loss_and_no_errors():
    mesh = Mesh("mesh", LINES, phase=np.linspace(0, 6, LINES))
    own = held(place(wired((mesh,)), MESH, step=1.0).twin())
    step = 2 * np.pi / 2**MESH.precision.weight_bits
    for turned, given in ((2 * own["mesh_1.theta"], 2 * mesh.theta[:4]), (own["mesh.phase"], mesh.phase)):
        np.testing.assert_allclose(turned / step, np.round(given / step), atol=1e-9)
    assert np.all(own["mesh_1.first"] == 0)
    np.testing.assert_allclose(np.exp(-own["mesh_1.alpha"]), 10 ** (-MESH.medium.mzi_loss.value / 20))


def test_a_mesh_described_with_loss_keeps_it():
    own = held(place(wired((Mesh("mesh", LINES, loss=0.7),)), MESH, step=1.0))
    np.testing.assert_allclose(np.exp(-own["mesh_2.alpha"]), 10 ** (-0.7 / 20))


def test_colours_share_their_die():
    colours = place(wired((Mesh("mesh", 4, wavelengths=(0.9, 1.1)),)), MESH, seed=2, step=1.0)
    one = held(place(wired((Mesh("mesh", 4),)), MESH, seed=2, step=1.0))
    for key, value in held(colours).items():
        if key.rpartition(".")[2] in ("theta", "phi", "phase", "first", "second", "alpha"):
            np.testing.assert_array_equal(value, np.broadcast_to(one[key], value.shape))


def test_a_shifter_written_alone_heats_its_neighbours():
    """Written one after the other or at once, settings make the same die."""
    system = wired((Mesh("mesh", 4),))
    first, second = (build(system, "photonic-mzi", seed=1, step=1.0) for _ in range(2))
    theta, phi = np.array([0.3, 1.1]), np.array([2.0, 0.4])
    before = first.held["mesh_1.phi"].copy()
    first.write({"mesh_1.theta": theta})
    assert np.any(first.held["mesh_1.phi"] != before)
    first.write({"mesh_1.phi": phi})
    second.write({"mesh_1.theta": theta, "mesh_1.phi": phi})
    for key in ("mesh_1.theta", "mesh_1.phi"):
        np.testing.assert_array_equal(first.held[key], second.held[key])


def test_a_whole_turn_heats_nothing():
    """A phase is set modulo 2 pi; in the phases themselves the turn stays, for other wavelengths."""
    placed = place(wired((Mesh("mesh", 4),)), MESH, step=1.0)
    own = placed.system.parameters
    turned = held(placed, **{"mesh_1.phi": own["mesh_1.phi"] + 2 * np.pi})
    np.testing.assert_allclose(turned["mesh_1.theta"], held(placed)["mesh_1.theta"], atol=1e-12)
    np.testing.assert_allclose(turned["mesh_1.phi"], held(placed)["mesh_1.phi"] + 2 * np.pi, atol=1e-12)


def test_other_profiles_know_no_meshes():
    system = wired((Mesh("mesh", 4),))
    placed = place(system, find_profile("ideal-waveguide"), step=1.0)
    assert placed.meshes is None and placed.exact
    assert not place(system, MESH, step=1.0).exact
