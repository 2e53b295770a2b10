"""Figures: accuracy against energy, gradient cosines, energy by cause."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from physnn.report.costs import Bill
from physnn.report.extras import need
from physnn.report.files import write_whole
from physnn.report.format import decade, quantity
from physnn.report.rows import Row, grouped, mean, pareto, summarise
from physnn.report.svg import FAINT, INK, MARKERS, PALETTE, blank, drawing, note, png_file, svg_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

WIDTH = 4.9
"""Width of one figure [inch]: fits a phone without letters below 9 pixels, and twice a wide screen."""


SLANT = math.radians(40)
"""Slant of the names above a plot [rad]."""
FOOT = 0.62
"""Room below the plane of accuracy and energy for ticks and axis name [inch]."""
LETTER = 0.075
"""Width of a letter of such a name [inch]."""


def write_figures(results: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write `accuracy_energy.svg` and `accuracy_energy.png`, the data sets side by side, into an existing folder.

    Raises
    ------
    CapabilityError
        matplotlib is not installed.
    ExperimentError
        The results have another schema, or the folder cannot be written.
    """
    rows = summarise(results)
    tasks = grouped(rows, lambda row: row.dataset) or {"": []}
    with drawing():
        figure = blank(WIDTH * len(tasks), 3.7)
        parts = figure.subfigures(1, len(tasks), squeeze=False)[0]
        for part, (dataset, group) in zip(parts, tasks.items(), strict=True):
            draw_accuracy_energy(part, group, styles(rows), dataset)
        contents = {"accuracy_energy.svg": svg_file(figure), "accuracy_energy.png": png_file(figure)}
    return [write_whole(Path(folder) / name, content) for name, content in contents.items()]


def styles(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each rule, the same in every figure of a report."""
    rules = dict.fromkeys(row.rule for row in rows)
    return {rule: (PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]) for index, rule in enumerate(rules)}


def spread(wanted: Sequence[float], gap: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart and at most `high`, in the same order.

    >>> [round(x, 2) for x in spread([0.5, 0.5, 0.98], 0.1, 1.0)]
    [0.5, 0.6, 0.98]
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = list(wanted)
    for before, index in pairwise(order):
        placed[index] = max(placed[index], placed[before] + gap)
    limit = high
    for index in reversed(order):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed


def draw_accuracy_energy(
    figure: Figure | SubFigure, rows: Sequence[Row], style: Mapping[str, tuple[str, str]], title: str = ""
) -> None:
    """Test accuracy [1] against energy of an inference [J]; substrates without energy in a strip at the left.

    Bars: one standard error of the mean accuracy; low to high of the energy. Rules at one substrate are set apart by
    a few points to the side so that their bars can be told apart.
    """
    done = [row for row in rows if row.accuracy is not None]
    ideals = [row for row in done if row.inference is None]
    devices = [row for row in done if row.inference is not None and row.inference.typical > 0]
    names = list(dict.fromkeys(row.run_on for row in ideals))
    strip = min(0.4, 0.05 + 0.07 * len(names)) if devices else 1.0
    if title:
        figure.suptitle(title, x=0.03, y=0.99, ha="left", va="top", fontsize=11, fontweight="bold")
    if not ideals and not devices:
        note(figure.subplots(), "no finished cell")
        return
    _room_for_labels(figure, names, devices, title)
    if ideals and devices:
        side, main = figure.subplots(1, 2, sharey=True, width_ratios=(strip, 1 - strip))
    else:
        side = main = figure.subplots()
    first = side if ideals else main
    low, high = _accuracy_limits(done)
    first.set_ylim(low, high)
    first.set_ylabel("test accuracy")
    if ideals:
        _ideal_strip(side, ideals, names, style)
    if devices:
        _device_plane(main, devices, style)
    if ideals and devices:
        main.tick_params(axis="y", length=0, labelleft=False)
        main.spines["left"].set_visible(False)
    for axes in dict.fromkeys((side, main)):
        axes.grid(axis="y")
        _control_lines(axes, done)
    _legend(figure, done, bool(devices), style)


def draw_cosines(figure: Figure, rows: Sequence[Row], style: Mapping[str, tuple[str, str]]) -> None:
    """Cosine [1] of measured and reference gradient: open at the start of training, filled at its end."""
    known = [row for row in rows if row.first_end is not None or row.first_start is not None]
    places = list(dict.fromkeys(row.place for row in known))
    if not known:
        note(figure.subplots(), "no gradient cosine was recorded")
        return
    values = [
        value
        for row in known
        for value in (row.first_start, row.first_end, row.last_start, row.last_end)
        if value is not None
    ]
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    foot = 0.95 / figure.get_figheight()
    figure.subplots_adjust(left=0.3, right=0.98, wspace=0.1, top=1 - 0.3 / figure.get_figheight(), bottom=foot)
    panels[1].tick_params(axis="y", length=0)
    for axes, title, ends in (
        (panels[0], "first layer", [(row.first_start, row.first_end) for row in known]),
        (panels[1], "last layer", [(row.last_start, row.last_end) for row in known]),
    ):
        axes.set_title(title)
        axes.grid(axis="x")
        axes.set_xlim(min(-0.05, min(values) - 0.05), 1.06)
        for row, (start, end) in zip(known, ends, strict=True):
            colour, marker = style[row.rule]
            level = places.index(row.place) + _offset(row.rule, style, 0.26, 0.64)
            if start is not None and end is not None:
                axes.plot([start, end], [level, level], color=colour, linewidth=1.2, alpha=0.7)
            axes.plot([start], [level], marker, color=colour, markerfacecolor="none", markersize=5.5)
            axes.plot([end], [level], marker, color=colour, markersize=5.5)
    panels[0].set_yticks(range(len(places)), places)
    panels[0].set_ylim(len(places) - 0.4, -0.6)
    figure.supxlabel("cosine to the reference gradient", fontsize=9.5, x=0.64, y=0.52 * foot, va="bottom")
    lines = need("matplotlib.lines").Line2D
    handles = [
        lines([], [], color=colour, marker=marker, linewidth=0, label=rule)
        for rule, (colour, marker) in style.items()
        if any(row.rule == rule for row in known)
    ]
    handles += [
        lines([], [], color=INK, marker="o", linewidth=0, markerfacecolor="none", label="start"),
        lines([], [], color=INK, marker="o", linewidth=0, label="end"),
    ]
    figure.legend(handles=handles, loc="upper center", ncols=2, bbox_to_anchor=(0.64, 0.5 * foot))


def draw_shares(figure: Figure, bills: Sequence[Bill]) -> None:
    """Shares of the energy by cause (typical values), a bar for each substrate, a panel for each purpose."""
    panels = grouped((bill for bill in bills if bill.total > 0), lambda bill: bill.purpose)
    if not panels:
        note(figure.subplots(), "no energy by cause was recorded")
        return
    causes = _leading(bill.shares for bill in bills)
    every = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[len(group) for group in panels.values()])
    for axes, (panel, group) in zip(every[:, 0], panels.items(), strict=True):
        axes.set_title(panel, loc="left")
        for level, bill in enumerate(group):
            _stack(axes, level, bill.shares, causes)
            axes.text(1.02, level, quantity(bill.total, "J"), va="center")
        axes.set_yticks(range(len(group)), [bill.substrate for bill in group])
        axes.set_ylim(len(group) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    patch = need("matplotlib.patches").Patch
    handles = [patch(facecolor=colour, edgecolor=INK, linewidth=0.4, label=cause) for cause, colour in causes.items()]
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3)
    figure.subplots_adjust(left=0.3, right=0.84, top=0.95, bottom=0.02, hspace=0.5)


def _accuracy_limits(rows: Sequence[Row]) -> tuple[float, float]:
    values = [row.accuracy + side * (row.error or 0.0) for row in rows if row.accuracy is not None for side in (-1, 1)]
    values += [control for row in rows for control in (row.linear, row.frozen_hidden) if control is not None]
    margin = max(0.01, 0.06 * (max(values) - min(values)))
    return min(values) - margin, max(values) + margin


def _room_for_labels(figure: Figure | SubFigure, names: Sequence[str], devices: Sequence[Row], title: str) -> None:
    """Margins such that the slanted names above the plot stay clear of the title and of the figure at the right."""
    width, height = (size / figure.get_figure(root=True).dpi for size in figure.bbox.size)
    last = (
        max(devices, key=lambda row: row.inference.typical if row.inference else 0.0).run_on if devices else names[-1]
    )
    longest = max(len(name) for name in (*names, *(row.run_on for row in devices)))
    right = 1 - max(0.15, LETTER * math.cos(SLANT) * len(last)) / width
    top = 1 - (0.15 + LETTER * math.sin(SLANT) * longest + (0.2 if title else 0.0)) / height
    figure.subplots_adjust(left=0.13, right=max(0.6, right), bottom=FOOT / height, top=max(0.5, top), wspace=0.06)


def _ideal_strip(axes: Axes, rows: Sequence[Row], names: Sequence[str], style: Mapping[str, tuple[str, str]]) -> None:
    for row in rows:
        colour, marker = style[row.rule]
        _point(axes, names.index(row.run_on), row, colour, marker, _offset(row.rule, style, 7.0, 12.0))
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_xticks([])
    axes.set_xlabel("not a\ndevice")
    for index, name in enumerate(names):
        at = (index + 0.6) / (len(names) + 0.2)
        _top_label(axes, at, at, name)


def _device_plane(axes: Axes, rows: Sequence[Row], style: Mapping[str, tuple[str, str]]) -> None:
    axes.set_xscale("log")
    known = [row.inference for row in rows if row.inference is not None]
    low = min(entry.low if entry.low > 0 else entry.typical for entry in known) / 2
    high = max(entry.high for entry in known) * 2
    axes.set_xlim(low, high)
    ticker = need("matplotlib.ticker")
    axes.xaxis.set_major_locator(ticker.LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: decade(value, "J")))
    axes.set_xlabel("energy of one inference")
    front = pareto(rows)
    if len(front) > 1:
        axes.plot(
            [row.inference.typical for row in front if row.inference],
            [row.accuracy for row in front if row.accuracy is not None],
            color=INK,
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            zorder=1.5,
        )
    for row in rows:
        colour, marker = style[row.rule]
        energy = row.inference.typical if row.inference else math.nan
        _point(axes, energy, row, colour, marker, _offset(row.rule, style, 3.0, 9.0), ringed=row in front)
    energies = {name: group[0].inference for name, group in grouped(rows, lambda row: row.run_on).items()}
    scale = axes.transData + axes.transAxes.inverted()
    wanted = [float(scale.transform((entry.typical, 0.5))[0]) for entry in energies.values() if entry]
    for at, place, name in zip(wanted, spread(wanted, 0.1, 0.97), energies, strict=True):
        axes.plot([at, at], [0, 1], color=FAINT, linewidth=0.6, alpha=0.5, transform=axes.transAxes, zorder=0.5)
        _top_label(axes, at, place, name)


def _point(axes: Axes, x: float, row: Row, colour: str, marker: str, shift: float, ringed: bool = False) -> None:
    """One mean with its bars, moved `shift` points to the side; open where it was trained on another substrate."""
    y = math.nan if row.accuracy is None else row.accuracy
    scale = axes.figure.dpi_scale_trans
    moved = axes.transData + need("matplotlib.transforms").ScaledTranslation(shift / 72, 0, scale)
    if row.inference is not None:
        # A low of zero has no place on a logarithmic axis: its bar starts at the edge.
        low = max(row.inference.low, axes.get_xlim()[0])
        axes.plot([low, row.inference.high], [y, y], color=colour, linewidth=1.6, alpha=0.75)
    if row.error is not None:
        axes.plot([x, x], [y - row.error, y + row.error], color=colour, linewidth=1.4, transform=moved)
    face = colour if row.train_on == row.run_on else "none"
    axes.plot([x], [y], marker, color=colour, markerfacecolor=face, markersize=6, transform=moved, zorder=3)
    if ringed:
        axes.plot([x], [y], "o", color=INK, markerfacecolor="none", markersize=11, transform=moved, zorder=3)


def _top_label(axes: Axes, at: float, place: float, name: str) -> None:
    axes.annotate(
        name,
        (at, 1.0),
        (place, 1.06),
        xycoords="axes fraction",
        textcoords="axes fraction",
        rotation=math.degrees(SLANT),
        rotation_mode="anchor",
        ha="left",
        va="center",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
    )


def _control_lines(axes: Axes, rows: Sequence[Row]) -> None:
    for value, dashes in (
        (mean(row.linear for row in rows), (0, (6, 3))),
        (mean(row.frozen_hidden for row in rows), (0, (1, 2))),
    ):
        if value is not None:
            axes.axhline(value, color=INK, linewidth=1, alpha=0.75, linestyle=dashes, zorder=1)


def _legend(
    figure: Figure | SubFigure, rows: Sequence[Row], devices: bool, style: Mapping[str, tuple[str, str]]
) -> None:
    lines = need("matplotlib.lines").Line2D
    handles = [
        lines([], [], color=colour, marker=marker, linewidth=1.2, markersize=6, label=rule)
        for rule, (colour, marker) in style.items()
        if any(row.rule == rule for row in rows)
    ]
    if any(row.train_on != row.run_on for row in rows):
        handles.append(
            lines([], [], color=INK, marker="o", markerfacecolor="none", linewidth=0, label="trained elsewhere")
        )
    if any(row.linear is not None for row in rows):
        handles.append(lines([], [], color=INK, linewidth=1, linestyle=(0, (6, 3)), label="linear readout"))
    if any(row.frozen_hidden is not None for row in rows):
        handles.append(lines([], [], color=INK, linewidth=1, linestyle=(0, (1, 2)), label="frozen hidden layers"))
    if devices:
        ring = {"marker": "o", "markersize": 10, "markerfacecolor": "none", "linewidth": 1.1}
        handles.append(lines([], [], color=INK, linestyle=(0, (4, 2)), label="Pareto front", **ring))
    # Below the figure's own frame; the saved picture grows by as many lines as the legend has.
    figure.legend(handles=handles, loc="upper center", ncols=2, bbox_to_anchor=(0.54, 0.01))


def _offset(rule: str, style: Mapping[str, tuple[str, str]], step: float, room: float) -> float:
    """Shift of a rule to the side of its place: a step apart, closer where many rules would need more than the room."""
    rules = list(style)
    step = min(step, room / max(1, len(rules) - 1))
    return step * (rules.index(rule) - (len(rules) - 1) / 2)


def _leading(shares: Iterable[Mapping[str, float]]) -> dict[str, str]:
    """The causes with the largest share anywhere, with their colours; what is left is `other`, in grey."""
    largest: dict[str, float] = {}
    for entry in shares:
        for cause, share in entry.items():
            largest[cause] = max(share, largest.get(cause, 0.0))
    order = sorted(largest, key=lambda cause: -largest[cause])
    colours = dict(zip(order, PALETTE, strict=False))
    return colours if len(order) <= len(PALETTE) else {**colours, "other": "#999999"}


def _stack(axes: Axes, level: int, shares: Mapping[str, float], causes: Mapping[str, str]) -> None:
    left = 0.0
    other = sum(share for cause, share in shares.items() if cause not in causes)
    for cause, colour in causes.items():
        share = other if cause == "other" else shares.get(cause, 0.0)
        if share <= 0:
            continue
        axes.barh(level, share, left=left, height=0.62, color=colour, edgecolor=INK, linewidth=0.4)
        if share >= 0.115:
            ink = "#ffffff" if colour == PALETTE[0] else "#000000"
            axes.text(left + share / 2, level, f"{share:.0%}", ha="center", va="center", color=ink, fontsize=8.5)
        left += share
