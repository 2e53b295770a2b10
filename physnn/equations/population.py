"""A population: elements of one kind, alike in their equations, unlike in their states and parameter values.

All equations act element by element; whatever mixes elements is a coupling. That is what makes a population's Jacobian
small (states x states, per element), its companion local, and its printing to any backend simple.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations import dimensions
from physnn.equations.functions import complex_valued
from physnn.equations.integrators import check_integrator
from physnn.equations.parse import STEP, TIME, Line, checked_name, is_noise, parse_expression, shortened, split_lines
from physnn.equations.variable import ROLES, Event, Variable
from physnn.errors import EquationError, ParameterError, ShapeError, nearest

_MARGIN = sp.Symbol("margin", real=True)


@dataclass(frozen=True)
class Population:
    """Elements of shape `shape` with their equations; build it from text with `Population.from_text`."""

    name: str
    shape: tuple[int, ...]
    variables: Mapping[str, Variable]
    flows: Mapping[str, sp.Expr] = field(default_factory=dict)
    maps: Mapping[str, sp.Expr] = field(default_factory=dict)
    constraints: Mapping[str, sp.Expr] = field(default_factory=dict)
    """unknown -> F of 0 = F"""
    definitions: Mapping[str, sp.Expr] = field(default_factory=dict)
    """names that signals and outputs may use besides the variables"""
    events: tuple[Event, ...] = ()
    guards: Mapping[str, sp.Basic] = field(default_factory=dict)
    resets: Mapping[str, Mapping[str, sp.Expr]] = field(default_factory=dict)
    refractory: Mapping[str, sp.Expr] = field(default_factory=dict)
    surrogates: Mapping[str, tuple[sp.Expr, sp.Expr]] = field(default_factory=dict)
    """event -> its margin, and the slope of firing by the margin"""
    held: frozenset[str] = frozenset()
    projections: Mapping[str, sp.Expr] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    """values of parameters and initial values of states, scalars or arrays that broadcast to `shape`, SI units"""
    text: str = ""
    integrator: str = "euler"
    """how simulators step the flows in time (`physnn.equations.integrators`); a substrate that is not stepped, or that
    has an integrator of its own, does not look at it"""

    @classmethod
    def from_text(
        cls,
        name: str,
        shape: int | Sequence[int],
        equations: str,
        values: Mapping[str, Any] | None = None,
        *,
        events: Sequence[Event] = (),
        projections: Mapping[str, str] | None = None,
        integrator: str = "euler",
    ) -> Population:
        """Read a description (`physnn.equations.parse` has the grammar) and check names, shapes and dimensions.

        Parameters
        ----------
        name : str
            The population's name, unique in its System.
        shape : int or sequence of int
            `(n,)`, or `(channels, height, width)` for a sheet.
        equations : str
            One equation or declaration a line.
        values : mapping
            Parameter values (all must be given) and initial values of states (0 where not given), SI units.
        events : sequence of Event
        projections : mapping
            state -> expression in that state alone, applied after each step, such as {"x": "max(x, 0)"}.
        integrator : str
            One of `physnn.equations.integrators.INTEGRATORS`.

        Raises
        ------
        EquationError, ShapeError, ParameterError, UnknownNameError
        """
        try:
            found = _Builder(name, shape, equations, values or {}, events, projections or {}).build()
            found = replace(found, integrator=integrator)
            check_integrator(found, f"population {shortened(name)}")
            return found
        except RecursionError:
            raise EquationError(
                f"population {name!r}: equations nested too deeply; use definitions for their parts"
            ) from None

    @cached_property
    def symbols(self) -> dict[str, sp.Symbol]:
        """Name -> SymPy symbol, of every variable and of t, dt and the noises."""
        symbols = {name: variable.symbol for name, variable in self.variables.items()}
        return symbols | {name: sp.Symbol(name, real=True) for name in (TIME, STEP, *self.noises)}

    @cached_property
    def noises(self) -> tuple[str, ...]:
        """Names of the white noises in flows, in the maps made of them, and in definitions: xi, xi_1, ..."""
        everything = (*self.flows.values(), *self.maps.values(), *self.definitions.values())
        found = {str(s) for expression in everything for s in expression.free_symbols}
        return tuple(sorted(name for name in found if is_noise(name) and name not in self.variables))

    @cached_property
    def dynamic(self) -> tuple[str, ...]:
        """States that advance: those of flows, then those of maps."""
        return (*self.flows, *self.maps)

    def role(self, *roles: str) -> tuple[str, ...]:
        """Names of the variables that have one of the roles, in the order of the description."""
        return tuple(name for name, variable in self.variables.items() if variable.role in roles)

    def expression(self, text: str, where: str) -> sp.Expr:
        """`text` as an expression in this population's variables and definitions."""
        return parse_expression(text, {**self.symbols, **self.definitions}, f"{where}, population {self.name!r}")

    @cached_property
    def dimensions(self) -> dict[sp.Symbol, Any]:
        """Symbol -> dimension."""
        found = {v.symbol: dimensions.dimension(v.unit) for v in self.variables.values()}
        time = dimensions.dimension("s")
        found |= {self.symbols[TIME]: time, self.symbols[STEP]: time}
        return found | {self.symbols[name]: time**-0.5 for name in self.noises}

    def is_complex(self, expression: sp.Expr) -> bool:
        """Whether the expression takes complex values."""
        return complex_valued(expression)


class _Builder:
    def __init__(
        self,
        name: str,
        shape: int | Sequence[int],
        equations: str,
        values: Mapping[str, Any],
        events: Sequence[Event],
        projections: Mapping[str, str],
    ) -> None:
        self.where = f"population {shortened(name)}"
        if not name or set(name) & set(".:\n"):
            raise EquationError(f"{self.where}: a name is not empty and has no '.', ':' or line break")
        self.name = name
        self.shape = _shape(shape, self.where)
        self.text = equations
        self.lines = split_lines(equations, self.where)
        self.values = dict(values)
        self.events = tuple(events)
        self.projection_texts = dict(projections)
        self.definitions: dict[str, sp.Expr] = {}

    def build(self) -> Population:
        variables = self._variables()
        frame = Population(self.name, self.shape, variables)
        noises = {word for line in self.lines for word in _words(line.expression) if is_noise(word)}
        names = dict(frame.symbols) | {noise: sp.Symbol(noise, real=True) for noise in noises}
        units = {line.name: line.unit for line in self.lines if line.kind == "definition"}
        for line in (line for line in self.lines if line.kind == "definition"):
            self.definitions[line.name] = parse_expression(
                line.expression, {**names, **self.definitions}, self._at(line)
            )
        names |= self.definitions
        parsed: dict[str, dict[str, sp.Expr]] = {"flow": {}, "map": {}, "constraint": {}}
        for line in self.lines:
            if line.kind in parsed:
                parsed[line.kind][line.name] = parse_expression(line.expression, names, self._at(line))
        population = Population(
            self.name,
            self.shape,
            variables,
            parsed["flow"],
            parsed["map"],
            parsed["constraint"],
            self.definitions,
            self.events,
            {e.name: parse_expression(e.guard, names, self._of(e, "guard"), condition=True) for e in self.events},
            {e.name: self._resets(e, names, variables) for e in self.events},
            {e.name: parse_expression(e.refractory, names, self._of(e, "refractory")) for e in self.events},
            {e.name: self._surrogate(e, names) for e in self.events if e.surrogate},
            frozenset(line.name for line in self.lines if "unless refractory" in line.flags),
            self._projections(frame),
            self._checked_values(variables),
            self.text,
        )
        if population.held and not self.events:
            raise EquationError(f"{self.where}: 'unless refractory' needs an event, and there is none")
        for where, expression, target in self._assignments(population):
            self._check_kind(where, expression, variables[target] if target else None)
        self._check_dimensions(population, units)
        return population

    def _of(self, event: Event, part: str) -> str:
        return f"{self.where}, {part} of {event.name!r}"

    def _assignments(self, population: Population) -> list[tuple[str, sp.Basic, str]]:
        """(where, expression, variable that takes its value) of all that may hold no noise; flows are apart."""
        kinds = {"map": population.maps, "constraint": population.constraints}
        found = [(self._at(line), kinds[line.kind][line.name], line.name) for line in self.lines if line.kind in kinds]
        found += [(f"{self.where}, projection of {n!r}", e, n) for n, e in population.projections.items()]
        for event in population.events:
            found.append((self._of(event, "guard"), population.guards[event.name], ""))
            found.append((self._of(event, "refractory"), population.refractory[event.name], event.name))
            found += [(self._of(event, "reset"), e, n) for n, e in population.resets[event.name].items()]
        for line in self.lines:
            if line.kind == "flow":
                quiet = {s: sp.Integer(1) for s in population.flows[line.name].free_symbols if is_noise(str(s))}
                found.append((self._at(line), population.flows[line.name].xreplace(quiet), line.name))
        return found

    @staticmethod
    def _check_kind(where: str, expression: sp.Basic, target: Variable | None) -> None:
        if any(is_noise(str(symbol)) for symbol in expression.free_symbols):
            raise EquationError(f"{where}: white noise can only stand in a flow dNAME/dt")
        if target is not None and complex_valued(expression) and not target.complex:
            raise EquationError(
                f"{where}: gives complex values, but {target.name!r} is real; declare it complex, or take re or abs"
            )

    def _at(self, line: Line) -> str:
        return f"{self.where}, equation {shortened(line.text)}"

    def _variables(self) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        defined: set[str] = set()
        for line in self.lines:
            if line.name in found or line.name in defined:
                raise EquationError(f"{self._at(line)}: {line.name!r} is described twice")
            self._dimension(line.unit, self._at(line))
            if line.kind == "definition":
                defined.add(line.name)
                continue
            role = {"flow": "state", "map": "state", "constraint": "unknown"}.get(line.kind) or self._declared_role(
                line
            )
            flags = set(line.flags)
            found[line.name] = Variable(
                line.name, role, line.unit, "complex" in flags, "trainable" in flags, line.least, "constant" in flags
            )
        for event in self.events:
            if event.name in found or event.name in defined:
                raise EquationError(f"{self.where}: the event {event.name!r} has the name of a variable")
            checked_name(event.name, f"{self.where}, event {event.name!r}")
            found[event.name] = Variable(event.name, "event", "1/s")
        return found

    @staticmethod
    def _dimension(unit: str, where: str) -> Any:
        try:
            return dimensions.dimension(unit)
        except EquationError as error:
            raise EquationError(f"{where}: {error}") from None

    def _declared_role(self, line: Line) -> str:
        said = [flag for flag in line.flags if flag != "complex"]
        roles = {{"trainable": "parameter", "constant": "parameter"}.get(flag, flag) for flag in said}
        if len(roles) != 1 or not roles <= set(ROLES) or {"trainable", "constant"} <= set(said):
            raise EquationError(
                f"{self._at(line)}: a declaration is one of (parameter), (trainable), (constant), (arrival), (input)"
            )
        return roles.pop()

    def _resets(
        self, event: Event, names: Mapping[str, sp.Basic], variables: Mapping[str, Variable]
    ) -> dict[str, sp.Expr]:
        for state in event.resets:
            if state not in variables or variables[state].role != "state":
                states = [n for n, v in variables.items() if v.role == "state"]
                raise EquationError(
                    f"{self.where}, event {event.name!r}: no state {state!r} to reset{nearest(state, states)}"
                )
        where = self._of(event, "reset")
        return {state: parse_expression(text, names, where) for state, text in event.resets.items()}

    def _surrogate(self, event: Event, names: Mapping[str, sp.Basic]) -> tuple[sp.Expr, sp.Expr]:
        """Margin of the guard, and the slope of firing in it."""
        where = self._of(event, "surrogate")
        guard = parse_expression(event.guard, names, self._of(event, "guard"), condition=True)
        if not isinstance(guard, sp.core.relational.Relational):
            raise EquationError(f"{where}: the guard {event.guard!r} must be one comparison, such as v > 1")
        margin = guard.gts - guard.lts
        slope = parse_expression(event.surrogate, {**names, "margin": _MARGIN}, where)
        return margin, slope.xreplace({_MARGIN: margin})

    def _projections(self, frame: Population) -> dict[str, sp.Expr]:
        found = {}
        for state, text in self.projection_texts.items():
            if state not in frame.variables or frame.variables[state].role != "state":
                raise EquationError(f"{self.where}: no state {state!r} to project{nearest(state, frame.role('state'))}")
            parameters = {name: frame.symbols[name] for name in (state, *frame.role("parameter"))}
            found[state] = parse_expression(text, parameters, f"{self.where}, projection of {state!r}")
        return found

    def _checked_values(self, variables: Mapping[str, Variable]) -> dict[str, Any]:
        settable = {name for name, v in variables.items() if v.role in ("parameter", "state", "unknown")}
        for name in self.values:
            if name not in settable:
                raise EquationError(f"{self.where}: no parameter or state {name!r}{nearest(name, settable)}")
        checked = {}
        for name, variable in variables.items():
            if variable.role == "parameter" and name not in self.values:
                raise EquationError(f"{self.where}: parameter {name!r} has no value; give it in `values`")
            if name in self.values:
                checked[name] = self._checked_value(variable)
                if variable.least is not None and np.any(checked[name] < variable.least):
                    raise ParameterError(
                        f"{self.where}: {name!r} starts at {np.min(checked[name])} {variable.unit}, below the "
                        f"{variable.least} that it is declared to be at least"
                    )
        return checked

    def _checked_value(self, variable: Variable) -> np.ndarray:
        try:
            given = np.asarray(self.values[variable.name])
            if given.dtype.kind not in "biufc":
                raise TypeError(f"it holds {given.dtype.name}")
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"{self.where}: {variable.name!r} is not a number or array of numbers ({error})"
            ) from None
        if given.dtype.kind == "c" and not variable.complex:
            raise ParameterError(f"{self.where}: {variable.name!r} has a complex value, but is declared real")
        value = given.astype(complex if variable.complex else float)
        if not np.all(np.isfinite(value)):
            raise ParameterError(f"{self.where}: {variable.name!r} has a value that is not finite")
        try:
            np.broadcast_to(value, self.shape)
        except ValueError:
            raise ShapeError(
                f"{self.where}: {variable.name!r} has shape {value.shape}, "
                f"which does not fit the population's {self.shape}"
            ) from None
        return value

    def _check_dimensions(self, population: Population, units: Mapping[str, str]) -> None:
        known = population.dimensions
        second = dimensions.dimension("s")
        texts = {(line.kind, line.name): self._at(line) for line in self.lines}
        for name, unit in units.items():
            self._expect(population.definitions[name], dimensions.dimension(unit), known, texts["definition", name])
        for name, flow in population.flows.items():
            self._expect(flow, known[population.symbols[name]] / second, known, texts["flow", name])
        for name, following in population.maps.items():
            self._expect(following, known[population.symbols[name]], known, texts["map", name])
        for name, residual in population.constraints.items():
            dimensions.check(residual, known, texts["constraint", name])
        for name, projection in population.projections.items():
            self._expect(projection, known[population.symbols[name]], known, f"{self.where}, projection of {name!r}")
        for event in population.events:
            dimensions.check(population.guards[event.name], known, self._of(event, "guard"))
            if event.name in population.surrogates:
                where = self._of(event, "surrogate")
                margin, slope = population.surrogates[event.name]
                size = dimensions.check(margin, known, where) or dimensions.NONE
                self._expect(slope, dimensions.NONE / size, known, where)
            self._expect(population.refractory[event.name], second, known, self._of(event, "refractory"))
            for state, reset in population.resets[event.name].items():
                self._expect(reset, known[population.symbols[state]], known, self._of(event, "reset"))

    @staticmethod
    def _expect(expression: sp.Basic, wanted: Any, known: Mapping[sp.Symbol, Any], where: str) -> None:
        found = dimensions.check(expression, known, where)
        if found is not None and found != wanted:
            raise EquationError(f"{where}: the right side has dimension {found or 1}, expected {wanted or 1}")


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _shape(shape: int | Sequence[int], where: str) -> tuple[int, ...]:
    wanted = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if not 1 <= len(wanted) <= 4 or any(not isinstance(n, int | np.integer) or n < 1 for n in wanted):
        raise ShapeError(
            f"{where}: shape {shape!r} must be (n,) or (channels, height, width), all whole and at least 1"
        )
    return tuple(int(n) for n in wanted)
