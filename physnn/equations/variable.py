"""What a population is described by: its variables and its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

ROLES = ("state", "unknown", "arrival", "input", "parameter", "event")


@dataclass(frozen=True)
class Variable:
    """A named quantity of a population."""

    name: str
    role: str
    """state, unknown (of a constraint), arrival, input, parameter, or event (a train of unit pulses)"""
    unit: str = "1"
    complex: bool = False
    trainable: bool = False
    least: float | None = None
    """what a parameter may not fall below, in its unit; training keeps it there"""
    constant: bool = field(default=False, repr=False)
    """a parameter that is a number of the description and no property of a device: no die changes it"""

    @cached_property
    def symbol(self) -> sp.Symbol:
        return sp.Symbol(self.name) if self.complex else sp.Symbol(self.name, real=True)


@dataclass(frozen=True)
class Event:
    """When `guard` holds after a step: the resets act, a pulse is emitted, and the element rests.

    The pulse is a variable of role `event` with the event's name: the train sum_k delta(t - t_k) [1/s], that is 1/dt
    during the step that follows the event.
    """

    name: str
    guard: str
    resets: Mapping[str, str] = field(default_factory=dict)
    refractory: str = "0"
    """expression in parameters [s]: how long no new event comes and `unless refractory` flows are held"""
    surrogate: str = ""
    """for reflected waves: the slope that the step from silent to firing is said to have, in `margin`, by how much the
    guard's comparison holds (v - theta of `v > theta`), and the population's names; such as 1/(1 + (pi*margin)**2)"""
