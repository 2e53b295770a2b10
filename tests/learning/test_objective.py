"""Digital layers beside a network: their gradients through the whole chain, their training, checkpoints and bill."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.equations import Convolution, Input
from physnn.errors import CheckpointError, NumericsError, ParameterError, ShapeError
from physnn.learning import FeedbackAlignment, Objective, ReflectedWave, Settings, accuracy, outputs, train
from physnn.learning.alignment import cosines
from physnn.media import (
    ConvStack,
    CrossEntropy,
    Flatten,
    Head,
    LinearInTime,
    Link,
    Medium,
    Network,
    Perceptron,
    PerPixel,
    Readout,
    Source,
    SquaredError,
    Waveguide,
)
from physnn.substrate import build

CLASSES, STEPS, DT = 3, 12, 0.1
FIELD = """
dy/dt = v : 1
dv/dt = f*tanh(z) - omega*y - alpha*v : 1/s
z     : 1 (arrival)
f     : 1/s**2 (parameter)
omega : 1/s**2 (parameter)
alpha : 1/s (parameter)
"""


def field_network(channels=2, side=4):
    """Oscillators on a sheet; an image sets their frequencies and where they start."""
    shape = (channels, side, side)
    medium = Medium("a", shape, FIELD, {"f": 1, "omega": 1, "alpha": 0.1}, signal="y", integrator="symplectic")
    kernel = Link("a", "a", "W", Convolution(channels, channels, (3, 3), "circular"), gain=0.5)
    ports = {"omega": Input("a", "omega"), "y0": Input("a", "y")}
    return Network((medium,), (kernel,), Readout("a", "y", "whole", skip=1), inputs=ports)


def pixel_objective(network, seed=0):
    """Pixel by pixel: a linear readout of time and a small perceptron."""
    head = Head((LinearInTime(STEPS, 4), PerPixel(), Perceptron((8, 6, CLASSES))), seed)
    encoders = {
        "omega": Head((ConvStack((1, 3, 2), "relu", "relu"),), seed, "omega"),
        "y0": Head((ConvStack((1, 3, 2), "relu", "tanh"),), seed, "y0"),
    }
    return Objective(network.readout, CrossEntropy(), CLASSES, STEPS * DT, head, encoders)


def pixel_data(rng, samples=6, side=4):
    images = rng.uniform(size=(samples, 1, side, side))
    return images, np.digitize(images[:, 0], [1 / 3, 2 / 3])


def test_gradients_of_encoders_network_and_head():
    """dL/d every parameter of the chain against central differences of the loss along random directions."""
    rng = np.random.default_rng(0)
    network = field_network()
    objective, (images, labels) = pixel_objective(network), pixel_data(rng, 3)
    substrate = build(network, "ideal-torch", seed=1, step=DT)
    targets = substrate.asarray(objective.loss.targets(np, labels, CLASSES))
    data = dict.fromkeys(("omega", "y0"), substrate.asarray(images))
    step = ReflectedWave().step(substrate, data, targets, objective)
    assert {key.rpartition(".")[0] for key in step.gradient} == {
        "",
        "head.0",
        "head.2",
        "encoder.omega.0",
        "encoder.y0.0",
    }
    owners = {"": substrate, **objective.digital}

    def loss_at(owner, key, value):
        owner.write({key: value})
        return ReflectedWave().step(substrate, data, targets, objective).loss

    h = 1e-5
    for key, slope in step.gradient.items():
        prefix = next(p for p in reversed(sorted(owners)) if key.startswith(p))
        owner, name = owners[prefix], key.removeprefix(f"{prefix}.") if prefix else key
        here = np.asarray(owner.read()[name] if prefix == "" else owner.parameters[name])
        move = rng.normal(size=here.shape)
        up, down = (loss_at(owner, name, substrate.asarray(here + s * move)) for s in (h, -h))
        owner.write({name: substrate.asarray(here)})
        # central differences: h^2 of truncation and 1e-16/h of rounding, of a loss near 1
        assert np.sum(np.asarray(slope) * move) == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-9), key


def test_pixels_are_learnt_from_the_waves_of_an_image():
    rng = np.random.default_rng(1)
    network = field_network()
    objective, (images, labels) = pixel_objective(network), pixel_data(rng, 24)
    substrate = build(network, "ideal-torch", seed=1, step=DT)
    before = accuracy(substrate, objective, images, labels)
    history = train(substrate, ReflectedWave(), objective, images, labels, Settings(epochs=12, batch=8, rate=0.02))
    assert outputs(substrate, objective, images).shape == (24, 4, 4, CLASSES)
    # Three classes of equal size: chance is 1/3. The grey value of the pixel itself decides.
    assert accuracy(substrate, objective, images, labels) > max(0.6, before)
    assert history[-1].loss < history[0].loss


NETWORK = Network.layered([Source("in", 4), Waveguide("hidden", 5), Waveguide("out", 6)])
SETTINGS = Settings(epochs=3, batch=4)


def global_objective(seed=0, hidden=7):
    return Objective(
        NETWORK.readout, CrossEntropy(), CLASSES, head=Head((Flatten(), Perceptron((6, hidden, CLASSES))), seed)
    )


def flat_data():
    rng = np.random.default_rng(2)
    return rng.normal(size=(20, 4)), rng.integers(0, CLASSES, 20)


class Interrupted(Exception):
    pass


class Failing:
    """A rule that stops the world after some batches."""

    name = ReflectedWave.name

    def __init__(self, batches):
        self.left = batches

    def step(self, *arguments):
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        return ReflectedWave().step(*arguments)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_interrupted_training_of_a_head_continues(tmp_path, elsewhere):
    """Bit by bit on the same substrate; with the same float values on another one, which rounds differently."""
    path = tmp_path / "training.safetensors"
    whole, first = build(NETWORK, "ideal-torch", seed=1), global_objective()
    history = train(whole, ReflectedWave(), first, *flat_data(), SETTINGS, seed=3)
    with pytest.raises(Interrupted):
        substrate = build(NETWORK, "ideal-torch", seed=1)
        train(substrate, Failing(7), global_objective(), *flat_data(), SETTINGS, seed=3, checkpoint=path, every=1)
    second, profile = global_objective(seed=9), "ideal-waveguide" if elsewhere else "ideal-torch"
    rest = build(NETWORK, profile, seed=1)
    continued = train(rest, ReflectedWave(), second, *flat_data(), SETTINGS, seed=3, checkpoint=path)
    tolerance = 1e-9 if elsewhere else 0.0
    assert [e.loss for e in continued] == pytest.approx([e.loss for e in history], rel=tolerance)
    for key, value in first.head.parameters.items():
        np.testing.assert_allclose(np.asarray(second.head.parameters[key]), value, rtol=0, atol=tolerance)
    for key, value in whole.read().items():
        np.testing.assert_allclose(np.asarray(rest.read()[key]), value, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    "other", [replace(global_objective(), head=None), global_objective(hidden=8)], ids=["no", "wider"]
)
def test_a_checkpoint_with_another_head_is_refused(tmp_path, other):
    path = tmp_path / "training.safetensors"
    train(build(NETWORK, "ideal-torch"), ReflectedWave(), global_objective(), *flat_data(), SETTINGS, checkpoint=path)
    wide = replace(other, classes=6) if other.head is None else other
    with pytest.raises(CheckpointError, match="settings"):
        train(build(NETWORK, "ideal-torch"), ReflectedWave(), wide, *flat_data(), SETTINGS, checkpoint=path)


def test_a_head_on_a_network_that_does_not_learn():
    """Only the head moves, and no wave is sent back."""
    layers = [Source("in", 4), Waveguide("out", 6, bias=False)]
    network = Network(tuple(layers), (Link("in", "out", trainable=False),), Readout("out"))
    substrate = build(network, "ideal-torch", seed=1)
    objective = replace(global_objective(), readout=network.readout)
    before, start = dict(substrate.read()), dict(objective.head.parameters)
    history = train(substrate, ReflectedWave(), objective, *flat_data(), replace(SETTINGS, epochs=20))
    assert history[-1].loss < history[0].loss
    assert all(np.array_equal(np.asarray(value), np.asarray(before[key])) for key, value in substrate.read().items())
    assert all(not np.array_equal(np.asarray(value), start[key]) for key, value in objective.head.parameters.items())


def test_a_head_is_billed_as_arithmetic_of_the_host():
    """Forward once, back twice: the weights' 6 7 + 7 3 products a sample."""
    (x, labels), macs = flat_data(), 6 * 7 + 7 * 3
    counts = {}
    for name, objective in {
        "without": replace(global_objective(), head=None, classes=6),
        "with": global_objective(),
    }.items():
        substrate = build(NETWORK, "photonic-mzi", seed=1)
        outputs(substrate, objective, x)
        counts[name, "inference"] = dict(substrate.meter.counts)
        train(substrate, ReflectedWave(), objective, x, labels, Settings(epochs=1, batch=20))
        counts[name, "training"] = substrate.meter.since(counts[name, "inference"])
    for part, passes in (("inference", 1), ("training", 3)):
        more = counts["with", part].get("host_mac", 0) - counts["without", part].get("host_mac", 0)
        assert more == passes * macs * len(x)


def test_the_reference_gradient_goes_through_the_head():
    """On an ideal substrate the reflected wave is that gradient, and a random feedback path is not."""
    substrate, (x, labels) = build(NETWORK, "ideal-torch", seed=1), flat_data()
    objective = global_objective()
    assert cosines(substrate, ReflectedWave(), objective, x, labels) == pytest.approx([1, 1], abs=1e-12)
    first, last = cosines(substrate, FeedbackAlignment(), objective, x, labels)
    assert last == pytest.approx(1, abs=1e-12) and first < 0.99


def test_a_field_without_a_head_is_told_where_classes_go():
    network = field_network(CLASSES)
    network = replace(network, readout=Readout("a", "y"), inputs={"y0": Input("a", "y")})
    objective = Objective(network.readout, CrossEntropy(), CLASSES, STEPS * DT)
    substrate, (_, labels) = build(network, "ideal-torch", step=DT), pixel_data(np.random.default_rng(0))
    fields = np.zeros((len(labels), CLASSES, 4, 4))
    with pytest.raises(ShapeError, match="PerPixel"):
        train(substrate, ReflectedWave(), objective, fields, labels, Settings(epochs=1))
    ordered = replace(objective, head=Head((PerPixel(),)))
    assert len(train(substrate, ReflectedWave(), ordered, fields, labels, Settings(epochs=1))) == 1


def test_a_head_that_diverges_is_explained():
    objective = replace(global_objective(), loss=SquaredError())
    with pytest.raises(NumericsError, match="diverged in epoch"):
        settings = Settings(epochs=30, rate=1e9, optimiser="sgd")
        train(build(NETWORK, "ideal-torch"), ReflectedWave(), objective, *flat_data(), settings)


def test_a_coupling_with_the_name_of_a_digital_parameter():
    parts = (Source("in", 4), Waveguide("out", 6))
    network = Network(parts, (Link("in", "out", "head.1.weights1"),), Readout("out"))
    with pytest.raises(ParameterError, match="rename the coupling"):
        objective = replace(global_objective(), readout=network.readout)
        train(build(network, "ideal-torch"), ReflectedWave(), objective, *flat_data(), SETTINGS)
