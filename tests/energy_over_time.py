"""Energy balance of passive networks over many steps:  in = stored + dissipated + out, to 1e-9 of what came in.

    python tests/energy_over_time.py [--steps 100000]

Networks 6-4-3 with each nonlinear shunt, driven by noise, with and without loss; runs of 1000 steps that continue each
other. Too long for the tests: 1e5 steps of the seven networks take some minutes.
"""

import argparse
import sys

from physnn import streams
from physnn.execution import Engine, NumpyArrays, Run
from physnn.media.impedances import Shunts, energy_balance, passive_network

MOST = 1e-9
CHUNK = 1000
CASES = {
    **{kind: {"shunts": Shunts(kind, 0.2, 1.0)} for kind in ("sinh", "diode", "tanh", "cubic", "saturable", "duffing")},
    "sinh, lossy lines of fractional length": {"shunts": Shunts(), "transmission": 0.97, "delays": 2.3, "step": 1.0},
}


def error(steps, **options):
    """Of the balance over so many steps, relative to what came in."""
    network = passive_network((6, 4, 3), (1.0, 2.0, 1.5), drive=3.0, **options)
    system = network.lower(0)
    engine = Engine(system.discrete, NumpyArrays())
    state, total = None, None
    for number in range(0, steps, CHUNK):
        drive = {"in": streams.uniform(0, f"drive {number}", "test", (1, CHUNK, 6))}
        trace = Run(engine, system.parameters, drive, 1.0, 0, state).advance(min(CHUNK, steps - number))
        balance = energy_balance(network, trace, system=system)
        state, total = trace.state, balance if total is None else total + balance
    return total.error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    steps = parser.parse_args().steps
    worst = 0.0
    for name, options in CASES.items():
        found = error(steps, **options)
        worst = max(worst, found)
        print(f"{name}: {found:.2e} over {steps} steps", flush=True)
    return int(not worst <= MOST)


if __name__ == "__main__":
    sys.exit(main())
