"""What one sweep through a System costs a processor, counted from its equations.

A coupling is one matrix product, a population one fused elementwise kernel; each moves its weights once a call, and its
operands and results once a sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from physnn.equations import System


@dataclass(frozen=True)
class Cost:
    """Counts of one sweep."""

    mac: float
    """multiply-accumulates a sample"""
    elementwise: float
    """elementwise operations a sample"""
    kernel: float
    """launched array operations a sweep, whatever the batch"""
    weight_byte: float
    """bytes of parameters read a sweep, whatever the batch"""
    state_byte: float
    """bytes of operands and results a sample"""

    def counts(self, batch: int, sweeps: int) -> dict[str, float]:
        """Counts of `sweeps` sweeps of a batch."""
        return {
            "mac": self.mac * batch * sweeps,
            "elementwise": self.elementwise * batch * sweeps,
            "kernel": self.kernel * sweeps,
            "memory_byte": (self.weight_byte + self.state_byte * batch) * sweeps,
        }


def cost_of(system: System, itemsize: int) -> Cost:
    """The cost of one sweep through a System with numbers of `itemsize` bytes."""
    mac = elementwise = state = weights = kernels = 0.0
    for coupling in system.couplings.values():
        source, target = system.populations[coupling.source], system.populations[coupling.target]
        mac += coupling.operator.macs(source.shape)
        weights += math.prod(coupling.operator.weight_shape)
        state += math.prod(source.shape) + math.prod(target.shape)
        kernels += 1
    for name, population in system.populations.items():
        own = [*population.flows.values(), *population.maps.values(), *population.constraints.values()]
        own += [system.signals[c.name] for c in system.leaving(name)]
        operations = sum(int(e.count_ops()) for e in own)
        if operations:
            size = math.prod(population.shape)
            elementwise += operations * size
            state += 2 * size * len(own)
            kernels += 1
    return Cost(mac, elementwise, kernels, weights * itemsize, state * itemsize)
