"""The readout: which signal of a network is read, and which functional of its trace is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from physnn.equations import Trace
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.functionals import FUNCTIONALS, Functional, Wave

Array = Any


@dataclass(frozen=True)
class Readout:
    """What is read from a network: y = functional of the observed signal's trace.

    Examples
    --------
    >>> import numpy as np
    >>> from physnn.equations import Trace
    >>> trace = Trace(0.1, {}, {}, {"y": np.array([[[1.0], [3.0], [2.0]]])})
    >>> [float(Readout("layer", kind=kind).read(np, trace)[0, 0]) for kind in ("last", "max", "mean")]
    [2.0, 3.0, 2.0]
    """

    population: str
    expression: str = "x"
    kind: str | Functional = "last"
    """"last", "mean", "max", "fft" (magnitudes) or "whole" (the signal at all times); or a functional with parameters:
    `Demodulated`, `EffectiveFrequency`, or anything else that has `read` and `pull_back`"""
    port: str = "y"
    skip: int = 0
    """entries at the beginning of the trace that are left out: 1 for the initial state, more for a time of settling"""

    def __post_init__(self) -> None:
        if isinstance(self.kind, str) and self.kind not in FUNCTIONALS:
            raise UnknownNameError("readout", self.kind, FUNCTIONALS)
        if isinstance(self.kind, type) or not (isinstance(self.kind, str) or hasattr(self.kind, "pull_back")):
            given = f"the class {self.kind.__name__}" if isinstance(self.kind, type) else repr(self.kind)
            call = f"call it, {self.kind.__name__}(...), or " if isinstance(self.kind, type) else ""
            raise ParameterError(
                f"readout of {self.population!r}: kind is {given}; {call}name one of {', '.join(FUNCTIONALS)}"
            )
        if not isinstance(self.skip, Integral) or isinstance(self.skip, bool) or self.skip < 0:
            raise ParameterError(
                f"readout of {self.population!r}: skip {self.skip!r} must be a whole number, 0 or more"
            )
        object.__setattr__(self, "skip", int(self.skip))

    @property
    def functional(self) -> Functional:
        """What turns the trace into a value."""
        return FUNCTIONALS[self.kind]() if isinstance(self.kind, str) else self.kind

    def read(self, xp: Any, trace: Trace) -> Array:
        """y, (batch, *shape), or (batch, features, *shape) of a functional that gives several numbers an element.

        Raises
        ------
        ShapeError
            Nothing is left of the trace.
        EquationError, ParameterError
            The functional needs a real signal, or a longer run.
        """
        return self.functional.read(xp, self._wave(trace))

    def pull_back(self, xp: Any, trace: Trace, cotangent: Array) -> dict[str, Array]:
        """dL/d signal at all recorded times from dL/dy: port -> (batch, times, *shape)."""
        slopes = self.functional.pull_back(xp, self._wave(trace), cotangent)
        if self.skip == 0:
            return {self.port: slopes}
        spread = xp.zeros_like(trace.outputs[self.port])
        spread[:, self.skip :, ...] = slopes
        return {self.port: spread}

    def _wave(self, trace: Trace) -> Wave:
        signal = trace.outputs[self.port]
        if self.skip >= signal.shape[1]:
            raise ShapeError(
                f"readout of {self.population!r}: the trace has {signal.shape[1]} entries, and {self.skip} are skipped"
            )
        rest = signal[:, self.skip :, ...] if self.skip else signal
        return Wave(rest, trace.start + self.skip * trace.step, trace.step)
