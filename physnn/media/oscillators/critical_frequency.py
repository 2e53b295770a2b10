"""Closed forms of critical amplitude-phase modes: where they stop, how fast they spike, how they lock.

A single mode  a = A e^(i phi)  with excitation gamma spikes, slower and slower, until at gamma_c its limit cycle ends
in a saddle-node and it falls silent. Time scaled by omega leaves one universal function, omega_s / omega = F(gamma /
gamma_c). The published sqrt(1 - cr^2) is exact for w_a = 0 only, up to 31 % off elsewhere; F is tabulated here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.optimize import root_scalar

from physnn.errors import NumericsError, ParameterError, ShapeError

Real = NDArray[np.float64]
_PSI = 2.0 * math.atan(1.0 / 3.0)


@dataclass(frozen=True)
class Anharmonicity:
    """The nonlinear terms of a mode,  a [w_a Re(a e^(-i psi)) - alpha |a| + i w_phi Re(a)].

    The defaults are the published ones, for which phi_c = arctan(1/2), w = 1/2 and alpha = 3 exactly.

    Parameters
    ----------
    w_a : float or array
        How phase modulates growth [1/s].
    w_phi : float or array
        How amplitude modulates frequency [1/s], above 0.
    psi : float or array
        Phase at which growth is strongest [rad].
    alpha : float or array
        Nonlinear damping [1/s], above |w_a|: otherwise amplitudes grow without bound.

    Raises
    ------
    ParameterError

    Source
    ------
    Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (11), (12); psi as printed there. With -psi
    the true frequencies lie nearer to its equation (14) and its figure 1.
    """

    w_a: Any = 5.0**0.5
    w_phi: Any = 5.0**0.5
    psi: Any = _PSI
    alpha: Any = 3.0

    def __post_init__(self) -> None:
        values = {name: np.asarray(getattr(self, name)) for name in ("w_a", "w_phi", "psi", "alpha")}
        for name, value in values.items():
            if value.dtype.kind not in "iuf" or not np.all(np.isfinite(value)):
                raise ParameterError(f"anharmonicity: {name} {getattr(self, name)!r} must hold finite real numbers")
        if np.any(values["w_phi"] <= 0):
            raise ParameterError(
                f"anharmonicity: w_phi {self.w_phi} 1/s must be above 0; without it phases turn evenly and a mode has "
                "no critical excitation"
            )
        if np.any(values["alpha"] <= np.abs(values["w_a"])):
            raise ParameterError(
                f"anharmonicity: alpha {self.alpha} 1/s must be above |w_a| = {np.abs(self.w_a)} 1/s; otherwise "
                "amplitudes grow without bound"
            )

    @property
    def critical_phase(self) -> Real:
        """phi_c = arctan(w_a sin psi / sqrt(alpha^2 - (w_a sin psi)^2)) [rad], equation (17)."""
        lag = self.w_a * np.sin(self.psi)
        return np.arctan(lag / np.sqrt(np.square(self.alpha) - lag**2))

    @property
    def ratio(self) -> Real:
        """w = w_phi cos phi_c / (alpha + w_a cos(phi_c + psi)) = omega / gamma_c, equation (16); exact."""
        phase = self.critical_phase
        return self.w_phi * np.cos(phase) / (self.alpha + self.w_a * np.cos(phase + self.psi))


PUBLISHED = Anharmonicity()


@dataclass(frozen=True)
class CriticalPoint:
    """Where the limit cycle of a mode ends, in a saddle-node."""

    excitation: Real
    """gamma_c = omega / w [1/s]; from here on the mode is silent"""
    phase: Real
    """phase at which it stops, pi - phi_c [rad]"""
    amplitude: Real
    """amplitude at which it stops, omega / (w_phi cos phi_c)"""


def critical_point(omega: ArrayLike, anharmonicity: Anharmonicity = PUBLISHED) -> CriticalPoint:
    """The critical point of modes of natural frequency `omega` [rad/s], above 0:

        gamma_c = (omega / w_phi) [w_a cos psi + sqrt(alpha^2 - (w_a sin psi)^2)]  =  omega / w.

    Raises
    ------
    ParameterError

    Source
    ------
    Equations (15) to (17), which are exact: a fixed point needs A = -omega/(w_phi cos phi) and
    gamma = A (alpha - w_a cos(phi - psi)), and from gamma_c on there is one.
    """
    frequency = _frequencies(omega)
    phase = anharmonicity.critical_phase
    return CriticalPoint(
        frequency / anharmonicity.ratio, np.pi - phase, frequency / (anharmonicity.w_phi * np.cos(phase))
    )


def published_frequency(omega: ArrayLike, gamma: ArrayLike, anharmonicity: Anharmonicity = PUBLISHED) -> Real:
    """omega_s = sqrt(omega^2 - gamma^2 w^2) [rad/s], 0 beyond the critical point: what the paper states.

    It is exact for w_a = 0. For the published parameters the true frequency lies 4 % lower at a quarter of the critical
    excitation, 20 % at 0.9 of it and 29 % at 0.9975; without excitation a mode turns at omega, whatever gamma < 0.

    Source
    ------
    Equation (14).
    """
    lag = np.asarray(gamma) * anharmonicity.ratio
    return np.sqrt(np.maximum(_frequencies(omega) ** 2 - lag**2, 0.0))


def effective_frequency_ratio(criticality: ArrayLike) -> Real:
    """F(cr) = omega_s / omega of a mode at criticality cr = gamma / gamma_c, for the published anharmonicity.

    A cubic spline of F / sqrt(1 - cr^2) in sqrt(1 - cr) through 33 integrated values, within 1e-5 of direct
    integration; 1 for cr <= 0 (the mode decays and turns at omega), 0 for cr >= 1 (it is silent). For
    another anharmonicity, `integrated_frequency_ratio`.
    """
    cr = np.clip(np.asarray(criticality, dtype=float), 0.0, 1.0)
    return _spline()(np.sqrt(1.0 - cr)) * np.sqrt(1.0 - cr**2)


def integrated_frequency_ratio(criticality: float, anharmonicity: Anharmonicity = PUBLISHED) -> float:
    """omega_s / omega at a criticality in (0, 1), from the limit cycle itself.

    In log-amplitude L = ln A and for omega = 1,  L' = gamma + e^L [w_a cos(phi - psi) - alpha],
    phi' = 1 + e^L w_phi cos(phi)  are integrated over one turn (DOP853, relative tolerance 1e-12); the amplitude at the
    start is found for which the turn closes.

    Raises
    ------
    ParameterError
        The criticality is not above 0 and below 1, or the anharmonicity holds arrays.
    NumericsError
        No closed turn was found.
    """
    terms = (anharmonicity.w_a, anharmonicity.w_phi, anharmonicity.psi, anharmonicity.alpha)
    if not 0 < criticality < 1 or any(np.ndim(term) for term in terms):
        raise ParameterError(
            f"criticality {criticality}: the limit cycle of one mode (scalar anharmonicity) exists above 0 and below 1"
        )
    w_a, w_phi, psi, alpha = map(float, terms)
    gamma = criticality / float(anharmonicity.ratio)

    def slopes(_time: float, state: NDArray) -> tuple[float, float]:
        amplitude = math.exp(state[0])
        growth = gamma + amplitude * (w_a * math.cos(state[1] - psi) - alpha)
        return growth, 1.0 + amplitude * w_phi * math.cos(state[1])

    def turn(start: float) -> tuple[float, float]:
        """Period of one turn, and the log-amplitude at its end."""
        found = solve_ivp(slopes, (0.0, math.inf), (start, 0.0), "DOP853", events=_Turned(), rtol=1e-12, atol=1e-13)
        return found.t[-1], found.y[0, -1]

    guess = math.log(gamma / (alpha - w_a * math.cos(psi)))
    closed = root_scalar(lambda start: turn(start)[1] - start, x0=guess, x1=guess - 0.1, method="secant", xtol=1e-12)
    if not closed.converged:
        raise NumericsError(f"criticality {criticality}: no limit cycle found from log-amplitude {guess:.3g}")
    return 2.0 * math.pi / turn(closed.root)[0]


class _Turned:
    """Tells SciPy to stop where one turn of the phase is complete."""

    terminal = True

    def __call__(self, _time: float, state: NDArray) -> float:
        return state[1] - 2.0 * math.pi


def synchronising_couplings(omega: ArrayLike, gamma: ArrayLike, target_omega: float, target_gamma: float) -> NDArray:
    """Couplings that make n unlike modes behave as n equal ones of frequency and excitation (omega*, gamma*).

        r_ij = [(gamma* - gamma_i) + i (omega* - omega_i)] / (n - 1),   r_ii = 0

    With them the network is n equal modes with diffusive couplings, sum_j r_ij (a_j - a_i), which lock in phase where
    Re r > 0. The mismatch of frequencies is cancelled by design; it tolerates couplings wrong by about a fifth.

    Parameters
    ----------
    omega, gamma : array (n,)
        Natural frequencies [rad/s] and excitations [1/s] of the modes.
    target_omega, target_gamma : float
        Those of the locked state.

    Returns
    -------
    array (n, n), complex
        r_ij = w_ij e^(-i delta_ij) [1/s], from mode j to mode i, diagonal 0.

    Raises
    ------
    ShapeError, ParameterError

    Source
    ------
    Equations (26) to (30) with the sign of (30) as the Hamiltonian (9) gives it, omega_i - sum_j w_ij sin delta_ij; as
    printed the modes do not lock in phase.
    """
    frequencies, excitations = np.broadcast_arrays(np.asarray(omega, dtype=float), np.asarray(gamma, dtype=float))
    if frequencies.ndim != 1 or frequencies.size < 2:
        raise ShapeError(f"frequencies and excitations of shape {frequencies.shape}: one each for at least 2 modes")
    if np.any(excitations >= target_gamma):
        raise ParameterError(
            f"target excitation {target_gamma} 1/s must be above that of every mode, up to {excitations.max()} 1/s: "
            "otherwise the couplings push phases apart"
        )
    count = frequencies.size
    each = ((target_gamma - excitations) + 1j * (target_omega - frequencies)) / (count - 1)
    return np.where(np.eye(count, dtype=bool), 0.0, each[:, None])


def synchronisation_mismatch(
    couplings: ArrayLike, omega: ArrayLike, gamma: ArrayLike, frequency: float, ratio: float = 0.5, *, sign: int = -1
) -> Real:
    """omega*_i - sqrt(omega_s^2 + w^2 gamma*_i^2) [rad/s], (n,): what the paper's condition (28) wants to be 0.

        gamma*_i = gamma_i + sum_j w_ij cos delta_ij,    omega*_i = omega_i + sign sum_j w_ij sin delta_ij

    It is neither sufficient for phases to lock (gamma*_i and omega*_i must be the same for all modes) nor exact, since
    it rests on `published_frequency`. sign = -1 follows from the Hamiltonian, +1 is what equation (30) prints.

    Source
    ------
    Equations (28) to (30).
    """
    total = np.asarray(couplings).sum(axis=1)
    excitations = np.asarray(gamma) + total.real
    # r = w e^(-i delta), so that sum w sin(delta) = -Im(sum r).
    frequencies = np.asarray(omega) - sign * total.imag
    return frequencies - np.sqrt(frequency**2 + (ratio * excitations) ** 2)


def _frequencies(omega: ArrayLike) -> Real:
    frequency = np.asarray(omega, dtype=float)
    if not np.all(np.isfinite(frequency) & (frequency > 0)):
        raise ParameterError(f"natural frequency {omega!r} rad/s must be finite and above 0 for a critical point")
    return frequency


KNOTS = 32
"""The spline has its knots at sqrt(1 - cr) = 0, 1/32, ..., 1."""


def tabulated_ratios() -> tuple[float, ...]:
    """F / sqrt(1 - cr^2) at the inner knots, integrated anew: where `RATIOS` comes from (a few seconds)."""
    inner = [1.0 - (knot / KNOTS) ** 2 for knot in range(1, KNOTS)]
    return tuple(integrated_frequency_ratio(cr) / math.sqrt(1.0 - cr**2) for cr in inner)


# fmt: off
RATIOS = (
    0.704685328727, 0.716256670204, 0.727545464341, 0.738562213509, 0.749316753568, 0.759818236430,
    0.770075143532, 0.780095330487, 0.789886107253, 0.799454362834, 0.808806749475, 0.817949949298,
    0.826891057304, 0.835638130242, 0.844200972640, 0.852592261779, 0.860829154476, 0.868935570754,
    0.876945407076, 0.884906972633, 0.892888904328, 0.900987548795, 0.909334972518, 0.918104732908,
    0.927508318131, 0.937767963569, 0.949043258972, 0.961288957901, 0.974046235245, 0.986216386975,
    0.995868641857,
)
# fmt: on
"""`tabulated_ratios()`."""


@cache
def _spline() -> CubicSpline:
    # The limits are exact: 2 sqrt(3)/5 from the normal form of the saddle-node, 1 with slope 0 without excitation.
    values = (2.0 * math.sqrt(3.0) / 5.0, *RATIOS, 1.0)
    return CubicSpline(np.linspace(0.0, 1.0, KNOTS + 1), values, bc_type=("not-a-knot", (1, 0.0)))
