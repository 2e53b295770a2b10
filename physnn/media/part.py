"""What a network is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from physnn.equations import Coupling, Population


class Part(ABC):
    """A medium: one population of elements, and how it is coupled to itself.

    A part may lower to more than one population (a bank of transformers to its two sides); a link then names the side,
    'NAME:SIDE'.

    Subclasses are frozen dataclasses with a `name`; they write their equations in `lower` and, where elements of the
    medium act on each other (the Laplacian of a field, the couplings of oscillators), the couplings in `inner`.
    """

    name: str
    signal: str = "x"
    """expression that couplings carry away"""
    arrival: str = "z"
    """name under which couplings deliver"""
    unit: str = "1"
    """unit of a weight that arrives here: that of the arrival divided by that of the signal"""
    bias: bool = False
    """whether a constant source line runs into `arrival`, with trainable weights"""

    @abstractmethod
    def lower(self) -> Population:
        """The medium's equations, read and checked.

        Raises
        ------
        EquationError, ShapeError, ParameterError
        """

    def populations(self) -> tuple[Population, ...]:
        """All populations of the part, read and checked."""
        return (self.lower(),)

    def side(self, side: str) -> str:
        """Name of the population at which a side of the part is found; `side` is what a link names after a colon."""
        return self.name

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """Couplings of the medium with itself, random weights drawn from `seed`."""
        return ()

    def check(self, arriving: Mapping[str, Sequence[str]]) -> None:
        """Whether the network joins the part as it must be joined; `arriving`: arrival -> couplings that deliver there.

        Raises
        ------
        EquationError
        """
        return  # most media may be joined in any way

    def check_sources(self, sources: Mapping[str, Sequence[Population]]) -> None:
        """Whether what is joined to the part suits it; `sources`: arrival -> populations that deliver there.

        Raises
        ------
        ParameterError
        """
        return  # most media take whatever arrives
