"""Known answers of the media: closed forms, limits and published figures, measured on the reference backend."""

from collections.abc import Callable, Iterator

from physnn.testing.answers import (
    carriers,
    concurrent,
    critical,
    drums,
    echo,
    eprop,
    equilibrium,
    evanescent,
    fields,
    gradients,
    impedances,
    lines,
    local_rules,
    meshes,
    native,
    nonlinear_fields,
    one_shot,
    oscillators,
    passive,
    readouts,
    rings,
    signal_propagation,
    spiking,
    tlm,
    waveguides,
)
from physnn.testing.answers.answer import Answer, at_least, at_most, close
from physnn.testing.answers.covers import COVERS

Check = Callable[[], Iterator[Answer]]

ANSWERS: dict[str, Check] = {
    **waveguides.ANSWERS,
    **drums.ANSWERS,
    **fields.ANSWERS,
    **tlm.ANSWERS,
    **nonlinear_fields.ANSWERS,
    **evanescent.ANSWERS,
    **oscillators.ANSWERS,
    **critical.ANSWERS,
    **rings.ANSWERS,
    **spiking.ANSWERS,
    **carriers.ANSWERS,
    **impedances.ANSWERS,
    **lines.ANSWERS,
    **passive.ANSWERS,
    **meshes.ANSWERS,
    **readouts.ANSWERS,
    **gradients.ANSWERS,
    **equilibrium.ANSWERS,
    **echo.ANSWERS,
    **native.ANSWERS,
    **local_rules.ANSWERS,
    **eprop.ANSWERS,
    **concurrent.ANSWERS,
    **signal_propagation.ANSWERS,
    **one_shot.ANSWERS,
}
"""Subject -> what yields its comparisons."""

__all__ = ["ANSWERS", "COVERS", "Answer", "Check", "at_least", "at_most", "close"]
