"""The neural wave machine: its published step, its kernel, and samples with frequencies of their own."""

import numpy as np
import pytest
from scipy.ndimage import correlate

from physnn.equations import Input, Interpreter, Output, System
from physnn.errors import ParameterError, ShapeError
from physnn.media.fields import NeuralWave


def machine(sheet, kernel=None):
    ports = {name: Input("sheet", name) for name in ("y", "omega", "alpha")}
    system = System.of([sheet.lower()], sheet.inner(0), ports, {"y": Output("sheet", "y")})
    return Interpreter(system, {} if kernel is None else {"sheet/W": kernel})


def test_steps_are_those_of_the_published_scheme():
    rng = np.random.default_rng(0)
    kernel, dt = 0.5 * rng.normal(size=(2, 2, 3, 3)), 0.1
    y, omega, alpha = rng.normal(size=(3, 2, 5, 4)), rng.random((3, 2, 5, 4)), rng.random((3, 2, 5, 4))
    found = (
        machine(NeuralWave("sheet", (2, 5, 4)), kernel)
        .run({"y": y, "omega": omega, "alpha": alpha}, 5, dt)
        .outputs["y"]
    )
    z = np.zeros_like(y)
    for step in range(5):
        carried = [
            [sum(correlate(sample[c], kernel[o, c], mode="grid-wrap") for c in range(2)) for o in range(2)]
            for sample in y
        ]
        z = z + dt * (np.tanh(np.array(carried)) - omega * y - alpha * z)
        y = y + dt * z
        np.testing.assert_allclose(found[:, step + 1], y, atol=1e-13)


def test_the_kernel_starts_as_the_laplacian_of_each_channel():
    (coupling,) = NeuralWave("sheet", (3, 5, 5)).inner(0)
    assert coupling.trainable
    assert coupling.initial.size == 3 * 3 * 9
    wanted = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    for a in range(3):
        for b in range(3):
            np.testing.assert_array_equal(coupling.initial[a, b], wanted * (a == b))


def test_a_sheet_without_coupling_rings_at_the_root_of_omega():
    start = np.ones((1, 1, 3, 3))
    found = machine(NeuralWave("sheet", (3, 3), 9.0)).run({"y": start}, 2000, 0.001).outputs["y"][0, :, 0, 1, 1]
    # The Laplacian of a uniform sheet is nothing; symplectic Euler is off by w dt/2 = 0.0015.
    np.testing.assert_allclose(found, np.cos(0.003 * np.arange(2001)), atol=2e-3)


def test_what_is_refused():
    with pytest.raises(ShapeError, match="must be"):
        NeuralWave("sheet", (5,))
    with pytest.raises(ParameterError, match="omega"):
        NeuralWave("sheet", (5, 5), omega=-1.0)
    with pytest.raises(ParameterError, match="alpha"):
        NeuralWave("sheet", (5, 5), alpha=np.nan)
