"""Operators: the dot-product test <K x, y> = <x, K^T y>, derivatives by the weights, and independent references."""

import array_api_compat.torch as xt
import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from physnn.equations import Convolution, Dense, Mean, OneToOne, Poisson, Sparse, Transposed
from physnn.errors import ShapeError

CASES = {
    "dense": (Dense(4, 3), (3,)),
    "dense to a sheet": (Dense(12, 3, (2, 3, 2)), (3,)),
    "dense from a sheet": (Dense(3, 8), (2, 2, 2)),
    "one to one": (OneToOne((2, 3, 2)), (2, 3, 2)),
    "sparse": (Sparse((0, 0, 3, 1, 0), (4, 1, 1, 0, 4), 4, 5), (5,)),
    "zero padding": (Convolution(2, 3, (3, 5)), (3, 5, 4)),
    "circular padding": (Convolution(2, 3, (5, 3), "circular"), (3, 4, 6)),
    "kernel larger than the sheet": (Convolution(2, 1, (5, 7)), (1, 2, 2)),
    "circular kernel larger than the sheet": (Convolution(1, 2, (5, 3), "circular"), (2, 3, 2)),
    "mirror padding": (Convolution(2, 3, (3, 5), "mirror"), (3, 4, 5)),
    "a line": (Convolution(2, 1, (1, 3), "mirror"), (1, 1, 6)),
    "sparse sheets": (Sparse((0, 0, 11, 1, 0), (4, 1, 1, 0, 4), 12, 6, (2, 3, 2)), (1, 2, 3)),
    "mean": (Mean((2, 3)), (2, 3)),
    "Poisson, clamped": (Poisson((2, 3, 4), "zero"), (2, 3, 4)),
    "Poisson, periodic": (Poisson((1, 5, 4), "circular"), (1, 5, 4)),
    "Poisson, free": (Poisson((1, 3, 5), "mirror"), (1, 3, 5)),
    "Poisson on a line": (Poisson((2, 1, 6), "mirror"), (2, 1, 6)),
    "transposed Poisson": (Transposed(Poisson((1, 3, 5), "mirror"), (1, 3, 5)), (1, 3, 5)),
    "transposed dense": (Transposed(Dense(4, 3), (3,)), (4,)),
    "transposed from a sheet": (Transposed(Dense(3, 8), (2, 2, 2)), (3,)),
    "transposed convolution": (Transposed(Convolution(2, 3, (3, 3)), (3, 4, 5)), (2, 4, 5)),
    "transposed sparse": (Transposed(Sparse((0, 2, 1), (1, 1, 0), 3, 2), (2,)), (3,)),
    "transposed twice": (Transposed(Transposed(Dense(4, 3), (3,)), (4,)), (3,)),
}


def draw(rng, shape, kind):
    return rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind == "complex" else 0)


@pytest.fixture(params=CASES, ids=lambda name: name.replace(" ", "-"))
def case(request):
    return CASES[request.param]


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_dot_product(case, kind):
    operator, source = case
    rng = np.random.default_rng(1)
    target = operator.output_shape(source)
    w, x, y = (draw(rng, shape, kind) for shape in (operator.weight_shape, (3, *source), (3, *target)))
    forward, back = operator.apply(np, w, x), operator.transpose(np, w, y)
    assert forward.shape == (3, *target)
    assert np.sum(forward * y) == pytest.approx(np.sum(x * back.reshape(x.shape)), rel=1e-12)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_transposed_operator_is_the_adjoint(case, kind):
    operator, source = case
    rng = np.random.default_rng(2)
    target = operator.output_shape(source)
    w, x, y = (draw(rng, shape, kind) for shape in (operator.weight_shape, (2, *source), (2, *target)))
    back = Transposed(operator, source).apply(np, w, y)
    assert back.shape == x.shape
    assert np.sum(operator.apply(np, w, x) * np.conj(y)) == pytest.approx(np.sum(x * np.conj(back)), rel=1e-12)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_outer_is_the_derivative_by_the_weights(case, kind):
    operator, source = case
    rng = np.random.default_rng(3)
    target = operator.output_shape(source)
    w, x, y = (draw(rng, shape, kind) for shape in (operator.weight_shape, (2, *source), (2, *target)))

    def loss(weights):
        return np.sum(np.real(np.conj(y) * operator.apply(np, weights, x)))

    found = operator.outer(np, y, np.conj(x))
    assert found.shape == operator.weight_shape
    for index in np.ndindex(w.shape):
        move = np.zeros(w.shape, w.dtype)
        move[index] = 1e-4
        slope = (loss(w + move) - loss(w - move)) / 2e-4  # linear in w: exact but for rounding
        if kind == "complex":
            slope += 1j * (loss(w + 1j * move) - loss(w - 1j * move)) / 2e-4
        assert found[index] == pytest.approx(slope, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_gives_the_same_numbers_in_its_own_precision(case, dtype):
    operator, source = case
    rng = np.random.default_rng(4)
    target = operator.output_shape(source)
    arrays = [rng.normal(size=shape) for shape in (operator.weight_shape, (2, *source), (2, *target))]
    w, x, y = (torch.as_tensor(a, dtype=dtype) for a in arrays)
    pairs = [
        (operator.apply(xt, w, x), operator.apply(np, arrays[0], arrays[1])),
        (operator.transpose(xt, w, y), operator.transpose(np, arrays[0], arrays[2])),
        (operator.outer(xt, y, x), operator.outer(np, arrays[2], arrays[1])),
    ]
    for tensor, array in pairs:
        assert tensor.dtype == dtype
        assert np.allclose(
            tensor.numpy(),
            array,
            rtol=1e-5 if dtype == torch.float32 else 1e-12,
            atol=1e-5 if dtype == torch.float32 else 1e-12,
        )


@pytest.mark.parametrize(("padding", "boundary"), [("zero", "constant"), ("circular", "wrap"), ("mirror", "mirror")])
def test_convolution_is_scipys_correlation(padding, boundary):
    rng = np.random.default_rng(5)
    w, x = rng.normal(size=(2, 3, 3, 5)), rng.normal(size=(2, 3, 6, 7))
    found = Convolution(2, 3, (3, 5), padding).apply(np, w, x)
    wanted = [[sum(correlate(sheet[c], w[o, c], mode=boundary) for c in range(3)) for o in range(2)] for sheet in x]
    assert np.allclose(found, wanted, atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 4, 6), (2, 1, 7)])
@pytest.mark.parametrize("edges", ["zero", "circular", "mirror"])
def test_poisson_undoes_the_laplacian(edges, shape):
    """lap (lap^-1 x) = x, but for what the Laplacian cannot reach: where no edge is clamped, sums weighed by area."""
    rng = np.random.default_rng(7)
    line = np.array([1.0, -2.0, 1.0])
    kernel = np.zeros((3, 3)) if shape[1] > 1 else line[None, :]
    if shape[1] > 1:
        kernel[1] += line
        kernel[:, 1] += line
    weights = np.einsum("oc,ij->ocij", np.eye(shape[0]), kernel)
    laplacian = Convolution(shape[0], shape[0], kernel.shape, edges)
    x, poisson = rng.normal(size=(3, *shape)), Poisson(shape, edges)
    if edges != "zero":
        area = np.ones(shape)
        if edges == "mirror":
            area[..., [0, -1]] *= 0.5
            if shape[1] > 1:
                area[..., [0, -1], :] *= 0.5
        x -= np.sum(area * x, axis=(2, 3), keepdims=True) / np.sum(area, axis=(1, 2), keepdims=True)
    y = poisson.apply(np, np.array([2.0]), x)
    assert np.allclose(laplacian.apply(np, weights, y), 2 * x, rtol=0, atol=1e-12)


def test_mean_is_the_mean_for_everyone():
    x = np.random.default_rng(8).normal(size=(4, 2, 3))
    found = Mean((2, 3)).apply(np, np.array([0.5]), x)
    assert np.allclose(found, 0.5 * np.mean(x, axis=(1, 2), keepdims=True) * np.ones((1, 2, 3)))


def test_sparse_is_a_dense_matrix_with_the_listed_entries():
    rng = np.random.default_rng(6)
    operator = Sparse(np.array([0, 2, 2, 0]), [1, 0, 3, 1], 3, 4)
    w, x = rng.normal(size=4), rng.normal(size=(5, 4))
    matrix = np.zeros((3, 4))
    for row, column, weight in zip(operator.rows, operator.columns, w, strict=True):
        matrix[row, column] += weight
    assert np.allclose(operator.apply(np, w, x), x @ matrix.T)
    assert hash(operator) == hash(Sparse((0, 2, 2, 0), (1, 0, 3, 1), 3, 4))


def test_counts():
    assert Dense(4, 3).macs((3,)) == Transposed(Dense(4, 3), (3,)).macs((4,)) == 12
    assert Convolution(2, 3, (3, 5)).macs((3, 6, 7)) == 2 * 3 * 15 * 42
    assert (Dense(4, 3).fan_in, Dense(4, 3).fan_out) == (3, 4)
    assert Transposed(Dense(4, 3), (3,)).fan_in == 4
    assert Transposed(Convolution(2, 3, (3, 3)), (3, 4, 4)).fan_in == 18
    sparse = Sparse((0, 0, 1), (0, 1, 0), 2, 2)
    assert (sparse.fan_in, sparse.fan_out, sparse.macs((2,))) == (2, 2, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(0, 3),
        lambda: Dense(4, 3, (3,)),
        lambda: Dense(4, 3).output_shape((4,)),
        lambda: OneToOne((3,)).output_shape((4,)),
        lambda: Sparse((0,), (0, 1), 2, 2),
        lambda: Sparse((), (), 2, 2),
        lambda: Sparse((2,), (0,), 2, 2),
        lambda: Sparse((0,), (-1,), 2, 2),
        lambda: Sparse((0,), (0,), 2, 2).output_shape((3,)),
        lambda: Sparse((0,), (0,), 2, 2, (3,)),
        lambda: Mean((3,)).output_shape((4,)),
        lambda: Poisson((1, 3, 3), "reflect"),
        lambda: Poisson((1, 3, 3)).output_shape((1, 3, 4)),
        lambda: Convolution(1, 1, (5, 5), "mirror").output_shape((1, 2, 9)),
        lambda: Convolution(1, 1, (5, 5), "circular").output_shape((1, 1, 9)),
        lambda: Convolution(1, 1, (2, 3)),
        lambda: Convolution(1, 1, (3, 3), "reflect"),
        lambda: Convolution(1, 2, (3, 3)).output_shape((1, 4, 4)),
        lambda: Convolution(1, 1, (3, 3)).output_shape((4,)),
        lambda: Transposed(Dense(4, 3), (3,)).output_shape((3,)),
    ],
)
def test_what_does_not_fit_is_refused(make):
    with pytest.raises(ShapeError):
        make()
