"""Dispersion relations against simulated lattices; drums against closed forms and the famous pair that sounds alike."""

import numpy as np
import pytest

from physnn.analysis import (
    drum_frequency,
    drum_modes,
    group_velocity,
    lattice_frequency,
    peaks,
    tlm_decay_rate,
    tlm_frequency,
)
from physnn.errors import NumericsError, ParameterError, ShapeError


def test_long_waves_have_the_speed_of_sound():
    k = np.array([[1e-3, 2e-3]])
    # The relative error of the lattice is k^2/24.
    assert lattice_frequency(k, 2.0) == pytest.approx(2 * np.linalg.norm(k), rel=1e-6)
    assert np.linalg.norm(group_velocity(k, 2.0)) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("step", [None, 0.5])
def test_group_velocity_is_the_slope(step):
    k, h = np.array([0.7, -1.9]), 1e-5
    slopes = [
        (lattice_frequency(k + h * e, 1.2, step) - lattice_frequency(k - h * e, 1.2, step)) / (2 * h) for e in np.eye(2)
    ]
    assert np.allclose(group_velocity(k, 1.2, step), slopes, rtol=1e-8)


def test_the_verlet_step_has_this_frequency():
    # One step of Verlet on a plane wave: y(t + dt) + y(t - dt) = (2 - 4 (c dt s)^2) y(t) = 2 cos(omega dt) y(t).
    k, c, dt = np.array([0.4, 1.3]), 0.8, 0.6
    laplacian = 2 * np.cos(k[0]) + 2 * np.cos(k[1]) - 4
    assert 2 * np.cos(lattice_frequency(k, c, dt) * dt) == pytest.approx(2 + (c * dt) ** 2 * laplacian, rel=1e-12)
    with pytest.raises(NumericsError, match="unstable"):
        lattice_frequency([np.pi, np.pi], 1.0, 0.71)


def test_one_dimension_at_the_largest_step_has_no_dispersion():
    k = np.linspace(0.1, 3.0, 7)[:, None]
    assert np.allclose(lattice_frequency(k, 1.0, 1.0), k[:, 0], rtol=1e-12)


@pytest.mark.parametrize(("stub", "loss"), [(0.0, 0.0), (1.5, 0.0), (0.0, 0.6), (2.0, 1.1)])
def test_waves_on_a_mesh_solve_its_recursion(stub, loss):
    # (4 + y0 + g0) v(t+1) + (4 + y0 - g0) v(t-1) = 2 (sum of the neighbours + y0 v)
    k, dt = np.array([[0.9, 0.4], [2.0, -1.1]]), 0.3
    growth = np.exp((1j * tlm_frequency(k, stub, loss, dt) - tlm_decay_rate(stub, loss, dt)) * dt)
    right = 2 * (2 * np.cos(k).sum(axis=1) + stub)
    assert np.allclose((4 + stub + loss) * growth + (4 + stub - loss) / growth, right, atol=1e-13)


def test_waves_on_a_mesh_without_loss_are_those_of_verlet():
    k = np.random.default_rng(0).uniform(-3, 3, (20, 2))
    for stub in (0.0, 0.7, 9.0):
        speed = 1 / np.sqrt(2 + stub / 2)
        assert np.allclose(tlm_frequency(k, stub), lattice_frequency(k, speed, 1.0), rtol=1e-12)
    assert np.allclose(tlm_frequency([[0.3, 0.3], [2.0, -2.0]]), [0.3, 2.0], rtol=1e-14)  # none along diagonals


def test_waves_that_a_mesh_only_damps():
    with pytest.raises(NumericsError, match="only damps"):
        tlm_frequency([0.01, 0.0], 0.0, 0.5)
    with pytest.raises(ParameterError, match="below 4"):
        tlm_decay_rate(1.0, 5.0)
    with pytest.raises(ParameterError, match="at least 0"):
        tlm_frequency([0.1, 0.1], -0.1)


@pytest.mark.parametrize("side", [13, 17, 21])
def test_square_drums(side):
    mask = np.ones((side - 1, side - 1), dtype=bool)
    for step in (None, 0.1):
        found = drum_modes(mask, 4, step=step).frequencies
        sides = (side, side)
        wanted = [drum_frequency(mode, sides, lattice=True, step=step) for mode in ((1, 1), (1, 2), (2, 1), (2, 2))]
        assert np.allclose(found, wanted, rtol=1e-10)
    assert found[0] == pytest.approx(1 / (np.sqrt(2) * side), rel=3e-3)
    assert drum_frequency((1, 1), (side, side)) == pytest.approx(1 / (np.sqrt(2) * side), rel=1e-12)


def test_a_drum_that_is_struck_has_its_lattice_frequency():
    # science/traveling_waves.md: L = 13, dt = 0.1, 40,000 steps, struck in the middle: 0.054264 Hz.
    side, dt, steps = 13, 0.1, 40_000
    displacement = np.zeros((side + 1, side + 1))
    displacement[side // 2, side // 2] = 1.0
    before, record = displacement.copy(), np.empty(steps)
    for n in range(steps):
        record[n] = displacement[side // 2, side // 2]
        force = np.zeros_like(displacement)
        inner = displacement[1:-1, 1:-1]
        force[1:-1, 1:-1] = (
            displacement[:-2, 1:-1]
            + displacement[2:, 1:-1]
            + displacement[1:-1, :-2]
            + displacement[1:-1, 2:]
            - 4 * inner
        )
        if n == 0:
            before, displacement = displacement, displacement + dt**2 / 2 * force
        else:
            before, displacement = displacement, 2 * displacement - before + dt**2 * force
    found = peaks(record, dt, band=(0.04, 0.07)).frequencies[0]
    assert found == pytest.approx(0.054264, abs=2e-6)
    assert found == pytest.approx(drum_frequency((1, 1), (side, side), lattice=True, step=dt), rel=5e-4)
    assert found == pytest.approx(drum_frequency((1, 1), (side, side)), rel=3e-3)


# Gordon, Webb, Wolpert, Bulletin AMS 27:134 (1992): two polygons of seven half squares each, legs of 1.
FIRST = [(0, 0), (0, 1), (2, 3), (2, 2), (3, 2), (2, 1), (1, 1), (1, 0)]
SECOND = [(1, 0), (0, 1), (0, 2), (2, 2), (2, 3), (3, 2), (2, 1), (1, 1)]
# The control: a rectangle of the same area, 3.5.
CONTROL = [(0, 0), (0, 1.75), (2, 1.75), (2, 0)]


def area(corners):
    x, y = np.transpose(corners)
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def polygon(corners, resolution):
    """Nodes strictly inside; the borders run through nodes, which are clamped."""
    x, y = np.meshgrid(*2 * [np.arange(-1, 3 * resolution + 2) / resolution])
    # Four points about a node, none on a line of the lattice or on a diagonal: all inside for a node inside.
    around = [(0.25, 0.1), (-0.1, 0.25), (-0.25, -0.1), (0.1, -0.25)]
    return np.all([encloses(corners, x + dx / resolution, y + dy / resolution) for dx, dy in around], axis=0)


def encloses(corners, x, y):
    """Whether a ray to the right crosses the border an odd number of times."""
    crossings = np.zeros(x.shape, dtype=int)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            crossings += ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return crossings % 2 == 1


def test_two_drums_that_sound_alike():
    resolution = 24
    assert area(FIRST) == area(SECOND) == area(CONTROL) == 3.5
    drums = [drum_modes(polygon(shape, resolution), 5, spacing=1 / resolution) for shape in (FIRST, SECOND, CONTROL)]
    first, second, control = (drum.frequencies for drum in drums)
    assert np.max(np.abs(second / first - 1)) < 0.01
    # Reflections of half squares map the lattice onto itself: the pair is isospectral on it, up to rounding.
    assert np.max(np.abs(second / first - 1)) < 1e-9
    assert np.max(np.abs(control / first - 1)) > 0.05
    # Driscoll, SIAM Review 39:1 (1997), eigenvalues for legs of 2.
    known = 2 * np.sqrt([2.53794400, 3.65550971, 5.17555936, 6.53755744, 7.24807786]) / (2 * np.pi)
    assert np.max(np.abs(first / known - 1)) < 0.01


def test_shapes_of_modes():
    found = drum_modes(np.ones((5, 9), dtype=bool), 2, 3.0, spacing=0.5)
    assert found.shapes.shape == (2, 5, 9)
    assert np.sum(found.shapes[0] ** 2) == pytest.approx(1.0, rel=1e-12)
    down, right = np.sin(np.pi * np.arange(1, 6) / 6), np.sin(np.pi * np.arange(1, 10) / 10)
    wanted = np.outer(down, right)
    assert abs(np.sum(found.shapes[0] * wanted)) == pytest.approx(np.linalg.norm(wanted), rel=1e-10)
    assert found.frequencies[0] == pytest.approx(drum_frequency((1, 1), (10, 6), 6.0, lattice=True), rel=1e-10)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ParameterError, match="lattice"):
        drum_frequency((1, 1), (3, 3), step=0.1)
    with pytest.raises(ParameterError, match="count from 1"):
        drum_frequency((0, 1), (3, 3))
    with pytest.raises(ParameterError, match="modes"):
        drum_modes(np.ones((2, 2), dtype=bool), 4)
    with pytest.raises(ShapeError, match="mask"):
        drum_modes(np.ones(4, dtype=bool), 1)
