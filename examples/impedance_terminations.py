"""A pulse meets the ends of four lines: what comes back from a match, a resonant circuit, a capacitor and a stub.

To be seen in impedance_terminations.svg: the matched line sends nothing back; the resonant circuit rings; the capacitor
is a short circuit first and an open end later; the shorted stub answers a second time, when its own echo is back.
"""

import matplotlib.pyplot as plt
import numpy as np

from physnn.equations import OneToOne
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import Capacitor, Inductor, Line, Resistor, Stub, Termination
from physnn.substrate import build

STEP, STEPS = 5e-12, 800
ends = {
    "50 ohm": Resistor(50.0),
    "10 ohm + 5 nH + 1 pF": Resistor(10.0) + Inductor(5e-9) + Capacitor(1e-12),
    "20 ohm + 4 pF": Resistor(20.0) + Capacitor(4e-12),
    "100 ohm beside a shorted stub": Resistor(100.0) | Stub(50.0, 300e-12, "shorted"),
}
times = STEP * np.arange(STEPS)
pulse = np.exp(-(((times - 0.4e-9) / 0.1e-9) ** 2))[None, :, None]

figure, axes = plt.subplots(len(ends), sharex=True, figsize=(7, 7))
for axis, (name, impedance) in zip(axes, ends.items(), strict=True):
    line = Line("line", 1, impedance=50.0, delay=500e-12)
    parts = Source("in", 1), Termination("generator", 1, Resistor(50.0)), line, Termination("end", 1, impedance)
    enter = Link("in", "generator", operator=OneToOne((1,)), weights=np.array([2.0]))
    network = Network(parts, (enter, *line.links("generator", "end")), Readout("end", "u"))
    substrate = build(network, "ideal-torch", step=STEP)
    fields = substrate.run({"in": substrate.asarray(pulse)}, STEPS * STEP).fields
    for label, key in (("arrives at the end", "end.b"), ("comes back", "generator.b")):
        axis.plot(times * 1e9, np.asarray(fields[key])[0, :-1, 0], label=label)
    axis.set(title=name, ylabel="wave [V]", ylim=(-1.1, 1.1))
axes[0].legend(loc="right")
axes[-1].set_xlabel("time [ns]")
figure.tight_layout()
figure.savefig("impedance_terminations.svg")
