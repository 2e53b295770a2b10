"""Outcomes as tables: features x backends in Markdown, every comparison in HTML and on the terminal."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from physnn.errors import ExperimentError
from physnn.testing.conformance.bench import FAIL, PASS, SKIP, Outcome

_WORDS = {PASS: "pass", FAIL: "FAIL", SKIP: "refused"}


def features_table(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    """Markdown: features down, backends across; passed of run, the largest error, and how many were refused."""
    features = list(dict.fromkeys(o.feature for found in outcomes.values() for o in found))
    lines = ["| feature | " + " | ".join(f"`{name}`" for name in outcomes) + " |", "| --- |" + " --- |" * len(outcomes)]
    for feature in features:
        cells = [_cell([o for o in found if o.feature == feature]) for found in outcomes.values()]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(found: Sequence[Outcome]) -> str:
    ran = [o for o in found if o.status != SKIP]
    refused = len(found) - len(ran)
    text = f"{sum(o.status == PASS for o in ran)}/{len(ran)}" if ran else ""
    errors = [o.error for o in ran if o.error]
    if errors:
        text += f", error {max(errors):.0e}"
    return ", ".join(filter(None, [text, f"{refused} refused" if refused else ""])) or "0"


def terminal_table(backend: str, outcomes: Sequence[Outcome]) -> Table:
    """Every comparison with its error and tolerance."""
    table = Table("feature", "case", "", "error", "tolerance", title=f"conformance of {backend}", box=None)
    for o in outcomes:
        table.add_row(o.feature, o.case, _WORDS[o.status], _number(o.error), _number(o.tolerance))
    return table


def write_html(path: Path, backend: str, outcomes: Sequence[Outcome]) -> None:
    """One self-contained page with every comparison.

    Raises
    ------
    ExperimentError
        The file cannot be written.
    """
    rows = "".join(
        f'<tr class="{o.status}"><td>{_text(o.feature)}</td><td>{_text(o.case)}</td><td>{_WORDS[o.status]}</td>'
        f"<td>{_number(o.error)}</td><td>{_number(o.tolerance)}</td><td>{_text(o.reason)}</td></tr>\n"
        for o in outcomes
    )
    tally = ", ".join(f"{sum(o.status == status for o in outcomes)} {_WORDS[status]}" for status in (PASS, FAIL, SKIP))
    try:
        path.write_text(_PAGE.format(backend=_text(backend), tally=tally, rows=rows), encoding="utf-8")
    except OSError as error:
        raise ExperimentError(f"cannot write {path} ({error.strerror}); choose another file") from None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}" if value else "0"


def _text(value: str) -> str:
    return html.escape(value)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Conformance of {backend}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }}
.fail td:nth-child(3) {{ color: #d55e00; font-weight: bold; }}
.skip td {{ opacity: .7; }}
</style>
<h1>Conformance of {backend}</h1>
<p>{tally}. A comparison is refused only where the backend says that it does not run the System; its reason is
given. Errors are relative to the largest amplitude; tolerances follow from the precision and order that the backend
declares.</p>
<table><tr><th>feature</th><th>case</th><th></th><th>error</th><th>tolerance</th><th>reason</th></tr>
{rows}</table>
</html>
"""
