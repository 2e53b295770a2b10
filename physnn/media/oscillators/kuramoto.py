"""Kuramoto oscillators: phases that pull each other.

The sine of a phase difference is written as products, sin(b - a) = sin b cos a - cos b sin a, so that couplings carry
sin(theta) and cos(theta) linearly and the equation stays element by element.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.equations import Coupling, Dense, Mean, Population
from physnn.errors import ShapeError
from physnn.media.checks import finite, is_size
from physnn.media.oscillators.roles import check_learnt, declared
from physnn.media.part import Part

PAIRS = """
dtheta/dt = omega + s*cos(theta) - c*sin(theta) + drive : 1
s     : 1/s (arrival)
c     : 1/s (arrival)
drive : 1/s (arrival)
omega : 1/s (parameter)
"""

MEAN_FIELD = """
dtheta/dt = omega + K*(s*cos(theta + alpha) - c*sin(theta + alpha)) + drive : 1
s     : 1   (arrival)
c     : 1   (arrival)
drive : 1/s (arrival)
omega : 1/s (parameter)
K     : 1/s (parameter)
alpha : 1   (parameter)
"""


@dataclass(frozen=True)
class Kuramoto(Part):
    """Phases that pull each other in pairs:  theta_i' = omega_i + sum_j K_ij sin(theta_j - theta_i - alpha_ij) + drive.

    The weights are K cos(alpha), "NAME.K", and where there are lags K sin(alpha), "NAME.lagged".

    Parameters
    ----------
    name : str
    size : int
        Number of oscillators n; states theta [rad], (n,).
    frequency : array_like
        Natural angular frequencies omega [rad/s].
    coupling : array_like
        K_ij [1/s], (n, n), row: who is pulled; one number K stands for K/n everywhere.
    lags : array_like
        alpha_ij [rad], (n, n) or one number; without any, half of the couplings are left out.
    start : array_like
        Phases at the beginning [rad].
    trainable : tuple of str
        What is learnt: omega, K (its lags with it). Leave out what an input port sets.
    integrator : str
        Of `physnn.equations.integrators`.

    Raises
    ------
    ShapeError, ParameterError
        Couplings or lags are not (n, n), or not finite.

    Source
    ------
    Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984), section 5.4; Sakaguchi, Kuramoto, Prog. Theor. Phys.
    76, 576 (1986) for the lags.
    """

    name: str
    size: int
    frequency: ArrayLike = 0.0
    coupling: ArrayLike = 1.0
    lags: ArrayLike = 0.0
    start: ArrayLike = 0.0
    trainable: tuple[str, ...] = ("omega", "K")
    integrator: str = "euler"
    signal: str = field(default="sin(theta)", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        _check_size(self.name, self.size)
        check_learnt(self.trainable, ("omega", "K"), f"Kuramoto oscillators {self.name!r}")
        self._square("coupling", self.coupling)
        self._square("lags", self.lags)

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"omega": self.frequency, "theta": self.start}
        own = [name for name in self.trainable if name != "K"]
        equations = declared(PAIRS, own, f"Kuramoto oscillators {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The pulls: two couplings that share K cos(alpha), and two that share K sin(alpha) where there are lags."""
        pull, lags = self._square("coupling", self.coupling), self._square("lags", self.lags)
        if np.ndim(self.coupling) == 0:
            pull = pull / self.size
        shared = {"K": (pull * np.cos(lags), {"s": "sin(theta)", "c": "cos(theta)"})}
        if np.any(lags):
            shared["lagged"] = (pull * np.sin(lags), {"s": "-cos(theta)", "c": "sin(theta)"})
        return tuple(
            Coupling(
                f"{self.name}.{key}.{into}",
                self.name,
                self.name,
                signal,
                Dense(self.size, self.size),
                into,
                unit="1/s",
                trainable="K" in self.trainable,
                weights=f"{self.name}.{key}",
                initial=weights,
            )
            for key, (weights, signals) in shared.items()
            for into, signal in signals.items()
        )

    def _square(self, what: str, given: ArrayLike) -> NDArray[np.float64]:
        where = f"Kuramoto oscillators {self.name!r}"
        values, wanted = finite(given, what, where), (self.size, self.size)
        if values.shape not in ((), wanted):
            raise ShapeError(f"{where}: {what} of shape {values.shape}; give one number or an array of shape {wanted}")
        return np.broadcast_to(values, wanted)


@dataclass(frozen=True)
class MeanFieldKuramoto(Part):
    """Phases in their own mean field:  theta_i' = omega_i + K r sin(psi - theta_i - alpha) + drive.

    r e^(i psi) is the mean of all e^(i theta), so a step costs as much as there are oscillators, not pairs. Where the
    frequencies have a Lorentzian distribution of half width Delta, and alpha = 0, they begin to agree at K = 2 Delta;
    above it r = sqrt(1 - 2 Delta/K).

    Parameters
    ----------
    name : str
    size : int
        Number of oscillators n; states theta [rad], (n,).
    frequency : array_like
        Natural angular frequencies omega [rad/s].
    coupling : array_like
        K [1/s].
    lag : array_like
        alpha [rad].
    start : array_like
        Phases at the beginning [rad].
    trainable : tuple of str
        Parameters that are learnt, by their symbols: omega, K, alpha. Leave out what an input port sets.
    integrator : str
        Of `physnn.equations.integrators`.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError
        When lowered: a value does not fit the shape or is not finite, or there is no such integrator or parameter.

    Source
    ------
    Kuramoto, Chemical Oscillations, Waves, and Turbulence (1984), section 5.4; Strogatz, Physica D 143, 1 (2000),
    section 4, for r(K).
    """

    name: str
    size: int
    frequency: ArrayLike = 0.0
    coupling: ArrayLike = 1.0
    lag: ArrayLike = 0.0
    start: ArrayLike = 0.0
    trainable: tuple[str, ...] = ("omega", "K", "alpha")
    integrator: str = "euler"
    signal: str = field(default="sin(theta)", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        _check_size(self.name, self.size)

    def lower(self) -> Population:
        """The oscillators' equations."""
        values = {"omega": self.frequency, "K": self.coupling, "alpha": self.lag, "theta": self.start}
        equations = declared(MEAN_FIELD, self.trainable, f"Kuramoto oscillators {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The mean field r e^(i psi), its imaginary part and its real part."""
        return tuple(
            Coupling(
                f"{self.name}.mean.{into}",
                self.name,
                self.name,
                signal,
                Mean((self.size,)),
                into,
                trainable=False,
                weights=f"{self.name}.mean",
                initial=np.ones(1),
            )
            for into, signal in (("s", "sin(theta)"), ("c", "cos(theta)"))
        )


def _check_size(name: str, size: object) -> None:
    if not is_size(size):
        raise ShapeError(f"Kuramoto oscillators {name!r}: size {size!r} must be a whole number, at least 1")
