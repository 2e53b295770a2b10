"""The neural wave machine: oscillators on a sheet, coupled through a learnt kernel, tuned by what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Convolution, Coupling, Population
from physnn.errors import ShapeError
from physnn.media.checks import not_negative
from physnn.media.fields.lattice import Sheet, sheet
from physnn.media.part import Part

EQUATIONS = """
dy/dt = v : 1
dv/dt = f*tanh(z) - omega*y - alpha*v : 1/s
z     : 1 (arrival)
f     : 1/s**2 (parameter)
omega : 1/s**2 (parameter)
alpha : 1/s (parameter)
"""

LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class NeuralWave(Part):
    """A sheet of coupled oscillators:  y'' = f tanh(W * y) - omega y - alpha y',  f = 1/s^2.

    W is a learnt kernel (channels, channels, 3, 3) on a torus, at first the five-point Laplacian within each channel
    and nothing between channels. omega [1/s^2] multiplies y: the angular frequency of a node alone is sqrt(omega).
    Input ports on `omega`, `alpha` and `y` take, sample by sample, what encoders make of an image; y starts the waves.

    The published scheme is the default, "symplectic": the new velocity moves y, all else is explicit. It is stable for
    dt^2 (8 + omega) + 2 dt alpha < 4 where W is the Laplacian and y is small; since |tanh| < 1, a large field can only
    grow where dt^2 omega + 2 dt alpha > 4. With "imex" the damping is implicit, and its sign in these limits changes.

    Parameters
    ----------
    name : str
    shape : tuple of int
        (channels, height, width), or (height, width) for one channel.
    omega : float or array
        [1/s^2], at least 0, for samples that are given none.
    alpha : float or array
        [1/s], at least 0, likewise.
    integrator : str

    Source
    ------
    "Traveling waves integrate spatial information" (2025), equation (9).
    """

    name: str
    shape: tuple[int, ...]
    omega: Any = 1.0
    alpha: Any = 0.0
    integrator: str = "symplectic"
    signal: str = field(default="y", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"neural wave {self.name!r}"
        if not isinstance(self.shape, Sequence) or len(self.shape) < 2:
            raise ShapeError(f"{where}: shape {self.shape!r} must be (height, width) or (channels, height, width)")
        sheet(self.shape, where)
        not_negative(self.omega, "omega [1/s^2]", where)
        not_negative(self.alpha, "alpha [1/s]", where)

    @property
    def nodes(self) -> Sheet:
        """(channels, height, width)."""
        return sheet(self.shape, f"neural wave {self.name!r}")

    def lower(self) -> Population:
        """The sheet's equations."""
        values = {"f": 1.0, "omega": self.omega, "alpha": self.alpha}
        return Population.from_text(self.name, self.nodes, EQUATIONS, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The kernel W under the tanh, learnt."""
        channels = self.nodes[0]
        operator = Convolution(channels, channels, (3, 3), "circular")
        return (Coupling(f"{self.name}/W", self.name, self.name, "y", operator, "z", initial=_kernel(channels)),)


def _kernel(channels: int) -> NDArray[np.float64]:
    return np.eye(channels)[:, :, None, None] * np.array(LAPLACIAN)
