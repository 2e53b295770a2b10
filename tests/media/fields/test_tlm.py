"""Transmission-line-matrix meshes: energy, the wave equation that they solve, edges, walls, and what is refused."""

import numpy as np
import pytest

from physnn.analysis import linearised, step_matrix
from physnn.analysis.radius import spectral_radius
from physnn.equations import Coupling, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import TLMField, WaveField
from physnn.media.catalogue import MEDIA
from physnn.media.fields import loss_for, stub_for
from physnn.substrate.placement import place
from physnn.substrate.profiles import find_profile


def lowered(mesh, reads="v", ports=()):
    inputs = {name: Input("m", name) for name in (*mesh.states, *ports) if name != "drive"}
    if "drive" not in ports:
        return System.of([mesh.lower()], mesh.inner(0), inputs, {"y": Output("m", reads)})
    source = Population.from_text("in", mesh.nodes, "u : 1 (input)")
    wire = Coupling("in->m", "in", "m", "u", OneToOne(mesh.nodes), "drive", unit="V", initial=np.ones(mesh.nodes))
    inputs["drive"] = Input("in", "u")
    return System.of([source, mesh.lower()], [*mesh.inner(0), wire], inputs, {"y": Output("m", reads)})


def run(mesh, steps, start, reads="v", **rest):
    return Interpreter(lowered(mesh, reads, rest)).run({**start, **rest}, steps, 1.0)


def in_units_of_energy(mesh):
    """The matrix of a step between states whose sum of squares is the energy."""
    system = lowered(mesh)
    matrix, root = step_matrix(system, 1.0).toarray(), np.ones(step_matrix(system, 1.0).shape[0])
    if mesh.stub is not None:
        place = linearised(system, step=1.0).states["m.stub"]
        root[place] = np.sqrt(np.broadcast_to(mesh.stub, mesh.nodes).ravel())
    return root[:, None] * matrix / root


RNG = np.random.default_rng(0)
STUB, WALLS = RNG.uniform(0.1, 3, (4, 5)), RNG.random((4, 5)) < 0.3


@pytest.mark.parametrize(
    "given",
    [
        {"edges": "short"},
        {"edges": ("open", "short", "short", "open")},
        {"edges": "periodic", "stub": STUB},
        {"edges": ("periodic", "open"), "obstacles": WALLS, "surface": "open"},
        {"stub": STUB, "obstacles": WALLS},
        {"shape": (2, 2, 3), "stub": 0.7},
        {"shape": 6, "edges": ("open", "short")},
    ],
)
def test_a_mesh_without_loss_keeps_its_energy(given):
    step = in_units_of_energy(TLMField("m", given.pop("shape", (4, 5)), **given))
    np.testing.assert_allclose(step.T @ step, np.eye(len(step)), atol=1e-14)


@pytest.mark.parametrize(("sides", "slowest"), [("short", np.pi / 2), ("open", 0.0), ("periodic", 0.0)])
def test_a_row_guides_long_waves_unless_its_sides_are_short(sides, slowest):
    """sin(w dt/2)^2 = (q + sin(k dx/2)^2)/2, with q = 1 across a row between short sides and 0 otherwise."""
    modes = np.linalg.eigvals(step_matrix(lowered(TLMField("m", 12, edges=(sides, "short"))), 1.0).toarray())
    omega = np.abs(np.angle(modes))
    lowest = np.min(omega[omega > 1e-6])
    across = 1.0 if slowest else 0.0
    assert lowest == pytest.approx(2 * np.arcsin(np.sqrt((across + np.sin(np.pi / 24) ** 2) / 2)), rel=1e-9)
    assert lowest > slowest


@pytest.mark.parametrize("surface", [-1.0, -0.4, 0.0, 1.0])
def test_no_mesh_makes_energy(surface):
    rng = np.random.default_rng(1)
    walls, loss = rng.uniform(0, 1, (4, 5)), rng.uniform(0, 9, (4, 5))
    for edges in ((-0.5, 0.3, "matched", "open"), "matched", ("periodic", 0.0)):
        step = in_units_of_energy(TLMField("m", (4, 5), STUB, loss, edges, walls, surface))
        assert np.linalg.norm(step, 2) <= 1 + 1e-14
        assert np.linalg.norm(step) < 0.95 * np.sqrt(len(step))


def test_energy_balance_of_drive_loss_and_edges_is_exact():
    rng = np.random.default_rng(2)
    loss, shares = rng.uniform(0, 1, (4, 5)), (-0.5, 0.3, 0.0, 1.0)
    mesh = TLMField("m", (4, 5), STUB, loss, shares)
    start = {name: rng.normal(size=(1, 1, 4, 5)) for name in mesh.states}
    trace = run(mesh, 12, start, "energy", drive=rng.normal(size=(1, 12, 1, 4, 5)))
    energy = trace.outputs["y"][0].sum(axis=(1, 2, 3))
    waves = {name: trace.fields[f"m.{name}"][0, :-1, 0] for name in ("b_n", "b_s", "b_w", "b_e", "stub", "drive")}
    sent = sum(waves[f"b_{arm}"] for arm in "nswe") + STUB * waves["stub"]
    v = (2 * sent + waves["drive"]) / (4 + STUB + loss)
    change = np.sum(v * waves["drive"] - loss * v**2, axis=(1, 2))
    for share, arm, last in zip(
        shares, "nswe", (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]), strict=True
    ):
        change -= np.sum(((1 - share**2) * (v - waves[f"b_{arm}"]) ** 2)[last], axis=1)
    np.testing.assert_allclose(np.diff(energy)[: len(change)], change, atol=1e-12)


@pytest.mark.parametrize("edges", ["periodic", "open"])
def test_without_loss_it_is_verlet_on_the_five_point_laplacian(edges):
    # The equation for v alone: v(t+1) - 2 v + v(t-1) = 2/(4 + y0) lap v; open ends lie half a node beyond the last.
    start = np.random.default_rng(3).normal(size=(1, 1, 4, 5))
    mesh = TLMField("m", (4, 5), STUB, edges=edges)
    found = run(mesh, 40, mesh.at_rest(start)).outputs["y"][0, :, 0]
    wide, speed = start, np.sqrt(2 / (4 + STUB))
    if edges == "open":
        wide, speed = (np.block([[a, a[..., ::-1]], [a[..., ::-1, :], a[..., ::-1, ::-1]]]) for a in (start, speed))
    field = WaveField("w", wide.shape[2:], speed, edges="periodic")
    system = System.of([field.lower()], field.inner(0), {"psi": Input("w", "psi")}, {"y": Output("w", "psi")})
    wanted = Interpreter(system).run({"psi": wide}, 40, 1.0).outputs["y"][0, :, 0]
    np.testing.assert_allclose(found, wanted[:, :4, :5], atol=1e-12)


def test_a_pulse_leaves_a_node_by_halves():
    pulse = {name: np.zeros((1, 1, 3, 3)) for name in ("b_w",)}
    pulse["b_w"][..., 1, 1] = 1.0
    fields = run(TLMField("m", (3, 3)), 1, pulse).fields
    for name, node, wanted in (
        ("b_w", (1, 2), 0.5),
        ("b_s", (0, 1), 0.5),
        ("b_n", (2, 1), 0.5),
        ("b_e", (1, 0), -0.5),
    ):
        assert fields[f"m.{name}"][0, 1, 0][node] == wanted
        assert np.sum(np.abs(fields[f"m.{name}"][0, 1])) == 0.5


def test_the_drive_is_a_current_into_four_lines_a_stub_and_a_conductance():
    drive = np.zeros((1, 2, 1, 3, 3))
    drive[0, 0, 0, 1, 1] = 3.0
    found = run(TLMField("m", (3, 3), 1.0, 2.5), 2, {}, drive=drive).outputs["y"][0, :, 0]
    assert found[0, 1, 1] == pytest.approx(3.0 / 7.5)


@pytest.mark.parametrize("surface", [-1.0, 0.25, 1.0])
def test_a_wall_passes_a_share_and_sends_back_the_rest(surface):
    wall = np.array([[0.0, 0.2, 0.0]])
    pulse = {"b_w": np.zeros((1, 1, 1, 3))}
    pulse["b_w"][..., 0] = 2.0
    mesh = TLMField("m", (1, 3), edges=(0.0, 0.0, 0.0, 0.0), obstacles=wall, surface=surface)
    fields = run(mesh, 1, pulse).fields
    # v = 1 at the first node; its line to the right sends 1 to the link, of which 1 - wall passes.
    assert fields["m.b_w"][0, 1, 0, 0] == pytest.approx([0.0, 0.8, 0.0])
    assert fields["m.b_e"][0, 1, 0, 0] == pytest.approx([0.2 * surface, 0.0, 0.0])


def test_walls_are_silent_and_nothing_drives_them():
    walls = np.zeros((4, 5), dtype=bool)
    walls[1:3, 2] = True
    drive = np.random.default_rng(4).normal(size=(1, 20, 1, 4, 5))
    mesh = TLMField("m", (4, 5), obstacles=walls, edges="open")
    found = run(mesh, 20, {}, drive=drive).outputs["y"][0, :, 0]
    assert np.all(found[:, walls] == 0)
    assert np.abs(found[:, ~walls]).max() > 0.1
    again = run(mesh, 20, {}, drive=np.where(walls, 9.0, drive)).outputs["y"][0, :, 0]
    np.testing.assert_array_equal(again, found)


def test_stubs_losses_and_walls_may_differ_between_samples():
    rng = np.random.default_rng(5)
    start = rng.normal(size=(2, 1, 3, 4))
    given = {"y0": rng.uniform(0, 2, (2, 1, 3, 4)), "g0": rng.uniform(0, 1, (2, 1, 3, 4))}
    given["wall"] = (rng.random((2, 1, 3, 4)) < 0.3).astype(float)
    whole = TLMField("m", (3, 4), 0.0, 0.0, "matched", np.zeros((3, 4), dtype=bool))
    together = run(whole, 15, whole.at_rest(start), **given).outputs["y"]
    for k in range(2):
        mesh = TLMField("m", (3, 4), given["y0"][k], given["g0"][k], "matched", given["wall"][k] == 1)
        alone = run(mesh, 15, mesh.at_rest(start[k : k + 1])).outputs["y"]
        np.testing.assert_allclose(together[k], alone[0], atol=1e-14)


def test_channels_do_not_mix():
    start = np.random.default_rng(6).normal(size=(1, 2, 3, 4))
    two, one = TLMField("m", (2, 3, 4)), TLMField("m", (3, 4))
    found = run(two, 15, two.at_rest(start)).outputs["y"][:, :, 1:]
    np.testing.assert_array_equal(found, run(one, 15, one.at_rest(start[:, 1:])).outputs["y"])


def test_a_field_at_rest_has_its_voltages_and_is_the_same_forwards_and_backwards():
    start = np.random.default_rng(7).normal(size=(1, 1, 4, 5))
    mesh = TLMField("m", (4, 5), STUB)
    assert set(mesh.at_rest(start)) == {"b_e", "b_w", "b_n", "b_s", "stub"}
    v = run(mesh, 1, mesh.at_rest(start)).outputs["y"][0, :, 0]
    np.testing.assert_allclose(v[0], start[0, 0], atol=1e-15)
    # v(1) = v(-1), hence v(1) - v(0) is half of the second difference, c^2/2 lap v, short ends half a node away.
    padded = np.pad(start[0, 0], 1, mode="symmetric")
    padded[[0, -1]] *= -1
    padded[:, [0, -1]] *= -1
    laplacian = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * start[0, 0]
    np.testing.assert_allclose(v[1] - v[0], laplacian / (4 + STUB), atol=1e-14)


def test_matched_edges_follow_stubs_that_are_learnt():
    mesh = TLMField("m", (3, 4), 1.0, edges="matched", trainable=("y0",))
    system = lowered(mesh)
    assert system.trainable == ("m.y0",)
    start = mesh.at_rest(np.ones((1, 1, 3, 4)))
    found = Interpreter(system, {**system.parameters, "m.y0": np.full((1, 3, 4), 2.5)}).run(start, 9, 1.0)
    other = TLMField("m", (3, 4), 2.5, edges="matched")
    np.testing.assert_allclose(found.outputs["y"], run(other, 9, start).outputs["y"], atol=1e-15)


def test_stubs_and_losses_for_a_speed_and_a_rate_of_decay():
    assert stub_for(1.0, 0.1, 0.05) == pytest.approx(4.0)
    assert stub_for(1 / np.sqrt(2), 1.0, 1.0) == pytest.approx(0.0, abs=1e-12)
    assert loss_for(0.0, 0.1) == 0
    assert np.arctanh(loss_for([0.2, 3.0], 0.1, 4.0) / 8) / 0.1 == pytest.approx([0.2, 3.0])
    with pytest.raises(ParameterError, match=r"a step of 0\.08 s is too long .* at most .* = 0\.0707107 s"):
        stub_for([0.5, 1.0], 0.1, 0.08)
    with pytest.raises(ParameterError, match=r"speed .* above 0 everywhere; a place without waves is an obstacle"):
        stub_for(0.0, 0.1, 0.05)
    with pytest.raises(ParameterError, match="damping"):
        loss_for(-0.1, 0.1)


@pytest.mark.parametrize("value", [-0.1, np.nan, [[0.0, -1.0]], "1"])
def test_stubs_and_losses_are_not_negative(value):
    with pytest.raises(ParameterError, match="mesh 'm': stub y0"):
        TLMField("m", (3, 2), value)
    with pytest.raises(ParameterError, match="mesh 'm': loss g0"):
        TLMField("m", (3, 2), loss=value)


def test_stubs_fit_the_mesh():
    with pytest.raises(ShapeError, match=r"'y0' has shape \(2, 2\)"):
        TLMField("m", (3, 4), np.ones((2, 2))).lower()


@pytest.mark.parametrize("edge", [1.01, -2.0, np.nan, True, None])
def test_edges_reflect_no_more_than_arrives(edge):
    with pytest.raises(ParameterError, match=r"edge of mesh 'm': .* from -1"):
        TLMField("m", (3, 4), edges=("short", edge))
    with pytest.raises(ParameterError, match=r"surface of mesh 'm': .* from -1"):
        TLMField("m", (3, 4), surface=edge)


def test_impossible_edges():
    with pytest.raises(UnknownNameError, match="edge of mesh 'm' 'mached'; did you mean 'matched'"):
        TLMField("m", (3, 4), edges="mached")
    with pytest.raises(UnknownNameError, match="surface of mesh 'm' 'matched'"):
        TLMField("m", (3, 4), surface="matched")
    with pytest.raises(ParameterError, match="top is 'periodic' and bottom 'short'; make both periodic, or neither"):
        TLMField("m", (3, 4), edges=("periodic", "short", "open", "open"))
    with pytest.raises(ParameterError, match="top, bottom, left, right"):
        TLMField("m", (3, 4), edges=("short", "open", "open"))


def test_obstacles_are_a_mask_or_shares():
    for walls in (np.full((2, 3), 1.1), np.full((2, 3), -0.1), [["a"] * 3] * 2, [[1, 2], [3]]):
        with pytest.raises(ParameterError, match="array of bool, true at walls, or of numbers from 0 to 1"):
            TLMField("m", (2, 3), obstacles=walls)
    with pytest.raises(ShapeError, match=r"\(3, 2\); expected \(2, 3\)"):
        TLMField("m", (2, 3), obstacles=np.zeros((3, 2), dtype=bool))


def test_what_is_not_there_cannot_be_learnt():
    with pytest.raises(UnknownNameError, match="'wall'"):
        TLMField("m", (2, 3), 1.0, trainable=("wall",))


@pytest.mark.parametrize("shape", [0, 1, (1, 1), (2, 2, 2, 2), 3.0, ()])
def test_shapes_that_are_no_mesh(shape):
    with pytest.raises(ShapeError, match="mesh 'm'"):
        TLMField("m", shape)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_die_makes_a_mesh_amplify(seed):
    """With every device off by about 2 % the mesh still only loses energy."""
    system = MEDIA["tlm-field"].build().lower()
    placed = place(system, find_profile("rf-transmission-line"), seed=seed, step=1.0)
    held = placed.realise(placed.system.parameters)
    assert spectral_radius(step_matrix(placed.system, 1.0, held)) <= 1 + 1e-9
