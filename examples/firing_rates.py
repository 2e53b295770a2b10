"""How fast cells fire: measured rates of three kinds of spiking cells on their closed forms.

To be seen in firing_rates.svg: dots on lines. The plain cell is the fastest; a threshold that rises with every spike
slows it; an undriven apical dendrite leaks current away and shifts the onset.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import OneToOne
from physnn.media import Link, Network, Readout, Source
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.substrate import build

currents, step = np.linspace(0.9, 4.0, 12), 1e-4  # in thresholds; [s]
cells = {
    "leaky integrate-and-fire": LIF("cells", 1),
    "adaptive threshold": AdaptiveLIF("cells", 1, adaptation=0.4, adaptation_time=0.05),
    "two compartments": TwoCompartmentLIF("cells", 1),
}
figure, axis = plt.subplots(figsize=(7, 4.5))
for label, medium in cells.items():
    link = Link("in", "cells", operator=OneToOne((1,)), weights=np.ones(1))
    substrate = build(Network([Source("in", 1), medium], [link], Readout("cells", "spike")), "ideal-torch", step=step)
    inputs = {"in": substrate.asarray(currents[:, None])}
    pulses = np.asarray(substrate.run(inputs, 0.5, record=["y"]).outputs["y"])[:, :, 0]
    times = [step * np.flatnonzero(row)[np.flatnonzero(row) * step > 0.2] for row in pulses]
    measured = [(t.size - 1) / (t[-1] - t[0]) if t.size > 1 else 0.0 for t in times]
    (dots,) = axis.plot(currents, measured, "o", label=label)
    fine = np.linspace(0.9, 4.0, 400)
    axis.plot(fine, medium.rate(fine), color=dots.get_color())
axis.set(xlabel="current [threshold]", ylabel="rate [1/s]")
axis.legend()
figure.tight_layout()
figure.savefig("firing_rates.svg")
