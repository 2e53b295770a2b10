"""What a run costs, by cause, and what it was computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from physnn.energy.interval import Interval
from physnn.errors import NumericsError, ProfileError, nearest
from physnn.substrate.profile_schema import Profile


@dataclass(frozen=True)
class Bill:
    """Energy and time of a set of counts on one profile."""

    total: Interval
    """[J]"""
    breakdown: dict[str, Interval]
    """Cause -> energy [J]; adds up to ``total``."""
    duration: Interval
    """Time for which the device is occupied by all of the counts [s]."""
    latency: Interval
    """Time from a sample (a batch, where samples are processed at once) to its result [s]."""
    not_counted: tuple[str, ...]
    """What the total leaves out."""
    unverified_constants: tuple[str, ...]
    """``section.key`` of the numbers used here that are not verified."""

    def per(self, n: float) -> Bill:
        """The share of one of ``n``: energies and duration divided, the latency as it was."""
        if not n > 0:
            raise NumericsError(f"a bill cannot be shared among {n}")
        share = {cause: energy * (1.0 / n) for cause, energy in self.breakdown.items()}
        return replace(self, total=self.total * (1.0 / n), breakdown=share, duration=self.duration * (1.0 / n))


class Constants:
    """A profile's numbers, remembering which ones a bill has used."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._used: dict[str, bool] = {}

    def has(self, path: str) -> bool:
        """Whether the profile gives ``section.key``."""
        return self.profile.quantity(path) is not None

    def interval(self, path: str) -> Interval:
        """The number at ``section.key`` with its range; ProfileError where the profile gives none."""
        quantity = self.profile.quantity(path)
        if quantity is None:
            raise ProfileError(
                f"profile {self.profile.name!r} ({self.profile.kind}) has no {path}, which this bill needs"
            )
        self._used[path] = quantity.verified
        return Interval.of(quantity)

    def energies(self, counts: dict[str, float], names: Iterable[str]) -> dict[str, Interval]:
        """Count x energy per count [J] of each of ``names`` that was counted and is not inside another number."""
        counted = [name for name in names if counts.get(name) and f"energy.{name}" not in self.profile.included]
        return {name: self._price_of(name) * counts[name] for name in counted}

    def bill(self, breakdown: dict[str, Interval], duration: Interval, latency: Interval) -> Bill:
        """The finished bill."""
        return Bill(
            total=reduce(add, breakdown.values(), Interval.exact(0.0)),
            breakdown=breakdown,
            duration=duration,
            latency=latency,
            not_counted=self.profile.not_counted,
            unverified_constants=tuple(path for path, verified in self._used.items() if not verified),
        )

    def _price_of(self, name: str) -> Interval:
        if not self.has(f"energy.{name}"):
            priced = [key for key, _ in self.profile.energy.quantities()]
            raise ProfileError(
                f"profile {self.profile.name!r} ({self.profile.kind}) has no price for the count {name!r}"
                f"{nearest(name, priced)}; add [energy.{name}] with its source to the profile"
            )
        return self.interval(f"energy.{name}")
