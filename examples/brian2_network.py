"""A physnn network as a plain Brian2 Network: its groups, a monitor of volts, and the reflected wave beside it.

    python examples/brian2_network.py

Needs the extra `brian2`. Two layers of leaky capacitors are driven by three currents for half a second of model time.
"""

import brian2
import numpy as np

from physnn.equations import Coupling, Dense, Input, Output, Population, System
from physnn.substrate import build
from physnn.substrate.contract import CompanionSpec

RC = """
dv/dt = (I - v/R)/C : V
I : A   (arrival)
R : ohm (parameter)
C : F   (parameter)
"""


def main():
    rng = np.random.default_rng(0)
    drive = Population.from_text("in", 3, "u : A (input)")
    first = Population.from_text("first", 4, RC, {"R": 100.0, "C": 1e-4})
    last = Population.from_text("last", 2, RC, {"R": 50.0, "C": 4e-4})
    enter = Coupling("in->first", "in", "first", "u", Dense(4, 3), "I", initial=rng.normal(size=(4, 3)))
    onward = Coupling(
        "first->last", "first", "last", "v", Dense(2, 4), "I", unit="A/V", initial=rng.normal(size=(2, 4)) / 100
    )
    system = System.of([drive, first, last], [enter, onward], {"in": Input("in", "u")}, {"y": Output("last", "v")})

    substrate = build(system, "ideal-brian2", step=1e-3)
    group = substrate.groups["last"]
    print(group.equations)
    monitor = brian2.StateMonitor(group, "v", record=True, clock=group.clock)
    substrate.network.add(monitor)
    trace = substrate.run({"in": rng.normal(size=(1, 3)) * 1e-2}, 0.5)
    print(f"at {monitor.t[-1]}: {monitor.v[0][-1]} and {monitor.v[1][-1]}")
    assert np.allclose(monitor.v.T / brian2.volt, trace.outputs["y"][0, :-1])

    echo = substrate.companion(CompanionSpec(), trace).run({"y": trace.outputs["y"]})
    print(f"reflected wave in the first layer, sum of squares: {np.sum(echo.fields['first.v'] ** 2):.3g}")


if __name__ == "__main__":
    main()
