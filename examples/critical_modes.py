"""Critical modes: spiking slows down towards a critical excitation, and unlike modes lock at once.

To be seen in critical_modes.svg: above, one mode at four excitations (of which the last is beyond the critical one: one
turn, then silence); below, the phases of ten modes of unlike frequencies, whose couplings were solved for.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import Input
from physnn.media import Network, Readout
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import effective_frequency_ratio, synchronising_couplings
from physnn.substrate import build

criticality = np.array([0.25, 0.9, 0.99, 1.01])
alone = CriticalModes("mode", 1, integrator="rk4")
network = Network([alone], [], Readout("mode", "re(a)"), inputs={"gamma": Input("mode", "gamma")})
substrate = build(network, "ideal-torch", step=0.05)
excitation = substrate.asarray(criticality[:, None] * alone.critical.excitation)
waves = np.asarray(substrate.run({"gamma": excitation}, 150.0, record=["y"]).outputs["y"])[:, :, 0]

omega = (np.arange(10) + 0.5) / 5.0
couplings = synchronising_couplings(omega, 0.0, target_omega=1.0, target_gamma=1.8)
modes = CriticalModes("modes", 10, gamma=0.0, omega=omega, couplings=couplings)
network = Network([modes], [], Readout("modes", "a"), inputs={"start": Input("modes", "a")})
substrate = build(network, "ideal-torch", step=0.02)
start = 0.3 * np.exp(2j * np.pi * np.random.default_rng(0).uniform(size=(1, 10)))
together = np.asarray(substrate.run({"start": substrate.asarray(start)}, 40.0, record=["y"]).outputs["y"])[0]

figure, axes = plt.subplots(5, 1, figsize=(8, 9))
for axis, wave, cr in zip(axes, waves, criticality, strict=False):
    axis.plot(0.05 * np.arange(wave.size), wave)
    axis.set(ylabel="Re a", title=f"gamma = {cr} gamma_c, omega_s = {float(effective_frequency_ratio(cr)):.3f} omega")
axes[-1].plot(0.02 * np.arange(len(together)), np.angle(together))
axes[-1].set(xlabel="time", ylabel="phases", title="ten modes, omega = 0.1 to 1.9")
figure.tight_layout()
figure.savefig("critical_modes.svg")
