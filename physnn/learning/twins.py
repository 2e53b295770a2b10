"""Digital twins for the rules that ask for one."""

from __future__ import annotations

from dataclasses import replace

from physnn.learning.rule import Rule
from physnn.substrate.contract import Substrate
from physnn.substrate.profile_schema import NoiseSection
from physnn.substrate.registry import find_backend


def equipped(rule: Rule, substrate: Substrate) -> Rule:
    """The rule, with a digital twin of the substrate where it has a method `with_twin` to take one, and none yet."""
    take = getattr(rule, "with_twin", None)
    return rule if take is None or getattr(rule, "twin", None) is not None else take(twin_of(substrate))


def twin_of(substrate: Substrate) -> Substrate:
    """The same System with the same ranges and bits on a computer: without the die, and without any noise.

    Raises
    ------
    CapabilityError
        Backend 'torch', which computes twins, is not installed or refuses a part of the System.
    """
    placed = substrate.placed
    quiet = placed.profile.model_copy(update={"noise": NoiseSection()})
    return find_backend("torch").build(replace(placed.twin(), profile=quiet))
