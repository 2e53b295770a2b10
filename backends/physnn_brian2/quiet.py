"""What Brian2 does around a run for users who forget objects; here they are made and kept by this package."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import brian2

_SEARCH = "codegen.loop_invariant_optimisations"


class Silent:
    """An object that may be let go of before it has run: Brian2 does not complain of it."""

    def __del__(self) -> None:
        pass


@contextmanager
def uncollected() -> Iterator[None]:
    """Start runs in Brian2 without two things that take longer than most runs.

    All garbage of the process is collected, to warn of objects that are in no network: those of this package are made
    for one. And expressions are searched for parts that are the same for all neurons: here each has values of its own.
    """
    frozen, sought = gc.get_freeze_count(), brian2.prefs[_SEARCH]
    gc.freeze()
    brian2.prefs[_SEARCH] = False
    try:
        yield
    finally:
        brian2.prefs[_SEARCH] = sought
        if not frozen:
            gc.unfreeze()
