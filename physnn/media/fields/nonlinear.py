"""Wave fields with a force of their own: sine-Gordon, phi^4, and what users write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Population
from physnn.errors import ParameterError
from physnn.media.checks import finite
from physnn.media.fields.wave import UNITS, WaveField

FORCES = {
    "sine-gordon": "-w0**2*sin(psi)",
    "phi4": "w0**2*(psi - psi**3)",
}
"""Name of a force -> its text; w0 [1/s] is the frequency of small waves about psi = 0 (phi4: sqrt(2) w0 about 1)."""


@dataclass(frozen=True)
class NonlinearField(WaveField):
    """A wave field with a force at every node:  psi_tt = c^2 lap psi + F(psi) - 2 gamma psi_t + drive.

    Everything else is as in `WaveField`. In one dimension both named forces carry kinks that travel at any speed u
    below c without changing their shape; with g = 1/sqrt(1 - u^2/c^2),

    - sine-gordon, F = -w0^2 sin psi:       psi = 4 arctan exp(g (x - u t) w0/c),          energy 8 g w0 c;
    - phi4,        F = w0^2 (psi - psi^3):  psi = tanh(g (x - u t) w0/(sqrt(2) c)),  energy (2 sqrt(2)/3) g w0 c.

    Parameters
    ----------
    force : str
        A name of `FORCES`, or F [1/s^2] as text in psi and the constants.
    constants : mapping
        Name -> (value, unit) of what the force names; w0 = 1/s where none is given.

    Source
    ------
    "Neural Networks are Wave Propagation Systems" (2026), the general wave equation; kinks: Rajaraman, Solitons and
    Instantons (1982), chapter 2.
    """

    force: str = "sine-gordon"
    constants: Mapping[str, tuple[Any, str]] = field(default_factory=lambda: {"w0": (1.0, "1/s")})

    def __post_init__(self) -> None:
        where = f"field {self.name!r}"
        if not isinstance(self.constants, Mapping):
            raise ParameterError(f"{where}: constants {self.constants!r} are no mapping; give name -> (value, unit)")
        for name, given in self.constants.items():
            if not (isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[1], str)):
                raise ParameterError(
                    f"{where}: constant {name!r} is {given!r}; give (value, unit), such as ({_value(given)}, '1/s**2')"
                )
            finite(given[0], f"constant {name!r}", where)
        taken = sorted(self.constants.keys() & {"psi", "v", "wave", "force", "lap", "drive", "edge", "open", *UNITS})
        if taken:
            raise ParameterError(f"{where}: {taken[0]!r} is a quantity of the field; rename the constant")
        super().__post_init__()

    @property
    def _given(self) -> dict[str, Any]:
        return super()._given | {name: value for name, (value, _) in self.constants.items()}

    def lower(self) -> Population:
        """The field's equations."""
        return self._lowered(FORCES.get(self.force, self.force), self.constants)


def _value(given: object) -> object:
    """What was given in place of (value, unit), as the value of an example."""
    return given if isinstance(given, int | float) else 1.0
