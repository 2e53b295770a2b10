"""One System as spiking neurons in one Brian2 network: only spikes cross from one population to another.

Two groups hold all populations, all samples at once. `coders`: one neuron for each signal that leaves a population;
couplings that carry the same signal share it. `receivers`: one compartment for each element of each arrival. A step:

    start        each population's states from what its receivers hold, by its own stationary equations; its signals
    groups       coders take their signals in and decide what to send
    thresholds   spikes
    synapses     spikes, through the couplings' operators, to the receivers
    end          estimates of what was sent and of what arrived
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import array_api_compat.numpy as xp
import brian2
import numpy as np
import sympy as sp
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Coupling, System, Trace
from physnn.equations.operators import Mean
from physnn.execution import Engine
from physnn.execution.site import Site
from physnn_brian2.prepared import Prepared
from physnn_brian2.spiking_codes import Code, leak, size

_NUMBER = itertools.count()
_CODERS = "v : 1\ns : 1\npayload : 1\nchance : 1\nh2 : 1\nh1 : 1\nk : 1 (shared)\ntheta : 1 (shared)"
_RECEIVERS = "arriving : 1\nu2 : 1\nu1 : 1\nk : 1 (shared)"


@dataclass
class Block:
    """Neurons of one kind in a group, sample after sample: rows `place` of it, (batch, *shape)."""

    population: str
    place: slice
    shape: tuple[int, ...]

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Their part of a variable of the group, without a copy."""
        return values[self.place].reshape(self.shape)


@dataclass
class Coder(Block):
    """Neurons that send one signal of a population."""

    couplings: list[Coupling] = field(default_factory=list)
    """which carry it"""
    synapses: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    """how many synapses a spike of each neuron reaches, over all couplings"""


class SpikingNetwork:
    """Coders and receivers of one System for one size of batch.

    Parameters
    ----------
    engine : Engine
        The System's equations.
    batch : int
    code : Code
    full_scale : float
        Signal at which a coder sends one spike a step.
    dead_band : float
        Of code "graded".
    seconds : float
        Physical length of a step [s].
    """

    def __init__(
        self, engine: Engine, batch: int, code: Code, full_scale: float, dead_band: float, seconds: float
    ) -> None:
        self.engine, self.batch, self.code = engine, batch, code
        self.full_scale, self.dead_band, self.seconds = full_scale, dead_band, seconds
        self.coders = coders_of(engine.system, batch)
        self.arrivals = _arrivals_of(engine.system, batch)
        self._coder_of = {c.name: coder for coder in self.coders for c in coder.couplings}
        number = next(_NUMBER)
        self.clock = brian2.Clock(dt=seconds * brian2.second, name=f"physnn_spiking_{number}_clock")
        label = f"physnn_spiking_{number}"
        common = {"clock": self.clock, "codeobj_class": NumpyCodeObject}
        self._width = sum(math.prod(block.shape[1:]) for block in self.coders)
        neurons = max(self._width * batch, 1)
        compartments = max(sum(math.prod(block.shape) for block in self.arrivals.values()), 1)
        group = brian2.NeuronGroup(
            neurons, _CODERS, threshold="payload != 0", reset=code.reset, name=f"{label}_coders", **common
        )
        held = brian2.NeuronGroup(compartments, _RECEIVERS, name=f"{label}_receivers", **common)
        self.group, self.receivers = group, held
        coded = {"h": "h2 += k*(payload - h2)\nh1 += k*(h2 - h1)", "u": "u2 += k*(arriving - u2)\nu1 += k*(u2 - u1)"}
        if not code.leaking:
            coded = {"h": "h1 += payload", "u": "u1 += arriving"}
        plain = {"codeobj_class": NumpyCodeObject}
        # Vectors are as long as batch times width: NumPy needs no compiler, and is as fast as compiled code on them.
        regular = [
            group.run_regularly(code.encode, when="groups", **plain),
            group.run_regularly(coded["h"], when="end", **plain),
            held.run_regularly(coded["u"], when="end", **plain),
        ]
        self.coding = {name: _view(group, name) for name in ("v", "s", "payload", "chance", "h2", "h1", "k", "theta")}
        """variables of the coders, to be read and written in place"""
        self.receiving = {name: _view(held, name) for name in ("arriving", "u2", "u1", "k")}
        """variables of the receivers"""
        self.network = brian2.Network(group, held, *regular)
        for call, when in ((self._start, "start"), (self._synapses, "synapses")):
            self.network.add(brian2.NetworkOperation(call, clock=self.clock, when=when, name=f"{label}_{when}"))
        self._prepared = Prepared(self.network, self.clock)
        self.sites: dict[str, Site] = {}
        self.counts: Counter[str] = Counter()
        self._parameters: Mapping[str, NDArray[Any]] = {}
        self._encoded: dict[int, NDArray[Any]] = {}
        self._step, self._seed, self._drawn = 0, 0, 0

    def present(
        self,
        parameters: Mapping[str, NDArray[Any]],
        inputs: Mapping[str, NDArray[Any]],
        steps: int,
        seed: int,
        drawn: int = 0,
    ) -> Trace:
        """Show held inputs for some steps, from rest; what the populations then hold, and what synapses saw arrive.

        Parameters
        ----------
        parameters : mapping
            What the device holds.
        inputs : mapping
            Input port -> (batch, *shape).
        steps : int
        seed : int
            Of the draws of codes "sigma-delta" and "poisson".
        drawn : int
            Steps that were drawn for before.
        """
        self.enter(parameters, inputs)
        self._seed, self._drawn = seed, drawn
        if self.code.dithered:
            self.coding["v"][...] = self._drawn_now("phase") - 0.5
        self._prepared.run(steps)
        for name in self.sites:
            self.settle(name)
        return self._trace()

    def enter(self, parameters: Mapping[str, NDArray[Any]], inputs: Mapping[str, NDArray[Any]]) -> None:
        """Put everything at rest, with these inputs."""
        for views in (self.coding, self.receiving):
            for view in views.values():
                view[...] = 0.0
        self._parameters, self._step, self.counts, self._encoded = parameters, 0, Counter(), {}
        self.sites = self.engine.sites(parameters, self.batch, 1.0, inputs)
        for site in self.sites.values():
            for state in site.compiled.guessed:
                site.here[state] = site.silence(state) + site.population.values.get(state, 0.0)

    def settle(self, name: str) -> None:
        """One population's states and signals, from what its receivers hold and its own inputs alone."""
        site = self.sites[name]
        for arrival in site.compiled.into:
            site.here[arrival] = self.arrivals[name, arrival].of(self.receiving["u1"]).copy()
        if site.compiled.stationary is not None:
            site.solve(site.compiled.stationary)
        signals = site.values(site.compiled.signals)
        for number, coder in enumerate(self.coders):
            signal = signals.get(coder.couplings[0].name)
            # Arrays are never changed in place: the signal of a held input is the same array step after step.
            if signal is not None and signal is not self._encoded.get(number):
                coder.of(self.coding["s"])[...] = signal / self.full_scale
                self._encoded[number] = signal

    def deliver(self, fired: NDArray[Any], payload: NDArray[Any]) -> None:
        """What these neurons' spikes make arrive: `fired` their numbers in the group of coders."""
        sent = np.zeros(len(self.coding["s"]))
        sent[fired] = payload * self.full_scale
        arriving = self.receiving["arriving"]
        arriving[...] = 0.0
        for coder in self.coders:
            spikes = coder.of(sent)
            for coupling in coder.couplings:
                weights = self._parameters[coupling.key]
                arrived = coupling.operator.apply(xp, weights, spikes)
                self.arrivals[coupling.target, coupling.into].of(arriving)[...] += arrived
            count = np.count_nonzero(spikes, axis=0)
            self.counts["spike"] += int(count.sum())
            self.counts["synop"] += int((count * coder.synapses).sum())

    @property
    def overload(self) -> NDArray[np.float64]:
        """Largest signal of each sample relative to what a coder can send, (batch,); not above 1 in order."""
        found = np.zeros(self.batch)
        for coder in self.coders:
            signals = np.abs(coder.of(self.coding["s"])).reshape(self.batch, -1)
            found = np.maximum(found, signals.max(axis=1))
        return found

    def _start(self) -> None:
        self._step += 1
        self.coding["k"][...] = self.receiving["k"][...] = leak(self._step)
        self.coding["theta"][...] = size(self.code, self._step, self.dead_band)
        if self.code.needs_chance:
            self.coding["chance"][...] = self._drawn_now("chance")
        for name in self.sites:
            self.settle(name)

    def _drawn_now(self, purpose: str) -> NDArray[np.float64]:
        """A number in (0, 1) for each coder. Row by row a sample's: shorter batches begin alike."""
        drawn = streams.uniform(self._seed, "coders", purpose, (self.batch, self._width), step=self._drawn + self._step)
        found = np.empty(len(self.coding["v"]))
        first = 0
        for coder in self.coders:
            last = first + math.prod(coder.shape[1:])
            coder.of(found)[...] = drawn[:, first:last].reshape(coder.shape)
            first = last
        return found

    def _synapses(self) -> None:
        space = self.group.variables["_spikespace"].get_value()
        fired = space[: space[-1]]
        self.deliver(fired, self.coding["payload"][fired])

    def _trace(self) -> Trace:
        estimates = {id(coder): coder.of(self.coding["h1"]) * self.full_scale for coder in self.coders}
        sent = {name: estimates[id(coder)][:, None] for name, coder in self._coder_of.items()}
        fields: dict[str, NDArray[Any]] = {}
        outputs: dict[str, NDArray[Any]] = {}
        for name, site in self.sites.items():
            fields |= {f"{name}.{own}": site.field(own)[:, None] for own in site.compiled.recorded}
            outputs |= {port: value[:, None] for port, value in site.values(site.compiled.outputs).items()}
        return Trace(0.0, fields, sent, outputs)


def coders_of(system: System, batch: int) -> list[Coder]:
    """One block of neurons for each signal that leaves a population, whatever the number of couplings."""
    found: dict[tuple[str, sp.Expr], Coder] = {}
    first = 0
    for coupling in system.couplings.values():
        key = coupling.source, system.signals[coupling.name]
        if key not in found:
            shape = batch, *system.populations[coupling.source].shape
            found[key] = Coder(coupling.source, slice(first, first + math.prod(shape)), shape)
            found[key].synapses = np.zeros(shape[1:])
            first += math.prod(shape)
        found[key].couplings.append(coupling)
        found[key].synapses = found[key].synapses + _synapses(system, coupling)
    return list(found.values())


def _arrivals_of(system: System, batch: int) -> dict[tuple[str, str], Block]:
    found: dict[tuple[str, str], Block] = {}
    first = 0
    for name, population in system.populations.items():
        for arrival in population.role("arrival"):
            shape = batch, *population.shape
            found[name, arrival] = Block(name, slice(first, first + math.prod(shape)), shape)
            first += math.prod(shape)
    return found


def _synapses(system: System, coupling: Coupling) -> NDArray[np.float64]:
    """How many elements a spike of each source element reaches."""
    operator, shape = coupling.operator, system.populations[coupling.source].shape
    if isinstance(getattr(operator, "forward", operator), Mean):
        return np.full(shape, float(operator.fan_out))
    everywhere = np.ones((1, *system.populations[coupling.target].shape))
    reached = operator.transpose(xp, np.ones(operator.weight_shape), everywhere)
    return np.reshape(reached, shape)


def _view(group: Any, name: str) -> NDArray[Any]:
    view: NDArray[Any] = group.variables[name].get_value()
    return view
