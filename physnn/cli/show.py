"""`physnn show wave`: a network as it runs, on one self-contained page."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from rich.console import Console

from physnn.cli.arguments import add_data, use_data

OK = 0


def add_commands(commands: Any) -> None:
    """Register the command."""
    show = commands.add_parser("show", help="pictures of a network as it runs")
    verbs = show.add_subparsers(dest="what", required=True, metavar="wave")
    wave = verbs.add_parser("wave", help="waves in space and time, reflection by frequency, fields as they move")
    wave.add_argument("experiment", metavar="EXPERIMENT", help="experiment file (TOML), or a medium of `physnn media`")
    wave.add_argument("--profile", metavar="NAME", help="where it runs (default: the experiment's first; ideal-torch)")
    wave.add_argument(
        "--sample", type=_number, default=0, metavar="N", help="sample of its data, from 0 (default: %(default)s)"
    )
    wave.add_argument("--duration", type=_seconds, metavar="S", help="how long it runs [s, model time]")
    wave.add_argument("--out", default="physnn-wave", metavar="DIR", help="where the page goes (default: %(default)s)")
    add_data(wave)
    wave.set_defaults(command=shown)


def shown(given: argparse.Namespace, console: Console) -> int:
    """Run it and write the page."""
    from physnn.experiments.store import make_folder
    from physnn.experiments.waves import watch
    from physnn.report.extras import need
    from physnn.report.wave_page import write_wave_page

    use_data(given)
    for extra in ("matplotlib", "jinja2"):
        need(extra)  # told before anything runs
    with console.status(f"running {given.experiment}"):
        waves = watch(given.experiment, profile=given.profile, sample=given.sample, duration=given.duration)
    folder = Path(given.out)
    make_folder(folder)
    path = write_wave_page(waves, folder / f"{waves.name}.html")
    console.print(f"{path}: {waves.title}, {', '.join(strip.name for strip in waves.strips)}", highlight=False)
    for note in waves.notes:
        console.print(note, highlight=False, markup=False)
    return OK


def _number(text: str) -> int:
    """A whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _seconds(text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0 [s]")
    return value
