"""Checks of everything around the waves: writing, snapshots, seeds, dies, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from physnn.energy import COUNTS
from physnn.errors import ParameterError, PhysnnError, ShapeError, UnknownNameError
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.testing.conformance.bench import Bench, relative
from physnn.testing.conformance.systems import Case, draw
from physnn.testing.conformance.waves import Measured


def write_and_read(bench: Bench, case: Case) -> Iterator[Measured]:
    """What is written is read; what is written acts; a wrong name, shape or number is a typed error."""
    substrate = bench.build(case.system, step=case.step)
    key = next(iter(case.system.couplings.values())).key
    before = as_numpy(bench.steady(substrate, case.inputs).outputs["y"])
    new = 0.5 * draw("write", *case.system.parameters[key].shape)
    substrate.write({key: substrate.asarray(new)})
    yield relative(substrate.read()[key], new), bench.tolerance(4)
    after = as_numpy(bench.steady(substrate, case.inputs).outputs["y"])
    yield float(np.array_equal(before, after)), 0.0
    yield _not_raised(lambda: substrate.write({"no such weight": new}), UnknownNameError), 0.0
    yield _not_raised(lambda: substrate.write({key: new[:-1]}), ShapeError), 0.0
    yield _not_raised(lambda: substrate.write({key: substrate.asarray(new * np.nan)}), ParameterError), 0.0


def snapshot_and_restore(bench: Bench, case: Case) -> Iterator[Measured]:
    """After `restore` the same runs give the same bits, noise and counts included."""
    substrate = bench.build(case.system, "noisy", step=case.step)
    bench.run(substrate, case.inputs, 3)
    kept = substrate.snapshot()

    def go_on() -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
        substrate.write({k: v * 0.9 for k, v in substrate.read().items() if k in case.system.trainable})
        run = as_numpy(bench.run(substrate, case.inputs, case.steps).outputs["y"])
        steady = as_numpy(bench.steady(substrate, case.inputs).outputs["y"])
        return run, steady, dict(substrate.meter.counts)

    first = go_on()
    substrate.restore(kept)
    second = go_on()
    yield float(not np.array_equal(first[0], second[0])), 0.0
    yield float(not np.array_equal(first[1], second[1])), 0.0
    yield float(first[2] != second[2]), 0.0


def seeds(bench: Bench, case: Case) -> Iterator[Measured]:
    """The same seed gives the same die and the same noise, to the bit; another seed gives others."""
    answers = [
        as_numpy(bench.steady(bench.build(case.system, "noisy", seed), case.inputs).outputs["y"]) for seed in (1, 1, 2)
    ]
    yield float(not np.array_equal(answers[0], answers[1])), 0.0
    yield float(np.array_equal(answers[0], answers[2])), 0.0


def noise_is_noise(bench: Bench, case: Case) -> Iterator[Measured]:
    """Where the backend has detectors with noise, two reads differ, and different elements have unrelated noise."""
    substrate = bench.build(case.system, "noisy")
    reads = np.stack([as_numpy(bench.steady(substrate, case.inputs).outputs["y"])[:, 0] for _ in range(400)])
    spread = reads.std(axis=0)
    if float(np.max(np.ptp(reads, axis=0))) == 0.0:  # ideal detectors, which the backend's `check` declares
        parts = {f.part for f in bench.backend.check(case.system, bench.profile("noisy")) if f.status == "approximated"}
        yield float("converters and detectors" not in parts), 0.0
        return
    flat = (reads - reads.mean(axis=0)).reshape(len(reads), -1) / spread.ravel()
    correlation = flat.T @ flat / len(reads) - np.eye(flat.shape[1])
    yield float(np.max(np.abs(correlation))), 5 / np.sqrt(len(reads))


def noise_follows_samples(bench: Bench, case: Case) -> Iterator[Measured]:
    """A sample's noise does not depend on the batch that it comes in: three at once are three one after another."""
    together, apart = (bench.build(case.system, "noisy", seed=2) for _ in range(2))
    wanted = as_numpy(bench.steady(together, case.inputs).outputs["y"])
    for row in range(len(wanted)):
        alone = as_numpy(bench.steady(apart, case.part(slice(row, row + 1))).outputs["y"])
        yield relative(alone, wanted[row : row + 1]), bench.tolerance()


def dies(bench: Bench, case: Case) -> Iterator[Measured]:
    """Mismatch is drawn once: the same in every run of one die, different from the ideal, absent in a twin."""
    ideal = as_numpy(bench.steady(bench.build(case.system), case.inputs).outputs["y"])
    substrate = bench.build(case.system, "die", seed=3)
    first, again = (as_numpy(bench.steady(substrate, case.inputs).outputs["y"]) for _ in range(2))
    yield float(not np.array_equal(first, again)), 0.0
    yield float(relative(first, ideal) < 1e-3), 0.0
    twin = bench.backend.build(substrate.placed.twin())
    yield relative(bench.steady(twin, case.inputs).outputs["y"], ideal), bench.tolerance()


def drift(bench: Bench, case: Case) -> Iterator[Measured]:
    """Weights drift along one trajectory in seconds since programming: waiting in parts is waiting in all, reading
    changes nothing, writing starts anew, and a snapshot knows the age."""

    def answer(substrate: Substrate) -> np.ndarray:
        return as_numpy(bench.steady(substrate, case.inputs).outputs["y"])

    whole, parts = (bench.build(case.system, "drifting", seed=3) for _ in range(2))
    start = answer(whole)
    whole.wait(3600.0)
    for _ in range(3):
        parts.wait(1200.0)
    later = answer(whole)
    yield relative(answer(parts), later), bench.tolerance()
    yield float(not np.array_equal(answer(whole), later)), 0.0
    yield float(relative(later, start) < 1e-3), 0.0
    kept = parts.snapshot()
    whole.wait(86400.0)
    parts.wait(86400.0)
    parts.restore(kept)
    parts.wait(86400.0)
    yield relative(answer(parts), answer(whole)), bench.tolerance()
    whole.write(whole.read())
    yield relative(answer(whole), start), bench.tolerance()


def counts(bench: Bench, case: Case) -> Iterator[Measured]:
    """Counts are of the known vocabulary, zero before anything ran, and those of n samples n times those of one."""
    totals = []
    for rows in (1, 2, 3):
        substrate = bench.build(case.system, step=case.step)
        before = dict(substrate.meter.counts)
        bench.steady(substrate, case.part(slice(0, rows)))
        totals.append(substrate.meter.since(before))
    known = set().union(*COUNTS.values())
    yield float(len(set(totals[2]) - known)), 0.0
    yield abs(totals[2].get("sample", 0.0) - 3.0), 0.0
    growth = [
        abs((totals[2][k] - totals[1][k]) - (totals[1][k] - totals[0][k])) / max(totals[2][k], 1.0) for k in totals[2]
    ]
    yield max(growth), 1e-12
    yield from _hand_counted(totals[0], case)


def _hand_counted(found: dict[str, float], case: Case) -> Iterator[Measured]:
    """Multiply-accumulates of a processor, or conversions of an analog network, for one sample."""
    system = case.system
    if "mac" in found:
        macs = sum(c.operator.macs(system.populations[c.source].shape) for c in system.couplings.values())
        yield abs(found["mac"] - macs), 0.0
    if "dac" in found:
        inputs = sum(int(np.prod(system.populations[port.population].shape)) for port in system.inputs.values())
        yield abs(found["dac"] - inputs), 0.0
        outputs = sum(int(np.prod(system.populations[port.population].shape)) for port in system.outputs.values())
        yield abs(found["adc"] - outputs), 0.0


def _not_raised(act: Callable[[], Any], wanted: type[PhysnnError]) -> float:
    try:
        act()
    except wanted:
        return 0.0
    except Exception:  # another error than the promised one is as wrong as none
        return 1.0
    return 1.0


def is_substrate(bench: Bench, case: Case) -> Iterator[Measured]:
    """The object that the backend builds has everything that the contract names."""
    yield float(not isinstance(bench.build(case.system), Substrate)), 0.0
