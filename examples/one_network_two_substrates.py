"""Describe a layered waveguide once; run it on tensors and on simulated transmission lines; compare the waves."""

import numpy as np

from physnn.media import Network, Source, Waveguide
from physnn.substrate import build

network = Network.layered([Source("input", 4), Waveguide("hidden", 8), Waveguide("output", 3)])
wave = np.random.default_rng(0).uniform(-1, 1, (5, 4))

answers = {}
for profile in ("ideal-torch", "ideal-waveguide", "photonic-mzi"):
    substrate = build(network, profile, seed=1)
    trace = substrate.steady({"input": substrate.asarray(wave)})
    answers[profile] = np.asarray(trace.outputs["y"])[:, -1]

for profile, answer in answers.items():
    difference = np.max(np.abs(answer - answers["ideal-torch"]))
    print(f"{profile:16s} first sample {np.round(answer[0], 4)}   largest difference to torch {difference:.1e}")
