"""Stuart-Landau oscillators: what every oscillator looks like just above its onset."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import ArrayLike

from physnn.equations import Population
from physnn.errors import ParameterError
from physnn.media.checks import at_once, finite, not_negative
from physnn.media.oscillators.roles import declared
from physnn.media.part import Part

EQUATIONS = """
da/dt = (mu + 1j*omega)*a - k*a*abs(a)**2 + z : 1 (complex)
z     : 1/s (arrival, complex)
mu    : 1/s (parameter)
omega : 1/s (parameter)
k     : 1/s (parameter, at least 0)
"""


@dataclass(frozen=True)
class StuartLandau(Part):
    """Stuart-Landau oscillators:  a' = (mu + i omega) a - k |a|^2 a + z,  a complex.

    Without input they turn at omega; above mu = 0 with the amplitude sqrt(mu/k), below it they come to rest.

    Parameters
    ----------
    name : str
    size : int or tuple of int
        Shape of the states a [1].
    growth : array_like
        mu [1/s].
    frequency : array_like
        Angular frequency omega [rad/s].
    saturation : array_like
        k [1/s], at least 0, and above 0 where mu is: else amplitudes grow without bound.
    start : array_like
        a at the beginning [1], complex; an oscillator that starts at 0 stays there until something arrives.
    trainable : tuple of str
        Parameters that are learnt, by their symbols: mu, omega, k. Leave out what an input port sets.
    integrator : str
        Of `physnn.equations.integrators`; "exponential" takes growth and rotation exactly.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError
        A value is not finite, or lets amplitudes grow without bound; when lowered, a value does not fit the shape, or
        there is no such integrator or parameter.

    Source
    ------
    Landau, On the problem of turbulence (1944); Stuart, J. Fluid Mech. 9, 353 (1960).
    """

    name: str
    size: int | tuple[int, ...]
    growth: ArrayLike = 1.0
    frequency: ArrayLike = 1.0
    saturation: ArrayLike = 1.0
    start: ArrayLike = 0.1
    trainable: tuple[str, ...] = ("mu", "omega", "k")
    integrator: str = "exponential"
    signal: str = field(default="a", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"oscillators {self.name!r}"
        growth = finite(self.growth, "growth [1/s]", where)
        saturation = not_negative(self.saturation, "saturation [1/s]", where)
        if at_once(growth > 0, saturation == 0):
            raise ParameterError(
                f"{where}: growth above 0 without saturation lets amplitudes grow without bound; choose a saturation "
                "above 0, or a growth of at most 0"
            )

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"mu": self.growth, "omega": self.frequency, "k": self.saturation, "a": self.start}
        equations = declared(EQUATIONS, self.trainable, f"oscillators {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)
