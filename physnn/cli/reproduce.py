"""`physnn reproduce`: run a study, and hold its figures against what was promised and what others claim."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from physnn.cli.arguments import add_data, positive, use_data
from physnn.cli.progress import progress

OK, FAILED = 0, 1


def add_commands(commands: Any) -> None:
    """Register the command."""
    reproduce = commands.add_parser(
        "reproduce", help="studies: long trainings, held against what was promised and what others claim"
    )
    reproduce.add_argument("study", nargs="*", metavar="STUDY", help="one study or several; their list where left out")
    reproduce.add_argument(
        "--out", default="physnn-results", metavar="DIR", help="where the records go (default: %(default)s)"
    )
    add_data(reproduce)
    reproduce.add_argument("--seeds", metavar="N", type=positive, help="how many seeds (default: the study's own)")
    reproduce.add_argument("--workers", metavar="N", type=positive, help="processes (default: one a core)")
    reproduce.add_argument("--show", action="store_true", help="only the table, from the records that are there")
    reproduce.set_defaults(command=reproduced)


def reproduced(given: argparse.Namespace, console: Console) -> int:
    """List the studies, or run some and print their tables; 1 where a training failed or a bound is missed."""
    from physnn.datasets import load
    from physnn.studies import STUDIES, find_study

    use_data(given)
    if not given.study:
        _list(STUDIES, console)
        return OK
    studies = [find_study(name) for name in given.study]
    for name in {dataset for study in studies for dataset in study.datasets} if not given.show else ():
        load(name)  # a missing file is told before anything runs
    kept = [_run(study, given, console) for study in studies]
    return OK if all(kept) else FAILED


def _list(studies: Mapping[str, Any], console: Console) -> None:
    table = Table("study", "what it measures", "data", "seeds", box=None)
    for study in studies.values():
        table.add_row(study.name, study.title, ", ".join(study.datasets), str(len(study.seeds)))
    console.print(table)


def _run(study: Any, given: argparse.Namespace, console: Console) -> bool:
    """Run one study and print its table; whether nothing failed and all bounds are met."""
    from physnn.studies.run import held, run_tasks

    seeds = study.seeds if given.seeds is None else range(given.seeds)
    tasks, folder = study.tasks(seeds), Path(given.out) / study.name
    if given.show:
        records = held(tasks, folder)
    else:
        with progress(console) as shown:
            bar = shown.add_task(study.name, total=len(tasks), completed=len(held(tasks, folder)), state="")

            def on_record(record: Mapping[str, Any]) -> None:
                shown.update(bar, advance=1, state=f"{record['key']}: {record['status']}")

            records = run_tasks(tasks, folder, workers=given.workers, on_record=on_record)
    missing = [task.key for task in tasks if task.key not in records]
    failed = [record for record in records.values() if record["status"] == "failed"]
    done = {key: record for key, record in records.items() if record["status"] == "done"}
    lines = list(study.lines(done))
    console.print(_table(study, lines))
    for record in failed:
        console.print(f"{record['key']} failed: {record['reason']}", markup=False, highlight=False)
    for reason in dict.fromkeys(r["reason"] for r in records.values() if r["status"] == "refused"):
        names = [key for key, record in records.items() if record.get("reason") == reason]
        console.print(f"refused ({', '.join(names)}): {reason}", markup=False, highlight=False)
    if missing:
        console.print(f"not run: {', '.join(missing)}", markup=False, highlight=False)
    if study.source:
        console.print(f"After {study.source}.", markup=False, highlight=False)
    if study.figure and done:
        console.print(f"Figure: {study.figure(done, folder.with_suffix('.svg'))}", markup=False, highlight=False)
    console.print(f"Records are in {folder}; the same command prints this table again.", highlight=False)
    return not failed and not missing and all(line.met is not False for line in lines)


def _table(study: Any, lines: Sequence[Any]) -> Table:
    claims = ("claimed elsewhere",) if any(line.claim for line in lines) else ()
    table = Table("what", "wanted", "measured", "range", *claims, "", "beside it", box=None, title=study.title)
    for line in lines:
        met = {None: "", True: "met", False: "MISSED"}[line.met]
        spread = f"{min(line.measured):.4g} to {max(line.measured):.4g}" if len(line.measured) > 1 else ""
        mean = f"{fmean(line.measured):.4g}" if line.measured else "nothing"
        claim = (line.claim,) if claims else ()
        table.add_row(line.what, _wanted(line), mean, spread, *claim, met, line.note)
    return table


def _wanted(line: Any) -> str:
    bounds = ((">=", line.least), ("<=", line.most))
    return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
