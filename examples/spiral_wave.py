"""A spiral in an excitable medium: a pulse is cut in half, and its loose end curls up.

To be seen in spiral_wave.png: the excitation at six times. A plane wave whose upper half is taken away winds itself
into a spiral, which from then on turns on its own.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import Input
from physnn.media import Network, Readout
from physnn.media.fields import ExcitableField
from physnn.substrate import build

nodes, step, times = 100, 0.4, (0, 100, 200, 400, 600, 800)  # [s]
y, x = np.mgrid[:nodes, :nodes]
excited = ((x > 45) & (x < 52) & (y < 50)).astype(float)
tired = 0.12 * ((x <= 45) & (y < 50))  # behind the pulse, the medium still recovers

medium = ExcitableField("medium", (nodes, nodes), diffusion=0.3, threshold=0.05, recovery=0.008)
ports = {"psi": Input("medium", "psi"), "w": Input("medium", "w")}
substrate = build(Network((medium,), (), Readout("medium", "wave"), inputs=ports), "ideal-torch", step=step)
inputs = {"psi": substrate.asarray(excited[None, None]), "w": substrate.asarray(tired[None, None])}
waves = np.asarray(substrate.run(inputs, times[-1], record=["y"]).outputs["y"])[0, :, 0]

figure, axes = plt.subplots(2, 3, figsize=(8, 5.6))
for panel, time in zip(axes.flat, times, strict=True):
    panel.imshow(waves[round(time / step)], origin="lower", cmap="magma", vmin=-0.2, vmax=1.0)
    panel.set(title=f"t = {time} s", xticks=[], yticks=[])
figure.tight_layout()
figure.savefig("spiral_wave.png", dpi=120)
