"""What is watched: a network on a substrate, what enters it and for how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.analysis.space_time import line_names
from physnn.equations import Dense, Input, System
from physnn.errors import DataError, PhysnnError
from physnn.experiments.schema import Experiment
from physnn.learning import Objective
from physnn.media import Network, Source
from physnn.media.catalogue import Entry
from physnn.substrate.contract import Substrate
from physnn.substrate.registry import build

Array = NDArray[np.float64]
_SIDE = 41
"""nodes on a side of a field that is shown"""
_FINEST = 16
"""steps that the shortest line of a medium of the catalogue is given"""


@dataclass(frozen=True)
class Scene:
    """A network on its substrate, what enters it, and what its answer is held against."""

    name: str
    title: str
    network: Network
    substrate: Substrate
    inputs: Mapping[str, Array]
    resting: Mapping[str, Array]
    """constant inputs of the operating point"""
    resting_said: str
    duration: float
    driven: str
    objective: Objective | None = None
    label: int = 0
    system: System = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "system", self.substrate.placed.system)


def of_experiment(name: str, experiment: Experiment, profile: str | None, sample: int, duration: float | None) -> Scene:
    """An experiment's network, shown one sample for as long as the experiment says, or until it has settled."""
    dataset = experiment.data(experiment.datasets[0])
    if sample >= len(dataset.labels):
        raise DataError(f"data set {dataset.name!r} has samples 0 to {len(dataset.labels) - 1}; there is no {sample}")
    network, chosen = experiment.network.build(dataset.width, dataset.classes), profile or experiment.run_on[0]
    substrate = build(network, chosen, seed=experiment.seeds[0], step=experiment.step, device=experiment.device)
    slowest = experiment.network.time_constant / experiment.network.damping
    shown = duration or experiment.duration or 4 * slowest * (1 + len(experiment.network.hidden))
    inputs = {"input": np.asarray(dataset.inputs[sample : sample + 1], dtype=float)}
    label = int(dataset.labels[sample])
    objective = experiment.objective(network, dataset.classes)
    told = f"sample {sample} of {dataset.name} (class {label}), held from t = 0"
    return Scene(
        Path(name).stem,
        experiment.name,
        network,
        substrate,
        inputs,
        inputs,
        "the stationary state for the sample",
        shown,
        told,
        objective,
        label,
    )


def of_medium(name: str, entry: Entry, profile: str, seed: int, duration: float | None) -> Scene:
    """A medium of the catalogue: lines and fields are struck by a pulse, others held at random numbers."""
    network = entry.build()
    system = network.lower()
    delays = [c.delay for line in line_names(system) for c in system.couplings.values() if c.target == line and c.delay]
    sheet = sheet_name(system)
    if delays:
        finer = next(n for n in count(1) if min(delays) >= (_FINEST - 0.5) * entry.step / n)
        step, shown = entry.step / finer, duration or 5 * sum(delays) / 2
        width = min(delays) / 2
    elif sheet:
        network = _roomy(network)
        # Meshes pass a cell each step; the waves of equations are stepped finer than their speed asks for.
        crossing = (2 if system.populations[sheet].maps else 10) * _SIDE * entry.step
        step, shown, width = entry.step, duration or 2 * crossing, crossing / 10
    else:
        step, width = entry.step, 0.0
        shown = duration or (4 if entry.stationary else 1) * entry.steps * entry.step
    substrate = build(network, profile, seed=seed, step=step)
    placed = substrate.placed.system
    drawn = {port: _drawn(name, placed, place, seed) for port, place in placed.inputs.items()}
    resting = drawn
    driven = "constant random numbers from t = 0"
    if width:
        times = np.arange(substrate.placed.steps(shown)) * step
        pulse = np.where(times < width, 0.5 - 0.5 * np.cos(2 * np.pi * times / width), 0.0)
        fed = [port for port in drawn if _role(placed, placed.inputs[port]) == "input"]
        resting = drawn | {port: np.zeros_like(drawn[port]) for port in fed}
        drawn = drawn | {
            port: pulse[None, :].reshape(1, -1, *[1] * (drawn[port].ndim - 1)) * np.ones_like(drawn[port])[:, None]
            for port in fed
        }
        driven = f"a raised-cosine pulse of height 1 that lasts {width:.3g} s" if fed else "its initial state alone"
    return Scene(name, entry.title, network, substrate, drawn, resting, "rest", shown, driven)


def _roomy(network: Network) -> Network:
    """A driven field on a larger sheet, struck at one node; as it was where its arrays or its ports fix its size."""
    sources = [part for part in network.parts if isinstance(part, Source)]
    others = [part for part in network.parts if not isinstance(part, Source)]
    if len(sources) != 1 or len(others) != 1 or network.inputs:
        return network
    part: Any = others[0]
    flat = part.lower().shape
    if "shape" not in {f.name for f in fields(part)} or len(flat) != 3:
        return network
    shape = (flat[0], *(1 if side == 1 else _SIDE for side in flat[1:]))
    size = math.prod(shape)
    weights = np.zeros((size, 1))
    weights[np.ravel_multi_index((0, shape[1] // 2, shape[2] // 6), shape)] = 1.0
    entrance = replace(network.links[0], operator=Dense(size, 1, shape), weights=weights)
    cells = np.ix_(*(np.arange(side) * of // side for side, of in zip(shape, flat, strict=True)))
    larger: dict[str, Any] = {"shape": shape}
    for one in fields(part):
        value = getattr(part, one.name)
        if isinstance(value, list | np.ndarray):
            larger[one.name] = np.broadcast_to(np.asarray(value), flat)[cells]
    try:
        wider = replace(network, parts=(replace(sources[0], size=1), replace(part, **larger)), links=(entrance,))
        wider.lower()
    except PhysnnError:
        return network
    return wider


def _role(system: System, place: Input) -> str:
    return system.populations[place.population].variables[place.variable].role


def _drawn(name: str, system: System, place: Input, seed: int) -> Array:
    """What enters a port: normal numbers, about the System's own value where it has one."""
    population, role = system.populations[place.population], _role(system, place)
    drawn = streams.normal(seed, f"{name} {place.variable}", "shown", (1, *population.shape))
    own = population.values.get(place.variable, 0.0)
    return drawn if role == "input" else own * (1 + 0.1 * drawn) if role == "parameter" else own + 0.3 * drawn


def sheet_name(system: System) -> str:
    """The first population on a sheet of more than one node that has states or is read; empty where there is none."""
    read = {port.population for port in system.outputs.values()}
    for name, population in system.populations.items():
        is_sheet = len(population.shape) > 1 and math.prod(population.shape[-2:]) > 1
        if is_sheet and (population.dynamic or name in read):
            return name
    return ""
