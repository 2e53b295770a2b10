"""Spiking cells: leaky integrate-and-fire, with an adaptive threshold, with two compartments.

Potentials are in units of the threshold over rest: a cell rests at 0, fires at 1 and is reset to 0. A spike leaves as
tau delta(t), so that weights are pure numbers: one spike through a weight w lifts the potential of a cell of the same
time constant by w, and spikes at a rate r drive like a constant current w tau r.

Firing has no slope; for reflected waves a cell declares one, the `surrogate` (`physnn.equations.population.Event`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import expm
from scipy.optimize import brentq

from physnn.equations import Event, Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import is_size
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

ARCTAN = "1/(1 + (pi*margin)**2)"
"""slope of arctan(pi m)/pi + 1/2, m the potential over the threshold (Fang et al., ICCV 2021)"""


@dataclass(frozen=True)
class LIF(Part):
    """Leaky integrate-and-fire cells:  tau dv/dt = I - v,  v > 1: spike, v <- 0, and v rests for t_ref.

    The current I is what arrives, z, or what it leaves in a synapse, tau_s dI/dt = z - I, which goes on while v rests.

    Parameters
    ----------
    name : str
    size : int
        Number of cells n; state `v` (n,), pulses `spike` [1/s].
    time_constant : float or array (n,)
        tau of the membrane [s, model time].
    refractory : float or array (n,)
        t_ref [s, model time], 0 or more.
    synapse : float
        tau_s [s, model time]; 0 lets currents act at once.
    trainable : sequence of str
        What is learnt of tau and tau_s; weights of links are learnt in any case.
    surrogate : str
        Slope that firing is said to have, in `margin`, the potential over the threshold.
    bias : bool
        A constant current, with trainable weights.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Source
    ------
    Lapicque (1907); Gerstner, Kistler, Naud, Paninski, Neuronal Dynamics (2014), section 1.3.
    """

    name: str
    size: int
    time_constant: Any = 0.02
    refractory: Any = 0.002
    synapse: float = 0.0
    trainable: tuple[str, ...] = ()
    surrogate: str = ARCTAN
    bias: bool = False
    signal: str = field(default="tau*spike", init=False, repr=False)

    def __post_init__(self) -> None:
        if not is_size(self.size):
            raise ShapeError(f"cells {self.name!r}: size {self.size!r} must be a whole number, at least 1")
        self._check("time constant", self.time_constant, above=0.0, unit=" s")
        self._check("refractory time", self.refractory, least=0.0, unit=" s")
        self._check("time constant of the synapse", self.synapse, least=0.0, unit=" s")
        known = tuple(name for name in self.values() if name != "t_ref")
        check_learnt(self.trainable, known, f"cells {self.name!r}")

    def values(self) -> dict[str, Any]:
        """Parameters of the equations by name."""
        values = {"tau": self.time_constant, "t_ref": self.refractory}
        return {**values, "tau_s": self.synapse} if self.synapse else values

    def equations(self) -> str:
        """The equations, without the declarations of parameters."""
        current, synapse = self.current("z")
        return f"dv/dt = ({current} - v)/tau : 1 (unless refractory)\n{synapse}"

    def current(self, arrival: str) -> tuple[str, str]:
        """Name of the current that an arrival makes, and the lines that declare it."""
        declared = f"{arrival} : 1 (arrival)\n"
        if not self.synapse:
            return arrival, declared
        current = arrival.replace("z", "i", 1)
        return current, f"d{current}/dt = ({arrival} - {current})/tau_s : 1\n{declared}"

    def spike(self) -> Event:
        """When a cell fires and what becomes of it."""
        return Event("spike", "v > 1", {"v": "0"}, "t_ref", self.surrogate)

    def lower(self) -> Population:
        """The cells' equations; potentials are exact for constant currents."""
        text = self.equations()
        for name in self.values():
            flag = "trainable" if name in self.trainable else "parameter"
            text += f"{name} : {'s' if name.startswith('t') else '1'} ({flag})\n"
        return Population.from_text(
            self.name, self.size, text, self.values(), events=[self.spike()], integrator="exponential"
        )

    def rate(self, current: ArrayLike) -> NDArray[np.float64]:
        """Steady firing rate for a constant current I [1/s]:  f = 1/(t_ref + tau ln(I/(I - 1))),  0 for I <= 1."""
        drive = np.asarray(current, dtype=float)
        above = np.where(drive > 1, drive, np.inf)
        climb = -np.asarray(self.time_constant) * np.log1p(-1.0 / above)
        return np.where(drive > 1, 1.0 / np.where(drive > 1, self.refractory + climb, 1.0), 0.0)

    def _check(
        self, quantity: str, value: Any, *, above: float = -math.inf, least: float = -math.inf, unit: str = ""
    ) -> None:
        """Whether a number, or an array of them, is finite and large enough."""
        given = np.asarray(value)
        numbers = given.dtype.kind in "iuf" and bool(np.all(np.isfinite(given)))
        if not numbers or np.any(given <= above) or np.any(given < least):
            wanted = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
            raise ParameterError(f"cells {self.name!r}: {quantity} {value!r}{unit} must be finite and {wanted}")


@dataclass(frozen=True)
class AdaptiveLIF(LIF):
    """LIF cells whose threshold rises with every spike:  v > 1 + beta b: spike, v <- 0, b <- b + 1;  tau_b db/dt = -b.

    Parameters
    ----------
    adaptation : float or array (n,)
        beta, how much of a threshold one spike adds, 0 or more. `beta` may be trainable.
    adaptation_time : float or array (n,)
        tau_b [s, model time]. `tau_b` may be trainable.

    Source
    ------
    Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature Communications
    11:3625 (2020), the ALIF cell; here the potential is reset to rest, there a threshold is subtracted from it.
    """

    adaptation: Any = 0.2
    adaptation_time: Any = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("adaptation", self.adaptation, least=0.0)
        self._check("adaptation time", self.adaptation_time, above=0.0, unit=" s")

    def values(self) -> dict[str, Any]:
        """Parameters of the equations by name."""
        return {**super().values(), "beta": self.adaptation, "tau_b": self.adaptation_time}

    def equations(self) -> str:
        """The equations, without the declarations of parameters."""
        return super().equations() + "db/dt = -b/tau_b : 1\n"

    def spike(self) -> Event:
        """When a cell fires and what becomes of it."""
        return Event("spike", "v > 1 + beta*b", {"v": "0", "b": "b + 1"}, "t_ref", self.surrogate)

    def rate(self, current: ArrayLike) -> NDArray[np.float64]:
        """Steady firing rate 1/T for a constant current I [1/s]; 0 for I <= 1.

        Between spikes b falls by e^(-T/tau_b), so that it meets every spike at 1/(e^(T/tau_b) - 1):

            I (1 - e^(-(T - t_ref)/tau)) = 1 + beta / (e^(T/tau_b) - 1)
        """
        cell = (self.time_constant, self.refractory, self.adaptation, self.adaptation_time)
        return np.vectorize(_adaptive_rate, otypes=[float])(current, *cell)


@dataclass(frozen=True)
class TwoCompartmentLIF(LIF):
    """LIF cells with an apical dendrite that no spike resets.

        tau   dv/dt = I + c (a - v) - v            basal compartment and soma; v > 1: spike, v <- 0
        tau_a da/dt = I_apical + k (v - a) - a     apical compartment

    What arrives as `z` acts near the soma, what arrives as `z_apical` (a link with into="z_apical") far from it.

    Parameters
    ----------
    apical_time : float or array (n,)
        tau_a [s, model time]. `tau_a` may be trainable.
    to_soma, to_apical : float or array (n,)
        c and k, conductance between the compartments over the leak of the one that it enters, 0 or more. `c` and `k`
        may be trainable.

    Source
    ------
    Rospars, Lansky, "Stochastic model neuron without resetting of dendritic potential", Biological Cybernetics 69:283
    (1993), without its noise.
    """

    apical_time: Any = 0.02
    to_soma: Any = 0.5
    to_apical: Any = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("apical time constant", self.apical_time, above=0.0, unit=" s")
        self._check("conductance to the soma", self.to_soma, least=0.0)
        self._check("conductance to the apical compartment", self.to_apical, least=0.0)

    def values(self) -> dict[str, Any]:
        """Parameters of the equations by name."""
        return {**super().values(), "tau_a": self.apical_time, "c": self.to_soma, "k": self.to_apical}

    def equations(self) -> str:
        """The equations, without the declarations of parameters."""
        basal, first = self.current("z")
        apical, second = self.current("z_apical")
        return (
            f"dv/dt = ({basal} + c*(a - v) - v)/tau : 1 (unless refractory)\n"
            f"da/dt = ({apical} + k*(v - a) - a)/tau_a : 1\n{first}{second}"
        )

    def rate(self, current: ArrayLike, apical: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Steady firing rate for constant currents I and I_apical [1/s].

        0 where the silent cell rests at v = ((1 + k) I + c I_apical)/(1 + c + k) <= 1. Else 1/T, where T is the period
        after which both potentials repeat and v reaches 1: two exponentials after v is released, one before.
        """
        cell = (self.time_constant, self.refractory, self.apical_time, self.to_soma, self.to_apical)
        return np.vectorize(_two_compartment_rate, otypes=[float])(current, apical, *cell)


def _adaptive_rate(drive: float, tau: float, rest: float, beta: float, slow: float) -> float:
    def above(climb: float) -> float:
        """Potential over the threshold, `climb` seconds after v was released."""
        threshold = 1.0 + beta / math.expm1((rest + climb) / slow)
        return -drive * math.expm1(-climb / tau) - threshold

    return 1.0 / (rest + _first_zero(above, tau)) if drive > 1 else 0.0


def _two_compartment_rate(
    basal: float, apical: float, tau: float, rest: float, slow: float, c: float, k: float
) -> float:
    matrix = np.array([[-(1 + c) / tau, c / tau], [k / slow, -(1 + k) / slow]])
    silent = -np.linalg.solve(matrix, [basal / tau, apical / slow])
    if silent[0] <= 1:
        return 0.0
    # While v rests at 0, the apical potential approaches `held`; of its distance the share `kept` is left.
    held, kept = apical / (1 + k), math.exp(-rest * (1 + k) / slow)

    def above(climb: float) -> float:
        """v - 1 in the rhythm that repeats, `climb` seconds after v was released."""
        spread = expm(climb * matrix)
        offset = silent[1] - spread[1, 0] * silent[0] - spread[1, 1] * silent[1]
        start = (held * (1 - kept) + kept * offset) / (1 - kept * spread[1, 1])
        return float(silent[0] + spread[0] @ (np.array([0.0, start]) - silent) - 1.0)

    return 1.0 / (rest + _first_zero(above, tau))


def _first_zero(above: Callable[[float], float], scale: float) -> float:
    """Where a function that is negative at 0 and ends above 0 passes zero, to rounding [s]."""
    low, high = 1e-9 * scale, scale
    while above(high) < 0 and high < 1e6 * scale:
        high *= 2
    return float(brentq(above, low, high, xtol=1e-15 * scale, rtol=1e-14)) if above(low) < 0 else low
