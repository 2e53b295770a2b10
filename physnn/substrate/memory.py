"""What a substrate remembers of its parameters: what was written, what the device holds, how old that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.substrate.placement import PlacedSystem

Judge = Callable[["Memory", Mapping[str, NDArray[Any]], Mapping[str, NDArray[Any]]], None]


class Memory:
    """Parameters of a placed System as NumPy arrays.

    Parameters
    ----------
    placed : PlacedSystem
    judge : callable, optional
        Called with the memory, what is to be written and what the device would hold, before either is kept; it may
        refuse them by an exception.
    """

    def __init__(self, placed: PlacedSystem, judge: Judge | None = None) -> None:
        self.placed, self._judge = placed, judge
        self.written: dict[str, NDArray[Any]] = {}
        """as they were written: the host's shadow values"""
        self.held: dict[str, NDArray[Any]] = {}
        """what range, bits, write noise, the die and drift made of them"""
        self.writes = 0
        self._ages: dict[str, float] = {}
        self.write(placed.system.parameters)

    def write(self, parameters: Mapping[str, Any]) -> None:
        """Program parameters.

        Raises
        ------
        UnknownNameError, ShapeError, ParameterError
        """
        self.placed.check_write(parameters)
        new = {name: np.array(value, dtype=np.result_type(value, float)) for name, value in parameters.items()}
        held = self.placed.realise(self.placed.completed(new, self.written), self.writes + 1)
        if not self.writes or not self.placed.weight_keys.issuperset(new):
            self.placed.stability.check(self.held | held)
        if self._judge is not None:
            self._judge(self, new, held)
        self.writes += 1
        self.written |= new
        self.held = self.held | held
        self._ages |= dict.fromkeys(new, 0.0)

    def wait(self, seconds: float) -> None:
        """Let time pass since programming [s]: weights drift until they are written again."""
        for name, factor in self.placed.decay(self.held, self._ages, seconds).items():
            self.held = self.held | {name: self.held[name] * factor}
            self._ages[name] = self._ages.get(name, 0.0) + seconds

    def read(self) -> dict[str, NDArray[Any]]:
        """The parameters as written."""
        return {name: value.copy() for name, value in self.written.items()}

    def snapshot(self) -> dict[str, Any]:
        """All of it."""
        return {
            "written": self.read(),
            "held": {name: value.copy() for name, value in self.held.items()},
            "writes": self.writes,
            "ages": dict(self._ages),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.written = {name: np.array(value) for name, value in snapshot["written"].items()}
        self.held = self.held | {name: np.array(value) for name, value in snapshot["held"].items()}
        self.writes, self._ages = snapshot["writes"], dict(snapshot["ages"])
