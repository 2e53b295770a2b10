"""Directional couplers and repeaters."""

import numpy as np
import pytest

from physnn.equations import Interpreter, OneToOne
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import DirectionalCoupler, Line, Repeater, Resistor, Termination


def ported(part, impedances):
    """The part with a matched source at the end of a line of one step at every port."""
    parts, links = [part], []
    for side, impedance in enumerate(impedances, start=1):
        line = Line(f"line{side}", part.size, impedance, 1.0)
        parts += [Source(f"in{side}", part.size), Termination(f"end{side}", part.size, Resistor(impedance)), line]
        ones = np.ones(part.size)
        links += [Link(f"in{side}", f"end{side}", operator=OneToOne((part.size,)), weights=ones)]
        links += line.links(f"end{side}", f"part:{side}")
    return Network(parts, links, Readout("end1", "u"))


def scattering(part, impedances, size=2.0):
    """What leaves all ports for a pulse of size/2 at one after the other, (lines, ports, ports)."""
    count = len(impedances)
    drive = {f"in{k}": np.zeros((count, 3, part.size)) for k in range(1, count + 1)}
    for k in range(count):
        drive[f"in{k + 1}"][k, 0] = size
    fields = Interpreter(ported(part, impedances).lower()).run(drive, 3, 1.0).fields
    return np.stack([fields[f"end{k}.b"][:, 2] for k in range(1, count + 1)]).transpose(2, 0, 1)


def test_couplers_rotate_power_waves():
    share, impedances = [0.0, 0.3, 1.0], np.array([1.0, 3.0, 0.4, 2.0])
    found = scattering(DirectionalCoupler("part", 3, share), impedances)
    power = found * np.sqrt(impedances[None, :] / impedances[:, None])
    for k, p in enumerate(share):
        c, s = np.sqrt(1 - p), np.sqrt(p)
        across = np.array([[c, -s], [s, c]])
        np.testing.assert_allclose(power[k, 2:, :2], across, atol=1e-15)
        np.testing.assert_allclose(power[k, :2, 2:], across.T, atol=1e-15)
        np.testing.assert_allclose(power[k, :2, :2], 0.0)
        np.testing.assert_allclose(power[k, 2:, 2:], 0.0)


def test_two_half_couplers_swap_the_lines():
    """A Mach-Zehnder of two 50:50 couplers: all power goes across."""
    first, second = DirectionalCoupler("first", 1), DirectionalCoupler("second", 1)
    ends = [Termination(f"end{k}", 1, Resistor(1.0)) for k in range(1, 5)]
    lines = [Line(f"line{k}", 1, 1.0, 1.0) for k in range(6)]
    ways = [
        ("end1", "first:1"),
        ("end2", "first:2"),
        ("first:3", "second:1"),
        ("first:4", "second:2"),
        ("second:3", "end3"),
        ("second:4", "end4"),
    ]
    enter = Link("in", "end1", operator=OneToOne((1,)), weights=np.ones(1))
    links = [enter, *(link for line, way in zip(lines, ways, strict=True) for link in line.links(*way))]
    network = Network((Source("in", 1), *ends, *lines, first, second), links, Readout("end4", "u"))
    fields = Interpreter(network.lower()).run({"in": np.full((1, 1), 2.0)}, 8, 1.0).fields
    settled = [fields[f"end{k}.b"][0, -1, 0] for k in range(1, 5)]
    np.testing.assert_allclose(settled, [0.0, 0.0, 0.0, 1.0], atol=1e-15)


def test_repeaters_amplify_without_reflection():
    found = scattering(Repeater("part", 2, gain=[2.0, -0.5], back=0.25), [1.0, 4.0])
    np.testing.assert_allclose(found, [[[0, 0.25], [2.0, 0]], [[0, 0.25], [-0.5, 0]]])


def test_a_limited_repeater_saturates():
    found = scattering(Repeater("part", 1, gain=3.0, limit=0.7), [1.0, 1.0], size=200.0)
    assert found[0, 1, 0] == pytest.approx(0.7, rel=1e-12)


def test_a_loop_through_repeaters_grows_by_its_gain():
    """Gain 1.5 forwards, 1 backwards, reflections of 0.8 and -0.9: a round trip takes the factor 1.5 * -0.72."""
    lines = Line("near", 1, 1.0, 1.0), Line("far", 1, 1.0, 1.0)
    ends = Termination("left", 1, Resistor(9.0)), Termination("right", 1, Resistor(1 / 19))
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    links = (enter, *lines[0].links("left", "part:1"), *lines[1].links("part:2", "right"))
    parts = (Source("in", 1), *ends, *lines, Repeater("part", 1, gain=1.5, back=1.0))
    drive = np.zeros((1, 40, 1))
    drive[:, 0] = 1.0
    found = Interpreter(Network(parts, links, Readout("right", "b")).lower()).run({"in": drive}, 40, 1.0).outputs["y"]
    rounds = found[0, 2::4, 0]
    np.testing.assert_allclose(rounds[1:] / rounds[:-1], 1.5 * 0.8 * -0.9, rtol=1e-12)


def test_what_is_no_coupler_is_refused():
    with pytest.raises(ParameterError, match=r"coupler 'part'.*between 0 and 1"):
        DirectionalCoupler("part", 1, 1.2)
    with pytest.raises(ShapeError, match="coupler 'part'"):
        DirectionalCoupler("part", 0)
    with pytest.raises(ParameterError, match=r"repeater 'part'.*limit"):
        Repeater("part", 1, limit=-1.0)
    with pytest.raises(EquationError, match="no line ends at its side 4"):
        ported(DirectionalCoupler("part", 1), [1.0, 1.0, 1.0]).lower()
