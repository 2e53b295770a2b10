"""What a learning rule says of itself, as `physnn rules` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """A learning rule in a few lines. A rule offers it as its class attribute `about`."""

    equation: str
    """the update, in the symbols of the rule's docstring"""
    companion: str
    """which second System it runs, or none"""
    needs: str
    """what it needs from a substrate and from the network"""
    local: str
    """what of it is local: known at the two ends of one weight"""
    not_local: str
    """what is not local; "nothing" where all is"""
    source: str
    """paper and equation, or patent"""
