"""Where the energy of a run goes: what sources deliver, what burns in which part, what stays in lines and elements.

Step by step, since every junction conserves the power of its waves and lines only store them:

    delivered + supplied = dissipated + stored

A wave of voltage b on a line of impedance Z carries b^2/Z during a step; of one that arrives, (1 - k^2) b^2/Z is lost
on the line. Resistors burn R i^2, inductors hold L i^2/2, capacitors C v^2/2, a stub what is in flight on it. That is
exact in discrete time where a circuit has no states, or steps them by the trapezoidal rule. Another integrator makes
energy or takes it, which is shown by part (`Balance.integrator`) and left in the residual. Rational impedances burn or
store what they take up; the two cannot be told apart, and both count as burnt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Population, System, Trace
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.errors import CapabilityError, ParameterError
from physnn.media.impedances.bank import TransformerBank
from physnn.media.impedances.coupler import DirectionalCoupler, Repeater
from physnn.media.impedances.junction import Step, _WithImpedance
from physnn.media.impedances.line import Line
from physnn.media.impedances.shunt import DUFFING, NonlinearShunt
from physnn.media.impedances.termination import Termination
from physnn.media.medium import Medium, Source
from physnn.media.network import Network
from physnn.media.part import Part

Joules = NDArray[np.float64]
KINDS = ("delivered", "supplied", "dissipated", "stored", "integrator")


@dataclass(frozen=True)
class Balance:
    """Energies of a run by part, (batch, lines) [J]; those of runs that continue each other add up."""

    delivered: Mapping[str, Joules] = field(default_factory=dict)
    """by sources; negative where one takes up energy"""
    supplied: Mapping[str, Joules] = field(default_factory=dict)
    """to repeaters beyond what arrived there; negative where they absorb"""
    dissipated: Mapping[str, Joules] = field(default_factory=dict)
    stored: Mapping[str, Joules] = field(default_factory=dict)
    """at the end less at the beginning"""
    integrator: Mapping[str, Joules] = field(default_factory=dict)
    """what the stepping of a circuit's states made, negative where it took: part of the residual"""

    def __add__(self, other: Balance) -> Balance:
        return Balance(**{kind: _sum(getattr(self, kind), getattr(other, kind)) for kind in KINDS})

    @property
    def residual(self) -> Joules:
        """delivered + supplied - dissipated - stored, (batch,) [J]."""
        return _total(self.delivered) + _total(self.supplied) - _total(self.dissipated) - _total(self.stored)

    @property
    def error(self) -> float:
        """Largest residual of the batch, in parts of all that is delivered, supplied, dissipated and stored there."""
        kinds = (self.delivered, self.supplied, self.dissipated, self.stored)
        turned = sum((np.abs(part).sum(axis=-1) for kind in kinds for part in kind.values()), start=np.zeros(1))
        return float(np.max(np.abs(self.residual) / np.where(turned > 0, turned, 1.0)))


def energy_balance(
    network: Network, trace: Trace, parameters: Mapping[str, Any] | None = None, system: System | None = None
) -> Balance:
    """Where the energy of a run of a network of lines went.

    Parameters
    ----------
    network : Network
        Of lines, terminations, junctions, banks, shunts, couplers and repeaters; no part may be noisy.
    trace : Trace
        Of a run in time, with all fields and signals recorded; also one that continues another.
    parameters : mapping, optional
        Values at which it was run, in place of the network's own.
    system : System, optional
        The network's equations, where they are at hand.

    Raises
    ------
    ParameterError
        The trace is a stationary state, has no step, lacks fields or signals, or is of another network.
    CapabilityError
        The network has parts whose energy is not known.

    Source
    ------
    Conservation of power at lossless junctions in wave variables: Fettweis, Proc. IEEE 74, 270 (1986).
    """
    if trace.steady:
        raise ParameterError("an energy balance needs a run in time, and this is a stationary state; run the network")
    system = system or network.lower()
    _check_trace(system, trace)
    view = _View(system, trace, parameters or {})
    found: dict[str, dict[str, Joules]] = {kind: {} for kind in KINDS}
    for part in network.parts:
        for kind, value in _of(part, view).items():
            found[kind][part.name] = value
    return Balance(**found)


def _check_trace(system: System, trace: Trace) -> None:
    """Whether a trace holds all that its populations did, and no others.

    Raises
    ------
    ParameterError
    """
    shapes = {
        f"{population.name}.{variable}": population.shape
        for population in system.populations.values()
        for variable in population.role("state", "unknown", "arrival", "input")
    }
    missing = [name for name in (*shapes, *system.couplings) if name not in {*trace.fields, *trace.sent}]
    strange = [name for name in trace.fields if name.rpartition(".")[0] not in system.populations]
    strange += [name for name in trace.sent if name not in system.couplings]
    strange += [n for n, shape in shapes.items() if n in trace.fields and trace.fields[n].shape[2:] != shape]
    if strange:
        raise ParameterError(
            f"energy balance: the trace's {strange[0]!r} is not that of this network; give the network that was run"
        )
    if missing:
        raise ParameterError(
            f"energy balance: the trace has no {missing[0]!r}"
            + (f" and {len(missing) - 1} more" * (len(missing) > 1))
            + "; run this network with everything recorded"
        )


class _View:
    """Expressions of a run's populations."""

    def __init__(self, system: System, trace: Trace, parameters: Mapping[str, Any]) -> None:
        self.system, self.trace = system, trace
        self.parameters = {**system.parameters, **parameters}

    def values(self, population: Population, expression: str) -> Joules:
        """An expression at all entries, (batch, times, *shape)."""
        parsed = population.expression(expression, "energy balance")
        names = sorted({str(symbol) for symbol in parsed.free_symbols})
        given = [self._variable(population, name) for name in names]
        (found,) = function(tuple(population.symbols[name] for name in names), (parsed,))(np, *given)
        beside = next(iter(self.trace.fields.values()))
        return np.broadcast_to(found, (*beside.shape[:2], *population.shape))

    def total(self, population: Population, power: str) -> Joules:
        """Energy of a power, summed over the steps."""
        return self.trace.step * np.sum(self.values(population, power)[:, :-1], axis=1)

    def change(self, population: Population, energy: str) -> Joules:
        """An energy at the end less that at the beginning."""
        found = self.values(population, energy)
        return found[:, -1] - found[:, 0]

    def sent(self, coupling: str) -> Joules:
        """Signal of a coupling, (batch, times, *shape)."""
        return _plain(self.trace.sent[coupling])

    def _variable(self, population: Population, name: str) -> Any:
        if name == STEP:
            return self.trace.step
        if name == TIME:
            raise CapabilityError(f"population {population.name!r}: its energy changes with the time")
        key = f"{population.name}.{name}"
        return _plain(self.trace.fields[key]) if key in self.trace.fields else np.asarray(_plain(self.parameters[key]))


def _of(part: Part, view: _View) -> dict[str, Joules]:
    """Energies of one part."""
    for kind, meter in METERS.items():
        if isinstance(part, kind):
            return meter(part, view)
    raise CapabilityError(
        f"part {part.name!r}: the energy of a {type(part).__name__} is not known; a balance is made of lines, "
        "terminations, junctions, banks, shunts, couplers and repeaters"
    )


def _nothing(part: Part, view: _View) -> dict[str, Joules]:
    """Lossless, and without a store."""
    return {}


def _ended(part: Any, view: _View) -> dict[str, Joules]:
    """An impedance, with a source in series where it is a termination."""
    population, circuit = view.system.populations[part.name], part.circuit
    taken = view.total(population, "v*i")
    burnt = sum((view.total(population, power) for power in circuit.burnt), start=np.zeros_like(taken))
    stored = sum((view.change(population, energy) for energy in circuit.stored), start=np.zeros_like(taken))
    for echo in circuit.echoes:
        held, lost = _on_stub(view, population, part.name, echo.arrival)
        stored, burnt = stored + held, burnt + lost
    found = {"dissipated": burnt}
    if "e" in population.variables:
        found["delivered"] = view.total(population, "-e*i")
    if circuit.stored or circuit.echoes:
        found["stored"] = stored
    if circuit.stored:
        found["integrator"] = stored + burnt - taken
    return found


def _on_stub(view: _View, population: Population, name: str, arrival: str) -> tuple[Joules, Joules]:
    """What is in flight on a stub, and what it burnt; a loss on the way back counts when the wave arrives."""
    coupling = view.system.couplings[f"{name}, {arrival}"]
    impedance = arrival.replace("b_", "Z_")
    echo = np.asarray(view.parameters[coupling.key], dtype=float)
    entered = view.total(population, f"{coupling.signal}**2/{impedance}")
    came = view.total(population, f"{arrival}**2/{impedance}")
    return entered - came / echo**2, came / echo**2 - came


def _across(part: NonlinearShunt, view: _View) -> dict[str, Joules]:
    population = view.system.populations[part.name]
    if part.kind != DUFFING:
        return {"dissipated": view.total(population, "v*i")}
    return {"stored": view.change(population, "phi**2/(2*L) + beta*phi**4/4")}


def _on_line(part: Line, view: _View) -> dict[str, Joules]:
    """Losses at the two arrivals, and the waves on the way."""
    population = view.system.populations[part.name]
    ends = (
        [("from_left", "at_right"), ("from_right", "at_left")]
        if part.split.sections
        else [("from_left",) * 2, ("from_right",) * 2]
    )
    lost = view.total(population, "(1 - k**2)/Z0*(" + " + ".join(f"{out}**2" for _, out in ends) + ")")
    stored = -view.total(population, "(from_left**2 + from_right**2)/Z0")
    impedance = view.values(population, "Z0")[:, :-1]
    for coupling in view.system.couplings.values():
        if coupling.target == part.name:
            stored = stored + view.trace.step * np.sum(view.sent(coupling.name)[:, :-1] ** 2 / impedance, axis=1)
    for tag, _ in part.split.sections:
        stored = stored + view.change(population, f"(l{tag}**2 + r{tag}**2)*dt*(1 - eta{tag}**2)/Z0")
    return {"dissipated": lost, "stored": stored}


def _amplified(part: Repeater, view: _View) -> dict[str, Joules]:
    power = "(a_2**2 - b_2**2)/Z_2 + (a_1**2 - b_1**2)/Z_1"
    return {"supplied": view.total(view.system.populations[part.name], power)}


METERS: dict[Any, Callable[[Any, _View], dict[str, Joules]]] = {
    Line: _on_line,
    Termination: _ended,
    _WithImpedance: _ended,
    NonlinearShunt: _across,
    Repeater: _amplified,
    Step: _nothing,
    TransformerBank: _nothing,
    DirectionalCoupler: _nothing,
    Source: _nothing,
    Medium: _nothing,
}
"""Kind of part -> its energies. Inputs and constants act through the terminations whose voltage they set."""


def _plain(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _total(parts: Mapping[str, Joules]) -> Joules:
    return sum((np.sum(value, axis=-1) for value in parts.values()), start=np.zeros(1))


def _sum(first: Mapping[str, Joules], second: Mapping[str, Joules]) -> dict[str, Joules]:
    added = {name: value + second[name] if name in second else value for name, value in first.items()}
    return {**second, **added}
