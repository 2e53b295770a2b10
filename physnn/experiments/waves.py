"""One sample of an experiment, or one medium of the catalogue, watched as it runs: what `physnn show wave` draws."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis import point
from physnn.analysis.port_reflection import Response, reflection_spectrum, response
from physnn.analysis.space_time import Strip, field_strip, layer_names, layer_strips, line_names, line_strips
from physnn.equations import System, Trace
from physnn.errors import CapabilityError, NumericsError, ParameterError, UnknownNameError
from physnn.experiments.scenes import Scene, of_experiment, of_medium, sheet_name
from physnn.experiments.schema import read_experiment
from physnn.media.catalogue import MEDIA
from physnn.substrate.contract import CompanionSpec
from physnn.substrate.converters import as_numpy

Array = NDArray[np.float64]
MOST_NUMBERS = 50_000_000
"""in one recorded run: 400 MB"""
ROWS, FRAMES, NODES = 320, 96, 56
"""times of a diagram; pictures of an animation, and nodes on a side of one"""
FREQUENCIES = 300
LINES, LAYERS, FIELD = "lines", "layers", "field"


@dataclass(frozen=True)
class Movie:
    """A field as it changes."""

    name: str
    frames: Array
    """(pictures, height, width)"""
    times: Array
    """of the pictures [s]"""
    every: tuple[int, int]
    """nodes between neighbours shown, down and across"""


@dataclass(frozen=True)
class Waves:
    """Everything that the page shows."""

    name: str
    title: str
    facts: tuple[tuple[str, str], ...]
    """what was run, in words"""
    kind: str
    """lines, layers or field"""
    times: Array
    """of the strips' rows [s, model time]"""
    strips: tuple[Strip, ...]
    unit: str
    """of the incident wave"""
    spectrum: Response | None = None
    reflects: bool = False
    """whether the spectrum is |S11| at the sources; else it is the response from input to output"""
    about: str = ""
    """the operating point of the spectrum"""
    movie: Movie | None = None
    notes: tuple[str, ...] = ()
    """what is not shown, and why"""


def watch(name: str, *, profile: str | None = None, sample: int = 0, duration: float | None = None) -> Waves:
    """Run an experiment's network on one of its samples, or a medium of the catalogue on a pulse, and keep its waves.

    Weights are those of the first seed, untrained.

    Parameters
    ----------
    name : str
        Experiment file, or name of a medium.
    profile : str, optional
        Name or file; the experiment's first `run_on` where not given, `ideal-torch` for a medium.
    sample : int
        Which sample of the experiment's first data set; for media, the seed of what enters.
    duration : float, optional
        [s, model time]

    Raises
    ------
    UnknownNameError, ExperimentError
        Neither a medium nor an experiment file.
    DataError
        There is no such sample.
    ParameterError
        The run is too long to be kept.
    CapabilityError
        Nothing in the network carries a wave; or the backend refuses it.
    """
    is_file = name.endswith(".toml") or os.sep in name or Path(name).is_file()
    if is_file:
        scene = of_experiment(name, read_experiment(name), profile, sample, duration)
    elif name in MEDIA:
        scene = of_medium(name, MEDIA[name], profile or "ideal-torch", sample, duration)
    else:
        raise UnknownNameError("experiment file or medium", name, MEDIA, "`physnn media` lists the media")
    return _watched(scene)


def _watched(scene: Scene) -> Waves:
    system, placed = scene.system, scene.substrate.placed
    _check_length(scene)
    given = {port: scene.substrate.asarray(value) for port, value in scene.inputs.items()}
    run = scene.substrate.run(given, scene.duration)
    trace = _plain(run)
    times = np.arange(len(next(iter(trace.fields.values()))[0]), dtype=float) * placed.step
    parameters = placed.realise(placed.system.parameters, noise=False)
    notes: list[str] = []
    if line_names(system):
        kind, strips, unit = LINES, line_strips(system, parameters, trace), "V"
    elif sheet := sheet_name(system):
        kind, unit = FIELD, "1"
        strips = (field_strip(sheet, _seen(system, trace, sheet)),)
    elif layer_names(system):
        kind, unit = LAYERS, "1"
        try:
            returned = _returned(scene, run)
        except (CapabilityError, NumericsError) as error:
            returned = {}
            notes.append(f"No reflected wave: {error}")
        strips = layer_strips(system, trace, returned)
    else:
        raise CapabilityError(f"{scene.name!r} has no lines, no field and no layer with states: no wave to show")
    spectrum, about = None, ""
    try:
        spectrum, about = _spectrum(scene, trace, parameters, kind == LINES)
    except (CapabilityError, NumericsError, ParameterError) as error:
        notes.append(f"No spectrum: {error}")
    every = max(1, math.ceil(len(times) / ROWS))
    thinned = tuple(replace(s, forward=s.forward[::every], backward=s.backward[::every]) for s in strips)
    facts = (
        ("on", f"{placed.profile.name}, step {placed.step:.3g} s, {len(times) - 1} steps"),
        ("driven by", scene.driven),
        ("weights", "as they start, untrained"),
    )
    return Waves(
        scene.name,
        scene.title,
        facts,
        kind,
        times[::every],
        thinned,
        unit,
        spectrum,
        kind == LINES,
        about,
        _movie(system, trace, times),
        tuple(notes),
    )


def _check_length(scene: Scene) -> None:
    steps = scene.substrate.placed.steps(scene.duration)
    each = sum(math.prod(p.shape) * len(p.variables) for p in scene.system.populations.values())
    said, step = f"a duration of {scene.duration:g} s is {steps} steps", scene.substrate.placed.step
    if steps < 2:
        raise ParameterError(f"{said} of {step:g} s; give a longer one")
    if steps * each > MOST_NUMBERS:
        most = MOST_NUMBERS // each * step
        raise ParameterError(f"{said} of {each} numbers, too many to keep; give a duration of at most {most:.3g} s")


def _plain(trace: Trace) -> Trace:
    """The trace in NumPy arrays."""
    kept = ({n: as_numpy(v) for n, v in part.items()} for part in (trace.fields, trace.sent, trace.outputs))
    found = tuple(kept)
    return replace(trace, fields=found[0], sent=found[1], outputs=found[2])


def _seen(system: System, trace: Trace, name: str) -> Array:
    """The field as it is read out, else its first state, (times, *shape)."""
    for port, place in system.outputs.items():
        if place.population == name:
            return np.real(trace.outputs[port][0])
    return np.real(trace.fields[f"{name}.{system.populations[name].dynamic[0]}"][0])


def _movie(system: System, trace: Trace, times: Array) -> Movie | None:
    """A sheet as an animation, thinned; None where there is none or it is a single row."""
    name = sheet_name(system)
    if not name:
        return None
    seen = _seen(system, trace, name)
    sheet = seen.reshape(len(seen), -1, *seen.shape[-2:])[:, 0]
    if min(sheet.shape[1:]) < 2:
        return None
    late, down, across = (
        max(1, math.ceil(size / most)) for size, most in zip(sheet.shape, (FRAMES, NODES, NODES), strict=True)
    )
    return Movie(name, sheet[::late, ::down, ::across], times[::late], (down, across))


def _returned(scene: Scene, incident: Trace) -> dict[str, Array]:
    """The reflected wave at every layer in the incident wave's times: layer -> (times, elements)."""
    substrate, system, xp = scene.substrate, scene.system, scene.substrate.xp
    readout = scene.network.readout
    y = readout.read(xp, incident)
    mismatch = y
    if scene.objective is not None:
        targets = scene.objective.loss.targets(np, np.array([scene.label]), scene.objective.classes)
        _, mismatch = scene.objective.loss(xp, y, substrate.asarray(targets))
    cotangents = readout.pull_back(xp, incident, mismatch)
    companion = substrate.placed.companion("transpose")
    echo = substrate.companion(CompanionSpec(), incident).run(cotangents)
    found: dict[str, Array] = {}
    for name, port in companion.reflected.items():
        coupling = system.couplings.get(name)
        if coupling is not None and coupling.target not in found:
            wave = as_numpy(echo.outputs[port])[0]
            length = as_numpy(next(iter(incident.fields.values()))).shape[1]
            found[coupling.target] = wave[:length][::-1].reshape(length, -1)
    return found


def _spectrum(scene: Scene, trace: Trace, parameters: Mapping[str, Any], reflects: bool) -> tuple[Response, str]:
    """|S11| of lines, else the response from input to output, and the operating point in words."""
    system = scene.system
    try:
        given = {port: scene.substrate.asarray(value) for port, value in scene.resting.items()}
        about, said = point(_plain(scene.substrate.steady(given))), scene.resting_said
    except (CapabilityError, NumericsError):
        about, said = point(trace), "the end of the run"
    size = sum(math.prod(p.shape) * len(p.dynamic) for p in system.populations.values())
    number = int(np.clip(4e5 / max(size, 1), 60, FREQUENCIES))
    step = scene.substrate.placed.step
    if reflects:
        shortest = min(system.arriving(line, "from_left")[0].delay for line in line_names(system))
        measured, frequencies = reflection_spectrum, np.linspace(0, 1 / shortest, number)
    else:
        measured, frequencies = response, np.geomspace(0.5e-3 / step, 0.45 / step, number)
    stepped = any(population.maps for population in system.populations.values())
    return measured(system, frequencies, parameters, about, step=step if stepped else None), said
