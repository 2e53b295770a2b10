"""Table, CSV, figures and page: complete, escaped, self-contained, and whole with numbers missing."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from rich.console import Console

from physnn.errors import CapabilityError, ExperimentError
from physnn.report import records, terminal_table, write_csv, write_figures, write_html
from physnn.report.html import page

VOID = {"meta", "link", "br"}


class Tags(HTMLParser):
    """Start tags, attributes, and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.names.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def wrap(*cells):
    return {"schema": "physnn.results/1", "experiment": {}, "cells": list(cells)}


def printed(results, width=100, **options):
    out = io.StringIO()
    terminal_table(results, Console(file=out, width=width, **options))
    return out.getvalue()


def test_a_terminal_of_80_columns_shows_energies_and_latency(results):
    said = printed(results, width=80)
    assert max(map(len, said.splitlines())) <= 80
    for heading in ("accuracy", "cosine", "inference", "training", "latency"):
        assert heading in said
    wide = printed(results)
    for unit in (" mJ", " µs"):
        assert said.count(unit) == wide.count(unit) > 0


def stripped(cell):
    """The cell with every number missing."""
    return {key: cell[key] for key in ("train_on", "run_on", "rule", "dataset", "seed", "status")}


def test_table_fits_100_columns_without_wrapping(results):
    text = printed(results)
    assert max(len(line) for line in text.splitlines()) <= 100
    line = next(line for line in text.splitlines() if "rf-transmission-line " in line)
    assert "2/3" in line and "39.0 nJ (19–120)" in line and line.rstrip().endswith("15.0 ns")
    assert text.count("linear readout") == 2 and text.count("not a device") == 2 * 2 * 2 * 2


def test_table_names_refused_and_failed_with_reasons(results):
    text = " ".join(printed(results).split())
    assert "failed digits, reflected-wave on rf-transmission-line, seed 2: the loss is not finite" in text
    assert "refused digits-parity, feedback-alignment on photonic-mzi, seeds 0, 1, 2: fan-in 64 needs 128 dB" in text


def test_brackets_in_a_reason_are_not_markup(results):
    results["cells"][0] |= {"status": "refused", "reason": "run: pip install 'physnn[torch]' [/bold]"}
    assert "pip install 'physnn[torch]' [/bold]" in printed(results)


def test_table_is_ascii_where_the_terminal_is():
    script = (
        "import json, sys; from rich.console import Console; from physnn.report import terminal_table;"
        "terminal_table(json.load(sys.stdin), Console(width=100))"
    )
    cell = {"train_on": "a", "run_on": "b", "rule": "r", "dataset": "d", "seed": 0, "status": "done"}
    cell |= {"accuracy": {"test": 0.9, "standard_error": 0.01}, "latency_s": 2e-6}
    run = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script],
        input=json.dumps(wrap(cell)).encode(),
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(path for path in sys.path if path)},
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()
    assert b"a -> b" in run.stdout and b"2.00 us" in run.stdout and b"0.900 +/- 0.010" in run.stdout


def test_csv_has_every_scalar_of_every_cell(results, tmp_path):
    rows = list(csv.DictReader(write_csv(results, tmp_path / "r.csv").open(encoding="utf-8")))
    assert len(rows) == len(results["cells"])
    index = next(i for i, cell in enumerate(results["cells"]) if cell["run_on"] == "photonic-mzi")
    row, cell = rows[index], results["cells"][index]
    assert float(row["energy.training_J.high"]) == cell["energy"]["training_J"]["high"]
    assert (
        float(row["energy.breakdown.inference.laser.low"]) == cell["energy"]["breakdown"]["inference"]["laser"]["low"]
    )
    assert float(row["gradient_cosine.per_layer_end.1"]) == cell["gradient_cosine"]["per_layer_end"][1]
    assert float(row["counts.mac"]) == 3392.0
    assert row["energy.not_counted"] == "cooling; data loading; laser start-up"
    refused = next(row for row in rows if row["status"] == "refused")
    assert refused["accuracy.test"] == "" and "128 dB" in refused["reason"]


def test_records_share_their_keys_and_an_empty_file_has_a_header(results, tmp_path):
    assert len({tuple(record) for record in records(results)}) == 1
    assert write_csv(wrap(), tmp_path / "r.csv").read_text(encoding="utf-8").startswith("dataset,rule,train_on,run_on,")


def test_page_is_well_formed_and_asks_for_nothing(results):
    text = page(results)
    tags = Tags(text)
    assert tags.open == []
    assert not {"script", "img", "iframe", "object", "image"} & set(tags.names)
    assert "http:" not in text and "https:" not in text and "@import" not in text
    targets = [value for name, value in tags.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith(("#", "data:,")) for value in targets)
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in targets if value.startswith("#")} <= set(ids)
    assert {name for name in re.findall(r"url\(#([^)]+)\)", text)} <= set(ids)


def test_page_has_its_parts_and_numbers(results):
    text = page(results)
    assert text.count("<svg") == 2 * 3
    for part in ("not a claim", "within error", "128 dB", "not finite at step 41", "cooling", "energy.laser"):
        assert part in text
    assert "not a device" in text and "14.0 nJ" in text and "&#34;widths&#34;" in text


def test_page_is_the_same_for_the_same_results(small):
    assert page(small) == page(copy.deepcopy(small))


def test_everything_of_the_results_is_escaped(results):
    attack = "<script>alert('x')</script>$\\frac{--> & \"q\" {{ 7 * 7 }}"
    swaps = {"reflected-wave": attack, "photonic-mzi": attack, "digits": attack}
    for cell in results["cells"]:
        cell.update({key: swaps[value] for key, value in cell.items() if isinstance(value, str) and value in swaps})
    results["cells"][0]["energy"]["not_counted"] = [attack]
    results["cells"][0]["gradient_cosine"]["label"] = attack
    results["cells"][-1] |= {"status": "failed", "reason": attack}
    results["experiment"] = {"name": attack, attack: 1}
    text = page(results)
    tags = Tags(text)
    assert "script" not in tags.names and tags.open == []
    assert text.count("{{ 7 * 7 }}") > 5


def test_page_without_cells(tmp_path):
    text = write_html(wrap(), tmp_path / "r.html").read_text(encoding="utf-8")
    assert "The results hold no cell." in text and "<svg" not in text


def test_page_with_nothing_done(results):
    for cell in results["cells"]:
        cell |= {"status": "refused", "reason": "no such device"}
    text = page(results)
    assert (
        "No cell of this task has a test accuracy" in text and "no finished cell" in text and "no such device" in text
    )


@pytest.mark.parametrize("substrate", ["ideal-torch", "photonic-mzi"])
def test_one_cell_alone(make_cell, tmp_path, substrate):
    one = wrap(make_cell("digits", "reflected-wave", substrate, 0))
    text = page(one)
    assert "With 1 seed for a combination" in text and substrate in text
    assert len(write_figures(one, tmp_path)) == 2
    assert substrate in printed(one)


def test_done_cells_without_numbers(results, tmp_path):
    bare = wrap(*(stripped(cell) for cell in results["cells"]))
    assert "No cell of this task has a test accuracy" in page(bare)
    assert "–" in printed(bare)
    assert len(records(bare)) == len(results["cells"])
    assert len(write_figures(bare, tmp_path)) == 2


@pytest.mark.parametrize("part", ["accuracy", "controls", "gradient_cosine", "energy", "latency_s"])
def test_any_part_may_be_null(small, part, tmp_path):
    for cell in small["cells"][::2]:
        cell[part] = None
    assert Tags(page(small)).open == []
    assert "ideal-torch" in printed(small)
    assert len(write_figures(small, tmp_path)) == 2


def test_figures_are_written_as_svg_and_png(results, tmp_path):
    svg, png = write_figures(results, tmp_path)
    assert (svg.name, png.name) == ("accuracy_energy.svg", "accuracy_energy.png")
    assert ElementTree.fromstring(svg.read_text(encoding="utf-8")).tag.endswith("svg")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and len(png.read_bytes()) > 20_000


def test_labels_above_the_plot_do_not_collide(results):
    from physnn.report.figures import draw_accuracy_energy, styles
    from physnn.report.rows import summarise
    from physnn.report.svg import blank, drawing

    rows = [row for row in summarise(results) if row.dataset == "digits"]
    with drawing():
        figure = blank(4.9, 3.8)
        draw_accuracy_energy(figure, rows, styles(rows))
        places = [text.xyann[0] for text in figure.axes[1].texts if hasattr(text, "xyann")]
    assert len(places) == 4
    ordered = sorted(places)
    assert all(after - before >= 0.1 - 1e-9 for before, after in pairwise(ordered))


def test_missing_extra_names_the_pip_command(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(CapabilityError, match=r"jinja2.*pip install 'physnn\[report\]'"):
        write_html(results, tmp_path / "r.html")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CapabilityError, match=r"matplotlib.*pip install 'physnn\[report\]'"):
        write_figures(results, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_importing_the_report_does_not_import_the_extra():
    code = "import sys, physnn.report; print({'matplotlib', 'jinja2'} & set(sys.modules))"
    env = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert run.stdout.strip() == "set()"


def test_a_folder_that_cannot_be_written(results, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for write in (write_csv, write_html):
        with pytest.raises(ExperimentError, match="cannot write"):
            write(results, tmp_path / "file" / "out")
    with pytest.raises(ExperimentError, match="cannot write"):
        write_figures(results, tmp_path / "missing")


def test_no_draft_stays_behind(results, tmp_path):
    write_csv(results, tmp_path / "r.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
