"""Oscillators, one file a model."""

from physnn.media.oscillators.cornn import CoRNN
from physnn.media.oscillators.duffing import Duffing
from physnn.media.oscillators.harmonic import Harmonic
from physnn.media.oscillators.kuramoto import Kuramoto, MeanFieldKuramoto
from physnn.media.oscillators.linoss import LinOSS
from physnn.media.oscillators.stuart_landau import StuartLandau

__all__ = ["CoRNN", "Duffing", "Harmonic", "Kuramoto", "LinOSS", "MeanFieldKuramoto", "StuartLandau"]
