"""The scalar wave field: d'Alembert's solution, edges, obstacles, speeds, and what is refused."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, System
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.fields import WaveField


def run(field, steps, dt, **inputs):
    ports = {name: Input(field.name, name) for name in inputs}
    system = System.of([field.lower()], field.inner(0), ports, {"y": Output(field.name, field.signal)})
    return Interpreter(system).run(inputs, steps, dt).outputs["y"]


def pulse(nodes, at):
    start = np.zeros((1, 1, 1, nodes))
    start[..., at] = 1.0
    return start


# With c dt = dx Verlet solves the wave equation in one dimension exactly: half of a pulse goes either way.


def test_pulse_splits_into_halves_that_travel_at_the_speed_of_sound():
    found = run(WaveField("f", 21, 2.0, spacing=0.5), 7, 0.25, psi=pulse(21, 10))[0, :, 0, 0]
    wanted = np.zeros(21)
    wanted[[3, 17]] = 0.5
    np.testing.assert_allclose(found[7], wanted, atol=1e-14)


@pytest.mark.parametrize(("edges", "sign"), [("clamped", -1.0), ("free", 1.0)])
def test_pulse_comes_back_from_an_edge_upside_down_where_it_is_clamped(edges, sign):
    # The clamped node lies one spacing beyond the last one; the free edge is the last one itself.
    way = {"clamped": 2 * (10 + 1), "free": 2 * 10}[edges]
    found = run(WaveField("f", 21, edges=edges), way, 1.0, psi=pulse(21, 10))[0, way, 0, 0]
    np.testing.assert_allclose(found, sign * pulse(21, 10)[0, 0, 0], atol=1e-13)


def test_pulse_goes_round_a_ring():
    found = run(WaveField("f", 20, edges="periodic"), 20, 1.0, psi=pulse(20, 4))[0, 20, 0, 0]
    np.testing.assert_allclose(found, pulse(20, 4)[0, 0, 0], atol=1e-13)


def test_absorbing_edges_take_the_energy_away():
    x = np.arange(60.0)
    start = np.exp(-0.5 * ((x - 30) / 4) ** 2)[None, None, None]
    left = {
        edges: np.sum(run(WaveField("f", 60, edges=edges), 240, 0.5, psi=start)[0, -1] ** 2)
        for edges in ("absorbing", "clamped")
    }
    # |R| of waves of this width is below 0.05, after two edges below 0.05^2; energy goes with the square.
    assert left["absorbing"] < 1e-3 * left["clamped"]


def test_uniform_field_is_damped_as_exp_minus_gamma_t():
    found = run(WaveField("f", 5, damping=0.3, restoring=4.0, edges="free"), 4000, 0.001, psi=np.ones((1, 1, 1, 5)))
    t, own = 0.001 * np.arange(4001), np.sqrt(4.0 - 0.3**2)
    wanted = np.exp(-0.3 * t) * (np.cos(own * t) + 0.3 / own * np.sin(own * t))
    # Of first order in the step of 1 ms: dt * sqrt(omega) = 0.002.
    np.testing.assert_allclose(found[0, :, 0, 0, 2], wanted, atol=2e-3)


def test_a_wall_of_obstacles_lets_nothing_through_and_is_silent_itself():
    wall = np.zeros((6, 9), dtype=bool)
    wall[:, 4] = True
    rng = np.random.default_rng(0)
    start = rng.normal(size=(1, 1, 6, 9))
    start[..., 5:] = 0.0
    found = run(WaveField("f", (6, 9), obstacles=wall, edges="free"), 50, 0.5, psi=start)[0, :, 0]
    assert np.abs(found[1:, :, :4]).max() > 0.1
    assert np.all(found[:, :, 4:] == 0)


def test_obstacles_may_differ_between_samples():
    field = WaveField("f", (3, 4), obstacles=np.zeros((3, 4), dtype=bool))
    rng = np.random.default_rng(1)
    start = np.repeat(rng.normal(size=(1, 1, 3, 4)), 2, axis=0)
    opened = (rng.random((2, 1, 3, 4)) < 0.7).astype(float)
    together = run(field, 20, 0.3, psi=start, open=opened)
    for sample in range(2):
        alone = WaveField("f", (3, 4), obstacles=opened[sample, 0] == 0)
        np.testing.assert_array_equal(together[sample], run(alone, 20, 0.3, psi=start[:1])[0])


def test_speed_may_differ_between_samples_and_nodes():
    rng = np.random.default_rng(2)
    start, speed = rng.normal(size=(2, 1, 3, 4)), rng.uniform(0.5, 1.0, (2, 1, 3, 4))
    together = run(WaveField("f", (3, 4)), 20, 0.3, psi=start, c=speed)
    for sample in range(2):
        alone = run(WaveField("f", (3, 4), speed[sample]), 20, 0.3, psi=start[sample : sample + 1])
        np.testing.assert_array_equal(together[sample], alone[0])


def test_channels_do_not_mix():
    rng = np.random.default_rng(3)
    start = rng.normal(size=(1, 2, 3, 4))
    both = run(WaveField("f", (2, 3, 4)), 20, 0.3, psi=start)
    one = run(WaveField("f", (3, 4)), 20, 0.3, psi=start[:, 1:])
    np.testing.assert_allclose(both[:, :, 1:], one, atol=1e-14)


def test_a_line_along_a_sheet_is_a_line():
    start = np.random.default_rng(4).normal(size=(1, 1, 1, 7))
    line = run(WaveField("f", 7), 20, 0.3, psi=start)
    sheet = run(WaveField("f", (5, 7), edges=("periodic", "clamped")), 20, 0.3, psi=np.repeat(start, 5, axis=2))
    np.testing.assert_allclose(sheet, np.repeat(line, 5, axis=3), atol=1e-13)


def test_lossless_fields_are_stepped_by_verlet_and_lossy_ones_with_implicit_damping():
    assert WaveField("f", 5).lower().integrator == "verlet"
    assert WaveField("f", 5, damping=0.1).lower().integrator == "imex"
    assert WaveField("f", 5, edges="absorbing").lower().integrator == "imex"
    assert WaveField("f", 5, damping=0.1, integrator="symplectic").lower().integrator == "symplectic"


def test_only_what_is_asked_for_is_learnt():
    system = System.of([WaveField("f", 5, damping=0.1, trainable=("c",)).lower()], WaveField("f", 5).inner(0))
    assert system.trainable == ("f.c",)


@pytest.mark.parametrize("shape", [0, 1, (1, 1), (2, 2, 2, 2), 3.0, "5", ()])
def test_shapes_that_are_no_field(shape):
    with pytest.raises(ShapeError, match="field 'f'"):
        WaveField("f", shape)


def test_unknown_edges_offer_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'clamped'"):
        WaveField("f", 5, edges="clampt")
    with pytest.raises(UnknownNameError, match="edge of field 'f' 'open'"):
        WaveField("f", 5, edges=("free", "open"))


def test_what_is_not_there_cannot_be_learnt():
    with pytest.raises(UnknownNameError, match="'gamma'"):
        WaveField("f", 5, trainable=("gamma",))


@pytest.mark.parametrize("speed", [-1.0, np.nan, [1.0, -0.1, 1.0], "1"])
def test_speed_is_not_negative(speed):
    with pytest.raises(ParameterError, match="speed"):
        WaveField("f", 3, speed)


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.inf, "1", None])
def test_spacing_is_positive(spacing):
    with pytest.raises(ParameterError, match="spacing"):
        WaveField("f", 3, spacing=spacing)


def test_obstacles_are_a_mask_of_the_sheet():
    with pytest.raises(ParameterError, match="array of bool"):
        WaveField("f", (2, 3), obstacles=np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"\(3, 2\); expected \(2, 3\)"):
        WaveField("f", (2, 3), obstacles=np.zeros((3, 2), dtype=bool))
