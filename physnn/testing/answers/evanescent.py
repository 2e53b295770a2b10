"""Known answers of the evanescent field: how its waves decay, and how they turn where the conductor changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from physnn.media.fields import EvanescentField
from physnn.substrate.converters import as_numpy
from physnn.testing.answers.answer import Answer, close
from physnn.testing.answers.fields import alone, run

SIGMA = np.array([[2.0, 0.7], [0.7, 1.0]])
"""Conductivity over permittivity at the origin [1/s], in (x, y)."""


def damping() -> Iterator[Answer]:
    """In a constant tensor a plane wave decays at gamma = k Sigma k/k^2, for 20 wave vectors in all directions."""
    nodes, step, steps = 320, 2e-5, 4
    y, x = np.mgrid[:nodes, :nodes]
    vectors = [(m, n) for n in range(4) for m in range(-3, 4) if n or m > 0]
    vectors = sorted(vectors, key=lambda v: v[0] ** 2 + v[1] ** 2)[:20]
    waves = np.stack([np.cos(2 * np.pi * (m * x + n * y) / nodes)[None] for m, n in vectors])
    field = EvanescentField("field", (nodes, nodes), SIGMA[0, 0], SIGMA[0, 1], SIGMA[1, 1])
    found = as_numpy(run(alone(field, ("psi",), "psi"), {"psi": waves}, step, steps).outputs["y"])
    for (m, n), wave, after in zip(vectors, waves, found[:, -1], strict=True):
        k = np.array([m, n])
        rate = -np.log(np.sum(after * wave) / np.sum(wave**2)) / (steps * step)
        yield close(f"evanescent field: damping of the wave ({m},{n})", rate, k @ SIGMA @ k / (k @ k), relative=1e-3)


def turning() -> Iterator[Answer]:
    """Where Sigma changes linearly, a packet turns: omega = -k_j d_i Sigma_ij/k^2 + 2 k grad(gamma)/k^2.

    The first term is equation (5) of the source; the second vanishes where Sigma changes across the direction of travel
    only. Along it, the sum of the two may have the opposite sign of (5).
    """
    shear = np.array([[0.5, 1.0], [1.0, -0.5]])
    for degrees in (0, 30, 90, 135):
        measured, paper, _ = _packet(np.radians(degrees), np.radians(degrees + 90), shear)
        said = f"evanescent field: frequency (5) of a packet at {degrees} degrees, Sigma changing across"
        yield close(said, measured, paper, relative=0.02)
    for degrees, towards in ((0, 0), (60, 60), (45, 0)):
        measured, paper, whole = _packet(np.radians(degrees), np.radians(towards), shear)
        said = f"evanescent field: frequency of a packet at {degrees} degrees, Sigma changing towards {towards} degrees"
        yield close(
            f"{said}, (5) with the term that it leaves out (without: {paper:.2g})", measured, whole, relative=0.02
        )


def _packet(direction: float, uphill: float, change: NDArray) -> tuple[float, float, float]:
    """Frequency of a packet, that of equation (5), and that with the gradient of the damping [rad/s].

    `change` is the change of Sigma in the frame (along k, across k) over 430 nodes in the direction `uphill`; the
    packet is 100 nodes long and its waves 21. It is taken where its envelope is flat, from its cosine and sine parts.
    """
    nodes, number, step, steps = 192, 0.3, 2e-3, 10
    y, x = np.mgrid[:nodes, :nodes] - nodes // 2
    along, slope = (np.array([np.cos(angle), np.sin(angle)]) for angle in (direction, uphill))
    frame = np.array([along, [-along[1], along[0]]])
    gradient = frame.T @ change @ frame / 430
    sigma = SIGMA[:, :, None, None] + gradient[:, :, None, None] * (slope[0] * x + slope[1] * y)
    field = EvanescentField("field", (nodes, nodes), sigma[0, 0], sigma[0, 1], sigma[1, 1], edges="clamped")
    envelope = np.exp(-(((x**2 + y**2) / 60.0**2) ** 4))
    phase = number * (along[0] * x + along[1] * y)
    start = np.stack([envelope * np.cos(phase), envelope * np.sin(phase)])[:, None]
    found = as_numpy(run(alone(field, ("psi",), "psi"), {"psi": start}, step, steps).outputs["y"])
    centre = found[:, :, 0, nodes // 2, nodes // 2]
    wave = centre[0] - 1j * centre[1]
    measured = np.angle(wave[-1] / wave[0]) / (steps * step)
    paper = -slope @ gradient @ along / number
    uneven = 2 * (along @ slope) * (along @ gradient @ along) / number
    return float(measured), float(paper), float(paper + uneven)


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "damping of evanescent waves": damping,
    "turning of evanescent waves": turning,
}
