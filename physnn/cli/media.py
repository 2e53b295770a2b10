"""`physnn media`: what the catalogue holds, what each medium says, and whether its known answers come out."""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from physnn.errors import CapabilityError, PhysnnError, UnknownNameError


def add_commands(commands: Any) -> None:
    """Register the command and its three verbs."""
    media = commands.add_parser("media", help="the catalogue of media, oscillators and impedances")
    verbs = media.add_subparsers(dest="what", metavar="list|show|verify")
    verbs.add_parser("list", help="all media").set_defaults(command=listed)
    show = verbs.add_parser("show", help="equations, parameters, integrators and backends of a medium")
    show.add_argument("medium", metavar="NAME")
    show.set_defaults(command=shown)
    verify = verbs.add_parser("verify", help="measure the known answers of the media")
    verify.add_argument("subjects", metavar="SUBJECT", nargs="*", help="subjects to measure (default: all)")
    verify.set_defaults(command=verified)
    media.set_defaults(command=listed)


def listed(given: argparse.Namespace, console: Console) -> int:
    """The table of all media."""
    from physnn.media.catalogue import FAMILIES

    table = Table("family", box=None)
    table.add_column("name", no_wrap=True)
    for title in ("what it is", "backends"):
        table.add_column(title)
    for family, entries in FAMILIES.items():
        for name, entry in entries.items():
            backends = ", ".join(backend for backend, reason in _backends(entry.build().lower()) if not reason)
            table.add_row(family, name, entry.title, backends)
            family = ""
    console.print(table)
    return 0


def shown(given: argparse.Namespace, console: Console) -> int:
    """Everything that the catalogue knows of one medium."""
    from physnn.analysis import stability_limit
    from physnn.media.catalogue import MEDIA
    from physnn.testing.answers import COVERS

    if given.medium not in MEDIA:
        raise UnknownNameError("medium", given.medium, MEDIA)
    entry = MEDIA[given.medium]
    network = entry.build()
    system = network.lower()
    population = system.populations[entry.shown(system)]
    part = next(p for p in network.parts if population.name in [own.name for own in p.populations()])
    console.print(f"{given.medium}: {entry.title}", style="bold", highlight=False, markup=False)
    console.print(textwrap.indent(textwrap.dedent(population.text).strip(), "    "), highlight=False, markup=False)
    said = f"{type(part).__name__}{inspect.signature(type(part))}".replace("'", "").removesuffix(" -> None")
    console.print(f"from physnn.media: {said}", highlight=False, markup=False)
    for event in population.events:
        console.print(f"    when {event.guard}: {_resets(event.resets)}", highlight=False, markup=False)
    for name, projection in population.projections.items():
        console.print(f"    after each step {name} = {projection}", highlight=False, markup=False)
    table = Table("parameter", "unit", "value in this network", "", box=None)
    for name in population.role("parameter"):
        variable = population.variables[name]
        learnt = "trainable" if variable.trainable else ""
        table.add_row(name, variable.unit, _values(population.values[name]), learnt)
    console.print(table, markup=False)
    for coupling in system.couplings.values():
        operator = type(coupling.operator).__name__.lower()
        late = f", {coupling.delay:g} s later" if coupling.delay else ""
        said = f"{coupling.name}: {operator}, {system.signals[coupling.name]} arrives as {coupling.into}{late}"
        console.print(said, highlight=False, markup=False)
    console.print(f"integrator: {population.integrator}; in this network steps of {entry.step:g} s", highlight=False)
    try:
        limit = stability_limit(system)
        said = "every step is stable" if np.isinf(limit) else f"steps are stable up to {limit:.4g} s about rest"
    except PhysnnError as error:
        said = f"no stability limit: {error}"
    console.print(said, highlight=False, markup=False)
    for backend, reason in _backends(system):
        console.print(f"{backend}: {reason or 'runs it'}", highlight=False, markup=False)
    for subject in (subject for subject, media in COVERS.items() if given.medium in media):
        console.print(f"known answers: physnn media verify {subject!r}", highlight=False, markup=False)
    if entry.source:
        console.print(f"source: {entry.source}", highlight=False, markup=False)
    return 0


def verified(given: argparse.Namespace, console: Console) -> int:
    """Measure known answers; 1 where one is missed."""
    from physnn.testing.answers import ANSWERS

    for subject in given.subjects:
        if subject not in ANSWERS:
            raise UnknownNameError("subject", subject, ANSWERS)
    table = Table("subject", "claim", "wanted", "measured", "off by", "", box=None)
    count = missed = 0
    left_out: dict[str, str] = {}
    for subject in given.subjects or ANSWERS:
        try:
            with console.status(f"measuring {subject}"):
                answers = list(ANSWERS[subject]())
        except CapabilityError as error:
            left_out[subject] = str(error)
            continue
        for answer in answers:
            count, missed = count + 1, missed + (not answer.holds)
            verdict = "" if answer.holds else "MISSED"
            table.add_row(subject, answer.claim, answer.bar, f"{answer.measured:.7g}", answer.off, verdict)
    console.print(table, markup=False)
    for subject, reason in left_out.items():
        console.print(f"{subject}: not measured, {reason}", markup=False, highlight=False)
    console.print(f"{count - missed} of {count} known answers hold.", highlight=False)
    return 1 if missed or left_out else 0


def _backends(system: Any) -> Iterator[tuple[str, str]]:
    """Installed backends, each with the reason why it does not run the System, or nothing."""
    from physnn.substrate.contract import REFUSED
    from physnn.substrate.profiles import find_profile
    from physnn.substrate.registry import backend_names, find_backend

    for name in sorted(backend_names()):
        try:
            findings = find_backend(name).check(system, find_profile(f"ideal-{name}"))
        except PhysnnError as error:
            yield name, str(error)
            continue
        refused = [f for f in findings if f.status == REFUSED]
        yield name, f"refuses {refused[0].part}: {refused[0].detail}" if refused else ""


def _resets(resets: Any) -> str:
    return ", ".join(f"{name} = {text}" for name, text in resets.items()) or "a pulse"


def _values(values: Any) -> str:
    """A parameter's value, or its range where elements differ."""
    array = np.asarray(values)
    if array.size == 1 or np.all(array == array.flat[0]):
        return f"{array.flat[0]:g}"
    if array.size <= 6:
        return ", ".join(f"{value:g}" for value in array.flat)
    return f"{np.min(array):g} to {np.max(array):g}, shape {array.shape}"
