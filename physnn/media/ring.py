"""Symmetric rings: elements that generate the next and inhibit the next but one; and Lotka-Volterra, their parent.

    forward    E_e' = k1_e E_(e-1) - k2_e E_e - k3_e E_e E_(e-2) + I_e
    backward   E_e' = k1_(e+1) E_(e+1) - k2_e E_e - k3_(e+2) E_e E_(e+2) + I_e

In the backward ring every influence runs the other way and keeps its strength: k1 and k3 belong to an edge, k2 to a
node. With equal parameters its Jacobian at rest is the transpose of the forward one, so it carries errors back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.equations import Coupling, Dense, Population
from physnn.errors import EquationError, NumericsError, ShapeError, UnknownNameError
from physnn.media.checks import is_size, not_negative
from physnn.media.oscillators.roles import check_learnt, declared
from physnn.media.part import Part

WUXING = ("J", "S", "M", "H", "T")
"""Metal, water, wood, fire, soil, each generating the next."""

ELEMENT = """\
d{e}/dt = k1_{made}*{source} - k2_{e}*{e} - k3_{curbed}*{e}*{rival} + I_{e} : 1
D_{e}   = {e} - B_{e} : 1
I_{e}   : 1/s (arrival)
k1_{e}  : 1/s (parameter)
k2_{e}  : 1/s (parameter)
k3_{e}  : 1/s (parameter)
B_{e}   : 1   (parameter)
"""

LOTKA_VOLTERRA = """
dx/dt = x*(r + a) + immigration : 1
a : 1/s           (arrival)
immigration : 1/s (arrival)
r : 1/s           (parameter)
"""

_RESIDUAL = 1e-12
"""of a rest state, relative to the generation"""


@dataclass(frozen=True)
class Ring(Part):
    """Cells that are rings of elements; the elements are the states of one population.

    The module has the equations. Each cell starts at rest, E = B. A signal enters at one element, and the deviation
    D = E - B of another one leaves. No element falls below 0 (a floor after every step): without it a strong negative
    input makes a cell diverge.

    Parameters
    ----------
    name : str
    size : int
        Number of cells n; every element is a state (n,) [1].
    generation, loss, inhibition : array_like
        k1, k2, k3 [1/s]: one number, one an element (elements,), or (elements, n). k1_e is the strength of the edge
        from e-1 to e, k3_e of that from e-2 to e.
    elements : sequence of str
        Names, in the order of generation; three or more. The five of Wuxing where not given.
    enter, leave : str
        Element that takes the input, and the one whose deviation leaves; where empty the first and the second one, and
        the other way round in a backward ring.
    backward : bool
        Whether every influence runs the other way. `reversed` gives the same cells so.
    trainable : tuple of str
        Strengths that are learnt: "k1", "k2", "k3".

    Raises
    ------
    EquationError
        There are fewer than three elements, or two of one name.
    UnknownNameError
        `enter` or `leave` is no element.
    ShapeError, ParameterError
        The size or a strength does not fit, or a strength is negative or not finite.

    Source
    ------
    Jiang, Feng, Algorithms 18, 594 (2025), equations (8) to (13).

    Examples
    --------
    >>> ring = Ring("cell", 1, generation=1.0, loss=0.6, inhibition=0.4)
    >>> print(ring.equations().splitlines()[0])
    dJ/dt = k1_J*T - k2_J*J - k3_J*J*H + I_J : 1
    >>> print(ring.reversed().equations().splitlines()[0])
    dJ/dt = k1_S*S - k2_J*J - k3_M*J*M + I_J : 1
    """

    name: str
    size: int
    generation: ArrayLike = 1.0
    loss: ArrayLike = 0.6
    inhibition: ArrayLike = 0.4
    elements: Sequence[str] = WUXING
    enter: str = ""
    leave: str = ""
    backward: bool = False
    trainable: tuple[str, ...] = ("k1", "k2", "k3")
    signal: str = field(default="", init=False, repr=False)
    arrival: str = field(default="", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"ring {self.name!r}"
        names = tuple(self.elements) if isinstance(self.elements, Sequence) else ()
        if len(names) < 3 or len(set(names)) < len(names):
            raise EquationError(f"{where}: elements {self.elements!r}; give three or more different names")
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number, at least 1")
        first, second = self.elements[:2]
        ends = {"enter": self.enter or (second if self.backward else first)}
        ends["leave"] = self.leave or (first if self.backward else second)
        for given in ends.values():
            if given not in self.elements:
                raise UnknownNameError(f"element of {where}", given, self.elements)
        derived = {"signal": f"D_{ends['leave']}", "arrival": f"I_{ends['enter']}", "elements": tuple(self.elements)}
        for name, value in (ends | derived).items():
            object.__setattr__(self, name, value)
        check_learnt(self.trainable, ("k1", "k2", "k3"), where)
        for what in ("generation", "loss", "inhibition"):
            self._strengths(what)

    def reversed(self) -> Ring:
        """The same cells with every influence turned round; a signal enters where it left, and leaves where it came."""
        return replace(self, enter=self.leave, leave=self.enter, backward=not self.backward)

    def lower(self) -> Population:
        """The cells, at rest."""
        values: dict[str, NDArray[np.float64]] = {}
        for label, what in (("k1", "generation"), ("k2", "loss"), ("k3", "inhibition")):
            values |= {f"{label}_{e}": k for e, k in zip(self.elements, self._strengths(what), strict=True)}
        for e, level in zip(self.elements, self.rest(), strict=True):
            values |= {e: level, f"B_{e}": level}
        floor = {e: f"max({e}, 0)" for e in self.elements}
        learnt = [f"{label}_{e}" for e in self.elements for label in self.trainable]
        text = declared(self.equations(), learnt, f"ring {self.name!r}")
        return Population.from_text(self.name, self.size, text, values, projections=floor)

    def equations(self) -> str:
        """The cells' equations as text, element after element."""
        turn, count = -1 if self.backward else 1, len(self.elements)
        blocks = []
        for here, e in enumerate(self.elements):
            source, rival = self.elements[(here - turn) % count], self.elements[(here - 2 * turn) % count]
            # An edge has the name of the element at its forward end.
            made, curbed = (source, rival) if self.backward else (e, e)
            blocks.append(ELEMENT.format(e=e, made=made, source=source, curbed=curbed, rival=rival))
        return "".join(blocks)

    def rest(self) -> NDArray[np.float64]:
        """The rest state B [1], (elements, n): where nothing flows without input.

        For equal strengths B = (k1 - k2)/k3, equation (15). Unequal ones have no closed form; a cell whose
        k1 multiply to no more than its k2 do rests at 0.

        Raises
        ------
        NumericsError
            Without inhibition nothing bounds a cell, or its rest state was not found.
        """
        k1, k2, k3 = (self._strengths(what) for what in ("generation", "loss", "inhibition"))
        lives = np.prod(k1, axis=0) > np.prod(k2, axis=0)
        if np.any(lives & (np.max(k3, axis=0) == 0)):
            raise NumericsError(f"ring {self.name!r}: without inhibition nothing bounds it; there is no rest state")
        level = np.zeros_like(k1)
        if np.any(lives):
            level[:, lives] = self._balanced(k1[:, lives], k2[:, lives], k3[:, lives])
        return level

    def _balanced(self, k1: NDArray, k2: NDArray, k3: NDArray) -> NDArray[np.float64]:
        """Where nothing flows, (elements, cells), above 0."""
        turn, made, curbed = (-1, np.roll(k1, -1, 0), np.roll(k3, -2, 0)) if self.backward else (1, k1, k3)
        here = np.arange(len(k1))
        level = np.ones_like(k1)
        for _ in range(200):  # towards each element's own balance, half of the way on a logarithmic scale
            balance = made * np.roll(level, turn, 0) / (k2 + curbed * np.roll(level, 2 * turn, 0))
            level = np.sqrt(level * balance)
        for _ in range(50):  # Newton
            rival = np.roll(level, 2 * turn, 0)
            flow = made * np.roll(level, turn, 0) - k2 * level - curbed * level * rival
            if np.max(np.abs(flow)) <= _RESIDUAL * np.max(made * level) and np.all(level > 0):
                return level
            slope = np.zeros((level.shape[1], len(level), len(level)))
            slope[:, here, (here - turn) % len(level)] += made.T
            slope[:, here, here] -= (k2 + curbed * rival).T
            slope[:, here, (here - 2 * turn) % len(level)] -= (curbed * level).T
            if np.any(np.linalg.det(slope) == 0):
                break
            level = level - np.linalg.solve(slope, flow.T[:, :, None])[:, :, 0].T
        raise NumericsError(f"ring {self.name!r}: its rest state was not found; make its strengths more alike")

    def _strengths(self, what: str) -> NDArray[np.float64]:
        """A strength of every element of every cell, (elements, n)."""
        given = not_negative(getattr(self, what), f"{what} [1/s]", f"ring {self.name!r}")
        wanted = len(self.elements), self.size
        spread = given[:, None] if given.ndim == 1 else given
        if not (given.ndim == 0 or spread.shape in (wanted, (wanted[0], 1))):
            raise ShapeError(
                f"ring {self.name!r}: {what} of shape {given.shape}; give one number, one an element ({wanted[0]},), "
                f"or {wanted}"
            )
        return np.array(np.broadcast_to(spread, wanted))


@dataclass(frozen=True)
class LotkaVolterra(Part):
    """Species that grow and eat each other:  x_i' = x_i (r_i + sum_j A_ij x_j) + immigration_i.

    A ring without generation is the case r = -k2, A_(e,e-2) = -k3. Two species with r = (a, -c), A = ((0, -b), (b, 0))
    are the predator equation of the source; they keep  b (x + y) - c log x - a log y.

    Parameters
    ----------
    name : str
    size : int
        Number of species n; states x [1], (n,).
    growth : array_like
        r [1/s].
    interaction : array_like
        A [1/s], (n, n), row: whose growth changes; weights "NAME.A".
    start : array_like
        x at the beginning [1]; what is 0 stays 0 until something immigrates.
    trainable : tuple of str
        What is learnt: "r", "A".
    integrator : str
        Of `physnn.equations.integrators`; "exponential" keeps every x above 0.

    Raises
    ------
    ShapeError
        The interaction is not (n, n).

    Source
    ------
    Volterra, Nature 118, 558 (1926); Jiang, Feng, Algorithms 18, 594 (2025), equation (7).
    """

    name: str
    size: int
    growth: ArrayLike
    interaction: ArrayLike
    start: ArrayLike = 1.0
    trainable: tuple[str, ...] = ("r", "A")
    integrator: str = "exponential"
    arrival: str = field(default="immigration", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        check_learnt(self.trainable, ("r", "A"), f"species {self.name!r}")
        if np.shape(self.interaction) != (self.size, self.size):
            raise ShapeError(
                f"species {self.name!r}: interaction of shape {np.shape(self.interaction)}; "
                f"{self.size} species need {(self.size, self.size)}"
            )

    def lower(self) -> Population:
        """The species' equations."""
        values = {"r": self.growth, "x": self.start}
        own = [name for name in self.trainable if name != "A"]
        equations = declared(LOTKA_VOLTERRA, own, f"species {self.name!r}")
        return Population.from_text(self.name, self.size, equations, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """Who eats whom."""
        coupling = Coupling(
            f"{self.name}.A",
            self.name,
            self.name,
            "x",
            Dense(self.size, self.size),
            "a",
            unit="1/s",
            trainable="A" in self.trainable,
            initial=np.asarray(self.interaction, dtype=float),
        )
        return (coupling,)
