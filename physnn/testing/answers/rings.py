"""Known answers of symmetric rings: equations written out, the backward ring as adjoint, onset, distances and gains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.optimize import brentq

from physnn import streams
from physnn.analysis import gain_table, linearised, modes, state_distance
from physnn.equations import Coupling, Input, OneToOne, Output, Population, System
from physnn.media.ring import WUXING, LotkaVolterra, Ring
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

Array = NDArray[np.float64]

FORWARD = {
    "J": "k1_J*T - k2_J*J - k3_J*J*H",
    "S": "k1_S*J - k2_S*S - k3_S*S*T",
    "M": "k1_M*S - k2_M*M - k3_M*M*J",
    "H": "k1_H*M - k2_H*H - k3_H*H*S",
    "T": "k1_T*H - k2_T*T - k3_T*T*M",
}
"""Equation (8) of Jiang and Feng, with k_11 written k1_J, and so on."""

BACKWARD = {
    "J": "k1_S*S - k2_J*J - k3_M*J*M",
    "S": "k1_M*M - k2_S*S - k3_H*S*H",
    "M": "k1_H*H - k2_M*M - k3_T*M*T",
    "H": "k1_T*T - k2_H*H - k3_J*H*J",
    "T": "k1_J*J - k2_T*T - k3_S*T*S",
}
"""Equation (12)."""

GENERATION = ((0, 1, 2, 3, 4), (4, 0, 1, 2, 3), (3, 4, 0, 1, 2), (2, 3, 4, 0, 1), (1, 2, 3, 4, 0))
INHIBITION = ((0, 3, 1, 4, 2), (2, 0, 3, 1, 4), (4, 2, 0, 3, 1), (1, 4, 2, 0, 3), (3, 1, 4, 2, 0))
BOTH = ((0, 1, 1, 2, 2), (2, 0, 1, 1, 2), (2, 2, 0, 1, 1), (1, 2, 2, 0, 1), (1, 1, 2, 2, 0))
"""Causal distances of the forward ring; rows: from, columns: to, in the order J S M H T."""

GAINS = {
    0.4: (0.689, 0.895, 0.482, -0.055, -0.344),
    0.6: (0.892, 0.906, 0.549, 0.186, -0.033),
    0.8: (1.40, 1.29, 1.01, 0.75, 0.55),
    0.9: (2.40, 2.24, 2.00, 1.78, 1.58),
}
"""k2/k1 -> what a small constant input at J, in units of k1, moves J S M H T by; rounded as given."""


def equations() -> Iterator[Answer]:
    """The rings' equations against the paper's, and their runs against the compact form with indices modulo 5."""
    strength: dict[str, Any] = {"generation": _draw("k1"), "loss": 0.6 * _draw("k2"), "inhibition": 0.4 * _draw("k3")}
    forward = Ring("cells", 4, **strength)
    for ring, literal in ((forward, FORWARD), (forward.reversed(), BACKWARD)):
        way = "backward" if ring.backward else "forward"
        population = ring.lower()
        differing = [
            e
            for e in WUXING
            if sp.expand(population.flows[e] - population.expression(f"{literal[e]} + I_{e}", way)) != 0
        ]
        yield close(f"{way} ring: equations that differ from the literal ones", len(differing), 0.0, absolute=0.0)
        start = 0.3 + streams.uniform(0, way, "answers", (5, 2, 4))
        found, wanted = _run(ring, start, 0.05, 100), _compact(ring, start, 0.05, 100)
        worst = np.max(np.abs(found - wanted))
        yield at_most(f"{way} ring: largest deviation of a run from the compact equations", worst, 1e-13)
        still = _run(ring, np.repeat(ring.rest()[:, None], 2, axis=1), 0.05, 100)
        moved = np.max(np.abs(still - still[:, :, :1]))
        yield at_most(f"{way} ring, unequal strengths: what moves when it starts at rest", moved, 1e-13)
    equal = Ring("cells", 1, 1.0, 0.6, 0.4).rest()
    yield close("ring, equal strengths: rest state (k1 - k2)/k3", np.max(equal), 1.0, relative=1e-12)


def _compact(ring: Ring, start: Array, dt: float, steps: int) -> Array:
    """E' = k1 E_(-1) - k2 E - k3 E E_(-2), or its reverse, as rolled arrays; (elements, batch, steps + 1, n)."""
    k1, k2, k3 = (np.asarray(k)[:, None, None] for k in (ring.generation, ring.loss, ring.inhibition))
    turn = 1
    if ring.backward:
        k1, k3, turn = np.roll(k1, -1, axis=0), np.roll(k3, -2, axis=0), -1
    states = [start]
    for _ in range(steps):
        e = states[-1]
        flow = k1 * np.roll(e, turn, axis=0) - k2 * e - k3 * e * np.roll(e, 2 * turn, axis=0)
        states.append(np.maximum(e + dt * flow, 0.0))
    return np.stack(states, axis=2)


def adjoint() -> Iterator[Answer]:
    """With equal strengths the backward Jacobian is the forward one transposed; unequal ones break that by degrees."""
    for ratio in (0.3, 0.6, 0.9):
        ring = Ring("cells", 1, 1.0, ratio, 1 - ratio)
        deviation = np.max(np.abs(_jacobian(ring.reversed()) - _jacobian(ring).swapaxes(-1, -2)))
        yield at_most(
            f"ring, k2/k1 = {ratio:g}: backward Jacobian against the forward one transposed", deviation, 1e-12
        )
    for spread, cosine, bar in ((0.02, 0.9996, 3e-4), (0.1, 0.991, 3e-3), (0.3, 0.935, 0.02)):
        unequal: dict[str, Any] = {
            what: mean * np.exp(spread * streams.normal(0, what, f"spread {spread}", (5, 300)))
            for what, mean in (("generation", 1.0), ("loss", 0.6), ("inhibition", 0.4))
        }
        ring = Ring("cells", 300, **unequal)
        gains, back = (-np.linalg.inv(_jacobian(r)) for r in (ring, ring.reversed()))
        alike = np.sum(gains * back.swapaxes(1, 2), axis=(1, 2))
        alike /= np.linalg.norm(gains, axis=(1, 2)) * np.linalg.norm(back, axis=(1, 2))
        claim = f"rings of strengths with a log-normal spread of {spread:g}: mean cosine of forward and backward gains"
        yield close(claim, np.mean(alike), cosine, absolute=bar)


def onset() -> Iterator[Answer]:
    """Eigenvalues of the ring at rest, and the loss below which it oscillates."""
    golden = (1 + np.sqrt(5)) / 2
    turn = np.exp(-2j * np.pi * np.arange(5) / 5)
    for ratio in (0.1, 0.6):
        wanted = turn - 1 - (1 - ratio) * turn**2
        deviation = np.max(np.min(np.abs(_modes(ratio)[:, None] - wanted), axis=0))
        yield at_most(f"ring, k2/k1 = {ratio:g}: eigenvalues against their closed form", deviation, 1e-12)
    start = brentq(lambda ratio: np.max(_modes(ratio).real), 0.1, 0.2, xtol=1e-9)
    yield close("ring: k2/k1 at the onset of oscillation, 5 - 3 phi", start, 5 - 3 * golden, absolute=1e-4)
    rate = -np.max(_modes(1 / golden).real)
    yield close("ring: slowest decay at k2/k1 = 1/phi, where it settles fastest", rate, 0.382, absolute=5e-4)
    near = [-np.max(_modes(1 / golden + shift).real) for shift in (-0.01, 0.01)]
    yield at_most("ring: slowest decay just beside 1/phi", max(near), rate)


def distances() -> Iterator[Answer]:
    """Causal distances between the five elements, both ways round, as tables: how many entries differ."""
    for ring in (Ring("cells", 1), Ring("cells", 1).reversed()):
        way = "backward" if ring.backward else "forward"
        for edges, table in (("excitatory", GENERATION), ("inhibitory", INHIBITION), ("all", BOTH)):
            wanted = np.array(table).T if ring.backward else np.array(table)
            found = state_distance(System.of([ring.lower()]), "cells", edges=edges)
            differing = int(np.sum(found != wanted))
            claim = f"{way} ring, {edges} edges: entries of the distance table that differ"
            yield close(claim, differing, 0.0, absolute=0.0)


def gains() -> Iterator[Answer]:
    """What a small constant input at J moves each element by: from the linear ring, and as it runs."""
    ratios = np.array(list(GAINS))
    loss = np.repeat(ratios[None], 5, axis=0)
    ring = Ring("cells", 4, loss=loss, inhibition=1 - loss)
    small, start = 1e-4, np.repeat(ring.rest()[:, None], 2, axis=1)
    push = small * np.array([1.0, -1.0])[:, None] * np.ones((2, 4))
    ends = _run(ring, start, 0.1, 3000, push)[:, :, -1]
    moved = (ends[:, 0] - ends[:, 1]) / (2 * small)
    linear = np.stack([gain_table(System.of([ring.lower()]), "cells", element=cell)[0] for cell in range(4)], axis=1)
    for column, (ratio, wanted) in enumerate(GAINS.items()):
        claim = f"ring, k2/k1 = {ratio:g}: gains from J to J S M H T, largest deviation"
        half_a_digit = 5e-4 if ratio < 0.7 else 5e-3
        yield at_most(f"{claim} from the table", np.max(np.abs(linear[:, column] - wanted)), half_a_digit)
        yield at_most(f"{claim} as it runs", np.max(np.abs(moved[:, column] - linear[:, column])), 1e-5)


def parent() -> Iterator[Answer]:
    """Without generation a ring is a Lotka-Volterra system with r = -k2 and A_(e,e-2) = -k3."""
    loss, inhibition = 0.6 * _draw("k2"), 0.4 * _draw("k3")
    start = 0.3 + streams.uniform(0, "parent", "answers", (5, 2, 1))
    found = _run(Ring("cells", 1, 0.0, loss, inhibition), start, 0.05, 100)
    eats = np.zeros((5, 5))
    eats[np.arange(5), np.arange(5) - 2] = -inhibition
    species = LotkaVolterra("species", 5, -loss, eats, integrator="euler").lower()
    couplings = LotkaVolterra("species", 5, -loss, eats).inner(0)
    system = System.of([species], couplings, {"x": Input("species", "x")}, {"y": Output("species", "x")})
    substrate = build(system, "ideal-torch", seed=0, step=0.05)
    x = as_numpy(substrate.run({"x": substrate.asarray(start[..., 0].T)}, 100 * 0.05).outputs["y"])
    worst = np.max(np.abs(found[..., 0] - np.moveaxis(x, 2, 0)))
    yield at_most("ring without generation: largest deviation from Lotka-Volterra", worst, 1e-13)


def _draw(name: str) -> Array:
    """Strengths about 1, one an element."""
    return np.exp(0.1 * streams.normal(0, name, "answers", (5,)))


def _system(ring: Ring) -> System:
    """The cells by themselves, with ports that push J and set each element."""
    elements = {e: Input("cells", e) for e in ring.elements}
    outputs = {f"out_{e}": Output("cells", e) for e in ring.elements}
    source = Population.from_text("source", ring.size, "u : 1 (input)")
    line = Coupling(
        "line", "source", "cells", "u", OneToOne((ring.size,)), "I_J", unit="1/s", initial=np.ones(ring.size)
    )
    return System.of([source, ring.lower()], [line], {"push": Input("source", "u"), **elements}, outputs)


def _run(ring: Ring, start: Array, dt: float, steps: int, push: Array | None = None) -> Array:
    """Every element, (elements, batch, steps + 1, n), from `start`, (elements, batch, n)."""
    substrate = build(_system(ring), "ideal-torch", seed=0, step=dt)
    inputs = dict(zip(ring.elements, start, strict=True)) | ({} if push is None else {"push": push})
    given = {port: substrate.asarray(value) for port, value in inputs.items()}
    outputs = [f"out_{e}" for e in ring.elements]
    trace = substrate.run(given, steps * dt, record=outputs)
    return np.stack([as_numpy(trace.outputs[port]) for port in outputs])


def _jacobian(ring: Ring) -> Array:
    """Of each cell at rest, (n, elements, elements)."""
    linear = linearised(System.of([ring.lower()]))
    whole = linear.A.toarray()
    rows = np.array([np.arange(len(whole))[linear.states[f"cells.{e}"]] for e in ring.elements]).T
    return whole[rows[:, :, None], rows[:, None, :]]


def _modes(ratio: float) -> NDArray[np.complex128]:
    """Eigenvalues of a ring with k1 = 1, k3 = 1 [1/s]."""
    return modes(System.of([Ring("cells", 1, 1.0, ratio, 1.0).lower()])).eigenvalues


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "ring equations": equations,
    "ring as adjoint": adjoint,
    "ring onset": onset,
    "ring distances": distances,
    "ring gains": gains,
    "ring and Lotka-Volterra": parent,
}
