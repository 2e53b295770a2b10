"""How a gradient by reflection is compared with central finite differences."""

import numpy as np
import pytest

from physnn.equations import Interpreter, companion_inputs, gradient, reflected


class Comparison:
    """A random loss  L = sum Re(conj(w) y) + q/2 |y|^2  of all output ports, at all times or at the last."""

    def __init__(self, system, inputs, steps, dt, *, final=False, seed=0, state=None, parameters=None):
        self.system, self.inputs, self.steps, self.dt, self.state = system, inputs, steps, dt, state
        self.seed, self.rng, self.parameters = seed, np.random.default_rng(seed + 1), parameters or {}
        self.weights = {}
        for port, y in self.trace().outputs.items():
            w = self.rng.normal(size=(2, *y.shape)) + (
                1j * self.rng.normal(size=(2, *y.shape)) if np.iscomplexobj(y) else 0
            )
            if final:
                w[:, :, :-1] = 0
            self.weights[port] = w[0], np.abs(w[1])

    def trace(self, parameters=None):
        engine = Interpreter(self.system, {**self.parameters, **(parameters or {})}, seed=self.seed)
        if self.steps is None:
            return engine.steady(self.inputs, 1e-14)
        return engine.run(self.inputs, self.steps, self.dt, self.state)

    def loss(self, parameters):
        outputs = self.trace(parameters).outputs
        return sum(
            np.sum(np.real(np.conj(w) * outputs[port]) + q / 2 * np.abs(outputs[port]) ** 2)
            for port, (w, q) in self.weights.items()
        )

    def cotangents(self, outputs):
        return {port: w + q * outputs[port] for port, (w, q) in self.weights.items()}

    def reflection(self, transport="transpose", extra=None):
        """Gradients, companion, echo."""
        trace, companion = self.trace(), reflected(self.system, transport)
        drive = companion_inputs(companion, trace, self.cotangents(trace.outputs))
        engine = Interpreter(companion.system, {**self.parameters, **(extra or {})})
        if self.steps is None:
            echo = engine.steady(drive, 1e-14)
        else:
            echo = engine.run(drive, self.steps + 1, self.dt)
        return gradient(np, self.system, companion, trace, echo), companion, echo

    def slope(self, key, direction, h=3e-4):
        """The derivative of the loss along a direction in one parameter, to fourth order in h."""
        at = {**self.system.parameters, **self.parameters}[key]
        values = [self.loss({key: at + m * h * direction}) for m in (-2, -1, 1, 2)]
        return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)

    def check(self, tolerance=1e-6, h=3e-4):
        found, _, _ = self.reflection()
        assert set(found) == set(self.system.trainable)
        assert found
        for key, slope in found.items():
            at = {**self.system.parameters, **self.parameters}[key]
            assert slope.shape == at.shape
            assert np.iscomplexobj(slope) == np.iscomplexobj(at)
            direction = self.rng.normal(size=at.shape) + (
                1j * self.rng.normal(size=at.shape) if np.iscomplexobj(at) else 0
            )
            wanted = self.slope(key, direction, h)
            size = np.linalg.norm(slope) * np.linalg.norm(direction)
            assert size > 0, f"the gradient of {key} vanishes: nothing is tested"
            assert abs(np.sum(np.real(np.conj(slope) * direction)) - wanted) < tolerance * size, key


@pytest.fixture
def comparison():
    return Comparison
