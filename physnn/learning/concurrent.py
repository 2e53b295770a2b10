"""The concurrent mode of the reflected wave: both waves at once in one medium, and weights that drift meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import sympy as sp

from physnn.equations import Coupling, Dense, Input, OneToOne, Output, Population, System, Trace, Variable, reflected
from physnn.equations.parse import HAT
from physnn.errors import CapabilityError, UnknownNameError
from physnn.learning.about import About
from physnn.learning.hebbian import activity, count, products
from physnn.learning.objective import Objective
from physnn.learning.rule import Step
from physnn.media import SquaredError
from physnn.substrate.contract import Substrate

Array = Any
REFLECTED, SUPERPOSED = ".reflected", ".superposed"
_BACK = "back_"
_DRIFT = "dw/dt = -rate*post*pre : 1\npre : 1 (input)\npost : 1 (input)\nrate : 1/s (parameter)\n"


def coexisting(system: System, port: str = "y") -> System:
    """The union of a System and its reflected wave: one medium in which both run at the same time.

        dx_l/dt      = sigma(W_l x_(l-1)) - gamma x_l                                                       incident
        dlambda_l/dt = W_(l+1)^T ( sigma'(z_(l+1)) * lambda_(l+1) ) - gamma lambda_l (+ m * (y - y*))       reflected

    The reflected wave runs in the same time as the incident one and meets its present state, not its past: it is the
    adjoint in a stationary state, and up to the medium's own lag where things change slowly.

    Populations get the states `back_STATE`. Input ports get `PORT.target`, y*, and `PORT.shown`, m: 1 where the target
    is shown, 0 (not given) where the output boundary absorbs. Output ports get, for every trainable weight or
    parameter, `NAME.reflected`, dL/dz at its place, and for couplings `NAME.superposed`, what a probe at the coupling's
    far end sees: the layer's own wave minus that one.

    Parameters
    ----------
    system : System
    port : str
        Output port whose squared error is reflected.

    Raises
    ------
    CapabilityError
        Events or projections act: no stationary wave; or weights are plastic already.
    UnknownNameError
        There is no such output port.
    """
    if port not in system.outputs:
        raise UnknownNameError("output port", port, system.outputs)
    system.check_steady()
    return _Union(system, port).build()


class _Union:
    def __init__(self, system: System, port: str) -> None:
        self.system, self.port = system, port
        self.companion = reflected(system)
        mirror = self.companion.system
        self.new = {
            name: {
                own: replace(variable, name=_BACK + own.removesuffix(HAT))
                for own, variable in mirror.populations[name].variables.items()
                if own not in population.symbols and not own.endswith("_error")
            }
            for name, population in system.populations.items()
        }

    def build(self) -> System:
        mirror, end = self.companion.system, self.system.outputs[self.port].population
        populations = [self.population(name) for name in self.system.populations]
        back = [
            replace(
                coupling,
                name=_BACK + coupling.name,
                signal=self.moved(coupling.source, mirror.signals[coupling.name]),
                into=_BACK + coupling.into,
                trainable=self.system.couplings[coupling.name].trainable,
            )
            for coupling in mirror.couplings.values()
        ]
        inputs = {f"{self.port}.{kind}": Input(end, f"{self.port}_{kind}") for kind in ("target", "shown")}
        outputs = {}
        for name, place in self.companion.reflected.items():
            population, wave = mirror.outputs[place].population, self.moved_output(place)
            outputs[name + REFLECTED] = Output(population, wave)
            if name in self.system.couplings:
                outputs[name + SUPERPOSED] = Output(population, self.sent(population) - wave)
        couplings = [*self.system.couplings.values(), *back]
        return System.of(
            populations, couplings, {**self.system.inputs, **inputs}, {**self.system.outputs, **outputs}, derived=True
        )

    def sent(self, population: str) -> sp.Expr:
        """The layer's own wave, as what lies behind it sees it."""
        where, name = activity(self.system, population)
        return self.system.signals[name] if where == "sent" else self.system.readouts[name]

    def moved_output(self, place: str) -> sp.Expr:
        mirror = self.companion.system
        return self.moved(mirror.outputs[place].population, mirror.readouts[place])

    def moved(self, population: str, expression: sp.Expr) -> sp.Expr:
        """An expression of the companion in the variables of the union."""
        mirrored, own = self.companion.system.populations[population], self.new[population]
        swapped: dict[sp.Basic, sp.Basic] = {mirrored.symbols[name]: variable.symbol for name, variable in own.items()}
        for port in self.system.outputs:
            error = mirrored.symbols.get(f"{port}_error")
            if error is not None:
                swapped[error] = self.mismatch(population) if port == self.port else sp.Integer(0)
        return expression.xreplace(swapped)

    def mismatch(self, population: str) -> sp.Expr:
        """m (y - y*), the wave that the output boundary sends back."""
        driven = self.driven(population)
        return driven["shown"].symbol * (self.system.readouts[self.port] - driven["target"].symbol)

    def driven(self, population: str) -> dict[str, Variable]:
        """The inputs at the output boundary: the target, and whether it is shown."""
        if population != self.system.outputs[self.port].population:
            return {}
        is_complex = self.system.populations[population].is_complex(self.system.readouts[self.port])
        return {
            "target": Variable(f"{self.port}_target", "input", "1", is_complex),
            "shown": Variable(f"{self.port}_shown", "input"),
        }

    def population(self, name: str) -> Population:
        own, mirrored = self.system.populations[name], self.companion.system.populations[name]
        boundary = {variable.name: variable for variable in self.driven(name).values()}
        waves = {variable.name: variable for variable in self.new[name].values()}

        def joined(kind: str) -> dict[str, sp.Expr]:
            back: Mapping[str, sp.Expr] = getattr(mirrored, kind)
            return {**getattr(own, kind), **{self.new[name][n].name: self.moved(name, e) for n, e in back.items()}}

        return replace(
            own,
            variables={**own.variables, **waves, **boundary},
            flows=joined("flows"),
            maps=joined("maps"),
            constraints=joined("constraints"),
            text="coexisting:" + own.text,
        )


def drifting(system: System, rate: float) -> System:
    """A System with both waves whose weights drift while they run:  dW/dt = -rate (sigma'(z) * lambda) x^T.

    A junction that is passed both ways is one weight; here it is two plastic couplings, one for each direction, which
    start alike and see the same two waves at their two ends, and so stay alike. The batch shares its weights: they
    drift by the mean over it.

    Parameters
    ----------
    system : System
        What `coexisting` makes.
    rate : float
        [1/s, model time]

    Raises
    ------
    CapabilityError
        A trainable coupling is neither dense nor one-to-one, or has a delay: its ends meet different waves.
    """
    names = [c.name for c in system.couplings.values() if c.trainable and c.name + REFLECTED in system.outputs]
    definitions: dict[str, dict[str, sp.Expr]] = {name: dict(p.definitions) for name, p in system.populations.items()}
    couplings = dict(system.couplings)
    for number, name in enumerate(names):
        forward = system.couplings[name]
        _check_drifts(forward)
        met, sent = f"met_{number}", f"sent_{number}"
        definitions[forward.target][met] = system.readouts[name + REFLECTED]
        definitions[forward.source][sent] = system.signals[name]
        couplings[name] = _plastic(forward, forward.operator, forward.initial, rate, met)
        back = system.couplings.get(_BACK + name)
        if back is not None:
            shape = system.populations[forward.source].shape
            operator, initial = forward.operator, np.asarray(forward.initial)
            if isinstance(operator, Dense):
                operator = Dense(operator.columns, operator.rows, shape if len(shape) > 1 else None)
                initial = initial.T
            couplings[back.name] = _plastic(back, operator, initial, rate, sent)
    populations = [replace(p, definitions=definitions[p.name]) for p in system.populations.values()]
    return System.of(populations, couplings.values(), system.inputs, system.outputs, derived=True)


def _check_drifts(coupling: Coupling) -> None:
    if not isinstance(coupling.operator, Dense | OneToOne):
        raise CapabilityError(
            f"coupling {coupling.name!r}: only dense and one-to-one weights see one wave at either end of each weight; "
            "take small steps from the waves that `Concurrent` measures"
        )
    if coupling.delay:
        raise CapabilityError(
            f"coupling {coupling.name!r}: with a delay of {coupling.delay} s the two waves meet at different times at "
            "its two ends; take small steps from the waves that `Concurrent` measures"
        )


def _plastic(coupling: Coupling, operator: Any, initial: Any, rate: float, post: str) -> Coupling:
    law = Population.from_text("drift", operator.weight_shape, _DRIFT, {"rate": rate})
    return replace(
        coupling, operator=operator, initial=initial, weights=coupling.name, trainable=False, plasticity=law, post=post
    )


@dataclass(frozen=True)
class Concurrent:
    """The reflected wave without phases: incident and reflected wave coexist, each weight sees their present product.

        dW_l/dt = -eta < ( sigma'(z_l) * lambda_l ) x_(l-1)^T >       both waves at the same time t

    It needs a substrate that carries both waves, built from `coexisting(system)`. What it measures in a batch is the
    mean of that product over the objective's duration, from rest, the time of settling included; with no duration both
    waves are stationary together, the limit of learning that is slow against the medium. The optimiser's steps are the
    drift, as seen by a host; `drifting` writes it into the equations instead.

    Local: the product of the two waves at one weight, and no phase signal tells them when. Not local: nothing, where
    the medium is reciprocal, its repeaters have the small-signal gain sigma' backwards, and its output boundary
    reflects y - y*; a softmax or a digital head would need all outputs at one place: the loss is the squared error.

    Source
    ------
    "Neural networks are wave propagation systems" (2026), part III, problem 2: waves coexist; "Deriving backpropagation
    from wave equations" (2026), equations (1) to (7), for what the two waves are.
    """

    name: str = "concurrent"
    about: ClassVar[About] = About(
        equation="dW_l/dt = -eta < (sigma'(z_l) * lambda_l) x_(l-1)^T >, both waves at the same time",
        companion="reflected wave, united with the System in one medium (coexisting)",
        needs="a System that carries both waves, squared error read at the end, no events",
        local="the product of the two waves at either end of a weight; no phases",
        not_local="nothing, in a reciprocal medium with small-signal gain sigma' backwards",
        source='"Neural networks are wave propagation systems" (2026), part III, problem 2',
    )

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The mean product of the two waves over the time a batch is shown."""
        xp, system = substrate.xp, substrate.placed.system
        trace = together(substrate, inputs, targets, objective, shown=True)
        y = objective.readout.read(xp, trace)
        loss, _ = objective.loss(xp, y, targets)
        found = measured(xp, system, trace, REFLECTED)
        count(substrate, y.shape[0], trace)
        return Step({key: value * (1.0 / y.shape[0]) for key, value in found.items()}, loss, y)


def together(
    substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective, *, shown: bool
) -> Trace:
    """One trace of both waves, the target shown or the output boundary absorbing.

    Raises
    ------
    CapabilityError
        The medium carries one wave alone, or the loss does not arise at the output boundary.
    """
    port = objective.readout.port
    _check(substrate.placed.system, objective)
    present = substrate.xp.ones_like(targets) if shown else substrate.xp.zeros_like(targets)
    driven = {**inputs, f"{port}.target": targets, f"{port}.shown": present}
    return substrate.steady(driven) if objective.duration is None else substrate.run(driven, objective.duration)


def measured(xp: Any, system: System, trace: Trace, kind: str) -> dict[str, Array]:
    """The ports `NAME + kind` of a trace, by parameter or coupling, correlated with what entered there: mean over time.

    Summed over the batch.
    """
    waves = {port.removesuffix(kind): trace.outputs[port] for port in system.outputs if port.endswith(kind)}
    times = 1.0 if trace.steady else trace.step * next(iter(waves.values())).shape[1]
    return {key: value * (1.0 / times) for key, value in products(xp, system, trace, waves).items()}


def _check(system: System, objective: Objective) -> None:
    if f"{objective.readout.port}.target" not in system.inputs:
        raise CapabilityError(
            "this medium carries the incident wave alone, and nothing comes back while it runs; build the substrate "
            "from coexisting(system), which adds the reflected wave"
        )
    if not isinstance(objective.loss, SquaredError) or objective.digital or objective.readout.kind != "last":
        raise CapabilityError(
            "both waves at once: the output boundary itself reflects y - y*, element by element; that is the squared "
            'error of a readout "last" without digital layers, not another loss, readout or head'
        )
