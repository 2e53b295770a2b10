"""`physnn bench`: what simulators cost on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from physnn.cli.arguments import positive

if TYPE_CHECKING:
    from physnn.benchmarks import Figure

OK, FAILED = 0, 1


def add_commands(commands: Any) -> None:
    """Register the command."""
    bench = commands.add_parser("bench", help="benchmarks: what simulators cost on this machine")
    bench.add_argument("bench", nargs="?", metavar="BENCH", help="one benchmark; their list where left out")
    bench.add_argument(
        "--out", default="physnn-bench", metavar="DIR", help="where the figures go (default: %(default)s)"
    )
    bench.add_argument("--rounds", type=positive, default=9, metavar="N", help="rounds of measurement (default: 9)")
    bench.set_defaults(command=measured)


def measured(given: argparse.Namespace, console: Console) -> int:
    """List the benchmarks, or run one, print its figures and keep them; 1 where a promise is missed."""
    from physnn.benchmarks import BENCHES, Settings, find_bench, run_bench
    from physnn.experiments.store import make_folder, write_json

    if given.bench is None:
        table = Table("bench", "what it measures", box=None)
        for bench in BENCHES.values():
            table.add_row(bench.name, bench.title)
        console.print(table)
        return OK
    find_bench(given.bench)
    folder = Path(given.out)
    make_folder(folder)
    with console.status(f"measuring {given.bench}"):
        figures, results = run_bench(given.bench, Settings(rounds=given.rounds))
    path = folder / f"{given.bench}.json"
    write_json(path, results)
    print_figures(figures, console)
    facts = ", ".join(f"{name} {value}" for name, value in results["machine"].items() if value)
    console.print(f"CPU time of one thread, median and quartiles of {given.rounds} rounds; {facts}.", highlight=False)
    console.print(f"Figures are in {path}.", highlight=False)
    return FAILED if any(figure.met is False for figure in figures) else OK


def print_figures(figures: Sequence[Figure], console: Console) -> None:
    """Print a table for each group."""
    from physnn.report.format import quantity, significant

    def said(value: float, unit: str) -> str:
        return significant(value) if unit == "1" else quantity(value, unit)

    for group in dict.fromkeys(figure.group for figure in figures):
        table = Table("what", "median", "quartiles", "wanted", "", "", box=None, title=group, title_justify="left")
        for figure in (f for f in figures if f.group == group):
            bounds = ((">=", figure.least), ("<=", figure.most))
            wanted = " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
            verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
            if figure.value is None:
                table.add_row(figure.what, "not measured", "", wanted, verdict, figure.note)
                continue
            spread = f"{said(figure.value.low, figure.unit)} to {said(figure.value.high, figure.unit)}"
            table.add_row(figure.what, said(figure.value.median, figure.unit), spread, wanted, verdict, figure.note)
        console.print(table, markup=False)
