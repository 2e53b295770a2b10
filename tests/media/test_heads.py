"""Digital layers: values by hand and against plain loops, slopes against finite differences, counts, refusals."""

import array_api_compat.numpy as compat
import numpy as np
import pytest

from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError
from physnn.media import ConvStack, Flatten, Head, LinearInTime, Perceptron, PerPixel

BATCH = 2
HEADS = {
    "perceptron": (lambda: Head((Perceptron((5, 4, 3)),)), (5,)),
    "perceptron at every position": (lambda: Head((Perceptron((5, 4, 3), "tanh"),)), (2, 3, 5)),
    "one layer": (lambda: Head((Perceptron((5, 3)),)), (5,)),
    "convolutions": (lambda: Head((ConvStack((2, 3, 2), "relu", "tanh"),)), (2, 4, 3)),
    "linear convolution": (lambda: Head((ConvStack((1, 2), kernel=1),)), (1, 4, 3)),
    "linear in time": (lambda: Head((LinearInTime(6, 4),)), (6, 3)),
    "per pixel": (lambda: Head((LinearInTime(6, 4), PerPixel(), Perceptron((8, 5, 3)))), (6, 2, 3, 2)),
    "global": (lambda: Head((Flatten(), Perceptron((12, 5, 3)))), (2, 3, 2)),
}


def namespaces():
    yield compat, np.asarray
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    yield pytest.importorskip("array_api_compat.torch"), torch.as_tensor


@pytest.mark.parametrize("name", HEADS)
def test_slopes_are_derivatives(name):
    """Of L = sum w y by what enters and by every parameter, against central differences; the same on torch."""
    rng = np.random.default_rng(3)
    build, shape = HEADS[name]
    head, x = build(), rng.normal(size=(BATCH, *shape))
    weights = rng.normal(size=head.forward(compat, x)[0].shape)
    h = 1e-6

    def value(entering, parameters):
        return np.sum(weights * Head(head.layers, parameters=parameters).forward(compat, entering)[0])

    for xp, asarray in namespaces():
        _, tapes = head.forward(xp, asarray(x))
        back, slopes = head.pull_back(xp, tapes, asarray(weights))
        assert slopes.keys() == head.parameters.keys()
        for key, found in {"": back, **slopes}.items():
            here = head.parameters[key] if key else x
            assert tuple(found.shape) == here.shape
            move = rng.normal(size=here.shape)
            sides = []
            for sign in (h, -h):
                parameters = {**head.parameters, key: here + sign * move} if key else head.parameters
                sides.append(value(x if key else x + sign * move, parameters))
            # central differences of a loss near 1: rounding of 1e-16/h
            along = np.sum(np.asarray(found) * move)
            assert along == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-7, abs=1e-8), key


def test_perceptron_by_hand():
    parameters = {"0.weights1": [[1.0, -1.0], [2.0, 0.0]], "0.bias1": [0.5, -9.0], "0.weights2": [[3.0, 7.0]]}
    head = Head(
        (Perceptron((2, 2, 1)),), parameters={k: np.array(v) for k, v in {**parameters, "0.bias2": [1]}.items()}
    )
    y, tapes = head.forward(compat, np.array([[2.0, 1.0]]))
    assert y.tolist() == [[3 * 1.5 + 1]]  # the second hidden unit, 4 - 9, is cut off
    assert head.macs(tapes) == 2 * 2 + 2


def test_convolution_against_a_plain_loop():
    """Zero padding, stride 1: each output pixel is the sum over what the kernel covers, plus the bias."""
    head = Head((ConvStack((2, 3)),), seed=5)
    weights, bias = head.parameters["0.weights1"], head.parameters["0.bias1"]
    x = np.random.default_rng(0).normal(size=(1, 2, 4, 5))
    padded = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
    wanted = [
        [[np.sum(weights[o] * padded[:, i : i + 3, j : j + 3]) + bias[o] for j in range(5)] for i in range(4)]
        for o in range(3)
    ]
    y, tapes = head.forward(compat, x)
    np.testing.assert_allclose(y[0], wanted, rtol=1e-12)
    assert head.macs(tapes) == 3 * 2 * 9 * 4 * 5


def test_per_pixel_head_sees_one_pixel():
    """Changing one pixel changes the answer there and nowhere else."""
    head = Head((PerPixel(), Perceptron((3, 4, 2))))
    x = np.random.default_rng(1).normal(size=(1, 3, 4, 5))
    moved = x.copy()
    moved[0, :, 1, 2] += 1.0
    before, after = (head.forward(compat, image)[0] for image in (x, moved))
    assert before.shape == (1, 4, 5, 2)
    changed = np.any(before != after, axis=-1)[0]
    assert np.argwhere(changed).tolist() == [[1, 2]]


def test_features_of_a_pixel_are_its_bins_and_channels():
    bins = np.arange(2 * 3 * 1 * 2).reshape(1, 2, 3, 1, 2).astype(float)
    y, _ = Head((PerPixel(),)).forward(compat, bins)
    assert y.shape == (1, 1, 2, 6)
    assert y[0, 0, 1].tolist() == bins[0, :, :, 0, 1].ravel().tolist()


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_final_activation_bounds_an_encoder(name):
    head = Head((ConvStack((1, 4, 2), "relu", name),), seed=2)
    y, _ = head.forward(compat, 20 * np.random.default_rng(0).normal(size=(3, 1, 6, 6)))
    assert np.min(y) >= (0 if name == "relu" else -1) and (name == "relu" or np.max(y) <= 1)


def test_initial_values_follow_from_seed_and_name():
    def build(**named):
        return Head((Perceptron((400, 100)),), **named).parameters["0.weights1"]

    assert np.array_equal(build(seed=1), build(seed=1))
    for other in (build(seed=2), build(seed=1, name="encoder")):
        assert not np.any(build(seed=1) == other)
    # uniform in +-1/20; 40,000 draws reach within 1e-3 of the ends and have a variance good to 1 %
    assert 0.999 / 20 < np.max(np.abs(build())) < 1 / 20
    assert np.var(build()) == pytest.approx(1 / 20**2 / 3, rel=0.02)


def test_count():
    head = Head((LinearInTime(10, 6), PerPixel(), Perceptron((12, 5, 3))))
    assert head.count == 6 * 10 + 5 * 12 + 5 + 3 * 5 + 3


@pytest.mark.parametrize(
    ("layers", "shape", "said"),
    [
        ((Perceptron((4, 2)),), (2, 5), "features go last"),
        ((PerPixel(),), (2, 5), "channels, height, width"),
        ((LinearInTime(10, 3),), (2, 11, 4), "`skip`"),
        ((ConvStack((1, 2)),), (2, 2, 4, 4), r"takes \(batch, 1, height"),
        ((ConvStack((1, 2)),), (2, 4, 4), r"takes \(batch, 1, height"),
    ],
)
def test_what_does_not_fit_is_explained(layers, shape, said):
    with pytest.raises(ShapeError, match=said):
        Head(layers).forward(compat, np.zeros(shape))


def test_complex_signals_are_refused():
    with pytest.raises(EquationError, match="re, im or abs"):
        Head((Flatten(),)).forward(compat, np.zeros((1, 2), complex))


@pytest.mark.parametrize(
    ("build", "error", "said"),
    [
        (lambda: Perceptron((4,)), ShapeError, "2 or more"),
        (lambda: Perceptron((4, 0)), ShapeError, "at least 1"),
        (lambda: ConvStack((1, 2), kernel=2), ShapeError, "odd"),
        (lambda: LinearInTime(0, 3), ShapeError, "at least 1"),
        (lambda: Perceptron((4, 2), "rely"), UnknownNameError, "did you mean 'relu'"),
        (lambda: ConvStack((1, 2), final="tan"), UnknownNameError, "did you mean 'tanh'"),
        (lambda: Head((Perceptron((2, 1)),), parameters={"0.bias1": np.zeros(1)}), ParameterError, "weights1"),
    ],
)
def test_bad_layers(build, error, said):
    with pytest.raises(error, match=said):
        build()


def test_bad_values():
    head = Head((Perceptron((2, 1)),))
    with pytest.raises(UnknownNameError, match=r"did you mean '0\.bias1'"):
        head.write({"0.bias": np.zeros(1)})
    with pytest.raises(ShapeError, match=r"expected \(1, 2\)"):
        head.write({"0.weights1": np.zeros((2, 1))})
