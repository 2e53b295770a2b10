"""Directional couplers and repeaters: junctions that send a wave on without sending it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from physnn.equations import Population
from physnn.errors import ParameterError
from physnn.media.checks import finite, positive
from physnn.media.impedances.elements import Values
from physnn.media.impedances.junction import SIDES, _Junction
from physnn.media.impedances.line import REFERENCE, check_ends, check_size
from physnn.media.part import Part

ENDS = ("1", "2", "3", "4")
PORT = "b_{side} : V (arrival)\ndZ_{side} : ohm (arrival)\nZ_{side} = Zr + dZ_{side} : ohm\n"
COUPLED = """
theta : 1 ({learnt})
a_3 = sqrt(Z_3/Z_1)*cos(theta)*b_1 - sqrt(Z_3/Z_2)*sin(theta)*b_2 : V
a_4 = sqrt(Z_4/Z_1)*sin(theta)*b_1 + sqrt(Z_4/Z_2)*cos(theta)*b_2 : V
a_1 = sqrt(Z_1/Z_3)*cos(theta)*b_3 + sqrt(Z_1/Z_4)*sin(theta)*b_4 : V
a_2 = sqrt(Z_2/Z_4)*cos(theta)*b_4 - sqrt(Z_2/Z_3)*sin(theta)*b_3 : V
"""
AMPLIFIED = """
gain : 1 ({learnt})
back : 1 (parameter)
a_2 = {forward} : V
a_1 = {backward} : V
"""


@dataclass(frozen=True)
class DirectionalCoupler(Part):
    """Two bundles of lines exchange power, line by line, without reflection.

    In power waves b/sqrt(Z), with lines 1 and 2 on one side and 3 and 4 on the other,

        a_3 = cos(theta) b_1 - sin(theta) b_2,     a_1 =  cos(theta) b_3 + sin(theta) b_4,
        a_4 = sin(theta) b_1 + cos(theta) b_2,     a_2 = -sin(theta) b_3 + cos(theta) b_4:

    lossless and reciprocal for any theta and any impedances. Waves in time are real, so the matrix is a rotation, that
    of a 180-degree hybrid; that of a 90-degree hybrid, with i sin(theta), has no instantaneous real form and belongs to
    envelopes of a carrier.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n of each bundle; they end at 'NAME:1' to 'NAME:4'.
    splitting : float or sequence of float
        sin(theta)^2 [1], 0 to 1: the share of the power of line 1 that goes to line 4.
    trainable : bool
        Whether theta is learnt.

    Raises
    ------
    ParameterError, ShapeError, EquationError

    Source
    ------
    Pozar, Microwave Engineering (2011), section 7.1.
    """

    name: str
    size: int
    splitting: Values = 0.5
    trainable: bool = True
    signal: str = field(default="a_3", init=False, repr=False)
    arrival: str = field(default="b_1", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"coupler {self.name!r}"
        check_size(where, self.size)
        share = finite(self.splitting, "splitting", where)
        if np.any(share < 0) or np.any(share > 1):
            raise ParameterError(f"{where}: splitting {self.splitting} must lie between 0 and 1: a share of the power")

    def lower(self) -> Population:
        """The waves that leave."""
        ports = "".join(PORT.format(side=side) for side in ENDS)
        text = f"Zr : ohm (constant)\n{ports}{COUPLED.format(learnt='trainable' if self.trainable else 'parameter')}"
        theta = np.arcsin(np.sqrt(np.asarray(self.splitting, dtype=float)))
        return Population.from_text(self.name, self.size, text, {"theta": theta, "Zr": REFERENCE})

    def check(self, arriving: Mapping[str, Sequence[str]]) -> None:
        """Whether exactly one bundle of lines ends at each of the four ports.

        Raises
        ------
        EquationError
        """
        check_ends(f"coupler {self.name!r}", self.name, arriving, ENDS)


@dataclass(frozen=True)
class Repeater(_Junction):
    """An amplifier between two lines, matched at both ends:  a_2 = gain b_1,  a_1 = back b_2.

    Not passive: it takes b_1^2/Z_1 and delivers gain^2 b_1^2/Z_2, the difference is supplied. Reflections that go round
    through repeaters may grow: a loop is unstable where its gains times its reflections exceed 1 at a frequency at
    which they come back in phase; the spectral radius of the step map tells before a run.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n; they end at 'NAME:1' and 'NAME:2'.
    gain : float or sequence of float
        Forward gain [1].
    back : float or sequence of float
        Backward gain [1]; 0 of an ideal repeater, through which nothing returns, `gain` of one that works both ways.
    limit : float, optional
        Largest voltage [V] that it sends, limit tanh(gain b/limit), above 0; linear where left out.
    trainable : bool
        Whether the forward gain is learnt.

    Raises
    ------
    ParameterError, ShapeError, EquationError
    """

    gain: Values = 1.0
    back: Values = 0.0
    limit: float | None = None
    trainable: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"repeater {self.name!r}"
        finite(self.gain, "gain", where)
        finite(self.back, "backward gain", where)
        if self.limit is not None:
            positive(self.limit, "limit", where)

    def lower(self) -> Population:
        """The waves that leave."""
        waves = {"forward": "gain*b_1", "backward": "back*b_2"}
        values = {"gain": self.gain, "back": self.back, "Zr": REFERENCE}
        text = SIDES
        if self.limit is not None:
            waves = {name: f"limit*tanh({wave}/limit)" for name, wave in waves.items()}
            text += "limit : V (parameter)\n"
            values["limit"] = self.limit
        text += AMPLIFIED.format(learnt="trainable" if self.trainable else "parameter", **waves)
        return Population.from_text(self.name, self.size, text, values)
