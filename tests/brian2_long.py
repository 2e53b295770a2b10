"""Continuous Brian2 against the interpreter after 1000 steps of the same integrator, for every medium of the catalogue.

    python tests/brian2_long.py [--steps 1000] [--most 1e-6] [NAME ...]

The error is the largest deviation of the read-out over all steps, relative to its largest amplitude. Media that the
backend refuses are named with its reason; at least nine in ten must not be. It is too long for the tests.
"""

import argparse
import sys

import numpy as np

from physnn.equations import Interpreter
from physnn.errors import NumericsError
from physnn.substrate import find_backend, find_profile
from physnn.substrate.contract import REFUSED
from physnn.substrate.placement import place
from physnn.testing.conformance.systems import media

NOT_REFUSED = 0.9


def error(backend, case, steps):
    """Of so many steps: one sample, inputs held; None where the medium itself leaves the range of numbers."""
    placed = place(case.system, find_profile("ideal-brian2"), step=case.step)
    inputs = {name: value[:1] for name, value in case.inputs.items()}
    try:
        wanted = Interpreter(placed.system, placed.realise(placed.system.parameters), seed=placed.seed).run(
            inputs, steps, placed.step
        )
    except NumericsError as reason:
        print(f"{case.name}: not compared, the interpreter says: {reason}", flush=True)
        return None
    y, z = wanted.outputs["y"], backend.build(placed).run(inputs, steps * placed.step).outputs["y"]
    return float(np.max(np.abs(z - y)) / (np.max(np.abs(y)) or 1.0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--most", type=float, default=1e-6)
    given = parser.parse_args()
    backend, found, refused = find_backend("brian2"), {}, 0
    cases = [case for case in media() if not given.names or case.name in given.names]
    for case in cases:
        reasons = [f for f in backend.check(case.system, find_profile("ideal-brian2")) if f.status == REFUSED]
        if reasons:
            refused += 1
            print(f"{case.name}: refused, {reasons[0].part}: {reasons[0].detail}", flush=True)
            continue
        if (one := error(backend, case, given.steps)) is not None:
            found[case.name] = one
            print(f"{case.name}: {one:.1e}", flush=True)
    worst = max(found, key=found.__getitem__)
    print(f"{len(found)} media of {len(cases)}, {refused} refused; worst {found[worst]:.1e} ({worst})")
    ran = (len(cases) - refused) / len(cases)
    return int(not (found[worst] <= given.most and ran >= NOT_REFUSED))


if __name__ == "__main__":
    sys.exit(main())
