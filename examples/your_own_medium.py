"""A medium of your own, as equations: Duffing oscillators, driven in time, with the exact gradient of a trajectory."""

import numpy as np

from physnn.equations import gradient
from physnn.media import Link, Medium, Network, Readout, Source
from physnn.substrate import CompanionSpec, build

oscillators = Medium(
    "oscillators",
    3,
    """
    dx/dt = v                               : 1
    dv/dt = drive - g*v - k*x - beta*x**3   : 1/s
    drive : 1/s**2 (arrival)
    g     : 1/s    (parameter)
    k     : 1/s**2 (trainable)
    beta  : 1/s**2 (trainable)
    """,
    {"g": 0.2, "k": [1.0, 2.0, 3.0], "beta": 0.5},
    arrival="drive",
    unit="1/s**2",
)
network = Network((Source("force", 2), oscillators), (Link("force", "oscillators"),), Readout("oscillators"))
substrate = build(network, "ideal-torch", step=0.02)

times = np.arange(0, 20, 0.02)
force = np.stack([np.sin(times), np.cos(0.7 * times)], axis=-1)[None]
trace = substrate.run({"force": substrate.asarray(force)}, duration=20.0)
x = trace.outputs["y"]
print("final positions:", np.asarray(x[0, -1]))

cotangent = {"y": x / x.shape[1]}  # of the loss 1/2 mean_t |x(t)|^2
echo = substrate.companion(CompanionSpec(), trace).run(cotangent)
slopes = gradient(substrate.xp, substrate.placed.system, substrate.placed.companion("transpose"), trace, echo)
for name, value in slopes.items():
    print(f"dL/d {name}: {np.round(np.asarray(value), 5).tolist()}")
