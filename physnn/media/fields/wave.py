"""The scalar wave field: a membrane or a string, with speed, damping, obstacles and edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from physnn.equations import Coupling, Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import not_negative, positive
from physnn.media.fields.lattice import (
    PADDINGS,
    Edges,
    Sheet,
    edge_pair,
    edge_sides,
    laplacian,
    sheet,
)
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

UNITS = {"c": "m/s", "gamma": "1/s", "omega": "1/s**2"}
"""Parameter of the wave equation that may be learnt -> its unit."""


@dataclass(frozen=True)
class WaveField(Part):
    """A scalar wave field on a lattice:  psi_tt = c^2 lap psi - 2 gamma psi_t - omega psi + drive.

    `lap` is the five-point Laplacian (1, -2, 1)/dx^2 in each direction. States psi [1] and v = psi_t [1/s], and the
    definition `wave`, which is psi where the field is open and 0 on obstacles; couplings deliver to `drive` [1/s^2].
    Input ports may set psi (the initial condition), and c, gamma, omega or `open` (0 on obstacles, else 1) per sample.

    An edge is one of

    - clamped: psi = 0 one spacing beyond the last node (Dirichlet), so that n nodes span a side L = (n + 1) dx;
    - free: no slope at the last node (Neumann), L = (n - 1) dx;
    - periodic: L = n dx;
    - absorbing: psi_t + c psi_n = 0 at the last node, n pointing outwards. With that, the node beyond the edge is
      eliminated from the wave equation at the last node; what is left is a free edge with the extra damping
      (2 c/dx) psi_t, once for every such side. For small steps of time it reflects

          R = (q C - 1)/(q C + 1),  C = cos(k_n dx/2),  q = sin(k_n dx/2)/sqrt(sum_i sin^2(k_i dx/2)),

      that is -tan^2(k dx/4), about (k dx)^2/16, at normal incidence, and (cos a - 1)/(cos a + 1) for long waves at the
      angle a from the normal. The damping is stepped to first order in time, which adds about omega dt/4.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        n for a line of nodes, (height, width), or (channels, height, width) for fields side by side.
    speed : float or array
        c [m/s], at least 0, one for all nodes or one each.
    damping : float or array, optional
        gamma [1/s], at least 0; without one the equations hold no such term. Waves decay as exp(-gamma t).
    restoring : float or array, optional
        omega [1/s^2], at least 0: each node's own spring, the square of its angular frequency; without one no such
        term.
    spacing : float
        dx between neighbours [m].
    edges : str or (str, str)
        One for all, or (top and bottom, left and right).
    obstacles : array of bool, optional
        (height, width) or (channels, height, width): where the field is held at 0.
    trainable : tuple of str
        Which of "c", "gamma", "omega" are learnt.
    integrator : str
        How simulators step it; where empty, "imex" with damping or absorbing edges, else "verlet".

    Source
    ------
    "Traveling waves integrate spatial information" (2025), equations (1) and (8); the absorbing edge is the first-order
    condition of Engquist and Majda, Mathematics of Computation 31 (1977).
    """

    name: str
    shape: int | tuple[int, ...]
    speed: Any = 1.0
    damping: Any = None
    restoring: Any = None
    spacing: float = 1.0
    edges: Edges = "clamped"
    obstacles: Any = None
    trainable: tuple[str, ...] = ()
    integrator: str = ""
    signal: str = field(default="wave", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="1/s**2", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"field {self.name!r}"
        nodes = sheet(self.shape, where)
        positive(self.spacing, "spacing [m]", where)
        edge_pair(self.edges, PADDINGS, where)
        not_negative(self.speed, "speed [m/s]", where)
        if self.damping is not None:
            not_negative(self.damping, "damping [1/s]", where)
        if self.restoring is not None:
            not_negative(self.restoring, "restoring [1/s^2]", where)
        check_learnt(self.trainable, self._given, where)
        if self.obstacles is not None:
            _check_mask(np.asarray(self.obstacles), nodes, where)

    @property
    def nodes(self) -> Sheet:
        """(channels, height, width)."""
        return sheet(self.shape, f"field {self.name!r}")

    @property
    def _given(self) -> dict[str, Any]:
        given = {"c": self.speed, "gamma": self.damping, "omega": self.restoring}
        return {name: value for name, value in given.items() if value is not None}

    def lower(self) -> Population:
        """The field's equations."""
        return self._lowered("", {})

    def _lowered(self, force: str, constants: Mapping[str, tuple[Any, str]]) -> Population:
        """The equations with a further acceleration `force` [1/s^2]; constants: name -> (value, unit)."""
        edges = edge_pair(self.edges, PADDINGS, f"field {self.name!r}")
        sides = edge_sides(self.nodes, edges, "absorbing")
        absorbing, lossy = bool(np.any(sides)), self.damping is not None
        values = self._given | {name: value for name, (value, _) in constants.items()}
        units = UNITS | {"edge": "1/m", "open": "1"} | {name: unit for name, (_, unit) in constants.items()}
        acceleration, wave = "c**2*lap + drive", "psi"
        if force:
            acceleration += " + force"
        if self.restoring is not None:
            acceleration += " - omega*psi"
        if lossy:
            acceleration += " - 2*gamma*v"
        if absorbing:
            acceleration += " - c*edge*v"
            values["edge"] = 2 * sides / self.spacing
        if self.obstacles is not None:
            acceleration, wave = f"open*({acceleration})", "open*psi"
            values["open"] = 1.0 - np.broadcast_to(self.obstacles, self.nodes)
        lines = ["dpsi/dt = v : 1", f"dv/dt = {acceleration} : 1/s", f"wave = {wave} : 1"]
        lines += [f"force = {force} : 1/s**2"] if force else []
        lines += ["lap : 1/m**2 (arrival)", "drive : 1/s**2 (arrival)"]
        for name in values:
            lines.append(f"{name} : {units[name]} ({'trainable' if name in self.trainable else 'parameter'})")
        integrator = self.integrator or ("imex" if lossy or absorbing else "verlet")
        return Population.from_text(self.name, self.nodes, "\n".join(lines), values, integrator=integrator)

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """The Laplacian, fixed."""
        edges = edge_pair(self.edges, PADDINGS, f"field {self.name!r}")
        return laplacian(self.name, self.nodes, edges, self.spacing)


def _check_mask(mask: np.ndarray, nodes: Sequence[int], where: str) -> None:
    if mask.dtype.kind != "b":
        raise ParameterError(f"{where}: obstacles are an array of bool, true where the field is held at 0")
    if mask.shape not in (tuple(nodes), tuple(nodes[1:])):
        raise ShapeError(f"{where}: obstacles have shape {mask.shape}; expected {tuple(nodes[1:])} or {tuple(nodes)}")
