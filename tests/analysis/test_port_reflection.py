"""|S11| at the sources against closed forms."""

import numpy as np
import pytest

from physnn.analysis import impedance
from physnn.analysis.port_reflection import reflection_spectrum, response
from physnn.errors import CapabilityError
from physnn.media import Link, Network, Readout, Source, Waveguide
from physnn.media.impedances import Capacitor, Line, Resistor, Step, Termination, TransformerBank


def driven(source, lines, ends):
    """Lines one after the other between a source and a load, joined at `ends`."""
    parts, links = [Source("in", source.size), source], [Link("in", source.name)]
    for line, (left, right) in zip(lines, ends, strict=True):
        parts.append(line)
        links += line.links(left, right)
    return parts, links


@pytest.mark.parametrize("resistance", [0.2, 1.0, 5.0])
def test_a_quarter_wave_transformer(resistance):
    """The source's own resistance drops out."""
    source, load = Termination("source", 1, Resistor(resistance)), Termination("load", 1, Resistor(4.0))
    lines = Line("feed", 1, 1.0, 0.5), Line("quarter", 1, 2.0, 0.25)
    parts, links = driven(source, lines, (("source", "step:1"), ("step:2", "load")))
    system = Network((*parts, Step("step", 1), load), links, Readout("load", "u")).lower()
    frequencies = np.linspace(0.0, 2.0, 41)
    found = reflection_spectrum(system, frequencies)
    chain = impedance.line(2.0, 2j * np.pi * frequencies * 0.25)
    wanted = np.abs(impedance.reflection(1.0, impedance.input_impedance(chain, 4.0)))
    np.testing.assert_allclose(found.mean, wanted, atol=1e-12)
    np.testing.assert_allclose(found.largest, found.mean)
    assert found.mean[20] == pytest.approx(0.0, abs=1e-12)  # matched where it is a quarter of a wave


def test_loss_on_the_way_counts_twice():
    source, load = Termination("source", 1, Resistor(1.0)), Termination("load", 1, Resistor(3.0))
    parts, links = driven(source, (Line("line", 1, 1.0, 1.0, transmission=0.7),), (("source", "load"),))
    found = reflection_spectrum(Network((*parts, load), links, Readout("load", "u")).lower(), [0.0, 0.3])
    np.testing.assert_allclose(found.mean, 0.7**2 * 0.5)


def test_a_lossless_network_sends_all_power_back():
    """Unlike lines through a bank of transformers into capacitors: S11 is unitary in power waves, at any frequency."""
    source, load = Termination("source", 3, Resistor(1.0)), Termination("load", 2, Capacitor(0.4))
    lines = Line("line0", 3, [0.5, 1.0, 4.0], 0.3), Line("line1", 2, [2.0, 0.7], 0.2)
    parts, links = driven(source, lines, (("source", "bank:1"), ("bank:2", "load")))
    bank = TransformerBank("bank", 3, 2, turns=[[1.0, -0.5, 0.3], [0.2, 0.8, -1.5]])
    found = reflection_spectrum(Network((*parts, bank, load), links, Readout("load", "u")).lower(), [0.1, 0.7, 3.0])
    np.testing.assert_allclose(found.mean, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.largest, 1.0, rtol=1e-9)


def test_the_response_of_a_directional_layer_is_a_low_pass():
    layers = [Source("in", 3), Waveguide("layer", 2, "identity", damping=2.0, time_constant=0.5)]
    network = Network.layered(layers)
    system = network.lower(3)
    frequencies = np.array([0.0, 1.0, 4.0])
    found = response(system, frequencies)
    weights = system.parameters["in->layer"]
    gain = 1 / np.abs(2.0 + 2j * np.pi * frequencies * 0.5)
    values = np.linalg.svd(weights, compute_uv=False)
    np.testing.assert_allclose(found.largest, gain * values[0])
    np.testing.assert_allclose(found.mean, gain * np.sqrt(np.sum(weights**2) / 3))


def test_without_lines_or_inputs_there_is_nothing_to_measure():
    network = Network.layered([Source("in", 3), Waveguide("layer", 2)])
    with pytest.raises(CapabilityError, match="no line ends at a source"):
        reflection_spectrum(network.lower(), [1.0])
