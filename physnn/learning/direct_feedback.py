"""Direct feedback alignment: the error goes straight to every layer, by a fixed random path of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from physnn.equations import Companion, Coupling, Dense, System
from physnn.errors import CapabilityError
from physnn.learning.about import About
from physnn.learning.objective import Objective
from physnn.learning.rule import Passage, Returned, Step, step_about
from physnn.learning.way_back import returned_on_host
from physnn.substrate.contract import Substrate

Array = Any


@dataclass(frozen=True)
class DirectFeedback:
    """As feedback alignment, but no error passes through a layer: e, the error where the output layer is driven, goes
    to each hidden layer l by a fixed random matrix B_l.

        delta_l = B_l e,     dW_l proportional to ( sigma'(z_l) * delta_l ) x_(l-1)^T,     e = sigma'(z_L) * dL/dx_L

    B_l is drawn once, normal, standard deviation 1/sqrt(elements of l). A path is as late as the way through the layers
    that it replaces. The host computes the paths, and sigma'(z_l) from the measured z_l and the described sigma; it is
    billed for that, and for reading the waves.

    Local: each weight needs what enters it, and one broadcast error. Not local: nothing but that broadcast. The update
    is no gradient; its alignment is measured.

    Source
    ------
    A. Nokland, NeurIPS 2016.
    """

    about: ClassVar[About] = About(
        equation="delta_l = B_l e, dW_l ~ (sigma'(z_l) * delta_l) x_(l-1)^T, e = sigma'(z_L) * dL/dx_L",
        companion="the reflected wave, each layer fed from the output by a fixed random path; computed by the host",
        needs="reading every hidden wave; layers in a row without loops, and one output layer",
        local="the incident wave and the error that arrives by the weight's own path",
        not_local="the broadcast of the output's error to all layers",
        source="A. Nokland, NeurIPS 2016",
    )
    gradient_label: ClassVar[str] = "twin-assisted"
    name: str = "direct-feedback"
    _companions: WeakKeyDictionary[Substrate, dict[tuple[tuple[str, ...], bool], Companion]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    def step(self, substrate: Substrate, inputs: Mapping[str, Array], targets: Array, objective: Objective) -> Step:
        """The update direction of one batch.

        Raises
        ------
        CapabilityError
            The network has loops, or several output layers.
        """
        placed, made = substrate.placed, self._companions.setdefault(substrate, {})
        ports, timed = tuple(objective.encoders), objective.duration is not None
        if (ports, timed) not in made:
            made[ports, timed] = direct(placed.system, placed.companion("random", ports, discrete=timed))
        companion = made[ports, timed]

        def way_back(passage: Passage, cotangents: Mapping[str, Array]) -> Returned:
            parameters = substrate.read() | placed.feedback(companion)
            return returned_on_host(substrate, passage, cotangents, companion, parameters)

        return step_about(substrate, inputs, targets, objective, way_back)


def direct(system: System, companion: Companion) -> Companion:
    """The companion with one path from the output layer to each hidden one in place of the paths from layer to layer.

    Raises
    ------
    CapabilityError
        The System has loops, or several output layers, or one that waves enter in several ways.
    """
    last = {port.population for port in system.outputs.values()}
    order = system.steady_order
    if order is None or len(last) != 1:
        found = "the network has loops" if order is None else f"it is read at {', '.join(sorted(last))}"
        raise CapabilityError(
            f"direct feedback goes from one output layer to the layers before it, but {found}; use feedback-alignment"
        )
    output = last.pop()
    reflected = companion.system
    driven = {c.name: reflected.signals[c.name] for c in reflected.leaving(output)}
    if len(set(driven.values())) > 1:
        raise CapabilityError(f"waves enter the output layer {output!r} in several ways; use feedback-alignment")
    late, paths = {output: 0.0}, []
    for name in reversed(order):
        ways = [c for arrival in reflected.populations[name].role("arrival") for c in reflected.arriving(name, arrival)]
        ways = [c for c in ways if c.source in late]
        if name not in late and ways:
            way = min(ways, key=lambda c: c.delay + late[c.source])
            late[name] = way.delay + late[way.source]
            paths.append(_path(reflected, way, output, next(iter(driven.values())), late[name]))
    feedback = {path.key: path.operator.weight_shape for path in paths}
    system = System.of(reflected.populations.values(), paths, reflected.inputs, reflected.outputs, derived=True)
    return replace(companion, system=system, feedback=feedback)


def _path(reflected: System, way: Coupling, output: str, error: Any, delay: float) -> Coupling:
    """One path from the output layer, which arrives where `way` does."""
    shape, fed_from = reflected.populations[way.target].shape, reflected.populations[output].shape
    operator = Dense(math.prod(shape), math.prod(fed_from), shape if len(shape) > 1 else None)
    key = f"{output}=>{way.target}.feedback"
    return replace(way, source=output, signal=error, operator=operator, delay=delay, weights=key)
