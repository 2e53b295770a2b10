"""A drawing surface without global state, and its picture as inline SVG, SVG file or PNG.

Figures are drawn in one ink colour on nothing; inline, the ink becomes `currentColor` and follows the page into dark
mode. Series take the Okabe-Ito palette (Okabe and Ito 2008, jfly.uni-koeln.de/color), which colour-blind people tell
apart, and a marker of their own as well.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from physnn.report.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1f24"
FAINT = "#8b939c"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE = {
    "font.size": 9.5,
    "font.family": "sans-serif",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "grid.color": FAINT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.7,
    "svg.hashsalt": "physnn",
}


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib's own defaults and the style above, whatever the user's matplotlibrc says; restored afterwards."""
    matplotlib = need("matplotlib")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    return need("matplotlib.figure").Figure(figsize=(width, height))


def note(axes: Axes, text: str) -> None:
    """An empty plot that says why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def inline(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element: text as text, ink in the colour of the page, ids that start with `name`."""
    text = _saved(figure, "svg", "none", transparent=True).decode("utf-8")
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    # The one dark colour of the palette; the page gives it a lighter blue in dark mode.
    text = text.replace(PALETTE[0].lower(), f"var(--blue, {PALETTE[0]})")
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return re.sub(r"<svg[^>]*?(viewBox=\"[^\"]+\")[^>]*>", r'<svg \1 role="img" aria-hidden="true">', text, count=1)


def svg_file(figure: Figure) -> bytes:
    """The figure as an SVG file on white, letters as outlines, so that it looks the same everywhere."""
    return _saved(figure, "svg", "path", facecolor="white")


def png_file(figure: Figure) -> bytes:
    """The figure as a PNG file on white, 200 dots an inch."""
    return _saved(figure, "png", "path", facecolor="white", dpi=200)


def _saved(figure: Figure, kind: str, letters: str, **options: Any) -> bytes:
    # No date and no program version in the file: the same numbers give the same bytes.
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None} if kind == "svg" else {"Software": None}
    file = io.BytesIO()
    with need("matplotlib").rc_context({"svg.fonttype": letters}):
        figure.savefig(file, format=kind, bbox_inches="tight", pad_inches=0.08, metadata=metadata, **options)
    return file.getvalue()
