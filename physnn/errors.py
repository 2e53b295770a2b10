"""Typed errors. Each says what was given, what is allowed and what to do, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhysnnError(Exception):
    """Root of every error that physnn raises on purpose; the command line prints it without a traceback."""


class EquationError(PhysnnError):
    """An equation cannot be read, names something unknown, or its shapes or dimensions do not fit."""


class ShapeError(PhysnnError):
    """An array does not have the shape that the description asks for."""


class ParameterError(PhysnnError):
    """A parameter has a value that the medium does not allow (negative impedance, damping that makes it unstable)."""


class ProfileError(PhysnnError):
    """A hardware profile is incomplete or inconsistent."""


class CapabilityError(PhysnnError):
    """A backend or profile cannot run what was asked; the message names the nearest alternative."""


class DeviceError(CapabilityError):
    """The device on which a simulator was to compute is not there."""


class NumericsError(PhysnnError):
    """A run produced a number that is not finite, or a solver did not converge."""


class DataError(PhysnnError):
    """A data set has the wrong width, labels out of range, or values that are not finite."""


class CheckpointError(PhysnnError):
    """A checkpoint is damaged, of another version, or of another network."""


class ExperimentError(PhysnnError):
    """An experiment file or an output folder cannot be used."""


class UnknownNameError(PhysnnError):
    """A name that is not known, with the nearest known one."""

    def __init__(self, kind: str, given: str, known: Iterable[str], hint: str = "") -> None:
        self.kind = kind
        self.given = given
        self.known = tuple(sorted(known))
        super().__init__(f"unknown {kind} {given!r}{nearest(given, self.known)}{'; ' + hint if hint else ''}")


def nearest(given: str, known: Iterable[str]) -> str:
    """'; did you mean 'x'?' for a near miss, else the list of what is known."""
    names = list(known)
    close = difflib.get_close_matches(str(given), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else "; none is installed"
