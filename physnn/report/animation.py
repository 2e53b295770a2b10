"""A field as an animation: one byte a node and picture, drawn on a canvas by a few lines of script, and as stills."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from physnn.experiments.waves import Movie
from physnn.report.extras import need
from physnn.report.figures import WIDTH
from physnn.report.format import quantity, significant
from physnn.report.space_time import COLOURS, colour_bar, described, shades, signed_root
from physnn.report.svg import blank, inline

LEVELS = 127
"""steps of colour to either side of zero"""
STILLS = 6
SECONDS = 8.0
"""that an animation takes"""


def animation(movie: Movie, unit: str) -> dict[str, Any]:
    """What the page's template needs; to be called within `drawing`.

    Amplitudes are coded as the colours of `shades`, whole numbers from 0 to 2 LEVELS with zero at LEVELS.
    """
    largest = float(np.max(np.abs(movie.frames), initial=0.0))
    scaled = movie.frames / (largest or 1.0)
    coded = (np.rint(signed_root(scaled) * LEVELS) + LEVELS).astype(np.uint8)
    colours = need("matplotlib").colormaps[COLOURS](np.linspace(0, 1, 2 * LEVELS + 1))[:, :3]
    count, height, width = coded.shape
    told = f"{count} pictures from 0 to {quantity(float(movie.times[-1]), 's')}, {height} x {width} nodes"
    if max(movie.every) > 1:
        told += f" (every {movie.every[0]}. down and every {movie.every[1]}. across)"
    amplitude = quantity(largest, unit) if unit != "1" else significant(largest)
    return {
        "name": movie.name,
        "width": width,
        "height": height,
        "count": count,
        "last": int(np.argmax(np.sum(scaled**2, axis=(1, 2)))),
        "pictures": base64.b64encode(coded.tobytes()).decode("ascii"),
        "palette": base64.b64encode(np.rint(255 * colours).astype(np.uint8).tobytes()).decode("ascii"),
        "seconds": SECONDS,
        "end": float(movie.times[-1]),
        "words": f"{told}; largest amplitude {amplitude}",
        "stills": _stills(movie, largest or 1.0, unit),
    }


def _stills(movie: Movie, bound: float, unit: str) -> str:
    """Some pictures of the animation beside each other, for paper, and for those who let nothing move or run."""
    chosen = np.unique(np.linspace(0, len(movie.frames) - 1, STILLS + 1).round().astype(int))[1:]
    figure = blank(2 * WIDTH, 1.9)
    places = figure.subplots(1, len(chosen), squeeze=False)[0]
    shown: Any = None
    for axes, index in zip(places, chosen, strict=True):
        shown = axes.imshow(movie.frames[index], origin="upper", interpolation="none", cmap=COLOURS, norm=shades(bound))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(quantity(float(movie.times[index]), "s"), fontsize=9)
    colour_bar(figure, shown, list(places), bound, unit)
    times = ", ".join(quantity(float(movie.times[index]), "s") for index in chosen)
    return described(inline(figure, "stills"), "stills", f"{movie.name} at some times", f"The field at {times}.")
