"""Lumped analog cells and what they get wrong, written into the equations of a System.

With the profile's table ``[cells]``, an element of a population that is no repeater becomes, with full scale S:

    dx/dt = f(x, y) - x/(A T)              the leak of an integrator of DC gain A, T = 1 s of model time
    dy/dt = 2 pi B (z - y)                 what arrives, z, passes an amplifier of bandwidth B before it acts
    x / sqrt(1 + |x|^2/(s S)^2)            what leaves, a state sent or read, saturates at s S

Each number is absent where the profile does not give it, and the equation is then the ideal one. They are parameters of
the System, so that every cell has its own value on a die. Offsets and the mismatch of other parameters are the die's
(`physnn.substrate.placement`), noise is that of detectors.

An amplifier that is faster than the time step follows within it, and is left out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import sympy as sp

from physnn.equations import Output, Population, System, Variable
from physnn.substrate.device_equations import substituted
from physnn.substrate.placement import PlacedSystem
from physnn.substrate.profile_schema import Profile
from physnn_waveguide.repeaters import is_repeater

_MARK = "+cells"
"""what the text of a population ends with that has been through here"""


def with_cells(placed: PlacedSystem) -> PlacedSystem:
    """The placed System with the cells of its profile; itself where these are ideal, or where it has them already."""
    chosen = {name for name, p in placed.system.populations.items() if _is_cell(p)}
    given = [key for key, _ in placed.profile.cells.quantities()]
    if not given or not chosen:
        return placed
    populations, sent = dict(placed.system.populations), {}
    for name in sorted(chosen):
        populations[name], sent[name] = _with_cell(populations[name], placed)
    system = placed.system
    couplings = [
        replace(c, signal=system.signals[c.name].xreplace(sent.get(c.source, {}))) for c in system.couplings.values()
    ]
    outputs = {
        name: Output(port.population, system.readouts[name].xreplace(sent.get(port.population, {})))
        for name, port in system.outputs.items()
    }
    made = System.of(populations.values(), couplings, system.inputs, outputs, derived=system.derived)
    return replace(placed, system=made, _companions={}, _die={})


def lag(profile: Profile) -> float:
    """The time constant of the cells' amplifiers [s, model time]; 0 where they are ideal."""
    bandwidth, constant = profile.cells.bandwidth, profile.medium.time_constant
    return 1 / (2 * math.pi * bandwidth.value * (constant.value if constant else 1.0)) if bandwidth else 0.0


def _is_cell(population: Population) -> bool:
    return bool(population.flows) and not is_repeater(population) and not population.text.endswith(_MARK)


def _with_cell(population: Population, placed: PlacedSystem) -> tuple[Population, dict[sp.Symbol, sp.Expr]]:
    """The population with its imperfections, and what its states and arrivals are where they leave."""
    cells, full_scale = placed.profile.cells, placed.profile.range.signal
    variables, values, taken = dict(population.variables), dict(population.values), {*population.definitions}

    def parameter(wanted: str, unit: str, value: float) -> sp.Symbol:
        name = _free(wanted, {*variables, *taken})
        variables[name] = Variable(name, "parameter", unit)
        values[name] = np.full(population.shape, value)
        return variables[name].symbol

    followed: dict[sp.Symbol, sp.Expr] = {}
    flows: dict[str, sp.Expr] = {}
    time = lag(placed.profile)
    if time > placed.step:
        rate = parameter("cell_rate", "1/s", 1 / time)
        for arrival in population.role("arrival"):
            own = population.variables[arrival]
            name = _free(f"{arrival}_followed", {*variables, *taken})
            variables[name] = Variable(name, "state", own.unit, own.complex)
            followed[own.symbol] = variables[name].symbol
            flows[name] = rate * (own.symbol - variables[name].symbol)
    moved = substituted(population, followed)
    if cells.gain is not None:
        leak = parameter("cell_leak", "1/s", 1 / cells.gain.value)
        leaking = {name: flow - leak * population.symbols[name] for name, flow in moved.flows.items()}
        moved = replace(moved, flows=leaking)
    leaving = dict(followed)
    if cells.saturation is not None:
        largest = cells.saturation.value * (full_scale.value if full_scale else 1.0)
        for name in population.dynamic:
            state = population.variables[name]
            limit = parameter(f"{name}_limit", state.unit, largest)
            size = state.symbol * sp.conjugate(state.symbol) if state.complex else state.symbol**2
            leaving[state.symbol] = state.symbol / sp.sqrt(1 + size / limit**2)
    text = population.text + _MARK
    return replace(moved, variables=variables, values=values, text=text, flows={**moved.flows, **flows}), leaving


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
