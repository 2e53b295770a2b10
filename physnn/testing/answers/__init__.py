"""Known answers of the media: closed forms, limits and published figures, measured on the reference backend."""

from collections.abc import Callable, Iterator

from physnn.testing.answers import (
    carriers,
    critical,
    drums,
    evanescent,
    fields,
    impedances,
    nonlinear_fields,
    oscillators,
    readouts,
    rings,
    spiking,
    waveguides,
)
from physnn.testing.answers.answer import Answer, at_least, at_most, close
from physnn.testing.answers.covers import COVERS

Check = Callable[[], Iterator[Answer]]

ANSWERS: dict[str, Check] = {
    **waveguides.ANSWERS,
    **drums.ANSWERS,
    **fields.ANSWERS,
    **nonlinear_fields.ANSWERS,
    **evanescent.ANSWERS,
    **oscillators.ANSWERS,
    **critical.ANSWERS,
    **rings.ANSWERS,
    **spiking.ANSWERS,
    **carriers.ANSWERS,
    **impedances.ANSWERS,
    **readouts.ANSWERS,
}
"""Subject -> what yields its comparisons."""

__all__ = ["ANSWERS", "COVERS", "Answer", "Check", "at_least", "at_most", "close"]
