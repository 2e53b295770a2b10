"""The matrix of rules and substrates on the terminal, and as one self-contained HTML page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from physnn.report.cells import cells_of
from physnn.report.extras import need, rendered
from physnn.report.files import write_whole
from physnn.report.format import MISSING, change, cost, listing, plural, score, with_error
from physnn.report.grid import MARGIN, Grid, Reason, grid
from physnn.report.heat_map import heat_map
from physnn.report.rows import Row, each_once
from physnn.report.svg import drawing, inline
from physnn.report.table import ASCII
from physnn.report.words import summary

COLUMN, RULE = 9, 20
"""letters across for a substrate and for a rule: six substrates stand side by side on a terminal of 80 columns"""
TEMPLATE = "matrix.html.j2"
LEGEND = (
    "test accuracy; below it the cosine of the first layer's update and the gradient, start→end; beside refused and"
    f" failed the number of the reason. * less than {100 * MARGIN:.0f} points above untrained waveguides"
)


def matrix_table(results: Mapping[str, Any], console: Console) -> None:
    """Print rules as lines and substrates as columns, then each reason for an empty place once.

    Raises
    ------
    ExperimentError
        The results have another schema.
    """
    found, plain = grid(results), console.options.ascii_only

    def text(content: str, style: str = "") -> Text:
        return Text(content.translate(ASCII) if plain else content, style=style)

    controls = f"linear readout {score(found.linear)}, untrained waveguides {score(found.frozen_hidden)}"
    title = text(f"{found.dataset}: {controls}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("rule")
    for substrate in found.substrates:
        table.add_column(text(_folded(substrate, COLUMN)), justify="right", min_width=COLUMN)
    for rule in found.rules:
        name = text(_folded(rule, RULE), "bold")
        table.add_row(name, *(text(_entry(found, rule, place)) for place in found.substrates))
    console.print(table)
    console.print(text(LEGEND, "dim"))
    for reason in found.reasons:
        head = text(f"{reason.number} {reason.status}: ", "bold red" if reason.status == "failed" else "bold yellow")
        console.print(head.append_text(text(f"{reason.text} ({reason.where})")))


def _entry(found: Grid, rule: str, substrate: str) -> str:
    row, lost = found.rows.get((rule, substrate)), found.number(rule, substrate)
    told = f" {lost}" if lost else ""
    if row is None or row.accuracy is None:
        return f"{'failed' if row.failed else 'refused'}{told}" if row else MISSING
    cosine = "" if row.first_end is None else f"\n{_cosine(row.first_start)}→{_cosine(row.first_end)}"
    return f"{row.accuracy:.3f}{'' if found.helped(row) else '*'}{told}{cosine}"


def _cosine(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}".replace("0.", ".")


def _folded(name: str, width: int) -> str:
    """A name in lines of at most so many letters, broken at hyphens where it has some."""
    return "\n".join(textwrap.wrap(name, width))


def write_matrix_page(results: Mapping[str, Any], path: str | Path, command: str) -> Path:
    """Write the page.

    Parameters
    ----------
    results : mapping
        Cells of one data set, trained in place.
    path : path
    command : str
        What to type for the same results.

    Raises
    ------
    CapabilityError
        jinja2 or matplotlib is not installed.
    ExperimentError
        The results have another schema, or the file cannot be written.
    """
    return write_whole(path, matrix_page(results, command).encode("utf-8"))


def matrix_page(results: Mapping[str, Any], command: str) -> str:
    """The page as text. Everything that comes from the results is escaped."""
    return rendered(TEMPLATE, _context(results, command, need("markupsafe").Markup))


def _context(results: Mapping[str, Any], command: str, markup: Callable[[str], str]) -> dict[str, Any]:
    found, cells = grid(results), cells_of(results)
    experiment = results.get("experiment")
    described = experiment if isinstance(experiment, Mapping) else {}
    recipes = described.get("recipes")
    with drawing():
        picture = markup(inline(heat_map(found, reasons=False), "matrix")) if found.rows else ""
    rows = list(found.rows.values())
    return {
        "title": str(described.get("name") or "Learning rules and substrates"),
        "counts": {status: sum(cell["status"] == status for cell in cells) for status in ("done", "failed", "refused")},
        "total": plural(len(cells), "cell"),
        "controls": f"linear readout {score(found.linear)}, untrained waveguides {score(found.frozen_hidden)}",
        "picture": picture,
        "substrates": found.substrates,
        "lines": [(rule, [_place(found, rule, place) for place in found.substrates]) for rule in found.rules],
        "pairs": [_pair(row) for row in rows if row.done],
        "reasons": [_reason(reason) for reason in found.reasons],
        "recipes": recipes if isinstance(recipes, Mapping) else {},
        "limits": summary(results).limits,
        "not_counted": _each_once(rows, lambda row: row.not_counted),
        "unverified": _each_once(rows, lambda row: row.unverified_names),
        "target": described.get("target_accuracy"),
        "margin": f"{100 * MARGIN:.0f}",
        "command": command,
        "experiment": json.dumps(experiment, indent=2, ensure_ascii=False, default=str),
    }


def _place(found: Grid, rule: str, substrate: str) -> dict[str, str]:
    """What the table of accuracies shows of one pair, in two lines."""
    row, lost = found.rows.get((rule, substrate)), found.number(rule, substrate)
    told = f"reason {lost}" if lost else ""
    if row is None or row.accuracy is None:
        return {"head": ("failed" if row.failed else "refused") if row else MISSING, "below": told}
    head = with_error(row.accuracy, row.error) + ("" if found.helped(row) else " *")
    return {"head": head, "below": f"some seeds lost, {told}" if told else ""}


def _pair(row: Row) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "place": row.run_on,
        "accuracy": with_error(row.accuracy, row.error),
        "first": change(row.first_start, row.first_end),
        "last": change(row.last_start, row.last_end),
        "label": row.gradient_label or MISSING,
        "inference": cost(row.inference, "J"),
        "training": cost(row.training, "J"),
        "to_target": cost(row.to_target, "J") if row.to_target or not row.training else ("not reached", ""),
        "latency": cost(row.latency, "s"),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {"number": reason.number, "status": reason.status, "text": reason.text, "where": reason.where}


def _each_once(rows: Sequence[Row], entries: Callable[[Row], Sequence[str]]) -> list[tuple[str, str]]:
    """Each entry with the substrates that it belongs to."""
    found = each_once(rows, entries)
    return [(entry, listing(list(dict.fromkeys(row.run_on for row in where)))) for entry, where in found.items()]
