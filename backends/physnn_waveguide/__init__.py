"""physnn on simulated analog waveguides."""

from physnn_waveguide.backend import Backend, WaveguideSubstrate

__all__ = ["Backend", "WaveguideSubstrate"]
