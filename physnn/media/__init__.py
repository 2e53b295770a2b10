"""What a user describes: sources, encoders, media, networks, readouts, heads, losses."""

from physnn.media.encoders import Carrier, Pulse, Rate
from physnn.media.functionals import FUNCTIONALS, Demodulated, EffectiveFrequency
from physnn.media.heads import ConvStack, Flatten, Head, LinearInTime, Perceptron, PerPixel
from physnn.media.losses import LOSSES, CrossEntropy, SquaredError
from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.media.waveguide import ACTIVATIONS, Waveguide

__all__ = [
    "ACTIVATIONS",
    "FUNCTIONALS",
    "LOSSES",
    "Carrier",
    "ConvStack",
    "CrossEntropy",
    "Demodulated",
    "EffectiveFrequency",
    "Flatten",
    "Head",
    "LinearInTime",
    "Link",
    "Medium",
    "Network",
    "PerPixel",
    "Perceptron",
    "Pulse",
    "Rate",
    "Readout",
    "Source",
    "SquaredError",
    "Waveguide",
]
