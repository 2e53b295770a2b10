"""What a population says in Brian2: its differential equations, and the code of its maps, events and projections.

dx/dt = f                 differential equations, stepped by Brian2's `euler` or `rk4`
other integrators, maps   code that is run once a step, all states from those before
events                    thresholds and resets; `rest_EVENT` is what is left of the refractory time
arrivals, inputs          plain variables, set at the start of each step
complex variables         two real ones, `NAME_re` and `NAME_im`

Batches of any size, and populations with the same equations, share one spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import brian2
import sympy as sp
from brian2.stateupdaters.base import StateUpdateMethod

from physnn.equations import Population
from physnn.equations.integrators import stepped
from physnn.equations.parse import STEP, TIME
from physnn.equations.surrogate import REST_OVER
from physnn_brian2.printer import Printer, parts, safe_names
from physnn_brian2.units import brian_unit

METHODS = {"euler": "euler", "rk4": "rk4"}
"""integrators that Brian2 has under the same name and takes the same steps with"""


class Spelling:
    """A population's equations in Brian2.

    Parameters
    ----------
    population : Population
    scale : float
        Physical seconds per second of model time.
    with_units : bool
        Whether variables carry their units; without, everything is a plain number.
    """

    def __init__(self, population: Population, scale: float, with_units: bool) -> None:
        self._method = METHODS.get(population.integrator, "euler")
        self._step: str | None = None
        self.population = population if population.integrator in METHODS else stepped(population)
        self.scale, self.with_units = scale, with_units
        self.used = self._used()
        self.complex = {
            population.symbols[own]: (sp.Symbol(f"{own} re", real=True), sp.Symbol(f"{own} im", real=True))
            for own in self.used
            if population.variables[own].complex
        }
        halves = [str(half) for pair in self.complex.values() for half in pair]
        rests = [f"{kind} {event.name}" for event in self.population.events for kind in ("rest", "fired")]
        self.said = safe_names([*self.used, *halves, *self.population.noises, *rests])
        """name in the population -> name in Brian2"""
        self._named = self._names()
        self.printer = Printer(self._named)
        self.text = "\n".join([*self._flows(), *self._declared()])
        self.equations = brian2.Equations(self.text)
        news, changes = self._together(self.population.maps.items(), held=True)
        if self.population.flows:
            mapped = [half for own in self.population.maps for half in self.halves(own)]
            news += [f"next_{number} = new_{number}" for number in range(len(mapped))]
            changes = [f"{half} = next_{number}" for number, half in enumerate(mapped)]
        else:
            news, changes = [], [*news, *changes]
        self.before = "\n".join(news)
        """code before the flows are stepped: what maps make of the values from before"""
        projected = [line for lines in self._together(self.population.projections.items()) for line in lines]
        self.after = ["\n".join(lines) for lines in (changes, projected, self._rests()) if lines]
        """code after the flows, one piece after the other: maps, projections, refractory times"""
        self.thresholds = {event.name: self._threshold(event.name) for event in self.population.events}
        self.resets = {event.name: self._reset(event.name) for event in self.population.events}

    def method(self, equations: Any, variables: Any, options: Any = None) -> str:
        """The code of a step of the flows, by Brian2's own integrator; its names are those of any group so spelled."""
        if self._step is None:
            self._step = str(StateUpdateMethod.stateupdaters[self._method](equations, variables, options))
        return self._step

    def halves(self, own: str) -> list[str]:
        """A variable's names in Brian2: one, or those of its real and imaginary part."""
        symbol = self.population.symbols[own]
        return [self.said[str(half)] for half in self.complex[symbol]] if symbol in self.complex else [self.said[own]]

    def rest(self, event: str) -> str:
        """The variable that holds what is left of a refractory time."""
        return self.said[f"rest {event}"]

    def fired(self, event: str) -> str:
        """The variable that holds whether an event fell into this step."""
        return self.said[f"fired {event}"]

    def _used(self) -> list[str]:
        """Variables that its equations in Brian2 name; states always."""
        population = self.population
        expressions: list[sp.Basic] = [*population.flows.values(), *population.maps.values()]
        expressions += [*population.projections.values(), *population.guards.values(), *population.refractory.values()]
        expressions += [value for resets in population.resets.values() for value in resets.values()]
        symbols = {str(symbol) for expression in expressions for symbol in expression.free_symbols}
        named = [own for own in population.variables if own in symbols or own in population.dynamic]
        events = {event.name for event in population.events}
        return [own for own in named if own not in events]

    def _names(self) -> dict[sp.Symbol, str]:
        population = self.population
        unit = "" if self.with_units else f"/({self.scale!r}*second)"
        # A companion may be given the time of its incident run, as a variable of that name.
        names = {population.symbols[TIME]: f"(t{unit})", population.symbols[STEP]: f"(dt{unit})"}
        names |= {population.symbols[own]: self.said[own] for own in (*self.used, *population.noises)}
        return names | {half: self.said[str(half)] for halves in self.complex.values() for half in halves}

    def _flows(self) -> list[str]:
        lines = []
        population = self.population
        rate = "" if self.with_units else f"/({self.scale!r}*second)"
        for own, flow in population.flows.items():
            resting = f"*int({self._at_rest()})" if own in population.held else ""
            for half, text in self._assigned(own, flow):
                lines.append(f"d{half}/dt = ({text}){rate}{resting} : {self._unit(own)}")
        return lines

    def _at_rest(self) -> str:
        """No event's refractory time is running."""
        return " and ".join(f"{self.rest(e.name)} <= 0*second" for e in self.population.events)

    def _declared(self) -> list[str]:
        """Everything that is no differential equation."""
        lines = []
        for own in self.used:
            if own not in self.population.flows:
                lines += [f"{half} : {self._unit(own)}" for half in self.halves(own)]
        noise = "second**(-0.5)" if self.with_units else "1"
        lines += [f"{self.said[name]} : {noise}" for name in self.population.noises]
        if self.population.flows:
            units = [self._unit(own) for own in self.population.maps for _ in self.halves(own)]
            lines += [f"next_{number} : {unit}" for number, unit in enumerate(units)]
        for event in self.population.events:
            lines += [f"{self.rest(event.name)} : second", f"{self.fired(event.name)} : 1"]
        return lines

    def _together(self, assigned: Iterable[tuple[str, sp.Basic]], *, held: bool = False) -> tuple[list[str], list[str]]:
        """Code that finds variables from those before, `held` ones not during refractory times; code that sets them."""
        pairs = list(assigned)
        shared, expressions = self._shared([expression for _, expression in pairs])
        texts = [text for (own, _), e in zip(pairs, expressions, strict=True) for text in self._assigned(own, e)]
        resting = {half for own in self.population.held for half in self.halves(own)}
        news = []
        for number, (half, text) in enumerate(texts):
            news.append(f"new_{number} = {text}")
            if held and half in resting:
                news.append(f"new_{number} = {half} + (new_{number} - {half})*int({self._at_rest()})")
        return [*shared, *news], [f"{half} = new_{number}" for number, (half, _) in enumerate(texts)]

    def _shared(self, expressions: list[sp.Basic]) -> tuple[list[str], list[sp.Basic]]:
        """Code of what expressions have in common, and what they become; with units all stays as it was written.

        Complex common parts become two real ones, so that no expression grows when it is split.
        """
        if self.with_units:
            return [], expressions
        found, reduced = sp.cse(expressions, symbols=(sp.Dummy() for _ in range(10**6)), list=True)
        lines, put = [], dict[sp.Basic, sp.Basic]()
        for number, (symbol, value) in enumerate(found):
            value = value.xreplace(put)
            if not isinstance(value, sp.Expr):
                values = [f"int({self.printer.doprint(self._real(value))})"]
            else:
                real, imaginary = parts(value, self.complex) if self.complex else (value, sp.Integer(0))
                values = [self.printer.doprint(part) for part in ((real, imaginary) if imaginary != 0 else (real,))]
            names = [f"shared_{number}", f"shared_{number}_im"][: len(values)]
            lines += [f"{name} = {text}" for name, text in zip(names, values, strict=True)]
            halves = [sp.Dummy(real=True) for _ in names]
            self._named |= dict(zip(halves, names, strict=True))
            put[symbol] = halves[0] if len(halves) == 1 else halves[0] + sp.I * halves[1]
        return lines, [value.xreplace(put) for value in reduced]

    def _rests(self) -> list[str]:
        """A step less of every refractory time, and no event yet."""
        code = []
        for event in self.population.events:
            rest = self.rest(event.name)
            code.append(f"{rest} = ({rest} - dt)*int({rest} - dt >= {REST_OVER!r}*dt)")
            code.append(f"{self.fired(event.name)} = 0")
        return code

    def _threshold(self, event: str) -> str:
        guard = self.printer.doprint(self._real(self.population.guards[event]))
        return f"({guard}) and ({self.rest(event)} <= 0*second)"

    def _reset(self, event: str) -> str:
        code = [line for lines in self._together(self.population.resets[event].items()) for line in lines]
        pause = self.printer.doprint(self._real(self.population.refractory[event]))
        unit = "" if self.with_units else f"*{self.scale!r}*second"
        return "\n".join([f"pause = ({pause}){unit}", *code, f"{self.rest(event)} = pause", f"{self.fired(event)} = 1"])

    def _assigned(self, own: str, expression: sp.Basic) -> list[tuple[str, str]]:
        """(Brian2 variable, text) of what a variable becomes: one pair, or two where it is complex."""
        if not self.population.variables[own].complex:
            return [(self.said[own], self.printer.doprint(self._real(expression)))]
        texts = [self.printer.doprint(part) for part in parts(expression, self.complex)]
        return list(zip(self.halves(own), texts, strict=True))

    def _real(self, expression: sp.Basic) -> sp.Basic:
        if not self.complex:
            return expression
        if not isinstance(expression, sp.Expr):
            return expression.xreplace({symbol: a + sp.I * b for symbol, (a, b) in self.complex.items()})
        return parts(expression, self.complex)[0]

    def _unit(self, own: str) -> str:
        return brian_unit(self.population.variables[own].unit) if self.with_units else "1"


def spelling(population: Population, scale: float, *, with_units: bool) -> Spelling:
    """The spelling of a population's equations; remembered, since large ones take seconds to print and to parse."""
    return _spelled(Content(population), scale, with_units)


class Content:
    """What a spelling hangs on: neither name, shape nor values of the population."""

    def __init__(self, population: Population) -> None:
        self.population = population
        p = population
        resets = tuple((event, tuple(values.items())) for event, values in p.resets.items())
        pieces: list[Mapping[str, Any]] = [p.variables, p.flows, p.maps, p.projections, p.guards, p.refractory]
        events = tuple(event.name for event in p.events)
        self._said = (*(tuple(piece.items()) for piece in pieces), resets, events, p.held, p.noises, p.integrator)
        self._hash = hash(self._said)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self._said == other._said

    def __hash__(self) -> int:
        return self._hash


@lru_cache(maxsize=256)
def _spelled(content: Content, scale: float, with_units: bool) -> Spelling:
    return Spelling(content.population, scale, with_units)
