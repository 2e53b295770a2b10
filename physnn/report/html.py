"""The report as one HTML page that needs nothing else: no script, no request, light and dark, screen and paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from physnn.report.cells import cells_of
from physnn.report.costs import Bill, bills
from physnn.report.extras import need, rendered
from physnn.report.figures import WIDTH, draw_accuracy_energy, draw_cosines, draw_shares, styles
from physnn.report.files import write_whole
from physnn.report.format import MISSING, bounds, change, cost, listing, plural, quantity, score, with_error
from physnn.report.rows import Row, each_once, grouped, outcomes, pareto, summarise
from physnn.report.svg import blank, drawing, inline
from physnn.report.words import summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "report.html.j2"


def write_html(results: Mapping[str, Any], path: str | Path) -> Path:
    """Write the report page.

    Raises
    ------
    CapabilityError
        jinja2 or matplotlib is not installed.
    ExperimentError
        The results have another schema, or the file cannot be written.
    """
    return write_whole(path, page(results).encode("utf-8"))


def page(results: Mapping[str, Any]) -> str:
    """The report page as text. Everything that comes from the results is escaped."""
    return rendered(TEMPLATE, _context(results, need("markupsafe").Markup))


def _context(results: Mapping[str, Any], markup: Callable[[str], str]) -> dict[str, Any]:
    cells = cells_of(results)
    rows = summarise(results)
    costs = bills(results)
    experiment = results.get("experiment")
    name = experiment.get("name") if isinstance(experiment, Mapping) else None
    with drawing():
        tasks = [
            _task(index, dataset, group, [bill for bill in costs if bill.dataset == dataset], styles(rows), markup)
            for index, (dataset, group) in enumerate(grouped(rows, lambda row: row.dataset).items())
        ]
    return {
        "title": str(name) if name else "Comparison of substrates and learning rules",
        "counts": {status: sum(cell["status"] == status for cell in cells) for status in ("done", "failed", "refused")},
        "total": plural(len(cells), "cell"),
        "summary": summary(results),
        "tasks": tasks,
        "not_counted": _by_entry(rows, lambda row: row.not_counted),
        "unverified": _by_entry(rows, _constants),
        "outcomes": outcomes(results),
        "experiment": json.dumps(experiment, indent=2, ensure_ascii=False, default=str),
    }


def _task(
    index: int,
    dataset: str,
    rows: Sequence[Row],
    costs: Sequence[Bill],
    style: Mapping[str, tuple[str, str]],
    markup: Callable[[str], str],
) -> dict[str, Any]:
    """What the template shows of one data set."""
    places = len({row.place for row in rows})
    rules = len({row.rule for row in rows})
    purposes = len({bill.purpose for bill in costs})

    def picture(kind: str, height: float, draw: Callable[[Figure], None]) -> str:
        figure = blank(WIDTH, height)
        draw(figure)
        return markup(inline(figure, f"{kind}{index}"))

    return {
        "name": dataset,
        "accuracy_energy": picture("plane", 3.8, lambda figure: draw_accuracy_energy(figure, rows, style)),
        "cosines": picture(
            "cosine", 1.4 + (0.2 + 0.07 * rules) * places, lambda figure: draw_cosines(figure, rows, style)
        ),
        "shares": picture(
            "share", 0.3 + 0.32 * len(costs) + 0.35 * purposes, lambda figure: draw_shares(figure, costs)
        ),
        "labels": [
            (rule, listing(sorted({row.gradient_label for row in group if row.gradient_label})))
            for rule, group in grouped((row for row in rows if row.gradient_label), lambda row: row.rule).items()
        ],
        "front": listing([row.label for row in pareto(rows)]),
        "rows": [_line(row) for row in rows],
        "cosine_rows": [_cosine_line(row) for row in rows if row.first_end is not None or row.first_start is not None],
        "bills": [
            {
                "purpose": bill.purpose,
                "substrate": bill.substrate,
                "total": quantity(bill.total, "J"),
                "causes": [
                    {"cause": cause, "typical": quantity(energy.typical, "J"), "bounds": bounds(energy, "J")}
                    for cause, energy in bill.causes
                ],
            }
            for bill in costs
        ],
    }


def _line(row: Row) -> dict[str, Any]:
    return {
        "rule": row.rule,
        "place": row.place,
        "seeds": str(row.done) + (f" of {total}" if (total := row.done + row.failed + row.refused) != row.done else ""),
        "accuracy": with_error(row.accuracy, row.error),
        "errors": f"{score(row.seed_error)}, {score(row.image_error)}" if row.done else "",
        "controls": f"{score(row.linear)}, {score(row.frozen_hidden)}" if row.done else MISSING,
        "inference": cost(row.inference, "J", known=row.done > 0),
        "training": cost(row.training, "J", known=row.done > 0),
        "to_target": cost(row.to_target, "J", known=row.done > 0) if row.to_target else None,
        "latency": cost(row.latency, "s", known=False),
        "unverified": str(row.unverified) if row.inference or row.training else MISSING,
    }


def _cosine_line(row: Row) -> dict[str, str]:
    return {
        "rule": row.rule,
        "place": row.place,
        "first": change(row.first_start, row.first_end),
        "last": change(row.last_start, row.last_end),
        "label": row.gradient_label or MISSING,
    }


def _constants(row: Row) -> tuple[str, ...]:
    """Names of a row's unverified constants; their number where the record holds no names."""
    unnamed = row.unverified - len(row.unverified_names)
    return row.unverified_names if unnamed <= 0 else (*row.unverified_names, f"{unnamed} without a recorded name")


def _by_entry(rows: Sequence[Row], entries: Callable[[Row], Sequence[str]]) -> list[tuple[str, str]]:
    """Each entry once, with the places that it belongs to."""
    found = each_once(rows, entries)
    return [(entry, listing(list(dict.fromkeys(row.place for row in where)))) for entry, where in found.items()]
