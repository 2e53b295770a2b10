"""The Systems that a backend is held against: one a feature, small, each with what makes it worth running."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import (
    Convolution,
    Coupling,
    Dense,
    Event,
    Input,
    Mean,
    OneToOne,
    Output,
    Poisson,
    Population,
    Sparse,
    System,
    Variable,
)
from physnn.equations.integrators import INTEGRATORS
from physnn.equations.operators import Operator
from physnn.media.catalogue import MEDIA

BATCH = 3


@dataclass(frozen=True)
class Case:
    """A System with inputs, and how it is run."""

    name: str
    system: System
    inputs: dict[str, NDArray]
    step: float = 0.05
    steps: int = 40
    stationary: bool = True
    smooth: bool = True
    """whether its gradients can be checked by finite differences"""
    random: bool = field(default=False)
    """whether it draws noise as it runs"""

    @property
    def surrogate(self) -> bool:
        """Whether it has events, all with a slope that is said to be theirs."""
        own = [(p.surrogates, p.events) for p in self.system.populations.values() if p.events]
        return bool(own) and all(len(slopes) == len(events) for slopes, events in own)

    def part(self, rows: slice) -> dict[str, NDArray]:
        """The inputs of some samples."""
        return {name: value[rows] for name, value in self.inputs.items()}


def draw(name: str, *shape: int) -> NDArray:
    """Normal numbers that are the same in every run of the suite."""
    return streams.normal(0, name, "conformance", shape)


def media() -> list[Case]:
    """One case for each registered medium."""
    found = []
    for name, entry in MEDIA.items():
        system = _biased(entry.build().lower(seed=7))
        inputs = {port: _given(name, system, place) for port, place in system.inputs.items()}
        kind = entry.stationary, entry.smooth, entry.random
        found.append(Case(name, system, inputs, entry.step, entry.steps, *kind))
    return found


def _given(name: str, system: System, place: Input) -> NDArray:
    """What enters a port: normal numbers; about the value that the System has, where it has one."""
    population = system.populations[place.population]
    variable = population.variables[place.variable]
    drawn: NDArray = draw(f"{name} {place.variable}" if variable.role != "input" else name, BATCH, *population.shape)
    if variable.complex:
        drawn = drawn + 1j * draw(f"{name} {place.variable} i", BATCH, *population.shape)
    own = population.values.get(place.variable, 0.0)
    if variable.role == "input":
        return drawn
    return own * (1 + 0.1 * drawn) if variable.role == "parameter" else own + 0.3 * drawn


def _biased(system: System) -> System:
    """The System with weights in place of zeros, so that a layer at rest is not at a kink of its characteristic."""
    couplings = [
        c if np.any(c.initial) or not c.trainable else replace(c, initial=0.3 * draw(c.key, *c.operator.weight_shape))
        for c in system.couplings.values()
    ]
    return System.of(system.populations.values(), couplings, system.inputs, system.outputs)


_SOURCE = Population.from_text("in", 3, "u : 1 (input)")
_LEAK = """
dx/dt = (tanh(z) - x)/tau : 1
z   : 1 (arrival)
tau : s (parameter)
"""


def _layer(name: str, size: int, equations: str = _LEAK, **values: object) -> Population:
    return Population.from_text(name, size, equations, {"tau": 1.0, **values})


def _dense(source: str, target: str, rows: int, columns: int, scale: float = 0.6, delay: float = 0.0) -> Coupling:
    name = f"{source}->{target}"
    weights = scale * draw(name, rows, columns)
    return Coupling(
        name, source, target, "u" if source == "in" else "x", Dense(rows, columns), "z", initial=weights, delay=delay
    )


def _system(populations: list[Population], couplings: list[Coupling], reads: str, expression: str = "x") -> System:
    return System.of([_SOURCE, *populations], couplings, {"in": Input("in", "u")}, {"y": Output(reads, expression)})


def delays() -> Case:
    """Two layers with delays of 3 and 5 steps."""
    couplings = [_dense("in", "a", 4, 3, delay=0.15), _dense("a", "b", 2, 4, delay=0.25)]
    return Case("delays", _system([_layer("a", 4), _layer("b", 2)], couplings, "b"), {"in": draw("delays", BATCH, 3)})


def loop() -> Case:
    """A layer that is coupled to itself, weakly enough to settle."""
    couplings = [_dense("in", "a", 4, 3), _dense("a", "a", 4, 4, scale=0.2)]
    return Case("loops", _system([_layer("a", 4)], couplings, "a"), {"in": draw("loop", BATCH, 3)})


def junction() -> Case:
    """A shunt diode pair between two lines, v + (Z/2) 2 I sinh(v/V) = z, solved within each step."""
    shunt = Population.from_text(
        "shunt",
        4,
        """
        0 = v + Z/2*2*I*sinh(v/V) - z : V (solves v)
        z : V   (arrival)
        Z : ohm (parameter)
        I : A   (trainable)
        V : V   (parameter)
        """,
        {"Z": 2.0, "I": 0.2, "V": 1.0},
    )
    after = _layer("a", 2)
    couplings = [
        Coupling(
            "in->shunt", "in", "shunt", "u", Dense(4, 3), "z", unit="V", initial=draw("in->shunt", 4, 3), delay=0.1
        ),
        Coupling("shunt->a", "shunt", "a", "v", Dense(2, 4), "z", unit="1/V", initial=0.5 * draw("shunt->a", 2, 4)),
    ]
    return Case("constraints", _system([shunt, after], couplings, "a"), {"in": draw("junction", BATCH, 3)})


def projection() -> Case:
    """States that may not become negative."""
    kept = Population.from_text("a", 6, _LEAK, {"tau": 0.3}, projections={"x": "max(x, 0)"})
    couplings = [_dense("in", "a", 6, 3, scale=1.5)]
    return Case("projections", _system([kept], couplings, "a"), {"in": draw("projection", BATCH, 3)}, stationary=False)


def maps() -> Case:
    """A recurrent map, x+ = tanh(z) + x/2, before a flow."""
    cell = Population.from_text("a", 4, "x+ = tanh(z) + 0.5*x : 1\nz : 1 (arrival)")
    couplings = [_dense("in", "a", 4, 3), _dense("a", "b", 2, 4)]
    return Case("maps", _system([cell, _layer("b", 2)], couplings, "b"), {"in": draw("maps", BATCH, 3)})


def events() -> Case:
    """Leaky integrate-and-fire cells whose pulses drive a layer."""
    cells = Population.from_text(
        "a",
        4,
        """
        dv/dt = (z + 1.5 - v)/tau : 1 (unless refractory)
        z     : 1 (arrival)
        tau   : s (parameter)
        t_ref : s (parameter)
        """,
        {"tau": 0.5, "t_ref": 0.1},
        events=[Event("spike", "v > 1", {"v": "0"}, "t_ref", "1/(1 + (2*margin)**2)")],
    )
    couplings = [
        _dense("in", "a", 4, 3, scale=0.3),
        Coupling("a->b", "a", "b", "spike", Dense(2, 4), "z", unit="s", initial=0.1 * draw("a->b", 2, 4), delay=0.1),
    ]
    return Case(
        "events",
        _system([cells, _layer("b", 2)], couplings, "b"),
        {"in": draw("events", BATCH, 3)},
        steps=80,
        stationary=False,
        smooth=False,
    )


def noise() -> Case:
    """A layer with white noise on its states."""
    equations = _LEAK.replace("- x)/tau", "- x)/tau + D*xi") + "D : s**-0.5 (parameter)\n"
    couplings = [_dense("in", "a", 5, 3)]
    system = _system([_layer("a", 5, equations, D=0.3)], couplings, "a")
    return Case("noise", system, {"in": draw("noise", BATCH, 3)}, stationary=False, random=True)


def complex_states() -> Case:
    """Stuart-Landau oscillators, driven through their real part."""
    oscillators = Population.from_text(
        "a",
        3,
        """
        da/dt = (mu + 1j*w)*a - k*a*abs(a)**2 + z : 1 (complex)
        z  : 1/s (arrival, complex)
        mu : 1/s (parameter)
        w  : 1/s (trainable)
        k  : 1/s (trainable)
        """,
        {"mu": 0.5, "w": [1.0, 2.0, 3.0], "k": 1.0, "a": 0.3 + 0.1j},
    )
    couplings = [Coupling("in->a", "in", "a", "u", Dense(3, 3), "z", unit="1/s", initial=0.4 * draw("in->a", 3, 3))]
    system = _system([oscillators], couplings, "a", "re(a) + 0.5*abs(a)")
    return Case("complex states", system, {"in": draw("complex", BATCH, 3)}, step=0.02, stationary=False)


def integrated(integrator: str) -> Case:
    """Two layers of damped anharmonic oscillators, stepped by one of the integrators."""
    equations = """
    dx/dt = v                      : 1
    dv/dt = z - g*v - k*x - x**3*b : 1/s
    z : 1/s**2 (arrival)
    g : 1/s    (trainable)
    k : 1/s**2 (trainable)
    b : 1/s**2 (parameter)
    """
    values = {"g": 0.6, "k": 1.5, "b": 0.4}
    layers = [Population.from_text(name, 3, equations, values, integrator=integrator) for name in ("a", "b")]
    couplings = [replace(_dense("in", "a", 3, 3), unit="1/s**2"), replace(_dense("a", "b", 3, 3), unit="1/s**2")]
    inputs = {"in": draw("integrated", BATCH, 3)}
    return Case(f"integrators, {integrator}", _system(layers, couplings, "b", "x*(1 + x/2)"), inputs, stationary=False)


def ports() -> Case:
    """Oscillators whose frequency and initial displacement are set sample by sample, besides their drive."""
    made = integrated("verlet").system
    inputs = {**made.inputs, "frequency": Input("b", "k"), "start": Input("b", "x")}
    own = made.populations["b"]
    free = replace(own, variables={**own.variables, "k": Variable("k", "parameter", "1/s**2")})
    populations = [free if p is own else p for p in made.populations.values()]
    given = {name: 1.0 + 0.2 * draw("ports" + name, BATCH, 3) for name in inputs}
    return Case("ports", System.of(populations, made.couplings.values(), inputs, made.outputs), given, stationary=False)


def features() -> list[Case]:
    """One case for each feature of a System that is no medium of its own."""
    found = [delays(), loop(), junction(), projection(), maps(), events(), noise(), complex_states()]
    return [*found, *(integrated(name) for name in INTEGRATORS if name != "euler")]


def operators() -> dict[str, tuple[Operator, tuple[int, ...], tuple[int, ...]]]:
    """Operator, shape of its source, shape of its target, by name."""
    return {
        "dense": (Dense(4, 7), (7,), (4,)),
        "one-to-one": (OneToOne((6,)), (6,), (6,)),
        "sparse": (Sparse((0, 2, 2, 1), (1, 0, 3, 3), 3, 4), (4,), (3,)),
        "convolution, zero padding": (Convolution(2, 3, (3, 3), "zero"), (3, 4, 5), (2, 4, 5)),
        "convolution, circular padding": (Convolution(2, 3, (3, 3), "circular"), (3, 4, 5), (2, 4, 5)),
        "convolution, mirror padding": (Convolution(2, 3, (3, 5), "mirror"), (3, 4, 5), (2, 4, 5)),
        "mean": (Mean((2, 3)), (2, 3), (2, 3)),
        "Poisson, clamped edges": (Poisson((2, 4, 5), "zero"), (2, 4, 5), (2, 4, 5)),
        "Poisson, free edges": (Poisson((1, 4, 5), "mirror"), (1, 4, 5), (1, 4, 5)),
    }


def two_ends(operator: Operator, source: tuple[int, ...], target: tuple[int, ...]) -> System:
    """A coupling between two linear layers: steady state y = K x, reflected wave K^T c."""
    linear = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    first, last = (Population.from_text(n, s, linear, {"tau": 1.0}) for n, s in (("first", source), ("last", target)))
    couplings = [
        Coupling("enter", "in", "first", "u", OneToOne(source), "z", initial=np.ones(source)),
        Coupling("K", "first", "last", "x", operator, "z", initial=draw(str(operator), *operator.weight_shape)),
    ]
    populations = [Population.from_text("in", source, "u : 1 (input)"), first, last]
    return System.of(populations, couplings, {"in": Input("in", "u")}, {"y": Output("last", "x")})


def closed_ring(delays_in_steps: tuple[int, ...] = (2, 3, 1), step: float = 0.05) -> System:
    """Waves between two lossless junctions: an orthogonal scattering matrix, delays, and nothing that dissipates.

    The junction's outgoing waves are x = S z with S^T S = 1; the sum of squares of all waves on the lines is conserved.
    """
    size = len(delays_in_steps)
    scattering, _ = np.linalg.qr(draw("scattering", size, size))
    junction = Population.from_text("junction", size, "0 = x - z : 1 (solves x)\nz : 1 (arrival)")
    start = Population.from_text("in", size, "u : 1 (input)")
    lines = []
    for line, delay in enumerate(delays_in_steps):
        column = np.zeros((size, size))
        column[:, line] = scattering[:, line]
        lines.append(
            Coupling(f"line{line}", "junction", "junction", "x", Dense(size, size), "z", delay * step, initial=column)
        )
    enter = Coupling("enter", "in", "junction", "u", OneToOne((size,)), "z", initial=np.ones(size))
    return System.of([start, junction], [enter, *lines], {"in": Input("in", "u")}, {"y": Output("junction", "x")})
