"""Planted faults: each must make at least one test fail. Run with `python tests/mutations.py [NAME ...]`.

Every fault is one replacement in one file, made in a copy of the tree; the tests named with it are run there until the
first failure. A fault that survives, or whose text is no longer in the file, is printed, and the exit code is 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutation:
    """A fault: `old` becomes `new` in `file`, and some test under `tests` must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation(
        "sigma' at the wrong state",
        "physnn/equations/companion.py",
        "list(range(field.shape[1] - 1, -1, -1))",
        "[max(n - 1, 0) for n in range(field.shape[1] - 1, -1, -1)]",
        "tests/equations tests/backends/test_torch.py",
    ),
    Mutation("wrong sign of the damping", "physnn/media/waveguide.py", "- gamma*x", "+ gamma*x", "tests/media"),
    Mutation(
        "mean over the batch forgotten",
        "physnn/media/losses.py",
        "mismatch / y.shape[0]",
        "mismatch",
        "tests/media tests/learning",
    ),
    Mutation(
        "half of the squared error forgotten", "physnn/media/losses.py", "0.5 * xp.sum(", "xp.sum(", "tests/media"
    ),
    Mutation(
        "seed ignored",
        "physnn/streams.py",
        "{seed}\\x1f",
        "\\x1f",
        "tests/test_streams.py tests/substrate tests/conformance",
    ),
    Mutation(
        "circular for zero padding",
        "physnn/equations/stencils.py",
        'if self.padding == "circular":',
        "if True:",
        "tests/equations",
    ),
    Mutation(
        "die drawn anew at every call",
        "physnn/substrate/placement.py",
        "if key not in self._die:",
        "if True:\n            key = key + str(id(object()))",
        "tests/substrate tests/conformance",
    ),
    Mutation(
        "transpose forgotten",
        "physnn/equations/operators.py",
        "(y.shape[0], self.rows)) @ weight",
        "(y.shape[0], self.rows)) @ weight.T",
        "tests/equations",
    ),
    Mutation(
        "delay short by one step in the executor",
        "physnn/execution/stepping.py",
        "line[-delay]",
        "line[max(1 - delay, -len(line))]",
        "tests/execution tests/backends tests/conformance",
    ),
    Mutation(
        "delay short by one step on lines",
        "backends/physnn_waveguide/lines.py",
        "line[-delay]",
        "line[max(1 - delay, -len(line))]",
        "tests/backends tests/conformance",
    ),
    Mutation(
        "converter with twice the levels",
        "physnn/substrate/converters.py",
        "(2 ** (bits - 1) - 1)",
        "(2**bits - 1)",
        "tests/substrate",
    ),
    Mutation(
        "step forgotten in a gradient in time",
        "physnn/equations/companion.py",
        "scale = 1.0 if incident.steady else incident.step",
        "scale = 1.0",
        "tests/equations tests/conformance",
    ),
    Mutation(
        "half of the Johnson noise",
        "physnn/substrate/placement.py",
        "4 * power * resistance",
        "2 * power * resistance",
        "tests/substrate",
    ),
    Mutation(
        "line loss without its noise",
        "backends/physnn_waveguide/detectors.py",
        "10 ** (loss.value / 20)",
        "1.0",
        "tests/backends",
    ),
    Mutation(
        "feedback alignment through the transpose",
        "physnn/learning/feedback_alignment.py",
        '"random"',
        '"transpose"',
        "tests/learning tests/cli",
    ),
    Mutation(
        "initial weights not scaled by the fan-in",
        "physnn/media/network.py",
        "/ np.sqrt(operator.fan_in)",
        "",
        "tests/media",
    ),
    Mutation(
        "energy of a batch billed to each sample",
        "physnn/energy/bill.py",
        "total=self.total * (1.0 / n)",
        "total=self.total",
        "tests/energy",
    ),
    Mutation(
        "launches free",
        "physnn/energy/processor.py",
        "_launch_power(constants) * launch",
        "_launch_power(constants) * 0.0",
        "tests/energy",
    ),
    Mutation(
        "bias correction of Adam forgotten",
        "physnn/learning/optimisers.py",
        "rate * math.sqrt(1 - self.beta2**count) / (1 - self.beta1**count)",
        "rate",
        "tests/learning",
    ),
    Mutation(
        "noise stream not restored",
        "backends/physnn_waveguide/backend.py",
        'self.passes.update(snapshot["passes"])',
        "pass",
        "tests/backends tests/learning tests/conformance",
    ),
    Mutation(
        "positions carried on by old velocities",
        "physnn/equations/integrators.py",
        "population.flows[n].xreplace(new)",
        "population.flows[n]",
        "tests/equations",
    ),
    Mutation(
        "first kick of Verlet whole",
        "physnn/equations/integrators.py",
        "(step / 2, time < step / 2)",
        "(step, time < step / 2)",
        "tests/equations",
    ),
    Mutation(
        "slope of events forgotten",
        "physnn/equations/surrogate.py",
        "happens + pseudo(margin, slope)",
        "happens",
        "tests/equations",
    ),
    Mutation(
        "cells that rest fire in the companion",
        "physnn/equations/surrogate.py",
        "(1 - step(waited)) * (happens",
        "(happens",
        "tests/equations",
    ),
    Mutation(
        "mirrored edges of a half node",
        "physnn/equations/stencils.py",
        "_cut(x, axis, 1, reach + 1), axis=axis)",
        "_cut(x, axis, 0, reach), axis=axis)",
        "tests/equations",
    ),
    Mutation(
        "step forgotten at input ports",
        "physnn/equations/companion.py",
        "axis=1) * incident.step",
        "axis=1)",
        "tests/equations",
    ),
    Mutation(
        "clock of the waveguide stands still",
        "backends/physnn_waveguide/lines.py",
        "TIME: now * h",
        "TIME: 0.0",
        "tests/backends tests/conformance",
    ),
    Mutation(
        "Laplacian of half the strength",
        "physnn/media/fields/lattice.py",
        "-2 / spacing**2",
        "-1 / spacing**2",
        "tests/media",
    ),
)
"""The planted faults."""


def outcome(mutation: Mutation) -> str:
    """ "caught: TEST", "survived" or "not planted"."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".*", "__pycache__", "physnn-results", "dist", "build")
        shutil.copytree(ROOT, copy, ignore=ignored)
        target = copy / mutation.file
        text = target.read_text(encoding="utf-8")
        if mutation.old not in text:
            return "not planted: its text is no longer in the file"
        target.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        paths = [path for path in mutation.tests.split() if (copy / path).exists()]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(str(copy / part) for part in ("", "backends", "hardware_profiles")),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *paths]
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=1200)
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if done.returncode == 1 and failed:
            return f"caught: {failed[0].split(' - ')[0].partition(' ')[2]}"
        return "survived" if done.returncode == 0 else f"not tested: pytest exited with {done.returncode}"


def main(names: list[str]) -> int:
    """Plant the named faults, or all; 0 if every one is caught."""
    chosen = [m for m in MUTATIONS if not names or m.name in names]
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip((m.name for m in chosen), pool.map(outcome, chosen), strict=True))
    for name, said in found.items():
        print(f"{name:45s} {said}")
    caught = sum(said.startswith("caught") for said in found.values())
    print(f"{caught} of {len(found)} faults caught")
    return 0 if caught == len(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
