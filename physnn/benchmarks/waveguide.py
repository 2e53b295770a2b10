"""What analog networks cost to simulate: a step against its own matrix products, by batch, delay, loss, mesh size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.analysis.space_time import line_names
from physnn.benchmarks.figure import SIMULATOR, Figure, Settings
from physnn.benchmarks.timing import Spread, interleaved, ratios
from physnn.equations import OneToOne, System
from physnn.errors import CapabilityError, PhysnnError
from physnn.media import Link, Network, Source, Waveguide
from physnn.media.fields import TLMField
from physnn.media.impedances import passive_network
from physnn.media.readout import Readout
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build

MOST = 2.0
"""times the matrix products of a step, at the largest batch"""
_FILLING = 4
"""times the longest delay that a network runs before it is timed: waves are then on all its lines"""


def figures(settings: Settings) -> Iterator[Figure]:
    """All figures, one after the other."""
    yield from _steps(settings)
    yield from _unequal(settings)
    yield from _directional(settings)
    yield from _by_delay_and_loss(settings)
    yield from _by_mesh(settings)


def _steps(settings: Settings) -> Iterator[Figure]:
    """A passive network against the matrix products of its banks, in the same rounds."""
    network = passive_network(settings.sizes, (1.0, 2.0, 1.0)[: len(settings.sizes)])
    system = network.lower(0)
    lines = _lines(system)
    for batch in settings.batches:
        group = f"passive {'-'.join(map(str, settings.sizes))}, batch {batch}"
        calls, kinds = {}, {}
        for profile in settings.profiles:
            try:
                calls[profile], kinds[profile] = _stepping(network, profile, batch, settings.steps)
            except CapabilityError as error:
                yield Figure(group, f"step on {profile}", None, "s", _bound(profile, batch, settings), str(error))
        for profile, kind in kinds.items():
            calls[f"products for {profile}"] = products(settings.sizes, batch, settings.steps, kind)
        times = interleaved(calls, settings.rounds)
        for profile, kind in kinds.items():
            step = Spread.of(times[profile]).times(1 / settings.steps)
            own = times[f"products for {profile}"]
            yield Figure(group, f"step on {profile}", step, "s", note=f"{kind}, {lines} lines")
            yield Figure(group, "its matrix products", Spread.of(own).times(1 / settings.steps), "s", note="NumPy")
            ratio = ratios(times[profile], own)
            yield Figure(group, "step / products", ratio, "1", _bound(profile, batch, settings))
            said = f"{settings.steps} steps from rest, input held"
            yield Figure(group, "cost of a sample", step.times(settings.steps / batch), "s", note=said)
            yield Figure(group, "line-steps", step.per(lines * batch), "/s", note="both directions of a line")


def _unequal(settings: Settings) -> Iterator[Figure]:
    """The network where one bundle of lines is twice as long, at the largest batch.

    On lines of one delay the waves of a held input change at every second step at each junction, and the simulator does
    not compute what has not changed. Here all of them change at every step.
    """
    bundles = 2 * len(settings.sizes) - 2
    delays = [2.0 if n == 1 else 1.0 for n in range(bundles)]
    network = passive_network(settings.sizes, (1.0, 2.0, 1.0)[: len(settings.sizes)], delays=delays)
    batch = max(settings.batches)
    group = f"passive {'-'.join(map(str, settings.sizes))}, one bundle twice as long, batch {batch}"
    try:
        call, kind = _stepping(network, SIMULATOR, batch, settings.steps)
    except CapabilityError as error:
        yield Figure(group, "step / products", None, "1", note=str(error))
        return
    times = interleaved(
        {"step": call, "products": products(settings.sizes, batch, settings.steps, kind)}, settings.rounds
    )
    yield Figure(group, f"step on {SIMULATOR}", Spread.of(times["step"]).times(1 / settings.steps), "s", note=kind)
    note = "waves change everywhere at every step"
    yield Figure(group, "step / products", ratios(times["step"], times["products"]), "1", note=note)


def _bound(profile: str, batch: int, settings: Settings) -> float | None:
    """Promised of the simulator, at the largest batch."""
    return MOST if profile == SIMULATOR and batch == max(settings.batches) else None


def products(sizes: Sequence[int], batch: int, steps: int, kind: str) -> Callable[[], object]:
    """The matrix products of so many steps of a passive network with a bias line, and nothing else.

    Each bank of n1 lines before and n2 behind costs three: W b_1, the product with the inverse (n2, n2) that solves
    the bank, and W^T i_2; of a widening bank the inverse is (n1, n1).
    """
    widths = (sizes[0] + 1, *sizes[1:])
    banks = []
    for number, (before, behind) in enumerate(pairwise(widths)):
        solved = min(before, behind)
        shapes = (behind, before), (solved, solved), (batch, before), (batch, solved), (batch, behind)
        banks.append([_random(f"bank {number}.{n}", shape).astype(kind) for n, shape in enumerate(shapes)])

    def run() -> None:
        for _ in range(steps):
            for turns, inverse, first, middle, second in banks:
                first @ turns.T
                middle @ inverse
                second @ turns

    return run


def _directional(settings: Settings) -> Iterator[Figure]:
    """The layered waveguide of the same sizes, whose lines go one way: a step and its matrix products."""
    source, *layers = settings.sizes
    parts = [Source("in", source), *(Waveguide(f"layer {n}", size) for n, size in enumerate(layers, 1))]
    network = Network.layered(parts)
    batch = max(settings.batches)
    group = f"directional {'-'.join(map(str, settings.sizes))}, batch {batch}"
    calls: dict[str, Callable[[], object]] = {}
    kinds = {}
    for profile in settings.profiles:
        calls[profile], kinds[profile] = _stepping(network, profile, batch, settings.steps, step=0.05)
        pairs = [
            (_random(f"x{n}", (batch, a)).astype(kinds[profile]), _random(f"w{n}", (b, a)).astype(kinds[profile]))
            for n, (a, b) in enumerate(pairwise(settings.sizes))
        ]
        calls[f"products for {profile}"] = _one_way(pairs, settings.steps)
    times = interleaved(calls, settings.rounds)
    for profile, kind in kinds.items():
        step = Spread.of(times[profile]).times(1 / settings.steps)
        yield Figure(group, f"step on {profile}", step, "s", note=kind)
        ratio = ratios(times[profile], times[f"products for {profile}"])
        yield Figure(group, "step / products", ratio, "1", note="that of a held input is kept")


def _one_way(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], steps: int) -> Callable[[], object]:
    def run() -> None:
        for _ in range(steps):
            for waves, weights in pairs:
                waves @ weights.T

    return run


def _by_delay_and_loss(settings: Settings) -> Iterator[Figure]:
    """The small network with longer, lossy and fractional lines, against lossless lines of one step."""
    batch = sorted(settings.batches)[len(settings.batches) // 2]
    group = f"passive {'-'.join(map(str, settings.small))}, batch {batch}"
    impedances = (1.0, 2.0, 1.0)[: len(settings.small)]
    plain = passive_network(settings.small, impedances)
    cases = {f"delay of {n} steps": passive_network(settings.small, impedances, delays=n) for n in settings.delays[1:]}
    cases["loss, k = 0.97"] = passive_network(settings.small, impedances, transmission=0.97)
    all_pass = passive_network(settings.small, impedances, delays=2.3, step=1.0)
    cases["delay of 2.3 steps, by all-pass sections"] = all_pass
    yield from _against(group, plain, cases, "lossless, delay of 1 step", batch, settings)


def _against(
    group: str, plain: Network, cases: dict[str, Network], called: str, batch: int, settings: Settings
) -> Iterator[Figure]:
    """Steps on the simulator, and their ratios to those of the plain network."""
    calls: dict[str, Callable[[], object]] = {}
    for name, network in {called: plain, **cases}.items():
        try:
            calls[name], _ = _stepping(network, SIMULATOR, batch, settings.steps, changing=True)
        except CapabilityError as error:
            yield Figure(group, name, None, "s", note=str(error))
            return
    times = interleaved(calls, settings.rounds)
    yield Figure(group, f"step, {called}", Spread.of(times[called]).times(1 / settings.steps), "s")
    for name in cases:
        yield Figure(group, f"{name} / {called}", ratios(times[name], times[called]), "1")


def _by_mesh(settings: Settings) -> Iterator[Figure]:
    """Transmission-line-matrix meshes, one sample."""
    calls: dict[str, Callable[[], object]] = {}
    for side in settings.meshes:
        field = TLMField("field", (side, side))
        start = _random("mesh", (1, side, side))
        try:
            calls[str(side)] = _mesh(field, start, settings.steps)
        except PhysnnError as error:
            yield Figure("mesh", f"{side} x {side} nodes", None, "s", note=str(error))
            return
    times = interleaved(calls, settings.rounds)
    for side in settings.meshes:
        step = Spread.of(times[str(side)]).times(1 / settings.steps)
        yield Figure("mesh", f"step of {side} x {side} nodes", step, "s")
        yield Figure("mesh", f"node-steps, {side} x {side}", step.per(side * side), "/s")


def _mesh(field: TLMField, start: NDArray[np.float64], steps: int) -> Callable[[], object]:
    drive = Link("in", field.name, operator=OneToOne(start.shape), weights=np.ones(start.shape), trainable=False)
    network = Network((Source("in", start.shape), field), (drive,), Readout("field", "v"))
    substrate = build(network, SIMULATOR, step=1.0)
    given = {"in": substrate.asarray(start[None])}
    filled = substrate.run(given, float(steps), record=("y",)).state
    return lambda: substrate.run(given, float(steps), state=filled, record=("y",))


def _stepping(
    network: Network, profile: str, batch: int, steps: int, *, step: float = 1.0, changing: bool = False
) -> tuple[Callable[[], object], str]:
    """A run of so many steps that keeps nothing but the output, and the precision of its numbers.

    From rest with inputs that are held, as in training; or with inputs that change at every step, and waves on all
    lines from the start, so that the time does not depend on how much has settled or not arrived.

    Raises
    ------
    CapabilityError
        The backend refuses the network.
    """
    substrate = build(network, profile, step=step)
    system = substrate.placed.system
    port, place = next(iter(system.inputs.items()))
    shape = system.populations[place.population].shape
    times = (steps,) if changing else ()
    given = {port: substrate.asarray(streams.uniform(0, "input", "bench", (batch, *times, *shape)))}
    record, state = tuple(system.outputs), None
    if changing:
        longest = max((c.delay for c in system.couplings.values()), default=0.0)
        state = substrate.run(given, _FILLING * longest, record=record).state
    kind = str(as_numpy(given[port]).dtype)
    return lambda: substrate.run(given, steps * step, state=state, record=record), kind


def _lines(system: System) -> int:
    """How many lines there are in all bundles."""
    return sum(system.populations[name].shape[0] for name in line_names(system))


def _random(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return streams.normal(0, name, "bench", shape)
