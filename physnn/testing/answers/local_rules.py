"""Known answers of local learning rules: Hebb, Oja, the two terms of wave-Hebbian, the phase curve of STDP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import subspace_angles

from physnn import streams
from physnn.equations import OneToOne
from physnn.learning.concurrent import coexisting
from physnn.learning.hebbian import Hebbian
from physnn.learning.objective import Objective
from physnn.learning.oja import Oja
from physnn.learning.reflected_wave import ReflectedWave
from physnn.learning.stdp import PairSTDP, PhaseSTDP, spikes
from physnn.learning.wave_hebbian import WaveHebbian, passage
from physnn.media import LIF, Link, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most, close

SPECTRUM = (3.0, 2.4, 1.9, 0.8, 0.5, 0.3, 0.2, 0.1)
"""Eigenvalues of the known covariance; the subspace of the first three is to be found"""
STEP = 2.5e-4
"""[s]; of LIF cells, whose spikes fall on steps: about 96 of them a period"""
LAGS, PERIODS = 24, 8


def known_covariance(samples: int = 64) -> tuple[NDArray, NDArray]:
    """Data whose covariance has the eigenvalues `SPECTRUM` to rounding, and its eigenvectors as columns."""
    n = len(SPECTRUM)
    turn, _ = np.linalg.qr(streams.normal(0, "known covariance", "eigenvectors", (n, n)))
    white, _ = np.linalg.qr(streams.normal(0, "known covariance", "samples", (samples, n)))
    return np.sqrt(samples) * white @ (np.sqrt(SPECTRUM)[:, None] * turn.T), turn


def linear_layer(units: int) -> tuple[Substrate, Objective]:
    """One layer of linear lines without bias, on the reference backend."""
    network = Network.layered([Source("in", len(SPECTRUM)), Waveguide("out", units, "identity", bias=False)])
    return build(network, "ideal-torch"), Objective(network.readout, SquaredError(), units)


def drift(rule: Any, substrate: Substrate, objective: Objective, data: NDArray, rate: float, steps: int) -> NDArray:
    """Weights after `steps` plain steps of a rule that looks at no target, on all data at once."""
    inputs = {"in": substrate.asarray(data)}
    targets = substrate.asarray(np.zeros((len(data), objective.classes)))
    for _ in range(steps):
        update = rule.step(substrate, inputs, targets, objective).gradient
        held = substrate.read()
        substrate.write({key: held[key] - rate * slope for key, slope in update.items()})
    return as_numpy(substrate.read()["in->out"])


def oja() -> Iterator[Answer]:
    """Oja's subspace rule on a known covariance."""
    data, vectors = known_covariance()
    substrate, objective = linear_layer(3)
    weights = drift(Oja(), substrate, objective, data, 0.1, 150)
    angle = np.max(subspace_angles(weights.T, vectors[:, :3]))
    yield at_most("Oja, 3 of 8 dimensions: angle to the principal subspace [rad]", angle, 1e-3)
    error = np.max(np.abs(weights @ weights.T - np.eye(3)))
    yield at_most("Oja: W W^T from the identity", error, 1e-3)


def hebb() -> Iterator[Answer]:
    """Hebb's rule on the same data:  W_n = W_0 (1 + eta C)^n, without bound."""
    data, vectors = known_covariance()
    substrate, objective = linear_layer(3)
    start = as_numpy(substrate.read()["in->out"])
    rate, steps = 0.1, 60
    weights = drift(Hebbian(), substrate, objective, data, rate, steps)
    wanted = start @ (vectors * (1 + rate * np.array(SPECTRUM)) ** steps) @ vectors.T
    size = float(np.linalg.norm(weights))
    yield at_least("Hebb, 60 steps: growth of the weights", size / float(np.linalg.norm(start)), 1e3)
    yield close(
        "Hebb: size of the weights against W_0 (1 + eta C)^n",
        size,
        float(np.linalg.norm(wanted)),
        relative=1e-9,
    )
    along = abs(weights[0] @ vectors[:, 0]) / np.linalg.norm(weights[0])
    yield at_least("Hebb: cosine of one unit's weights with the first eigenvector", along, 0.99)


def wave_hebbian() -> Iterator[Answer]:
    """Both waves in one medium: the measured sum, its two terms, and the reflected-wave update."""
    network, objective, inputs, targets = _small_network()
    alone, both = build(network, "ideal-torch"), build(coexisting(network.lower()), "ideal-torch")
    data, wanted = {"in": alone.asarray(inputs)}, alone.asarray(targets)
    total = _flat(passage(both, data, wanted, objective, shown=True).gradient)
    unshown = _flat(passage(both, data, wanted, objective, shown=False).gradient)
    hebbian = _flat(Hebbian().step(alone, data, wanted, objective).gradient)
    gradient = _flat(ReflectedWave().step(alone, data, wanted, objective).gradient)
    rest = _flat(WaveHebbian(apart=True).step(both, data, wanted, objective).gradient)
    size = float(np.linalg.norm(total))
    missing = float(np.linalg.norm(total - hebbian - gradient)) / size
    unlike = float(np.linalg.norm(unshown - hebbian)) / size
    yield at_most("wave-Hebbian: measured sum less both terms", missing, 1e-9)
    yield at_most("wave-Hebbian: without a target, from Hebb", unlike, 1e-9)
    yield at_least("wave-Hebbian: cosine of the gradient term with the reflected wave", _cosine(rest, gradient), 0.9999)
    yield at_least(
        "wave-Hebbian: Hebbian over gradient term, in size",
        float(np.linalg.norm(hebbian) / np.linalg.norm(gradient)),
        1.0,
    )


def stdp() -> Iterator[Answer]:
    """Plasticity of two LIF cells against the phase between their spikes: pairs in windows, and a cosine.

    The wave picture predicts a cosine; antisymmetric windows are odd in the phase, so they contradict it.
    """
    trains = LaggingCells()
    phases = trains.phases
    equal = trains.curve(PairSTDP(depression=1.0))
    yield at_most("STDP, equal windows: R^2 of its phase curve with cos", fit(phases, equal, np.cos), 0.01)
    yield at_least("STDP, equal windows: R^2 of its phase curve with sin", fit(phases, equal, np.sin), 0.4)
    usual = trains.curve(PairSTDP())
    largest = int(np.argmax(np.abs(usual)))
    wanted = trains.of_pairs(PairSTDP(), largest)
    yield close("STDP, largest update of a cell: sum over all its pairs", usual[largest], wanted, relative=1e-6)
    yield at_most("STDP, A-/A+ = 1.05: R^2 of its phase curve with cos", fit(phases, usual, np.cos), 0.01)
    yield at_least("STDP, A-/A+ = 1.05: R^2 of its phase curve with sin", fit(phases, usual, np.sin), 0.4)
    clocked = trains.curve(PhaseSTDP(trains.period))
    yield at_least("phase STDP: R^2 of its phase curve with cos", fit(phases, clocked, np.cos), 0.999)
    yield at_most("phase STDP: R^2 of its phase curve with sin", fit(phases, clocked, np.sin), 1e-3)


class LaggingCells:
    """One LIF cell that fires regularly, and a row of others that follow it by 0 to 23/24 of a period."""

    def __init__(self, current: float = 1.5) -> None:
        cells = LIF("pre", 1), LIF("post", LAGS)
        rests = round(1.0 / float(cells[0].rate(current)) / STEP)  # of a period, in steps
        lags = np.round(np.arange(LAGS) * rests / LAGS).astype(int)
        steps = (PERIODS + 2) * rests
        links = [
            Link(f"to {c.name}", c.name, operator=OneToOne((c.size,)), weights=np.ones(c.size), trainable=False)
            for c in cells
        ]
        links.append(Link("pre", "post", weights=np.zeros((LAGS, 1))))
        sources = [Source(f"to {cell.name}", cell.size) for cell in cells]
        network = Network([*sources, *cells], links, Readout("post", "spike", "mean"))
        # A cell climbs while its current is on; all have it for the same time, and so fire equally often.
        since = np.arange(steps)[:, None] - lags
        on = (since >= 0) & (since < (PERIODS + 0.5) * rests)
        drive = current * on[None].astype(float)
        driven = {"to pre": drive[:, :, :1], "to post": drive}
        self.substrate = build(network, "ideal-torch", step=STEP)
        self.inputs = {name: self.substrate.asarray(value) for name, value in driven.items()}
        self.objective = Objective(network.readout, SquaredError(), LAGS, steps * STEP)
        trace = self.substrate.run(self.inputs, steps * STEP)
        system = self.substrate.placed.system
        self.pre, self.post = (
            [STEP * np.flatnonzero(as_numpy(spikes(system, trace, name))[0, :, cell] > 0.5) for cell in range(count)]
            for name, count in (("pre", 1), ("post", LAGS))
        )
        self.period = float(np.mean(np.diff(self.pre[0])))
        self.phases = 2 * np.pi * np.array([after[0] - self.pre[0][0] for after in self.post]) / self.period

    def curve(self, rule: Any) -> NDArray:
        """The update of every cell's weight from the leading cell."""
        targets = self.substrate.asarray(np.zeros((1, LAGS)))
        step = rule.step(self.substrate, self.inputs, targets, self.objective)
        return -as_numpy(step.gradient["pre->post"])[:, 0]

    def of_pairs(self, rule: PairSTDP, cell: int) -> float:
        """One cell's update as a plain sum over all pairs of spike times."""
        gaps = self.post[cell][:, None] - self.pre[0]
        grown = np.exp(-gaps[gaps > STEP / 2] / rule.rise).sum()
        shrunk = np.exp(gaps[gaps < -STEP / 2] / rule.fall).sum()
        return float(rule.potentiation * grown - rule.depression * shrunk)


def fit(phases: NDArray, curve: NDArray, shape: Callable[[NDArray], NDArray]) -> float:
    """R^2 of the best a + b shape(phase)."""
    design = np.stack([np.ones_like(phases), shape(phases)], axis=1)
    left = curve - design @ np.linalg.lstsq(design, curve, rcond=None)[0]
    return 1.0 - float(left @ left) / float(np.sum((curve - curve.mean()) ** 2))


def _small_network() -> tuple[Network, Objective, NDArray, NDArray]:
    network = Network.layered([Source("in", 5), Waveguide("a", 6), Waveguide("b", 4), Waveguide("out", 3)])
    inputs = streams.normal(0, "wave-Hebbian", "inputs", (8, 5))
    targets = np.sign(streams.normal(0, "wave-Hebbian", "targets", (8, 3)))
    return network, Objective(network.readout, SquaredError(), 3), inputs, targets


def _flat(update: Mapping[str, Any]) -> NDArray:
    return np.concatenate([np.ravel(as_numpy(update[key])) for key in sorted(update)])


def _cosine(a: NDArray, b: NDArray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


ANSWERS = {
    "Oja: principal subspace": oja,
    "Hebb: divergence": hebb,
    "wave-Hebbian: two terms": wave_hebbian,
    "STDP against phase": stdp,
}
