"""Excitable media and cables: pulses that renew themselves, and voltages that leak away."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Coupling, Population
from physnn.media.checks import not_negative, positive
from physnn.media.fields.lattice import (
    PADDINGS,
    Edges,
    Sheet,
    axes,
    edge_pair,
    laplacian,
    sheet,
    stencil,
)
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

EDGES = ("clamped", "free", "periodic")
"""Edges of media in which nothing travels out."""

EXCITABLE = """
dpsi/dt = D*lap + k*(psi*(1 - psi)*(psi - a) - w) + drive : 1
dw/dt   = eps*(psi - g*w) : 1
wave    = psi : 1
lap     : 1/m**2 (arrival)
drive   : 1/s (arrival)
"""
UNITS = {"D": "m**2/s", "k": "1/s", "a": "1", "eps": "1/s", "g": "1"}


@dataclass(frozen=True)
class ExcitableField(Part):
    """The FitzHugh-Nagumo medium:  psi_t = D lap psi + k (psi (1 - psi)(psi - a) - w) + drive,  w_t = eps (psi - g w).

    psi [1] is the excitation, w [1] what calls it back. Rest is psi = w = 0; a kick above the threshold a starts a
    pulse that travels unchanged, and a pulse that is cut open curls into a spiral. Without recovery (eps = 0) the state
    psi = 1 replaces psi = 0 by a front of

        speed sqrt(D k/2) (1 - 2 a),  psi = 1/(1 + exp(x/sqrt(2 D/k))),

    to which the front of a pulse comes close where eps is small against k. Explicit Euler (the default) needs steps
    below dx^2/(4 D) in two dimensions.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        n, (height, width) or (channels, height, width).
    diffusion : float or array
        D [m^2/s], at least 0.
    threshold : float or array
        a [1]; below 1/2 excitation spreads, above it shrinks.
    rate : float or array
        k [1/s], of excitation, at least 0.
    recovery : float or array
        eps [1/s], at least 0.
    decay : float or array
        g [1], of recovery, at least 0; above 4/(1 - a)^2 a second state of rest appears.
    spacing : float
        dx between neighbours [m].
    edges : str or (str, str)
        clamped, free or periodic, as in `WaveField`.
    trainable : tuple of str
        Which of "D", "k", "a", "eps", "g" are learnt.
    integrator : str

    Source
    ------
    FitzHugh, Biophysical Journal 1 (1961); Nagumo, Arimoto, Yoshizawa, Proceedings of the IRE 50 (1962); the front:
    Murray, Mathematical Biology I (2002), section 13.4.
    """

    name: str
    shape: int | tuple[int, ...]
    diffusion: Any = 1.0
    threshold: Any = 0.1
    rate: Any = 1.0
    recovery: Any = 0.01
    decay: Any = 0.5
    spacing: float = 1.0
    edges: Edges = "free"
    trainable: tuple[str, ...] = ()
    integrator: str = "euler"
    signal: str = field(default="wave", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"excitable field {self.name!r}"
        sheet(self.shape, where)
        positive(self.spacing, "spacing [m]", where)
        edge_pair(self.edges, EDGES, where)
        not_negative(self.diffusion, "diffusion [m^2/s]", where)
        not_negative(self.rate, "rate [1/s]", where)
        not_negative(self.recovery, "recovery [1/s]", where)
        not_negative(self.decay, "decay [1]", where)
        check_learnt(self.trainable, UNITS, where)

    @property
    def nodes(self) -> Sheet:
        """(channels, height, width)."""
        return sheet(self.shape, f"excitable field {self.name!r}")

    def lower(self) -> Population:
        """The medium's equations."""
        values = {"D": self.diffusion, "k": self.rate, "a": self.threshold, "eps": self.recovery, "g": self.decay}
        roles = {name: "trainable" if name in self.trainable else "parameter" for name in values}
        declared = "".join(f"{name} : {UNITS[name]} ({roles[name]})\n" for name in values)
        return Population.from_text(self.name, self.nodes, EXCITABLE + declared, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """Diffusion between neighbours, fixed."""
        return laplacian(self.name, self.nodes, edge_pair(self.edges, EDGES, self.name), self.spacing)


CABLE = """
dV/dt  = (lam**2*(near - centre*V) - V + drive)/tau : V
near   : V/m**2 (arrival)
drive  : V (arrival)
centre : 1/m**2 (parameter)
"""


@dataclass(frozen=True)
class Cable(Part):
    """A passive cable or sheet of membrane:  tau V_t = lambda^2 lap V - V + R I.

    `drive` [V] is R I, the voltage that the current would cause in the membrane alone. Far from its ends, a current
    into one node x = 0 leaves V = V_0 exp(-|x|/lambda); on the lattice V falls from node to node by exactly

        q = 1 + h^2/2 - sqrt(h^2 + h^4/4),  h = dx/lambda.

    The neighbours arrive as `near`, without the node itself, so that a stationary state is found by sweeps whatever
    lambda is, and integrators see the whole leak of a node.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        n nodes in a row, or (height, width), or (channels, height, width).
    length_constant : float or array
        lambda [m], at least 0.
    time_constant : float
        tau [s].
    spacing : float
        dx between neighbours [m].
    edges : str or (str, str)
        free (a sealed end), clamped (a killed end) or periodic.
    trainable : tuple of str
        Which of "lam", "tau" are learnt.
    integrator : str

    Source
    ------
    Rall, Handbook of Physiology, The Nervous System I (1977), chapter 3.
    """

    name: str
    shape: int | tuple[int, ...]
    length_constant: Any = 1.0
    time_constant: float = 1.0
    spacing: float = 1.0
    edges: Edges = "free"
    trainable: tuple[str, ...] = ()
    integrator: str = "exponential"
    signal: str = field(default="V", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="V", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"cable {self.name!r}"
        sheet(self.shape, where)
        positive(self.spacing, "spacing [m]", where)
        positive(self.time_constant, "time constant [s]", where)
        not_negative(self.length_constant, "length constant [m]", where)
        edge_pair(self.edges, EDGES, where)
        check_learnt(self.trainable, ("lam", "tau"), where)

    @property
    def nodes(self) -> Sheet:
        """(channels, height, width)."""
        return sheet(self.shape, f"cable {self.name!r}")

    def lower(self) -> Population:
        """The cable's equations."""
        roles = {name: "trainable" if name in self.trainable else "parameter" for name in ("lam", "tau")}
        text = CABLE + f"lam : m ({roles['lam']})\ntau : s ({roles['tau']})"
        values = {
            "lam": self.length_constant,
            "tau": self.time_constant,
            "centre": 2 * len(axes(self.nodes)) / self.spacing**2,
        }
        return Population.from_text(self.name, self.nodes, text, values, integrator=self.integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """What arrives from the neighbours, fixed."""
        edges = edge_pair(self.edges, EDGES, f"cable {self.name!r}")
        taps = (1 / self.spacing**2, 0.0, 1 / self.spacing**2)
        return tuple(
            stencil(
                f"{self.name}/{('vertical', 'horizontal')[axis]}",
                self.name,
                self.nodes,
                axis,
                taps,
                PADDINGS[edges[axis]],
                signal="V",
                into="near",
                unit="1/m**2",
            )
            for axis in axes(self.nodes)
        )
