"""Digits on a carrier: trained on the envelope by reflected waves, then heard on the oscillating medium itself.

The picture shows the ten output oscillators while one digit is on: all ring at the carrier's frequency, the one that
belongs to the digit in phase with the drive (its crests fall on whole periods), the others against it. Dashed: the part
of the amplitude that is in phase, as the envelope gives it.
"""

from dataclasses import replace
from math import pi

import matplotlib.pyplot as plt
import numpy as np

from physnn.datasets import load
from physnn.learning import Objective, ReflectedWave, Settings, accuracy, train
from physnn.media import CrossEntropy, Network, Readout, Source
from physnn.media.carrier import on_carrier
from physnn.media.envelope import EnvelopeMedium
from physnn.media.potential import duffing, harmonic
from physnn.substrate import build

digits = load("digits")
layers = [EnvelopeMedium("hidden", 32, duffing()), EnvelopeMedium("output", 10, harmonic(), bias=False)]
network = Network.layered([Source("pixels", 64), *layers])
network = replace(network, readout=Readout("output", "p"))
envelope = build(network, "ideal-torch", seed=0)
objective = Objective(network.readout, CrossEntropy(5.0), digits.classes)

seen, held_out = digits.part("train"), digits.part("validation")
train(envelope, ReflectedWave(), objective, 2 * seen.inputs, seen.labels, Settings(epochs=8, rate=0.02))
print("validation accuracy by the envelope:", accuracy(envelope, objective, 2 * held_out.inputs, held_out.labels))

sounding = on_carrier(network)
carrier = build(sounding, "ideal-torch", step=2 * pi / 64)
weights = sounding.lower().couplings.keys()
carrier.write({name: value for name, value in envelope.read().items() if name in weights})
trace = carrier.run({"pixels": 2 * held_out.inputs}, duration=14 * 2 * pi, record=["y"])
heard = np.asarray(replace(sounding.readout, skip=12 * 64).read(carrier.xp, trace))
print("validation accuracy on the carrier: ", np.mean(np.argmax(heard, axis=1) == held_out.labels))

times, x = np.arange(trace.outputs["y"].shape[1]) / 64, np.asarray(trace.outputs["y"])[0]
settled = np.asarray(envelope.steady({"pixels": 2 * held_out.inputs[:1]}).outputs["y"])[0, 0]
for digit in range(10):
    (line,) = plt.plot(times, x[:, digit] + 4 * digit, lw=1)
    plt.plot(times, settled[digit] + 0 * times + 4 * digit, "--", lw=0.8, color=line.get_color())
plt.yticks(4 * np.arange(10), [str(digit) for digit in range(10)])
plt.xlabel("time [periods of the carrier]")
plt.ylabel("output oscillator")
plt.title(f"a {held_out.labels[0]} on a carrier")
plt.savefig("carrier_digits.svg")
