"""One line of a benchmark: what was measured, with its spread, and what was promised."""

from __future__ import annotations

from dataclasses import dataclass

from physnn.benchmarks.timing import Spread

SIMULATOR, ORACLE = "ideal-waveguide", "ideal-torch"


@dataclass(frozen=True)
class Figure:
    """A measured quantity, or the reason why there is none."""

    group: str
    what: str
    value: Spread | None
    unit: str
    most: float | None = None
    """what was promised at most"""
    note: str = ""
    """what it is made of, or why it was not measured"""
    least: float | None = None
    """what was promised at least"""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps what was promised; None where nothing was. Nothing measured keeps no promise."""
        if self.most is None and self.least is None:
            return None
        if self.value is None:
            return False
        median = self.value.median
        return (self.most is None or median <= self.most) and (self.least is None or median >= self.least)


@dataclass(frozen=True)
class Settings:
    """How thoroughly is measured."""

    rounds: int = 9
    """in each of which everything that is compared runs once"""
    profiles: tuple[str, ...] = (SIMULATOR, ORACLE)
    """on which the large network runs"""
    sizes: tuple[int, ...] = (784, 300, 10)
    """inputs, hidden lines and outputs of the large network"""
    small: tuple[int, ...] = (64, 32, 10)
    """those of the network on which delay and loss are changed"""
    batches: tuple[int, ...] = (1, 32, 256)
    meshes: tuple[int, ...] = (16, 32, 64, 128)
    """nodes on a side"""
    delays: tuple[int, ...] = (1, 2, 8, 32)
    """steps"""
    steps: int = 30
    """of one timed run: one way of a pass in training"""
