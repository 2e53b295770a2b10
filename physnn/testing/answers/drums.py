"""Known answers of drums: membranes whose tones are known, square and not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh

from physnn.equations import Coupling, Dense, Input, Output, Population, System
from physnn.media.fields import WaveField
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, close

SIDES = range(13, 22)
STEP, STEPS = 0.1, 40_000

DRUMS = {
    "first": ((0, 0), (0, 1), (2, 3), (2, 2), (3, 2), (2, 1), (1, 1), (1, 0)),
    "second": ((1, 0), (0, 1), (0, 2), (2, 2), (2, 3), (3, 2), (2, 1), (1, 1)),
    "control": ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 2), (1, 0)),
}
"""Corners of the two isospectral drums of Gordon, Webb and Wolpert, and of a third with the same area of 7/2."""

DRISCOLL = (2.53794399980, 3.65550971352, 5.17555935622, 6.53755744376, 7.24807786256)
"""First eigenvalues of the two drums at twice this size: Driscoll, SIAM Review 39 (1997), table 1."""


def square_drums() -> Iterator[Answer]:
    """Nine square drums, clamped at 0 and L, struck by a unit displacement: all in one batch, on one sheet.

    A drum of side L has L - 1 open nodes a side; the rest of the sheet is an obstacle of its own for each sample.
    """
    largest = max(SIDES) - 1
    opened = np.zeros((len(SIDES), 1, largest, largest))
    struck = np.zeros_like(opened)
    for drum, side in enumerate(SIDES):
        opened[drum, :, : side - 1, : side - 1] = 1.0
    struck[:, 0, 3, 3] = 1.0  # at (4, 4), which is on no nodal line of these modes for any of the sides
    heard = _listen(largest, 1.0, opened, struck, (3, 3), STEP, STEPS)
    for side, sound in zip(SIDES, heard, strict=True):
        for m, n in ((1, 1), (1, 2), (1, 3)):
            lattice = _lattice_tone(side, m, n)
            tone = _tone(sound, STEP, lattice)
            yield close(
                f"drum L = {side}: mode ({m},{n}) against the lattice's own dispersion", tone, lattice, relative=5e-4
            )
            if (m, n) == (1, 1):
                continuum = 1 / (np.sqrt(2) * side)
                yield close(f"drum L = {side}: fundamental against c/(sqrt(2) L)", tone, continuum, relative=3e-3)


def isospectral_drums() -> Iterator[Answer]:
    """Two drums of different shape that sound alike, and a third of the same area that does not."""
    fine = {name: _modes(_field(corners, 40), 5) for name, corners in DRUMS.items()}
    for k in range(5):
        yield close(
            f"isospectral drums: tone {k + 1} of the second is that of the first",
            fine["second"][k],
            fine["first"][k],
            relative=0.01,
        )
        yield close(
            f"isospectral drums: tone {k + 1} as published", fine["first"][k], 2 * np.sqrt(DRISCOLL[k]), relative=0.01
        )
    apart = np.max(np.abs(fine["control"] / fine["first"] - 1))
    yield at_least("isospectral drums: largest distance of the control's tones", apart, 0.01)
    yield from _heard_alike()


def _heard_alike() -> Iterator[Answer]:
    """The two drums struck in time, on a coarser lattice."""
    nodes, step, steps = 10, 0.05, 10_000
    shapes = [_field(DRUMS[name], nodes) for name in ("first", "second")]
    opened = np.stack([~np.asarray(shape.obstacles)[None] for shape in shapes]).astype(float)
    struck = np.zeros_like(opened)
    struck[:, 0, 14, 12] = 1.0
    heard = _listen(opened.shape[-1], 1 / nodes, opened, struck, (12, 15), step, steps)
    for number, wanted in enumerate(_modes(shapes[0], 5) / (2 * np.pi), start=1):
        first, second = (_tone(sound, step, wanted) for sound in heard)
        yield close(f"isospectral drums in time: tone {number} [Hz]", second, first, relative=0.01)


def _listen(
    side: int, spacing: float, opened: NDArray, struck: NDArray, at: tuple[int, int], step: float, steps: int
) -> NDArray[np.float64]:
    """What a probe at one node hears of a batch of drums, (batch, times)."""
    field = WaveField("drum", (side, side), spacing=spacing, obstacles=np.zeros((side, side), dtype=bool))
    probe = Population.from_text("probe", 1, "z : 1 (arrival)")
    row = np.zeros((1, side * side))
    row[0, at[0] * side + at[1]] = 1.0
    wire = Coupling("wire", "drum", "probe", "wave", Dense(1, side * side), "z", initial=row, trainable=False)
    ports = {"psi": Input("drum", "psi"), "open": Input("drum", "open")}
    system = System.of([field.lower(), probe], [*field.inner(0), wire], ports, {"y": Output("probe", "z")})
    substrate = build(system, "ideal-torch", seed=0, step=step)
    inputs = {"psi": substrate.asarray(struck), "open": substrate.asarray(opened)}
    return as_numpy(substrate.run(inputs, steps * step, record=["y"]).outputs["y"])[:, :, 0]


def _lattice_tone(side: int, m: int, n: int) -> float:
    """Frequency [Hz] of a mode of the square drum on the lattice, stepped by Verlet; c = 1, dx = 1."""
    waves = np.sin(m * np.pi / (2 * side)) ** 2 + np.sin(n * np.pi / (2 * side)) ** 2
    return float(np.arcsin(STEP * np.sqrt(waves)) / (np.pi * STEP))


def _tone(sound: NDArray, step: float, near: float) -> float:
    """The strongest frequency [Hz] within 3 % of `near`: Hann window, parabola through the logarithm of the peak."""
    spectrum = np.abs(np.fft.rfft(np.hanning(len(sound)) * sound))
    resolution = 1 / (len(sound) * step)
    first, last = int(0.97 * near / resolution), int(1.03 * near / resolution) + 2
    peak = first + int(np.argmax(spectrum[first:last]))
    below, top, above = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (below - above) / (below - 2 * top + above)) * resolution)


def _field(corners: Sequence[tuple[int, int]], nodes: int) -> WaveField:
    """A drum of this outline, c = 1, `nodes` spacings to the unit of length; nodes on the outline are clamped."""
    side = 3 * nodes - 1
    y, x = np.mgrid[1 : side + 1, 1 : side + 1]
    inside = _winding(corners, x, y, nodes)
    return WaveField("drum", (side, side), spacing=1 / nodes, obstacles=~inside)


def _winding(corners: Sequence[tuple[int, int]], x: NDArray, y: NDArray, nodes: int) -> NDArray[np.bool_]:
    """Whether the lattice points (x, y) lie inside an outline, and not on it: whole numbers, so nothing is rounded."""
    inside, border = np.zeros(x.shape, dtype=bool), np.zeros(x.shape, dtype=bool)
    scaled = np.array(corners) * nodes
    for (ax, ay), (bx, by) in zip(scaled, np.roll(scaled, -1, axis=0), strict=True):
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        within = (
            (np.minimum(ax, bx) <= x)
            & (x <= np.maximum(ax, bx))
            & (np.minimum(ay, by) <= y)
            & (y <= np.maximum(ay, by))
        )
        border |= (side == 0) & within
        crosses = (ay > y) != (by > y)
        inside ^= crosses & ((side > 0) == (by > ay))
    return inside & ~border


def _modes(field: WaveField, count: int) -> NDArray[np.float64]:
    """The lowest angular frequencies [rad/s] of a field at rest in time, from the matrix of its own couplings."""
    inside = np.flatnonzero(~np.asarray(field.obstacles))
    matrix = _matrix(field)[inside][:, inside]
    found = eigsh(-matrix.tocsc(), k=count, sigma=0.0, return_eigenvectors=False)
    return np.sqrt(np.sort(found))


def _matrix(field: WaveField) -> csr_array:
    """The Laplacian of a field as a matrix: couplings reach one node far, so nine combs of unit pulses find it all."""
    _, height, width = field.nodes
    rows, columns, entries = [], [], []
    grid = np.arange(height * width).reshape(height, width)
    y, x = np.mgrid[:height, :width]
    for down in range(3):
        for right in range(3):
            comb = ((y % 3 == down) & (x % 3 == right)).astype(float)[None, None]
            answer = sum(c.operator.apply(np, np.asarray(c.initial), comb) for c in field.inner(0))[0, 0]
            source_y, source_x = y + (down - y + 1) % 3 - 1, x + (right - x + 1) % 3 - 1
            hit = (answer != 0) & (source_y >= 0) & (source_y < height) & (source_x >= 0) & (source_x < width)
            rows.append(grid[hit])
            columns.append(grid[source_y[hit], source_x[hit]])
            entries.append(answer[hit])
    parts = (np.concatenate(part) for part in (entries, rows, columns))
    values, row, column = parts
    return csr_array((values, (row, column)), shape=(height * width, height * width))


ANSWERS = {"square drums": square_drums, "isospectral drums": isospectral_drums}
