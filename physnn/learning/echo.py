"""Hamiltonian echo: the motion is turned round with a kick from the error, and runs back through the same medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import array_api_compat
import numpy as np
from numpy.typing import NDArray

from physnn.equations import Coupling, Trace
from physnn.equations.operators import alike
from physnn.equations.parse import STEP
from physnn.errors import CapabilityError, ParameterError
from physnn.learning.about import About
from physnn.learning.mechanics import Formula, Layer, Mechanics, mechanics_of
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Step, forward, judged
from physnn.media.functionals import Last
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy

Array = Any


@dataclass(frozen=True)
class HamiltonianEcho:
    """The motion is reversed, kicked by the error, and retraces itself; what it does otherwise is the gradient.

        echo e:    q^e = q_N,   p^e = -p_N - e dC/dq ;   the same N steps, the inputs backwards in time
        dC/dtheta = sum_stages c_s [ dH_s/dtheta (echo +eps) - dH_s/dtheta (echo -eps) ] / (2 eps)     symmetric (RHEL)
        dC/dtheta = sum_stages c_s [ dH_s/dtheta (echo +eps) - dH_s/dtheta (incident) ] / eps          one-sided (HEB)

    The stages are those of the step: kicks, dV/dtheta at the position q_n that the kick leaves fixed, c = h/2 at either
    end and h between; drifts, dT/dtheta at the momentum p_(n+1/2), c = h. With these the error is of order eps^2
    (symmetric) or eps (one-sided), at any step h; the cost is read from positions at the end of the run.

    Damping: one-sided is refused, the echo would miss its way by more than the kick. The symmetric echo runs through
    the same loss twice, and its error grows with gamma T; where damping is uniform and a port can turn it into gain
    (`physnn.media.hamiltonian`), the echo retraces exactly, and every stage is weighted by exp(-gamma s), s the time of
    the echo: exact again.

    Local: each weight needs the positions at its two ends, summed over two echoes: no stored motion. Not local: turning
    round (every momentum at once), and the sign of the echo, known to all.

    Parameters
    ----------
    epsilon : float
        Size of the kick [s, model time, times the slope of the loss of one sample]; 3e-3 to 3e-2 in single precision.
    symmetric : bool
        Two echoes, kicked either way.

    Source
    ------
    Lopez-Pastor, Marquardt, Phys. Rev. X 13, 031020 (2023), equation (12) (one-sided); Pourcel, Ernoult,
    arXiv:2506.05259 (2025), theorem 3.1 (symmetric). Stage weights and the repair for damping are derived here.
    """

    about: ClassVar[About] = About(
        equation="dC/dtheta = sum_stages c_s [dH_s/dtheta (+eps) - dH_s/dtheta (-eps)] / (2 eps)",
        companion="the full System itself, momenta reversed and kicked by -+eps dC/dq, inputs backwards in time",
        needs="forces from one potential, no damping (or gain to undo a uniform one), ports that set every q and p",
        local="the positions (momenta, for a mass) at the two ends of a weight, in two echoes",
        not_local="reversing all momenta at once; which echo it is, known to all",
        source="Lopez-Pastor, Marquardt, PRX 13, 031020 (2023); Pourcel, Ernoult, arXiv:2506.05259 (2025)",
    )

    epsilon: float = 0.01
    symmetric: bool = True
    name: str = "hamiltonian-echo"
    _known: dict[tuple[Any, ...], Mechanics] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < float("inf"):
            raise ParameterError(f"Hamiltonian echo: epsilon {self.epsilon!r} must be finite and above 0")

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The gradient of one batch.

        Raises
        ------
        CapabilityError
            The System has no Hamiltonian that is stepped reversibly, it cannot be started where the echo starts, or the
            loss is read elsewhere than from positions at the end.
        NumericsError
            The loss is not finite.
        """
        xp, known = substrate.xp, self._mechanics(substrate, objective)
        shown = substrate.meter.counts["sample"]
        kept = known.kept(ends=bool(objective.encoders))
        passage = forward(substrate, inputs, objective, () if self.symmetric else kept)
        loss, mismatch = judged(xp, passage.y, targets, objective)
        cotangents, slopes = objective.pull_back(xp, passage.incident, passage.tapes, mismatch)
        motion = _Motion(substrate, known, passage, objective, self.symmetric)
        # The loss is a mean over the batch; every sample is kicked by its own error.
        kick = self.epsilon * passage.y.shape[0] * cotangents[objective.readout.port][:, -1, ...]
        passes = [motion.echo(kick)] if self.symmetric else [motion.echo(kick), motion.incident()]
        span = (2 if self.symmetric else 1) * self.epsilon * passage.y.shape[0]
        found = {key: value * (1.0 / span) for key, value in motion.difference(passes).items()}
        arrived = {port: value * (1.0 / span) for port, value in motion.arrived(passes).items()}
        slopes |= objective.pull_back_encoders(xp, passage.tapes, arrived)
        self._count(substrate, objective, known, passage)
        # Running back shows no new samples.
        substrate.meter.add(sample=shown + passage.y.shape[0] - substrate.meter.counts["sample"])
        return Step(found | slopes, loss, passage.y)

    def _mechanics(self, substrate: Substrate, objective: Objective) -> Mechanics:
        """What the rule needs to know of a System, found once."""
        system, port = substrate.placed.system, objective.readout.port
        if objective.duration is None:
            raise CapabilityError(
                f"{self.name}: an echo is a motion run back, and a state of rest has none; set the objective's duration"
            )
        if not isinstance(objective.readout.functional, Last):
            raise CapabilityError(
                f"{self.name}: the echo is kicked at the end of the run, so the loss must be read there; use readout "
                "'last', or rule 'reflected-wave'"
            )
        off = tuple(
            key for key, value in system.parameters.items() if key not in system.trainable and not np.any(value)
        )
        kind = system.fingerprint, port, off
        if kind not in self._known:
            self._known[kind] = mechanics_of(system, port, off)
        return self._known[kind]

    def _count(self, substrate: Substrate, objective: Objective, known: Mechanics, passage: Passage) -> None:
        """A product a weight, sample and time in both sums, and what digital layers cost beyond their forward pass."""
        shapes, y = substrate.placed.system.populations, passage.y
        times = passage.incident.outputs[objective.readout.port].shape[1]
        macs = sum(c.operator.macs(shapes[c.source].shape) for c in known.trained)
        substrate.meter.host(mac=2 * macs * y.shape[0] * times, kernel=2 * len(known.trained))
        for prefix, head in objective.digital.items():
            substrate.meter.host(mac=2 * head.macs(passage.tapes[prefix]), kernel=2 * len(head.layers))


@dataclass(frozen=True)
class _Pass:
    """Passages through the medium, side by side as one batch: what is summed over their stages, where they ended."""

    signs: tuple[float, ...]
    """with which each passage counts"""
    fields: Mapping[str, Array]
    """'population.variable' -> (passages x batch, entries, *shape): velocities of the drifts 0..N-1, others 0..N"""
    sent: Mapping[str, Array]
    """coupling -> what entered it, entries 0..N"""
    ends: Mapping[str, tuple[Array, Array]]
    """population -> position and momentum at the end, where encoders set the start; of the incident motion those of its
    start, reversed"""

    def folded(self, values: Array) -> Array:
        """The sum over the passages with their signs, (batch, ...)."""
        size = values.shape[0] // len(self.signs)
        return sum(sign * values[k * size : (k + 1) * size, ...] for k, sign in enumerate(self.signs))

    def rows(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signs times weights of entries, (passages x batch, entries)."""
        size = next(iter(self.sent.values())).shape[0] // len(self.signs)
        return np.repeat(self.signs, size)[:, None] * weights


class _Motion:
    """The incident motion of one batch, and its echoes."""

    def __init__(
        self, substrate: Substrate, known: Mechanics, passage: Passage, objective: Objective, symmetric: bool
    ) -> None:
        self.substrate, self.known, self.passage, self.xp = substrate, known, passage, substrate.xp
        self.system, self.h = substrate.placed.system, substrate.placed.step
        self.parameters = substrate.read()
        self.steps = substrate.placed.steps(objective.duration or 0.0)
        if self.steps < 1:
            raise ParameterError(f"an echo needs a motion: {objective.duration} s is shorter than a step of {self.h} s")
        self.encoded = tuple(objective.encoders)
        self.signs = (1.0, -1.0) if symmetric else (1.0,)
        self.keeps = {layer.name: self._keep(layer) for layer in known.layers.values()}
        self.gain = self._gain()
        starts = {port for layer in known.layers.values() for port in (layer.position_port, layer.velocity_port)}
        self.entering = {n: self._lasting(n, v) for n, v in passage.entering.items() if n not in starts}

    def echo(self, kick: Array) -> _Pass:
        """The echo of a kick and, with the symmetric rule, that of the opposite kick beside it."""
        xp, both = self.xp, len(self.signs)
        inputs = {
            name: xp.concat([xp.flip(value, axis=1) if self._timed(name, value) else value] * both)
            for name, value in self.entering.items()
        }
        for layer in self.known.layers.values():
            position, momentum = self._turned(layer)
            pushed = [-momentum] * both
            if layer.name == self.known.output:
                force = kick * self.known.slope(xp, {layer.position: position})
                pushed = [-momentum - sign * force for sign in self.signs]
            inputs[layer.position_port], inputs[layer.velocity_port] = xp.concat([position] * both), xp.concat(pushed)
            if self.gain != 1:
                damping = self._damping(layer) + xp.zeros_like(position)
                inputs[layer.damping_port] = xp.concat([-damping] * both)
        # What reaches encoders is the momentum at the end, which takes one step more.
        duration = (self.steps + bool(self.encoded)) * self.h
        trace = self.substrate.run(inputs, duration, record=self.known.kept(ends=bool(self.encoded)))
        ends = {}
        for layer in self.known.layers.values() if self.encoded else ():
            position, velocity = (trace.fields[f"{layer.name}.{n}"] for n in (layer.position, layer.velocity))
            ends[layer.name] = position[:, -2, ...], self._momentum(layer, velocity[:, -2, ...], velocity[:, -1, ...])
        return self._pass(self.signs, trace, ends)

    def incident(self) -> _Pass:
        """The incident motion, from which the one-sided echo differs."""
        trace, ends = self.passage.incident, {}
        for layer in self.known.layers.values() if self.encoded else ():
            position, velocity = (trace.fields[f"{layer.name}.{n}"] for n in (layer.position, layer.velocity))
            ends[layer.name] = position[:, 0, ...], -velocity[:, 0, ...]
        return self._pass((-1.0,), trace, ends)

    def difference(self, passes: Sequence[_Pass]) -> dict[str, Array]:
        """Parameter key -> the weighted sum over stages of dH/d parameter, over passes with their signs."""
        xp, found = self.xp, dict[str, Array]()
        # Echo step i is weighted by what gain has added to the error wave until its middle.
        drifts = np.asarray(self.h * self.gain ** (2 * np.arange(self.steps) + 1.0), dtype=np.float64)
        kicks = (np.append(drifts, 0.0) + np.insert(drifts, 0, 0.0)) / 2
        totals = dict[tuple[str, str], Array]()
        for coupling in self.known.trained:
            value = self._product(coupling, passes, kicks, totals)
            found[coupling.key] = found[coupling.key] + value if coupling.key in found else value
        for layer in self.known.layers.values():
            for table, weights in ((layer.kicks, kicks), (layer.drifts, drifts)):
                for name, density in table.items():
                    key, shape = f"{layer.name}.{name}", self.parameters[f"{layer.name}.{name}"].shape
                    value = _reduced(xp, self._summed(layer, density, passes, weights), shape)
                    found[key] = found[key] + value if key in found else value
        return found

    def arrived(self, passes: Sequence[_Pass]) -> dict[str, Array]:
        """What reaches the ports of encoders that set where the motion starts."""
        found = {}
        for port in self.encoded:
            place = self.system.inputs[port]
            layer = self.known.layers.get(place.population)
            if layer is None or port not in (layer.position_port, layer.velocity_port):
                raise CapabilityError(
                    f"hamiltonian-echo: an encoder that drives {place.population!r} would need the force that returns "
                    "there, which nothing measures; let it set where the motion starts, or use rule 'reflected-wave'"
                )
            # The error wave of a position is carried by the momentum, and the other way round.
            which = 1 if port == layer.position_port else 0
            change = sum(p.folded(p.ends[layer.name][which]) for p in passes)
            found[port] = -change * self.gain ** (2 * self.steps)
        return found

    @cached_property
    def _after(self) -> Trace:
        """The end of the incident motion, and a step more.

        It tells the velocity half a step later, and thus the momentum at the end, without knowing a force.
        """
        given = {**self.passage.entering, **self.entering}
        rest = {n: v[:, self.steps :, ...] if self._timed(n, v) else v for n, v in given.items()}
        return self.substrate.run(rest, self.h, self.passage.incident.state, self.known.ends)

    def _turned(self, layer: Layer) -> tuple[Array, Array]:
        """Position and momentum at the end of the incident motion."""
        position, velocity = (self._after.fields[f"{layer.name}.{n}"] for n in (layer.position, layer.velocity))
        return position[:, 0, ...], self._momentum(layer, velocity[:, 0, ...], velocity[:, 1, ...])

    def _pass(self, signs: tuple[float, ...], trace: Trace, ends: Mapping[str, tuple[Array, Array]]) -> _Pass:
        """What is summed of a trace, cut to the entries of its stages."""
        speeds = {f"{layer.name}.{layer.velocity}" for layer in self.known.layers.values()}
        fields = {
            name: trace.fields[name][:, 1 if name in speeds else 0 : self.steps + 1, ...]
            for name in self.known.summed
            if name in trace.fields
        }
        sent = {c.name: trace.sent[c.name][:, : self.steps + 1, ...] for c in self.known.trained}
        return _Pass(signs, fields, sent, ends)

    def _momentum(self, layer: Layer, before: Array, after: Array) -> Array:
        """The momentum between two velocities: their mean, where nothing is lost; gain and loss alike."""
        keep = self.keeps[layer.name]
        return (before + after) * (keep / (1 + keep**2))

    def _product(
        self,
        coupling: Coupling,
        passes: Sequence[_Pass],
        weights: NDArray[np.float64],
        totals: dict[tuple[str, str], Array],
    ) -> Array:
        """The sum over the stages of dV/dK, V = -S_target . K S_source, over passes with their signs.

        What is clamped at the source goes into the product once, with the sum over time at the target (`totals`).
        """
        xp, layer = self.xp, self.known.layers[coupling.target]
        conjugate, end = layer.conjugates[coupling.into], (coupling.target, coupling.into)
        if self._clamped(coupling.source):
            if end not in totals:
                totals[end] = self._summed(layer, conjugate, passes, weights)
            clamped = passes[0].sent[coupling.name]
            return -coupling.operator.outer(xp, totals[end], clamped[: totals[end].shape[0], 0, ...])
        found = []
        for p in passes:
            here = conjugate(xp, self._here(layer, p))
            ends = _numbers(p.rows(weights), here) * here, p.sent[coupling.name]
            found.append(coupling.operator.outer(xp, *(xp.reshape(a, (-1, *a.shape[2:])) for a in ends)))
        return -sum(found)

    def _summed(self, layer: Layer, density: Formula, passes: Sequence[_Pass], weights: NDArray[np.float64]) -> Array:
        """A density's weighted sum over the stages, over passes with their signs, (batch, *shape)."""
        total = 0.0
        for p in passes:
            values = density(self.xp, self._here(layer, p))
            flat = self.xp.reshape(values, (*values.shape[:2], -1))
            sums = self.xp.matmul(alike(self.xp, weights[None, :], values), flat)
            total = total + p.folded(self.xp.reshape(sums, (values.shape[0], *values.shape[2:])))
        return total

    def _clamped(self, source: str) -> bool:
        """Whether what a population sends is the same at all times."""
        ports = [name for name, port in self.system.inputs.items() if port.population == source]
        timed = [n for n in ports if n in self.entering and self._timed(n, self.entering[n])]
        return source not in self.known.layers and not timed

    def _here(self, layer: Layer, motion: _Pass) -> dict[str, Array]:
        """Parameters of a layer and its fields in a pass, by their names in its equations."""
        start = f"{layer.name}."
        found = {key.removeprefix(start): v for key, v in self.parameters.items() if key.startswith(start)}
        fields = {key.removeprefix(start): v for key, v in motion.fields.items() if key.startswith(start)}
        return found | {STEP: self.h} | fields

    def _keep(self, layer: Layer) -> float:
        """e of a layer: the share of its velocity that is left after half a step."""
        here = {name: as_numpy(self.parameters[f"{layer.name}.{name}"]) for name in layer.keep.names if name != STEP}
        if layer.damping:
            here[layer.damping] = as_numpy(self._damping(layer))
        values = np.unique(np.asarray(layer.keep(np, here | {STEP: self.h})))
        if values.size > 1:
            raise CapabilityError(
                f"hamiltonian-echo: elements of {layer.name!r} are damped unlike each other; the echo knows uniform "
                "damping only; use rule 'reflected-wave'"
            )
        return float(values[0])

    def _damping(self, layer: Layer) -> Array:
        """The damping of the incident motion: what was given at its port, else the medium's own."""
        own = self.parameters[f"{layer.name}.{layer.damping}"]
        return self.passage.entering.get(layer.damping_port, own)

    def _gain(self) -> float:
        """e of all layers where the echo undoes it by gain; 1 where there is nothing to undo, or nothing to undo it."""
        if all(keep == 1 for keep in self.keeps.values()):
            return 1.0
        if len(self.signs) == 1:
            raise CapabilityError(
                "hamiltonian-echo, one-sided: the medium is damped, so the echo does not retrace the incident motion, "
                "and what it misses is divided by epsilon; use the symmetric echo, or a lossless medium"
            )
        if not all(layer.damping_port for layer in self.known.layers.values()):
            return 1.0
        if len(set(self.keeps.values())) > 1:
            raise CapabilityError(
                "hamiltonian-echo: layers are damped unlike each other, and gain repairs uniform damping only; give "
                "them one damping, or use rule 'reflected-wave'"
            )
        return next(iter(self.keeps.values()))

    def _timed(self, port: str, value: Array) -> bool:
        """Whether an input changes in time."""
        return value.ndim == len(self.system.populations[self.system.inputs[port].population].shape) + 2

    def _lasting(self, port: str, value: Array) -> Array:
        """An input with an entry for each of 0..N, the last one going on, where it changes in time."""
        if not self._timed(port, value):
            return value
        missing = self.steps + 1 - value.shape[1]
        return self.xp.concat([value[:, : self.steps + 1, ...], *[value[:, -1:, ...]] * max(missing, 0)], axis=1)


def _numbers(values: NDArray[np.float64], like: Array) -> Array:
    """Numbers (rows, entries), to be multiplied with (rows, entries, *shape)."""
    xp = array_api_compat.array_namespace(like)
    return alike(xp, np.reshape(values, (*values.shape, *(1,) * (like.ndim - 2))), like)


def _reduced(xp: Any, value: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the batch, and over the axes along which a parameter of `shape` was broadcast."""
    value = xp.sum(value, axis=tuple(range(value.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and value.shape[axis] != 1)
    return xp.sum(value, axis=stretched, keepdims=True) if stretched else value
