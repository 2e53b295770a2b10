"""The network a user describes, and its lowering to a System of equations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from physnn import streams
from physnn.equations import Coupling, Dense, Input, OneToOne, Output, Population, System
from physnn.errors import EquationError, ParameterError, ShapeError, nearest
from physnn.media.medium import Source
from physnn.media.part import Part
from physnn.media.readout import Readout

BIAS = "bias"


@dataclass(frozen=True)
class Link:
    """A coupling from one part to another; dense where no operator is named.

    Weights start as normal numbers of standard deviation gain / sqrt(fan-in), the same on every backend.
    """

    source: str
    """name of a part, or 'NAME:SIDE' of a part with sides"""
    target: str
    name: str = ""
    """'SOURCE->TARGET' where empty"""
    operator: Any = None
    delay: float = 0.0
    """[s, model time]"""
    gain: float = 1.0
    trainable: bool = True
    signal: str = ""
    """expression in the source's variables; the part's own signal where empty"""
    into: str = ""
    """arrival of the target; the part's own where empty"""
    unit: str = ""
    """unit of a weight; the target's own where empty"""
    weights: Any = None
    """initial weights in place of random ones, of the operator's `weight_shape`"""
    wire: bool = False
    """a plain connection at one place: no line of a profile lies in it, and its weights are no devices"""

    def __post_init__(self) -> None:
        if not (isinstance(self.gain, Real) and math.isfinite(self.gain)):
            raise ParameterError(f"link {self.label!r}: gain {self.gain!r} must be a finite number")

    @property
    def label(self) -> str:
        """The coupling's name."""
        return self.name or f"{self.source}->{self.target}"


@dataclass(frozen=True)
class Network:
    """A physical network: parts, links between them, and what is read out.

    Examples
    --------
    >>> from physnn.media import Network, Readout, Source, Waveguide
    >>> net = Network.layered([Source("pixels", 64), Waveguide("hidden", 32), Waveguide("output", 10)])
    >>> sorted(net.lower(seed=0).couplings)
    ['bias->hidden', 'bias->output', 'hidden->output', 'pixels->hidden']
    """

    parts: Sequence[Part]
    links: Sequence[Link]
    readout: Readout
    name: str = field(default="network")
    inputs: Mapping[str, Input] = field(default_factory=dict)
    """further input ports besides the sources: port -> Input(part, variable). On a state it sets the initial condition,
    on a parameter (a natural frequency, a speed of sound) a value per sample."""

    @classmethod
    def layered(
        cls,
        parts: Sequence[Part],
        *,
        gain: float | Sequence[float] = 1.0,
        bypass: int = 0,
        loss: float = 0.0,
        readout: str = "last",
        name: str = "network",
    ) -> Network:
        """Parts in a row, each coupled densely to the next; the last one is read out at its port `y`.

        Parameters
        ----------
        parts : sequence
            A `Source`, then layers.
        gain : float or sequence of float
            Initial weights have standard deviation gain / sqrt(fan-in); one for all links or one each.
        bypass : int
            Where 2 or more, a bypass guide leads from every layer to the one `bypass` further on, line to line: a skip
            connection, on which waves pass both ways without meeting the layers between.
        loss : float
            Share of the amplitude that a bypass guide loses, 0 to 1.
        readout : str
            "last": the state at the end; "mean": its mean over time.

        Raises
        ------
        ParameterError, EquationError, ShapeError
            Too few parts, no source at the start, gains that do not fit, or layers of unlike shapes to be bypassed.
        """
        if len(parts) < 2:
            raise ParameterError(f"network {name!r}: a layered network needs a source and at least one layer")
        if not isinstance(parts[0], Source):
            raise EquationError(f"network {name!r}: the first part, {parts[0].name!r}, must be a Source to be driven")
        pairs = list(pairwise(parts))
        gains = [float(gain)] * len(pairs) if isinstance(gain, int | float) else [float(g) for g in gain]
        if len(gains) != len(pairs):
            raise ParameterError(f"network {name!r}: {len(gains)} gains for {len(pairs)} links; give one each")
        links = [Link(a.name, b.name, gain=g) for (a, b), g in zip(pairs, gains, strict=True)]
        if not isinstance(bypass, int) or bypass == 1 or bypass < 0 or not 0 <= loss < 1:
            raise ParameterError(
                f"network {name!r}: bypass {bypass!r} with loss {loss}; 2 layers or more, a loss from 0 to 1"
            )
        if bypass:
            ends = zip(parts[1:], parts[1 + bypass :], strict=False)
            links += [_bypass(a, b, 1.0 - loss) for a, b in ends]
        last = parts[-1]
        return cls(tuple(parts), tuple(links), Readout(last.name, last.signal, readout), name)

    def lower(self, seed: int = 0) -> System:
        """The System of equations, with initial weights drawn from `seed`.

        Raises
        ------
        EquationError, ShapeError, ParameterError
            Names, shapes, units or values do not fit; the message says where.
        """
        parts = {part.name: part for part in self.parts}
        if len(parts) != len(self.parts) or BIAS in parts:
            raise EquationError(f"network {self.name!r}: part names must be unique, and none may be {BIAS!r}")
        dotted = [name for name in parts if "." in name or not name]
        if dotted:
            raise EquationError(f"network {self.name!r}: a part is called {dotted[0]!r}; use a name without a dot")
        lowered = {part.name: part.populations() for part in self.parts}
        populations = {p.name: p for own in lowered.values() for p in own}
        if len(populations) != sum(map(len, lowered.values())) or BIAS in populations:
            raise EquationError(f"network {self.name!r}: two populations have one name; rename one of the parts")
        couplings = [coupling for part in self.parts for coupling in part.inner(seed)]
        couplings += [self._coupling(link, parts, populations, seed) for link in self.links]
        biased = [part for part in self.parts if part.bias]
        for part in biased:
            couplings.append(_bias(part, populations[part.name]))
        if biased:
            populations[BIAS] = Population.from_text(BIAS, 1, "one : 1 (parameter)", {"one": 1.0})
        inputs = {part.name: Input(part.name, "u") for part in self.parts if isinstance(part, Source)}
        taken = sorted(inputs.keys() & self.inputs.keys())
        if taken:
            raise EquationError(f"network {self.name!r}: the input port {taken[0]!r} has the name of a source")
        inputs |= self.inputs
        populations = {name: _without_driven(population, inputs) for name, population in populations.items()}
        for part in self.parts:
            own = {p.name: p for p in lowered[part.name]}
            arriving: dict[str, list[Coupling]] = {name: [] for p in own.values() for name in p.role("arrival")}
            for coupling in couplings:
                if coupling.target in own:
                    arriving.setdefault(coupling.into, []).append(coupling)
            part.check({arrival: [c.name for c in found] for arrival, found in arriving.items()})
            part.check_sources({arrival: [populations[c.source] for c in found] for arrival, found in arriving.items()})
        outputs = {self.readout.port: Output(self.readout.population, self.readout.expression)}
        return System.of(populations.values(), couplings, inputs, outputs)

    def _coupling(self, link: Link, parts: dict[str, Part], populations: dict[str, Population], seed: int) -> Coupling:
        (source, of), (target, to) = (_end(link, end, parts, populations) for end in (link.source, link.target))
        if isinstance(target, Source):
            raise EquationError(f"link {link.label!r}: nothing can arrive at the source {target.name!r}")
        operator = link.operator or _dense(of.shape, to.shape)
        weights = link.weights
        if weights is None:
            spread = link.gain / np.sqrt(operator.fan_in)
            weights = spread * streams.normal(seed, link.label, "weights", operator.weight_shape)
        return Coupling(
            link.label,
            of.name,
            to.name,
            link.signal or source.signal,
            operator,
            link.into or target.arrival,
            link.delay,
            unit=link.unit or target.unit,
            trainable=link.trainable,
            initial=weights,
            local=link.wire,
            constant=link.wire,
        )


def _end(link: Link, end: str, parts: Mapping[str, Part], populations: Mapping[str, Population]) -> Any:
    """The part and the population at one end of a link."""
    name, _, side = end.partition(":")
    if name not in parts:
        raise EquationError(f"link {link.label!r}: unknown part {name!r}{nearest(name, parts)}")
    found = parts[name].side(side)
    return parts[name], populations[found]


def _bypass(start: Part, end: Part, share: float) -> Link:
    """A fixed guide around what lies between two layers, line to line."""
    shapes = start.lower().shape, end.lower().shape
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"a bypass from {start.name!r} to {end.name!r}: their shapes {shapes[0]} and {shapes[1]} differ"
        )
    guide = OneToOne(shapes[0])
    return Link(start.name, end.name, operator=guide, weights=np.full(shapes[0], share), trainable=False)


def _without_driven(population: Population, inputs: Mapping[str, Input]) -> Population:
    """A parameter that is set sample by sample is not learnt."""
    driven = {port.variable for port in inputs.values() if port.population == population.name}
    learnt = {name for name, variable in population.variables.items() if variable.trainable and name in driven}
    if not learnt:
        return population
    variables = {n: replace(v, trainable=v.trainable and n not in learnt) for n, v in population.variables.items()}
    return replace(population, variables=variables)


def _dense(source: tuple[int, ...], target: tuple[int, ...]) -> Dense:
    return Dense(int(np.prod(target)), int(np.prod(source)), target if len(target) > 1 else None)


def _bias(part: Part, population: Population) -> Coupling:
    """The constant source line into a layer; its weights start at zero."""
    operator = _dense((1,), population.shape)
    return Coupling(
        f"{BIAS}->{part.name}",
        BIAS,
        part.name,
        "one",
        operator,
        part.arrival,
        unit=population.variables[part.arrival].unit,
        initial=np.zeros(operator.weight_shape),
    )
