"""A System: populations joined by couplings, with ports. It is what every backend receives and every companion is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from physnn.equations import dimensions
from physnn.equations.operators import Operator
from physnn.equations.population import Population
from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError, nearest


@dataclass(frozen=True)
class Coupling:
    """`operator` applied to a signal of `source`, delivered to `target` under the name `into`, `delay` later.

    arrival(t) = sum over couplings of K signal(t - delay); nothing arrives before the first signal does.
    """

    name: str
    source: str
    target: str
    signal: str | sp.Expr
    """text or expression in the source's variables and definitions"""
    operator: Operator
    into: str
    """an arrival of the target"""
    delay: float = 0.0
    """[s], at least 0"""
    unit: str = "1"
    """unit of a weight: that of the arrival divided by that of the signal"""
    trainable: bool = True
    weights: str = ""
    """parameter key of the weights; the coupling's own name where empty. Couplings may share."""
    initial: Any = None
    """initial weights, an array of `operator.weight_shape`"""
    plasticity: Population | None = None
    """equations of the weights: a population of shape `weight_shape` with a state `w` and inputs `pre`, `post`"""
    post: str = ""
    """signal of the target that plasticity reads as `post`"""

    @property
    def key(self) -> str:
        """Parameter key of the weights."""
        return self.weights or self.name


@dataclass(frozen=True)
class Input:
    """A named way in: it drives an input, sets a state's initial condition, or sets a parameter per sample."""

    population: str
    variable: str


@dataclass(frozen=True)
class Output:
    """A named way out: an expression in one population's variables."""

    population: str
    expression: str | sp.Expr


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
        _ = self.order

    @classmethod
    def of(
        cls, populations: Iterable[Population], couplings: Iterable[Coupling] = (),
        inputs: Mapping[str, Input] | None = None, outputs: Mapping[str, Output] | None = None, *, derived: bool = False,
    ) -> System:  # fmt: skip
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
    def order(self) -> tuple[str, ...]:
        """Populations in an order in which instantaneous signals can be computed within a step."""
        edges = {name: set() for name in self.populations}
        for coupling in self.couplings.values():
            if coupling.delay == 0 and self.instantaneous(coupling):
                edges[coupling.target].add(coupling.source)
        found = topological(edges)
        if isinstance(found, list):
            raise EquationError(
                f"a loop without delay runs through {' -> '.join([*found, found[0]])}: give one of its couplings a delay, "
                "or write the loop as one population with a constraint"
            )
        return found

    @cached_property
    def steady_order(self) -> tuple[str, ...] | None:
        """Populations in feed-forward order, or None where the couplings form a loop."""
        edges = {name: {c.source for c in self.couplings.values() if c.target == name} for name in self.populations}
        found = topological(edges)
        return None if isinstance(found, list) else found

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
    def fingerprint(self) -> str:
        """A hash of the equations, couplings and ports; parameter values do not enter."""
        parts = [f"{p.name}{p.shape}{p.text}{p.events}{sorted(map(str, p.projections.items()))}" for p in self.populations.values()]
        parts += [
            f"{c.name}{c.source}{c.target}{self.signals[c.name]}{c.operator}{c.into}{c.delay}{c.key}"
            for c in self.couplings.values()
        ]
        parts += [f"{k}{v}" for k, v in self.inputs.items()] + [f"{k}{v}" for k, v in self.readouts.items()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def check_inputs(self, inputs: Mapping[str, Any]) -> None:
        """Names and shapes of arrays given to the input ports: (batch, *shape) or (batch, steps, *shape)."""
        batches = {name: int(value.shape[0]) for name, value in inputs.items() if len(value.shape)}
        if len(set(batches.values())) > 1:
            raise ShapeError(f"the inputs have batches of different sizes: {batches}")
        for name, value in inputs.items():
            if name not in self.inputs:
                raise UnknownNameError("input port", name, self.inputs)
            shape = self.populations[self.inputs[name].population].shape
            given = tuple(value.shape)
            if given[1:] != shape and given[2:] != shape:
                raise ShapeError(
                    f"input {name!r} has shape {given}; expected (batch, {_axes(shape)}) or (batch, steps, {_axes(shape)})"
                )

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
                f"{where}: population {target.name!r} has no arrival {coupling.into!r}{nearest(coupling.into, target.role('arrival'))}"
            )
        if not (np.isfinite(coupling.delay) and coupling.delay >= 0):
            raise ParameterError(f"{where}: delay {coupling.delay} s must be finite and at least 0")
        delivered = coupling.operator.output_shape(source.shape)
        if delivered != target.shape:
            raise ShapeError(f"{where}: delivers shape {delivered} to {target.name!r}, whose shape is {target.shape}")
        if coupling.initial is not None and np.shape(coupling.initial) != coupling.operator.weight_shape:
            raise ShapeError(
                f"{where}: weights have shape {np.shape(coupling.initial)}, the operator needs {coupling.operator.weight_shape}"
            )
        complex_weights = coupling.initial is not None and np.iscomplexobj(coupling.initial)
        signal = self.signals[coupling.name]
        if (source.is_complex(signal) or complex_weights) and not target.variables[coupling.into].complex:
            raise EquationError(f"{where}: delivers complex values, but {coupling.into!r} of {target.name!r} is real")
        if coupling.plasticity is not None:
            self._check_plasticity(coupling, where)
        if self.derived:
            return
        carried = dimensions.check(signal, source.dimensions, where) or dimensions.NONE
        wanted = target.dimensions[target.symbols[coupling.into]]
        if carried * dimensions.dimension(coupling.unit) != wanted:
            raise EquationError(
                f"{where}: a signal of dimension {carried or 1} times weights in {coupling.unit!r} does not give "
                f"{coupling.into!r} of dimension {wanted or 1}; set `unit` of the coupling"
            )

    def _check_plasticity(self, coupling: Coupling, where: str) -> None:
        rule = coupling.plasticity
        if rule.shape != coupling.operator.weight_shape or "w" not in rule.dynamic or set(rule.role("input")) - {"pre", "post"}:
            raise EquationError(
                f"{where}: plasticity needs shape {coupling.operator.weight_shape}, a state 'w' and no inputs but 'pre', 'post'"
            )

    def _check_input(self, name: str, port: Input) -> None:
        population = self.population(port.population, f"input {name!r}")
        allowed = population.role("input", "state", "parameter")
        if port.variable not in allowed:
            raise EquationError(
                f"input {name!r}: population {population.name!r} has no input, state or parameter "
                f"{port.variable!r}{nearest(port.variable, allowed)}"
            )


def topological(edges: Mapping[str, set[str]]) -> tuple[str, ...] | list[str]:
    """Nodes with all they need before them (`edges`: node -> what it needs), or the nodes of a loop as a list."""
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(node: str) -> list[str] | None:
        if node in done:
            return None
        if node in path:
            return path[path.index(node) :]
        path.append(node)
        for needed in sorted(edges[node]):
            loop = visit(needed)
            if loop:
                return loop
        path.pop()
        done[node] = None
        return None

    for node in edges:
        loop = visit(node)
        if loop:
            return loop[::-1]
    return tuple(done)


def _named(items: Iterable[Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if item.name in found:
            raise EquationError(f"two {kind}s are called {item.name!r}; names must be unique")
        found[item.name] = item
    return found


def _axes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
