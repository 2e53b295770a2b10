"""The comparison on the terminal: a table for each data set, then what was refused or failed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from physnn.report.cells import Range
from physnn.report.format import MISSING, NO_DEVICE, compact, quantity, with_error
from physnn.report.rows import Outcome, Row, grouped, mean, outcomes, summarise

ASCII = str.maketrans({"±": "+/-", "–": "-", "→": "->", "µ": "u"})
_WIDE = 96
"""columns from which the whole table is shown"""
LEGEND = (
    "accuracy ± standard error (seeds and test images); cosine of the first layer's gradient, start→end;"
    " energy: typical (low–high)"
)


def terminal_table(results: Mapping[str, Any], console: Console) -> None:
    """Print the results; 100 columns hold all, 80 all but the number of seeds; ASCII where the terminal has no more.

    Raises
    ------
    ExperimentError
        The results have another schema.
    """
    plain = console.options.ascii_only
    for dataset, rows in grouped(summarise(results), lambda row: row.dataset).items():
        console.print(_table(dataset, rows, plain, narrow=console.width < _WIDE))
    console.print(_text(LEGEND, plain, "dim"))
    for outcome in outcomes(results):
        console.print(_line(outcome, plain))


def _table(dataset: str, rows: Sequence[Row], plain: bool, narrow: bool) -> Table:
    table = Table(
        title=_text(f"{dataset}: {_controls(rows)}", plain),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("rule, substrate", overflow="fold", min_width=22)
    headings = ("seeds", "test accuracy", "cosine", "J / inference", "J / training", "latency")
    for heading in headings[narrow:]:
        energy = heading.startswith("J / ")
        table.add_column(heading, justify="right", no_wrap=not energy, max_width=11 if energy and narrow else None)
    for rule, group in grouped(rows, lambda row: row.rule).items():
        table.add_section()
        table.add_row(_text(rule, plain, "bold"))
        for row in group:
            place, seeds, *figures = _entries(row)
            shown = [MISSING if entry == NO_DEVICE else entry for entry in figures] if narrow else [seeds, *figures]
            table.add_row(*(_text(entry, plain) for entry in (place, *shown)))
    return table


def _entries(row: Row) -> tuple[str, ...]:
    seeds = str(row.done) if row.done == (total := row.done + row.failed + row.refused) else f"{row.done}/{total}"
    return (
        f"  {row.place}",
        seeds,
        with_error(row.accuracy, row.error),
        _cosine(row),
        _cost(row.inference, row.done),
        _cost(row.training, row.done),
        quantity(row.latency.typical, "s") if row.latency else MISSING,
    )


def _cost(given: Range | None, done: int) -> str:
    if given is None:
        return NO_DEVICE if done else MISSING
    return compact(given, "J")


def _cosine(row: Row) -> str:
    start, end = (MISSING if value is None else f"{value:.2f}" for value in (row.first_start, row.first_end))
    return MISSING if row.first_start is None and row.first_end is None else f"{start}→{end}"


def _controls(rows: Sequence[Row]) -> str:
    parts = [
        f"{name} {value:.3f}"
        for name, value in (
            ("linear readout", mean(row.linear for row in rows)),
            ("frozen hidden layers", mean(row.frozen_hidden for row in rows)),
        )
        if value is not None
    ]
    return ", ".join(parts) or "no controls"


def _line(outcome: Outcome, plain: bool) -> Text:
    seeds = f"{'seed' if len(outcome.seeds) == 1 else 'seeds'} {', '.join(outcome.seeds)}"
    head = _text(outcome.status, plain, "bold red" if outcome.status == "failed" else "bold yellow")
    where = f" {outcome.dataset}, {outcome.rule} on {outcome.place}, {seeds}: "
    return head.append_text(_text(where + outcome.reason, plain))


def _text(content: str, plain: bool, style: str = "") -> Text:
    """Text that is never read as markup: a reason may well hold `physnn[report]`."""
    return Text(content.translate(ASCII) if plain else content, style=style)
