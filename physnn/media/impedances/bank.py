"""Banks of ideal transformers: the junction at which a matrix of turns ratios joins two bundles of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from physnn import streams
from physnn.equations import Coupling, Dense, Population, Transposed
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import finite
from physnn.media.impedances.line import REFERENCE, check_ends, check_size
from physnn.media.part import Part

SIDE = """
b_{side}  : V   (arrival)
dZ_{side} : ohm (arrival)
{heard}
Zr   : ohm (constant)
Z_{side} = Zr + dZ_{side} : ohm
{law}
a_{side} = v - b_{side} : V
"""
CURRENT = "j : A (arrival)"
VOLTAGE = "w : V (arrival)"
# Which side has the unknown: the smaller one, so that the smaller system of equations is solved.
NARROWING = (
    f"{CURRENT}|v = 2*b_1 - Z_1*j : V",
    f"{VOLTAGE}|0 = w - 2*b_2 - Z_2*i : A (solves i)\nv = 2*b_2 + Z_2*i : V",
)
WIDENING = (f"{CURRENT}|0 = 2*b_1 - Z_1*j - v : V (solves v)", f"{VOLTAGE}|i = (w - 2*b_2)/Z_2 : A\nv = w : V")


@dataclass(frozen=True)
class TransformerBank(Part):
    """Ideal transformers between n1 lines and n2 lines:  v_2 = W v_1,  i_1 = -W^T i_2.

    Waves b arrive, waves a = v - b leave, i_2 flows into the lines of side 2. With Z_1, Z_2 the impedances of the lines

        v_1 = 2 b_1 - Z_1 W^T i_2,       W v_1 = 2 b_2 + Z_2 i_2,

    solved together within a step: (Z_2 + W Z_1 W^T) i_2 = 2 (W b_1 - b_2) where n2 <= n1, else the dual
    (1/Z_1 + W^T W/Z_2) v_1 = 2 b_1/Z_1 + 2 W^T b_2/Z_2. Lossless and reciprocal for any W; a wave along a singular
    vector of value s is transmitted as 2 s/(1 + rho s^2), rho = Z_1/Z_2, at most 1/sqrt(rho).

    The bank lowers to two populations, 'NAME 1' and 'NAME 2', joined by couplings that share one parameter, NAME: the
    gradient of W has two terms, one of what goes either way.

    Parameters
    ----------
    name : str
    primary, secondary : int
        Number of lines n1 on side 1 and n2 on side 2. Lines end at 'NAME:1' and 'NAME:2'.
    turns : array, optional
        W (n2, n1) [1]; where left out normal numbers of standard deviation gain/sqrt(n1) from the network's seed.
    gain : float
    trainable : bool
        Whether W is learnt.

    Raises
    ------
    ShapeError, ParameterError

    Source
    ------
    Belevitch, Classical Network Theory (1968), chapter 2; as waves `physnn.analysis.transformer_bank`.
    """

    name: str
    primary: int
    secondary: int
    turns: Any = None
    gain: float = 1.0
    trainable: bool = True
    signal: str = field(default="v", init=False, repr=False)
    arrival: str = field(default="b_1", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"transformer bank {self.name!r}"
        check_size(where, self.primary)
        check_size(where, self.secondary)
        if not np.isfinite(self.gain):
            raise ParameterError(f"{where}: gain {self.gain!r} must be a finite number")
        if self.turns is None:
            return
        given = finite(self.turns, "turns ratios", where)
        if given.shape != (self.secondary, self.primary):
            raise ShapeError(
                f"{where}: turns ratios of shape {given.shape}; {(self.secondary, self.primary)} is needed, lines of "
                "side 2 by lines of side 1"
            )
        object.__setattr__(self, "turns", given)

    def lower(self) -> Population:
        """The side with the unknown."""
        return self.populations()[-1]

    def populations(self) -> tuple[Population, ...]:
        """Both sides, that with the unknown last: once it is known, what the other side sends is known too."""
        narrowing = self.secondary <= self.primary
        laws = NARROWING if narrowing else WIDENING
        found = []
        for side, size, law in zip(("1", "2"), (self.primary, self.secondary), laws, strict=True):
            heard, own = law.split("|")
            text = SIDE.format(side=side, heard=heard, law=own)
            found.append(Population.from_text(self.side(side), size, text, {"Zr": REFERENCE}))
        return tuple(found) if narrowing else tuple(reversed(found))

    def side(self, side: str) -> str:
        """'NAME 1' or 'NAME 2'."""
        return f"{self.name} 1" if side == "1" else f"{self.name} 2"

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """W from side 1 to side 2, and its transpose back."""
        first, second = self.side("1"), self.side("2")
        forward = Dense(self.secondary, self.primary)
        turns = self.turns
        if turns is None:
            spread = self.gain / np.sqrt(self.primary)
            turns = spread * streams.normal(seed, self.name, "weights", forward.weight_shape)
        back = Transposed(forward, (self.primary,))
        learnt, key = self.trainable, self.name
        return (
            Coupling(
                self.name, first, second, "v", forward, "w", trainable=learnt, weights=key, initial=turns, local=True
            ),
            Coupling(
                f"{self.name}, back",
                second,
                first,
                "i",
                back,
                "j",
                trainable=learnt,
                weights=key,
                initial=turns,
                local=True,
            ),
        )

    def check(self, arriving: Mapping[str, Sequence[str]]) -> None:
        """Whether exactly one bundle of lines ends at each side.

        Raises
        ------
        EquationError
        """
        check_ends(f"transformer bank {self.name!r}", self.name, arriving, ("1", "2"))
