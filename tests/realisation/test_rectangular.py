"""Matrices as phases of interferometer meshes, and back."""

import numpy as np
import pytest
from scipy.stats import unitary_group

from physnn.errors import ParameterError, UnknownNameError
from physnn.media.mesh import LAYOUTS
from physnn.realisation import composed, decompose, decompose_matrix, mesh_depth, unitary

ROUNDING = 1e-12


def haar(size, seed=0):
    return unitary_group.rvs(size, random_state=seed) if size > 1 else np.array([[np.exp(1j)]])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 16, 64])
def test_random_unitaries(size, layout):
    wanted = haar(size)
    phases = decompose(wanted, layout)
    np.testing.assert_allclose(unitary(phases), wanted, atol=ROUNDING)
    assert phases.theta.shape == phases.phi.shape == (size * (size - 1) // 2,)
    assert np.all((phases.theta >= 0) & (phases.theta <= np.pi / 2))
    for turned in (phases.phi, phases.phase):
        assert np.all((turned >= 0) & (turned < 2 * np.pi))


@pytest.mark.parametrize(
    "wanted",
    [
        np.eye(6),
        np.eye(7)[::-1],
        -np.eye(3),
        np.eye(8)[[3, 1, 4, 0, 7, 2, 6, 5]],
        np.fft.fft(np.eye(16)) / 4,
        np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0],
    ],
    ids=["identity", "reversal", "minus", "permutation", "Fourier", "real"],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_unitaries_with_many_zeros_or_equal_elements(wanted, layout):
    np.testing.assert_allclose(unitary(decompose(wanted, layout)), wanted, atol=ROUNDING)


@pytest.mark.parametrize(("layout", "depth"), [("rectangular", 10), ("triangular", 17)])
def test_columns_hold_every_interferometer_once_and_no_line_twice(layout, depth):
    columns = LAYOUTS[layout](10)
    assert len(columns) == depth == decompose(haar(10), layout).depth
    assert sum(map(len, columns)) == 45
    for column in columns:
        lines = [line for upper in column for line in (upper, upper + 1)]
        assert len(set(lines)) == len(lines) and max(lines) < 10 and min(lines) >= 0


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (1, 6), (6, 1), (1, 1), (64, 10)])
@pytest.mark.parametrize("complex_valued", [False, True])
def test_any_matrix_through_its_singular_values(shape, complex_valued):
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=shape) + (1j * rng.normal(size=shape) if complex_valued else 0)
    mesh = decompose_matrix(wanted)
    np.testing.assert_allclose(composed(mesh, *shape), wanted, atol=ROUNDING * mesh.gain)
    assert mesh.gain == pytest.approx(np.linalg.norm(wanted, 2), rel=1e-12)
    assert mesh.depth == mesh_depth(wanted)
    if min(shape) > 1:
        rows, columns = shape
        assert mesh.interferometers == rows * (rows - 1) // 2 + columns * (columns - 1) // 2 + min(shape)
        assert mesh.shifters == 2 * mesh.interferometers - min(shape) + rows
        assert mesh.share.max() == 1.0 and mesh.share.min() >= 0.0


def test_matrices_without_full_rank():
    wanted = np.outer([1.0, -2.0, 3.0], [0.5, 0.0, 2.0, 1j])
    mesh = decompose_matrix(wanted)
    np.testing.assert_allclose(composed(mesh, 3, 4), wanted, atol=ROUNDING * mesh.gain)


def test_a_multiple_of_a_unitary_is_one_mesh_with_a_gain():
    mesh = decompose_matrix(3.0 * haar(5))
    assert mesh.first is None and mesh.share is None
    assert mesh.gain == pytest.approx(3.0, rel=1e-12)
    assert (mesh.interferometers, mesh.shifters, mesh.depth) == (10, 25, 5)


@pytest.mark.parametrize(("kind", "off"), [(np.complex64, 1e-5), (np.float32, 1e-5)])
def test_a_unitary_in_single_precision_is_one_mesh(kind, off):
    wanted = (haar(16) if kind is np.complex64 else np.linalg.qr(haar(16).real)[0]).astype(kind)
    mesh = decompose_matrix(wanted)
    assert mesh.first is None and mesh.depth == mesh_depth(wanted) == 16
    np.testing.assert_allclose(composed(mesh, 16, 16), wanted, atol=off)
    np.testing.assert_allclose(unitary(decompose(wanted)), wanted, atol=off)
    # the same spread of singular values, 1e-6, is no rounding of numbers in double precision
    spread = haar(16) * np.linspace(1.0, 1.0 - 1e-6, 16)
    assert decompose_matrix(spread).first is not None
    with pytest.raises(ParameterError, match="needs a unitary matrix"):
        decompose(spread)
    assert decompose_matrix(wanted * np.linspace(1.0, 0.99, 16, dtype=kind)).first is not None


def test_what_is_not_unitary_is_refused_by_one_mesh():
    with pytest.raises(ParameterError, match=r"needs a unitary matrix.*decompose_matrix"):
        decompose(2 * np.eye(3))
    with pytest.raises(ParameterError, match="needs a unitary matrix"):
        decompose(np.eye(3)[:2])
    with pytest.raises(UnknownNameError, match="did you mean 'triangular'"):
        decompose(np.eye(3), "triangle")
