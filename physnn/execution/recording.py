"""What a run in time leaves behind: the waves that are kept, and the proof that all numbers were finite."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from physnn.equations import System
from physnn.equations.surrogate import rest_name
from physnn.errors import NumericsError
from physnn.execution.arrays import Array, Arrays
from physnn.execution.site import Site


class Recording:
    """Waves of one run, entry by entry.

    A wave that never changes is kept once, one that was played in is not kept again, and waves that consist of the
    same arrays are laid out once.

    Parameters
    ----------
    arrays : Arrays
    system : System
    sites : mapping
        Population -> where it runs.
    played : mapping
        'population.variable' -> input that changes in time, (batch, entries, *shape); the last entry lasts.
    wanted : collection of str, optional
        Fields, couplings and output ports to keep; all where not given.
    """

    def __init__(
        self,
        arrays: Arrays,
        system: System,
        sites: Mapping[str, Site],
        played: Mapping[str, Array],
        wanted: Collection[str] | None,
    ) -> None:
        self.arrays, self.system, self.wanted = arrays, system, wanted
        self.entries = 0
        self.played = {name: wave for name, wave in played.items() if self._asked(name)}
        self.fields: dict[str, list[Array]] = {}
        self.sent: dict[str, list[Array]] = {name: [] for name in system.couplings if self._asked(name)}
        self.outputs: dict[str, list[Array]] = {}
        self._states: list[tuple[Site, str, list[Array]]] = []
        self._rests: list[tuple[str, list[Array]]] = []
        self._read: list[Site] = []
        for name, site in sites.items():
            self._plan(name, site)

    def take(self, sent: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Keep this entry."""
        self.entries += 1
        for site, variable, kept in self._states:
            kept.append(site.field(variable))
        for key, kept in self._rests:
            kept.append(state[key])
        for site in self._read:
            for name, value in site.values(site.compiled.outputs).items():
                if name in self.outputs:
                    self.outputs[name].append(value)
        for name, kept in self.sent.items():
            kept.append(sent[name])

    def waves(self, state: Mapping[str, Any], dt: float) -> tuple[dict[str, Array], ...]:
        """Fields, signals and outputs over time, (batch, times, *shape) each.

        Parameters
        ----------
        state : mapping
            Where the run ended.
        dt : float
            Step [s, model time], for the message.

        Raises
        ------
        NumericsError
            A number of a kept field, signal or output, or of the last state, is not finite.
        """
        laid = dict[tuple[int, ...], Array]()
        fields, outputs = (
            {name: self._laid_out(name, values, laid, dt) for name, values in kept.items()}
            for kept in (self.fields, self.outputs)
        )
        ends = {id(values[-1]) for values in (*self.fields.values(), *self.outputs.values())}
        for name, value in state.items():
            if isinstance(value, self.arrays.kinds) and id(value) not in ends:
                check_finite(self.arrays, name, value, dt)
        sent = {name: self._laid_out(name, values, laid, dt) for name, values in self.sent.items()}
        return fields | {name: self._lasting(wave) for name, wave in self.played.items()}, sent, outputs

    def _plan(self, name: str, site: Site) -> None:
        population, compiled = site.population, site.compiled
        for variable in (*compiled.recorded, *population.role("event")):
            key = f"{name}.{variable}"
            if self._asked(key) and key not in self.played:
                self._states.append((site, variable, self.fields.setdefault(key, [])))
        for event in population.events:
            key = f"{name}.{rest_name(event)}"
            if self._asked(key):
                self._rests.append((f"{name}.{event.name}:rest", self.fields.setdefault(key, [])))
        read = [port for port in compiled.read if self._asked(port)]
        self.outputs |= {port: [] for port in read}
        if read:
            self._read.append(site)

    def _asked(self, name: str) -> bool:
        return self.wanted is None or name in self.wanted

    def _laid_out(self, name: str, values: list[Array], laid: dict[tuple[int, ...], Array], dt: float) -> Array:
        """Entries as one array; those of a wave that never changes share their numbers."""
        key = tuple(map(id, values))
        if key not in laid:
            still = all(value is values[0] for value in values)
            wave = values[0][:, None] if still else self.arrays.stacked(values)
            check_finite(self.arrays, name, wave, dt)
            shape = wave.shape[0], self.entries, *wave.shape[2:]
            laid[key] = self.arrays.spread(wave, shape) if still else wave
        return laid[key]

    def _lasting(self, wave: Array) -> Array:
        """A wave that was played in, with one entry for each of the run's."""
        missing = self.entries - wave.shape[1]
        if missing <= 0:
            return wave[:, : self.entries]
        return self.arrays.xp.concat([wave, *[wave[:, -1:]] * missing], axis=1)


def check_finite(arrays: Arrays, name: str, value: Array, dt: float) -> None:
    """Whether all numbers are finite.

    Raises
    ------
    NumericsError
    """
    if not arrays.is_finite(value):
        raise NumericsError(f"{name} is not finite; the step {dt} s may be too long for this medium")
