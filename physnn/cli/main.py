"""The `physnn` command. Exit codes: 0 all done or refused, 1 a cell failed, 2 something given is wrong, 130 Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from physnn import __version__
from physnn.cli import bench, matrix, media, realise, reproduce, rules, show
from physnn.cli.arguments import add_data, positive, use_data
from physnn.cli.progress import progress
from physnn.errors import DeviceError, PhysnnError, nearest

OK, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    console = Console()
    try:
        given = _parser().parse_args(arguments)
        return given.command(given, console)
    except PhysnnError as error:
        print(f"physnn: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is stopped and kept; a second Ctrl-C has nothing to end
        print("physnn: interrupted; what was finished is kept, the same command continues", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return OK


class _Parser(argparse.ArgumentParser):
    """Errors in one line, with the nearest known word; each command judges its own arguments."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unknown argument '{left[0]}'")
        return found, left

    def error(self, message: str) -> NoReturn:
        words = message.split("'")[1::2]
        known = [word for action in self._actions for word in (action.choices or action.option_strings)]
        unknown = words and ("unknown argument" in message or "invalid choice" in message)
        hint = nearest(words[0], known) if unknown else ""
        print(f"{self.prog}: {message.split(' (choose from')[0]}{hint}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(WRONG)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="physnn", description="Describe a physical network once; run, train and price it on any substrate."
    )
    parser.add_argument("--version", action="version", version=f"physnn {__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    compare = commands.add_parser("compare", help="train and run networks on several substrates, and compare them")
    compare.add_argument("experiment", nargs="?", help="experiment file (TOML); the built-in one where left out")
    compare.add_argument(
        "--out", default="physnn-results", metavar="DIR", help="where the results go (default: %(default)s)"
    )
    compare.add_argument("--workers", type=positive, metavar="N", help="processes (default: one a core)")
    compare.add_argument(
        "--device", choices=("cpu", "cuda"), help="where simulators compute, in place of the experiment's device"
    )
    add_data(compare)
    compare.set_defaults(command=_compare)

    profiles = commands.add_parser("profiles", help="hardware profiles").add_subparsers(
        dest="what", metavar="list|show|check"
    )
    profiles.add_parser("list", help="all installed profiles").set_defaults(command=_profiles_list)
    shown = profiles.add_parser("show", help="every number of a profile with its source")
    shown.add_argument("profile", metavar="NAME", help="name of a profile, or its file")
    shown.set_defaults(command=_profiles_show)
    check = profiles.add_parser("check", help="every fault of a profile's file")
    check.add_argument("file", metavar="FILE")
    check.set_defaults(command=_profiles_check)
    commands.choices["profiles"].set_defaults(command=_profiles_list)

    media.add_commands(commands)
    rules.add_commands(commands)
    realise.add_commands(commands)
    matrix.add_commands(commands)
    reproduce.add_commands(commands)
    show.add_commands(commands)
    bench.add_commands(commands)

    commands.add_parser("backends", help="installed backends").set_defaults(command=_backends)

    conform = commands.add_parser("conform", help="hold a backend against the conformance suite")
    conform.add_argument(
        "backend", metavar="BACKEND", nargs="+", help="one backend, or several for the table of features"
    )
    conform.add_argument("--html", metavar="FILE", type=Path, help="write every comparison to a page (one backend)")
    conform.set_defaults(command=_conform)

    preview = commands.add_parser(
        "check", help="what every substrate of an experiment supports, refuses and would cost"
    )
    preview.add_argument("experiment", nargs="?", help="experiment file (TOML); the built-in one where left out")
    add_data(preview)
    preview.set_defaults(command=_check)
    return parser


def _read(given: argparse.Namespace) -> Any:
    """The experiment that was asked for; where its data are is in the environment, for worker processes too."""
    from physnn.experiments import built_in, read_experiment

    use_data(given)
    return read_experiment(given.experiment) if given.experiment else built_in()


def _compare(given: argparse.Namespace, console: Console) -> int:
    from physnn import report
    from physnn.experiments import Store, run, write_json

    experiment = _read(given)
    if given.device:
        experiment = experiment.model_copy(update={"device": given.device})
    _preflight(experiment)
    store = Store(given.out, experiment)
    try:
        with progress(console) as shown:
            cells = list(experiment.cells())
            kept = sum(store.get(cell) is not None for cell in cells)
            bar = shown.add_task(experiment.name, total=len(cells), completed=kept, state="")
            run(
                experiment,
                store,
                workers=given.workers,
                on_cell=lambda record: shown.update(bar, advance=1, state=_said(record)),
            )
    finally:
        results = store.results()
        write_json(store.folder / "results.json", results)
    report.write_csv(results, store.folder / "results.csv")
    report.write_html(results, store.folder / "report.html")
    report.write_figures(results, store.folder)
    report.terminal_table(results, console)
    console.print(f"results.json, results.csv and report.html are in {store.folder}", highlight=False)
    return FAILED if any(cell["status"] == "failed" for cell in results["cells"]) else OK


def _preflight(experiment: Any) -> None:
    """What can be found wrong before anything runs: data, backends, the device, the report's libraries."""
    from physnn.report.extras import need
    from physnn.substrate.profiles import find_profile
    from physnn.substrate.registry import backend_names, find_backend

    for name in experiment.datasets:
        experiment.data(name)
    for name in dict.fromkeys((*experiment.run_on, *experiment.train_on)):
        installed = [backend for backend in find_profile(name).backends if backend in backend_names()]
        if installed:  # else its cells are refused, with that reason
            find_backend(installed[0])
    if experiment.device != "cpu":
        _require_device(experiment)
    for extra in ("matplotlib", "jinja2"):
        need(extra)


def _require_device(experiment: Any) -> None:
    """Build a small network on every profile; a backend that computes there but lacks the device says so."""
    from physnn.substrate.registry import build

    network = experiment.network.build(1, 2)
    for name in dict.fromkeys((*experiment.run_on, *experiment.train_on)):
        try:
            build(network, name, device=experiment.device)
        except DeviceError:
            raise
        except PhysnnError:
            continue  # refused for another reason, which its cells will carry


def _said(record: dict[str, Any]) -> str:
    score = record["accuracy"]["test"]
    return f"{record['run_on']} {record['rule']}: {f'{score:.3f}' if score is not None else record['status']}"


def _profiles_list(given: argparse.Namespace, console: Console) -> int:
    from physnn.substrate.profiles import iter_profiles
    from physnn.substrate.registry import backend_names

    here = set(backend_names())
    table = Table("name", "kind", "backends", "unverified", "title", box=None)
    for profile in iter_profiles():
        numbers = [quantity for _, quantity in profile.quantities()]
        unverified = f"{sum(not q.verified for q in numbers)} of {len(numbers)}"
        backends = ", ".join(name if name in here else f"({name})" for name in profile.backends)
        table.add_row(profile.name, profile.kind, backends, unverified, profile.title)
    console.print(table)
    console.print("A backend in brackets is not installed.", highlight=False)
    return OK


def _profiles_show(given: argparse.Namespace, console: Console) -> int:
    from physnn.substrate.profiles import describe, find_profile

    profile = find_profile(given.profile)
    console.print(f"{profile.name}: {profile.title}", style="bold", highlight=False, markup=False)
    console.print(" ".join(profile.description.split()), highlight=False, markup=False)
    table = Table("quantity", "value", "evidence", "verified", "source", box=None)
    for row in describe(profile):
        verified = "" if row.verified is None else "yes" if row.verified else "NO"
        table.add_row(row.name, row.value, row.evidence, verified, row.source)
    console.print(table, markup=False)
    for reason in profile.not_counted:
        console.print(f"not counted: {reason}", highlight=False, markup=False)
    return OK


def _profiles_check(given: argparse.Namespace, console: Console) -> int:
    from physnn.substrate.profiles import check_profile_file

    faults = check_profile_file(Path(given.file))
    for fault in faults:
        print(f"physnn: {fault}", file=sys.stderr)
    if not faults:
        console.print(f"{given.file}: sound", highlight=False)
    return WRONG if faults else OK


def _backends(given: argparse.Namespace, console: Console) -> int:
    from physnn.substrate.profiles import iter_profiles
    from physnn.substrate.registry import backend_names, find_backend

    profiles: dict[str, list[str]] = {}
    for profile in iter_profiles():
        for name in profile.backends:
            profiles.setdefault(name, []).append(profile.name)
    table = Table("backend", "ready", "profiles", box=None)
    for name in sorted({*backend_names(), *profiles}):
        try:
            find_backend(name)
            state = "yes"
        except PhysnnError as error:
            state = str(error) if name in backend_names() else "not installed"
        table.add_row(name, state, ", ".join(profiles.get(name, [])))
    console.print(table)
    return OK


def _conform(given: argparse.Namespace, console: Console) -> int:
    from physnn.substrate.registry import find_backend
    from physnn.testing.conformance import FAIL, conform
    from physnn.testing.conformance.tables import features_table, terminal_table, write_html

    outcomes = {}
    for name in given.backend:
        backend = find_backend(name)
        with console.status(f"{name}: conformance suite"):
            outcomes[name] = conform(backend)
    for name, found in outcomes.items():
        console.print(terminal_table(name, found), markup=False)
        for outcome in found:
            if outcome.status == FAIL and outcome.reason:
                console.print(f"{outcome.feature}, {outcome.case}: {outcome.reason}", markup=False, highlight=False)
    print(features_table(outcomes), end="")
    if given.html:
        write_html(given.html, given.backend[0], outcomes[given.backend[0]])
    return FAILED if any(outcome.status == FAIL for found in outcomes.values() for outcome in found) else OK


def _check(given: argparse.Namespace, console: Console) -> int:
    from physnn.experiments.pool import THREAD_VARIABLES
    from physnn.experiments.preview import preview
    from physnn.substrate.contract import REFUSED

    experiment = _read(given)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # as `compare` runs its cells; read when a backend loads
    steps = ("step of limit",) if experiment.duration is not None else ()
    table = Table("data, profile", "backend", "", "memory", "time", "J / inference", *steps, box=None)
    rows = list(preview(experiment))
    for row in rows:
        told = (row.backend, row.status, row.memory, row.time, row.energy, row.step)
        table.add_row(f"{row.dataset}, {row.profile}", *told[: len(table.columns) - 1])
    console.print(table)
    lines = [f"{row.profile}, {f.part}: {f.status}, {f.detail}" for row in rows for f in row.told]
    for line in dict.fromkeys(lines):
        console.print(line, markup=False, highlight=False)
    if experiment.duration is None:
        said = "Stationary states are solved without steps, so no step has a stability limit to keep."
        console.print(said, highlight=False)
    return FAILED if any(row.status == REFUSED for row in rows) else OK
