"""Hearing the shape of a drum: two that sound alike (Gordon, Webb, Wolpert 1992), and a third that does not.

To be seen in drum_modes.svg: above, the drums, each some time after the same stroke; below, what is heard of them. The
peaks of the first two stand at the same frequencies, though their heights differ; the third, of the same area, has
others.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.path import Path

from physnn.equations import Input
from physnn.media import Network, Readout
from physnn.media.fields import WaveField
from physnn.substrate import build

outlines = {
    "first": [(0, 0), (0, 1), (2, 3), (2, 2), (3, 2), (2, 1), (1, 1), (1, 0)],
    "second": [(1, 0), (0, 1), (0, 2), (2, 2), (2, 3), (3, 2), (2, 1), (1, 1)],
    "third": [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 2), (1, 0)],
}
nodes, step = 10, 0.05  # nodes to the unit of length; time step [s]
y, x = np.mgrid[1 : 3 * nodes, 1 : 3 * nodes] / nodes
around = [np.stack([x + a, y + b], axis=-1).reshape(-1, 2) for a in (-1e-3, 1e-3) for b in (-1e-3, 1e-3)]
inside = [np.all([Path(outline).contains_points(points) for points in around], axis=0) for outline in outlines.values()]
opened = np.reshape(inside, (3, 1, *x.shape)).astype(float)  # nodes on an outline are clamped
struck = opened * np.exp(-((x - 1.4) ** 2 + (y - 1.5) ** 2) / 0.02)

drum = WaveField("drum", x.shape, spacing=1 / nodes, obstacles=np.zeros(x.shape, dtype=bool))
ports = {"psi": Input("drum", "psi"), "open": Input("drum", "open")}
substrate = build(Network((drum,), (), Readout("drum", "wave"), inputs=ports), "ideal-torch", step=step)
inputs = {"psi": substrate.asarray(struck), "open": substrate.asarray(opened)}
waves = np.asarray(substrate.run(inputs, 300.0, record=["y"]).outputs["y"])[:, :, 0]

figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharey="row")
sound = waves[:, :, 14, 12] * np.hanning(waves.shape[1])
for drum_number, name in enumerate(outlines):
    above, below = axes[:, drum_number]
    frame = np.where(opened[drum_number, 0] > 0, waves[drum_number, 30], np.nan)
    above.imshow(frame, origin="lower", cmap="RdBu", vmin=-0.3, vmax=0.3)
    above.set(title=f"{name} drum", xticks=[], yticks=[])
    below.plot(np.fft.rfftfreq(sound.shape[1], step), np.abs(np.fft.rfft(sound[drum_number])))
    below.set(xlim=(0.4, 1.2), xlabel="frequency [Hz]")
axes[1, 0].set_ylabel("amplitude")
figure.tight_layout()
figure.savefig("drum_modes.svg")
