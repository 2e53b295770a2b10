"""Checks of states and trajectories: against the interpreter, in batches, conserved, delayed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from physnn.substrate.converters import as_numpy
from physnn.testing.conformance import systems
from physnn.testing.conformance.bench import Bench, oracle_run, oracle_steady, relative
from physnn.testing.conformance.systems import Case

Measured = tuple[float, float]
"""Error and tolerance."""


def steady_state(bench: Bench, case: Case) -> Iterator[Measured]:
    """The stationary state is the interpreter's."""
    substrate = bench.build(case.system, step=case.step)
    wanted = oracle_steady(substrate.placed, case.inputs)
    yield relative(bench.steady(substrate, case.inputs).outputs["y"], wanted.outputs["y"]), bench.tolerance()


def trajectory(bench: Bench, case: Case) -> Iterator[Measured]:
    """Every step is the interpreter's; with another integrator, the error falls as its order promises.

    For order p the error at half the step may be at most 1.3 times 2^-p of that at the whole step, and at the whole
    step at most a tenth of the largest amplitude. What the interpreter itself is off by at steps 32 times finer, thrice
    its change when they are halved once more, is left to it.
    """
    substrate = bench.build(case.system, step=case.step)
    found = bench.run(substrate, case.inputs, case.steps).outputs["y"]
    if bench.exact(case):
        yield (
            relative(found, oracle_run(substrate.placed, case.inputs, case.steps).outputs["y"]),
            bench.tolerance(10 * case.steps),
        )
        return
    halved = bench.build(case.system, step=case.step / 2)
    fine, finer = (
        as_numpy(oracle_run(substrate.placed, case.inputs, case.steps, finer=n).outputs["y"])[:, ::n] for n in (32, 64)
    )
    unknown = 3 * relative(fine, finer)
    coarse_error = relative(found, fine)
    fine_error = relative(as_numpy(bench.run(halved, case.inputs, 2 * case.steps).outputs["y"])[:, ::2], fine)
    yield coarse_error, 0.1
    yield fine_error, max(1.3 * 2.0 ** -bench.order(case) * coarse_error, unknown, bench.tolerance())


def continued(bench: Bench, case: Case) -> Iterator[Measured]:
    """A run in two halves is the whole run, to the bit."""
    whole = bench.build(case.system, step=case.step)
    parts = bench.build(case.system, step=case.step)
    wanted = as_numpy(bench.run(whole, case.inputs, case.steps).outputs["y"])
    half = case.steps // 2
    first = bench.run(parts, case.inputs, half)
    second = bench.run(parts, case.inputs, case.steps - half, first.state)
    joined = np.concatenate([as_numpy(first.outputs["y"])[:, :-1], as_numpy(second.outputs["y"])], axis=1)
    yield relative(joined, wanted), bench.tolerance(10 * case.steps)


def chosen_records(bench: Bench, case: Case) -> Iterator[Measured]:
    """A run that is asked to keep one output keeps it, to the bit, and nothing else."""
    whole, chosen = (bench.build(case.system, step=case.step) for _ in range(2))
    wanted = bench.run(whole, case.inputs, case.steps)
    inputs = {name: chosen.asarray(value) for name, value in case.inputs.items()}
    found = chosen.run(inputs, case.steps * case.step, record=["y"])
    yield relative(found.outputs["y"], wanted.outputs["y"]), 0.0
    yield float(len({**found.fields, **found.sent, **found.outputs}) - 1), 0.0


def batches(bench: Bench, case: Case) -> Iterator[Measured]:
    """A batch of n gives what n batches of one give, each on a substrate as fresh."""
    together = as_numpy(bench.run(bench.build(case.system, step=case.step), case.inputs, case.steps).outputs["y"])
    for row in range(len(together)):
        alone = bench.build(case.system, step=case.step)
        inputs = case.part(slice(row, row + 1))
        yield (
            relative(bench.run(alone, inputs, case.steps).outputs["y"], together[row : row + 1]),
            bench.tolerance(10 * case.steps),
        )


def pulse_arrives(bench: Bench) -> Iterator[Measured]:
    """A pulse of one step leaves a coupling exactly its delay later: not a step before, and in full."""
    case = systems.delays()
    substrate = bench.build(case.system, step=case.step)
    pulse = np.zeros((1, case.steps, 3))
    pulse[:, 4] = 1.0
    trace = bench.run(substrate, {"in": pulse}, case.steps)
    arrival = as_numpy(trace.fields["a.z"])[0]
    wanted = np.zeros_like(arrival)
    wanted[4 + 3] = case.system.couplings["in->a"].initial.sum(axis=1)
    yield relative(arrival, wanted), bench.tolerance()


def energy_is_conserved(bench: Bench) -> Iterator[Measured]:
    """Waves between lossless junctions keep the sum of their squares, step after step."""
    steps, step = 400, 0.05
    substrate = bench.build(systems.closed_ring(step=step), step=step)
    kick = np.zeros((1, steps, 3))
    kick[:, 0] = [1.0, -0.5, 0.25]
    sent = as_numpy(bench.run(substrate, {"in": kick}, steps).outputs["y"])[0]
    delays = np.array([2, 3, 1])
    energy = [
        sum(float(np.sum(sent[n - d + 1 : n + 1, line] ** 2)) for line, d in enumerate(delays)) for n in range(5, steps)
    ]
    yield float(np.ptp(energy) / energy[0]), bench.tolerance(10 * steps)


def noise_is_keyed(bench: Bench) -> Iterator[Measured]:
    """White noise in the equations is the interpreter's draw: the same for the same seed, and as strong as declared."""
    case = systems.noise()
    substrate = bench.build(case.system, seed=5, step=case.step)
    found = bench.run(substrate, case.inputs, case.steps).outputs["y"]
    yield (
        relative(found, oracle_run(substrate.placed, case.inputs, case.steps).outputs["y"]),
        bench.tolerance(10 * case.steps),
    )
