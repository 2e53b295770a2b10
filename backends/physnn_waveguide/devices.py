"""What a network of lines is made of: its devices, and how long a wave front takes through it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from physnn.equations import Coupling, Population, System
from physnn.substrate.device_equations import scatters


def inventory(system: System) -> dict[str, float]:
    """Devices of a System built from repeaters, lines, couplers and interferometers.

    `repeater`: each state that a cell holds, and each amplifier between lines, an element through which waves pass with
    a parameter `gain`. Other circuits that waves pass are passive, whatever states they have. `weight`: couplers, and
    two phase shifters each, as an interferometer has. `output`: detectors, two for an envelope.

    `mzi_depth` is the largest number of interferometers that light passes in series between active elements: of the
    meshes that the System describes, and of a weight matrix, were it built as two rectangular meshes (Clements et al.
    2016), twice the larger of fan-in (bias included) and fan-out.
    """
    size = sizes(system)
    passive = {name for name in system.populations if scatters(system, name)}
    active = {name: size[name] for name, p in system.populations.items() if p.dynamic and name not in passive}
    held = {name: size[name] * len(system.populations[name].dynamic) for name in active}
    amplifiers = [name for name in passive if "gain" in system.populations[name].role("parameter")]
    lines_in, meshes = fan_in(system), mesh_depth(system)
    matrices = {name: 2 * max(lines_in[name], size[name]) + meshes[name] for name in active}
    return {
        "repeater": float(sum(held.values()) + sum(size[name] for name in amplifiers)),
        "line": float(sum(size[c.source] for c in system.couplings.values())),
        "weight": float(sum(settings(system).values())),
        "input": float(sum(size[port.population] for port in system.inputs.values())),
        "output": float(sum(_detectors(system, name) for name in system.outputs)),
        "mzi_depth": float(max([*matrices.values(), *meshes.values()], default=0)),
        "layer": float(len(active)),
    }


def settings(system: System) -> dict[str, float]:
    """Parameter key -> weights that are set by it: those of couplings that are devices, and half of each phase.

    All wavelengths pass the same shifter.
    """
    found: dict[str, float] = {}
    for coupling in system.couplings.values():
        if not coupling.constant:
            found[coupling.key] = math.prod(coupling.operator.weight_shape)
    for name, population in system.populations.items():
        found |= {f"{name}.{phase}": population.shape[-1] / 2 for phase in _phases(population)}
    return found


def _phases(population: Population) -> tuple[str, ...]:
    """The phases by which it turns light: an interferometer's two, an attenuator's angle, or those at a mesh's end."""
    given = population.role("parameter")
    if not any(population.variables[name].complex for name in population.role("arrival")):
        return ()
    if "theta" in given and "phi" in given:
        return "theta", "phi"
    return tuple(name for name in ("angle", "phase") if name in given)


def mesh_exits(system: System) -> set[str]:
    """Couplings by which light leaves the interferometers of meshes that have no delay of their own."""
    phases = {name: _phases(population) for name, population in system.populations.items()}
    late = {c.source for c in system.couplings.values() if c.delay and c.local and "phase" in phases[c.source]}
    return {
        c.name
        for c in system.couplings.values()
        if "theta" in phases[c.source] and "phase" in phases[c.target] and c.target not in late
    }


def mesh_depth(system: System) -> dict[str, float]:
    """Population -> interferometers of described meshes that light has passed in series when it has passed this one.

    Where light goes round, all that there are.
    """
    passed: dict[str, float] = {
        name: int("theta" in phases or "angle" in phases)
        for name, phases in ((name, _phases(p)) for name, p in system.populations.items())
    }
    if not any(passed.values()):
        return passed
    found = _longest(system, passed, dict.fromkeys(system.couplings, 0), held=True)
    return dict.fromkeys(passed, sum(passed.values())) if found is None else found


def _longest(
    system: System, at: Mapping[str, float], along: Mapping[str, float], *, held: bool
) -> dict[str, float] | None:
    """Population -> the longest way that ends there, of what stands in populations and along couplings; None in loops.

    What an element sends hears the arrivals that its expression names, and where it has states or unknowns all of them,
    unless these are `held`.
    """
    arriving: dict[str, list[Coupling]] = {name: [] for name in at}
    for coupling in system.couplings.values():
        arriving[coupling.target].append(coupling)
    before: dict[str, list[str]] = {}
    for coupling in system.couplings.values():
        source = system.populations[coupling.source]
        heard = {str(symbol) for symbol in system.signals[coupling.name].free_symbols}
        if not held and (source.dynamic or source.constraints):
            heard.update(source.role("arrival"))
        before[coupling.name] = [c.name for c in arriving[coupling.source] if c.into in heard]
    try:
        order = tuple(TopologicalSorter(before).static_order())
    except CycleError:
        return None
    reached: dict[str, float] = {}
    for name in order:
        way = at[system.couplings[name].source] + along[name]
        reached[name] = way + max((reached[c] for c in before[name]), default=0)
    return {name: own + max((reached[c.name] for c in arriving[name]), default=0) for name, own in at.items()}


def converters_in(system: System) -> int:
    """Converters at the input ports: one a line, two for an envelope."""
    size = sizes(system)
    return sum(
        size[port.population] * _quadratures(system.populations[port.population].variables[port.variable].complex)
        for port in system.inputs.values()
    )


def _detectors(system: System, output: str) -> int:
    population = system.populations[system.outputs[output].population]
    return math.prod(population.shape) * _quadratures(population.is_complex(system.readouts[output]))


def _quadratures(is_complex: bool) -> int:
    return 2 if is_complex else 1


def sizes(system: System) -> dict[str, int]:
    """Number of elements of each population."""
    return {name: math.prod(p.shape) for name, p in system.populations.items()}


def fan_in(system: System) -> dict[str, int]:
    """Lines that arrive at each element of each population."""
    found = dict.fromkeys(system.populations, 0)
    for coupling in system.couplings.values():
        found[coupling.target] += coupling.operator.fan_in
    return found


def read_back(system: System) -> int:
    """Waves that the host reads for a gradient: the incident ones at active sources, the reflected ones at targets.

    What sources of the outside world and constant lines send, the host knows.
    """
    size = sizes(system)
    trained = [c for c in system.couplings.values() if c.trainable]
    incident = {
        c.source: _quadratures(system.populations[c.source].is_complex(system.signals[c.name]))
        for c in trained
        if system.populations[c.source].dynamic
    }
    reflected = {c.target: _quadratures(system.populations[c.target].variables[c.into].complex) for c in trained}
    return sum(size[name] * each for waves in (incident, reflected) for name, each in waves.items())


def transit(system: System, settling: Mapping[str, float], travel: Mapping[str, float]) -> float:
    """Time in which a wave front passes and every repeater behind it settles [s, model time].

    Parameters
    ----------
    settling : mapping
        Population -> time in which it settles [s]; 0 for sources.
    travel : mapping
        Coupling -> time that it takes [s].

    The longest way through a feed-forward System, or one whose waves go through a population twice and in no loop, as
    through the ends of a mesh; once through all populations where there are loops.
    """
    before = {
        name: [(c.source, travel[c.name]) for c in system.couplings.values() if c.target == name]
        for name in system.populations
    }
    if system.steady_order is None:
        ways_through = _longest(system, settling, travel, held=False)
        if ways_through is not None:
            return max(ways_through.values(), default=0.0)
        return sum(settling[name] + max((t for _, t in ways), default=0.0) for name, ways in before.items())
    reached: dict[str, float] = {}
    for name in system.steady_order:
        reached[name] = settling[name] + max((reached[source] + t for source, t in before[name]), default=0.0)
    return max(reached.values(), default=0.0)
