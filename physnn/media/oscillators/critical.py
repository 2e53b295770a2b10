"""Critical amplitude-phase modes (WETCOW): oscillators that spike, slow down and fall silent near a critical point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from physnn.equations import Coupling, Population, Sparse
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import is_size
from physnn.media.oscillators.critical_frequency import PUBLISHED, Anharmonicity, CriticalPoint, critical_point
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

COUPLINGS = "couplings"
EQUATIONS = """
da/dt = (gamma + drive + 1j*omega)*a + a*(growth - alpha*abs(a) + 1j*w_phi*re(a)) + z : 1 (complex)
growth = w_a*(re(a)*cos(psi) + im(a)*sin(psi)) : 1/s
drive : 1/s (arrival)
z     : 1/s (arrival, complex)
"""
_UNITS = {"gamma": "1/s", "omega": "1/s", "w_a": "1/s", "w_phi": "1/s", "psi": "1", "alpha": "1/s"}


@dataclass(frozen=True)
class CriticalModes(Part):
    """Modes a = A e^(i phi) of weakly evanescent waves, coupled in amplitude and phase.

        a_i' = (gamma_i + drive_i + i omega_i) a_i + a_i [w_a Re(a_i e^(-i psi)) - alpha |a_i| + i w_phi Re(a_i)]
               + sum_j r_ij a_j,                                             r_ij = w_ij e^(-i delta_ij)

    This is the published pair of equations for A and phi without their 1/A. a = 0 stays 0. Alone, a mode with
    0 < gamma < gamma_c spikes at omega F(gamma / gamma_c) and is silent beyond (`critical_frequency`).

    Parameters
    ----------
    name : str
    size : int
        Number of modes n; state `a` (n,), complex.
    gamma : float or array (n,)
        Excitation [1/s]. What arrives as `drive`, such as a sensory input, adds to it.
    omega : float or array (n,)
        Natural frequency [rad/s].
    couplings : array (n, n), optional
        r_ij [1/s], complex, from mode j to mode i, 0 on the diagonal; modes whose r_ij is 0 are not joined.
        `synchronising_couplings` solves for them.
    anharmonicity : Anharmonicity
        The nonlinear terms.
    start : complex or array (n,)
        Initial a, not 0.
    trainable : sequence of str
        What is learnt of gamma, omega, w_a, w_phi, psi, alpha and couplings.
    integrator : str
        "exponential" grows and turns linear waves exactly; "rk4" is of order 4 for uncoupled modes, but too long an
        expression to reflect waves in. Both need dt alpha |a| well below 2.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Source
    ------
    Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (10) to (12), (19) and (20).
    """

    name: str
    size: int
    gamma: Any = 1.0
    omega: Any = 1.0
    couplings: Any = None
    anharmonicity: Anharmonicity = PUBLISHED
    start: Any = 0.1
    trainable: tuple[str, ...] = ("gamma", "omega", COUPLINGS)
    bias: bool = False
    integrator: str = "exponential"
    signal: str = field(default="re(a)", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"critical modes {self.name!r}"
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number, at least 1")
        check_learnt(self.trainable, (*_UNITS, COUPLINGS), where)
        if np.any(np.asarray(self.start) == 0):
            raise ParameterError(
                f"{where}: start {self.start} holds 0, where a mode stays for ever; 0.05 to 0.5 is usual"
            )
        if self.couplings is not None:
            _check_couplings(self.couplings, self.size, where)

    @property
    def critical(self) -> CriticalPoint:
        """Where each mode, alone, falls silent."""
        return critical_point(self.omega, self.anharmonicity)

    def lower(self) -> Population:
        """The modes' equations."""
        flags = {name: "trainable" if name in self.trainable else "parameter" for name in _UNITS}
        declared = "".join(f"{name} : {unit} ({flags[name]})\n" for name, unit in _UNITS.items())
        terms = {name: getattr(self.anharmonicity, name) for name in ("w_a", "w_phi", "psi", "alpha")}
        return Population.from_text(
            self.name,
            self.size,
            EQUATIONS + declared,
            {"gamma": self.gamma, "omega": self.omega, "a": self.start, **terms},
            integrator=self.integrator,
        )

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The couplings between modes, in amplitude and phase; nothing is drawn."""
        if self.couplings is None or not np.any(self.couplings):
            return ()
        matrix = np.asarray(self.couplings, dtype=complex)
        rows, columns = np.nonzero(matrix)
        joined = Coupling(
            f"{self.name}->{self.name}",
            self.name,
            self.name,
            "a",
            Sparse(tuple(rows), tuple(columns), self.size, self.size),
            "z",
            unit="1/s",
            trainable=COUPLINGS in self.trainable,
            initial=matrix[rows, columns],
        )
        return (joined,)


def _check_couplings(couplings: Any, size: int, where: str) -> None:
    matrix = np.asarray(couplings)
    if matrix.shape != (size, size):
        raise ShapeError(f"{where}: couplings have shape {matrix.shape}; {size} modes need ({size}, {size})")
    if matrix.dtype.kind not in "biufc" or not np.all(np.isfinite(matrix)):
        raise ParameterError(f"{where}: couplings hold something that is not a finite number")
    if np.any(np.diagonal(matrix)):
        raise ParameterError(
            f"{where}: couplings have a diagonal that is not 0; what a mode does to itself is gamma + i omega"
        )
