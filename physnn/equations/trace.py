"""What a run leaves behind: every recorded wave, as arrays with the batch as leading axis and time as the second."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Array = Any


@dataclass(frozen=True)
class Trace:
    """Recorded waves of one run; a steady state is a trace with one time.

    Entry n of every array is what step n saw: states before the step, and what arrived, was solved and was sent in it.
    The last entry is the end: states after the last step and what follows from them without another step.
    """

    step: float
    """time between entries [s, model time]; 0 for a steady state"""
    fields: Mapping[str, Array]
    """'population.variable' -> (batch, times, *shape): states, unknowns, arrivals, inputs, noises, and
    parameters that an input port sets per sample"""
    sent: Mapping[str, Array]
    """coupling -> the signal that entered it, (batch, times, *shape of the source)"""
    outputs: Mapping[str, Array]
    """output port -> (batch, times, *shape)"""
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """where the run ended, to be handed to the next `run`"""
    start: float = 0.0
    """time of the first entry [s, model time]: not 0 in a run that continues another"""

    @property
    def steady(self) -> bool:
        """Whether this is a steady state."""
        return self.step == 0

    def only(self, record: Collection[str] | None) -> Trace:
        """The trace with the fields, couplings and output ports of these names alone; itself where None."""
        if record is None:
            return self
        kept = [{n: v for n, v in found.items() if n in record} for found in (self.fields, self.sent, self.outputs)]
        return replace(self, fields=kept[0], sent=kept[1], outputs=kept[2])
