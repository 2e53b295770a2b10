"""Equilibrium propagation: the whole network, nudged towards its targets, compared with itself at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sympy as sp

from physnn.equations import Coupling, Population, System, Trace, Transposed
from physnn.errors import CapabilityError, NumericsError, ParameterError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Step, judged
from physnn.substrate.contract import Substrate

Array = Any
LONGEST = 200
"""runs of the objective's duration after which a state that has not come to rest is given up"""


@dataclass(frozen=True)
class EquilibriumPropagation:
    """The network settles, is nudged at its output, settles again; each weight sees the change of what it joins.

        u' = -u + b + W rho(u_before) + W^T rho(u_after) + f,    s = rho(u)
        f = -+ beta dC/ds_L, held                                at the output, the free state's error
        dC/dW_l = -[ s_l s_(l-1)^T (+beta) - s_l s_(l-1)^T (-beta) ] / (2 beta)      symmetric, error of order beta^2
        dC/dW_l = -[ s_l s_(l-1)^T (+beta) - s_l s_(l-1)^T (free)  ] / beta          one-sided, error of order beta

    The nudge adds beta (dC/ds_L at the free state).s_L to the energy: a cost with the slope of C where it counts, so
    that the limit beta -> 0 is the gradient of C itself, for every loss, readout and head.

    With an objective of some duration the network relaxes in time, in runs of that duration until nothing moves by more
    than `tolerance` times the largest signal in a unit of time; nudged states start from the free one. Without, the
    substrate's own stationary states are taken, accurate to `tolerance`; each is sought from the same start, so a
    network with several states of rest must be run in time.

    Local: each weight needs the signals at its two ends, at two times. Not local: the sign of the phase, known to all;
    the free phase's product, kept until the nudged one.

    Parameters
    ----------
    beta : float
        Strength of the nudge [1], per sample.
    symmetric : bool
        Nudge both ways.
    tolerance : float
        Of the relaxation; it must be far below beta times the effect of the nudge.

    Source
    ------
    Scellier, Bengio, Front. Comput. Neurosci. 11:24 (2017), equations (9) and (10); Laborieux et al., Front. Neurosci.
    15:633674 (2021), equation (9), for the symmetric nudge.
    """

    about: ClassVar[About] = About(
        equation="dC/dW = -[s_post s_pre^T (+beta) - s_post s_pre^T (-beta)] / (2 beta)",
        companion="the full System itself, nudged at its output by -+beta dC/ds",
        needs="couplings that act both ways through the same weights (an energy), an input port that nudges the output",
        local="the signals at the two ends of a weight, at rest and nudged",
        not_local="the phase (free, nudged), known to all; one product a weight kept between the phases",
        source="Scellier, Bengio (2017), equations (9), (10); Laborieux et al. (2021), equation (9)",
    )

    beta: float = 0.5
    symmetric: bool = True
    tolerance: float = 1e-6
    name: str = "equilibrium-propagation"
    _known: dict[tuple[str, str], _Energy] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for what, value in (("nudge beta", self.beta), ("tolerance", self.tolerance)):
            if not 0 < value < float("inf"):
                raise ParameterError(f"equilibrium propagation: {what} {value!r} must be finite and above 0")

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The gradient of one batch.

        Raises
        ------
        CapabilityError
            The System has no energy, its output cannot be nudged, or something other than couplings is to be learnt.
        NumericsError
            A state does not come to rest, or the loss is not finite.
        """
        if objective.encoders:
            raise CapabilityError(
                f"{self.name}: an encoder would need the change of what returns to the clamped source, which nothing "
                "measures there; put digital layers behind the readout, or use rule 'reflected-wave'"
            )
        xp, energy = substrate.xp, self._energy(substrate.placed.system, objective.readout.port)
        shown = substrate.meter.counts["sample"]
        free = self._rest(substrate, inputs, objective, energy, None)
        y, tapes = objective.answer(xp, free)
        loss, mismatch = judged(xp, y, targets, objective)
        cotangents, slopes = objective.pull_back(xp, free, tapes, mismatch)
        batch = y.shape[0]
        # The loss is a mean over the batch; every sample is nudged by its own error.
        force = -self.beta * batch * energy.scale * cotangents[objective.readout.port][:, 0, ...]
        signs = (1.0, -1.0) if self.symmetric else (1.0,)
        states = self._nudged(substrate, inputs, [sign * force for sign in signs], objective, energy, free)
        if not self.symmetric:
            states.append(free)
        span = (2 if self.symmetric else 1) * self.beta
        found: dict[str, Array] = {}
        for coupling in energy.trained:
            value = energy.change(xp, coupling, states) * (-1.0 / (span * batch))
            found[coupling.key] = found[coupling.key] + value if coupling.key in found else value
        self._count(substrate, objective, energy, tapes, batch)
        # Settling again shows no new samples.
        substrate.meter.add(sample=shown + batch - substrate.meter.counts["sample"])
        return Step(found | {key: slope for key, slope in slopes.items()}, loss, y)

    def _energy(self, system: System, port: str) -> _Energy:
        """What the rule needs to know of a System, found once."""
        kind = system.fingerprint, port
        if kind not in self._known:
            self._known[kind] = _Energy.of(system, port)
        return self._known[kind]

    def _nudged(
        self,
        substrate: Substrate,
        inputs: Mapping[str, Array],
        forces: list[Array],
        objective: Objective,
        energy: _Energy,
        free: Trace,
    ) -> list[Trace]:
        """The states of rest under each force, as traces one after the other.

        Stationary states are sought side by side, as one batch and one trace; runs continue from the free state, each
        by itself.
        """
        if objective.duration is not None:
            entering = [{**inputs, energy.port: force} for force in forces]
            return [self._rest(substrate, given, objective, energy, free) for given in entering]
        xp, both = substrate.xp, len(forces)
        beside = {name: xp.concat([value] * both) if both > 1 else value for name, value in inputs.items()}
        return [self._rest(substrate, {**beside, energy.port: xp.concat(forces)}, objective, energy, None)]

    def _rest(
        self, substrate: Substrate, entering: Mapping[str, Array], objective: Objective, energy: _Energy, start: Any
    ) -> Trace:
        """The state of rest for what enters, from the state of another trace, as a trace with one entry."""
        if objective.duration is None:
            return substrate.steady(entering, self.tolerance)
        xp, state = substrate.xp, None if start is None else start.state
        for _ in range(LONGEST):
            trace = substrate.run(entering, objective.duration, state, energy.recorded)
            state = trace.state
            signals = [*trace.sent.values(), *trace.outputs.values()]
            if signals[0].shape[1] < 2:
                raise ParameterError(f"{self.name}: a duration of {objective.duration} s is shorter than a step")
            moved = max(float(xp.max(xp.abs(s[:, -1, ...] - s[:, -2, ...]))) for s in signals) / trace.step
            if moved <= self.tolerance * max(float(xp.max(xp.abs(s[:, -1, ...]))) for s in signals):
                return _settled(trace)
        raise NumericsError(
            f"{self.name}: not at rest after {LONGEST} runs of {objective.duration} s (signals still move by "
            f"{moved:.2g}/s); lower beta or the weights, or raise the tolerance of {self.tolerance:g}"
        )

    def _count(self, substrate: Substrate, objective: Objective, energy: _Energy, tapes: Any, batch: int) -> None:
        """Products of two states a weight and sample, and three passes of the digital layers, by the host."""
        shapes = substrate.placed.system.populations
        macs = sum(c.operator.macs(shapes[c.source].shape) for c in energy.trained)
        substrate.meter.host(mac=2 * macs * batch, kernel=2 * len(energy.trained))
        for prefix, head in objective.digital.items():
            substrate.meter.host(mac=3 * head.macs(tapes[prefix]), kernel=3 * len(head.layers))


@dataclass(frozen=True)
class _Energy:
    """A System in which every coupling between moving populations acts both ways: where its signals are recorded."""

    port: str
    """input port that nudges the output"""
    scale: float
    """what is read changes by this times the signal"""
    signals: Mapping[str, tuple[str, str]]
    """population -> ("sent", coupling) or ("outputs", port): where its signal is found in a trace"""
    trained: tuple[Coupling, ...]
    """one a pair"""
    recorded: frozenset[str]

    @classmethod
    def of(cls, system: System, read: str) -> _Energy:
        """Check that there is an energy.

        Raises
        ------
        CapabilityError
        """
        moving = {name: p for name, p in system.populations.items() if p.dynamic or p.constraints or p.role("arrival")}
        between = [c for c in system.couplings.values() if c.source in moving]
        for coupling in between:
            if not any(_reverses(system, coupling, other) for other in between):
                raise CapabilityError(
                    f"coupling {coupling.name!r}: couplings are one-way, there is no energy; nothing leads from "
                    f"{coupling.target!r} back to {coupling.source!r} through the same weights "
                    "(`physnn.media.energy.Reciprocal` adds it)"
                )
        expressions, signals = {}, {}
        for name in moving:
            expressions[name], signals[name] = _signal(system, name)
        output = system.outputs[read].population
        nudges = [n for n, p in system.inputs.items() if p.population == output]
        for name, population in moving.items():
            _check_leak(system, population, expressions[name])
        if not nudges:
            raise CapabilityError(
                f"the output {output!r} cannot be nudged: no input port leads there; add one that drives an input of "
                "its equations (`physnn.media.energy.energy_network` does)"
            )
        scale = _scale(system.populations[output], system.readouts[read], expressions[output])
        if scale is None:
            raise CapabilityError(
                f"output {read!r} reads {system.readouts[read]} of {output!r}, but the energy is one of its signal "
                f"{expressions[output]}; read that, or a multiple of it plus a number"
            )
        weights = {c.key for c in system.couplings.values()}
        other = [key for key in system.trainable if key not in weights]
        if other:
            raise CapabilityError(
                f"{other[0]!r} is no weight of a coupling; equilibrium propagation has no rule for it"
            )
        trained = [c for c in system.couplings.values() if c.trainable and not isinstance(c.operator, Transposed)]
        recorded = {where for _, where in signals.values()} | {c.name for c in trained} | {read}
        return cls(nudges[0], scale, signals, tuple(trained), frozenset(recorded))

    def change(self, xp: Any, coupling: Coupling, states: Sequence[Trace]) -> Array:
        """Signal at the target times signal from the source, summed over the batch: of the first state, less the other.

        The two lie one after the other in the traces' batches. What is clamped at the source is the same in both.
        """
        kind, where = self.signals[coupling.target]
        ends = [getattr(state, kind)[where][:, 0, ...] for state in states]
        sent = [state.sent[coupling.name][:, 0, ...] for state in states]
        rows = sum(end.shape[0] for end in ends) // 2
        end = xp.concat(ends) if len(ends) > 1 else ends[0]
        if coupling.source not in self.signals:
            return coupling.operator.outer(xp, end[:rows, ...] - end[rows:, ...], sent[0][:rows, ...])
        opposed = xp.concat([end[:rows, ...], -end[rows:, ...]])
        return coupling.operator.outer(xp, opposed, xp.concat(sent) if len(sent) > 1 else sent[0])


def _signal(system: System, name: str) -> tuple[sp.Expr, tuple[str, str]]:
    """The one signal of a population, and where a trace holds it."""
    leaving = system.leaving(name)
    found = [(system.signals[c.name], ("sent", c.name)) for c in leaving]
    found += [(system.readouts[n], ("outputs", n)) for n, port in system.outputs.items() if port.population == name]
    if not found:
        raise CapabilityError(f"population {name!r} sends nothing: couplings are one-way, there is no energy")
    for coupling in leaving[1:]:
        if sp.simplify(system.signals[coupling.name] - found[0][0]) != 0:
            raise CapabilityError(
                f"population {name!r} sends {found[0][0]} along {leaving[0].name!r} and "
                f"{system.signals[coupling.name]} along {coupling.name!r}: no energy has both"
            )
    return found[0]


def _scale(population: Population, read: sp.Expr, signal: sp.Expr) -> float | None:
    """How much of a signal is read: read = scale * signal + a number; None where it is something else."""
    (state,) = (population.symbols[name] for name in population.flows)
    ratio = sp.simplify(read.diff(state) / signal.diff(state))
    return float(ratio) if ratio.is_number and not read.free_symbols - signal.free_symbols else None


def _check_leak(system: System, population: Population, signal: sp.Expr) -> None:
    """Whether a population follows u' = (what arrives and enters - d(u)) c with one state and one c.

    Raises
    ------
    CapabilityError
    """
    where = f"population {population.name!r}"
    acting = population.maps or population.constraints or population.events or population.projections
    if acting or len(population.flows) != 1 or any(v.complex for v in population.variables.values()):
        raise CapabilityError(f"{where}: an energy layer has one real flow, u' = arrivals - d(u), and nothing else")
    ((state, flow),) = population.flows.items()
    arrivals = [a for a in population.role("arrival") if system.arriving(population.name, a)]
    driven = [p.variable for p in system.inputs.values() if p.population == population.name]
    if any(population.variables[name].role != "input" for name in driven):
        raise CapabilityError(f"{where}: a port sets a state or parameter of it; energy layers are driven by inputs")
    slopes = [sp.simplify(flow.diff(population.symbols[name])) for name in (*arrivals, *driven)]
    fixed = {population.symbols[name] for name in population.role("parameter")}
    if any(slope.free_symbols - fixed or sp.simplify(slope - slopes[0]) != 0 for slope in slopes):
        raise CapabilityError(
            f"{where}: d{state}/dt = {flow} is not a sum of what arrives and of a function of {state!r}, which "
            "equilibrium propagation needs: the same force at every place of the energy"
        )
    if signal.free_symbols - fixed - {population.symbols[state]}:
        raise CapabilityError(f"{where}: its signal {signal} is no function of its state {state!r} alone")


def _reverses(system: System, one: Coupling, other: Coupling) -> bool:
    """Whether one coupling leads back what the other leads, through the same weights."""
    if one is other or one.key != other.key or (one.source, one.target) != (other.target, other.source):
        return False
    return any(
        a.operator == Transposed(b.operator, system.populations[b.source].shape)
        for a, b in ((one, other), (other, one))
    )


def _settled(trace: Trace) -> Trace:
    """The end of a run as a stationary state, from which another run can still be started."""
    last = [{n: v[:, -1:, ...] for n, v in found.items()} for found in (trace.fields, trace.sent, trace.outputs)]
    return Trace(0.0, last[0], last[1], last[2], trace.state)
