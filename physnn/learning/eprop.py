"""E-prop: a trace at every synapse, carried forward in time by the cell behind it alone, and a learning signal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import sympy as sp

from physnn.equations import Companion, Coupling, Dense, Population, System, Trace
from physnn.equations.generate import function
from physnn.equations.linearised import Incident, check_smooth
from physnn.equations.operators import alike
from physnn.equations.parse import STEP, TIME
from physnn.equations.surrogate import with_slopes
from physnn.errors import CapabilityError, UnknownNameError
from physnn.learning.about import About
from physnn.learning.eligibility import Slopes, Synapses, Way, carried, of_cells, of_weights
from physnn.learning.hebbian import products
from physnn.learning.objective import Objective
from physnn.learning.rule import Step, count_digital, forward, sent_back
from physnn.learning.way_back import read_out
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any
FEEDBACKS = ("symmetric", "random")
_NUMBERS = 2**22
"""so many numbers of traces are carried at a time; a batch that needs more is taken in parts"""


@dataclass(frozen=True)
class EProp:
    """Every synapse i -> j carries a trace of what it did to its own cell; the error arrives as one signal a cell.

        eps_ji(t+1) = D_j(t) eps_ji(t) + (dM_j/da_j) z_i(t)         D_j = dM_j/dx_j, states x_j of one cell
        e_ji(t)     = (dg_j/dx_j) . eps_ji(t)                       what the synapse did to the cell's signal g_j
        dL/dW_ji    ~ sum over t of L_j(t) (F e_ji)(t)              F: the answer of the leaky readout to a signal
        L_j(t)      = sum_k B_jk dL/dy_k(t)

    M_j is the cell's own step, taken from its equations, events with their surrogate slopes included: D_j holds the
    reset, the adaptation of the threshold, the current in a synapse (the source leaves the reset out). B is the
    transpose of the couplings to the readout ("symmetric") or fixed and random ("random"), normal, standard deviation
    1/sqrt(cells). Weights into the readout itself, biases and parameters of cells have traces of the same kind.

    Neglected: what a spike does to the loss through other cells, and back to its own cell through a coupling. Without
    couplings among hidden cells, and with symmetric feedback, nothing is neglected and the sum is the gradient.

    The host derives D_j from the described equations at the measured states and carries the traces; it is billed for
    that, and for reading the waves. Synapses whose source sends a constant signal share one trace a cell.

    Local: z_i, the states of cell j, a trace at the synapse, and L_j, which all synapses of a cell share. Not local:
    the broadcast of the errors dL/dy_k; with symmetric feedback also the weights of the readout.

    Raises
    ------
    UnknownNameError
        The feedback is not one of `FEEDBACKS`.

    Source
    ------
    Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature Communications
    11:3625 (2020), without its regularisation of firing rates.
    """

    about: ClassVar[About] = About(
        equation="dL/dW_ji ~ sum_t L_j e_ji, e_ji = (dg_j/dx_j) . eps_ji, eps_ji(t+1) = D_j eps_ji + (dM_j/da_j) z_i",
        companion="none: traces carried forward in time by the host, D_j from the equations of the cell",
        needs="a run in time; surrogate slopes where cells fire; a linear readout behind the hidden cells",
        local="the arriving signal, the states of the cell, one trace a synapse",
        not_local="the broadcast of the readout's errors; with symmetric feedback also the readout's weights",
        source="Bellec et al., Nature Communications 11:3625 (2020)",
    )
    gradient_label: ClassVar[str] = "twin-assisted"
    feedback: str = "symmetric"
    name: str = "e-prop"
    _plans: WeakKeyDictionary[Substrate, dict[str, _Plan]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.feedback not in FEEDBACKS:
            raise UnknownNameError("feedback of e-prop", self.feedback, FEEDBACKS)

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The estimate of one batch.

        Raises
        ------
        CapabilityError
            There is no run in time, digital layers before the network were to learn, or the network has cells that
            e-prop has no traces or no learning signal for.
        """
        if objective.duration is None:
            raise CapabilityError(
                "e-prop: a trace is what a cell remembers from one moment to the next, and a stationary state has no "
                "moments; give the objective a duration"
            )
        if objective.encoders:
            raise CapabilityError(
                f"e-prop: the encoders at {sorted(objective.encoders)} learn from a wave that comes back to the input, "
                "and traces send none; use the reflected wave, or fixed encoders"
            )
        made, port = self._plans.setdefault(substrate, {}), objective.readout.port
        if port not in made:
            made[port] = _Plan.of(substrate.placed.system, port, self.feedback)
        passage = forward(substrate, inputs, objective)
        loss, cotangents, slopes = sent_back(substrate, passage, targets, objective)
        found = _Batch(substrate, made[port], passage.incident, cotangents[port]).gradient()
        count_digital(substrate, objective, passage, 2)
        return Step(found | slopes, loss, passage.y)


@dataclass(frozen=True)
class _Path:
    """How a signal of a layer's cells reaches what is read, and how the error returns."""

    signal: sp.Expr
    answer: Slopes | None = None
    """of the readout to what arrives; None where the layer itself is read"""
    delay: float = 0.0
    coupling: Coupling | None = None
    """whose transpose brings the error back"""
    feedback: str = ""
    """key of the random weights that bring it back instead"""


@dataclass(frozen=True)
class _Drive:
    """What acts on a population and is learnt: an arrival with its couplings, or a parameter of the cells."""

    population: str
    name: str
    slopes: Slopes
    couplings: tuple[Coupling, ...]
    """the trainable ones; none for a parameter"""


@dataclass(frozen=True)
class _Plan:
    """What follows from the equations alone."""

    system: System
    """events as maps, with their surrogate slopes"""
    readout: str
    """population that is read"""
    paths: Mapping[str, tuple[_Path, ...]]
    """population with something to learn -> its ways to the readout"""
    drives: tuple[_Drive, ...]

    @classmethod
    def of(cls, system: System, port: str, feedback: str) -> _Plan:
        """Find what learns, and its ways to the readout.

        Raises
        ------
        CapabilityError
        """
        check_smooth(system)
        system = with_slopes(system.discrete)
        acting: dict[tuple[str, str], list[Coupling]] = {}
        for coupling in system.couplings.values():
            if coupling.trainable:
                acting.setdefault((coupling.target, coupling.into), []).append(coupling)
        for population in system.populations.values():
            acting |= {(population.name, v.name): [] for v in population.variables.values() if v.trainable}
        for name in dict.fromkeys((*(name for name, _ in acting), system.outputs[port].population)):
            _check(system.populations[name])
        paths = {name: _paths(system, port, name, feedback) for name in dict.fromkeys(name for name, _ in acting)}
        drives = []
        for (name, by), couplings in acting.items():
            slopes = Slopes.of(system.populations[name], [path.signal for path in paths[name]], by)
            drives.append(_Drive(name, by, slopes, tuple(couplings)))
        return cls(system, system.outputs[port].population, paths, tuple(drives))

    @cached_property
    def companion(self) -> Companion:
        """What the host has to know besides the equations: measured waves and random feedback weights."""
        waves = {f"{d.population}.{s}" for d in self.drives for slope in d.slopes.all for s in slope.free_symbols}
        arriving = [coupling for drive in self.drives for coupling in drive.couplings]
        waves |= {f"{c.source}.{s}" for c in arriving for s in self.system.signals[c.name].free_symbols}
        outputs = math.prod(self.system.populations[self.readout].shape)
        sizes = {name: math.prod(self.system.populations[name].shape) for name in self.paths}
        feedback = {p.feedback: (sizes[name], outputs) for name, ps in self.paths.items() for p in ps if p.feedback}
        return Companion(self.system, {wave: Incident(wave) for wave in waves}, {}, {}, feedback)


def _check(population: Population) -> None:
    if population.constraints or any(variable.complex for variable in population.variables.values()):
        what = "constraints" if population.constraints else "complex waves"
        raise CapabilityError(
            f"e-prop: population {population.name!r} has {what}, and traces follow from real states, each of which "
            "steps by itself; use the reflected wave"
        )


def _paths(system: System, port: str, name: str, feedback: str) -> tuple[_Path, ...]:
    readout = system.outputs[port].population
    if name == readout:
        return (_Path(system.readouts[port]),)
    leaving = [c for c in system.leaving(name) if c.target != name]
    direct = [c for c in leaving if c.target == readout]
    if feedback == "symmetric" and not direct:
        raise CapabilityError(
            f"e-prop: population {name!r} has no coupling to the readout {readout!r}, so that no error returns to it "
            "except through other cells, which e-prop leaves out; use random feedback or the reflected wave"
        )
    entries = [c.into for c in system.couplings.values() if c.target == readout and c.source != readout]
    if not leaving or not entries:
        raise CapabilityError(
            f"e-prop: population {name!r} is not on a way to the readout {readout!r}: it has no signal to be judged "
            "by; couple it to other cells, or do not train what acts on it"
        )
    answers = {into: _answer(system, port, into) for into in entries}
    if feedback == "symmetric":
        return tuple(_Path(system.signals[c.name], answers[c.into], c.delay, c) for c in direct)
    key = f"{readout}=>{name}.feedback"
    if direct:
        return tuple(_Path(system.signals[c.name], answers[c.into], c.delay, feedback=key) for c in direct)
    signals = dict.fromkeys(system.signals[c.name] for c in leaving)
    return tuple(_Path(signal, answers[entries[0]], feedback=key) for signal in signals)


def _answer(system: System, port: str, into: str) -> Slopes:
    population = system.populations[system.outputs[port].population]
    found = Slopes.of(population, [system.readouts[port]], into)
    fixed = {population.symbols[name] for name in population.role("parameter")} | {population.symbols[STEP]}
    fixed -= {population.symbols[p.variable] for p in system.inputs.values() if p.population == population.name}
    if any(slope.free_symbols - fixed for slope in found.all):
        raise CapabilityError(
            f"e-prop: the readout {population.name!r} is not linear, so that a spike counts differently at each "
            "output and moment, and no one trace a synapse can hold that; read the cells through a linear layer, "
            "such as Waveguide(..., activation='identity'), or read them themselves, with a digital head"
        )
    return found


class _Batch:
    """The traces of one batch."""

    def __init__(self, substrate: Substrate, plan: _Plan, incident: Trace, cotangent: Array) -> None:
        self.substrate, self.plan, self.incident, self.cotangent = substrate, plan, incident, cotangent
        self.xp, self.parameters = substrate.xp, substrate.read()
        self.batch, self.times = cotangent.shape[:2]
        feedback = substrate.placed.feedback(plan.companion)
        self.feedback = {key: substrate.asarray(weights) for key, weights in feedback.items()}

    def gradient(self) -> dict[str, Array]:
        """Parameter key -> sum over time and batch of learning signal times trace."""
        found: dict[str, Array] = {}
        for drive in self.plan.drives:
            for key, value in self._of_drive(drive):
                found[key] = found[key] + value if key in found else value
        read_out(self.substrate, self.plan.companion, self.incident)
        return found

    def _of_drive(self, drive: _Drive) -> Iterator[tuple[str, Array]]:
        population = self.plan.system.populations[drive.population]
        slopes = drive.slopes.valued(self._values(population, drive.slopes.all))
        ways = [self._way(population, path) for path in self.plan.paths[drive.population]]
        if not drive.couplings:
            wave = self._summed(slopes, ways, of_cells(population.shape))
            yield from self._shared(f"{population.name}.{drive.name}", wave, {})
        for coupling in drive.couplings:
            sent, late = self.incident.sent[coupling.name], round(coupling.delay / self.incident.step)
            if bool(self.xp.all(sent == sent[:, :1, ...])):
                wave = self._summed(slopes, ways, of_cells(population.shape, late))
                yield from self._shared(coupling.name, wave, {coupling.name: sent[:, :1, ...]})
            else:
                traced = self._summed(slopes, ways, of_weights(self.xp, coupling, sent, late))
                yield coupling.key, self.xp.sum(traced, axis=0)

    def _shared(self, name: str, wave: Array, entered: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """One trace a cell, for what drives all its synapses alike: correlated as in a stationary state."""
        still = replace(self.incident, step=0.0, sent=entered)
        yield from products(self.xp, self.plan.system, still, {name: wave[:, None, ...]}).items()

    def _summed(self, slopes: Slopes, ways: Sequence[Way], synapses: Synapses) -> Array:
        """Sum over time of learning signal times trace, (batch, *synapses)."""
        count, terms = math.prod(synapses.shape), len(slopes.all) + sum(way.terms for way in ways)
        self.substrate.meter.host(mac=terms * count * self.batch * self.times, kernel=terms * self.times)
        kept = len({x for x, _ in slopes.own}) + sum(way.kept for way in ways)
        size = max(1, _NUMBERS // (count * max(kept, 1)))
        parts = [slice(start, start + size) for start in range(0, self.batch, size)]
        return self.xp.concat([carried(self.xp, rows, slopes, ways, synapses) for rows in parts], axis=0)

    def _way(self, population: Population, path: _Path) -> Way:
        """Learning signal, answer of the readout and delay of a path."""
        error, delay = self.cotangent, round(path.delay / self.incident.step)
        if path.coupling or path.feedback:
            merged = self.xp.reshape(error, (self.batch * self.times, *error.shape[2:]))
            if path.coupling:
                error = path.coupling.operator.transpose(self.xp, self.parameters[path.coupling.key], merged)
            else:
                weights = self.feedback[path.feedback]
                error = Dense(*weights.shape).apply(self.xp, weights, merged)
            error = self.xp.reshape(error, (self.batch, self.times, *population.shape))
        return Way(error, path.answer and path.answer.valued(self._numbers(path.answer.all)), delay)

    def _values(self, population: Population, slopes: Sequence[sp.Expr]) -> list[Any]:
        """Numbers, or arrays (batch, times, *shape)."""
        names = sorted({str(symbol) for slope in slopes for symbol in slope.free_symbols})
        symbols = tuple(population.symbols[name] for name in names)
        values = function(symbols, tuple(slopes))(self.xp, *(self._known(population, name) for name in names))
        shape = (self.batch, self.times, *population.shape)
        return [v if isinstance(v, int | float) else self.xp.broadcast_to(v, shape) for v in values]

    def _known(self, population: Population, name: str) -> Any:
        key, start, step = f"{population.name}.{name}", self.incident.start, self.incident.step
        if name == STEP:
            return step
        if name == TIME:
            clock = np.reshape(start + step * np.arange(self.times), (1, -1) + (1,) * len(population.shape))
            return alike(self.xp, clock, self.cotangent)
        return self.incident.fields[key] if key in self.incident.fields else self.parameters[key]

    def _numbers(self, slopes: Sequence[sp.Expr]) -> list[float]:
        """Slopes of a readout whose elements are alike.

        Raises
        ------
        CapabilityError
            They are not.
        """
        readout = self.plan.system.populations[self.plan.readout]
        names = sorted({str(symbol) for slope in slopes for symbol in slope.free_symbols} - {STEP})
        values = {STEP: self.incident.step}
        for name in names:
            own = np.ravel(as_numpy(self.parameters[f"{readout.name}.{name}"]))
            if np.any(own != own[0]):
                raise CapabilityError(
                    f"e-prop: {name!r} of the readout {readout.name!r} differs between its outputs: they remember a "
                    "spike for different times, and no one trace a synapse can hold that; give all outputs one value"
                )
            values[name] = float(own[0])
        compiled = function(tuple(readout.symbols[name] for name in values), tuple(slopes))
        return [float(value) for value in compiled(np, *values.values())]
