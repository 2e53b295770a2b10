"""The evanescent field of a conductor that is neither isotropic nor homogeneous."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from physnn.equations import Coupling, Poisson, Population
from physnn.errors import ParameterError, ShapeError
from physnn.media.checks import finite, positive
from physnn.media.fields.lattice import PADDINGS, Sheet, axes, edge_pair, edge_sides, sheet, stencil
from physnn.media.oscillators.roles import check_learnt
from physnn.media.part import Part

EDGES = ("clamped", "periodic")

EQUATIONS = """
dpsi/dt = rate : V
flux    : V/(m**2*s) (arrival)
drive   : V/(m**2*s) (arrival)
rate    : V/s (arrival)
"""
"""`flux` is div(Sigma grad psi), `rate` what the inverse Laplacian makes of drive - flux."""


@dataclass(frozen=True)
class EvanescentField(Part):
    """The potential of a conductor:  d/dt lap psi = -div(Sigma grad psi) + drive,  Sigma = conductivity/permittivity.

    It is the continuity of charge, rho = -lap psi (permittivity 1), rho_t = -div J, J = -Sigma grad psi. Each step
    solves for psi_t in space. In constant Sigma the wave exp(-i (k r - W t)) has

        W = i gamma,  gamma = k Sigma k/k^2:

    it decays, at a rate that depends on its direction only. Where Sigma changes from place to place, the wave also
    turns; to first order in the gradient of Sigma, where the envelope of a packet is flat,

        omega = Re W = -k_j d_i Sigma_ij/k^2 + 2 k_l d_l gamma/k^2.

    The source has the first term only: it takes W for constant although gamma changes with Sigma. The two agree where
    gamma does not change along k, as when Sigma varies across the direction of travel only. In one dimension, where
    psi_x decays by exp(-Sigma t) in its place, omega is Sigma_x/k, of the opposite sign.

    The lattice keeps the continuum's form: with forward and backward differences g+, g-, the flux is the mean of
    div-(Sigma g+ psi) and div+(Sigma g- psi), so that psi cannot grow where Sigma is positive, and in a homogeneous
    isotropic conductor every wave decays at exactly Sigma. Two edges: periodic (the mean of psi stays as it is), or
    clamped, a grounded frame one spacing beyond the last nodes, in a medium that goes on as it is there.

    Parameters
    ----------
    name : str
    shape : int or tuple of int
        n, or (height, width); x runs along the width, y along the height.
    sigma_xx, sigma_xy, sigma_yy : float or array
        Components of Sigma [1/s], one for all nodes or one each, everywhere without negative eigenvalue.
    spacing : float
        dx between neighbours [m].
    edges : str
        clamped or periodic.
    trainable : tuple of str
        Which of "Sxx", "Sxy", "Syy" are learnt.
    integrator : str

    Source
    ------
    Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (2) to (5).
    """

    name: str
    shape: int | tuple[int, ...]
    sigma_xx: Any = 1.0
    sigma_xy: Any = 0.0
    sigma_yy: Any = 1.0
    spacing: float = 1.0
    edges: str = "periodic"
    trainable: tuple[str, ...] = ()
    integrator: str = "euler"
    signal: str = field(default="psi", init=False, repr=False)
    arrival: str = field(default="drive", init=False, repr=False)
    unit: str = field(default="V/(m**2*s)", init=False, repr=False)

    def __post_init__(self) -> None:
        where = f"evanescent field {self.name!r}"
        nodes = sheet(self.shape, where)
        if nodes[0] != 1:
            raise ShapeError(
                f"{where}: {nodes[0]} channels; a conductor has one potential, of shape n or (height, width)"
            )
        positive(self.spacing, "spacing [m]", where)
        edge_pair(self.edges, EDGES, where)
        check_learnt(self.trainable, self._tensor, where)
        _check_tensor({name: finite(value, f"{name} [1/s]", where) for name, value in self._tensor.items()}, where)

    @property
    def nodes(self) -> Sheet:
        """(1, height, width)."""
        return sheet(self.shape, f"evanescent field {self.name!r}")

    @property
    def _tensor(self) -> dict[str, Any]:
        return {"Sxx": self.sigma_xx, "Sxy": self.sigma_xy, "Syy": self.sigma_yy}

    def lower(self) -> Population:
        """The field's equations."""
        declared = [f"{name} : 1/s ({'trainable' if name in self.trainable else 'parameter'})" for name in self._tensor]
        declared += [f"g{axis}{way} : V/m (arrival)" for axis, way in product("xy", "pm")]
        values = dict(self._tensor)
        if self.edges == "clamped":
            for name, sides in self._frame().items():
                declared.append(f"{name} : 1/m**2 (parameter)")
                values[name] = sides
        text = EQUATIONS + "\n".join(declared)
        return Population.from_text(self.name, self.nodes, text, values, integrator=self.integrator)

    def _frame(self) -> dict[str, np.ndarray]:
        """Sides of each node on the frame, left and right, above and below, over 2 dx^2.

        Half the flux to the frame would be carried by a node beyond it; a node on the edge carries it instead.
        """
        across = edge_sides(self.nodes, ("periodic", "clamped"), "clamped")
        down = edge_sides(self.nodes, ("clamped", "periodic"), "clamped")
        return {"rim_x": across / (2 * self.spacing**2), "rim_y": down / (2 * self.spacing**2)}

    def inner(self, seed: int) -> tuple[Coupling, ...]:
        """Differences, divergence, and the inverse Laplacian, all fixed."""
        ways = {"p": (0.0, -1.0, 1.0), "m": (-1.0, 1.0, 0.0)}
        opposite = {"p": "m", "m": "p"}
        found = []
        for axis, way in product(axes(self.nodes), "pm"):
            direction = "yx"[axis]
            gradient = f"g{direction}{way}"
            found.append(self._difference(gradient, axis, ways[way], "psi", gradient, "1/m"))
            current = "Sxx*gx{0} + Sxy*(gyp + gym)/2" if direction == "x" else "Syy*gy{0} + Sxy*(gxp + gxm)/2"
            half = tuple(tap / 2 for tap in ways[opposite[way]])
            found.append(self._difference(f"j{direction}{way}", axis, half, current.format(way), "flux", "1/m"))
        change = "drive - flux"
        if self.edges == "clamped":
            change += " + (rim_x*Sxx + rim_y*Syy)*psi"
        inverse = Poisson(self.nodes, PADDINGS[self.edges])
        weight = np.array([self.spacing**2])
        found.append(
            Coupling(
                f"{self.name}/solve",
                self.name,
                self.name,
                change,
                inverse,
                "rate",
                unit="m**2",
                trainable=False,
                initial=weight,
                local=True,
                constant=True,
            )
        )
        return tuple(found)

    def _difference(
        self, label: str, axis: int, taps: tuple[float, ...], signal: str, into: str, unit: str
    ) -> Coupling:
        before, here, after = (tap / self.spacing for tap in taps)
        return stencil(
            f"{self.name}/{label}",
            self.name,
            self.nodes,
            axis,
            (before, here, after),
            PADDINGS[self.edges],
            signal=signal,
            into=into,
            unit=unit,
        )


def _check_tensor(tensor: dict[str, np.ndarray], where: str) -> None:
    """Sigma must have no negative eigenvalue: charge would flow against the field, and psi grow without bound."""
    xx, xy, yy = (tensor[name] for name in ("Sxx", "Sxy", "Syy"))
    try:
        lowest = np.min((xx + yy) / 2 - np.hypot((xx - yy) / 2, xy))
    except ValueError:
        raise ShapeError(f"{where}: the components of sigma have shapes {xx.shape}, {xy.shape}, {yy.shape}") from None
    scale = max(float(np.max(np.abs(part))) for part in (xx, xy, yy))
    if not lowest >= -1e-12 * scale:
        raise ParameterError(
            f"{where}: sigma has the eigenvalue {lowest:.3g} 1/s somewhere; a conductor's are at least 0"
        )
