"""Repeaters: one population of a System as active elements at the ends of lines.

A repeater's amplitude relaxes exponentially toward its stationary value, which the arriving wave sets:

    dx/dt = f(x, z) = N(z) - r x,     x(t + h) = x(t) + f(x(t), z) (1 - exp(-r h)) / r

exactly, while z holds. In a companion System the same element is the small-signal amplifier of the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.equations import Population, System
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.equations.stationary import closed_form

Environment = dict[str, Any]


def directional(system: System) -> bool:
    """Whether sources, repeaters and lines between them are all that a System needs.

    Nothing passes waves on there but repeaters, and no place has parts that hear each other at once. What other
    populations need stands in `cells`.
    """
    if any(c.local or np.iscomplexobj(c.initial) for c in system.couplings.values()):
        return False
    ends = (bool(p.flows) or not p.role("arrival") for p in system.populations.values())
    return all(ends) and all(map(is_repeater, system.populations.values()))


def is_repeater(population: Population) -> bool:
    """Whether each element is a repeater, or a source: one real state that decays at a fixed rate, or none."""
    others = population.events or population.maps or population.constraints or population.projections
    if others or population.noises or any(v.complex for v in population.variables.values()):
        return False
    if len(population.flows) > 1:
        return False
    return not population.flows or (closed_form(population) is not None and _relaxation(population)[1])


def cells(population: Population) -> str:
    """What analog cells an element consists of; empty for repeaters and sources."""
    if is_repeater(population):
        return ""
    states = sum(2 if population.variables[name].complex else 1 for name in population.flows)
    kinds = {
        "integrator": states,
        "sample-and-hold": len(population.maps),
        "feedback loop": len(population.constraints),
        "limiter": len(population.projections),
        "comparator": len(population.events),
    }
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items() if count)


def _relaxation(population: Population) -> tuple[sp.Expr, bool]:
    """The rate r of dx/dt = N - r x, and whether it depends on parameters alone."""
    (state, flow), *_ = population.flows.items()
    rate = -flow.diff(population.symbols[state])
    fixed = {population.symbols[name] for name in population.role("parameter")}
    return rate, rate.free_symbols <= fixed


class Repeaters:
    """One population, compiled."""

    def __init__(self, system: System, population: Population) -> None:
        self.population = population
        self.state = next(iter(population.flows), None)
        self.parameters = {name: f"{population.name}.{name}" for name in population.role("parameter")}
        self.inputs = population.role("input")
        self.recorded = {n: f"{population.name}.{n}" for n in population.role("state", "arrival", "input")}
        self.arriving = {arrival: system.arriving(population.name, arrival) for arrival in population.role("arrival")}
        ports = [name for name, port in system.outputs.items() if port.population == population.name]
        self.signals = _bundle(population, {c.name: system.signals[c.name] for c in system.leaving(population.name)})
        self.outputs = _bundle(population, {name: system.readouts[name] for name in ports})
        self.stationary = _bundle(population, closed_form(population) or {})
        moves = {"flow": population.flows[self.state], "rate": _relaxation(population)[0]} if self.state else {}
        self.moves = _bundle(population, moves)
        self.rate = _bundle(population, {k: v for k, v in moves.items() if k == "rate"})

    def environment(self, parameters: Mapping[str, NDArray], batch: int) -> Environment:
        """Parameters by name, and inputs at zero."""
        here: Environment = {TIME: 0.0, STEP: 1.0}
        here |= {name: parameters[key] for name, key in self.parameters.items()}
        return here | {name: np.zeros((batch, *self.population.shape)) for name in self.inputs}

    def filled(self, value: Any, batch: int) -> NDArray:
        """A value as an array (batch, *shape)."""
        shape = (batch, *self.population.shape)
        return value if getattr(value, "shape", None) == shape else np.broadcast_to(value, shape)

    def settle(self, here: Environment, batch: int) -> None:
        """Put the stationary value into the environment."""
        if self.state:
            here[self.state] = self.filled(self.stationary(here)[self.state], batch)

    def relaxed(self, here: Environment, h: float, batch: int) -> NDArray:
        """The state after a time `h` [s, model time] with what arrives now."""
        (state,) = self.population.dynamic
        moves = self.moves(here)
        rate = np.asarray(moves["rate"], dtype=float)
        held = rate == 0
        reach = np.where(held, h, -np.expm1(-rate * h) / np.where(held, 1.0, rate))
        return self.filled(here[state] + reach * moves["flow"], batch)


def _bundle(population: Population, expressions: Mapping[str, sp.Basic]) -> Callable[[Environment], dict[str, Any]]:
    if not expressions:
        return lambda here: {}
    used = sorted({str(s) for e in expressions.values() for s in e.free_symbols})
    compiled = function(tuple(population.symbols[n] for n in used), tuple(expressions.values()))
    names = tuple(expressions)
    return lambda here: dict(zip(names, compiled(xp, *[here[n] for n in used]), strict=True))
