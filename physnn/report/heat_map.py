"""The heat map of the matrix: accuracy, and how well each rule points along the gradient, on every substrate."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from physnn.report.extras import need
from physnn.report.figures import LETTER, SLANT
from physnn.report.files import write_whole
from physnn.report.grid import MARGIN, NO_COSINE, Grid, grid
from physnn.report.rows import Row
from physnn.report.svg import INK, blank, drawing, note, svg_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = "cividis"
"""Nunez, Anderton and Renslow, PLOS ONE 13, e0199239 (2018): even steps for every eye, and in grey."""
PLACE = (0.62, 0.37)
"""Width and height of one pair [inch]."""
BLANK, LINES = "#e9ecef", "#b3bac2"
HATCHES = {"refused": "////", "failed": "xxxx"}
_SMALL = 6.8
_GAP, _BAR, _FOOT = 0.35, 0.13, 0.95
"""between the panels; height of a colour bar; room below the panels for the bars [inch]"""


def write_heat_map(results: Mapping[str, Any], path: str | Path) -> Path:
    """Write the heat map as SVG, the reasons for empty places below it.

    Raises
    ------
    CapabilityError
        matplotlib is not installed.
    ExperimentError
        The results have another schema, or the file cannot be written.
    """
    with drawing():
        return write_whole(path, svg_file(heat_map(grid(results), reasons=True)))


def heat_map(found: Grid, *, reasons: bool) -> Figure:
    """Two panels side by side, rules down and substrates across; to be called within `drawing`.

    Left: mean test accuracy [1] over its standard error, both controls marked on the colour bar. Right: cosine [1] of
    the first layer's update and the gradient at the end of training, over that at its start.
    """
    if not found.rows:
        figure = blank(4.9, 1.0)
        note(figure.subplots(), "no cell")
        return figure
    sides = _Sides(found)
    figure = blank(sides.width, sides.height)
    known = [row for row in found.rows.values() if row.accuracy is not None]
    accuracies = [row.accuracy for row in known if row.accuracy is not None]
    beside = [value for value in (found.linear, found.frozen_hidden) if value is not None]
    # Where a rule learns nothing the others would all look alike: colours end a little below the controls.
    lowest = max(min([*accuracies, *beside], default=0.0), min(beside, default=0.0) - 0.05)
    left = sides.panel(figure, 0, "test accuracy")
    shade = _shade(math.floor(20 * lowest) / 20 - 0.05 * (lowest > 0.99), 1.0)
    for place, row in _placed(found):
        _accuracy(left, place, row, found, shade)
    bar = sides.bar(figure, 0, shade, accuracies)
    _controls(bar, found)
    cosines = [row.first_end for row in known if row.first_end is not None]
    right = sides.panel(figure, 1, "cosine to the gradient, first layer, after training")
    shade = _shade(0.0, 1.0)
    for place, row in _placed(found):
        _cosine(right, place, row, found, shade)
    sides.bar(figure, 1, shade, cosines)
    left.set_yticks(range(len(found.rules)), found.rules)
    _key(figure, found, sides)
    if reasons:
        _told(figure, found, sides)
    return figure


class _Sides:
    """Where the two panels and their colour bars lie [inch, from the lower left corner]."""

    def __init__(self, found: Grid) -> None:
        self.found = found
        self.names = LETTER * max(len(rule) for rule in found.rules) + 0.15
        self.across = PLACE[0] * len(found.substrates)
        self.down = PLACE[1] * len(found.rules)
        slanted = LETTER * max(len(name) for name in found.substrates)
        self.head = 0.3 + slanted * math.sin(SLANT)
        self.width = self.names + 2 * self.across + _GAP + slanted * math.cos(SLANT)
        self.height = _FOOT + self.down + self.head

    def left(self, side: int) -> float:
        """Left edge of a panel."""
        return self.names + side * (self.across + _GAP)

    def axes(self, figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
        """Axes at a place."""
        w, h = self.width, self.height
        return figure.add_axes((left / w, bottom / h, width / w, height / h))

    def panel(self, figure: Figure, side: int, title: str) -> Axes:
        """An empty panel with the names of the substrates."""
        axes = self.axes(figure, self.left(side), _FOOT, self.across, self.down)
        axes.set_xlim(-0.5, len(self.found.substrates) - 0.5)
        axes.set_ylim(len(self.found.rules) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for index, name in enumerate(self.found.substrates):
            label = axes.text(index, -0.62, name, ha="left", va="center", fontsize=9, rotation=math.degrees(SLANT))
            label.set_rotation_mode("anchor")
        top = (self.height - 0.1) / self.height
        figure.text(self.left(side) / self.width, top, title, ha="left", va="top", fontsize=10.5, fontweight="bold")
        return axes

    def bar(self, figure: Figure, side: int, shade: Any, shown: Sequence[float]) -> Axes:
        """The colour bar of a panel, pointed where values lie below it."""
        extend = "min" if min(shown, default=1.0) < shade.get_clim()[0] else "neither"
        axes = self.axes(figure, self.left(side) + 0.1, 0.28, self.across - 0.2, _BAR)
        figure.colorbar(shade, cax=axes, orientation="horizontal", extend=extend)
        axes.tick_params(labelsize=8, length=2)
        return axes


def _shade(low: float, high: float) -> Any:
    """A value's colour, between low and high."""
    colours, maps = need("matplotlib.colors"), need("matplotlib")
    return need("matplotlib.cm").ScalarMappable(colours.Normalize(low, high), maps.colormaps[COLOURS])


def _placed(found: Grid) -> list[tuple[tuple[int, int], Row]]:
    """Column and line of every pair that is there."""
    return [
        ((found.substrates.index(substrate), found.rules.index(rule)), row)
        for (rule, substrate), row in found.rows.items()
    ]


def _accuracy(axes: Axes, place: tuple[int, int], row: Row, found: Grid, shade: Any) -> None:
    lost = found.number(row.rule, row.run_on)
    if row.accuracy is None:
        status = "failed" if row.failed else "refused"
        _empty(axes, place, f"{lost}" if lost else "\N{EN DASH}", HATCHES[status] if lost else "")
        return
    below = "" if row.error is None else f"± {row.error:.3f}"
    ink = _filled(axes, place, row.accuracy, shade, f"{row.accuracy:.3f}", below if not lost else f"{below} [{lost}]")
    if not found.helped(row):
        axes.plot([place[0] - 0.4], [place[1] - 0.28], "v", color=ink, markersize=3.2)


def _cosine(axes: Axes, place: tuple[int, int], row: Row, found: Grid, shade: Any) -> None:
    if row.first_end is None:
        why = found.number(row.rule, row.run_on, NO_COSINE) if row.accuracy is not None else None
        _empty(axes, place, f"{why}" if why else "\N{EN DASH}", "")
        return
    below = "" if row.first_start is None else f"from {_signed(row.first_start)}"
    _filled(axes, place, row.first_end, shade, _signed(row.first_end), below)


def _filled(axes: Axes, place: tuple[int, int], value: float, shade: Any, text: str, below: str) -> str:
    """A coloured place with its number; the ink that can be read there."""
    red, green, blue, _ = colour = shade.to_rgba(value)
    ink = "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "#ffffff"
    _rectangle(axes, place, facecolor=colour)
    axes.text(place[0], place[1] - (0.13 if below else 0), text, ha="center", va="center", fontsize=9, color=ink)
    axes.text(place[0], place[1] + 0.25, below, ha="center", va="center", fontsize=_SMALL, color=ink)
    return ink


def _empty(axes: Axes, place: tuple[int, int], text: str, hatch: str) -> None:
    """A grey place with the number of its reason."""
    _rectangle(axes, place, facecolor=BLANK, hatch=hatch, edgecolor=LINES)
    box = {"boxstyle": "round,pad=0.18", "facecolor": BLANK, "edgecolor": "none"}
    axes.text(place[0], place[1], text, ha="center", va="center", fontsize=8.5, color="#000000", bbox=box)


def _rectangle(axes: Axes, place: tuple[int, int], **look: Any) -> None:
    corner = (place[0] - 0.48, place[1] - 0.47)
    axes.add_patch(need("matplotlib.patches").Rectangle(corner, 0.96, 0.94, linewidth=0, **look))


def _controls(bar: Axes, found: Grid) -> None:
    """Marks on a colour bar; the name of the lower control stands to the left of its mark, the other's to the right."""
    named = (("linear readout", found.linear), ("untrained waveguides", found.frozen_hidden))
    known = sorted(((value, name) for name, value in named if value is not None), reverse=True)
    across = bar.get_xaxis_transform()
    for (value, name), side in zip(known, ("left", "right"), strict=False):
        bar.plot([value, value], [0, 1.8], color=INK, linewidth=1.1, clip_on=False, transform=across)
        text = f" {name} {value:.3f} "
        bar.text(value, 1.6, text, transform=across, ha=side, va="center", fontsize=8)


def _key(figure: Figure, found: Grid, sides: _Sides) -> None:
    patch, line = need("matplotlib.patches").Patch, need("matplotlib.lines").Line2D
    statuses = [status for status in HATCHES if any(reason.status == status for reason in found.reasons)]
    handles: list[Any] = [
        patch(
            facecolor=BLANK,
            hatch=HATCHES[status],
            edgecolor=LINES,
            linewidth=0,
            label=f"{status} (number of the reason)",
        )
        for status in statuses
    ]
    if not all(found.helped(row) for row in found.rows.values()):
        said = f"less than {100 * MARGIN:.0f} points above untrained waveguides"
        handles.append(line([], [], color=INK, marker="v", linewidth=0, markersize=4, label=said))
    if handles:
        where = (sides.names / sides.width, 0.0)
        figure.legend(handles=handles, loc="upper left", ncols=3, bbox_to_anchor=where, borderaxespad=0.2, fontsize=8.5)


def _told(figure: Figure, found: Grid, sides: _Sides) -> None:
    """The reasons below the figure; the saved picture grows by their lines."""
    letters = int(sides.width / 0.062)
    lines = [
        line
        for reason in found.reasons
        for line in textwrap.wrap(f"{reason.number}  {reason.status}: {reason.text}", letters, subsequent_indent="    ")
    ]
    text = "\n".join(lines)
    figure.text(0.01, -0.32 / sides.height, text, ha="left", va="top", fontsize=8, color=INK, linespacing=1.35)


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
