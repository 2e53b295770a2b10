"""The page of waves: self-contained, described, small, and its animation exact to a colour."""

import base64
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from physnn.analysis.port_reflection import Response
from physnn.analysis.space_time import Strip
from physnn.experiments.waves import FIELD, FRAMES, LAYERS, LINES, NODES, ROWS, Movie, Waves
from physnn.report.animation import LEVELS, animation
from physnn.report.reflection_spectrum import spectrum_figure
from physnn.report.space_time import amplification, panels, shades, wave
from physnn.report.svg import drawing
from physnn.report.wave_page import wave_page, write_wave_page

VOID = {"meta", "link", "br", "input"}


class Tags(HTMLParser):
    """Start tags with attributes, and whether every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def noise(*shape):
    return np.random.default_rng(3).standard_normal(shape)


def waves(kind=LINES, rows=20, places=12, **rest):
    strips = [
        Strip(name, k, k + 1, noise(rows, places), 0.1 * noise(rows, places), "end") for k, name in enumerate("ab")
    ]
    response = Response(np.linspace(0, 2, 9), np.linspace(0.2, 0.4, 9), np.linspace(0.3, 0.9, 9))
    given = {"spectrum": response, "reflects": kind == LINES, "about": "rest"} | rest
    facts = (("on", "ideal-torch"), ("driven by", "a <b>pulse</b>"))
    return Waves("net", "A net & more", facts, kind, np.linspace(0, 3.0, rows), tuple(strips), "V", **given)


def movie(frames=5, height=4, width=6):
    return Movie("sheet", noise(frames, height, width), np.linspace(0, 2.0, frames), (1, 1))


@cache
def drawn(kind):
    return wave_page(waves(kind, movie=movie(), notes=("No x: y < z",)))


@pytest.mark.parametrize("kind", [LINES, LAYERS, FIELD])
def test_the_page_needs_nothing_else_and_is_well_formed(kind):
    page = drawn(kind)
    tags = Tags(page).tags
    for tag, attributes in tags:
        for name in ("src", "href", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    assert "<b>pulse" not in page and "&lt;b&gt;pulse" in page and "y &lt; z" in page
    assert not re.search(r"@import|url\((?!#)", page)
    identifiers = [a["id"] for _, a in tags if "id" in a]
    assert len(set(identifiers)) == len(identifiers)
    for _, attributes in tags:
        for wanted in (attributes.get("aria-labelledby") or "").split():
            assert wanted in identifiers


def test_every_picture_has_a_title_and_a_description_with_units():
    page = drawn(LINES)
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 3 + 1 + 1
    for picture in pictures:
        assert re.search(r"<title id=\S+>[^<]+</title><desc id=\S+>[^<]+</desc>", picture) and 'role="img"' in picture
    for picture in pictures[:3]:
        for words in ("time [s]", "time of travel along the lines [s]", "amplitude [V]"):
            assert words in picture
    assert "frequency [Hz]" in page and "|S11|" in page and 'aria-label="sheet: 5 pictures' in page


def test_movement_can_be_stopped_and_waits_where_it_is_not_wanted():
    page = drawn(FIELD)
    assert "prefers-reduced-motion: reduce" in page and '<button id="film-play"' in page
    assert "<script>" not in wave_page(waves(FIELD))


def test_the_largest_page_is_below_two_megabytes():
    """Noise is what compresses least; no run keeps more than this."""
    largest = waves(LINES, ROWS, 120, movie=movie(FRAMES, NODES, NODES))
    assert len(wave_page(largest).encode()) < 2_000_000


def test_the_animation_holds_the_field_to_one_colour():
    film = movie()
    with drawing():
        shown = animation(film, "V")
    coded = np.frombuffer(base64.b64decode(shown["pictures"]), np.uint8).astype(float) / LEVELS - 1
    found = np.sign(coded) * coded**2 * np.max(np.abs(film.frames))
    # Half a step of the root, which is at most 1 and has slope 2 there.
    np.testing.assert_allclose(found.reshape(film.frames.shape), film.frames, atol=np.max(np.abs(film.frames)) / LEVELS)
    palette = np.frombuffer(base64.b64decode(shown["palette"]), np.uint8).reshape(-1, 3).astype(int)
    assert len(palette) == 2 * LEVELS + 1
    blue, middle, red = palette[0], palette[LEVELS], palette[-1]
    assert blue[2] > blue[0] and red[0] > red[2] and min(middle) > 240


def test_colours_go_by_the_signed_root():
    with drawing():
        norm = shades(4.0)
        np.testing.assert_allclose(norm([-4.0, -1.0, 0.0, 1.0, 4.0]), [0.0, 0.25, 0.5, 0.75, 1.0])
        assert norm.inverse(0.75) == pytest.approx(1.0)


def test_only_the_errors_of_layers_are_brought_to_the_incident_scale():
    for kind, wanted in ((LINES, 1.0), (FIELD, 1.0), (LAYERS, None)):
        shown = waves(kind)
        scale = amplification(shown)
        there, back = (np.max(np.abs([getattr(s, side) for s in shown.strips])) for side in ("forward", "backward"))
        assert scale == pytest.approx(wanted or there / back)
        strip = shown.strips[0]
        np.testing.assert_allclose(wave(strip, "superposition", scale), strip.forward + scale * strip.backward)


def test_nothing_at_all_is_drawn_too():
    still = waves(LAYERS, spectrum=None)
    strips = tuple(replace(s, forward=0 * s.forward, backward=0 * s.backward) for s in still.strips)
    with drawing():
        assert [panel["words"] for panel in panels(replace(still, strips=strips))] == 3 * ["Largest amplitude 0 V"]
    assert "Response by frequency" not in wave_page(replace(still, strips=strips))


def test_the_spectrum_says_where_it_is_lowest_and_highest():
    with drawing():
        _, words = spectrum_figure(Response(np.array([0.5, 1.0, 2.0]), np.array([0.3, 0.1, 0.4]), np.ones(3)), True)
    assert words == "Mean |S11| lies between 0.100 at 1.00 Hz and 0.400 at 2.00 Hz."


def test_the_same_waves_give_the_same_file(tmp_path):
    shown = waves(LINES, movie=movie(), notes=("No x: y < z",))
    assert write_wave_page(shown, tmp_path / "a.html").read_text() == drawn(LINES)
