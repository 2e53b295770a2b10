"""Integrators: one step of a population's flows, written as maps.

A step  x(t) -> x(t + dt)  of a population is a map of its states, with what arrives, what enters and what constraints
give held within the step. Written so, every integrator runs wherever maps run, and the reflected System of the maps is
its exact adjoint in discrete time.

    euler        x+ = x + dt f(x)
    symplectic   v+ = v + dt f_v(x, v),  x+ = x + dt f_x(v+)                     semi-implicit Euler
    verlet       as symplectic, the first kick by dt/2: where forces do not depend on velocities, positions are those of
                 velocity Verlet (order 2), and v is that of half a step before; with damping the order is 1
    imex         as symplectic, the velocity's own damping implicit: v+ = (v + dt (f_v - a v))/(1 - dt a)
    implicit     (1 - dt A) x+ = x + dt (f - A x)                                backward Euler of the linear part A x
    exponential  x+ = e^(a dt) x + dt phi1(a dt) (f - a x),  phi1(s) = (e^s - 1)/s, state by state
    rk4          classical Runge-Kutta, order 4 where nothing arrives

White noise enters as a constant of its step: of order 1 in every integrator, and in none exact, as long as dt is short
against the fastest time constant. Runge-Kutta steps of complex populations can be run, but their expressions, and with
them the reflected System, become too large to train.

`a` and `A x` are the terms of f that are linear in the state itself and in all states. A position is a state whose flow
is free of itself, of other positions, and of what arrives, enters or is solved for; the other states are velocities.

Sources: Hairer, Lubich, Wanner, Geometric Numerical Integration (2006), chapter I; Hochbruck, Ostermann, Exponential
integrators, Acta Numerica 19 (2010); Rusch, Rus, Oscillatory state-space models (2025) for "implicit" and "symplectic".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from physnn.equations.functions import phi1
from physnn.equations.parse import STEP, TIME, is_noise
from physnn.errors import EquationError, UnknownNameError

if TYPE_CHECKING:
    from physnn.equations.population import Population

Flows = dict[str, sp.Expr]
EULER = "euler"


def stepped(population: Population) -> Population:
    """The population with one step of its integrator as maps in place of its flows; itself for explicit Euler."""
    if population.integrator == EULER or not population.flows:
        return population
    maps = {**population.maps, **INTEGRATORS[population.integrator](population)}
    text = f"{population.text}+{population.integrator}"
    return replace(population, flows={}, maps=maps, integrator=EULER, text=text)


def check_integrator(population: Population, where: str) -> None:
    """Whether the population's flows can be stepped by its integrator.

    Raises
    ------
    UnknownNameError
        There is no such integrator.
    EquationError
        It does not go with these flows.
    """
    name = population.integrator
    if name not in INTEGRATORS:
        raise UnknownNameError("integrator", name, INTEGRATORS)
    if name in ("symplectic", "verlet", "imex") and population.flows and not _positions(population):
        raise EquationError(
            f"{where}: integrator {name!r} needs a position, a state such as dx/dt = v whose flow is made of "
            "velocities and parameters alone; use 'euler', 'exponential' or 'rk4'"
        )
    states = {population.symbols[name] for name in population.flows}
    for state, flow in population.flows.items():
        noises = [s for s in flow.free_symbols if is_noise(str(s))]
        if name != EULER and any(flow.diff(noise).free_symbols & states for noise in noises):
            raise EquationError(
                f"{where}: the noise of {state!r} has a strength that depends on states (Ito); use integrator 'euler'"
            )


def _euler(population: Population) -> Flows:
    step = population.symbols[STEP]
    return {name: population.symbols[name] + step * flow for name, flow in population.flows.items()}


def _symplectic(population: Population) -> Flows:
    step = population.symbols[STEP]
    return _drifted(population, {n: population.symbols[n] + step * f for n, f in _kicks(population).items()})


def _verlet(population: Population) -> Flows:
    step, time = population.symbols[STEP], population.symbols[TIME]
    kick = sp.Piecewise((step / 2, time < step / 2), (step, True))
    return _drifted(population, {n: population.symbols[n] + kick * f for n, f in _kicks(population).items()})


def _imex(population: Population) -> Flows:
    step, moved = population.symbols[STEP], {}
    for name, flow in _kicks(population).items():
        symbol = population.symbols[name]
        damping = _linear(flow, symbol, {symbol})
        moved[name] = (symbol + step * _without(flow, damping * symbol)) / (1 - step * damping)
    return _drifted(population, moved)


def _implicit(population: Population) -> Flows:
    step, states = population.symbols[STEP], {name: population.symbols[name] for name in population.flows}
    vector = sp.Matrix(list(states.values()))
    rates = [[_linear(flow, s, set(vector)) for s in vector] for flow in population.flows.values()]
    own = sp.Matrix(rates)
    pulled = dict(zip(states, own * vector, strict=True))
    explicit = [s + step * _without(population.flows[name], pulled[name]) for name, s in states.items()]
    solved = (sp.eye(len(states)) - step * own).LUsolve(sp.Matrix(explicit))
    return {name: sp.together(value) for name, value in zip(states, solved, strict=True)}


def _exponential(population: Population) -> Flows:
    step, moved = population.symbols[STEP], {}
    for name, flow in population.flows.items():
        symbol = population.symbols[name]
        rate = _linear(flow, symbol, {symbol})
        moved[name] = sp.exp(rate * step) * symbol + step * phi1(rate * step) * _without(flow, rate * symbol)
    return moved


def _rk4(population: Population) -> Flows:
    step, time = population.symbols[STEP], population.symbols[TIME]
    states = {name: population.symbols[name] for name in population.flows}

    def slopes(of: Mapping[str, sp.Expr], share: sp.Expr) -> Flows:
        there = {states[n]: symbol + share * step * of[n] for n, symbol in states.items()} if of else {}
        return {n: flow.xreplace({**there, time: time + share * step}) for n, flow in population.flows.items()}

    first = slopes({}, sp.Integer(0))
    second = slopes(first, sp.Rational(1, 2))
    third = slopes(second, sp.Rational(1, 2))
    fourth = slopes(third, sp.Integer(1))
    return {n: s + step / 6 * (first[n] + 2 * second[n] + 2 * third[n] + fourth[n]) for n, s in states.items()}


INTEGRATORS: dict[str, Callable[[Population], Flows]] = {
    EULER: _euler,
    "symplectic": _symplectic,
    "verlet": _verlet,
    "imex": _imex,
    "implicit": _implicit,
    "exponential": _exponential,
    "rk4": _rk4,
}
"""Name -> what makes one step of a population's flows into maps."""


def _positions(population: Population) -> tuple[str, ...]:
    changing = {population.symbols[name] for name in population.role("arrival", "input", "unknown", "event")}
    found: list[str] = []
    for name, flow in population.flows.items():
        taken = {population.symbols[other] for other in (*found, name)}
        if not flow.free_symbols & (changing | taken) and not any(is_noise(str(s)) for s in flow.free_symbols):
            found.append(name)
    return tuple(found)


def _kicks(population: Population) -> Flows:
    """Flows of the velocities."""
    positions = _positions(population)
    return {name: flow for name, flow in population.flows.items() if name not in positions}


def _drifted(population: Population, moved: Flows) -> Flows:
    """Velocities that have moved, and the positions that they carry on."""
    step = population.symbols[STEP]
    new = {population.symbols[name]: value for name, value in moved.items()}
    drift = {n: population.symbols[n] + step * population.flows[n].xreplace(new) for n in _positions(population)}
    return {name: {**moved, **drift}[name] for name in population.flows}


def _linear(flow: sp.Expr, symbol: sp.Symbol, states: set[sp.Symbol]) -> sp.Expr:
    """The coefficient c of the terms c * symbol of a flow, free of all `states`."""
    found: sp.Expr = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand_mul(flow)):
        coefficient = term / symbol
        if symbol in term.free_symbols and not coefficient.free_symbols & states:
            found += coefficient
    return found


def _without(flow: sp.Expr, terms: sp.Expr) -> sp.Expr:
    """What is left of a flow when its linear terms are taken out."""
    return sp.expand_mul(flow) - sp.expand_mul(terms) if terms != 0 else flow
