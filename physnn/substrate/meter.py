"""Counting what a substrate does; pricing the counts is another room's work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Meter:
    """Totals of everything that happened on a substrate since it was built.

    Parameters
    ----------
    host_is_device : bool
        True on processors, where the rule's and the optimiser's arithmetic runs on the same device as the network.
    """

    def __init__(self, host_is_device: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.host_is_device = host_is_device

    def add(self, **counts: float) -> None:
        """Add to the totals."""
        for name, number in counts.items():
            self.counts[name] += number  # type: ignore[assignment]  # typed for whole numbers, takes all

    def host(self, mac: float = 0.0, elementwise: float = 0.0, kernel: float = 0.0, memory_byte: float = 0.0) -> None:
        """Arithmetic of the learning rule and the optimiser."""
        if self.host_is_device:
            self.add(mac=mac, elementwise=elementwise, kernel=kernel, memory_byte=memory_byte)
        else:
            self.add(host_mac=mac, host_elementwise=elementwise, host_kernel=kernel)

    def since(self, before: Mapping[str, float]) -> dict[str, float]:
        """Totals less those of an earlier `dict(meter.counts)`."""
        grown = {name: number - before.get(name, 0.0) for name, number in self.counts.items()}
        return {name: number for name, number in grown.items() if number}
