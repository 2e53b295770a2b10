"""A step of 1 V runs into a mismatched line and bounces between its ends, as the bounce diagram says.

To be seen in bounces_on_a_line.svg: the staircase of the voltage at the load, with the closed form
V (1 + R_load) T_source sum_n (R_load R_source)^n as a dashed line; and where the energy that the source delivered went.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import OneToOne
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import Line, Resistor, Termination, energy_balance
from physnn.substrate import build

Z0, SOURCE, LOAD, DELAY, STEP, STEPS = 50.0, 10.0, 300.0, 1e-9, 0.1e-9, 200
line = Line("line", 1, impedance=Z0, delay=DELAY)
parts = Source("in", 1), Termination("generator", 1, Resistor(SOURCE)), line, Termination("load", 1, Resistor(LOAD))
enter = Link("in", "generator", operator=OneToOne((1,)), weights=np.array([1.0]), trainable=False, wire=True)
network = Network(parts, (enter, *line.links("generator", "load")), Readout("load", "u"))
substrate = build(network, "ideal-waveguide", step=STEP)
trace = substrate.run({"in": np.ones((1, 1))}, STEPS * STEP)

times = STEP * np.arange(STEPS + 1)
at_source, at_load = (SOURCE - Z0) / (SOURCE + Z0), (LOAD - Z0) / (LOAD + Z0)
arrivals = np.floor((times - DELAY) / (2 * DELAY) + 1 + 1e-9).astype(int)  # how often a front has reached the load
terms = (at_load * at_source) ** np.arange(STEPS)
diagram = Z0 / (SOURCE + Z0) * (1 + at_load) * np.array([terms[:n].sum() for n in arrivals])
voltage = trace.outputs["y"][0, :, 0]
print(f"largest difference from the bounce diagram: {np.abs(voltage - diagram).max():.1e} V")

balance = energy_balance(network, trace)
print(f"energy: error of the balance relative to what was delivered {float(np.max(np.abs(balance.error))):.1e}")

figure, axis = plt.subplots(figsize=(6, 3.2))
axis.step(times * 1e9, voltage, where="post", label="simulated")
axis.step(times * 1e9, diagram, "--", where="post", label="bounce diagram")
axis.axhline(LOAD / (LOAD + SOURCE), color="0.6", linewidth=1, label="at rest")
axis.set(xlabel="time [ns]", ylabel="voltage at the load [V]")
axis.legend()
figure.tight_layout()
figure.savefig("bounces_on_a_line.svg")
