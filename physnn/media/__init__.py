"""What a user describes: sources, encoders, media, oscillators, impedances, networks, readouts, heads, losses."""

from physnn.media.carrier import CarrierMedium, CarrierSource, on_carrier
from physnn.media.encoders import Carrier, Pulse, Rate
from physnn.media.energy import EnergyLayer, Reciprocal, energy_network
from physnn.media.envelope import EnvelopeMedium
from physnn.media.fields import Cable, EvanescentField, ExcitableField, NeuralWave, NonlinearField, TLMField, WaveField
from physnn.media.functionals import FUNCTIONALS, Demodulated, EffectiveFrequency
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network
from physnn.media.heads import ConvStack, Flatten, Head, LinearInTime, Perceptron, PerPixel
from physnn.media.impedances import (
    Balance,
    Capacitor,
    DirectionalCoupler,
    Dispersion,
    Inductor,
    Line,
    NonlinearShunt,
    Parallel,
    Rational,
    Repeater,
    Resistor,
    Series,
    SeriesJunction,
    ShuntJunction,
    Shunts,
    Step,
    Stub,
    Termination,
    TransformerBank,
    energy_balance,
    fit_touchstone,
    passive_network,
)
from physnn.media.losses import LOSSES, CrossEntropy, SquaredError
from physnn.media.lstm import ConvLSTM
from physnn.media.medium import Medium, Source
from physnn.media.mesh import Attenuators, Mesh
from physnn.media.network import Link, Network
from physnn.media.normalisation import calibrated, matched_weights, with_sections
from physnn.media.oscillators import (
    CoRNN,
    Duffing,
    Harmonic,
    Kuramoto,
    LinOSS,
    MeanFieldKuramoto,
    StuartLandau,
)
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_layer import CriticalLayer
from physnn.media.part import Part
from physnn.media.potential import Potential, duffing, harmonic, saturable
from physnn.media.readout import Readout
from physnn.media.ring import LotkaVolterra, Ring
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.media.waveguide import ACTIVATIONS, Waveguide

__all__ = [
    "ACTIVATIONS",
    "FUNCTIONALS",
    "LIF",
    "LOSSES",
    "AdaptiveLIF",
    "Attenuators",
    "Balance",
    "Cable",
    "Capacitor",
    "Carrier",
    "CarrierMedium",
    "CarrierSource",
    "CoRNN",
    "ConvLSTM",
    "ConvStack",
    "CriticalLayer",
    "CriticalModes",
    "CrossEntropy",
    "Demodulated",
    "DirectionalCoupler",
    "Dispersion",
    "Duffing",
    "EffectiveFrequency",
    "EnergyLayer",
    "EnvelopeMedium",
    "EvanescentField",
    "ExcitableField",
    "Flatten",
    "Hamiltonian",
    "Harmonic",
    "Head",
    "Inductor",
    "Kuramoto",
    "LinOSS",
    "Line",
    "LinearInTime",
    "Link",
    "LotkaVolterra",
    "MeanFieldKuramoto",
    "Medium",
    "Mesh",
    "Network",
    "NeuralWave",
    "NonlinearField",
    "NonlinearShunt",
    "Parallel",
    "Part",
    "PerPixel",
    "Perceptron",
    "Potential",
    "Pulse",
    "Rate",
    "Rational",
    "Readout",
    "Reciprocal",
    "Repeater",
    "Resistor",
    "Ring",
    "Series",
    "SeriesJunction",
    "ShuntJunction",
    "Shunts",
    "Source",
    "SquaredError",
    "Step",
    "StuartLandau",
    "Stub",
    "TLMField",
    "Termination",
    "TransformerBank",
    "TwoCompartmentLIF",
    "WaveField",
    "Waveguide",
    "calibrated",
    "duffing",
    "energy_balance",
    "energy_network",
    "fit_touchstone",
    "hamiltonian_network",
    "harmonic",
    "matched_weights",
    "on_carrier",
    "passive_network",
    "saturable",
    "with_sections",
]
