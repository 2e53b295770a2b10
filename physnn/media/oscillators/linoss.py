"""Linear oscillatory state-space layer (LinOSS): forced oscillators without damping, read out linearly."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from physnn.equations import Population
from physnn.errors import UnknownNameError
from physnn.media.oscillators.roles import declared
from physnn.media.part import Part

SCHEMES = {"IM": "implicit", "IMEX": "symplectic"}
"""Name in the paper -> integrator."""

EQUATIONS = """
dx/dt = v               : 1
dv/dt = z - relu(A)*x   : 1/s
z : 1/s**2 (arrival)
A : 1/s**2 (parameter)
"""


@dataclass(frozen=True)
class LinOSS(Part):
    """The oscillators of an oscillatory state-space layer:  x'' = -relu(A) x + B u,  y = C x + D u.

    A is diagonal: one number an oscillator. B, C and D are links: into the oscillators, and from them and from the
    source into a part that adds what arrives.

    The scheme belongs to the model, for it decides whether the layer forgets: with "IM" both terms are taken at the end
    of the step, and an amplitude falls by 1/sqrt(1 + dt^2 A) a step; with "IMEX" it stays (for dt^2 A < 4).

    Parameters
    ----------
    name : str
    size : int
        Number of oscillators m; states x [1] and v = x' [1/s], (m,).
    stiffness : array_like
        A [1/s^2]; what is below 0 counts as 0. The paper draws it uniformly from 0 to 1.
    scheme : str
        "IM" or "IMEX".
    trainable : tuple of str
        Parameters that are learnt, by their symbols: A. Leave out what an input port sets.

    Raises
    ------
    UnknownNameError
        There is no such scheme.

    Source
    ------
    Rusch, Rus, Oscillatory state-space models (ICLR 2025), equation (1), discretised as LinOSS-IM and LinOSS-IMEX.

    Examples
    --------
    >>> from physnn.media import Link, Medium, Network, Readout, Source
    >>> network = Network(
    ...     (Source("u", 3), LinOSS("x", 8), Medium("sum", 2, "y : 1 (arrival)", signal="y", arrival="y")),
    ...     (Link("u", "x", "B"), Link("x", "sum", "C"), Link("u", "sum", "D")),
    ...     Readout("sum", "y"),
    ... )
    >>> network.lower().trainable
    ('B', 'C', 'D', 'x.A')
    """

    name: str
    size: int
    stiffness: ArrayLike = 1.0
    scheme: str = "IM"
    trainable: tuple[str, ...] = ("A",)
    unit: str = field(default="1/s**2", init=False, repr=False)

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise UnknownNameError("scheme of LinOSS", self.scheme, SCHEMES)

    def lower(self) -> Population:
        """The oscillators' equations."""
        equations = declared(EQUATIONS, self.trainable, f"oscillators {self.name!r}")
        integrator = SCHEMES[self.scheme]
        return Population.from_text(self.name, self.size, equations, {"A": self.stiffness}, integrator=integrator)
