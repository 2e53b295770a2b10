"""Dispersion of the lattice wave equation  u_tt = c^2 lap u and of transmission-line meshes; the modes of drums.

The lattice has the five-point Laplacian (three points in one dimension), node distance 1; steps are those of velocity
Verlet. With s^2 = sum_i sin^2(k_i/2):

    continuous time   omega = 2 c s
    Verlet            sin(omega dt/2) = c dt s
    continuum         omega = c |k|

A transmission-line-matrix mesh with stubs y0 and conductances g0 (`physnn.media.TLMField`) has, at c = 1/sqrt(2 + y0/2)
nodes a step and without loss, the dispersion of Verlet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import eigsh

from physnn.errors import NumericsError, ParameterError, ShapeError

Array = NDArray[np.float64]


def lattice_frequency(wave_vector: ArrayLike, speed: float = 1.0, step: float | None = None) -> Array:
    """Angular frequency of a plane wave on the lattice [rad/s].

    Parameters
    ----------
    wave_vector : array
        (..., dimensions) [rad/node]
    speed : float
        c [nodes/s]
    step : float, optional
        dt of velocity Verlet [s]; continuous time where not given.

    Raises
    ------
    NumericsError
        The step is unstable for one of the waves.
    """
    return _frequency(_sine(np.asarray(wave_vector, dtype=float)), speed, step)


def group_velocity(wave_vector: ArrayLike, speed: float = 1.0, step: float | None = None) -> Array:
    """d omega / d k of `lattice_frequency` [nodes/s]; c in every direction for k = 0 is left undefined (nan).

    Parameters and errors as for `lattice_frequency`.

    Returns
    -------
    array
        (..., dimensions)
    """
    k = np.asarray(wave_vector, dtype=float)
    sine = _sine(k)
    _frequency(sine, speed, step)
    slowing = np.sqrt(1 - (0.0 if step is None else (speed * step * sine) ** 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return speed * np.sin(k) / (2 * (sine * slowing)[..., None])


def tlm_frequency(wave_vector: ArrayLike, stub: float = 0.0, loss: float = 0.0, step: float = 1.0) -> Array:
    """Angular frequency of a plane wave on a transmission-line-matrix mesh [rad/s].

    sqrt(1 - l^2) cos(omega dt) = 1 - 4 s^2/(4 + y0),  l = g0/(4 + y0),  s^2 = sum_i sin^2(k_i/2).

    Parameters
    ----------
    wave_vector : array
        (..., dimensions) [rad/node]
    stub : float
        y0 [1], at least 0.
    loss : float
        g0 [1], at least 0.
    step : float
        dt [s], in which a pulse travels one cell.

    Raises
    ------
    ParameterError
        As `tlm_decay_rate`.
    NumericsError
        One of the waves decays without oscillating.
    """
    tlm_decay_rate(stub, loss, step)
    root = np.sqrt((4 + stub) ** 2 - loss**2)
    # sin^2(omega dt/2), written so that long waves lose no digits
    square = (4 * _sine(np.asarray(wave_vector, dtype=float)) ** 2 - loss**2 / (4 + stub + root)) / (2 * root)
    if np.any((square < 0) | (square > 1)):
        raise NumericsError(
            f"a mesh of stubs {stub} and loss {loss} only damps one of these waves; take a smaller loss"
        )
    return np.asarray(2 / step * np.arcsin(np.sqrt(square)))


def tlm_decay_rate(stub: float = 0.0, loss: float = 0.0, step: float = 1.0) -> float:
    """Rate at which all waves that oscillate decay on a transmission-line-matrix mesh [1/s]: atanh(g0/(4 + y0))/dt.

    Parameters as for `tlm_frequency`.

    Raises
    ------
    ParameterError
        Something is negative, the step is not above 0, or g0 is not below 4 + y0: no wave oscillates then.
    """
    if not (stub >= 0 and 0 <= loss < 4 + stub and step > 0):
        raise ParameterError(
            f"a mesh of stubs {stub} and loss {loss}, stepped by {step} s: stubs are at least 0, the loss from 0 to "
            "below 4 + stub, where waves stop to oscillate, and the step above 0"
        )
    return float(np.arctanh(loss / (4 + stub)) / step)


def drum_frequency(
    mode: tuple[int, int],
    sides: tuple[float, float],
    speed: float = 1.0,
    *,
    lattice: bool = False,
    step: float | None = None,
) -> float:
    """Frequency of mode (m, n) of a rectangular drum clamped at 0 and at its sides [Hz].

    f = c/2 sqrt((m/Lx)^2 + (n/Ly)^2), or that of the lattice for k = (pi m/Lx, pi n/Ly):
    f = asin(dt c sqrt(sin^2(pi m/2 Lx) + sin^2(pi n/2 Ly)))/(pi dt).

    Parameters
    ----------
    mode : (m, n)
        From 1.
    sides : (Lx, Ly)
        [nodes], between clamped nodes: L - 1 free ones.
    speed : float
        c [nodes/s]
    lattice : bool
        Whether space is a lattice.
    step : float, optional
        dt of velocity Verlet [s], for a lattice.

    Raises
    ------
    ParameterError
    """
    if step is not None and not lattice:
        raise ParameterError("a time step goes with a lattice; set lattice=True")
    if any(m < 1 for m in mode) or any(not side > 0 for side in sides):
        raise ParameterError(f"mode {mode} of a drum with sides {sides}: modes count from 1, sides are above 0")
    k = np.pi * np.asarray(mode, dtype=float) / np.asarray(sides, dtype=float)
    omega = lattice_frequency(k, speed, step) if lattice else speed * np.linalg.norm(k)
    return float(omega / (2 * np.pi))


@dataclass(frozen=True)
class DrumModes:
    """The lowest modes of a drum."""

    frequencies: Array
    """[Hz], (modes,), rising"""
    shapes: Array
    """(modes, height, width), 0 outside, sum of squares 1"""


def drum_modes(
    mask: ArrayLike, count: int, speed: float = 1.0, *, spacing: float = 1.0, step: float | None = None
) -> DrumModes:
    """The lowest modes of a drum of any shape, on the lattice, clamped outside.

    -lap u = (omega/c)^2 u for the five-point Laplacian; sin(omega dt/2) = dt/2 times the continuous frequency.

    Parameters
    ----------
    mask : array of bool
        (height, width): nodes that move.
    count : int
        Number of modes.
    speed : float
        c [m/s]
    spacing : float
        Distance of the nodes [m].
    step : float, optional
        dt of velocity Verlet [s]; continuous time where not given.

    Raises
    ------
    ShapeError, ParameterError, NumericsError
    """
    inside = np.asarray(mask, dtype=bool)
    if inside.ndim != 2:
        raise ShapeError(f"a drum's mask has shape {inside.shape}; (height, width) is needed")
    nodes = int(np.sum(inside))
    if not 0 < count < nodes:
        raise ParameterError(f"{count} modes of a drum of {nodes} nodes; at least 1 and fewer than nodes are possible")
    # A start of its own makes the result the same in every run.
    start = np.ones(nodes)
    values, vectors = eigsh(_laplacian(inside), count, sigma=0.0, v0=start)
    order = np.argsort(values)
    shapes = np.zeros((count, *inside.shape))
    shapes[:, inside] = vectors[:, order].T
    sine = np.sqrt(values[order]) / 2
    return DrumModes(_frequency(sine, speed / spacing, step) / (2 * np.pi), shapes)


def _sine(wave_vector: Array) -> Array:
    return np.sqrt(np.sum(np.sin(wave_vector / 2) ** 2, axis=-1))


def _frequency(sine: Array, speed: float, step: float | None) -> Array:
    """omega of waves with s = sqrt(sum_i sin^2(k_i/2))."""
    if step is None:
        return 2 * speed * sine
    if np.any(speed * step * sine > 1):
        limit = 1 / (speed * np.max(sine))
        raise NumericsError(f"a step of {step} s is unstable at speed {speed} nodes/s; choose one below {limit:.4g} s")
    return 2 / step * np.arcsin(speed * step * sine)


def _laplacian(inside: NDArray[np.bool_]) -> sparse.csc_array:
    """The negative five-point Laplacian of the nodes inside."""
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(np.sum(inside))
    rows, columns = [], []
    for first, second in ((number[:-1], number[1:]), (number[:, :-1], number[:, 1:])):
        both = (first >= 0) & (second >= 0)
        rows += [first[both], second[both]]
        columns += [second[both], first[both]]
    row, column = np.concatenate(rows), np.concatenate(columns)
    size = int(np.sum(inside))
    return (4.0 * sparse.eye_array(size) - sparse.csr_array((np.ones(len(row)), (row, column)), (size, size))).tocsc()
