"""One trace, many answers: what each readout takes from a swinging element, and which moments its error wave touches.

To be seen in readouts_of_one_trace.svg: above, a Duffing oscillator rings down, and its pitch falls with its amplitude.
Below, for each readout y, its value and dy/dx(t), where in time the reflected wave enters: at the end, at the highest
peak, everywhere alike, along the carrier, at the first and the last of the crossings that were counted.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import Input
from physnn.media import Demodulated, EffectiveFrequency, Medium, Network, Readout
from physnn.substrate import build

medium = Medium(
    "duffing",
    1,
    """
    dx/dt = v                        : 1
    dv/dt = z - g*v - k*x - beta*x**3 : 1/s
    z    : 1/s**2 (arrival)
    g    : 1/s    (parameter)
    k    : 1/s**2 (parameter)
    beta : 1/s**2 (parameter)
    """,
    {"g": 0.4, "k": 36.0, "beta": 80.0},
    integrator="verlet",
)
network = Network((medium,), (), Readout("duffing"), inputs={"kick": Input("duffing", "v")})
substrate = build(network, "ideal-torch", step=0.01)
trace = substrate.run({"kick": substrate.asarray([[8.0]])}, 6.0)
times = np.arange(601) * 0.01

readouts = {
    "last": "last",
    "max": "max",
    "mean": "mean",
    "carrier at 1.2 Hz": Demodulated(2 * np.pi * 1.2, part="abs"),
    "frequency [Hz]": EffectiveFrequency(),
}
figure, axes = plt.subplots(1 + len(readouts), 1, figsize=(7, 8), sharex=True)
axes[0].plot(times, np.asarray(trace.outputs["y"])[0, :, 0])
axes[0].set_ylabel("x(t)")
for below, (name, kind) in zip(axes[1:], readouts.items(), strict=True):
    readout = Readout("duffing", kind=kind, skip=1)
    y = readout.read(substrate.xp, trace)
    slope = np.asarray(readout.pull_back(substrate.xp, trace, substrate.xp.ones_like(y))["y"])[0, :, 0]
    below.vlines(times[slope != 0], 0, slope[slope != 0], lw=1)
    below.set_ylabel("dy/dx(t)")
    below.set_title(f"{name}: {float(y):.3g}", loc="left", fontsize="medium")
axes[-1].set_xlabel("time [s]")
figure.tight_layout()
figure.savefig("readouts_of_one_trace.svg")
