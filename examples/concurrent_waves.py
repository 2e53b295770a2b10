"""No phases: incident and reflected wave coexist in one medium, and its weights drift while both run.

A waveguide learns exclusive-or in one uninterrupted run. Samples change every 10 time constants of the medium, nothing
tells the weights when a wave is the error, and no step of an optimiser is taken: the drift is part of the equations.
The mismatch does not go to zero: after every change of samples the waves need a few time constants to settle, and the
weights drift then too. Below it, what that costs: the cosine of the drift with the true gradient against how long a
sample stands.
"""

import numpy as np

from physnn.equations import Interpreter
from physnn.learning import Objective, ReflectedWave
from physnn.learning.alignment import cosine, layers
from physnn.learning.concurrent import Concurrent, coexisting, drifting
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate import build

step, stands, rate = 0.25, 10.0, 0.05  # [s]; the medium's time constant is 1 s; [1/s]
network = Network.layered([Source("in", 2), Waveguide("hidden", 6), Waveguide("out", 1)], gain=2.0)
both = coexisting(network.lower(seed=1))
samples = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
wanted = np.array([[-0.8], [0.8], [0.8], [-0.8]])

rng, each = np.random.default_rng(0), round(stands / step)
engine, state = Interpreter(drifting(both, rate)), None
for chapter in range(5):
    order = np.concatenate([rng.permutation(4) for _ in range(12)])
    shown = {name: np.repeat(values[order], each, axis=0)[None] for name, values in (("in", samples), ("y", wanted))}
    inputs = {"in": shown["in"], "y.target": shown["y"], "y.shown": np.ones_like(shown["y"])}
    trace = engine.run(inputs, order.size * each, step, state)
    state = trace.state
    seen = trace.outputs["y"][0, each - 1 : -1 : each]  # at the end of every sample's time
    mismatch, right = np.mean((seen - wanted[order]) ** 2), np.mean(np.sign(seen) == np.sign(wanted[order]))
    print(f"after {48 * stands * (chapter + 1):5.0f} s: mismatch {mismatch:.4f}, right {right:.2f}")

print("\nsample stands   cosine of the mean drift with the gradient, each layer")
together, alone = (build(system, "ideal-torch", step=0.05) for system in (both, network.lower(seed=1)))
inputs, targets = {"in": together.asarray(samples)}, together.asarray(wanted)
slope = ReflectedWave().step(alone, inputs, targets, Objective(network.readout, SquaredError(), 1)).gradient
for duration in (3.0, 10.0, 30.0, 100.0, None):
    objective = Objective(network.readout, SquaredError(), 1, duration)
    found = Concurrent().step(together, inputs, targets, objective).gradient
    each_layer = [cosine(found, slope, keys) for keys in layers(alone.placed.system).values()]
    print(
        f"{'for ever' if duration is None else f'{duration:5.0f} s':>13}  ", *(f"{value:.5f}" for value in each_layer)
    )
