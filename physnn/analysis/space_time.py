"""Waves against place and time: the two waves on lines, layer after layer, and a field's waves to either side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn.equations import Coupling, System, Trace
from physnn.errors import ShapeError

Array = NDArray[np.float64]
ENDS = "from_left", "from_right"
"""Arrivals of a population of lines: what went in at the other end, a delay ago."""
PLACES = 240
"""Columns of a whole diagram."""
_GAP = 0.04
"""between lines that do not meet, of the whole length"""


@dataclass(frozen=True)
class Strip:
    """One stretch of a space-time diagram: a line, a layer, or a row of a field. Rows are times."""

    name: str
    start: float
    """where it begins, and where it ends [the diagram's unit of length]"""
    end: float
    forward: Array
    """the incident wave, (times, places)"""
    backward: Array
    """the reflected wave, (times, places)"""
    joint: str = ""
    """what its beginning is joined to"""


@dataclass(frozen=True)
class _Reach:
    """A line between two parts, in the direction in which a wave from the sources first meets it."""

    name: str
    entering: Coupling
    """what is sent in at the near end"""
    returning: Coupling
    """what is sent in at the far end"""


def line_names(system: System) -> tuple[str, ...]:
    """Populations that are lines: waves arrive at both ends."""
    return tuple(
        name
        for name, population in system.populations.items()
        if set(ENDS) <= set(population.role("arrival")) and all(len(system.arriving(name, end)) == 1 for end in ENDS)
    )


def line_strips(system: System, parameters: Mapping[str, Any], trace: Trace, sample: int = 0) -> tuple[Strip, ...]:
    """The two waves along every line, in the order in which a wave from the sources meets them.

        a(x, t) = k^(x/tau) a(0, t - x),   0 <= x <= tau    (x: time of travel [s]), and likewise from the other end

    Of a bundle, the line that carries the most is shown. Complex waves are shown by their real parts.

    Parameters
    ----------
    system : System
    parameters : mapping
        Parameter key -> array.
    trace : Trace
        With the signals that entered the lines' couplings; real times, not a stationary state.
    sample : int
        Which sample.

    Raises
    ------
    ShapeError
        The trace is a stationary state.
    """
    if trace.steady:
        raise ShapeError("a stationary state has one time; a space-time diagram needs a run")
    places_of = _meeting(system)
    reaches = list(_in_order(system, places_of))
    whole = sum(reach.entering.delay for reach in reaches)
    strips: list[Strip] = []
    here, before = 0.0, ""
    for reach in reaches:
        if strips and before != places_of[reach.entering.source]:
            here += _GAP * whole
        places = max(2, round(PLACES * reach.entering.delay / whole))
        pair = (np.real(np.asarray(trace.sent[c.name][sample])) for c in (reach.entering, reach.returning))
        ahead, back = (np.reshape(wave, (len(wave), -1)) for wave in pair)
        shown = int(np.argmax(np.sum(ahead**2, axis=0) + np.sum(back**2, axis=0)))
        lost = np.ravel(np.real(np.asarray(parameters.get(f"{reach.name}.alpha", 0.0))))
        kept = float(np.exp(-(lost[shown] if lost.size > 1 else lost[0])))
        strips.append(
            Strip(
                reach.name,
                here,
                here + reach.entering.delay,
                _along(ahead[:, shown], reach.entering.delay / trace.step, kept, places),
                _along(back[:, shown], reach.returning.delay / trace.step, kept, places)[:, ::-1],
                reach.entering.source,
            )
        )
        here, before = here + reach.entering.delay, places_of[reach.returning.source]
    return tuple(strips)


def _along(entering: Array, delay: float, kept: float, places: int) -> Array:
    """A wave at places between the end where it enters and the other, (times, places); before the run there is none."""
    share = np.linspace(0.0, 1.0, places)
    late = np.arange(len(entering))[:, None] - share * delay
    before = np.floor(late).astype(int)
    rest = late - before
    padded = np.concatenate([np.zeros(2), entering])
    there = [padded[np.clip(before + 2 + after, 0, len(padded) - 1)] for after in (0, 1)]
    return kept**share * ((1 - rest) * there[0] + rest * there[1])


def _meeting(system: System) -> dict[str, str]:
    """Population -> one that stands for all at the same place: those that couplings join, lines apart."""
    lines = line_names(system)
    places = {name: name for name in system.populations if name not in lines}
    for coupling in system.couplings.values():
        if coupling.source in places and coupling.target in places:
            old, new = places[coupling.source], places[coupling.target]
            places = {name: new if place == old else place for name, place in places.items()}
    return places


def _in_order(system: System, places: Mapping[str, str]) -> Iterator[_Reach]:
    """Every line once, from what is driven outwards."""
    names = line_names(system)
    ends: dict[str, list[tuple[str, _Reach]]] = {}
    for name in names:
        left, right = (system.arriving(name, end)[0] for end in ENDS)
        near, far = places[left.source], places[right.source]
        ends.setdefault(near, []).append((far, _Reach(name, left, right)))
        ends.setdefault(far, []).append((near, _Reach(name, right, left)))
    driven = {places[port.population] for port in system.inputs.values() if port.population in places} & ends.keys()
    seen: set[str] = set()
    for first in [*sorted(driven), *ends]:
        waiting = deque([first])
        while waiting:
            for beyond, reach in ends[waiting.popleft()]:
                if reach.name not in seen:
                    seen.add(reach.name)
                    waiting.append(beyond)
                    yield reach


def layer_names(system: System) -> tuple[str, ...]:
    """Populations with states, from the inputs outwards; sources and lines are none."""
    names = [port.population for port in system.inputs.values()]
    for name in names:
        names += [c.target for c in system.leaving(name) if c.target not in names]
    names += [name for name in system.populations if name not in names]
    return tuple(name for name in dict.fromkeys(names) if system.populations[name].dynamic)


def layer_strips(system: System, trace: Trace, returned: Mapping[str, ArrayLike], sample: int = 0) -> tuple[Strip, ...]:
    """The first state of every layer, its elements side by side, and what returned to them.

    A layer begins at its number, from 0. Of layers with more elements than there is room, evenly spaced ones are shown.

    Parameters
    ----------
    returned : mapping
        Layer -> the reflected wave at it, (times, elements), in the incident wave's times.
    """
    names = layer_names(system)
    room = max(2, PLACES // max(1, len(names)))
    strips = []
    for number, name in enumerate(names):
        wave = np.real(np.asarray(trace.fields[f"{name}.{system.populations[name].dynamic[0]}"][sample]))
        flat = wave.reshape(len(wave), -1)
        chosen = np.unique(np.linspace(0, flat.shape[1] - 1, min(room, flat.shape[1])).round().astype(int))
        back = np.real(np.asarray(returned.get(name, np.zeros_like(flat)))).reshape(len(wave), -1)
        strips.append(Strip(name, number, number + 0.9, flat[:, chosen], back[:, chosen], name))
    return tuple(strips)


def field_strip(name: str, field: ArrayLike) -> Strip:
    """The middle row of a field's first channel, its waves to the right and to the left apart.

    Parameters
    ----------
    field : array
        (times, *channels, height, width)
    """
    values = np.real(np.asarray(field))
    sheet = values.reshape(len(values), -1, *values.shape[-2:])[:, 0]
    row = sheet[:, sheet.shape[1] // 2, :]
    right, left = directions(row)
    return Strip(name, -0.5, row.shape[1] - 0.5, right, left)


def directions(waves: Sequence[Sequence[float]] | Array) -> tuple[Array, Array]:
    """What moves to the right and what moves to the left in a real field (times, places); the two add up to it.

    By the signs of frequency and wavenumber: cos(k x - w t) moves to the right for k/w > 0. What has no direction
    (w = 0 or k = 0) is halved between the two. Rows and columns of zeros keep what leaves at an edge from coming in
    again at the opposite one; where a wave meets the edge of the window, a little of it shows in the other direction.

    Returns
    -------
    right, left : array
        (times, places)
    """
    values = np.asarray(waves, dtype=float)
    if values.ndim != 2:
        raise ShapeError(f"a field of shape {values.shape}; (times, places) is needed")
    times, places = 2 * values.shape[0], 2 * values.shape[1]
    bins = np.fft.fft2(values, (times, places))
    frequency, wavenumber = (np.fft.fftfreq(count) for count in (times, places))
    frequency[times // 2] = wavenumber[places // 2] = 0.0  # the highest bin has both signs
    side = -np.sign(frequency)[:, None] * np.sign(wavenumber)
    right = np.real(np.fft.ifft2(bins * (1 + side) / 2))[: values.shape[0], : values.shape[1]]
    return right, values - right
