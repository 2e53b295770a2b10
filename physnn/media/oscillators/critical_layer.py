"""A layer of critical modes, each of which answers with how fast it spikes: what is trained where modes learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Population
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.checks import finite, is_size, positive
from physnn.media.oscillators.roles import check_learnt, declared
from physnn.media.part import Part

EXCITATION, DETUNING = "excitation", "detuning"
MEASURED = (
    "(0.6870808 + u*(0.3762208 + u*(-0.1978113 + u*(0.1412744 - 0.1685873*u)))"
    " + (0.0063255 + 0.0001922*u)/((u - 1.0346)**2 + 0.03907))"
)
"""F(cr) / sqrt(1 - cr^2) in u = sqrt(1 - cr), within 4e-5 of `effective_frequency_ratio` (least maximal error)"""
LAWS = {"measured": MEASURED, "published": "1"}
"""Name of a law -> its F(cr) / sqrt(1 - cr^2) in u = sqrt(1 - cr)."""

EQUATIONS = """
dx/dt = (omega*u*sqrt(1 + cr)*{law} - x)/tau : 1
omega = exp(swing*tanh(detuning + d))        : 1
cr = c*sigmoid(excitation + b)               : 1
u = sqrt(1 - cr)                             : 1
excitation : 1 (arrival)
detuning   : 1 (arrival)
b          : 1 (parameter)
d          : 1 (parameter)
c          : 1 (parameter)
swing      : 1 (parameter)
tau        : s (parameter)
"""


@dataclass(frozen=True)
class CriticalLayer(Part):
    """Critical modes whose excitation and natural frequency are set from outside; each is read as its frequency.

        cr = gamma / gamma_c = c sigmoid(excitation + b),     omega = omega_0 exp(swing tanh(detuning + d))
        tau dx/dt = omega F(cr) / omega_0 - x

    F is the effective frequency of a mode alone, so that in the stationary state x = omega_s / omega_0 [1]: nothing
    oscillates here, `CriticalModes` is the wave itself. tau is the time over which a counter averages spikes, and is to
    be long beside a spike. The law "measured" is the frequency of the published equations of motion, as a closed
    expression within 4e-5 of `effective_frequency_ratio`; "published" is sqrt(1 - cr^2), which lies above it (37 % at
    cr = 0.99).

    Parameters
    ----------
    name : str
    size : int
        Number of modes n; state `x` (n,). Couplings arrive as `excitation`, or, named in the link, as `detuning`.
    law : str
        F: "measured" or "published".
    b, d : float or array (n,)
        Excitation and detuning without input [1].
    criticality : float
        c, above 0 and below 1: how near to its critical point a mode can come. The slope of F grows without bound at 1.
    swing : float
        Largest detuning, of ln omega, above 0.
    time_constant : float
        tau [s, model time].
    trainable : sequence of str
        What is learnt of b and d.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Source
    ------
    Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (14), (26), (27). How inputs set excitation
    and frequency of a trained network is not stated there; this bounded form never leaves 0 < cr < c.
    """

    name: str
    size: int
    law: str = "measured"
    b: Any = 0.0
    d: Any = 0.0
    criticality: float = 0.99
    swing: float = 0.5
    time_constant: float = 1.0
    trainable: tuple[str, ...] = ("b", "d")
    signal: str = field(default="x", init=False, repr=False)
    arrival: str = field(default=EXCITATION, init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"critical layer {self.name!r}"
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number, at least 1")
        if self.law not in LAWS:
            raise UnknownNameError("law of a critical layer", self.law, LAWS)
        if positive(self.criticality, "criticality", where) >= 1:
            raise ParameterError(
                f"{where}: criticality {self.criticality} must be above 0 and below 1: from 1 on a mode is silent"
            )
        positive(self.swing, "swing", where)
        positive(self.time_constant, "time constant [s]", where)
        for rest in ("b", "d"):
            finite(getattr(self, rest), rest, where)
        check_learnt(self.trainable, ("b", "d"), where)

    def lower(self) -> Population:
        """The modes' equations."""
        equations = declared(EQUATIONS.format(law=LAWS[self.law]), self.trainable, self.name)
        values = {"b": self.b, "d": self.d, "c": self.criticality, "swing": self.swing, "tau": self.time_constant}
        return Population.from_text(self.name, self.size, equations, values)
