"""Sources, and media that users write as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Event, Population
from physnn.errors import EquationError, ShapeError, nearest
from physnn.media.checks import is_size
from physnn.media.part import Part


@dataclass(frozen=True)
class Source(Part):
    """Where the outside world enters: `size` lines that carry the input u unchanged."""

    name: str
    size: int | tuple[int, ...]
    signal: str = field(default="u", init=False, repr=False)

    def __post_init__(self) -> None:
        sides = self.size if isinstance(self.size, Sequence) else (self.size,)
        if not all(is_size(side) for side in sides) or not sides:
            raise ShapeError(f"source {self.name!r}: size {self.size!r} must be whole numbers, at least 1")

    def lower(self) -> Population:
        """The source's equations: an input and nothing else."""
        return Population.from_text(self.name, self.size, "u : 1 (input)")


@dataclass(frozen=True)
class Medium(Part):
    """A medium of one's own, written as equations.

    Examples
    --------
    >>> duffing = Medium(
    ...     "oscillators", 8,
    ...     '''
    ...     dx/dt = v                                : 1
    ...     dv/dt = drive - g*v - k*x - beta*x**3    : 1/s
    ...     drive : 1/s**2 (arrival)
    ...     g     : 1/s    (parameter)
    ...     k     : 1/s**2 (parameter)
    ...     beta  : 1/s**2 (trainable)
    ...     ''',
    ...     {"g": 0.5, "k": 1.0, "beta": 0.3}, signal="x", arrival="drive", unit="1/s**2",
    ... )
    >>> duffing.lower().dynamic
    ('x', 'v')
    """

    name: str
    shape: int | tuple[int, ...]
    equations: str
    values: Mapping[str, Any] = field(default_factory=dict)
    signal: str = "x"
    """expression that couplings carry away"""
    arrival: str = "z"
    """name under which couplings deliver"""
    unit: str = "1"
    """unit of a weight that arrives here: that of the arrival divided by that of the signal"""
    events: Sequence[Event] = ()
    projections: Mapping[str, str] = field(default_factory=dict)
    bias: bool = False
    """a constant source line runs into `arrival`, with trainable weights"""
    integrator: str = "euler"
    """how simulators step it in time; `physnn.equations.integrators` lists them"""

    def lower(self) -> Population:
        """The medium's equations, read and checked.

        Raises
        ------
        EquationError, ShapeError, ParameterError
        """
        population = Population.from_text(
            self.name,
            self.shape,
            self.equations,
            self.values,
            events=self.events,
            projections=self.projections,
            integrator=self.integrator,
        )
        arrivals = population.role("arrival")
        if self.bias and self.arrival not in arrivals:
            raise EquationError(
                f"medium {self.name!r}: a bias needs the arrival {self.arrival!r}, which no equation declares"
                f"{nearest(self.arrival, arrivals) if arrivals else ''}; name it with `arrival`"
            )
        return population
