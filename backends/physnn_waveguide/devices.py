"""What a network of lines is made of: its devices, and how long a wave front takes through it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from physnn.equations import System


def inventory(system: System) -> dict[str, float]:
    """Devices of a System built from repeaters, lines and couplers.

    `mzi_depth` is the number of interferometers that a wave passes in the widest layer, if its matrix is built as two
    rectangular meshes (Clements et al. 2016): twice the larger of fan-in (bias included) and fan-out.
    """
    size = sizes(system)
    active = {name: size[name] for name, p in system.populations.items() if p.dynamic}
    lines_in = fan_in(system)
    return {
        "repeater": float(sum(active.values())),
        "line": float(sum(size[c.source] for c in system.couplings.values())),
        "weight": float(sum(math.prod(c.operator.weight_shape) for c in system.couplings.values())),
        "input": float(sum(size[port.population] for port in system.inputs.values())),
        "output": float(sum(size[port.population] for port in system.outputs.values())),
        "mzi_depth": float(2 * max((max(lines_in[name], size[name]) for name in active), default=0)),
        "layer": float(len(active)),
    }


def sizes(system: System) -> dict[str, int]:
    """Number of elements of each population."""
    return {name: math.prod(p.shape) for name, p in system.populations.items()}


def fan_in(system: System) -> dict[str, int]:
    """Lines that arrive at each element of each population."""
    found = dict.fromkeys(system.populations, 0)
    for coupling in system.couplings.values():
        found[coupling.target] += coupling.operator.fan_in
    return found


def read_back(system: System) -> int:
    """Waves that the host reads for a gradient: the incident ones at active sources, the reflected ones at targets.

    What sources of the outside world and constant lines send, the host knows.
    """
    size = sizes(system)
    trained = [c for c in system.couplings.values() if c.trainable]
    incident = {c.source for c in trained if system.populations[c.source].dynamic}
    reflected = {c.target for c in trained}
    return sum(size[name] for name in incident) + sum(size[name] for name in reflected)


def transit(system: System, settling: Mapping[str, float], travel: Mapping[str, float]) -> float:
    """Time in which a wave front passes and every repeater behind it settles [s, model time].

    Parameters
    ----------
    settling : mapping
        Population -> time in which it settles [s]; 0 for sources.
    travel : mapping
        Coupling -> time that it takes [s].

    The longest way through a feed-forward System; once through all populations where there are loops.
    """
    before = {
        name: [(c.source, travel[c.name]) for c in system.couplings.values() if c.target == name]
        for name in system.populations
    }
    if system.steady_order is None:
        return sum(settling[name] + max((t for _, t in ways), default=0.0) for name, ways in before.items())
    reached: dict[str, float] = {}
    for name in system.steady_order:
        reached[name] = settling[name] + max((reached[source] + t for source, t in before[name]), default=0.0)
    return max(reached.values(), default=0.0)
