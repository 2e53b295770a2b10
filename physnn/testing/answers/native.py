"""Known answers of native reflection: gradients from two measured fields, and what they miss elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Interpreter, System, Trace, tangent
from physnn.learning import NativeReflection, Objective, with_way_back
from physnn.learning.native import CONDITIONS
from physnn.learning.native_fields import Field, PassiveNetwork
from physnn.learning.native_phasors import CarrierNetwork
from physnn.media import Network, SquaredError
from physnn.media.impedances import Shunts, passive_network
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most

Array = NDArray[Any]
BAR = 1e-5
"""relative, of the derivative along a random change of parameters"""
WIDTH = 1e-5
INPUTS, LINES, CLASSES, BATCH = 4, 3, 2, 3
LEARNT = ("turns", "impedances", "losses", "terminations")
KINDS = {
    "W": "couplings",
    "Z0": "impedances",
    "alpha": "losses",
    "R": "resistors",
    "I": "shunts",
    "V": "shunts",
    "rest": "line lengths",
    "delay": "line lengths",
}
OMEGA = 0.5
RUN = 30


def reflection() -> Iterator[Answer]:
    """Settled, pulsed and on a carrier, against central differences of the loss, each with its condition."""
    sinh = Shunts("sinh", 0.5)
    yield from _settled("settled, sinh shunts", sinh)
    yield from _lossless()
    yield from _pulsed("pulsed, linear network", None, NativeReflection("pulsed"), "pulsed")
    yield from _pulsed("pulsed, sinh shunts", sinh, NativeReflection("pulsed", stored=True), "stored")
    yield from _on_a_carrier("carrier, linear network", None, "pulsed")
    yield from _on_a_carrier("carrier, sinh shunts", sinh, "stored")
    yield from _on_a_carrier("carrier, cubic shunts", Shunts("cubic", 0.5), "stored")


def outside() -> Iterator[Answer]:
    """What is missed without a memory in the shunts, and by one of the two terms of the turns ratios."""
    for kind in ("sinh", "cubic"):
        carrier = _Carrier(network(Shunts(kind, 0.5), bias=False), 6.0)
        true = carrier.gradient("stored")["W1"]
        for element, words in (
            ("pumped", "that follow the carrier"),
            ("mean", "of the mean conductance"),
            ("static", "of the conductance I/V"),
        ):
            found = _cosine(carrier.gradient(element)["W1"], true)
            yield at_most(f"strong carrier, {kind} shunts {words}: cosine of dL/dW1 to the gradient", found, 0.999)
    yield from _pulses_without_memory()
    yield from _one_term()


def network(shunts: Shunts | None, **options: Any) -> Network:
    """4-3-2 lines of unlike impedances with losses, driven into compression, and a generator in each load."""
    learnt = (*LEARNT, "shunts") if shunts else LEARNT
    given = {"transmission": 0.95, "drive": 3.0, "train": learnt, **options}
    return with_way_back(passive_network((INPUTS, LINES, CLASSES), (1.0, 2.0, 0.7), shunts=shunts, **given))


@dataclass
class _Task:
    """A batch and a squared error, run by the plain interpreter; at rest where `steps` is 0."""

    network: Network
    steps: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.system = self.network.lower(1)
        shape = (BATCH, self.steps + 1, INPUTS) if self.steps else (BATCH, INPUTS)
        self.x, self.targets = rng.normal(size=shape), rng.normal(size=(BATCH, CLASSES))
        duration = float(self.steps) if self.steps else None
        self.objective = Objective(self.network.readout, SquaredError(), CLASSES, duration)

    def trace(self, parameters: Mapping[str, Any] | None = None) -> Trace:
        """The incident fields."""
        engine = Interpreter(self.system, parameters)
        return engine.run({"in": self.x}, self.steps, 1.0) if self.steps else engine.steady({"in": self.x})

    def loss(self, parameters: Mapping[str, Any] | None = None) -> float:
        """Of other parameters than the System's own."""
        y, _ = self.objective.answer(np, self.trace(parameters))
        return self.objective.loss(np, y, self.targets)[0]

    def gradient(self, rule: NativeReflection) -> dict[str, Array]:
        """What a rule finds on the reference substrate."""
        substrate = build(self.network, "ideal-torch", seed=1, step=1.0)
        data, targets = {"in": substrate.asarray(self.x)}, substrate.asarray(self.targets)
        found = rule.step(substrate, data, targets, self.objective).gradient
        return {key: as_numpy(value) for key, value in found.items()}


def _settled(words: str, shunts: Shunts) -> Iterator[Answer]:
    task = _Task(network(shunts))
    found = task.gradient(NativeReflection(kick=1e-3))
    yield from _errors(f"{words} ({CONDITIONS['settled'].partition(':')[0]})", found, task.system, task.loss)


def _lossless() -> Iterator[Answer]:
    """Lines without loss are wires at rest."""
    learnt = (*LEARNT, "delays", "shunts")
    lossless = network(Shunts("sinh", 0.5), transmission=1.0, train=learnt, delays=2.3, step=1.0)
    found = _Task(lossless).gradient(NativeReflection(kick=1e-3))
    size, wires = float(np.linalg.norm(found["W1"])), (".Z0", ".rest")
    largest = max(float(np.max(np.abs(value))) for key, value in found.items() if key.endswith(wires))
    yield at_most(
        "settled, lossless lines: largest gradient of an impedance or length, in parts of |dL/dW1|",
        largest / size,
        1e-7,
    )


def _pulsed(words: str, shunts: Shunts | None, rule: NativeReflection, condition: str) -> Iterator[Answer]:
    learnt = (*LEARNT, "delays", *(("shunts",) if shunts else ()))
    task = _Task(network(shunts, train=learnt, delays=2.3, step=1.0), RUN)
    label = CONDITIONS[condition].partition(":")[0]
    yield from _errors(f"{words} ({label})", task.gradient(rule), task.system, task.loss)


class _Carrier:
    """A loss |v - wanted|^2/2 of the phasors at the loads."""

    def __init__(self, network: Network, drive: float) -> None:
        rng = np.random.default_rng(0)
        self.system = network.lower(1)
        phasors = rng.normal(size=(2, BATCH, INPUTS)), rng.normal(size=(2, BATCH, CLASSES))
        self.u, self.wanted = (real + 1j * imaginary for real, imaginary in phasors)
        self.u = self.u * drive / 3.0
        self.silent = {"in": np.zeros((BATCH, INPUTS)), "back": np.zeros((BATCH, CLASSES))}

    def read(self, system: System, parameters: Mapping[str, Any] | None) -> tuple[CarrierNetwork, Field, Array]:
        """The network, its incident waves, and the voltages at the loads."""
        found = CarrierNetwork(system, OMEGA, parameters)
        waves = found.incident({**self.silent, "in": self.u})
        return found, waves, found.network.voltage(waves, "load", "")[:, 0]

    def loss(self, parameters: Mapping[str, Any]) -> float:
        """Of other parameters, 'LINE.delay' among them."""
        late = {key.removesuffix(".delay"): value for key, value in parameters.items() if key.endswith(".delay")}
        couplings = {
            name: replace(c, delay=float(late[c.target])) if c.delay and c.target in late else c
            for name, c in self.system.couplings.items()
        }
        own = {key: value for key, value in parameters.items() if not key.endswith(".delay")}
        voltage = self.read(replace(self.system, couplings=couplings), own)[2]
        return 0.5 * float(np.sum(np.abs(voltage - self.wanted) ** 2))

    def gradient(self, element: str) -> dict[str, Array]:
        """By the second field, in which shunts are an element of that kind."""
        found, waves, voltage = self.read(self.system, None)
        drives = {**self.silent, "back": found.generators("load", voltage - self.wanted)}
        return found.gradient(waves, found.reflected(waves, drives, element))


def _on_a_carrier(words: str, shunts: Shunts | None, condition: str) -> Iterator[Answer]:
    carrier = _Carrier(network(shunts, bias=False), 3.0)
    label = CONDITIONS[condition].partition(":")[0]
    yield from _errors(f"{words} ({label})", carrier.gradient("stored"), carrier.system, carrier.loss)


def _errors(
    words: str, found: Mapping[str, Array], system: System, loss: Callable[[Mapping[str, Any]], float]
) -> Iterator[Answer]:
    """The error of the derivative along a random change of all parameters of a kind, which raises the loss."""
    rng, kinds = np.random.default_rng(7), {key: KINDS.get(key.rpartition(".")[2], KINDS["W"]) for key in found}
    for kind in dict.fromkeys(kinds.values()):
        own = {key: np.asarray(gradient) for key, gradient in found.items() if kinds[key] == kind}
        changes = {key: rng.uniform(0.5, 1.0, g.shape) * np.where(g < 0, -1.0, 1.0) for key, g in own.items()}
        values = {k: _delay(system, k) if k.endswith(".delay") else np.asarray(system.parameters[k]) for k in own}
        ends = [loss({key: values[key] + sign * WIDTH * change for key, change in changes.items()}) for sign in (1, -1)]
        wanted = sum(float(np.sum(own[key] * change)) for key, change in changes.items())
        error = abs((ends[0] - ends[1]) / (2 * WIDTH) / wanted - 1.0)
        yield at_most(f"{words}, {kind}: relative error of the gradient against differences", error, BAR)


def _delay(system: System, key: str) -> Array:
    """A line's whole delay [s]."""
    line = key.removesuffix(".delay")
    return np.asarray(next(c.delay for c in system.couplings.values() if c.target == line and c.delay > 0))


def _pulses_without_memory() -> Iterator[Answer]:
    """A second pulse through shunts that swing with the incident pulses forwards, or are at rest."""
    task = _Task(network(Shunts("cubic", 0.5), drive=6.0), RUN)
    true = task.gradient(NativeReflection("pulsed", stored=True))["W1"]
    incident, passive = task.trace(), PassiveNetwork(task.system)
    y, _ = task.objective.answer(np, incident)
    cotangents, _ = task.objective.pull_back(np, incident, {}, task.objective.loss(np, y, task.targets)[1])
    emf = 2.5 * task.system.parameters["load.R"] * cotangents["y"][:, ::-1]
    small = tangent(task.system)
    for words, factor in (("that follow the incident pulses once more", 1.0), ("at rest", 0.0)):
        seen = {name: factor * incident.fields[source.field] for name, source in small.incident.items()}
        kept = {name: incident.fields[small.incident[name].field] for name in seen if not name.startswith("shunt")}
        trace = Interpreter(small.system, task.system.parameters).run({**seen, **kept, "back": emf}, RUN, 1.0)
        back = passive.field(trace).backwards()
        found = passive.gradient(task.system.parameters, passive.field(incident), back, 1.0)["W1"]
        yield at_most(f"pulsed, cubic shunts {words}: cosine of dL/dW1 to the gradient", _cosine(found, true), 0.999)


def _one_term() -> Iterator[Answer]:
    """What backpropagation would take for the gradient of the turns ratios: what returns times what was sent."""
    task = _Task(network(Shunts("sinh", 0.5)))
    passive = PassiveNetwork(task.system)
    for factor, words in ((1.0, "as drawn"), (3.0, "three times as large")):
        scaled = {key: factor * task.system.parameters[key] for key in passive.banks}
        parameters, incident = {**task.system.parameters, **scaled}, task.trace(scaled)
        y, _ = task.objective.answer(np, incident)
        cotangents, _ = task.objective.pull_back(np, incident, {}, task.objective.loss(np, y, task.targets)[1])
        kick = 1e-3 * cotangents["y"][:, 0] / np.max(np.abs(cotangents["y"]))
        ends = [Interpreter(task.system, scaled).steady({"in": task.x, "back": sign * kick}) for sign in (1.0, -1.0)]
        fields = passive.field(incident), passive.field(ends[0]) - passive.field(ends[1])
        terms = [passive.turns(key, parameters, *fields) for key in passive.banks]
        forward, both = (
            np.concatenate([np.ravel(part) for part in parts])
            for parts in ([f for f, _ in terms], [f + loading for f, loading in terms])
        )
        claim = f"settled, turns ratios {words}: cosine of backpropagation's term of dL/dW alone to both terms"
        yield at_most(claim, _cosine(forward, both), 0.99)


def _cosine(a: Array, b: Array) -> float:
    return float(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))


ANSWERS = {"native reflection": reflection, "native reflection, outside its conditions": outside}
