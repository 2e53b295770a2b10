"""The suite: every feature, every registered medium, one backend.

    from physnn.testing.conformance import conform
    outcomes = conform(find_backend("torch"))

A comparison is skipped only where the backend's own `check` refuses the System, with the reason that it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from physnn.substrate.contract import Backend
from physnn.testing.conformance import housekeeping, learning, systems, waves
from physnn.testing.conformance.bench import FAIL, PASS, SKIP, Bench, Outcome, Refused
from physnn.testing.conformance.systems import Case
from physnn.testing.conformance.waves import Measured

Check = Callable[[Bench], Iterator[Measured]]


def checks() -> Iterator[tuple[str, str, Check]]:
    """(feature, case, check) of the whole suite."""
    media, features = systems.media(), systems.features()
    plain = media[0]
    yield "contract", plain.name, partial(housekeeping.is_substrate, case=plain)
    for case in (*media, *features):
        yield from _waves(case)
    yield "chosen records", plain.name, partial(waves.chosen_records, case=plain)
    yield "delays", "pulse arrives on time", waves.pulse_arrives
    yield "conserved energy", "lossless ring", waves.energy_is_conserved
    yield "noise in equations", "keyed draws", waves.noise_is_keyed
    for case in (*media, *features):
        yield from _gradients(case)
    yield "gradient on a die", plain.name, partial(learning.gradient_on_a_die, case=plain)
    yield "feedback alignment", plain.name, partial(learning.feedback_is_fixed_and_random, case=plain)
    ports = systems.ports()
    yield "gradients, input ports", ports.name, partial(learning.input_gradients, case=ports)
    for name in systems.operators():
        yield "transposed couplings", name, partial(learning.transposes, name=name)
    for feature, check in (
        ("write and read", housekeeping.write_and_read),
        ("snapshot and restore", housekeeping.snapshot_and_restore),
        ("seeds", housekeeping.seeds),
        ("detector noise", housekeeping.noise_is_noise),
        ("noise and batches", housekeeping.noise_follows_samples),
        ("dies", housekeeping.dies),
        ("drift", housekeeping.drift),
        ("counts", housekeeping.counts),
    ):
        yield feature, plain.name, partial(check, case=plain)


def _waves(case: Case) -> Iterator[tuple[str, str, Check]]:
    if case.stationary:
        yield "stationary states", case.name, partial(waves.steady_state, case=case)
    if not case.random:
        yield "trajectories", case.name, partial(waves.trajectory, case=case)
        yield "batches", case.name, partial(waves.batches, case=case)
    yield "continued runs", case.name, partial(waves.continued, case=case)


def _gradients(case: Case) -> Iterator[tuple[str, str, Check]]:
    if case.smooth and case.stationary:
        yield "gradients, stationary", case.name, partial(learning.steady_gradient, case=case)
    if case.smooth:
        yield "gradients, in time", case.name, partial(learning.trajectory_gradient, case=case)
    if case.surrogate:
        yield "gradients, surrogate", case.name, partial(learning.surrogate_gradient, case=case)


def conform(
    backend: Backend,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
    wanted: Callable[[str, str], bool] | None = None,
) -> list[Outcome]:
    """Hold a backend against the suite.

    Parameters
    ----------
    backend : Backend
    on_outcome : callable, optional
        Called after every comparison.
    wanted : callable, optional
        Says of (feature, case) whether it is to be made; all where not given.

    Returns
    -------
    list of Outcome
        One for each (feature, case): the comparison with the largest error for its tolerance.
    """
    bench, outcomes = Bench(backend), []
    for feature, name, check in checks():
        if wanted is not None and not wanted(feature, name):
            continue
        outcomes.append(_outcome(bench, feature, name, check))
        if on_outcome:
            on_outcome(outcomes[-1])
    return outcomes


def _outcome(bench: Bench, feature: str, name: str, check: Check) -> Outcome:
    try:
        measured = list(check(bench))
    except Refused as refusal:
        return Outcome(feature, name, SKIP, reason=str(refusal))
    except Exception as error:  # whatever a backend throws is its failure, not the suite's
        return Outcome(feature, name, FAIL, reason=f"{type(error).__name__}: {error}")
    worst, tolerance = max(measured, key=lambda pair: _excess(*pair))
    status = PASS if all(_excess(*pair) <= 1 for pair in measured) else FAIL
    return Outcome(feature, name, status, worst, tolerance)


def _excess(error: float, tolerance: float) -> float:
    """Error over tolerance; a tolerance of zero asks for an error of zero."""
    if error != error:
        return float("inf")
    if tolerance == 0:
        return 0.0 if error == 0 else float("inf")
    return error / tolerance
