"""Kuramoto oscillators begin to agree: the order r over the coupling K, 2000 oscillators with Lorentzian frequencies.

To be seen in kuramoto_onset.svg: below Kc = 2 Delta the phases stay spread, above it r follows sqrt(1 - Kc/K). All
strengths run side by side as one batch, through an input port on the parameter K.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import Input
from physnn.media import Network, Readout
from physnn.media.oscillators import MeanFieldKuramoto
from physnn.substrate import build

COUNT, WIDTH = 2000, 0.5
quantiles = (np.arange(COUNT) + 0.5) / COUNT
oscillators = MeanFieldKuramoto(
    "oscillators",
    COUNT,
    frequency=WIDTH * np.tan(np.pi * (quantiles - 0.5)),
    start=np.random.default_rng(0).uniform(0, 2 * np.pi, COUNT),
)
network = Network((oscillators,), (), Readout("oscillators", "theta"), inputs={"coupling": Input("oscillators", "K")})
substrate = build(network, "ideal-torch", step=0.05)

strengths = np.linspace(0.2, 3.0, 15)
coupling = substrate.asarray(np.repeat(strengths[:, None], COUNT, axis=1))
settled = substrate.run({"coupling": coupling}, duration=60.0, record=())
theta = np.asarray(substrate.run({"coupling": coupling}, 20.0, settled.state, record=("y",)).outputs["y"])
order = np.abs(np.mean(np.exp(1j * theta), axis=2)).mean(axis=1)
for strength, r in zip(strengths, order, strict=True):
    print(f"K = {strength:.1f}: r = {r:.3f}")

above = np.linspace(2 * WIDTH, strengths[-1], 200)
plt.plot(above, np.sqrt(1 - 2 * WIDTH / above), label="sqrt(1 - Kc/K)")
plt.plot(strengths, order, "o", label="measured")
plt.xlabel("coupling K [1/s]")
plt.ylabel("order r")
plt.legend()
plt.savefig("kuramoto_onset.svg")
