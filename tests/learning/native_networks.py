"""Small passive networks with a way back, their losses, and derivatives of these by differences."""

import numpy as np

from physnn.equations import Interpreter
from physnn.learning import Objective
from physnn.learning.native import with_way_back
from physnn.media import SquaredError
from physnn.media.impedances import Shunts, passive_network
from physnn.substrate import build
from physnn.substrate.converters import as_numpy

ALL = ("turns", "impedances", "losses", "terminations")
SIZES = (3, 2, 2)
BATCH = 2


def passive(shunts=None, train=ALL, **options):
    """3-2-2, lossy, lines of unlike impedances."""
    given = {"transmission": 0.95, "drive": 2.0, **options}
    learnt = (*train, "shunts") if shunts else train
    return with_way_back(passive_network(SIZES, (1.0, 2.0, 0.7), shunts=shunts, train=learnt, **given))


def sinh(kind="sinh"):
    return Shunts(kind, 0.5, 1.0)


class Task:
    """A network, a batch and a squared error, to be computed by the plain interpreter."""

    def __init__(self, network, duration, steps=None, seed=0):
        rng = np.random.default_rng(seed)
        self.network, self.system = network, network.lower(1)
        self.steps = steps
        shape = (BATCH, SIZES[0]) if steps is None else (BATCH, steps + 1, SIZES[0])
        self.x, self.targets = rng.normal(size=shape), rng.normal(size=(BATCH, SIZES[-1]))
        self.objective = Objective(network.readout, SquaredError(), SIZES[-1], duration)

    def loss(self, parameters=None):
        engine = Interpreter(self.system, parameters)
        trace = engine.steady({"in": self.x}) if self.steps is None else engine.run({"in": self.x}, self.steps, 1.0)
        y, _ = self.objective.answer(np, trace)
        return self.objective.loss(np, y, self.targets)[0]

    def slope(self, directions, width=1e-5):
        """The derivative of the loss along a change of several parameters at once, by central differences."""
        ends = [
            self.loss({key: self.system.parameters[key] + sign * width * d for key, d in directions.items()})
            for sign in (1, -1)
        ]
        return (ends[0] - ends[1]) / (2 * width)


def directions(gradient, seed=5):
    """A random change of every parameter that raises the loss, so that nothing cancels in the sum over all."""
    rng = np.random.default_rng(seed)
    return {key: rng.uniform(0.5, 1.0, np.shape(value)) * np.sign(value) for key, value in gradient.items()}


def along(gradient, changes):
    """The derivative that a gradient gives along changes."""
    return sum(float(np.sum(gradient[key] * d)) for key, d in changes.items())


def gradients(task, rule, step=1.0):
    """What a rule finds on the reference substrate."""
    substrate = build(task.network, "ideal-torch", seed=1, step=step)
    data = {"in": substrate.asarray(task.x)}
    found = rule.step(substrate, data, substrate.asarray(task.targets), task.objective).gradient
    return {key: as_numpy(value) for key, value in found.items()}


def off(found, wanted):
    """Distance in parts of what is wanted."""
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
