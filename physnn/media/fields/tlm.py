"""The scalar wave field as a transmission-line-matrix mesh: pulses that scatter at nodes and travel between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.equations import Coupling, Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import finite, not_negative, positive
from physnn.media.fields.lattice import Sheet, sheet, stencil
from physnn.media.fields.tlm_edges import Edge, MeshEdges, mesh_edges, reflection
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

ARMS = ("e", "w", "n", "s")
"""Lines of a node: to the right, left, above and below."""
OPPOSITE = {"e": "w", "w": "e", "n": "s", "s": "n"}
AXIS = {"e": 1, "w": 1, "n": 0, "s": 0}
TAPS = {"e": (0.0, 0.0, 1.0), "s": (0.0, 0.0, 1.0), "w": (1.0, 0.0, 0.0), "n": (1.0, 0.0, 0.0)}
"""Where a line's neighbour is: (before, here, after) in the direction of its axis."""


@dataclass(frozen=True)
class TLMField(Part):
    """A scalar wave field as a mesh of shunt nodes; each step pulses b scatter and travel to the next node:

        v = (2 sum_k b_k + 2 y0 stub + drive)/(4 + y0 + g0),   a_k = v - b_k,   stub+ = v - stub,
        b_k+ = a_k' of the neighbour,  or R a_k where the line ends half-way to it.

    States are the pulses `b_e`, `b_w`, `b_n`, `b_s` [V] that arrive on a node's four lines, and with `stub` the one
    that its open stub sends back; `v` is the node's voltage. One step of time, whatever its length dt, is one cell dx.
    Couplings deliver to `drive` [V], a current into the node times the impedance of a line; input ports may set the
    pulses (`at_rest`), and y0, g0 or `wall` per sample. With s^2 = sum_i sin^2(k_i dx/2), and l = g0/(4 + y0),

        |v| ~ exp(-t atanh(l)/dt),   sqrt(1 - l^2) cos(omega dt) = 1 - 4 s^2/(4 + y0),

    so that long waves have the speed dx/dt/sqrt(2 + y0/2). Without loss that is sin(omega dt/2) = c s dt/dx: what
    Verlet makes of the five-point Laplacian at this step. Along diagonals a mesh without stubs has no dispersion.
    Pulses that run in circles so that no node has a voltage are not damped by conductances; drives and `at_rest` raise
    none.

    The energy U = sum_nodes (sum_k b_k^2 + y0 stub^2) [V^2], the definition `energy`, changes in a step by exactly

        v drive - g0 v^2 - (1 - R^2) a_k^2 at every end of a line,

    and a mesh with no negative y0, g0 and |R| <= 1 is stable at every length of step.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        (height, width), (channels, height, width) for meshes side by side, or n for a row of n nodes. A row between
        "short" sides, the default, is a guide that long waves do not enter: without stubs it passes nothing below a
        quarter of the step rate. For waves along it give `edges` as ("open", ...), such as ("open", "short"), or
        ("periodic", ...).
    stub : float or array, optional
        y0 [1], at least 0: admittance of each node's open stub in units of a line's; `stub_for` has that of a speed.
        Without one, nodes have none.
    loss : float or array, optional
        g0 [1], at least 0: conductance across each node (a matched stub) in units of a line's; `loss_for` has that of
        a rate of decay.
    edges : str, float or tuple of them
        One for all sides, or (top and bottom, left and right), or (top, bottom, left, right). Each is "short", "open",
        "matched", "periodic", or the share R of a pulse, -1 to 1, that comes back from the end of its line, half a
        spacing beyond the last node: n nodes span a side L = n dx. "short" is R = -1 (v = 0 there), "open" R = 1 (no
        slope), "matched" the impedance of the mesh for long waves that come in along the normal, R =
        (1 - q)/(1 + q) with q = sqrt(2 + y0/2). Other waves it reflects: at the angle a from the normal
        |R| = (1 - cos a)/(1 + cos a), and (k dx)^2 (1 - (c dt/dx)^2)/16 along it.
    obstacles : array, optional
        (height, width) or (channels, height, width): bool, true at nodes that are walls, or `wall` from 0 to 1. The
        line between two nodes p and q passes the share t = (1 - wall_p)(1 - wall_q) of a pulse and sends back
        `surface` (1 - t) of it, half-way; 0 < t < 1 costs energy, as a conductance across the line (surface -1) or a
        resistance in it (1) does. Inside a wall nothing is driven; what starts there stays there.
    surface : str or float
        "short", "open", or R of walls.
    trainable : tuple of str
        Which of "y0", "g0", "wall" are learnt; learning leaves them at least 0, and walls above 1 are walls.

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Source
    ------
    Johns, Beurle, Numerical solution of 2-dimensional scattering problems using a transmission-line matrix, Proc. IEE
    118 (1971); stubs: Johns, IEEE Trans. Microwave Theory Tech. 22 (1974).
    """

    name: str
    shape: int | tuple[int, ...]
    stub: Any = None
    loss: Any = None
    edges: MeshEdges = "short"
    obstacles: Any = None
    surface: Edge = "short"
    trainable: tuple[str, ...] = ()
    signal: str = field(default="v", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="V", init=False, repr=False)

    def __post_init__(self) -> None:
        where = self._where
        nodes = self.nodes
        mesh_edges(self.edges, where)
        reflection(self.surface, f"surface of {where}")
        if self.stub is not None:
            not_negative(self.stub, "stub y0 [1]", where)
        if self.loss is not None:
            not_negative(self.loss, "loss g0 [1]", where)
        if self.obstacles is not None:
            _check_walls(self.obstacles, nodes, where)
        check_learnt(self.trainable, self._given, where)

    @property
    def _where(self) -> str:
        return f"mesh {self.name!r}"

    @property
    def nodes(self) -> Sheet:
        """(channels, height, width)."""
        return sheet(self.shape, self._where)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the pulses."""
        return tuple(f"b_{arm}" for arm in ARMS) + (("stub",) if self.stub is not None else ())

    @property
    def _given(self) -> dict[str, Any]:
        given = {"y0": self.stub, "g0": self.loss, "wall": self.obstacles}
        return {name: np.asarray(value, dtype=float) for name, value in given.items() if value is not None}

    def at_rest(self, voltage: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Pulses of a field that starts with these voltages and no slope in time: state -> v/2.

        Set them as initial conditions by input ports of the states' names.
        """
        half = finite(voltage, "voltage [V]", self._where) / 2
        return dict.fromkeys(self.states, half)

    def lower(self) -> Population:
        """The mesh's equations."""
        values = self._given
        y0, g0 = " + y0" if self.stub is not None else "", " + g0" if self.loss is not None else ""
        stub = " + y0*stub" if y0 else ""
        through = "through*" if self.obstacles is not None else ""
        lines = [f"{n} : 1 ({'trainable' if n in self.trainable else 'parameter'}, at least 0)" for n in values]
        lines += ["through = max(1 - wall, 0) : 1"] if through else []
        lines.append(f"v = (2*(b_e + b_w + b_n + b_s{stub}) + {through}drive)/(4{y0}{g0}) : V")
        ends = {arm: self._ends(arm) for arm in ARMS}
        values |= {name: share for found in ends.values() for name, share in found.items()}
        if any(f"M_{arm}" in found for arm, found in ends.items()):
            lines.append(f"q = sqrt(2{' + y0/2' if y0 else ''}) : 1\nmatch = (1 - q)/(1 + q) : 1")
        for arm, found in ends.items():
            # A die that changed a reflection of 1 by a share would make an edge amplify.
            lines += [f"{name} : 1 (constant)" for name in found]
            lines.append(f"from_{arm} : V (arrival)")
            following, stopped = f"{through}from_{arm}", ""
            if through:
                lines.append(f"next_{arm} : 1 (arrival)")
                stopped = f"*(1 - through*next_{arm})"
            if found:
                share = " + ".join(f"{name}*match" if name.startswith("M") else name for name in found)
                following += f" + {f'({share})' if len(found) > 1 else share}{stopped}*(v - b_{arm})"
            lines.append(f"b_{arm}+ = {following} : V")
        lines += ["stub+ = v - stub : V"] if y0 else []
        energy = " + ".join(f"b_{arm}**2" for arm in ARMS)
        lines += [f"energy = {energy}{' + y0*stub**2' if y0 else ''} : V**2", "drive : V (arrival)"]
        return Population.from_text(self.name, self.nodes, "\n".join(lines), values)

    def _ends(self, arm: str) -> dict[str, NDArray[np.float64]]:
        """Where lines of this name may end: R_ARM, the share that comes back, and M_ARM, 1 at matched ends.

        Of shape (1, height, width); what is 0 everywhere is left out.
        """
        edge = mesh_edges(self.edges, self._where)[arm]
        shape = (1, *self.nodes[1:])
        fixed, matched = np.zeros(shape), np.zeros(shape)
        if self.obstacles is not None:
            fixed += reflection(self.surface, self._where)
        last = (slice(None), *_LAST[arm])  # of every channel
        if edge == "matched":
            fixed[last], matched[last] = 0.0, 1.0
        elif edge != "periodic":
            fixed[last] = reflection(edge, self._where)
        return {name: share for name, share in ((f"R_{arm}", fixed), (f"M_{arm}", matched)) if np.any(share)}

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The lines between nodes, fixed; where there are walls, nodes also tell each other theirs."""
        walled = self.obstacles is not None
        found = []
        for arm in ARMS:
            pulse = f"v - b_{OPPOSITE[arm]}"
            found.append(self._line(arm, "from", f"through*({pulse})" if walled else pulse))
            if walled:
                found.append(self._line(arm, "next", "through"))
        return tuple(found)

    def _line(self, arm: str, kind: str, signal: str) -> Coupling:
        padding = "circular" if mesh_edges(self.edges, self._where)[arm] == "periodic" else "zero"
        into = f"{kind}_{arm}"
        name = f"{self.name}/{into}"
        return stencil(name, self.name, self.nodes, AXIS[arm], TAPS[arm], padding, signal=signal, into=into, unit="1")


_LAST: dict[str, tuple[int | slice, ...]] = {
    "n": (0, slice(None)),
    "s": (-1, slice(None)),
    "w": (slice(None), 0),
    "e": (slice(None), -1),
}
"""Arm -> the nodes (row, column) whose line of this name ends at the edge."""


def stub_for(speed: ArrayLike, spacing: float, step: float) -> NDArray[np.float64]:
    """The stub that slows long waves to a speed:  y0 = 2 (dx/(c dt))^2 - 4.

    Parameters
    ----------
    speed : float or array
        c [m/s], above 0.
    spacing : float
        dx between nodes [m].
    step : float
        dt [s]

    Raises
    ------
    ParameterError
        The mesh itself, dx/(sqrt(2) dt), is slower: the step is too long.

    Examples
    --------
    >>> float(stub_for(1.0, spacing=1.0, step=0.5))
    4.0
    """
    where = "stub of a mesh"
    c = finite(speed, "speed [m/s]", where)
    dx, dt = positive(spacing, "spacing [m]", where), positive(step, "step [s]", where)
    if np.any(c <= 0):
        raise ParameterError(f"{where}: speed [m/s] must be above 0 everywhere; a place without waves is an obstacle")
    longest = dx / (math.sqrt(2) * float(np.max(c)))
    if dt > longest * (1 + 1e-12):
        raise ParameterError(
            f"{where}: a step of {dt} s is too long for waves of {float(np.max(c)):.6g} m/s on nodes {dx} m apart; "
            f"take at most spacing/(sqrt(2) speed) = {longest:.6g} s"
        )
    return np.asarray(np.maximum(2 * (dx / (c * dt)) ** 2 - 4, 0.0))


def loss_for(damping: ArrayLike, step: float, stub: ArrayLike = 0.0) -> NDArray[np.float64]:
    """The conductance that lets waves decay as exp(-gamma t):  g0 = (4 + y0) tanh(gamma dt).

    Parameters
    ----------
    damping : float or array
        gamma [1/s], at least 0.
    step : float
        dt [s]
    stub : float or array
        y0 of the nodes [1].

    Raises
    ------
    ParameterError
    """
    where = "loss of a mesh"
    gamma, y0 = not_negative(damping, "damping [1/s]", where), not_negative(stub, "stub y0 [1]", where)
    return np.asarray((4 + y0) * np.tanh(gamma * positive(step, "step [s]", where)))


def _check_walls(obstacles: Any, nodes: Sheet, where: str) -> None:
    try:
        walls = np.asarray(obstacles)
    except ValueError:  # rows of unlike lengths
        walls = np.asarray(None)
    shares = walls.dtype.kind in "iuf" and bool(np.all((walls >= 0) & (walls <= 1)))
    if walls.dtype.kind != "b" and not shares:
        raise ParameterError(f"{where}: obstacles are an array of bool, true at walls, or of numbers from 0 to 1")
    if walls.shape not in (tuple(nodes), tuple(nodes[1:])):
        raise ShapeError(f"{where}: obstacles have shape {walls.shape}; expected {tuple(nodes[1:])} or {tuple(nodes)}")
