"""Profiles made of a few numbers, random networks, and slopes of a loss measured along random directions."""

import numpy as np
import pytest

from physnn.media import Network, Source, Waveguide
from physnn.substrate.placement import place
from physnn.substrate.profiles import Profile

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "relu")


def quantity(value, unit="1"):
    return {"value": value, "unit": unit, "evidence": "assumed", "source": "assumption: for tests", "verified": False}


@pytest.fixture
def make_profile():
    """Makes a profile: tables of numbers, or of (number, unit); precision as plain values; ideal without noise."""

    def make(kind="ideal", precision=None, **tables):
        entries = {
            table: {key: quantity(*(v if isinstance(v, tuple) else (v,))) for key, v in numbers.items()}
            for table, numbers in tables.items()
        }
        if precision:
            entries["precision"] = {**precision, "source": "assumption: for tests"}
        backends = ["torch", "waveguide"]
        head = {"name": "bench", "title": "Bench", "kind": kind, "backends": backends, "description": "Tests."}
        return Profile.model_validate({**head, **entries})

    return make


@pytest.fixture
def on_torch(make_profile):
    """Puts a System on ideal tensors."""
    backend = pytest.importorskip("physnn_torch", reason="the torch extra is not installed").Backend()

    def build(system, profile=None, **options):
        return backend.build(place(system, profile or make_profile(), **options))

    return build


@pytest.fixture
def on_waveguide(make_profile):
    """Puts a System on lines, ideal ones where no profile is given."""
    backend = pytest.importorskip("physnn_waveguide").Backend()

    def build(system, profile=None, **options):
        return backend.build(place(system, profile or make_profile(), **options))

    return build


@pytest.fixture
def on_brian2(make_profile):
    """Puts a System into Brian2."""
    pytest.importorskip("brian2", reason="the brian2 extra is not installed")
    backend = pytest.importorskip("physnn_brian2").Backend()

    def build(system, profile=None, **options):
        return backend.build(place(system, profile or make_profile(), **options))

    return build


@pytest.fixture
def random_network():
    """Makes a layered network of any width, with weights and biases drawn from a seed: (network, system, inputs)."""

    def make(seed, layers, activation="tanh", width=7, batch=6):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, width + 1, layers)
        damping, constants = rng.uniform(0.5, 2.0, layers), rng.uniform(0.5, 2.0, layers)
        parts = [Source("in", int(rng.integers(1, width + 1)))]
        for k in range(layers):
            parts.append(Waveguide(f"layer{k}", int(sizes[k]), activation, float(damping[k]), float(constants[k])))
        network = Network.layered(parts, gain=1.5)
        system = network.lower(seed)
        for coupling in system.couplings.values():
            if coupling.source == "bias":
                coupling.initial[...] = 0.3 * rng.normal(size=coupling.operator.weight_shape)
        return network, system, rng.normal(size=(batch, parts[0].size))

    return make


@pytest.fixture
def slope_error():
    """How far a gradient is from central differences of a loss along random directions, relative to its size."""

    def measure(loss, parameters, gradient, h=1e-5, directions=3):
        rng = np.random.default_rng(0)
        gradient = {key: np.asarray(value) for key, value in gradient.items()}
        size = np.sqrt(sum(np.sum(np.abs(g) ** 2) for g in gradient.values()))
        errors = []
        for _ in range(directions):
            along = {key: rng.normal(size=g.shape) for key, g in gradient.items()}
            up, down = ({k: parameters[k] + sign * h * along[k] for k in along} for sign in (1, -1))
            predicted = sum(np.sum(np.real(gradient[k]) * along[k]) for k in along)
            errors.append(abs((loss(up) - loss(down)) / (2 * h) - predicted) / size)
        return max(errors)

    return measure
