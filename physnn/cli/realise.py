"""`physnn realise`: what it takes to build a matrix on a hardware profile."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from physnn.errors import DataError

if TYPE_CHECKING:
    from physnn.energy.interval import Interval
    from physnn.realisation import CurvePoint, Realisation
    from physnn.substrate.profile_schema import Profile

LARGEST_FILE = 64 * 2**20
"""[bytes]; a matrix of the largest side that is realised fits in a quarter of it"""
MULTIPLES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the profile's imperfections, at which errors are shown."""
UNITS = {"loss": "dB", "coupler_error": "rad", "phase_error": "rad", "crosstalk": "1"}
USUAL = {"loss": 0.2, "coupler_error": 0.02, "phase_error": 5e-3, "crosstalk": 5e-3, "turns": 0.02}
"""Where a profile names none."""


def add_commands(commands: Any) -> None:
    """Register the command."""
    realise = commands.add_parser("realise", help="what it takes to build a matrix on a hardware profile")
    realise.add_argument("file", metavar="FILE", type=Path, help="a matrix: .npy, or .csv of real or complex numbers")
    realise.add_argument("--profile", required=True, metavar="NAME", help="name of a profile, or its file")
    realise.add_argument(
        "--impedances", type=_impedances, metavar="Z1,Z2", help="of the lines in and out [ohm] (default: the profile's)"
    )
    realise.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the die (default: %(default)s)")
    realise.add_argument("--show", action="store_true", help="the error against each imperfection, over five dies")
    realise.set_defaults(command=run)


def run(given: argparse.Namespace, console: Console) -> int:
    """Print what the matrix needs and costs."""
    from physnn.realisation import realise
    from physnn.substrate.profiles import find_profile

    profile = find_profile(given.profile)
    matrix = read_matrix(given.file)
    near, far = given.impedances or (None, None)
    found = realise(matrix, profile, near=near, far=far, seed=given.seed)
    console.print(f"{given.file.name} on {profile.name}: {found.how}", style="bold", highlight=False, markup=False)
    table = Table("", "", box=None, show_header=False)
    for name, value in (*_rows(found), *_costs(found)):
        table.add_row(name, value)
    if profile.kind == "ideal":
        table.add_row("cost", "not a device")
    console.print(table, markup=False)
    if given.show:
        curves = Table("imperfection", "value", "unit", "error", "worst error", "error at best gain", box=None)
        for name, unit, points in _curves(found, matrix, profile):
            for point in points:
                errors = (f"{e:.4g}" for e in (point.error, point.worst, point.scaled))
                curves.add_row(name, f"{point.value:.4g}", unit, *errors)
        console.print(curves, markup=False)
    return 0


def read_matrix(path: Path) -> NDArray[Any]:
    """The matrix in a file.

    Raises
    ------
    DataError
        There is no such file, it is too large, or holds no matrix.
    """
    if path.suffix not in (".npy", ".csv"):
        raise DataError(f"matrix {path}: neither .npy nor .csv; save it as one of these")
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise DataError(
                f"matrix {path}: {size / 2**20:.0f} MiB is too large (at most {LARGEST_FILE >> 20}); cut it"
            )
        found = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _from_text(path)
    except OSError as error:
        raise DataError(f"matrix {path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, EOFError, SyntaxError, MemoryError):
        raise DataError(f"matrix {path}: holds no rows and columns of numbers in the form of its ending") from None
    if not isinstance(found, np.ndarray):
        raise DataError(f"matrix {path}: is an archive of several arrays; save one with numpy.save")
    return found


def _from_text(path: Path) -> NDArray[Any]:
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not lines:
        raise ValueError("empty")
    rows = [[_number(cell) for cell in line.split(",")] for line in lines]
    return np.array(rows)


def _number(cell: str) -> float | complex:
    try:
        return float(cell)
    except ValueError:
        return complex(cell.replace(" ", "").replace("i", "j"))


def _rows(found: Realisation) -> Iterator[tuple[str, str]]:
    """What is printed, line by line."""
    mesh = found.how == "interferometer mesh"
    what = ("interferometers", "phase shifters") if mesh else ("transformers", "turns ratios")
    yield "matrix", f"{found.shape[0]} x {found.shape[1]}"
    yield what[0], f"{found.elements}, {found.depth} in series"
    yield what[1], str(found.settings)
    yield "loss", _decibels(found.loss)
    yield "missing gain", _decibels(found.gain) if found.gain.high else "none"
    if found.repeaters:
        behind = f", {found.stages.typical:g} stages each" if found.stages.typical > 1 else ""
        yield "repeaters", f"{found.repeaters}{behind}"
    yield "error of the ideal device", f"{found.error:.2g}"
    # a loss and a turn that all paths share are the laser's and the receivers' to make good, not those of a bank
    which = "error on the die, up to a common factor" if mesh else "error on the die"
    yield which, f"{found.die_error:.3g} (fidelity {found.die_fidelity:.6f})"


def _costs(found: Realisation) -> Iterator[tuple[str, str]]:
    """What the profile has a price for."""
    from physnn.report.cells import Range
    from physnn.report.format import compact

    prices = {
        "laser, at the wall": (found.laser, "W"),
        "heaters" if found.laser else "power of the turns": (found.holding, "W"),
        "power of the repeaters": (found.amplifying, "W"),
        "energy of the repeaters per use": (found.use, "J"),
        "energy of setting all once": (found.writing, "J"),
        "time of setting all once": (found.settling, "s"),
    }
    for name, (price, unit) in prices.items():
        if price is not None and price.typical:
            yield name, compact(Range(price.low, price.typical, price.high), unit)


def _curves(found: Realisation, matrix: Any, profile: Profile) -> Iterator[tuple[str, str, list[CurvePoint]]]:
    """(imperfection, unit, points) of what the device can get wrong."""
    from physnn.realisation import Imperfections, PassiveBank, error_curve, mismatch_curve

    if isinstance(found.device, PassiveBank):
        spread = profile.mismatch.weight
        values = [m * (spread.value if spread and spread.value else USUAL["turns"]) for m in MULTIPLES]
        wanted = found.device.transmission
        yield "turns spread", "1", mismatch_curve(found.device, wanted, values)
        return
    own = Imperfections.of(profile)
    for quantity, unit in UNITS.items():
        values = [m * (getattr(own, quantity) or USUAL[quantity]) for m in MULTIPLES]
        yield quantity.replace("_", " "), unit, error_curve(found.device, matrix, quantity, values)


def _decibels(given: Interval) -> str:
    spread = "" if given.low == given.high else f" ({given.low:.3g} to {given.high:.3g})"
    return f"{given.typical:.3g} dB{spread}"


def _impedances(text: str) -> tuple[float, float]:
    parts = text.split(",")
    try:
        near, far = (float(part) for part in parts)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pair of impedances such as 50,75") from None
    return near, far


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)
