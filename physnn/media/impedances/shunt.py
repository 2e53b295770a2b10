"""Nonlinear elements across the place where two half-lines meet: what lets a passive network compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Population
from physnn.errors import ParameterError, UnknownNameError
from physnn.media.impedances.elements import Values, above_zero
from physnn.media.impedances.junction import ACROSS, SIDES, _Junction
from physnn.media.impedances.line import REFERENCE, SMALLEST

SATURABLE = "saturable"
CONDUCTANCES = {
    "sinh": ("I*sinh(v/V)", "I : A", "V : V"),
    "diode": ("I*(exp(v/V) - 1)", "I : A", "V : V"),
    "tanh": ("I*tanh(v/V)", "I : A", "V : V"),
    "cubic": ("I*(v/V)**3", "I : A", "V : V"),
    SATURABLE: ("G*v/(1 + (v/V)**2)", "G : A/V", "V : V"),
}
"""Kind -> current [A] at the voltage v, and its two parameters."""
DUFFING = "duffing"
MEETING = f"""
{SIDES}
i = {{current}} : A
0 = {ACROSS} - v - Z_1*Z_2/(Z_1 + Z_2)*i : V (solves v)
a_1 = v - b_1 : V
a_2 = v - b_2 : V
"""
REACTANCE = """
phi+ = phi + dt*v : V*s
L    : V*s/A ({learnt}, at least {floor})
beta : A/(V*s)**3 ({learnt}, at least 0)
next = phi + dt*v : V*s
"""
# The difference quotient of the energy: what is stored is then exactly what was taken up, whatever the step.
DIFFERENCE = "(phi + next)*(1/(2*L) + beta*(phi**2 + next**2)/4)"
SINGLE = 8.0
"""A saturable conductance between lines of joint impedance r has one voltage for every wave where r G is below this."""


@dataclass(frozen=True)
class NonlinearShunt(_Junction):
    """A nonlinear conductance, or a reactance, across the place where two half-lines meet:  i_1 + i_2 = -i = -g(v).

    The voltage there solves, line by line, with S = 2 (b_1 Z_2 + b_2 Z_1)/(Z_1 + Z_2) and r = Z_1 Z_2/(Z_1 + Z_2),

        v + r g(v) = S,      a_k = v - b_k.

    kind: "sinh" I sinh(v/V), a pair of diodes; "diode" I (exp(v/V) - 1); "tanh" I tanh(v/V); "cubic" I (v/V)^3;
    "saturable" G v/(1 + (v/V)^2), which has a negative slope for |v| > V; "duffing" an inductor with a cubic
    stiffness, phi' = v, i = phi/L + beta phi^3, which stores phi^2/(2 L) + beta phi^4/4 and burns nothing: i is the
    difference quotient of that energy over the step, so that it is kept to rounding.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n; half-lines end at 'NAME:1' and 'NAME:2'.
    kind : str
    scale : float or sequence of float
        I [A], of "saturable" G [A/V], of "duffing" 1/L [A/(V s)]; above 0.
    voltage : float or sequence of float
        V [V], above 0; of "duffing" sqrt(1/(L beta)) [V s], the flux at which the cubic term equals the linear one.
    trainable : bool
        Whether its parameters are learnt; they stay above 0. Of "saturable" only V is: a G that grows would pass 8/r.

    Raises
    ------
    UnknownNameError, ParameterError, ShapeError
        Also where r G reaches 8: then some waves have three voltages (the slope of v + r g(v) vanishes). Where the
        impedance of one line is learnt, r is at most that of the other; where both are, it has no bound. Devices that
        differ from the description are not looked at: leave them room.

    Source
    ------
    Diode clippers in wave variables: Werner et al., Proc. DAFx-15 (2015). Difference quotients: Itoh, Abe, J. Comput.
    Phys. 76, 85 (1988).
    """

    kind: str = "sinh"
    scale: Values = 0.2
    voltage: Values = 1.0
    trainable: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"shunt {self.name!r}"
        if self.kind not in (*CONDUCTANCES, DUFFING):
            raise UnknownNameError("kind of shunt", self.kind, (*CONDUCTANCES, DUFFING))
        object.__setattr__(self, "scale", above_zero(self.scale, f"{where}: scale", ""))
        object.__setattr__(self, "voltage", above_zero(self.voltage, f"{where}: voltage", ""))

    def lower(self) -> Population:
        """The voltage and the waves that leave."""
        learnt, first, second = "trainable" if self.trainable else "parameter", self.scale, self.voltage
        if self.kind == DUFFING:
            inductance = 1 / np.asarray(first, dtype=float)
            floor = SMALLEST * float(np.min(inductance))
            text = REACTANCE.format(learnt=learnt, floor=repr(floor)) + MEETING.format(current=DIFFERENCE)
            values = {"L": inductance, "beta": np.asarray(first) / np.asarray(second) ** 2, "Zr": REFERENCE}
            return Population.from_text(self.name, self.size, text, values)
        current, scale, voltage = CONDUCTANCES[self.kind]
        floor = SMALLEST * float(np.min(second))
        text = "\n".join(
            (
                f"{scale} ({'parameter' if self.kind == SATURABLE else learnt}, at least 0)",
                f"{voltage} ({learnt}, at least {floor!r})",
                MEETING.format(current=current),
            )
        )
        return Population.from_text(self.name, self.size, text, {scale[0]: first, "V": second, "Zr": REFERENCE})

    def check_sources(self, sources: Mapping[str, Sequence[Population]]) -> None:
        """Whether the lines leave a saturable conductance one voltage only.

        Raises
        ------
        ParameterError
        """
        if self.kind != SATURABLE:
            return
        lines = [sources[f"dZ_{side}"][0] for side in "12"]
        fixed = [line for line in lines if not line.variables["Z0"].trainable]
        if not fixed:
            raise ParameterError(
                f"shunt {self.name!r}: the impedances of both its lines, {lines[0].name!r} and {lines[1].name!r}, are "
                "learnt; where both grow, a wave may have three voltages at a saturable conductance. Leave out "
                "'impedance' of what one of them learns"
            )
        admittance = sum((1 / _impedance(line) for line in fixed), np.zeros(()))
        product = float(np.max(np.asarray(self.scale) / admittance))
        if product >= SINGLE:
            learnt = "" if len(fixed) == 2 else f", with the impedance that only {fixed[0].name!r} keeps,"
            raise ParameterError(
                f"shunt {self.name!r}: Z_1 Z_2/(Z_1 + Z_2) G = {product:.4g}{learnt} is {SINGLE:g} or more, so that a "
                "wave may have three voltages; lower the conductance or the impedance of the lines"
            )


def _impedance(line: Population) -> NDArray[np.float64]:
    return np.asarray(line.values["Z0"], dtype=float)
