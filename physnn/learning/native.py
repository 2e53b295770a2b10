"""Native reflection: a passive network driven from its outputs trains itself by the product of two measured fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physnn.analysis import DelayedLoops
from physnn.equations import Interpreter, OneToOne, System, Trace, tangent
from physnn.equations.generate import function
from physnn.errors import CapabilityError, NumericsError, ParameterError, UnknownNameError
from physnn.learning.about import About
from physnn.learning.native_fields import Field, PassiveNetwork
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Step, count_correlation, count_digital, forward, sent_back
from physnn.learning.way_back import measured
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any
MODES = ("settled", "pulsed")
PORT = "back"
CONDITIONS = {
    "settled": "native: the bias stays on, so that every shunt answers with its slope g'(v) by itself",
    "pulsed": "native in a linear network: what returns meets the same lines, banks and resistors backwards in time",
    "stored": "twin-assisted: every shunt must play its own g'(v(t)) backwards; here a computer keeps it",
}
"""Under which condition the gradient is that of the loss, and whose it is."""


def with_way_back(network: Network) -> Network:
    """The network with a generator in each load, at input port 'back': what injects currents where it is read.

    Raises
    ------
    CapabilityError
        It is not read at a termination that is no generator yet.
    """
    load = network.readout.population
    population = next((p for part in network.parts for p in part.populations() if p.name == load), None)
    if population is None or not {"b", "e", "R"} <= population.variables.keys():
        raise CapabilityError(
            f"network {network.name!r} is read at {load!r}, which is not a line's end in a resistor; read the voltage "
            "'u' of a Termination"
        )
    if any(link.target == load and link.into in ("", "e") for link in network.links):
        raise CapabilityError(f"network {network.name!r}: the end {load!r} that is read is driven already")
    (size,) = population.shape
    drive = Link(PORT, load, operator=OneToOne((size,)), trainable=False, into="e", weights=np.ones(size))
    return replace(network, parts=(*network.parts, Source(PORT, size)), links=(*network.links, drive))


@dataclass(frozen=True)
class NativeReflection:
    """The network is driven once from its inputs and once from its outputs; each element sees two fields.

        J        = dL/dv at the loads, injected as currents (a generator of J R_L behind each R_L)
        field^   = [ field(inputs on, +h J) - field(inputs on, -h J) ] / (2 h)          settled
        field^   = field(inputs silent, J played backwards in time)                     pulsed
        gradient = products of the two fields at each element (`physnn.learning.native_fields`)

    No adjoint and no model: both fields are of the network itself, which is reciprocal. "settled" holds for any shunts,
    since the inputs stay on and each shunt answers about its bias; its error is of order h^2. "pulsed" is exact in
    discrete time for networks that are linear; with shunts the second field needs their conductances g'(v(t)) played
    backwards, which `stored` lets a computer do (twin-assisted), and without which it is refused.

    Local: everything, the two waves at the ends of each line. Not local: dL/dv, formed from the outputs.

    Parameters
    ----------
    mode : str
        "settled": constant inputs, at rest or at the end of a run of the objective's duration; "pulsed": runs.
    kick : float
        Largest voltage of the generators in the loads [V].
    stored : bool
        Whether shunts may have a memory of their conductance, for pulses.
    tolerance : float
        Of states of rest, in parts of the largest amplitude: small against `kick`.
    settling : float
        Of "settled" runs: what waves may still change over the longest delay, in parts of the largest amplitude. The
        gradient is off by a few times as much; on a substrate with noise it must be above the noise.

    Raises
    ------
    ParameterError, UnknownNameError

    Source
    ------
    Static and pulsed forms derived from Tellegen's theorem; light in the two directions of a mesh: Hughes et al.,
    Optica 5, 864 (2018).
    """

    about: ClassVar[About] = About(
        equation="dL/dW = -(i^_2 v_1^T + i_2 v^_1^T), and likewise for impedances, losses, lengths, shunts, resistors",
        companion="the network itself, driven from its outputs with J = dL/dv",
        needs="a reciprocal network of lines, banks, shunts and resistors, with a generator in each load (port 'back')",
        local="everything: the waves of both fields at the two ends of each line",
        not_local="nothing",
        source="Tellegen's theorem; Hughes et al., Optica 5, 864 (2018) for meshes",
    )

    mode: str = "settled"
    kick: float = 1e-2
    stored: bool = False
    tolerance: float = 1e-11
    settling: float = 1e-2
    name: str = "native-reflection"
    _known: dict[str, PassiveNetwork] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UnknownNameError("mode of native reflection", self.mode, MODES)
        if not 0 < self.kick < float("inf"):
            raise ParameterError(f"native reflection: a kick of {self.kick!r} V must be finite and above 0")
        if not self.settling > 0:
            raise ParameterError(f"native reflection: a settling of {self.settling!r} must be above 0")

    @property
    def gradient_label(self) -> str:
        """ "native", or "twin-assisted" where a computer plays conductances backwards."""
        return "twin-assisted" if self.stored else "native"

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The gradient of one batch.

        Raises
        ------
        CapabilityError
            The network has no way back or is not reciprocal, something is trained that the fields do not tell, pulses
            would meet shunts without a memory, or inputs of "settled" vary in time.
        NumericsError
            The loss is not finite, or the waves of "settled" have not settled at the end of the run.
        """
        network = self._network(substrate.placed.system)
        if objective.encoders:
            raise CapabilityError(
                f"{self.name}: layers before the inputs would need the wave that leaves there; use none"
            )
        port = _way_back(network.system, objective.readout.population)
        self._check(network, objective)
        if self.mode == "settled":
            self._check_constant(inputs)
        shown = substrate.meter.counts["sample"]
        passage = forward(substrate, inputs, objective)
        loss, cotangents, slopes = sent_back(substrate, passage, targets, objective)
        emf = self._generators(substrate, network, passage.incident, cotangents, objective)
        if self.mode == "settled":
            incident, reflected = self._settled(substrate, network, passage, port, emf, objective)
        else:
            incident, reflected = self._pulsed(substrate, network, passage, port, emf, objective)
        found = network.gradient(substrate.read(), incident, reflected, substrate.placed.step)
        count_correlation(substrate, passage.y.shape[0], next(iter(incident.entering.values())).shape[1])
        count_digital(substrate, objective, passage, 2)
        # Driving the outputs shows no new samples.
        substrate.meter.add(sample=shown + passage.y.shape[0] - substrate.meter.counts["sample"])
        return Step({key: substrate.asarray(value) for key, value in found.items()} | slopes, loss, passage.y)

    def _network(self, system: System) -> PassiveNetwork:
        if system.fingerprint not in self._known:
            self._known[system.fingerprint] = PassiveNetwork(system)
        return self._known[system.fingerprint]

    def _check(self, network: PassiveNetwork, objective: Objective) -> None:
        if self.mode == "settled":
            return
        if objective.duration is None:
            raise CapabilityError(f"{self.name}: pulses take time; set the objective's duration, or use mode 'settled'")
        held = {name for names in DelayedLoops(network.system).nonlinear.values() for name in names}
        if held and not (self.stored and held <= set(network.shunts)):
            cure = "let the inputs settle (mode 'settled')"
            if held <= set(network.shunts):
                cure += ", or give shunts a memory (stored=True), which makes the gradient twin-assisted"
            raise CapabilityError(
                f"{self.name}: a pulse that returns through {sorted(held)[0]!r} meets another conductance than the one "
                f"that the incident pulse met; {cure}"
            )

    def _check_constant(self, inputs: Mapping[str, Array]) -> None:
        """Whether what drives the network stays on.

        Raises
        ------
        CapabilityError
        """
        for port, given in inputs.items():
            values = as_numpy(given)
            if values.ndim > 2 and np.any(values != values[:, -1:]):
                raise CapabilityError(
                    f"{self.name}: what enters at {port!r} varies in time, but mode 'settled' tells the gradient at "
                    "constant inputs only; give inputs (batch, lines), or use mode 'pulsed'"
                )

    def _check_settled(self, network: PassiveNetwork, field: Field, step: float) -> None:
        """Whether the waves at the end of a run still change over the longest delay.

        Raises
        ------
        NumericsError
        """
        left, needed = field.drift(network.longest(step)), self.settling
        if left > needed:
            raise NumericsError(
                f"{self.name}: the waves have not settled at the end of the run: over the longest delay they change by "
                f"{left:.2g} of the largest amplitude, more than {needed:g}; lengthen the objective's duration, leave "
                "it out for the state of rest, or raise `settling` where noise is what changes"
            )

    def _generators(
        self,
        substrate: Substrate,
        network: PassiveNetwork,
        incident: Trace,
        cotangents: Mapping[str, Array],
        objective: Objective,
    ) -> NDArray[np.float64]:
        """J R_L [V], (batch, times, loads): the loss's cotangents at the loads' voltages, as generators."""
        load, port = objective.readout.population, objective.readout.port
        parameters = {key: as_numpy(value) for key, value in substrate.read().items()}
        slope = read_slope(network.system, port, incident, parameters)
        return as_numpy(cotangents[port]) * slope * parameters[f"{load}.R"]

    def _settled(
        self,
        substrate: Substrate,
        network: PassiveNetwork,
        passage: Passage,
        port: str,
        emf: NDArray[np.float64],
        objective: Objective,
    ) -> tuple[Field, Field]:
        """Fields at rest, or at the end of runs that continue the incident one."""
        incident = network.field(passage.incident)
        if objective.duration is not None:
            self._check_settled(network, incident, substrate.placed.step)
        emf = np.sum(emf, axis=1)
        scale = self._scale(emf)
        found = []
        for sign in (1.0, -1.0):
            driven = {**passage.entering, port: substrate.asarray(sign * scale * emf)}
            if objective.duration is None:
                trace = substrate.steady(driven, self.tolerance)
            else:
                trace = substrate.run(driven, objective.duration, passage.incident.state)
            found.append(_last(network.field(trace)))
        half = 0.5 / scale
        return _last(incident), (found[0] - found[1]).scaled(half)

    def _pulsed(
        self,
        substrate: Substrate,
        network: PassiveNetwork,
        passage: Passage,
        port: str,
        emf: NDArray[np.float64],
        objective: Objective,
    ) -> tuple[Field, Field]:
        """Fields of whole runs, the second one played backwards."""
        incident = network.field(passage.incident)
        backwards = emf[:, ::-1]
        if self.stored:
            return incident, _stored(substrate, network, passage.incident, port, backwards).backwards()
        scale, found = self._scale(emf), []
        silent = {name: 0.0 * value for name, value in passage.entering.items()}
        for sign in (1.0, -1.0):  # constant sources cancel
            driven = {**silent, port: substrate.asarray(sign * scale * backwards)}
            found.append(network.field(substrate.run(driven, objective.duration or 0.0)))
        return incident, (found[0] - found[1]).scaled(0.5 / scale).backwards()

    def _scale(self, emf: NDArray[np.float64]) -> float:
        """What makes the largest generator's voltage `kick`."""
        largest = float(np.max(np.abs(emf), initial=0.0))
        return self.kick / largest if largest > 0 else 1.0


def read_slope(system: System, port: str, incident: Trace, parameters: Mapping[str, Any]) -> Any:
    """dy/du of what is read at an output port by the voltage u of the load there, at each entry of a trace.

    Raises
    ------
    CapabilityError
        What is read is not a function of u.
    """
    place = system.outputs[port]
    population = system.populations[place.population]
    voltage, wave = population.definitions["u"], population.symbols["b"]
    ratio = sp.cancel(system.readouts[port].diff(wave) / voltage.diff(wave))
    across = sp.simplify(
        system.readouts[port].diff(population.symbols["R"]) - ratio * voltage.diff(population.symbols["R"])
    )
    if across != 0:
        raise CapabilityError(
            f"output {port!r} reads something else than the voltage 'u' of {place.population!r}; read a function of it"
        )
    names = sorted(map(str, ratio.free_symbols))
    values = [
        parameters[key] if (key := f"{place.population}.{n}") in parameters else as_numpy(incident.fields[key])
        for n in names
    ]
    return function(tuple(population.symbols[n] for n in names), (ratio,))(np, *values)[0]


def _way_back(system: System, load: str) -> str:
    """The input port by which generators in the loads are set.

    Raises
    ------
    CapabilityError
    """
    ports = {port.population: name for name, port in system.inputs.items()}
    for coupling in system.arriving(load, "e") if "e" in system.populations[load].variables else ():
        if coupling.source in ports and isinstance(coupling.operator, OneToOne):
            return ports[coupling.source]
    raise CapabilityError(
        f"nothing can be injected where the network is read, at {load!r}: it has no generator there; make the network "
        "by physnn.learning.with_way_back(network)"
    )


def _stored(
    substrate: Substrate, network: PassiveNetwork, incident: Trace, port: str, emf: NDArray[np.float64]
) -> Field:
    """The field driven from the outputs where every shunt plays its conductance backwards, computed by the host."""
    placed = substrate.placed
    seen, small = measured(incident, substrate.xp, as_numpy, np), tangent(placed.system.discrete)
    played = {name: seen.fields[source.field][:, ::-1] for name, source in small.incident.items()}
    engine = Interpreter(small.system, {key: as_numpy(value) for key, value in substrate.read().items()})
    batch, times = emf.shape[:2]
    macs = sum(c.operator.macs(small.system.populations[c.source].shape) for c in small.system.couplings.values())
    substrate.meter.host(mac=macs * batch * times, kernel=len(small.system.couplings) * times)
    return network.field(engine.run({**played, port: emf}, times - 1, placed.step))


def _last(found: Field) -> Field:
    """The field at its last entry."""
    return Field({k: a[:, -1:] for k, a in found.entering.items()}, {k: b[:, -1:] for k, b in found.arriving.items()})
