"""Fields: media whose elements lie on a lattice and act on their neighbours."""

from physnn.media.fields.evanescent import EvanescentField
from physnn.media.fields.excitable import Cable, ExcitableField
from physnn.media.fields.neural_wave import NeuralWave
from physnn.media.fields.nonlinear import FORCES, NonlinearField
from physnn.media.fields.tlm import TLMField, loss_for, stub_for
from physnn.media.fields.wave import WaveField

__all__ = [
    "FORCES",
    "Cable",
    "EvanescentField",
    "ExcitableField",
    "NeuralWave",
    "NonlinearField",
    "TLMField",
    "WaveField",
    "loss_for",
    "stub_for",
]
