"""A one-port circuit to equations: every element becomes a branch, branches are joined, and one source drives them.

A branch is either like a voltage source behind a resistance, v = r i + emf, or it sets its own current (an inductor).
Joined branches are again of one of the two kinds. Once voltage and current of the whole are known, each branch is told
its own, down to the elements, which write the flows of their states from them.

Stepped by the trapezoidal rule, inductors and capacitors are of the first kind, too, and no step makes them active:
with the current i_L and the voltage v_C half a step before, from which what is stored is exact at every step,

    inductor   v = r i - r i_L,  r = 2 L/dt,    i_L+ = 2 i - i_L,    L i_L^2/2 grows by dt v i
    capacitor  v = r i + v_C,    r = dt/(2 C),  v_C+ = 2 v - v_C,    C v_C^2/2 grows by dt v i

Their impedance is then that at the warped frequency (2/dt) tan(omega dt/2). What follows within a step is one formula:
ladders nested more than three elements deep take minutes to differentiate, and are better made of junctions and lines.

Source: Fettweis, Wave digital filters, Proc. IEEE 74, 270 (1986), section IV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from physnn.equations import Coupling, OneToOne
from physnn.equations.integrators import EULER, INTEGRATORS
from physnn.equations.parse import STEP
from physnn.errors import EquationError, UnknownNameError

if TYPE_CHECKING:
    from physnn.media.impedances.impedance import Impedance

VOLTAGE, CURRENT, NONE = sp.Symbol("v"), sp.Symbol("i"), sp.Integer(0)
HALF_STEP = sp.Symbol(STEP) / 2
TRAPEZOIDAL = "trapezoidal"
"""stepping of circuits that is passive, and lossless where the circuit is, for every step and every line"""


@dataclass(frozen=True)
class Branch:
    """A one-port as its neighbours see it."""

    tell: Callable[[sp.Expr, sp.Expr], None]
    """takes the branch's voltage [V] and current [A], once known, and writes its flows or maps"""
    resistance: sp.Expr = NONE
    """r [ohm] of v = r i + emf"""
    emf: sp.Expr = NONE
    """[V]"""
    current: sp.Expr | None = None
    """[A], of a branch that sets its own current; it has no r and no emf"""


@dataclass(frozen=True)
class Echo:
    """A wave that leaves an element and comes back to it later."""

    sent: str
    """definition that is sent"""
    arrival: str
    delay: float
    """there and back [s]"""
    weight: float


@dataclass
class Writer:
    """Takes down the equations of a circuit; elements of a kind are numbered in the order of the description."""

    trainable: bool
    repeated: frozenset[str]
    """letters of elements that occur more than once, which are therefore numbered"""
    trapezoidal: bool = False
    """whether states are stepped by the trapezoidal rule, as maps, in place of flows"""
    values: dict[str, Any] = field(default_factory=dict)
    declarations: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    flows: list[str] = field(default_factory=list)
    echoes: list[Echo] = field(default_factory=list)
    burnt: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def tag(self, letter: str) -> str:
        """The name of the next element of a kind: L, or L1, L2, ... where there are several."""
        self.counts[letter] += 1
        return f"{letter}{self.counts[letter]}" if letter in self.repeated else letter

    def parameter(self, name: str, unit: str, value: Any, *, fixed: bool = False) -> sp.Symbol:
        """A parameter of the population."""
        self.declarations.append(f"{name} : {unit} ({'trainable' if self.trainable and not fixed else 'parameter'})")
        self.values[name] = value
        return sp.Symbol(name)

    def flow(self, state: str, rate: sp.Expr, unit: str) -> None:
        """The flow of a state."""
        self.flows.append(f"d{state}/dt = {rate} : {unit}")

    def map(self, state: str, value: sp.Expr, unit: str) -> None:
        """The value of a state after a step."""
        self.flows.append(f"{state}+ = {value} : {unit}")

    def burn(self, power: sp.Expr) -> None:
        """What an element turns into heat [W]."""
        self.burnt.append(str(power))

    def store(self, energy: sp.Expr) -> None:
        """What an element holds [J]."""
        self.stored.append(str(energy))

    def echo(self, sent: str, wave: sp.Expr, echo: Echo) -> None:
        """A wave that leaves and comes back."""
        self.definitions.append(f"{sent} = {wave} : V")
        self.declarations.append(f"{echo.arrival} : V (arrival)")
        self.echoes.append(echo)


def inductive(writer: Writer, state: str, inductance: sp.Expr) -> Branch:
    """An inductance L [H] with its current [A] as state."""
    current = sp.Symbol(state)
    writer.store(inductance * current**2 / 2)
    if writer.trapezoidal:
        resistance = inductance / HALF_STEP
        return Branch(lambda v, i: writer.map(state, 2 * i - current, "A"), resistance, -resistance * current)
    return Branch(lambda v, i: writer.flow(state, v / inductance, "A"), current=current)


def in_series(branches: Sequence[Branch]) -> Branch:
    """Branches through which one current flows.

    Raises
    ------
    EquationError
        Two of them set the current.
    """
    leads = [b for b in branches if b.current is not None]
    if len(leads) > 1:
        raise EquationError(
            "two inductors (or connections that end in inductors alone) in series: their currents are one and the "
            "same; add up their inductances, or describe the whole by its `.rational()`, or step them by "
            'integrator="trapezoidal"'
        )
    rest = [b for b in branches if b.current is None]
    if leads:
        return Branch(lambda v, i: _told_in_series(rest, leads[0], v, i), current=leads[0].current)
    return Branch(
        lambda v, i: _told_in_series(rest, None, v, i),
        sp.Add(*(b.resistance for b in rest)),
        sp.Add(*(b.emf for b in rest)),
    )


def _told_in_series(rest: Sequence[Branch], lead: Branch | None, v: sp.Expr, i: sp.Expr) -> None:
    for branch in rest:
        across = branch.resistance * i + branch.emf
        branch.tell(across, i)
        v = v - across
    if lead is not None:
        lead.tell(v, i)


def in_parallel(branches: Sequence[Branch]) -> Branch:
    """Branches across which there is one voltage.

    Raises
    ------
    EquationError
        Two of them set the voltage.
    """
    leads = [b for b in branches if b.current is None and b.resistance == 0]
    if len(leads) > 1:
        raise EquationError(
            "two capacitors (or connections without resistance) in parallel: their voltages are one and the same; "
            "add up their capacitances, or describe the whole by its `.rational()`, or step them by "
            'integrator="trapezoidal"'
        )
    rest = [b for b in branches if b not in leads]
    if leads:
        return Branch(lambda v, i: _told_in_parallel(rest, leads[0], v, i), emf=leads[0].emf)
    resistive, drawing = [b for b in rest if b.current is None], sp.Add(*(b.current for b in rest if b.current))

    def tell(v: sp.Expr, i: sp.Expr) -> None:
        _told_in_parallel(rest, None, v, i)

    if not resistive:
        return Branch(tell, current=drawing)
    resistance = 1 / sp.Add(*(1 / b.resistance for b in resistive))
    emf = resistance * (sp.Add(*(b.emf / b.resistance for b in resistive)) - drawing)
    return Branch(tell, resistance, emf)


def _told_in_parallel(rest: Sequence[Branch], lead: Branch | None, v: sp.Expr, i: sp.Expr) -> None:
    for branch in rest:
        through = branch.current if branch.current is not None else (v - branch.emf) / branch.resistance
        branch.tell(v, through)
        i = i - through
    if lead is not None:
        lead.tell(v, i)


@dataclass(frozen=True)
class Circuit:
    """A one-port across a source: equation text with the definitions `v` and `i`, values, and echoes."""

    text: str
    values: dict[str, Any]
    echoes: tuple[Echo, ...]
    integrator: str
    """of the population that has this text"""
    burnt: tuple[str, ...]
    """powers [W] of its resistors, and of rational impedances all that they take up"""
    stored: tuple[str, ...]
    """energies [J] of its inductors and capacitors"""

    def couplings(self, name: str, size: int) -> tuple[Coupling, ...]:
        """The lines of its stubs, as couplings of the population `name` of `size` elements with itself."""
        return tuple(
            Coupling(
                f"{name}, {echo.arrival}",
                name,
                name,
                echo.sent,
                OneToOne((size,)),
                echo.arrival,
                echo.delay,
                trainable=False,
                initial=np.full(size, echo.weight),
                local=True,
                constant=True,
            )
            for echo in self.echoes
        )


def circuit(impedance: Impedance, emf: str, resistance: str, *, trainable: bool, integrator: str) -> Circuit:
    """An impedance across a source, as equations.

    Parameters
    ----------
    impedance : Impedance
    emf : str
        The source's open-circuit voltage, an expression [V] in variables that the caller declares.
    resistance : str
        Its internal resistance [ohm], likewise.
    trainable : bool
        Whether the values of the elements are learnt.
    integrator : str
        "trapezoidal", or one of `physnn.equations.integrators`.

    Returns
    -------
    Circuit
        Its text defines v [V] across the impedance and i [A] into it.

    Raises
    ------
    UnknownNameError
        There is no such integrator.
    EquationError
        States depend on each other.
    CapabilityError
        The trapezoidal rule for a rational impedance.
    """
    if integrator not in (TRAPEZOIDAL, *INTEGRATORS):
        raise UnknownNameError("integrator", integrator, (TRAPEZOIDAL, *INTEGRATORS))
    trapezoidal = integrator == TRAPEZOIDAL
    counting = Writer(trainable, frozenset(), trapezoidal)
    impedance.branch(counting)
    repeated = frozenset(letter for letter, count in counting.counts.items() if count > 1)
    writer = Writer(trainable, repeated, trapezoidal)
    branch = impedance.branch(writer)
    current = f"({emf} - ({branch.emf}))/({resistance} + {branch.resistance})"
    head = [
        f"i = {current if branch.current is None else branch.current} : A",
        f"v = {emf} - ({resistance})*i : V",
    ]
    branch.tell(VOLTAGE, CURRENT)
    lines = [*writer.declarations, *head, *writer.definitions, *writer.flows]
    # Written as maps, the states have no flows left that an integrator could step.
    rule = EULER if trapezoidal else integrator
    burnt, stored = tuple(writer.burnt), tuple(writer.stored)
    return Circuit("\n".join(lines), writer.values, tuple(writer.echoes), rule, burnt, stored)
