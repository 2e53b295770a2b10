"""Which of two pulses came first? Recurrent spiking cells learn it by e-prop, beside the whole surrogate gradient.

E-prop carries a trace at every synapse forward in time and leaves out what passes from cell to cell; the reflected wave
brings the error back through all of them. The cosine says how far the two point the same way before training.
"""

import numpy as np

from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.learning.alignment import cosines
from physnn.learning.eprop import EProp
from physnn.media import CrossEntropy, Link, Network, Readout, Source, Waveguide
from physnn.media.spiking import LIF
from physnn.substrate import build

step, steps = 1e-3, 40  # [s]
rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 160)
currents = 0.3 * np.abs(rng.normal(size=(160, steps + 1, 2)))
for sample, first in zip(currents, labels, strict=True):
    sample[2:10, first] += 1.0
    sample[22:30, 1 - first] += 1.0
shown, held_out = slice(0, 96), slice(96, 160)

links = [Link("in", "cells", gain=4.0), Link("cells", "out"), Link("cells", "cells", name="recurrent", delay=step)]
readout = Waveguide("out", 2, "identity", time_constant=0.01)
network = Network([Source("in", 2), LIF("cells", 24, bias=True), readout], links, Readout("out"))
objective = Objective(network.readout, CrossEntropy(4.0), 2, steps * step)

print(f"{'rule':16s} {'before':>8s} {'after':>8s} {'cosine of the hidden layer':>28s}")
for rule in (EProp(), EProp("random", "random-e-prop"), ReflectedWave()):
    substrate = build(network, "ideal-torch", seed=0, step=step)
    aligned = cosines(substrate, rule, objective, currents[shown], labels[shown])[0]
    before = accuracy(substrate, objective, currents[held_out], labels[held_out])
    train(substrate, rule, objective, currents[shown], labels[shown], Settings(epochs=8, batch=16, rate=0.02))
    after = accuracy(substrate, objective, currents[held_out], labels[held_out])
    print(f"{rule.name:16s} {before:8.3f} {after:8.3f} {aligned:28.4f}")
