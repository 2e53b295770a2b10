"""The matrix as a grid, a heat map, a table and a page."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from rich.console import Console

from physnn.report.grid import grid
from physnn.report.heat_map import heat_map, write_heat_map
from physnn.report.matrix import matrix_page, matrix_table
from physnn.report.svg import drawing


@pytest.fixture
def parity(results):
    """One task; feedback alignment is refused on photonics, and one pair has no reference gradient."""
    cells = [cell for cell in results["cells"] if cell["dataset"] == "digits-parity"]
    for cell in cells:
        if (cell["rule"], cell["run_on"]) == ("feedback-alignment", "cpu-x86"):
            cell["gradient_cosine"] = {"per_layer_start": None, "per_layer_end": None, "reason": "events have no slope"}
    return results | {"cells": cells}


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def printed(results, width=80):
    out = io.StringIO()
    matrix_table(results, Console(file=out, width=width))
    return out.getvalue()


def test_each_reason_is_told_once_with_all_its_pairs(parity):
    for cell in parity["cells"][:6]:
        profile = cell["profile"]
        cell |= {"status": "refused", "reason": f"backend 'b' refuses loss: profile {profile!r}: too much"}
    found = grid(parity)
    assert found.reasons[0].text == "backend 'b' refuses loss: too much"
    assert [reason.status for reason in found.reasons] == ["refused", "no cosine", "refused"]
    assert [reason.number for reason in found.reasons] == [1, 2, 3]
    assert found.reasons[2].pairs == {"feedback-alignment": ("photonic-mzi",)}
    assert found.number("feedback-alignment", "photonic-mzi") == 3
    assert found.number("feedback-alignment", "cpu-x86") is None
    assert found.number("feedback-alignment", "cpu-x86", "no cosine") == 2


def test_three_points_above_the_frozen_layers_or_it_is_said(parity):
    for cell in parity["cells"]:
        if cell["rule"] == "feedback-alignment" and cell["status"] == "done":
            cell["accuracy"] = cell["accuracy"] | {"test": 0.868 + (0.031 if cell["run_on"] == "cpu-x86" else 0.029)}
    found = grid(parity)
    assert found.helped(found.rows["feedback-alignment", "cpu-x86"])
    assert not found.helped(found.rows["feedback-alignment", "ideal-torch"])
    assert "0.897*" in printed(parity) and "0.899*" not in printed(parity)
    with drawing():
        figure = heat_map(found, reasons=False)
    assert "less than 3 points above untrained waveguides" in [t.get_text() for t in figure.legends[0].get_texts()]


def test_every_pair_shows_its_numbers_in_both_panels(parity):
    found = grid(parity)
    with drawing():
        figure = heat_map(found, reasons=True)
    said = texts(figure)
    for (rule, substrate), row in found.rows.items():
        if row.accuracy is None:
            assert (rule, substrate) == ("feedback-alignment", "photonic-mzi")
        else:
            assert f"{row.accuracy:.3f}" in said and f"± {row.error:.3f}" in said
    (one,) = [reason.number for reason in found.reasons if reason.status == "no cosine"]
    (other,) = [reason.number for reason in found.reasons if reason.status == "refused"]
    assert said.count(str(one)) == 1 and said.count(str(other)) == 1
    assert any("linear readout 0.915" in text for text in said) and any("waveguides 0.868" in text for text in said)
    below = figure.texts[-1].get_text()
    assert "events have no slope" in below and "128 dB" in below


def test_colours_are_those_of_the_bar_and_ink_can_be_read(parity):
    """A larger accuracy is brighter (cividis rises evenly), and ink differs from what it stands on."""
    found = grid(parity)
    with drawing():
        left = heat_map(found, reasons=False).axes[0]
    shown = {(round(p.get_x() + 0.48), round(p.get_y() + 0.47)): p.get_facecolor() for p in left.patches}
    light = {place: 0.299 * r + 0.587 * g + 0.114 * b for place, (r, g, b, _) in shown.items()}
    rows = {
        (found.substrates.index(substrate), found.rules.index(rule)): row.accuracy
        for (rule, substrate), row in found.rows.items()
        if row.accuracy is not None
    }
    order = sorted(rows, key=rows.__getitem__)
    assert [light[place] for place in order] == sorted(light[place] for place in order)
    for text in left.texts:
        place = tuple(round(value) for value in text.get_position())
        if text.get_color() in ("#000000", "#ffffff") and place in rows:
            ink = 1.0 if text.get_color() == "#ffffff" else 0.0
            assert abs(light[place] - ink) > 0.4


def test_the_file_is_an_svg_and_the_same_for_the_same_results(parity, tmp_path):
    one, other = (write_heat_map(parity, tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert one == other and ElementTree.fromstring(one).tag.endswith("svg")


def test_the_table_fits_80_columns(parity):
    said = printed(parity)
    assert max(map(len, said.splitlines())) <= 80
    assert "linear readout 0.915, untrained waveguides 0.868" in said
    assert "refused 2" in said and said.count("128 dB") == 1 and "…" not in said


def test_brackets_are_not_markup(parity):
    parity["cells"][0] |= {"status": "failed", "reason": "run: pip install 'physnn[torch]' [/bold]"}
    assert "pip install 'physnn[torch]' [/bold]" in " ".join(printed(parity, 200).split())


class Page(HTMLParser):
    """Names of all elements, and whether each is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.names, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.names.append(tag)


def test_the_page_holds_everything_and_asks_for_nothing(parity):
    text = matrix_page(parity, "physnn matrix --out here")
    assert not {"script", "img", "iframe"} & set(Page(text).names)
    assert "http:" not in text and "https:" not in text
    for part in (
        "events have no slope",
        "128 dB",
        "physnn matrix --out here",
        "not reached",
        "not a device",
        "cooling",
    ):
        assert part in text


def test_what_a_page_shows_is_escaped(parity):
    attack = "<script>alert('x')</script>{{ 7 * 7 }}"
    for cell in parity["cells"]:
        cell["rule"] = attack if cell["rule"] == "reflected-wave" else cell["rule"]
    parity["cells"][-1] |= {"status": "failed", "reason": attack}
    parity["experiment"] = {"name": attack, "recipes": {}}
    text = matrix_page(parity, attack)
    assert "script" not in Page(text).names and text.count("{{ 7 * 7 }}") > 3


def test_results_without_a_cell_or_without_a_number(parity, tmp_path):
    empty = parity | {"cells": []}
    assert "The results hold no cell" in matrix_page(empty, "")
    write_heat_map(empty, tmp_path / "a.svg")
    for cell in parity["cells"]:
        cell |= {"status": "refused", "reason": "no such device"}
        cell |= dict.fromkeys(("accuracy", "controls", "gradient_cosine", "energy", "latency_s"))
    assert "no such device" in matrix_page(parity, "") and "no such device" in printed(parity)
    write_heat_map(parity, tmp_path / "b.svg")
