"""Largest stable time steps: of any System by its step matrix, of wave media in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from physnn.analysis.point import Point, environment
from physnn.analysis.radius import Sheet, growth_rate, spectral_radius
from physnn.analysis.state_space import Linearisation
from physnn.equations import Convolution, Coupling, Interpreter, OneToOne, Sparse, System
from physnn.equations.parse import TIME
from physnn.errors import CapabilityError, ParameterError, ShapeError, UnknownNameError

SCHEMES = ("euler", "symplectic", "verlet", "imex", "implicit")
_GROWTH = 1e-7
"""what a spectral radius may exceed 1 by: defective eigenvalues (free motion) are known to the root of rounding"""
_SHORTEST, _LONGEST = 1e-3, 1e6
"""steps that are looked at, in units of 1 / fastest rate"""
_CONNECTIONS = 1_000_000
"""connections of a coupling in a loop, beyond which bisection would take minutes"""


def stability_limit(
    system: System,
    parameters: Mapping[str, Any] | None = None,
    about: Point | None = None,
    *,
    tolerance: float = 1e-3,
) -> float:
    """The largest time step with which a System's own integrators are stable about a point.

    Bisection on the spectral radius of `step_matrix`, which is exact for up to 400 states that act on each other, and
    for fields on a torus; in other large loops growth of less than 0.4 % a step goes unseen. Between events and
    projections the equations alone are looked at, weights are held, and delays count as the nearest whole number of
    steps, at least one.

    Parameters
    ----------
    system : System
    parameters : mapping, optional
        Parameter key -> array, in place of the System's own values.
    about : mapping, optional
        As for `linearised`; the states as they start where not given. It matters for nonlinear media: where a slope is
        steeper, the limit is lower.
    tolerance : float
        Relative width of the last bracket.

    Returns
    -------
    float
        [s]; inf where every step is stable; 0 where none above a thousandth of the fastest time constant is, as for
        explicit Euler without damping. Where the medium itself grows at this point as exp(sigma t), a step is stable
        that grows by no more than 1 + 1.5 sigma dt, and by no more than half.

    Raises
    ------
    CapabilityError
        A loop of couplings has more than a million connections.

    Examples
    --------
    >>> from physnn.equations import Population, System
    >>> from physnn.analysis import stability_limit
    >>> leak = Population.from_text("leak", 3, "dx/dt = -x/tau : 1\\ntau : s (parameter)", {"tau": [1.0, 2.0, 0.5]})
    >>> round(stability_limit(System.of([leak])), 2)  # 2 tau of the fastest element
    1.0
    """
    system, given, about = _loops(system, parameters, about)
    stepping = Linearisation(system, given, about, stepped=True)
    sheet = _sheet(system, stepping.slopes.columns["states"])
    flow = Linearisation(_flowing(system), given, about, stepped=False).embedded(1.0)
    rate, growth = spectral_radius(flow, sheet), max(growth_rate(flow, sheet), 0.0)

    def stable(step: float) -> bool:
        return spectral_radius(stepping.embedded(step), sheet) <= 1.0 + _GROWTH + min(1.5 * growth * step, 0.5)

    if rate == 0:
        return math.inf if stable(1.0) else 0.0
    longest = 1.0 / rate
    if stable(longest):
        while stable(2 * longest):
            longest *= 2
            if longest * rate > _LONGEST:
                return math.inf
        low, high = longest, 2 * longest
    else:
        low, high = _SHORTEST / rate, longest
        if not stable(low):
            return 0.0
    while high > low * (1 + tolerance):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low


def fastest_rate(system: System, parameters: Mapping[str, Any] | None = None, about: Point | None = None) -> float:
    """The fastest rate of a System's own motions about a point: its largest |lambda| [1/s].

    Oscillations count by their angular frequency. Parameters and errors as for `stability_limit`.
    """
    system, given, about = _loops(system, parameters, about)
    sheet = _sheet(system, Linearisation(system, given, about, stepped=True).slopes.columns["states"])
    return spectral_radius(Linearisation(_flowing(system), given, about, stepped=False).embedded(1.0), sheet)


def _loops(
    system: System, parameters: Mapping[str, Any] | None, about: Point | None
) -> tuple[System, dict[str, Any], dict[str, Any]]:
    """All that decides stability: populations without projections, couplings on loops, parameters, and the point.

    A projection cuts states off: at its edge it would hide how they grow inside.
    """
    everything = Interpreter(system, parameters).parameters
    values = environment(system, everything, about, None)
    there = {f"{name}.{key}": values[name][key] for name, p in system.populations.items() for key in p.variables}
    if about and TIME in about:
        there[TIME] = about[TIME]
    names = list(system.populations)
    graph = np.zeros((len(names), len(names)))
    for coupling in system.couplings.values():
        graph[names.index(coupling.source), names.index(coupling.target)] = 1.0
    group = connected_components(graph, directed=True, connection="strong")[1]
    kept = {
        c.name: c for c in system.couplings.values() if group[names.index(c.source)] == group[names.index(c.target)]
    }
    for coupling in kept.values():
        _check_size(coupling, system.populations[coupling.source].shape)
    free = {name: replace(p, projections={}) for name, p in system.populations.items()}
    reduced = replace(system, populations=free, couplings=kept, inputs={}, outputs={})
    keys = {c.key for c in kept.values()} | reduced.parameters.keys()
    return reduced, {key: value for key, value in everything.items() if key in keys}, there


def _check_size(coupling: Coupling, source: tuple[int, ...]) -> None:
    """Whether a coupling's matrix is small enough."""
    operator, elements = coupling.operator, math.prod(source)
    if isinstance(operator, OneToOne | Sparse | Convolution):
        entries = operator.macs(source)
    else:
        entries = elements * math.prod(operator.output_shape(source))
    if entries > _CONNECTIONS:
        raise CapabilityError(
            f"coupling {coupling.name!r} has {entries} connections in a loop, more than the {_CONNECTIONS} whose "
            "stability is judged; ask about a smaller network of the same kind"
        )


def _flowing(system: System) -> System:
    """The System with the states of maps held, so that all have a rate of change."""
    resting = {
        name: replace(p, flows={**p.flows, **dict.fromkeys(p.maps, sp.Integer(0))}, maps={})
        for name, p in system.populations.items()
    }
    return replace(system, populations=resting)


def _sheet(system: System, states: Mapping[str, slice]) -> Sheet | None:
    """The fields among the states, where all have the same height and width."""
    shapes = {key: system.populations[key.split(".", 1)[0]].shape for key in states}
    sides = {shape[1:] for shape in shapes.values() if len(shape) == 3}
    if len(sides) != 1:
        return None
    height, width = sides.pop()
    fields = [states[key] for key, shape in shapes.items() if len(shape) == 3]
    return Sheet(height, width, tuple(start for s in fields for start in range(s.start, s.stop, height * width)))


def wave_step_limit(
    speed: float,
    stiffness: float = 0.0,
    damping: float = 0.0,
    scheme: str = "verlet",
    largest_eigenvalue: float = 8.0,
) -> float:
    """The largest stable step of  y'' = c^2 lap y - omega y - alpha y'  on a lattice of node distance 1.

    The Laplacian stands for any coupling that is symmetric and pulls back (its eigenvalues real and at most 0); with
    others the medium grows by itself, and `stability_limit` is to be asked. With L = c^2 largest_eigenvalue + omega:

        verlet, symplectic   dt^2 L + 2 dt alpha < 4             (without damping dt < 2/sqrt(L))
        imex                 dt^2 L < 4 + 2 dt alpha             damping implicit
        implicit             dt^2 (L - 2 omega) < 4 + 2 dt alpha   damping and omega implicit, the Laplacian not
        euler                dt < alpha/L, or 4/(alpha + sqrt(alpha^2 - 4 L)) where overdamped; likewise for L = omega

    Parameters
    ----------
    speed : float
        c [nodes/s]
    stiffness : float
        omega [1/s^2]: a node alone swings with sqrt(omega) [rad/s].
    damping : float
        alpha [1/s]
    scheme : str
        Integrator, as a population names it.
    largest_eigenvalue : float
        Of the negative Laplacian: 8 for five points, 4 in one dimension, `kernel_bound` of a learnt kernel.

    Returns
    -------
    float
        [s]; inf where every step is stable, 0 where none is.
    """
    if scheme not in SCHEMES:
        raise UnknownNameError("scheme", scheme, SCHEMES)
    if not all(math.isfinite(v) and v >= 0 for v in (speed, stiffness, damping, largest_eigenvalue)):
        raise ParameterError(
            f"speed {speed}, stiffness {stiffness}, damping {damping} and largest eigenvalue {largest_eigenvalue} "
            "must be finite and at least 0"
        )
    total = speed**2 * largest_eigenvalue + stiffness
    if scheme == "euler":
        return min(_euler_limit(stiffness, damping), _euler_limit(total, damping))
    if scheme in ("verlet", "symplectic"):
        return _root(total, 2 * damping)
    return _root(total - (2 * stiffness if scheme == "implicit" else 0.0), -2 * damping)


def _root(square: float, linear: float) -> float:
    """The largest dt with  square dt^2 + linear dt < 4."""
    if square <= 0:
        return 4 / linear if linear > 0 and square == 0 else math.inf
    return 8 / (linear + math.sqrt(linear**2 + 16 * square))


def _euler_limit(stiffness: float, damping: float) -> float:
    """Explicit Euler of y'' = -L y - alpha y': |1 + dt lambda| < 1 for both of its modes."""
    if stiffness == 0:
        return 2 / damping if damping > 0 else math.inf
    if damping**2 < 4 * stiffness:
        return damping / stiffness
    return 4 / (damping + math.sqrt(damping**2 - 4 * stiffness))


def leaky_step_limit(rate: float) -> float:
    """The largest stable explicit Euler step of  x' = -rate x:  2/rate [s]."""
    if not (math.isfinite(rate) and rate >= 0):
        raise ParameterError(f"a rate of {rate} 1/s; it must be finite and at least 0")
    return 2 / rate if rate else math.inf


def kernel_bound(kernel: NDArray, sheet: tuple[int, int]) -> float:
    """max over wave vectors of the spectral norm of a kernel on a torus, max |W^(k)|, by FFT.

    Parameters
    ----------
    kernel : array
        (channels out, channels in, height, width), odd sides.
    sheet : (height, width)
        Of the torus.
    """
    if np.ndim(kernel) != 4:
        raise ShapeError(f"a kernel of shape {np.shape(kernel)}; (channels out, channels in, height, width) is needed")
    channels_out, channels_in, *sides = kernel.shape
    pulse = np.zeros((channels_in, channels_in, *sheet))
    pulse[np.arange(channels_in), np.arange(channels_in), 0, 0] = 1.0
    answers = Convolution(channels_out, channels_in, (sides[0], sides[1]), "circular").apply(np, kernel, pulse)
    symbols = np.moveaxis(np.fft.fft2(answers), (0, 1), (-1, -2))
    return float(np.max(np.linalg.norm(symbols, ord=2, axis=(-2, -1))))
