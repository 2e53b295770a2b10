"""Duffing oscillators: a spring that hardens or softens with amplitude."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from physnn.equations import Population
from physnn.errors import ParameterError
from physnn.media.checks import at_once, finite, not_negative
from physnn.media.oscillators.roles import declared
from physnn.media.part import Part

EQUATIONS = """
dx/dt = v                               : 1
dv/dt = drive - g*v - k*x - beta*x**3   : 1/s
drive : 1/s**2 (arrival)
g     : 1/s    (parameter, at least 0)
k     : 1/s**2 (parameter)
beta  : 1/s**2 (parameter)
"""


@dataclass(frozen=True)
class Duffing(Part):
    """Duffing oscillators:  x'' + g x' + k x + beta x^3 = drive.

    Free and undamped, an amplitude A swings at  sqrt(k) + 3 beta A^2/(8 sqrt(k))  to first order in beta.

    Parameters
    ----------
    name : str
    size : int or tuple of int
        Shape of the states x [1] and v = x' [1/s].
    stiffness : array_like
        k [1/s^2]; below 0, which needs beta > 0, the rest position x = 0 is unstable between two wells.
    hardening : array_like
        beta [1/s^2]; below 0 the spring softens, and amplitudes above sqrt(-k/beta) run away.
    damping : array_like
        g [1/s], at least 0: below it they would grow without bound.
    trainable : tuple of str
        Parameters that are learnt, by their symbols: k, beta, g. Leave out what an input port sets.
    integrator : str
        Of `physnn.equations.integrators`; "imex" takes the damping implicitly.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError
        A value is not finite, or lets amplitudes grow without bound; when lowered, a value does not fit the shape, or
        there is no such integrator or parameter.

    Source
    ------
    Duffing, Erzwungene Schwingungen bei veraenderlicher Eigenfrequenz (1918); Landau, Lifshitz, Mechanics (1976),
    section 28 for the shift of the frequency.
    """

    name: str
    size: int | tuple[int, ...]
    stiffness: ArrayLike = 1.0
    hardening: ArrayLike = 0.5
    damping: ArrayLike = 0.1
    trainable: tuple[str, ...] = ("k", "beta")
    integrator: str = "imex"
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s**2", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"oscillators {self.name!r}"
        stiffness = finite(self.stiffness, "stiffness [1/s^2]", where)
        hardening = finite(self.hardening, "hardening [1/s^2]", where)
        not_negative(self.damping, "damping [1/s]", where)
        if at_once(stiffness < 0, hardening <= 0):
            raise ParameterError(
                f"{where}: a stiffness below 0 without hardening above 0 lets every amplitude grow without bound; "
                "choose a stiffness of at least 0, or a hardening above 0"
            )

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"g": self.damping, "k": self.stiffness, "beta": self.hardening}
        equations = declared(EQUATIONS, self.trainable, f"oscillators {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)
