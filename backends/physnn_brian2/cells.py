"""One population as a NeuronGroup: a neuron for each element of each sample, with the population's own equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import brian2
import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.base import BrianObjectException
from brian2.units.fundamentalunits import DimensionMismatchError
from numpy.typing import NDArray

from physnn.equations import Population, System
from physnn.errors import CapabilityError, EquationError
from physnn_brian2.printer import hosted
from physnn_brian2.quiet import Silent, uncollected
from physnn_brian2.spelling import Content, spelling
from physnn_brian2.units import time_power

REFUSALS = (
    BrianObjectException,
    DimensionMismatchError,
    EquationError,
    brian2.equations.equations.EquationError,
    NotImplementedError,
    SyntaxError,
)
"""what Brian2 raises when it cannot take equations, and the printer when it has no words for them"""


class Group(Silent, brian2.NeuronGroup):
    """The neurons of a population."""


class Cells:
    """A population in Brian2.

    Parameters
    ----------
    population : Population
    batch : int
    scale : float
        Physical seconds per second of model time.
    clock : brian2.Clock
    label : str
        Name of the group in Brian2.
    with_units : bool
        Whether variables carry their units; without, everything is a plain number.
    """

    def __init__(
        self, population: Population, batch: int, scale: float, clock: Any, label: str, *, with_units: bool
    ) -> None:
        self.population = population
        self.spelling = spelling(population, scale, with_units=with_units)
        self.batch, self.scale, self.with_units = batch, scale, with_units
        self.shape = (batch, *self.population.shape)
        self.size = math.prod(self.shape)
        self.used = self.spelling.used
        self.group = self._group(clock, label)
        self._views = {own: self._view(self.spelling.halves(own)) for own in self.used}

    @property
    def equations(self) -> str:
        """The differential equations and variables as Brian2 reads them."""
        return self.spelling.text

    def put(self, values: Mapping[str, Any]) -> None:
        """Set variables, (batch, *shape) or what broadcasts to it, in the units of the model."""
        for own, value in values.items():
            for view, part in zip(self._views[own], self._parts(own, value), strict=True):
                view[:] = np.broadcast_to(part, self.shape).ravel() * self._factor(own)

    def get(self, own: str) -> NDArray[Any]:
        """A copy of a variable, (batch, *shape), in the units of the model."""
        views = [np.array(view).reshape(self.shape) / self._factor(own) for view in self._views[own]]
        return views[0] if len(views) == 1 else views[0] + 1j * views[1]

    def _group(self, clock: Any, label: str) -> Any:
        said = self.spelling
        names = list(said.thresholds)
        group = Group(
            self.size,
            said.equations,
            method=said.method,
            threshold=said.thresholds[names[0]] if names else None,
            reset=said.resets[names[0]] if names else None,
            events={name: said.thresholds[name] for name in names[1:]} or None,
            namespace=hosted(),
            clock=clock,
            name=label,
            codeobj_class=NumpyCodeObject,
        )
        for number, name in enumerate(names[1:], start=1):
            group.set_event_schedule(name, when="resets", order=2 * number)
            group.run_on_event(name, said.resets[name], when="resets", order=2 * number + 1)
        if said.before:
            group.run_regularly(said.before, when="groups", order=-1)
        for order, code in enumerate(said.after, start=1):
            group.run_regularly(code, when="groups", order=order)
        return group

    def _factor(self, own: str) -> float:
        if not self.with_units or self.scale == 1.0:
            return 1.0
        return self.scale ** time_power(self.population.variables[own].unit)

    def _parts(self, own: str, value: Any) -> list[Any]:
        if self.population.variables[own].complex:
            return [np.real(value), np.imag(value)]
        return [np.real(value)]

    def _view(self, names: list[str]) -> list[NDArray[np.float64]]:
        return [self.group.variables[name].get_value() for name in names]

    def put_noise(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Noises [s^-1/2, model time]."""
        factor = self.scale**-0.5 if self.with_units else 1.0
        for noise, value in values.items():
            (view,) = self._view([self.spelling.said[noise]])
            view[:] = np.broadcast_to(value, self.shape).ravel() * factor

    def put_rest(self, event: str, rest: Any) -> None:
        """What is left of a refractory time [s, model time]."""
        (view,) = self._view([self.spelling.rest(event)])
        view[:] = np.broadcast_to(rest, self.shape).ravel() * self.scale

    def events(self, event: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where it fired in this step, 0 or 1, and what is left of the refractory times [s, model time]."""
        names = [self.spelling.fired(event), self.spelling.rest(event)]
        fired, rest = (np.array(view).reshape(self.shape) for view in self._view(names))
        return fired, rest / self.scale


def cells(system: System, name: str, batch: int, scale: float, clock: Any, label: str) -> Cells:
    """A population in Brian2, with units where Brian2 finds its equations consistent; companions are plain numbers."""
    population = system.populations[name]
    with_units = not system.derived and _takes_units(population, scale)
    return Cells(population, batch, scale, clock, label, with_units=with_units)


def check_cells(population: Population) -> None:
    """Whether Brian2 takes a population's equations.

    Raises
    ------
    CapabilityError
    """
    _takes_units(population, 1.0)


def _takes_units(population: Population, scale: float) -> bool:
    """Whether a population's equations are consistent in their units.

    Raises
    ------
    CapabilityError
        Brian2 does not take them in plain numbers either.
    """
    content, objection = Content(population), ""
    for with_units in (False,) if any(v.complex for v in population.variables.values()) else (True, False):
        objection = _objection(content, scale, with_units)
        if not objection:
            return with_units
    raise CapabilityError(f"Brian2 cannot take its equations: {objection}")


@lru_cache(maxsize=1024)
def _objection(content: Content, scale: float, with_units: bool) -> str:
    """What Brian2 has against a population's equations, which it says only when a network runs; else nothing."""
    try:
        clock = brian2.Clock(dt=scale * brian2.second, name="physnn_trial_clock*")
        made = Cells(content.population, 1, scale, clock, "physnn_trial*", with_units=with_units)
        with uncollected():
            brian2.Network(made.group).run(0 * brian2.second, namespace={})
    except REFUSALS as error:
        return " ".join(str(error.__cause__ or error).split())
    return ""
