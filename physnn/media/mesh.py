"""Meshes of Mach-Zehnder interferometers: any unitary matrix, made of two-port interferences of light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Coupling, Population
from physnn.equations.operators import Sparse
from physnn.errors import ShapeError, UnknownNameError
from physnn.media.checks import finite, is_size, not_negative, positive
from physnn.media.part import Part

Column = tuple[int, ...]
"""Upper lines of the interferometers that stand side by side."""
Place = tuple[str, str]
"""(population, signal or arrival)"""

COLUMN = """
top    : 1 (arrival, complex)
bottom : 1 (arrival, complex)
theta  : 1 ({learnt})
phi    : 1 ({learnt})
first  : 1 (parameter)
second : 1 (parameter)
alpha  : 1 (parameter, at least 0)
ratio  : 1 (constant)
keep = exp(-alpha) : 1
in_1 = exp(1j*ratio*phi)*top : 1
arm_1 = exp(2j*ratio*theta)*(cos(pi/4 + first)*in_1 + 1j*sin(pi/4 + first)*bottom) : 1
arm_2 = 1j*sin(pi/4 + first)*in_1 + cos(pi/4 + first)*bottom : 1
out_1 = keep*(cos(pi/4 + second)*arm_1 + 1j*sin(pi/4 + second)*arm_2) : 1
out_2 = keep*(1j*sin(pi/4 + second)*arm_1 + cos(pi/4 + second)*arm_2) : 1
"""
ENDS = """
z     : 1 (arrival, complex)
back  : 1 (arrival, complex)
phase : 1 ({learnt})
ratio : 1 (constant)
y = exp(1j*ratio*phase)*back : 1
"""
ATTENUATORS = """
z      : 1 (arrival, complex)
angle  : 1 ({learnt})
first  : 1 (parameter)
second : 1 (parameter)
alpha  : 1 (parameter, at least 0)
across = sin(pi/4 + first)*sin(pi/4 + second)*exp(-1j*angle) : 1
through = cos(pi/4 + first)*cos(pi/4 + second)*exp(1j*angle) : 1
y = -1j*exp(-alpha)*(through - across)*z : 1
"""


NEPER = math.log(10) / 20
"""[Np/dB]"""


def rectangular(size: int) -> tuple[Column, ...]:
    """Columns of the rectangular mesh: `size` of them, every other one shifted by a line (Clements et al. 2016)."""
    columns = (tuple(range(k % 2, size - 1, 2)) for k in range(size))
    return tuple(column for column in columns if column)


def triangular(size: int) -> tuple[Column, ...]:
    """Columns of the triangular mesh: 2 size - 3 of them (Reck et al. 1994)."""
    return tuple(
        tuple(c - 2 * row for row in range(c // 2, -1, -1) if c - row <= size - 2) for c in range(2 * size - 3)
    )


LAYOUTS = {"rectangular": rectangular, "triangular": triangular}
"""Name -> columns for a number of lines; size (size - 1)/2 interferometers in either."""


@dataclass(frozen=True)
class Mesh(Part):
    """A mesh of Mach-Zehnder interferometers between n lines, as complex envelopes:  y = U z.

    An interferometer turns the phase of its upper line by phi, couples both lines, turns the upper arm by 2 theta, and
    couples again,

        M = k B(second) diag(e^{2i theta}, 1) B(first) diag(e^{i phi}, 1),  k = e^{-alpha},
        B(e) = [[cos, i sin], [i sin, cos]] of the angle pi/4 + e,

    which for couplers without error, e = 0, is  i k e^{i theta} [[e^{i phi} sin theta, cos theta],
    [e^{i phi} cos theta, -sin theta]]. After the last column line j is turned by phase_j. Without loss U is unitary;
    nothing is reflected, and driven from its end the mesh passes U^T, so that the reflected wave trains its phases.

    Parameters
    ----------
    name : str
        Of the population where light enters (`z`) and leaves (`y`); the columns are called NAME_1, NAME_2, ...
    size : int
        Number of lines n.
    theta, phi : array, optional
        Phases [rad], (interferometers,) in the order of the columns, from the first line to the last within each; drawn
        at random where left out, always alike for one name.
    phase : array, optional
        Phases [rad] at the end, (n,); 0 where left out.
    loss : float
        Of one interferometer [dB], the parameter alpha [Np], at least 0, so that no device amplifies; a line that
        passes a column without meeting one loses nothing. A profile's loss acts on meshes that are described without.
    coupler_errors : array
        Errors e [rad] of the two couplers, (2, interferometers), or a number for all; a coupler sends the share
        1/2 + sin(2 e)/2 of the power across.
    delay : float
        Of one column [s, model time], 0 or a whole number of steps.
    wavelengths : sequence of float
        In parts of the design wavelength; several give n lines each, (wavelengths, n). A phase scales as 1/wavelength;
        couplers are taken as alike for all.
    layout : str
        "rectangular" or "triangular".
    trainable : bool
        Whether the phases are learnt.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Source
    ------
    Clements et al., Optica 3 (2016) 1460; Reck et al., Phys. Rev. Lett. 73 (1994) 58; in place: Hughes et al.,
    Optica 5 (2018) 864.

    Examples
    --------
    >>> mesh = Mesh("mesh", 4)
    >>> [population.shape for population in mesh.populations()]
    [(4,), (2,), (1,), (2,), (1,)]
    """

    name: str
    size: int
    theta: Any = None
    phi: Any = None
    phase: Any = None
    loss: float = 0.0
    coupler_errors: Any = 0.0
    delay: float = 0.0
    wavelengths: Sequence[float] = (1.0,)
    layout: str = "rectangular"
    trainable: bool = True
    signal: str = field(default="y", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"mesh {self.name!r}"
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number of lines, at least 1")
        if self.layout not in LAYOUTS:
            raise UnknownNameError("layout of a mesh", self.layout, LAYOUTS)
        for key in ("theta", "phi"):
            drawn = np.pi * streams.uniform(0, self.name, key, (self.count,))
            object.__setattr__(self, key, _phases(getattr(self, key), drawn, key, where))
        object.__setattr__(self, "phase", _phases(self.phase, np.zeros(self.size), "phase", where))
        object.__setattr__(self, "coupler_errors", _errors(self.coupler_errors, self.count, where))
        for key in ("loss", "delay"):
            if not_negative(getattr(self, key), key, where).shape:
                raise ShapeError(f"{where}: {key} must be one number")
        if not len(self.wavelengths):
            raise ShapeError(f"{where}: no wavelength; give at least one")
        ratios = tuple(positive(value, "wavelength", where) for value in self.wavelengths)
        object.__setattr__(self, "wavelengths", ratios)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Upper lines of the interferometers, column by column."""
        return LAYOUTS[self.layout](self.size)

    @property
    def count(self) -> int:
        """Number of interferometers, n (n - 1)/2."""
        return self.size * (self.size - 1) // 2

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what enters and leaves: (n,), or (wavelengths, n) of several."""
        return self._sheet(self.size)

    def lower(self) -> Population:
        """The lines where light enters and leaves."""
        return Population.from_text(
            self.name, self.shape, ENDS.format(learnt=self._learnt), {"phase": self.phase, "ratio": self._ratio}
        )

    def populations(self) -> tuple[Population, ...]:
        """The ends, then the columns."""
        return (self.lower(), *self._lowered)

    @cached_property
    def _lowered(self) -> tuple[Population, ...]:
        text = COLUMN.format(learnt=self._learnt)
        found, start = [], 0
        for k, column in enumerate(self.columns):
            own = slice(start, start := start + len(column))
            alpha = np.full(len(column), self.loss * NEPER)
            values = {"theta": self.theta[own], "phi": self.phi[own], "alpha": alpha, "ratio": self._ratio}
            values |= {"first": self.coupler_errors[0, own], "second": self.coupler_errors[1, own]}
            found.append(Population.from_text(self._called(k), self._sheet(len(column)), text, values))
        return tuple(found)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The lines from column to column, those that lead to the same side of the same column in one coupling."""
        lines: dict[tuple[Place, Place, int], list[tuple[int, int]]] = {}
        for line in range(self.size):
            start, at, before = (self.name, "z"), line, -1
            for k, column in enumerate(self.columns):
                upper = line if line in column else line - 1
                if upper not in column:
                    continue
                own, place = self._called(k), column.index(upper)
                end, further = (own, "top" if upper == line else "bottom"), k - before
                lines.setdefault((start, end, further), []).append((place, at))
                start, at, before = (own, "out_1" if upper == line else "out_2"), place, k
            further = len(self.columns) - 1 - before
            lines.setdefault((start, (self.name, "back"), further), []).append((line, at))
        return tuple(self._joined(*ends, pairs) for ends, pairs in lines.items())

    def _joined(self, start: Place, end: Place, columns: int, pairs: list[tuple[int, int]]) -> Coupling:
        """Lines that take so many columns, from element to element, wavelength by wavelength."""
        (source, signal), (target, into) = start, end
        of, to = self._sizes[source], self._sizes[target]
        sheets, shape = range(len(self.wavelengths)), self._sheet(to)
        operator = Sparse(
            tuple(sheet * to + row for sheet in sheets for row, _ in pairs),
            tuple(sheet * of + column for sheet in sheets for _, column in pairs),
            len(sheets) * to,
            len(sheets) * of,
            shape if len(shape) > 1 else None,
        )
        return Coupling(
            f"{source}.{signal}->{target}.{into}",
            source,
            target,
            signal,
            operator,
            into,
            columns * self.delay,
            trainable=False,
            initial=np.ones(operator.weight_shape),
            local=True,
            constant=True,
        )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return {self.name: self.size} | {self._called(k): len(column) for k, column in enumerate(self.columns)}

    def _called(self, column: int) -> str:
        return f"{self.name}_{column + 1}"

    def _sheet(self, elements: int) -> tuple[int, ...]:
        return (elements,) if len(self.wavelengths) == 1 else (len(self.wavelengths), elements)

    @property
    def _ratio(self) -> Any:
        """By how much phases are larger than at the design wavelength."""
        ratios = 1.0 / np.asarray(self.wavelengths)
        return ratios[0] if ratios.size == 1 else ratios[:, None]

    @property
    def _learnt(self) -> str:
        return "trainable" if self.trainable else "parameter"


@dataclass(frozen=True)
class Attenuators(Part):
    """Interferometers in push-pull, of which one output is used:  y_j = k sin(angle_j) z_j  for couplers without error.

    Arms turned by angle and -angle between couplers of pi/4 + first and pi/4 + second pass

        -i k (c1 c2 e^{i angle} - s1 s2 e^{-i angle}),  k = e^{-alpha}.

    Between two meshes they are the singular values of a matrix; whatever the angle, none amplifies.

    Parameters
    ----------
    name : str
    size : int
        Number of lines n.
    angle : float or sequence of float
        [rad], for all or for each.
    loss : float
        Of one interferometer [dB].
    coupler_errors : array
        Of the two couplers [rad], (2, n), or a number for all.
    trainable : bool
        Whether the angles are learnt.

    Source
    ------
    Shen et al., Nat. Photonics 11 (2017) 441.
    """

    name: str
    size: int
    angle: Any = np.pi / 2
    loss: float = 0.0
    coupler_errors: Any = 0.0
    trainable: bool = True
    signal: str = field(default="y", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"attenuators {self.name!r}"
        if not is_size(self.size):
            raise ShapeError(f"{where}: size {self.size!r} must be a whole number of lines, at least 1")
        angles = finite(self.angle, "angle", where)
        if angles.shape not in ((), (self.size,)):
            raise ShapeError(f"{where}: angles have shape {angles.shape}; give ({self.size},), or one number")
        object.__setattr__(self, "angle", np.broadcast_to(angles, (self.size,)).copy())
        object.__setattr__(self, "coupler_errors", _errors(self.coupler_errors, self.size, where))
        if not_negative(self.loss, "loss", where).shape:
            raise ShapeError(f"{where}: loss must be one number")

    def lower(self) -> Population:
        """What leaves, line by line."""
        text = ATTENUATORS.format(learnt="trainable" if self.trainable else "parameter")
        first, second = self.coupler_errors
        alpha = np.full(self.size, self.loss * NEPER)
        values = {"angle": self.angle, "first": first, "second": second, "alpha": alpha}
        return Population.from_text(self.name, self.size, text, values)


def _phases(given: Any, otherwise: NDArray[np.float64], key: str, where: str) -> NDArray[np.float64]:
    found = otherwise if given is None else finite(given, key, where)
    if found.shape != otherwise.shape:
        raise ShapeError(f"{where}: {key} has shape {found.shape}; this mesh needs {otherwise.shape}")
    return found


def _errors(given: Any, count: int, where: str) -> NDArray[np.float64]:
    """Of the two couplers of each interferometer, (2, count)."""
    errors = finite(given, "coupler errors", where)
    if errors.shape not in ((), (2, count)):
        raise ShapeError(f"{where}: coupler errors have shape {errors.shape}; give (2, {count}), or one number")
    return np.broadcast_to(errors, (2, count)).copy()
