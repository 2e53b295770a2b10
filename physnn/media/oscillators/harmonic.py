"""Damped harmonic oscillators: the linear parent of all that swings."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from physnn.equations import Population
from physnn.media.checks import finite, not_negative
from physnn.media.oscillators.roles import declared
from physnn.media.part import Part

EQUATIONS = """
dx/dt = v                                : 1
dv/dt = drive - gamma*v - omega**2*x     : 1/s
drive : 1/s**2 (arrival)
gamma : 1/s    (parameter, at least 0)
omega : 1/s    (parameter)
"""


@dataclass(frozen=True)
class Harmonic(Part):
    """Damped harmonic oscillators:  x'' + gamma x' + omega^2 x = drive.

    Free, they swing at sqrt(omega^2 - gamma^2/4) and decay at gamma/2; a constant drive moves them to drive/omega^2.

    Parameters
    ----------
    name : str
    size : int or tuple of int
        Shape of the states x [1] and v = x' [1/s].
    frequency : array_like
        Natural angular frequency omega [rad/s].
    damping : array_like
        gamma [1/s], at least 0: below it they would grow without bound.
    trainable : tuple of str
        Parameters that are learnt, by their symbols: omega, gamma. Leave out what an input port sets.
    integrator : str
        Of `physnn.equations.integrators`; "imex" takes the damping implicitly and keeps the energy where it is zero.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError
        A value is negative or not finite; when lowered, a value does not fit the shape, or there is no such integrator
        or parameter.

    Source
    ------
    Landau, Lifshitz, Mechanics (1976), section 25.
    """

    name: str
    size: int | tuple[int, ...]
    frequency: ArrayLike = 1.0
    damping: ArrayLike = 0.1
    trainable: tuple[str, ...] = ("omega", "gamma")
    integrator: str = "imex"
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s**2", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"oscillators {self.name!r}"
        finite(self.frequency, "frequency [rad/s]", where)
        not_negative(self.damping, "damping [1/s]", where)

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"gamma": self.damping, "omega": self.frequency}
        equations = declared(EQUATIONS, self.trainable, f"oscillators {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)
