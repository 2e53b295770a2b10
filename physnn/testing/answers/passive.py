"""Known answers of passive networks: energy that is kept or accounted for, their state at rest, and gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis.state_space import Linearisation
from physnn.equations import Interpreter, OneToOne, System, Trace, companion_inputs, gradient, reflected
from physnn.media.impedances import (
    Line,
    Shunts,
    Step,
    Stub,
    Termination,
    TransformerBank,
    energy_balance,
    passive_network,
)
from physnn.media.impedances.passive import LEARNT
from physnn.media.impedances.shunt import CONDUCTANCES, DUFFING
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.testing.answers.answer import Answer, at_most

Array = NDArray[Any]
STEPS = 100_000
GROUPS = {
    "turns ratios": ("W1", "W2"),
    "impedances": (".Z0",),
    "losses": (".alpha",),
    "line lengths": (".rest",),
    "shunts": ("shunt1.",),
    "terminations": (".R",),
}
"""What is learnt -> ends or beginnings of the keys."""


def kept_energy() -> Iterator[Answer]:
    """A closed network of banks, steps, stubs and lines, some of fractional length, through 1e5 steps of its map."""
    system = _closed().lower(seed=2)
    step = Linearisation(system, stepped=True).embedded(1.0)
    weights = _stored(system)
    x = np.random.default_rng(5).normal(size=step.shape[0])
    before = float(x @ (weights * x))
    worst = 0.0
    for _ in range(STEPS):
        x = step @ x
        worst = max(worst, abs(float(x @ (weights * x)) / before - 1))
    yield at_most("closed network, 1e5 steps: largest relative change of its energy", worst, 1e-10)


def _closed() -> Network:
    """Three lines, a bank, two lines and a step, between stubs."""
    lines = (
        Line("a", 3, [0.5, 1.0, 2.0], 3.0),
        Line("b", 2, [1.5, 0.7], 2.0),
        Line("c", 2, 3.0, 2.6, step=1.0),
    )
    ends = Termination("left", 3, Stub(1.0, 1.0)), Termination("right", 2, Stub([0.7, 4.0], 2.0, "shorted"))
    enter = Link("in", "left", operator=OneToOne((3,)), weights=np.ones(3))
    ways = ("left", "bank:1"), ("bank:2", "step:1"), ("step:2", "right")
    links = [enter, *(link for line, way in zip(lines, ways, strict=True) for link in line.links(*way))]
    parts = (Source("in", 3), *ends, *lines, TransformerBank("bank", 3, 2), Step("step", 2))
    return Network(parts, links, Readout("right", "u"))


def _stored(system: System) -> Array:
    """Energy [J] of a unit in each entry of the step map: states, then what is in flight, line by line."""
    states, flying = [], []
    for population in system.populations.values():
        if population.dynamic:  # a line with a fractional section, two states of equal size
            rest, impedance = population.values["rest"], np.broadcast_to(population.values["Z0"], population.shape)
            eta = (1 - rest) / (1 + rest)
            states += [(1 - eta**2) / impedance] * len(population.dynamic)
    for coupling in system.couplings.values():
        if coupling.delay:
            owner = system.populations[coupling.target]
            key = "Z0" if "Z0" in owner.variables else "Z_stub"
            admittance = 1 / np.broadcast_to(owner.values[key], owner.shape)
            flying.append((admittance, round(coupling.delay)))
    single = np.concatenate([admittance for admittance, _ in flying])
    repeats = np.concatenate([np.full(admittance.size, count) for admittance, count in flying])
    return np.concatenate([*states, np.repeat(single, repeats)])


def accounted_energy() -> Iterator[Answer]:
    """Driven by noise: what sources deliver against what is burnt and stored, with every kind of shunt."""
    cases = {"sinh shunts, lossless lines": passive_network((3, 4, 2), (1.0, 2.0, 0.7), drive=5.0)}
    for kind in (*CONDUCTANCES, DUFFING):
        cases[f"{kind} shunts, lossy lines of 2.3 steps"] = _uneven(kind, learnt=())
    for name, network in cases.items():
        error = _balance(network, 200)
        yield at_most(f"{name}, 200 steps of noise: in - burnt - stored, relative", error, 1e-9)


def _balance(network: Network, steps: int) -> float:
    system = network.lower(seed=4)
    drive = np.random.default_rng(6).normal(size=(2, steps, *system.populations["in"].shape))
    return energy_balance(network, Interpreter(system).run({"in": drive}, steps, 1.0), system=system).error


def at_rest() -> Iterator[Answer]:
    """Settled networks against the nodal equations v + K (g(v) + W2^T W2 v/R_L) = W1 e, K = W1 Rs W1^T."""
    inputs = np.random.default_rng(7).uniform(0, 1, (4, 4))
    inner, load, drive = 1.3, 0.6, 12.0
    cases = [((4, 3, 2), kind) for kind in _CURRENTS]
    for widths, kind in (*cases, ((4, 6, 3), "sinh")):
        system = passive_network(widths, shunts=Shunts(kind), source=inner, load=load, drive=drive).lower(seed=1)
        v = Interpreter(system).steady({"in": inputs}).fields["shunt1.v"][:, 0]
        first, second = system.parameters["W1"], system.parameters["W2"]
        open_ends = drive * np.concatenate([inputs, np.ones((4, 1))], axis=1) @ first.T
        drawn = _CURRENTS[kind](v) + v @ second.T @ second / load
        off = np.max(np.abs(v + drawn @ (inner * first @ first.T) - open_ends)) / np.max(np.abs(open_ends))
        name = "-".join(map(str, widths))
        yield at_most(f"{name} at rest, {kind} shunts: nodal equations, relative", off, 1e-10)


_CURRENTS = {
    "sinh": lambda v: 0.2 * np.sinh(v),
    "diode": lambda v: 0.2 * (np.exp(v) - 1),
    "tanh": lambda v: 0.2 * np.tanh(v),
    "cubic": lambda v: 0.2 * v**3,
}


def gradients() -> Iterator[Answer]:
    """Reflected waves against differences, in networks that reflect at every junction, along random directions."""
    for kind in ("sinh", DUFFING):
        for name, (found, wanted) in _slopes(_uneven(kind), steps=40).items():
            said = f"pulsed, {kind} shunts: slope along {name} by two fields against finite differences, relative"
            yield at_most(said, abs(found / wanted - 1), 1e-5)
    slopes = _slopes(_uneven("sinh"), steps=0)
    lengths, _ = slopes.pop("line lengths")
    for name, (found, wanted) in slopes.items():
        said = f"at rest: slope along {name} by two fields against finite differences, relative"
        yield at_most(said, abs(found / wanted - 1), 1e-5)
    share = abs(lengths / slopes["turns ratios"][0])
    yield at_most("at rest: slope along line lengths, of that along turns ratios", share, 1e-9)
    slopes = _slopes(passive_network((3, 4, 2), (1.0, 2.0, 0.7), drive=3.0, train=("turns", "impedances")), steps=0)
    share = abs(slopes["impedances"][0] / slopes["turns ratios"][0])
    yield at_most("at rest, lossless lines: slope along impedances, of that along turns ratios", share, 1e-9)


def _uneven(kind: str, learnt: Sequence[str] = LEARNT) -> Network:
    """Lossy lines of 2.3 steps and three impedances."""
    return passive_network(
        (3, 4, 2),
        (1.0, 2.0, 0.7),
        shunts=Shunts(kind),
        transmission=0.8,
        delays=2.3,
        step=1.0,
        drive=3.0,
        train=learnt,
    )


def _slopes(network: Network, steps: int) -> dict[str, tuple[float, float]]:
    """Slope of a loss along a direction in each group: by the reflected wave, and by differences; 0 steps: at rest."""
    rng = np.random.default_rng(8)
    system = network.lower(seed=3)
    inputs = {"in": rng.uniform(0, 1, (2, *system.populations["in"].shape))}
    aim = rng.normal(size=(2, *system.populations["load"].shape))

    def run(parameters: Mapping[str, Array] | None = None) -> Trace:
        interpreter = Interpreter(system, parameters)
        return interpreter.run(inputs, steps, 1.0) if steps else interpreter.steady(inputs, tolerance=1e-13)

    trace = run()
    cotangent = np.zeros_like(trace.outputs["y"])
    cotangent[:, -1] = aim
    cotangent[:, steps // 2] += 0.5 * aim[::-1]
    companion = reflected(system)
    played, backwards = (
        companion_inputs(companion, trace, {"y": cotangent}),
        Interpreter(companion.system, system.parameters),
    )
    echo = backwards.run(played, steps + 1, 1.0) if steps else backwards.steady(played, tolerance=1e-13)
    slopes = gradient(np, system, companion, trace, echo)
    found = {}
    for name, words in GROUPS.items():
        keys = [key for key in system.trainable if key.startswith(words) or key.endswith(words)]
        if not keys:
            continue
        values = {key: np.asarray(system.parameters[key], dtype=float) for key in keys}
        along = {key: rng.normal(size=value.shape) * np.max(np.abs(value)) for key, value in values.items()}
        wanted = 0.0
        for weight, share in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
            moved = {key: value + share * 1e-4 * along[key] for key, value in values.items()}
            wanted += weight * float(np.sum(run(moved).outputs["y"] * cotangent)) / 12e-4
        found[name] = (sum(float(np.sum(slopes[key] * along[key])) for key in keys), wanted)
    return found


ANSWERS = {
    "passive networks: kept energy": kept_energy,
    "passive networks: energy balance": accounted_energy,
    "passive networks: at rest": at_rest,
    "passive networks: gradients": gradients,
}
