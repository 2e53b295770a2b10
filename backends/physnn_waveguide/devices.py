"""What a network of lines is made of: its devices, and how many hops a wave front takes through it."""

from __future__ import annotations

import math

from physnn.equations import System


def inventory(system: System) -> dict[str, float]:
    """Devices of a System built from repeaters, lines and couplers.

    `mzi_depth` is the number of interferometers that a wave passes in the widest layer, if its matrix is built as two
    triangular meshes: twice the larger of fan-in (bias included) and fan-out.
    """
    size = {name: math.prod(p.shape) for name, p in system.populations.items()}
    active = {name: size[name] for name, p in system.populations.items() if p.dynamic}
    fan_in = {name: sum(c.operator.fan_in for a in p.role("arrival") for c in system.arriving(name, a)) for name, p in system.populations.items()}
    return {
        "repeater": float(sum(active.values())),
        "line": float(sum(size[c.source] for c in system.couplings.values())),
        "weight": float(sum(math.prod(c.operator.weight_shape) for c in system.couplings.values())),
        "input": float(sum(size[port.population] for port in system.inputs.values())),
        "output": float(sum(size[port.population] for port in system.outputs.values())),
        "mzi_depth": float(2 * max((max(fan_in[name], size[name]) for name in active), default=0)),
        "layer": float(len(active)),
    }


def hops(system: System) -> int:
    """Repeaters on the longest way through a feed-forward System; their number where it has loops."""
    active = [name for name, p in system.populations.items() if p.dynamic]
    if system.steady_order is None:
        return len(active)
    depth: dict[str, int] = {}
    for name in system.steady_order:
        before = [depth[c.source] for c in system.couplings.values() if c.target == name]
        depth[name] = max(before, default=0) + (1 if name in active else 0)
    return max(depth.values(), default=0)
