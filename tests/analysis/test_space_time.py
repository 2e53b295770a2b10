"""Space-time diagrams against the travelling waves that they show, written out."""

import numpy as np
import pytest

from physnn.analysis.space_time import directions, field_strip, layer_names, layer_strips, line_names, line_strips
from physnn.equations import Interpreter
from physnn.errors import ShapeError
from physnn.media import Link, Network, Readout, Source, Waveguide
from physnn.media.impedances import Line, Resistor, Step, Termination, passive_network

STEP = 0.1


def joined(load=4.0, kept=0.8):
    """A matched source, two unlike lines of 10 and 20 steps, a load: reflections at the step and at the load."""
    first = Line("first", 1, 1.0, 10 * STEP, transmission=kept)
    second = Line("second", 1, 3.0, 20 * STEP)
    ends = Termination("source", 1, Resistor(1.0)), Termination("load", 1, Resistor(load))
    drive = Link("in", "source", weights=[[2.0]])
    links = (drive, *second.links("step:2", "load"), *first.links("source", "step:1"))
    parts = (Source("in", 1), second, ends[1], first, ends[0], Step("step", 1))
    return Network(parts, links, Readout("load", "u"))


def struck(network, steps=90):
    """A run with a pulse of one step at step 5."""
    system = network.lower()
    pulse = np.zeros((1, steps, 1))
    pulse[:, 5] = 1.0
    trace = Interpreter(system).run({"in": pulse}, steps, STEP)
    return system, line_strips(system, system.parameters, trace)


def when(wave, place):
    """Steps at which a pulse passes a place, and its height there."""
    column = wave[:, round(place * (wave.shape[1] - 1))]
    steps = np.flatnonzero(np.abs(column) > 1e-9)
    return steps.tolist(), column[steps]


def test_lines_are_in_the_order_in_which_a_wave_meets_them():
    _, strips = struck(joined())
    assert [(s.name, s.joint) for s in strips] == [("first", "source"), ("second", "step")]
    assert [(s.start, s.end) for s in strips] == [(0.0, pytest.approx(1.0)), (pytest.approx(1.0), pytest.approx(3.0))]


def test_a_pulse_is_where_the_bounce_diagram_has_it():
    """It leaves at step 5 with 2/(1 + 1), decays as 0.8^x on the first line, and meets R = 1/2 and R = 1/7."""
    _, (first, second) = struck(joined(), steps=60)
    assert when(first.forward, 0)[0] == [5] and when(first.forward, 1)[0] == [15]
    np.testing.assert_allclose(when(first.forward, 0)[1], 1.0)
    np.testing.assert_allclose(when(first.forward, 1)[1], 0.8)
    # Back from the step: half of 0.8 at its end, and 0.8 of that at the source, ten steps later.
    assert when(first.backward, 1)[0][0] == 15 and when(first.backward, 0)[0][0] == 25
    np.testing.assert_allclose([when(first.backward, p)[1][0] for p in (1, 0)], [0.4, 0.32])
    assert when(second.forward, 0)[0][0] == 15 and when(second.forward, 1)[0][0] == 35
    np.testing.assert_allclose([when(second.forward, p)[1][0] for p in (0, 1)], [1.2, 1.2])
    np.testing.assert_allclose([when(second.backward, p)[1][0] for p in (1, 0)], [1.2 / 7, 1.2 / 7])
    assert when(second.backward, 1)[0][0] == 35 and when(second.backward, 0)[0][0] == 55


def test_half_way_a_pulse_is_there_half_way_in_time():
    line = Line("line", 1, 1.0, 10 * STEP, transmission=0.25)
    ends = Termination("source", 1, Resistor(1.0)), Termination("load", 1, Resistor(1.0))
    parts, links = (
        (Source("in", 1), *ends, line),
        (Link("in", "source", weights=[[2.0]]), *line.links("source", "load")),
    )
    _, (strip,) = struck(Network(parts, links, Readout("load", "u")))
    places = np.linspace(0, 1, strip.forward.shape[1])
    middle = int(np.argmin(np.abs(places - 0.5)))
    column = strip.forward[:, middle]
    # The pulse lasts a step, so that between two steps it is shared by both; it has decayed by k^x.
    assert np.sum(column) == pytest.approx(0.25 ** places[middle])
    assert np.sum(column * np.arange(len(column))) / np.sum(column) == pytest.approx(5 + 10 * places[middle])
    assert not np.any(strip.backward)


def test_of_a_bundle_the_strongest_line_is_shown():
    line = Line("line", 3, 1.0, 10 * STEP)
    ends = Termination("source", 3, Resistor(1.0)), Termination("load", 3, Resistor(1.0))
    drive = Link("in", "source", weights=[[0.2], [-6.0], [1.0]])
    parts, links = (Source("in", 1), *ends, line), (drive, *line.links("source", "load"))
    _, (strip,) = struck(Network(parts, links, Readout("load", "u")))
    assert np.min(strip.forward) == pytest.approx(-3.0)


def test_the_lines_of_a_passive_network_follow_each_other_through_banks_and_shunts():
    system = passive_network((3, 2, 2)).lower(0)
    trace = Interpreter(system).run({"in": np.ones((1, 3))}, 6, 1.0)
    strips = line_strips(system, system.parameters, trace)
    assert [s.name for s in strips] == ["line0", "line1a", "line1b", "line2"]
    assert [(s.start, s.end) for s in strips] == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_a_stationary_state_is_no_diagram():
    system = joined().lower()
    trace = Interpreter(system).steady({"in": np.ones((1, 1))})
    with pytest.raises(ShapeError, match="one time"):
        line_strips(system, system.parameters, trace)


def test_layers_stand_in_the_order_of_the_waves():
    parts = [Source("in", 3), Waveguide("a", 4), Waveguide("b", 2)]
    system = Network.layered(parts).lower()
    assert layer_names(system) == ("a", "b") and line_names(system) == ()
    trace = Interpreter(system).run({"in": np.ones((2, 3))}, 5, 0.1)
    returned = {"b": np.arange(12.0).reshape(6, 2)}
    first, second = layer_strips(system, trace, returned, sample=1)
    np.testing.assert_array_equal(first.forward, trace.fields["a.x"][1])
    assert not np.any(first.backward)
    np.testing.assert_array_equal(second.backward, returned["b"])


def moving(speed, times=60, places=50):
    """A pulse that starts in the middle and stays in the window."""
    t, x = np.meshgrid(np.arange(times), np.arange(places), indexing="ij")
    along = (x - places / 2 - speed * (t - times / 2)) / 3
    return np.exp(-(along**2)) * np.exp(-(((t - times / 2) / 10) ** 2)) * np.cos(4 * along)


def test_directions_are_told_apart_and_add_up():
    right, left = moving(0.5), moving(-0.5)
    found = directions(right + 2 * left)
    np.testing.assert_allclose(sum(found), right + 2 * left, atol=1e-12)
    # A pulse of a few nodes has wavenumbers of both signs, here 3 standard deviations from the middle: 1 per cent.
    for one, wanted in zip(found, (right, 2 * left), strict=True):
        assert np.linalg.norm(one - wanted) < 0.03 * np.linalg.norm(right + 2 * left)


def test_a_standing_wave_is_half_and_half():
    t, x = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    standing = np.cos(2 * np.pi * x / 8) * np.cos(2 * np.pi * t / 16)
    right, left = directions(standing)
    np.testing.assert_allclose(right[16:48, 16:48], np.cos(2 * np.pi * (x / 8 - t / 16))[16:48, 16:48] / 2, atol=0.06)
    assert np.sum(right**2) == pytest.approx(np.sum(left**2), rel=1e-9)


def test_the_middle_row_of_a_field_is_shown():
    field = np.zeros((30, 2, 5, 40))
    field[:, 0, 2] = moving(0.5, 30, 40)
    field[:, 1] = 7.0
    strip = field_strip("sheet", field)
    np.testing.assert_allclose(strip.forward + strip.backward, field[:, 0, 2], atol=1e-12)
    assert (strip.start, strip.end) == (-0.5, 39.5)
    with pytest.raises(ShapeError, match="times, places"):
        directions(np.zeros((3, 4, 5)))
