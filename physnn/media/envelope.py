"""The second-order carrier medium as its envelope: the slowly varying complex amplitude of a declared carrier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import is_above_zero, is_size
from physnn.media.part import Part
from physnn.media.potential import Potential, duffing

EQUATIONS = """
X     = p + 1j*q            : 1
n     = gamma**2 + 4*w**2   : 1/s**2
F_p   = {in_phase}          : 1/s**2
F_q   = {quadrature}        : 1/s**2
dp/dt = 2*w**2/n*re(U) - w*gamma/n*im(U) - w**2*gamma/n*p + w*(gamma**2 + 2*w**2)/n*q - gamma/n*F_p - 2*w/n*F_q : 1
dq/dt = 2*w**2/n*im(U) + w*gamma/n*re(U) - w**2*gamma/n*q - w*(gamma**2 + 2*w**2)/n*p - gamma/n*F_q + 2*w/n*F_p : 1
U     : 1/s (arrival, complex)
gamma : 1/s (parameter)
w     : 1/s (parameter)
{parameters}
"""
"""X' = (jw U - (jw gamma - w^2) X - F)/(gamma + 2jw), the quotient written out in real and imaginary part"""


@dataclass(frozen=True)
class EnvelopeMedium(Part):
    """A layer of `CarrierMedium` by its complex amplitude X = p + jq,  x = Re(X e^{jwt}).

        (2jw + gamma) X' = jw U - (jw gamma - w^2) X - F(X),      U = W X_before + b

    F is the first harmonic of the potential's force, (k + 3/4 b |X|^2) X for the Duffing potential. The stationary
    state is that of harmonic balance, (k - w^2 + jw gamma + 3/4 b |X|^2) X = jw U; a linear layer on resonance,
    w^2 = k, has the gain 1/gamma. Left out against the carrier itself: X'' (the amplitude changes slowly against the
    carrier), the slow part X' of the velocity that leaves, and the harmonics 3w, 5w, ... of the force.

    The two quadratures are real states: |X|^2 has no complex derivative, and a stationary state is then an ordinary
    root of two real equations an element. Above resonance, w^2 > k, a hardening element can have several.

    Parameters
    ----------
    name : str
    size : int
        Number of elements n; states p, q (n,) [1].
    potential : Potential
        Even in x.
    damping : float
        gamma [1/s], above 0.
    carrier : float
        Angular frequency w of the carrier [rad/s], one for the whole network.
    bias : bool
        A constant amplitude in phase with the sources runs into the layer, with trainable weights.

    Raises
    ------
    ParameterError, ShapeError

    Source
    ------
    "Neural Networks are Wave Propagation Systems" (2026), part VI, in the slowly varying envelope approximation.
    """

    name: str
    size: int
    potential: Potential = field(default_factory=duffing)
    damping: float = 1.0
    carrier: float = 1.0
    bias: bool = True
    signal: str = field(default="X", init=False, repr=False)
    arrival: str = field(default="U", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"envelope medium {self.name!r}"
        check_layer(where, self.size, self.damping, self.potential)
        check_carrier(where, self.carrier)

    def lower(self) -> Population:
        """The layer's equations."""
        in_phase, quadrature = self.potential.fundamental
        return Population.from_text(
            self.name,
            self.size,
            EQUATIONS.format(in_phase=in_phase, quadrature=quadrature, parameters=self.potential.declarations),
            {"gamma": self.damping, "w": self.carrier, **self.potential.values},
        )


RESERVED = ("x", "v", "drive", "p", "q", "X", "U", "n", "F_p", "F_q", "gamma", "w")
"""names of the layers' own equations, which a potential's parameters cannot have"""


def check_layer(where: str, size: Any, damping: Any, potential: Potential) -> None:
    """What both forms of a layer ask of their sizes and parameters.

    Raises
    ------
    ParameterError, ShapeError
    """
    if not is_size(size):
        raise ShapeError(f"{where}: size {size!r} must be a whole number, at least 1")
    if not is_above_zero(damping):
        raise ParameterError(
            f"{where}: damping {damping} /s lets what rings at first ring for ever; choose a damping above 0"
        )
    check_potential(where, potential)
    taken = sorted(set(RESERVED) & set(potential.values))
    if taken:
        raise ParameterError(
            f"{where}: the potential's parameter {taken[0]!r} has a name of the layer's own; rename it"
        )


def check_potential(where: str, given: object) -> None:
    """Whether this is a potential.

    Raises
    ------
    ParameterError
    """
    if isinstance(given, Potential):
        return
    name = getattr(given, "__name__", "")
    if isinstance(given, str):
        advice = "give its parameters [1/s^2] as well, such as Potential('k*x**2/2', {'k': 1.0})"
    else:
        advice = f"call it, {name}()" if callable(given) and name else "give harmonic(), duffing() or a Potential"
    said = f"the function {name}" if callable(given) and name else repr(given)
    raise ParameterError(f"{where}: potential is {said}; {advice}")


def check_carrier(where: str, carrier: Any) -> None:
    """Whether a carrier's angular frequency is one.

    Raises
    ------
    ParameterError
    """
    if not is_above_zero(carrier):
        raise ParameterError(f"{where}: carrier {carrier} rad/s must be finite and above 0")
