"""What a user describes: sources, media, networks, readouts, losses."""

from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.readout import LOSSES, CrossEntropy, Readout, SquaredError
from physnn.media.waveguide import ACTIVATIONS, Waveguide

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "CrossEntropy",
    "Link",
    "Medium",
    "Network",
    "Readout",
    "Source",
    "SquaredError",
    "Waveguide",
]
