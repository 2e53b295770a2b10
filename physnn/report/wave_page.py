"""The page of `physnn show wave`: space-time diagram, spectrum and animation, with nothing fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from physnn.experiments.waves import FIELD, LAYERS, LINES, Waves
from physnn.report.animation import animation
from physnn.report.extras import need, rendered
from physnn.report.files import write_whole
from physnn.report.format import significant
from physnn.report.reflection_spectrum import spectrum_figure
from physnn.report.space_time import amplification, panels
from physnn.report.svg import drawing

TEMPLATE = "wave.html.j2"
_MEANING = {
    LINES: (
        "Each line is as wide as a wave needs to travel along it, in the order in which a wave from the sources "
        "meets them. Incident is what moves away from the sources, reflected what moves back; on a line the two add up "
        "to its voltage. Of a bundle, the line that carries the most is shown. All three pictures have one scale."
    ),
    FIELD: (
        "The middle row of the field. What moves to the right and what moves to the left are told apart by the signs "
        "of frequency and wavenumber; where it meets an edge, an obstacle or the end of the run, a little of a wave "
        "shows in the other picture. All three pictures have one scale."
    ),
}


def write_wave_page(waves: Waves, path: str | Path) -> Path:
    """Write the page.

    Raises
    ------
    CapabilityError
        jinja2 or matplotlib is not installed.
    ExperimentError
        The file cannot be written.
    """
    return write_whole(path, wave_page(waves).encode("utf-8"))


def wave_page(waves: Waves) -> str:
    """The page as text."""
    markup = need("markupsafe").Markup
    with drawing():
        pictures = [{**panel, "picture": markup(panel["picture"])} for panel in panels(waves)]
        context: dict[str, Any] = {
            "title": waves.title,
            "name": waves.name,
            "facts": waves.facts,
            "panels": pictures,
            "meaning": _meaning(waves),
            "spectrum": None,
            "reflects": waves.reflects,
            "about": waves.about,
            "film": None,
            "notes": waves.notes,
        }
        if waves.spectrum is not None:
            picture, words = spectrum_figure(waves.spectrum, waves.reflects)
            context["spectrum"] = {"picture": markup(picture), "words": words}
        if waves.movie is not None:
            film = animation(waves.movie, waves.unit)
            context["film"] = {**film, "stills": markup(film["stills"])}
    return rendered(TEMPLATE, context)


def _meaning(waves: Waves) -> str:
    if waves.kind != LAYERS:
        return _MEANING[waves.kind]
    return (
        "Layers from the input on, each with its elements side by side. The reflected wave is that of the error at the "
        "output, sent back through the same couplings; it runs backwards in time, and is drawn at the time of the "
        "incident wave that it meets: where both are large, weights learn. For the superposition it is multiplied by "
        f"{significant(amplification(waves))}, for it is an error and has a scale of its own."
    )
