"""`physnn matrix`: every learning rule on every substrate, each with the medium that it needs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from physnn.cli.arguments import add_data, positive, use_data
from physnn.cli.progress import progress

if TYPE_CHECKING:
    from physnn.studies.matrix import Matrix

OK, FAILED = 0, 1


def add_commands(commands: Any) -> None:
    """Register the command."""
    matrix = commands.add_parser("matrix", help="every learning rule on every substrate: accuracy, gradient, energy")
    matrix.add_argument(
        "--out", default="physnn-matrix", metavar="DIR", help="where the results go (default: %(default)s)"
    )
    matrix.add_argument("--rules", type=_names, metavar="A,B", help="rules (default: all that have a recipe)")
    matrix.add_argument(
        "--profiles", type=_names, metavar="A,B", help="profiles, by name or file (default: all that can run here)"
    )
    matrix.add_argument("--dataset", default="digits-parity", metavar="NAME", help="default: %(default)s")
    add_data(matrix)
    matrix.add_argument("--seeds", default=1, type=positive, metavar="N", help="how many seeds (default: %(default)s)")
    matrix.add_argument("--workers", type=positive, metavar="N", help="processes (default: one a core)")
    matrix.set_defaults(command=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Run the matrix that was asked for; 1 where a cell failed."""
    from physnn.studies.matrix import Matrix

    use_data(given)
    chosen = {"rules": given.rules, "profiles": given.profiles}
    matrix = Matrix(
        given.dataset, seeds=tuple(range(given.seeds)), **{name: value for name, value in chosen.items() if value}
    )
    return run_matrix(matrix, given.out, console, workers=given.workers)


def run_matrix(matrix: Matrix, out: str | Path, console: Console, *, workers: int | None = None) -> int:
    """Run what `out` does not hold yet, write matrix.json, .csv, .svg and .html, print the table; the exit code."""
    from physnn import report
    from physnn.experiments import write_json
    from physnn.report.extras import need
    from physnn.report.heat_map import write_heat_map
    from physnn.report.matrix import matrix_table, write_matrix_page
    from physnn.studies.run import held, run_tasks

    for extra in ("matplotlib", "jinja2"):
        need(extra)  # told before anything runs
    tasks, folder = matrix.tasks(), Path(out)
    with progress(console) as shown:
        bar = shown.add_task(matrix.dataset, total=len(tasks), completed=len(held(tasks, folder / "cells")), state="")

        def on_record(record: Mapping[str, Any]) -> None:
            shown.update(bar, advance=1, state=f"{record['key']}: {record['status']}")

        records = run_tasks(tasks, folder / "cells", workers=workers, on_record=on_record)
    results = matrix.results(records)
    write_json(folder / "matrix.json", results)
    report.write_csv(results, folder / "matrix.csv")
    write_heat_map(results, folder / "matrix.svg")
    write_matrix_page(results, folder / "matrix.html", command(matrix, out))
    matrix_table(results, console)
    console.print(f"matrix.json, .csv, .svg and .html are in {folder}", highlight=False)
    return FAILED if any(record["status"] == "failed" for record in records.values()) else OK


def command(matrix: Matrix, out: str | Path) -> str:
    """What to type for the same matrix."""
    words = ["physnn", "matrix", "--dataset", matrix.dataset, "--rules", ",".join(matrix.rules)]
    words += ["--profiles", ",".join(matrix.profiles), "--seeds", str(len(matrix.seeds)), "--out", str(out)]
    return shlex.join(words)


def _names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("give at least one name")
    return tuple(dict.fromkeys(names))
