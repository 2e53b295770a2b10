"""|S11| of a network against frequency, or its response where it has no lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from physnn.analysis.port_reflection import Response
from physnn.report.extras import need
from physnn.report.figures import WIDTH
from physnn.report.format import quantity, significant
from physnn.report.space_time import described
from physnn.report.svg import PALETTE, blank, inline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALIKE = 1e-9
"""relative difference below which one curve is drawn for two"""
_DEPTH = 1e-6
"""of the highest response, where the picture ends"""


def spectrum_figure(found: Response, reflects: bool, name: str = "spectrum") -> tuple[str, str]:
    """The spectrum as inline SVG, and what it says in words; to be called within `drawing`."""
    what = "|S11|" if reflects else "|H|"
    figure = blank(WIDTH, 3.2)
    _draw(figure, found, reflects, what)
    lowest, highest = int(np.argmin(found.mean)), int(np.argmax(found.mean))
    words = (
        f"Mean {what} lies between {significant(float(found.mean[lowest]))} at "
        f"{quantity(float(found.frequencies[lowest]), 'Hz')} and {significant(float(found.mean[highest]))} at "
        f"{quantity(float(found.frequencies[highest]), 'Hz')}."
    )
    title = "Reflection at the sources" if reflects else "Response from input to output"
    return described(inline(figure, name), name, title, f"{what} against frequency [Hz]. {words}"), words


def _draw(figure: Figure, found: Response, reflects: bool, what: str) -> None:
    axes = figure.subplots()
    alike = np.allclose(found.mean, found.largest, rtol=_ALIKE, atol=0)
    axes.plot(found.frequencies, found.mean, color=PALETTE[0], label="mean over inputs")
    if not alike:
        axes.plot(found.frequencies, found.largest, "--", color=PALETTE[1], label="largest singular value")
        axes.legend()
    axes.set_xlabel("frequency [Hz]")
    axes.set_ylabel(what)
    axes.grid(axis="y")
    if reflects:
        axes.set_ylim(0, 1.05 * max(1.0, float(np.max(found.largest))))
        axes.set_xlim(0, float(found.frequencies[-1]))
    else:
        ticker = need("matplotlib.ticker")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(float(np.min(found.mean)), _DEPTH * float(np.max(found.largest))))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(ticker.NullFormatter())
