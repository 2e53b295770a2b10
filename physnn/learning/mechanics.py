"""Whether a System moves in a potential and is stepped so that the motion can be undone; its energy's slopes.

Read from the steps that its populations take, symbol by symbol. A layer has a position q and a velocity v with

    v <- e^2 v + (dt/2) (1 + e^2) F(q),    q <- q + dt r v          first step: v <- e v + (dt/2) F(q)

so H = r v^2/2 + V, F = -dV/dq; e = 1 without damping. Forces between layers come from one potential where couplings
are paired: what arrives as `a` at q enters F with the slope dS_a/dq, and what leads back through the same weights
carries S_a(q) itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import sympy as sp

from physnn.equations import Coupling, Population, System, Transposed
from physnn.equations.generate import function
from physnn.equations.parse import STEP, TIME
from physnn.errors import CapabilityError

Array = Any
_CURE = "use `physnn.media.hamiltonian`, or rule 'reflected-wave'"


class Formula:
    """An expression in a population's variables, ready to be computed."""

    def __init__(self, population: Population, expression: sp.Expr) -> None:
        self.expression = expression
        self.names = tuple(sorted(str(symbol) for symbol in expression.free_symbols))
        self._compute = function(tuple(population.symbols[name] for name in self.names), (expression,))

    def __call__(self, xp: Any, here: Mapping[str, Any]) -> Any:
        """Its value where the variables have those of `here`."""
        return self._compute(xp, *(here[name] for name in self.names))[0]


@dataclass(frozen=True)
class Layer:
    """One population of oscillators."""

    name: str
    position: str
    velocity: str
    position_port: str
    velocity_port: str
    """input ports that set where a run starts"""
    keep: Formula
    """e: share of the velocity that is left after half a step"""
    damping: str
    """the parameter of which e is made, where gain -g undoes damping g; empty where there is none"""
    damping_port: str
    """input port that sets it; empty where there is none"""
    conjugates: Mapping[str, Formula]
    """arrival a -> S_a(q)"""
    kicks: Mapping[str, Formula]
    """trainable parameter -> dV/d parameter"""
    drifts: Mapping[str, Formula]
    """trainable parameter -> dT/d parameter"""


@dataclass(frozen=True)
class Mechanics:
    """A System with a Hamiltonian."""

    layers: Mapping[str, Layer]
    trained: tuple[Coupling, ...]
    """couplings to be learnt, one a pair"""
    output: str
    """population that is read"""
    slope: Formula
    """d output / d position"""
    summed: frozenset[str]
    """fields and couplings of which the sums over the stages are made"""
    ends: frozenset[str]
    """positions and velocities"""

    def kept(self, *, ends: bool) -> frozenset[str]:
        """What a trace must hold, with or without where the motion starts and ends."""
        return self.summed | self.ends if ends else self.summed


def mechanics_of(system: System, read: str, off: Collection[str]) -> Mechanics:
    """The Hamiltonian of a System whose output port `read` is trained; parameters `off` are zero.

    Raises
    ------
    CapabilityError
        There is none, or the steps cannot be undone; the message says which part and why.
    """
    discrete = system.discrete
    moving = [name for name, p in discrete.populations.items() if p.dynamic or p.constraints or p.role("arrival")]
    layers = {name: _Recognised(system, discrete.populations[name], off).layer() for name in moving}
    for coupling in system.couplings.values():
        _check_coupling(system, layers, coupling)
    known = {c.key for c in system.couplings.values()}
    known |= {f"{layer.name}.{name}" for layer in layers.values() for name in (*layer.kicks, *layer.drifts)}
    for key in system.trainable:
        if key not in known:
            raise CapabilityError(
                f"{key!r} is no parameter of a coupling, a potential or a mass; the echo cannot learn it"
            )
    output = system.outputs[read].population
    expression = system.readouts[read]
    if output not in layers or expression.free_symbols - {
        discrete.populations[output].symbols[layers[output].position]
    }:
        raise CapabilityError(f"output {read!r} reads {expression} of {output!r}; the echo needs a loss of positions")
    slope = expression.diff(discrete.populations[output].symbols[layers[output].position])
    trained = [c for c in system.couplings.values() if c.trainable and not isinstance(c.operator, Transposed)]
    ends = {f"{layer.name}.{state}" for layer in layers.values() for state in (layer.position, layer.velocity)}
    formulas = [(layer, f) for layer in layers.values() for f in (*layer.kicks.values(), *layer.drifts.values())]
    formulas += [(layers[c.target], layers[c.target].conjugates[c.into]) for c in trained]
    summed = {c.name for c in trained}
    for layer, formula in formulas:
        variables = discrete.populations[layer.name].variables
        changing = [name for name in formula.names if name in variables and variables[name].role in ("state", "input")]
        summed |= {f"{layer.name}.{name}" for name in changing}
    slope = Formula(discrete.populations[output], slope)
    return Mechanics(layers, tuple(trained), output, slope, frozenset(summed), frozenset(ends))


class _Recognised:
    """The Hamiltonian of one population, found in the maps that step it."""

    def __init__(self, system: System, population: Population, off: Collection[str]) -> None:
        self.system, self.population = system, population
        self.where = f"population {population.name!r}"
        other = population.flows or population.constraints or population.events or population.projections
        if other or population.noises or len(population.maps) != 2 or any(v.complex for v in self._states()):
            raise CapabilityError(
                f"{self.where} is no mechanics of one position and one velocity, real, free of noise and events: "
                f"without a momentum there is nothing to turn round; {_CURE}"
            )
        if not any(str(s) == TIME for step in population.maps.values() for s in step.free_symbols):
            raise CapabilityError(
                f"{self.where}: its steps are not those of integrator 'verlet', half a kick first, which alone run "
                f"back along their way; {_CURE}"
            )
        ports = {port.variable: name for name, port in system.inputs.items() if port.population == population.name}
        self.ports = ports
        keys = {name: f"{population.name}.{name}" for name in population.role("parameter")}
        zero = {population.symbols[n]: sp.Integer(0) for n, key in keys.items() if key in off and n not in ports}
        self.first = {n: _piece(e, 0).xreplace(zero) for n, e in population.maps.items()}
        self.later = {n: _piece(e, -1).xreplace(zero) for n, e in population.maps.items()}
        self.dt = population.symbols[STEP]
        self.fixed = {population.symbols[n] for n in keys} | {self.dt}

    def _states(self) -> list[Any]:
        return [self.population.variables[name] for name in self.population.dynamic]

    def layer(self) -> Layer:
        """The layer, or a refusal with its reason."""
        position, velocity, rate = self._roles()
        symbols, dt = self.population.symbols, self.dt
        q, v = symbols[position], symbols[velocity]
        kept = sp.simplify(self.later[velocity].diff(v))
        force = sp.simplify((self.later[velocity] - kept * v) * 2 / (dt * (1 + kept)))
        if kept.free_symbols - self.fixed or force.has(v):
            raise CapabilityError(f"{self.where}: its force hangs on the velocity otherwise than by a damping; {_CURE}")
        if force.has(symbols[TIME]):
            raise CapabilityError(f"{self.where}: its force hangs on the time; drive it through an input port instead")
        keep = sp.sqrt(kept)
        if sp.simplify(self.first[velocity] - keep * v - dt / 2 * force) != 0:
            raise CapabilityError(
                f"{self.where}: its damping is stepped so that no gain undoes it, and an echo would not retrace its "
                f"way; {_CURE}"
            )
        damping = self._damping(kept)
        kicks, drifts = self._densities(q, v, force, rate, kept)
        for state in (position, velocity):
            if state not in self.ports:
                raise CapabilityError(
                    f"{self.where}: no input port sets {state!r}, so an echo cannot be started; add one to the "
                    "network's `inputs` (`physnn.media.hamiltonian.hamiltonian_network` does)"
                )
        return Layer(
            self.population.name,
            position,
            velocity,
            self.ports[position],
            self.ports[velocity],
            Formula(self.population, keep),
            damping,
            self.ports.get(damping, ""),
            self._conjugates(q, force),
            kicks,
            drifts,
        )

    def _roles(self) -> tuple[str, str, sp.Expr]:
        """Position, velocity, and r of q <- q + dt r v."""
        for position, velocity in permutations(self.population.maps):
            moved = self.later[position] - self.population.symbols[position]
            rate = sp.simplify(moved / (self.dt * self.later[velocity]))
            if not rate.free_symbols - self.fixed and rate != 0:
                return position, velocity, rate
        raise CapabilityError(
            f"{self.where} does not step by kicks of a velocity and drifts of a position in turn, which alone can be "
            f"undone; {_CURE}"
        )

    def _damping(self, kept: sp.Expr) -> str:
        """The one parameter of the damping, where its negative undoes it."""
        names = sorted(str(symbol) for symbol in kept.free_symbols - {self.dt})
        if len(names) != 1:
            return ""
        symbol = self.population.symbols[names[0]]
        return names[0] if sp.simplify(kept * kept.xreplace({symbol: -symbol}) - 1) == 0 else ""

    def _conjugates(self, q: sp.Symbol, force: sp.Expr) -> dict[str, Formula]:
        found = {}
        for arrival in self.population.role("arrival"):
            if self.system.arriving(self.population.name, arrival):
                slope = sp.simplify(force.diff(self.population.symbols[arrival]))
                if slope.free_symbols - self.fixed - {q}:
                    raise CapabilityError(f"{self.where}: a force that is not linear in what arrives has no potential")
                found[arrival] = Formula(self.population, sp.integrate(slope, q))
        return found

    def _densities(
        self, q: sp.Symbol, v: sp.Symbol, force: sp.Expr, rate: sp.Expr, kept: sp.Expr
    ) -> tuple[dict[str, Formula], dict[str, Formula]]:
        """dV and dT by each trainable parameter."""
        arrivals = {self.population.symbols[name] for name in self.population.role("arrival")}
        kicks, drifts = {}, {}
        for name, variable in self.population.variables.items():
            if not variable.trainable:
                continue
            pushed, moved = sp.simplify(force.diff(variable.symbol)), rate.diff(variable.symbol)
            if kept.has(variable.symbol) or pushed.free_symbols & arrivals:
                raise CapabilityError(
                    f"{self.where}: {name!r} is a damping, or scales what arrives; the echo learns potentials, masses"
                )
            if pushed != 0:
                kicks[name] = Formula(self.population, -sp.integrate(pushed, q))
            if moved != 0:
                drifts[name] = Formula(self.population, moved * v**2 / 2)
        return kicks, drifts


def _piece(expression: sp.Expr, which: int) -> sp.Expr:
    """A step's expression in the first step (0) or in a later one (-1)."""
    timed = {p: p.args[which][0] for p in expression.atoms(sp.Piecewise) if any(str(s) == TIME for s in p.free_symbols)}
    return expression.xreplace(timed)


def _check_coupling(system: System, layers: Mapping[str, Layer], coupling: Coupling) -> None:
    """Whether the force that a coupling brings belongs to a potential.

    Raises
    ------
    CapabilityError
    """
    where = f"coupling {coupling.name!r}"
    if coupling.delay:
        raise CapabilityError(
            f"{where}: its delay of {coupling.delay} s keeps waves in flight that no echo turns round"
        )
    if coupling.source not in layers:
        return
    for other in system.couplings.values():
        if other is not coupling and other.key == coupling.key and _paired(system, layers, coupling, other):
            return
    raise CapabilityError(
        f"{where}: its force has no potential: what {coupling.source!r} does to {coupling.target!r} must come back "
        "through the same weights (`physnn.media.energy.Reciprocal`)"
    )


def _paired(system: System, layers: Mapping[str, Layer], one: Coupling, other: Coupling) -> bool:
    """Whether two couplings are the two derivatives of one energy  -S_target . K S_source."""
    if (one.source, one.target) != (other.target, other.source):
        return False
    turned = any(
        a.operator == Transposed(b.operator, system.populations[b.source].shape)
        for a, b in ((one, other), (other, one))
    )
    carried = all(
        sp.simplify(system.signals[a.name] - layers[a.source].conjugates[b.into].expression) == 0
        for a, b in ((one, other), (other, one))
    )
    return turned and carried
