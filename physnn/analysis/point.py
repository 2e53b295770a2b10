"""The point about which a System is linearised: values of all its variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Interpreter, System, Trace
from physnn.equations.parse import STEP, TIME
from physnn.equations.run import Run
from physnn.equations.schedule import Joint, Task
from physnn.equations.surrogate import rest_name
from physnn.errors import ShapeError, UnknownNameError

Point = Mapping[str, Any]
"""'POPULATION.VARIABLE' -> value, and 't' [s]"""
Environment = Mapping[str, Mapping[str, Any]]
"""population -> name -> value: parameters, variables, t and dt"""


def point(trace: Trace, sample: int = 0, entry: int = -1) -> dict[str, Any]:
    """What one sample of a trace was like at one time, to linearise about.

    Parameters
    ----------
    trace : Trace
        Running or steady.
    sample, entry : int
        Which sample, and which entry in time; the last one where not given.

    Returns
    -------
    dict
        'POPULATION.VARIABLE' -> array (*shape), and 't' [s].
    """
    fields = {name: np.asarray(value[sample, entry]) for name, value in trace.fields.items()}
    length = next((value.shape[1] for value in trace.fields.values()), 1)
    return {**fields, TIME: trace.start + trace.step * (entry % length)}


def rest(system: System, parameters: Mapping[str, Any] | None = None, inputs: Point | None = None) -> dict[str, Any]:
    """The stationary state for constant inputs, to linearise about.

    Parameters
    ----------
    inputs : mapping
        Input port -> array (*shape); 0 where not given.

    Raises
    ------
    NumericsError, CapabilityError
        There is no stationary state, or it is not found.
    """
    given = {name: np.asarray(value)[None] for name, value in (inputs or {}).items()}
    return point(Interpreter(system, parameters).steady(given))


def environment(
    system: System, parameters: Mapping[str, NDArray], about: Point | None, step: float | None
) -> Environment:
    """Values of all variables: those given, states as they start and inputs zero where not, and what then arrives.

    Raises
    ------
    UnknownNameError, ShapeError
        `about` names something that is not there, or has the wrong shape.
    """
    given = dict(about or {})
    # The second step where no time is given: the first one of some integrators differs from all others.
    time = float(given.pop(TIME, step or 0.0))
    run = Run(system, parameters, 0, {}, step or 1.0, None, silent=True)
    for here in run.environment.values():
        here |= {TIME: time, STEP: step or 1.0}
    rests = {f"{p.name}.{rest_name(event)}" for p in system.populations.values() for event in p.events}
    for key, value in given.items():
        if key in rests:
            continue
        population, variable = _addressed(system, key)
        shape = system.populations[population].shape
        try:
            run.environment[population][variable] = np.broadcast_to(np.asarray(value), shape)[None]
        except ValueError:
            raise ShapeError(f"about: {key!r} has shape {np.shape(value)}, its population {shape}") from None
    for name, arrival in _tasks(system, given, run):
        population_here = system.populations[name]
        if arrival and f"{name}.{arrival}" not in given:
            run.receive(population_here, arrival)
        elif not arrival and not all(f"{name}.{unknown}" in given for unknown in population_here.constraints):
            run.solve(population_here, population_here.constraints)
    return {
        name: {key: _single(system, name, key, value) for key, value in here.items()}
        for name, here in run.environment.items()
    }


def _tasks(system: System, given: Collection[str], run: Run) -> Iterator[Task]:
    """What must be received or solved, in order; constraints that need each other are solved on the way."""
    for task in system.schedule:
        if not isinstance(task, Joint):
            yield task
        elif all(f"{p}.{own}" in given for p in task.populations for own in system.populations[p].constraints):
            yield from task.arrivals
        else:
            run.solve_joint(task)


def _addressed(system: System, key: str) -> tuple[str, str]:
    population, _, variable = key.partition(".")
    if population not in system.populations or variable not in system.populations[population].symbols:
        known = [f"{p.name}.{name}" for p in system.populations.values() for name in p.variables]
        raise UnknownNameError("variable in `about`", key, [*known, TIME])
    return population, variable


def _single(system: System, name: str, key: str, value: Any) -> Any:
    """Without the batch of one; parameters that no input port sets have none."""
    return value[0] if np.ndim(value) == len(system.populations[name].shape) + 1 else value
