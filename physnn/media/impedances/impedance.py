"""One-ports as descriptions: what an impedance is, and impedances in series and in parallel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.errors import ParameterError
from physnn.media.impedances.circuit import Branch, Writer, in_parallel, in_series

if TYPE_CHECKING:
    from physnn.media.impedances.rational import Rational


class Impedance(ABC):
    """A linear, passive one-port, v = Z(s) i.

    `first + second` is a series connection, `first | second` a parallel one.
    """

    def __call__(self, s: ArrayLike) -> NDArray[np.complex128]:
        """Z(s) [ohm] at complex frequencies s [rad/s]; values per line broadcast against s."""
        return self.at(np.asarray(s, dtype=complex))

    @abstractmethod
    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """As calling it, for arrays."""

    @abstractmethod
    def rational(self) -> Rational:
        """The same impedance as one quotient of polynomials.

        Raises
        ------
        ParameterError
            It has none (a stub), or another one for each line.
        """

    @abstractmethod
    def branch(self, writer: Writer) -> Branch:
        """Its equations, written down by `writer`, as its neighbours in a circuit see them."""

    def check_passive(self) -> None:
        """Whether every element takes up energy rather than giving it off; then so does the whole.

        Raises
        ------
        ParameterError
            An element is not passive; the message says at which frequency it fails most.
        """
        return  # what has only elements that cannot be active has nothing to be asked

    def __add__(self, other: Impedance) -> Impedance:
        return Series(_flat(Series, self, other))

    def __or__(self, other: Impedance) -> Impedance:
        return Parallel(_flat(Parallel, self, other))


@dataclass(frozen=True)
class _Combined(Impedance):
    parts: Sequence[Impedance]

    def __post_init__(self) -> None:
        parts = tuple(self.parts)
        strange = [part for part in parts if not isinstance(part, Impedance)]
        if strange or not parts:
            given = f"{strange[0]!r}, which is no impedance" if strange else "nothing"
            raise ParameterError(f"{type(self).__name__} of {given}: give impedances such as Resistor(50.0)")
        object.__setattr__(self, "parts", parts)

    def check_passive(self) -> None:
        for part in self.parts:
            part.check_passive()


@dataclass(frozen=True)
class Series(_Combined):
    """Impedances in a row:  Z = sum of Z_k.

    Parameters
    ----------
    parts : sequence of Impedance
    """

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return _total(part.at(s) for part in self.parts)

    def rational(self) -> Rational:
        return reduce(lambda left, right: left.plus(right), (part.rational() for part in self.parts))

    def branch(self, writer: Writer) -> Branch:
        return in_series([part.branch(writer) for part in self.parts])


@dataclass(frozen=True)
class Parallel(_Combined):
    """Impedances side by side:  1/Z = sum of 1/Z_k.

    Parameters
    ----------
    parts : sequence of Impedance
    """

    def at(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return 1 / _total(1 / part.at(s) for part in self.parts)

    def rational(self) -> Rational:
        admittances = (part.rational().reciprocal() for part in self.parts)
        return reduce(lambda left, right: left.plus(right), admittances).reciprocal()

    def branch(self, writer: Writer) -> Branch:
        return in_parallel([part.branch(writer) for part in self.parts])


def check_impedance(where: str, given: object) -> None:
    """Whether this is a passive impedance.

    Raises
    ------
    ParameterError
    """
    if not isinstance(given, Impedance):
        advice = f"write Resistor({float(given)})" if isinstance(given, Real) else "give one, such as Resistor(50.0)"
        raise ParameterError(f"{where}: impedance {given!r} is no impedance; {advice}")
    given.check_passive()


def _total(values: Any) -> NDArray[np.complex128]:
    return reduce(np.add, values)


def _flat(kind: Callable[..., _Combined], *parts: Impedance) -> tuple[Impedance, ...]:
    """Parts with those of connections of the same kind in place of the connections."""
    found: list[Impedance] = []
    for part in parts:
        found += part.parts if isinstance(part, _Combined) and type(part) is kind else [part]
    return tuple(found)
