"""A System: populations joined by couplings, with ports. It is what every backend receives and every companion is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations import dimensions
from physnn.equations.coupling import Coupling, Input, Output, check_weights, weight_dimension
from physnn.equations.integrators import stepped
from physnn.equations.operators import Dense, OneToOne, is_complex
from physnn.equations.parse import TIME
from physnn.equations.population import Population
from physnn.equations.schedule import Joint, Task, loop_message, schedule, topological
from physnn.errors import CapabilityError, EquationError, ParameterError, ShapeError, UnknownNameError, nearest

__all__ = ["Coupling", "Input", "Output", "System"]


@dataclass(frozen=True)
class System:
    """Populations, couplings and ports, checked as a whole when made.

    Raises
    ------
    EquationError
        Names, dimensions or the graph do not fit: an unknown population, an arrival that nothing feeds is allowed
        (it is zero), a loop without delay through instantaneous signals is not.
    ShapeError
        An operator does not fit the shapes of what it joins.
    """

    populations: Mapping[str, Population]
    couplings: Mapping[str, Coupling]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    derived: bool = False
    """made from a checked System (a companion): its error waves carry no units, so dimensions are not checked again"""
    signals: Mapping[str, sp.Expr] = field(init=False, repr=False)
    """coupling -> its signal, read"""
    readouts: Mapping[str, sp.Expr] = field(init=False, repr=False)
    """output port -> its expression, read"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signals", {c.name: self._signal(c) for c in self.couplings.values()})
        object.__setattr__(self, "readouts", {name: self._readout(name, port) for name, port in self.outputs.items()})
        for coupling in self.couplings.values():
            self._check_coupling(coupling)
        for name, port in self.inputs.items():
            self._check_input(name, port)
        for name, read in self.readouts.items():
            self._check_expression(read, self.populations[self.outputs[name].population], f"output {name!r}")
        self._check_keys()
        _ = self.schedule

    @classmethod
    def of(
        cls,
        populations: Iterable[Population],
        couplings: Iterable[Coupling] = (),
        inputs: Mapping[str, Input] | None = None,
        outputs: Mapping[str, Output] | None = None,
        *,
        derived: bool = False,
    ) -> System:
        """A System from lists; names must be unique."""
        named = _named(populations, "population"), _named(couplings, "coupling")
        return cls(*named, inputs or {}, outputs or {}, derived)

    def population(self, name: str, where: str) -> Population:
        """The population of that name, or an error that says where it was asked for."""
        if name not in self.populations:
            raise EquationError(f"{where}: unknown population {name!r}{nearest(name, self.populations)}")
        return self.populations[name]

    def arriving(self, population: str, arrival: str) -> list[Coupling]:
        """Couplings that deliver to one arrival."""
        return [c for c in self.couplings.values() if c.target == population and c.into == arrival]

    def leaving(self, population: str) -> list[Coupling]:
        """Couplings that start at a population."""
        return [c for c in self.couplings.values() if c.source == population]

    @cached_property
    def discrete(self) -> System:
        """The System as simulators step it: flows of every integrator but explicit Euler as maps."""
        populations = {name: stepped(population) for name, population in self.populations.items()}
        if all(populations[name] is population for name, population in self.populations.items()):
            return self
        return replace(self, populations=populations)

    @cached_property
    def schedule(self) -> tuple[Task | Joint, ...]:
        """Arrivals and constraints in an order in which all is known before it is needed within a step."""
        return schedule(self)

    @cached_property
    def joints(self) -> dict[str, Joint]:
        """Population -> the joint by which its constraints are solved together with others."""
        return {name: task for task in self.schedule if isinstance(task, Joint) for name in task.populations}

    @cached_property
    def joined(self) -> frozenset[str]:
        """Populations where what arrives is found together with the unknowns of a joint."""
        return frozenset(name for joint in self.joints.values() for name in joint.members)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Populations in an order in which all that arrives at one is known when its turn comes.

        Raises
        ------
        EquationError
            No such order exists, as where a population sends an unknown to an arrival of its own that its constraints
            do not name; `schedule` goes through arrivals one by one.
        """
        edges: dict[str, set[str]] = {name: set() for name in self.populations}
        for coupling in self.couplings.values():
            if coupling.delay == 0 and self.instantaneous(coupling):
                edges[coupling.target].add(coupling.source)
        found = topological(edges)
        if isinstance(found, CycleError):
            raise EquationError(loop_message(found.args[1]))
        return found

    @cached_property
    def steady_order(self) -> tuple[str, ...] | None:
        """Populations in feed-forward order, or None where the couplings form a loop."""
        edges: dict[str, set[str]] = {name: set() for name in self.populations}
        for coupling in self.couplings.values():
            edges[coupling.target].add(coupling.source)
        found = topological(edges)
        return None if isinstance(found, CycleError) else found

    def check_steady(self) -> None:
        """Whether a stationary state is defined by flows, maps and constraints alone.

        Raises
        ------
        CapabilityError
            Events, projections or plastic couplings act as well, or something changes with the time.
        """
        if self.unsteady:
            raise CapabilityError(self.unsteady)

    @cached_property
    def unsteady(self) -> str:
        """Why there is no stationary state; empty where there may be one."""
        clock = sp.Symbol(TIME, real=True)
        for population in self.populations.values():
            own = (*population.flows.values(), *population.maps.values(), *population.constraints.values())
            sent = (self.signals[c.name] for c in self.leaving(population.name))
            where = f"population {population.name!r}"
            if any(clock in expression.free_symbols for expression in (*own, *sent)):
                return f"{where} changes with the time and has no stationary state; run it in time"
            acting = "events" if population.events else "a projection" if population.projections else ""
            if acting:
                said = "its equations alone do not give a stationary state; run it in time"
                return f"{where} has {acting}: {said}"
        plastic = [c.name for c in self.couplings.values() if c.plasticity is not None]
        return f"coupling {plastic[0]!r} is plastic: there is no stationary state; run it in time" if plastic else ""

    def instantaneous(self, coupling: Coupling) -> bool:
        """Whether the signal depends on what arrives in the same step (through an arrival or a constraint)."""
        source = self.populations[coupling.source]
        quick = {source.symbols[name] for name in source.role("arrival", "unknown")}
        return bool(self.signals[coupling.name].free_symbols & quick)

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """Parameter key -> initial value: 'population.parameter' and the weights of couplings."""
        found: dict[str, np.ndarray] = {}
        for population in self.populations.values():
            for name in population.role("parameter"):
                found[f"{population.name}.{name}"] = np.asarray(population.values[name])
        for coupling in self.couplings.values():
            if coupling.initial is not None:
                found[coupling.key] = np.asarray(coupling.initial)
        return found

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """Keys of the trainable parameters, in the order of couplings, then populations."""
        weights = [c.key for c in self.couplings.values() if c.trainable]
        own = [f"{p.name}.{v.name}" for p in self.populations.values() for v in p.variables.values() if v.trainable]
        return tuple(dict.fromkeys([*weights, *own]))

    @cached_property
    def least(self) -> dict[str, float]:
        """Parameter key -> what it may not fall below, for those that have a bound."""
        own = [(f"{p.name}.{v.name}", v.least) for p in self.populations.values() for v in p.variables.values()]
        return {key: least for key, least in own if least is not None}

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the equations, couplings and ports; parameter values do not enter."""
        parts: list[object] = [_essence(population) for population in self.populations.values()]
        parts += [
            (
                c.name,
                c.source,
                c.target,
                sp.srepr(self.signals[c.name]),
                repr(c.operator),
                c.into,
                c.delay,
                c.unit,
                c.trainable,
                c.key,
                _essence(c.plasticity) if c.plasticity else None,
                c.post,
            )
            for c in self.couplings.values()
        ]
        parts += [(name, port.population, port.variable) for name, port in self.inputs.items()]
        parts += [(name, port.population, sp.srepr(self.readouts[name])) for name, port in self.outputs.items()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def check_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Names and shapes of arrays given to the input ports: (batch, *shape) or (batch, steps, *shape).

        An input that is not given is zero; a state that is not given starts at its own value.

        Raises
        ------
        UnknownNameError, ShapeError
        """
        for name, value in inputs.items():
            if name not in self.inputs:
                raise UnknownNameError("input port", name, self.inputs)
            port = self.inputs[name]
            population = self.populations[port.population]
            variable, shape, given = population.variables[port.variable], population.shape, tuple(value.shape)
            timed = variable.role != "state" and len(given) == len(shape) + 2
            if given[2 if timed else 1 :] != shape or len(given) <= len(shape) or 0 in given:
                axes = ", ".join(map(str, shape))
                wanted = f"(batch, {axes})" + (f" or (batch, steps, {axes})" if variable.role != "state" else "")
                raise ShapeError(f"input {name!r} has shape {given}; expected {wanted}")
            if is_complex(value) and not variable.complex:
                raise ShapeError(
                    f"input {name!r} has complex values, but {port.variable!r} of {population.name!r} is real"
                )
        batches = {name: int(value.shape[0]) for name, value in inputs.items()}
        if len(set(batches.values())) > 1:
            raise ShapeError(f"the inputs have batches of different sizes: {batches}")

    def _signal(self, coupling: Coupling) -> sp.Expr:
        source = self.population(coupling.source, f"coupling {coupling.name!r}")
        if isinstance(coupling.signal, str):
            return source.expression(coupling.signal, f"coupling {coupling.name!r}")
        return coupling.signal

    def _readout(self, name: str, port: Output) -> sp.Expr:
        population = self.population(port.population, f"output {name!r}")
        if isinstance(port.expression, str):
            return population.expression(port.expression, f"output {name!r}")
        return port.expression

    def _check_coupling(self, coupling: Coupling) -> None:
        where = f"coupling {coupling.name!r}"
        source, target = self.populations[coupling.source], self.population(coupling.target, where)
        if coupling.into not in target.role("arrival"):
            raise EquationError(
                f"{where}: population {target.name!r} has no arrival {coupling.into!r}"
                f"{nearest(coupling.into, target.role('arrival'))}"
            )
        if not (np.isfinite(coupling.delay) and coupling.delay >= 0):
            raise ParameterError(f"{where}: delay {coupling.delay} s must be finite and at least 0")
        delivered = coupling.operator.output_shape(source.shape)
        if delivered != target.shape:
            raise ShapeError(f"{where}: delivers shape {delivered} to {target.name!r}, whose shape is {target.shape}")
        complex_weights = coupling.initial is not None and check_weights(coupling, coupling.initial)
        signal = self.signals[coupling.name]
        self._check_expression(signal, source, where)
        if (source.is_complex(signal) or complex_weights) and not target.variables[coupling.into].complex:
            raise EquationError(f"{where}: delivers complex values, but {coupling.into!r} of {target.name!r} is real")
        if coupling.plasticity is not None:
            self._check_plasticity(coupling, coupling.plasticity, where)
        if self.derived:
            return
        carried = dimensions.check(signal, source.dimensions, where) or dimensions.NONE
        wanted = target.dimensions[target.symbols[coupling.into]]
        if carried * weight_dimension(coupling, where) != wanted:
            raise EquationError(
                f"{where}: a signal of dimension {carried or 1} times weights in {coupling.unit!r} does not give "
                f"{coupling.into!r} of dimension {wanted or 1}; set `unit` of the coupling"
            )
        if coupling.plasticity is not None:
            self._check_plastic_dimensions(coupling, coupling.plasticity, carried, where)

    def _check_expression(self, expression: sp.Expr, population: Population, where: str) -> None:
        unknown = {str(symbol) for symbol in expression.free_symbols} - population.symbols.keys()
        if unknown:
            name = min(unknown)
            raise EquationError(
                f"{where}: population {population.name!r} has no {name!r}{nearest(name, population.symbols)}"
            )
        if not self.derived:
            dimensions.check(expression, population.dimensions, where)

    def _check_plasticity(self, coupling: Coupling, rule: Population, where: str) -> None:
        if (
            rule.shape != coupling.operator.weight_shape
            or "w" not in rule.dynamic
            or set(rule.role("input")) - {"pre", "post"}
        ):
            raise EquationError(
                f"{where}: plasticity needs shape {coupling.operator.weight_shape}, a state 'w' "
                "and no inputs but 'pre', 'post'"
            )
        if rule.constraints or rule.events or rule.projections or rule.noises or rule.role("arrival"):
            raise EquationError(f"{where}: plasticity consists of flows and maps alone, without noise")
        if not isinstance(coupling.operator, Dense | OneToOne):
            raise EquationError(f"{where}: plasticity needs a dense or one-to-one operator")
        if any(c.key == coupling.key and c is not coupling for c in self.couplings.values()):
            raise EquationError(f"{where}: weights that other couplings share cannot be plastic")
        if "post" in rule.role("input"):
            self.populations[coupling.target].expression(coupling.post, f"{where}, `post` for its plasticity")

    def _check_plastic_dimensions(self, coupling: Coupling, rule: Population, carried: Any, where: str) -> None:
        target = self.populations[coupling.target]
        wanted = {"w": weight_dimension(coupling, where), "pre": carried}
        if "post" in rule.role("input"):
            post = target.expression(coupling.post, where)
            wanted["post"] = dimensions.check(post, target.dimensions, where) or dimensions.NONE
        for name in wanted.keys() & rule.variables.keys():
            found = rule.dimensions[rule.symbols[name]]
            if found != wanted[name]:
                raise EquationError(
                    f"{where}: plasticity has {name!r} of dimension {found or 1}, here it is {wanted[name] or 1}"
                )

    def _check_keys(self) -> None:
        """Parameter keys mean one thing each: couplings that share weights agree on them."""
        own = {f"{p.name}.{name}" for p in self.populations.values() for name in p.role("parameter")}
        first: dict[str, Coupling] = {}
        for coupling in self.couplings.values():
            if coupling.key in own:
                raise EquationError(
                    f"coupling {coupling.name!r}: its weights have the key {coupling.key!r} of a parameter"
                )
            other = first.setdefault(coupling.key, coupling)
            said = [(c.operator.weight_shape, c.trainable, c.constant) for c in (other, coupling)]
            if said[0] != said[1] or not _same(other.initial, coupling.initial):
                raise EquationError(
                    f"couplings {other.name!r} and {coupling.name!r} share the weights {coupling.key!r}, but differ in "
                    "their shape, initial values or whether they are trainable or constant"
                )
        driven = Counter((port.population, port.variable) for port in self.inputs.values())
        for (population, variable), count in driven.items():
            if count > 1:
                raise EquationError(
                    f"{count} input ports drive {variable!r} of population {population!r}; only one can"
                )

    def _check_input(self, name: str, port: Input) -> None:
        population = self.population(port.population, f"input {name!r}")
        allowed = population.role("input", "state", "parameter")
        if port.variable not in allowed:
            raise EquationError(
                f"input {name!r}: population {population.name!r} has no input, state or parameter "
                f"{port.variable!r}{nearest(port.variable, allowed)}"
            )


def _same(a: Any, b: Any) -> bool:
    return a is b or (a is not None and b is not None and np.array_equal(a, b))


def _essence(population: Population) -> tuple[object, ...]:
    """What makes a population what it is, without parameter values."""
    groups = (
        population.flows,
        population.maps,
        population.constraints,
        population.guards,
        population.refractory,
        population.projections,
        *(population.resets[event.name] for event in population.events),
    )
    equations = [[(name, sp.srepr(e)) for name, e in sorted(group.items())] for group in groups]
    variables, held = repr(dict(population.variables)), sorted(population.held)
    return (population.name, population.shape, variables, equations, held, population.integrator)


def _named(items: Iterable[Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if item.name in found:
            raise EquationError(f"two {kind}s are called {item.name!r}; names must be unique")
        found[item.name] = item
    return found
