"""Space-time diagrams: place against time, the incident and the reflected wave apart, and both together."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.analysis.space_time import Strip
from physnn.experiments.waves import FIELD, LAYERS, LINES, Waves
from physnn.report.extras import need
from physnn.report.figures import WIDTH
from physnn.report.format import quantity, significant
from physnn.report.svg import blank, inline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = "RdBu_r"
"""Red above and blue below zero, light at zero: Brewer, colorbrewer2.org, told apart by colour-blind readers."""
PANELS = ("incident", "reflected", "superposition")
HEIGHT = 4.4
"""of a diagram [inch]"""
_AXES = {
    LINES: "time of travel along the lines [s]",
    LAYERS: "layer, its elements side by side",
    FIELD: "node along the middle row",
}
_TITLES = {
    LINES: ("Incident wave", "Reflected wave", "Superposition"),
    LAYERS: ("Incident wave", "Reflected wave", "Superposition"),
    FIELD: ("Waves to the right", "Waves to the left", "Superposition"),
}


def panels(waves: Waves) -> list[dict[str, str]]:
    """The three diagrams as titles, captions and inline SVG; to be called within `drawing`."""
    scale = amplification(waves)
    found = []
    for panel, title in zip(PANELS, _TITLES[waves.kind], strict=True):
        values = [wave(strip, panel, scale) for strip in waves.strips]
        largest = max((float(np.max(np.abs(v), initial=0.0)) for v in values), default=0.0)
        unit = "" if waves.unit == "1" else waves.unit
        words = f"largest amplitude {quantity(largest, unit) if unit else significant(largest)}"
        joined = ", ".join(strip.name for strip in waves.strips)
        description = (
            f"{title} over {_AXES[waves.kind]} (across: {joined}) and time (upwards, 0 to "
            f"{quantity(float(waves.times[-1]), 's')}); {words}."
        )
        figure = blank(WIDTH, HEIGHT)
        _draw(figure, waves, values, _bound(waves, panel, largest))
        picture = described(inline(figure, panel), panel, title, description)
        found.append({"title": title, "picture": picture, "words": words[0].upper() + words[1:]})
    return found


def amplification(waves: Waves) -> float:
    """By what the reflected wave of layers is multiplied in the superposition: its largest is then the incident one's.

    The two have no unit in common, for the reflected wave is one of errors. Waves on lines and in fields add up as
    they are.
    """
    if waves.kind != LAYERS:
        return 1.0
    largest = [max((np.max(np.abs(w), initial=0.0) for w in side), default=0.0) for side in _sides(waves)]
    return float(largest[0] / largest[1]) if largest[1] > 0 else 1.0


def wave(strip: Strip, panel: str, scale: float) -> NDArray[np.float64]:
    """What a panel shows of a strip, (times, places)."""
    if panel == "incident":
        return strip.forward
    return strip.backward if panel == "reflected" else strip.forward + scale * strip.backward


def described(svg: str, name: str, title: str, description: str) -> str:
    """An inline drawing with a title and a description for those who do not see it."""
    told = f'<title id="{name}-t">{html.escape(title)}</title><desc id="{name}-d">{html.escape(description)}</desc>'
    # Images are named after what they show, so that two of one kind (nothing, say) have one name; nothing refers to it.
    svg = re.sub(r'(<image [^>]*?) id="[^"]+"', r"\1", svg)
    head, _, rest = svg.partition('aria-hidden="true">')
    return f'{head}aria-labelledby="{name}-t {name}-d">{told}{rest}'


def _sides(waves: Waves) -> tuple[list[Any], list[Any]]:
    return [strip.forward for strip in waves.strips], [strip.backward for strip in waves.strips]


def _bound(waves: Waves, panel: str, largest: float) -> float:
    """End of the colour scale; the same in all panels where the waves are of one kind."""
    if waves.kind != LAYERS:
        largest = max(
            float(np.max(np.abs(wave(strip, each, 1.0)), initial=0.0)) for strip in waves.strips for each in PANELS
        )
    return largest or 1.0


def _draw(figure: Figure, waves: Waves, values: list[NDArray[np.float64]], bound: float) -> None:
    axes = figure.subplots()
    last = float(waves.times[-1])
    shown: Any = None
    for strip, value in zip(waves.strips, values, strict=True):
        shown = axes.imshow(
            value,
            extent=(strip.start, strip.end, float(waves.times[0]), last),
            origin="lower",
            aspect="auto",
            interpolation="none",
            cmap=COLOURS,
            norm=shades(bound),
        )
    axes.set_xlim(waves.strips[0].start, waves.strips[-1].end)
    axes.set_ylim(float(waves.times[0]), last)
    axes.set_xlabel(_AXES[waves.kind])
    axes.set_ylabel("time [s]")
    _name_strips(axes, waves)
    colour_bar(figure, shown, axes, bound, waves.unit)


def shades(bound: float) -> Any:
    """Amplitude to colour, from -bound to bound, by the square root: an amplitude of a tenth still shows by a third."""
    norm = need("matplotlib.colors").FuncNorm((signed_root, lambda shade: np.sign(shade) * np.square(shade)))
    norm.vmin, norm.vmax = -bound, bound
    return norm


def signed_root(values: ArrayLike) -> NDArray[np.float64]:
    """The square root of a number's size, with its sign."""
    return np.sign(values) * np.sqrt(np.abs(values))


def colour_bar(figure: Figure, shown: Any, axes: Any, bound: float, unit: str) -> None:
    """The colours and what they stand for."""
    bar = figure.colorbar(shown, ax=axes, pad=0.02, ticks=[share * bound for share in (-1, -0.25, 0, 0.25, 1)])
    bar.ax.set_yticklabels([significant(share * bound) for share in (-1, -0.25, 0, 0.25, 1)])
    bar.set_label(f"amplitude [{unit}]")


def _name_strips(axes: Axes, waves: Waves) -> None:
    """Lines by what joins them, above; layers by their names, below."""
    if waves.kind == LAYERS:
        middles = [(strip.start + strip.end) / 2 for strip in waves.strips]
        axes.set_xticks(middles, [strip.name for strip in waves.strips])
        if len(waves.strips) > 4:
            axes.tick_params(axis="x", labelrotation=40)
        return
    if waves.kind == LINES:
        axes.spines[["left", "bottom"]].set_visible(False)
        for strip in waves.strips:
            axes.axvline(strip.start, color="#000000", linewidth=0.8, alpha=0.6)
        if len(waves.strips) <= 8:
            for strip in waves.strips:
                middle = (strip.start + strip.end) / 2
                axes.text(
                    middle, 1.01, strip.name, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8
                )
    axes.locator_params(axis="x", nbins=5)
