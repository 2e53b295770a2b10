"""Rings turned round, as a second System on the same die: what carries the error in backward signal propagation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.equations import Coupling, Input, Output, Population, System
from physnn.equations.operators import Transposed
from physnn.equations.variable import Variable
from physnn.errors import CapabilityError
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, forward, judged
from physnn.media.ring import Ring
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.device_equations import with_offsets
from physnn.substrate.registry import backend_of, find_backend

Array = Any


@dataclass(frozen=True)
class Echo:
    """What a batch and its error left behind in the cells."""

    rings: Mapping[str, Ring]
    passage: Passage
    loss: float
    slopes: Mapping[str, Array]
    """the gradient of digital layers"""
    levels: Mapping[str, Array]
    """'ring.element' that was asked for -> mean of E in the backward run, the sample without error last,
    (batch + 1, n)"""
    gates: Mapping[str, Array]
    """'ring.element' -> share of the forward run above the floor, (batch, n), of hidden rings where they are gated"""
    xp: Any

    def moved(self, ring: str, element: str) -> Array:
        """Mean of Dh, (batch, n): against the sample without error."""
        level = self.levels[f"{ring}.{element}"]
        return level[:-1, ...] - level[-1:, ...]

    def arrived(self, coupling: Coupling) -> Array:
        """The backward deviation that enters a coupling, gated where it is, (batch, n)."""
        element = entry_of(coupling)
        wave, gate = self.moved(coupling.target, element), self.gates.get(f"{coupling.target}.{element}")
        return wave if gate is None else wave * gate

    def deviation(self, ring: str, element: str, rest: Array) -> Array:
        """Mean of D = E - B, (batch, n)."""
        return self.xp.mean(self.passage.incident.fields[f"{ring}.{element}"], axis=1) - rest

    def driven(self, ring: Ring, label: str, element: str) -> Array:
        """Mean derivative of dE/dt by a strength, (batch, n): E_(e-1), -E_e or -E_e E_(e-2)."""
        here = ring.elements.index(element)
        states = [self.passage.incident.fields[f"{ring.name}.{e}"] for e in ring.elements]
        product = {"k1": states[here - 1], "k2": -states[here], "k3": -states[here] * states[here - 2]}[label]
        return self.xp.mean(product, axis=1)


class Reversal:
    """The backward System of a substrate's rings, and how it is driven.

    Raises
    ------
    CapabilityError
        Something lies between source and readout that cannot be turned round, or cells oscillate by themselves.
    """

    def __init__(self, substrate: Substrate, objective: Objective, *, gated: bool) -> None:
        self.port, self.gated = objective.readout.port, gated
        self.placed, self.forward = substrate.placed, substrate.placed.system
        held = {key: as_numpy(value) for key, value in substrate.read().items()}
        moving = [p for p in self.forward.populations.values() if p.dynamic or p.constraints]
        self.rings = {population.name: _ring(population, held) for population in moving}
        self.last, self.exit = self._readout()
        self.couplings = [c for c in self.forward.couplings.values() if c.target in self.rings]
        self.second = self._built()
        self.second.write({key: value for key, value in substrate.read().items() if self._shared(key)})

    def send(
        self,
        substrate: Substrate,
        inputs: Mapping[str, Array],
        targets: Array,
        objective: Objective,
        record: Collection[str],
        returned: Collection[str],
    ) -> Echo:
        """A batch forwards and its error backwards, for equally long.

        Parameters
        ----------
        record : collection of str
            Fields and couplings that are needed of the forward run, besides the gates.
        returned : collection of str
            'ring.element' whose backward waves are needed.
        """
        xp, duration = substrate.xp, _duration(objective)
        passage = forward(substrate, inputs, objective, {*record, *self._gated()})
        loss, mismatch = judged(xp, passage.y, targets, objective)
        cotangents, slopes = objective.pull_back(xp, passage.incident, passage.tapes, mismatch)
        for prefix, head in objective.digital.items():
            substrate.meter.host(mac=2 * head.macs(passage.tapes[prefix]), kernel=2 * len(head.layers))
        # The loss is a mean over the batch; each sample's error is pushed in at its own size.
        error = -xp.sum(cotangents[self.port], axis=1) * passage.y.shape[0]
        gates = self._gates(xp, passage)
        driven = {f"{name}.gate": _with_row(xp, gate, 1.0) for name, gate in gates.items()}
        written = substrate.read()
        self.second.write({key: written[key] for key in self.forward.trainable if self._shared(key)})
        before = dict(self.second.meter.counts)
        trace = self.second.run({"error": _with_row(xp, error, 0.0), **driven}, duration, record=returned)
        grown = self.second.meter.since(before)
        substrate.meter.add(**{name: number for name, number in grown.items() if name != "sample"})
        levels = {port: xp.mean(wave, axis=1) for port, wave in trace.outputs.items()}
        return Echo(self.rings, passage, loss, slopes, levels, gates, xp)

    def _gates(self, xp: Any, passage: Passage) -> dict[str, Array]:
        """Share of the run that each gated element spent above its floor."""
        states = {name: passage.incident.fields[name] for name in self._gated()}
        return {name: xp.mean(xp.astype(state > 0, state.dtype), axis=1) for name, state in states.items()}

    def _gated(self) -> list[str]:
        """'ring.element' of the elements at which backward signals arrive or leave, in hidden rings."""
        if not self.gated:
            return []
        ends = [(c.target, entry_of(c)) for c in self.couplings]
        ends += [(c.source, self._exit(c)) for c in self.couplings if c.source in self.rings]
        return sorted({f"{ring}.{e}" for ring, e in ends if ring != self.last})

    def _shared(self, key: str) -> bool:
        """Whether a parameter is the same in both directions; the rest state is not."""
        population, _, own = key.rpartition(".")
        return key in self.second.placed.system.parameters and not (population in self.rings and own.startswith("B_"))

    def _readout(self) -> tuple[str, str]:
        """The ring that is read, and the element whose deviation is."""
        port = self.port
        name, read = self.forward.outputs[port].population, self.forward.readouts[port]
        if name in self.rings:
            for e in self.rings[name].elements:
                if read == self.forward.populations[name].definitions[f"D_{e}"]:
                    return name, e
        raise CapabilityError(
            f"output {port!r} reads {read} of {name!r}: the error enters the backward cells at the one element whose "
            "deviation is the answer; read D_S of a ring"
        )

    def _exit(self, coupling: Coupling) -> str:
        """The element whose deviation a coupling carries away from a ring."""
        definitions = self.forward.populations[coupling.source].definitions
        for e in self.rings[coupling.source].elements:
            if self.forward.signals[coupling.name] == definitions[f"D_{e}"]:
                return e
        raise CapabilityError(
            f"coupling {coupling.name!r} carries {self.forward.signals[coupling.name]}: only a deviation D_e of one "
            "element can be sent back into that element"
        )

    def _built(self) -> Substrate:
        """The second System, on the same profile and die."""
        gated, placed = self._gated(), self.placed
        system = System.of(
            [self._population(ring, gated) for ring in self.rings.values()],
            [self._returned(c, f"{c.target}.{entry_of(c)}" in gated) for c in self.couplings if c.source in self.rings],
            {"error": Input(self.last, "error")} | {f"{name}.gate": Input(*_gate_of(name)) for name in gated},
            {f"{name}.{e}": Output(name, e) for name, ring in self.rings.items() for e in ring.elements},
            derived=True,
        )
        offsets: frozenset[str] = frozenset()
        if placed.offsets:
            system, offsets = with_offsets(system)
        second = replace(placed, system=system, offsets=offsets, _companions={}, _die={})
        return find_backend(backend_of(placed.profile)).build(second)

    def _population(self, ring: Ring, gated: list[str]) -> Population:
        """A reversed ring, with an entrance for the error and a gate where signals pass."""
        population = ring.reversed().lower()
        variables, moved = dict(population.variables), {}
        for e in ring.elements:
            arrival = population.symbols[f"I_{e}"]
            if f"{ring.name}.{e}" in gated:
                gate = variables[f"gate_{e}"] = Variable(f"gate_{e}", "input")
                moved[arrival] = gate.symbol * arrival
            if (ring.name, e) == (self.last, self.exit):
                error = variables["error"] = Variable("error", "input", "1/s")
                moved[arrival] = arrival + error.symbol
        flows = {e: flow.xreplace(moved) for e, flow in population.flows.items()}
        return replace(population, variables=variables, flows=flows)

    def _returned(self, coupling: Coupling, gated: bool) -> Coupling:
        """A coupling run from its other end."""
        source, entry = self.forward.populations[coupling.source], entry_of(coupling)
        signal = sp.Symbol(entry, real=True) - sp.Symbol(f"B_{entry}", real=True)
        return replace(
            coupling,
            source=coupling.target,
            target=coupling.source,
            signal=signal * sp.Symbol(f"gate_{entry}", real=True) if gated else signal,
            operator=Transposed(coupling.operator, source.shape),
            into=f"I_{self._exit(coupling)}",
            trainable=False,
            weights=coupling.key,
        )


def reversal_of(
    known: WeakKeyDictionary[Substrate, Reversal], substrate: Substrate, objective: Objective, *, gated: bool = False
) -> Reversal:
    """The backward System of a substrate, made once.

    Raises
    ------
    CapabilityError
        The objective asks for a stationary state, or for a gradient in front of the network.
    """
    _duration(objective)
    if objective.encoders:
        raise CapabilityError("the backward wave ends in the first layer's cells; there is none that reaches encoders")
    found = known.get(substrate)
    if found is None or found.port != objective.readout.port:
        found = known[substrate] = Reversal(substrate, objective, gated=gated)
    return found


def _duration(objective: Objective) -> float:
    """How long signals travel each way [s, model time]."""
    if objective.duration is None:
        raise CapabilityError(
            "signal propagation needs signals that travel for a time: rings have a floor, which acts after a step and "
            "gives no stationary state; set the objective's duration to some three time constants a layer"
        )
    return objective.duration


def _ring(population: Population, held: Mapping[str, NDArray]) -> Ring:
    """The ring whose equations a population has, with the strengths that it holds."""
    name, elements = population.name, population.role("state")
    # Offsets that a die adds to arrivals belong to the placed System, not to the ring.
    offsets = {population.symbols[key]: sp.Integer(0) for key in population.role("parameter") if "_offset" in key}
    flows = {e: flow.xreplace(offsets) for e, flow in population.flows.items()}
    strengths = {
        what: [held[f"{name}.{k}_{e}"] for e in elements if f"{name}.{k}_{e}" in held]
        for what, k in (("generation", "k1"), ("loss", "k2"), ("inhibition", "k3"))
    }
    if len(elements) >= 3 and all(len(values) == len(elements) for values in strengths.values()):
        size = population.shape[0]
        spread: Any = {what: [np.broadcast_to(v, (size,)) for v in values] for what, values in strengths.items()}
        for backward in (False, True):
            ring = Ring(name, size, **spread, elements=elements, backward=backward, trainable=())
            if dict(ring.lower().flows) == flows:
                _check_quiet(ring)
                return ring
    raise CapabilityError(
        f"population {name!r} cannot be turned round: signal propagation runs the medium itself backwards, which "
        "carries errors only where reversing every influence transposes the Jacobian, as in rings (media.Ring); use "
        "reflected-wave, whose companion is linearised"
    )


def _check_quiet(ring: Ring) -> None:
    """Whether cells return to rest: a cell that oscillates by itself has no deviation that means an error.

    Equal strengths oscillate for k2/k1 below 5 - 3 phi = 0.146.
    """
    strengths = np.stack([ring.generation, ring.loss, ring.inhibition])
    k1, k2, k3, rest = np.unique(np.concatenate([strengths, ring.rest()[None]]), axis=2)
    here = np.arange(len(ring.elements))
    turn, made, curbed = (-1, np.roll(k1, -1, 0), np.roll(k3, -2, 0)) if ring.backward else (1, k1, k3)
    slope = np.zeros((rest.shape[1], len(here), len(here)))
    slope[:, here, (here - turn) % len(here)] += made.T
    slope[:, here, here] -= (k2 + curbed * np.roll(rest, 2 * turn, 0)).T
    slope[:, here, (here - 2 * turn) % len(here)] -= (curbed * rest).T
    growth = float(np.max(np.linalg.eigvals(slope).real))
    if growth >= 0:
        raise CapabilityError(
            f"ring {ring.name!r}: its cells do not return to rest (growth {growth:.3g} 1/s), so no deviation stands "
            "for an error; with equal strengths, keep k2/k1 between 0.146 and 1"
        )


def entry_of(coupling: Coupling) -> str:
    """The element of a ring at which a coupling arrives: "J" of "I_J"."""
    return coupling.into.removeprefix("I_")


def _gate_of(name: str) -> tuple[str, str]:
    """Population and variable of an element's gate."""
    ring, _, element = name.rpartition(".")
    return ring, f"gate_{element}"


def _with_row(xp: Any, values: Array, last: float) -> Array:
    """A batch and one more sample, of the same number everywhere: the one without an error."""
    return xp.concat([values, xp.full_like(values[:1, ...], last)], axis=0)
