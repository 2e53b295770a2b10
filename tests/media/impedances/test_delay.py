"""Delays that are no whole steps, dispersion, and lines by their length."""

import numpy as np
import pytest

from physnn.equations import Interpreter, OneToOne
from physnn.errors import ParameterError, UnknownNameError
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.media import Link, Network, Readout, Source, SquaredError
from physnn.media.impedances import Dispersion, Line, Resistor, Termination, passive_network
from physnn.media.impedances.delay import Split
from physnn.substrate import build

STEPS = 256
OMEGA = 2 * np.pi * np.arange(1, STEPS // 2) / STEPS


def transmission(line, step=1.0):
    """Spectrum of what arrives at the end of a matched line, of a pulse."""
    ends = Termination("left", 1, Resistor(1.0)), Termination("right", 1, Resistor(1.0))
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    network = Network((Source("in", 1), *ends, line), (enter, *line.links("left", "right")), Readout("right", "u"))
    drive = np.zeros((1, STEPS, 1))
    drive[:, 0] = 2.0
    found = Interpreter(network.lower()).run({"in": drive}, STEPS, step).fields["right.b"][0, :-1, 0]
    return np.fft.rfft(found)[1 : STEPS // 2]


@pytest.mark.parametrize("delay", [1.5, 2.2, 4.71])
def test_a_fraction_is_one_all_pass_section(delay):
    whole = np.floor(delay - 0.5)
    eta = (1 - (delay - whole)) / (1 + (delay - whole))
    z = np.exp(-1j * OMEGA)
    wanted = 0.8 * z**whole * (eta + z) / (1 + eta * z)
    np.testing.assert_allclose(transmission(Line("line", 1, 1.0, delay, 0.8, step=1.0)), wanted, atol=1e-13)


@pytest.mark.parametrize("step", [0.1, 0.2])
def test_low_frequencies_are_late_by_the_delay_at_any_step(step):
    """A line split for steps of 0.2 s, also run at steps of 0.1 s."""
    late = -np.unwrap(np.angle(transmission(Line("line", 1, 1.0, 0.93, step=0.2), step)))[:3] / OMEGA[:3] * step
    np.testing.assert_allclose(late, 0.93, rtol=1e-3)  # (w dt)^2/12 of the section, w dt < 0.08


def test_dispersion_is_a_chain_of_lattice_sections():
    chain = Dispersion(3, 2.5)
    found = transmission(Line("line", 1, 1.0, 4.0 + chain.total, step=1.0, dispersion=chain))
    wanted = np.exp(-1j * (4 * OMEGA + 3 * 2 * np.arctan(np.tan(OMEGA / 2) * 2.5)))
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    late = -np.unwrap(np.angle(found)) / OMEGA
    assert late[0] == pytest.approx(4.0 + chain.total, rel=1e-2)
    assert late[-1] < 4.0 + chain.total - 3.0  # high frequencies arrive sooner


@pytest.mark.parametrize("section", [1.2, 2.5, 5.0])
def test_group_delay_of_dispersion_is_that_of_the_closed_form(section):
    """At the step itself, w dt up to pi; the formula is differentiated nowhere, the spectrum by differences."""
    chain = Dispersion(2, section)
    found = transmission(Line("line", 1, 1.0, 3.0 + chain.total, step=1.0, dispersion=chain))
    late, middle = -np.diff(np.unwrap(np.angle(found))) / np.diff(OMEGA), (OMEGA[1:] + OMEGA[:-1]) / 2
    c, s = np.cos(middle / 2), np.sin(middle / 2)
    wanted = 3.0 + chain.total / (c**2 + section**2 * s**2)
    np.testing.assert_allclose(late, wanted, rtol=4e-3)  # differences: (T dw)^2/12 with dw = 2 pi/256
    assert np.all(np.diff(late) < 0)


def test_dispersion_needs_sections_longer_than_the_step():
    for delay in (0.5, 1.0):  # one step of it is a plain delay, less is dispersion of the other sign
        with pytest.raises(ParameterError, match=rf"line 'line': a section.*{delay} s is no longer than a step of 1.0"):
            Line("line", 1, 1.0, 8.0, step=1.0, dispersion=Dispersion(2, delay))
    with pytest.raises(ParameterError, match="depends on the time step; give `step`"):
        Line("line", 1, 1.0, 8.0, dispersion=Dispersion(2, 2.5))


@pytest.mark.parametrize(
    ("delay", "step"), [(0.25, 0.1), (2.4999995, 1.0), (np.float64(2.5), np.float64(1.0)), (np.float32(2.5), 1)]
)
def test_learnt_delays_of_ordinary_numbers_are_taken(delay, step):
    """Halves of a step, which rounding puts below the section's least delay, and numpy's numbers."""
    line = Line("line", 1, 1.0, delay, trainable="delay", step=step)
    population = line.lower()
    assert population.values["rest"] >= population.variables["rest"].least == 0.5 * step
    assert line.split.whole + line.split.rest == pytest.approx(float(delay), abs=2e-6 * step)


def test_whole_delays_have_no_section():
    assert not Line("line", 1, 1.0, 0.3, step=0.1).lower().dynamic
    assert Line("line", 1, 1.0, 0.3, trainable=["delay"], step=0.1).lower().dynamic == ("l1", "r1")


def test_split_leaves_a_section_of_half_to_one_and_a_half_steps():
    for delay in np.linspace(1.5, 4.0, 101):
        split = Split.of("line", float(delay), 1.0, learnt=True)
        assert split.whole + split.rest == pytest.approx(delay)
        assert split.whole >= 1
        assert 0.5 - 2e-6 <= split.rest < 1.5


def test_length_and_attenuation():
    line = Line.of_length("line", 1, 2.0, 2e8, decibels=3.0, impedance=50.0)
    assert line.delay == pytest.approx(1e-8)
    assert line.transmission == pytest.approx(10 ** (-6 / 20))
    assert Line.of_length("line", 1, 2.0, 2e8, nepers=0.25).transmission == pytest.approx(np.exp(-0.5))
    assert Line.of_length("line", 1, 2.0, 2e8, nepers=0.25).lower().values["alpha"] == pytest.approx(0.5)
    with pytest.raises(ParameterError, match=r"line 'line': its attenuation, 1.151e\+04 Np .* leaves nothing"):
        Line.of_length("line", 1, 1.0, 2e8, decibels=1e5)
    with pytest.raises(ParameterError, match="line 'line': attenuation must be one number"):
        Line.of_length("line", 1, 1.0, 2e8, decibels=[1.0, 2.0])


def test_a_line_holds_its_attenuation():
    """A lossless line has none, on devices that differ by a share too; no attenuation lies below none."""
    line = Line("line", 1, 1.0, 1.0, 0.9)
    assert line.lower().values["alpha"] == pytest.approx(-np.log(0.9))
    assert line.lower().variables["alpha"].least == 0.0
    assert Line("line", 1, 1.0, 1.0).lower().values["alpha"] == 0.0
    network = passive_network((3, 2, 2), train="losses", shunts=None)
    learnt = build(network, "rf-transmission-line", seed=1, step=1.0).placed
    keys = [key for key in learnt.system.trainable if key.endswith(".alpha")]
    held = learnt.realise({key: learnt.system.parameters[key] for key in keys})
    assert len(keys) == 3
    assert all(np.all(value == 0.0) for value in held.values())
    held = learnt.realise({key: np.full(np.shape(learnt.system.parameters[key]), 0.1) for key in keys})
    assert all(np.all((value > 0) & (value != 0.1)) for value in held.values())


def test_training_leaves_no_line_with_gain():
    """What is wanted lies beyond what lossless lines deliver: an attenuation falls to none, and stays there."""
    network = passive_network((1, 1), shunts=None, bias=False, transmission=0.95, train="losses")
    substrate = build(network, "ideal-torch", seed=1, step=1.0)
    x = np.sign(substrate.placed.system.parameters["W1"]) * np.ones((8, 1))
    objective = Objective(network.readout, SquaredError(500.0), 1, 8.0)
    train(substrate, ReflectedWave(), objective, x, np.zeros(8, dtype=int), Settings(3, 4, 0.05, "constant"))
    held = [np.asarray(value) for key, value in substrate.read().items() if key.endswith(".alpha")]
    assert len(held) == 2
    assert all(np.all(value == 0.0) for value in held)


def test_what_is_learnt_is_chosen():
    def flags(**options):
        line = Line("line", 1, 1.0, 2.3, step=1.0, **options)
        return {name for name, variable in line.lower().variables.items() if variable.trainable}

    assert flags() == {"Z0", "alpha"}
    assert flags(trainable=False) == set()
    assert flags(trainable=["delay", "impedance"]) == {"Z0", "rest"}
    assert flags(trainable="delay") == {"rest"}
    with pytest.raises(UnknownNameError, match=r"line 'line'.*'length'"):
        flags(trainable=["length"])


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ParameterError, match=r"line 'line': a delay of 1.2 s leaves no whole step.*1.5 steps"):
        Line("line", 1, 1.0, 1.2, step=1.0)
    with pytest.raises(ParameterError, match=r"learnt needs a section.*`step`"):
        Line("line", 1, 1.0, 3.0, trainable=["delay"])
    with pytest.raises(ParameterError, match=r"its dispersion takes 3.0 s, leaves no whole step"):
        Line("line", 1, 1.0, 3.0, step=1.0, dispersion=Dispersion(2, 1.5))
    with pytest.raises(ParameterError, match=r"line 'line': transmission .*must be one number"):
        Line("line", 2, 1.0, 3.0, transmission=[0.9, 0.8])
    with pytest.raises(ParameterError, match=r"line 'line': step .*must be one number"):
        Line("line", 2, 1.0, 3.0, step=[1.0, 0.5])
    with pytest.raises(ParameterError, match="velocity"):
        Line.of_length("line", 1, 1.0, 0.0)
    with pytest.raises(ParameterError, match="attenuation"):
        Line.of_length("line", 1, 1.0, 1.0, decibels=-3.0)
    with pytest.raises(ParameterError, match="dispersion"):
        Dispersion(0, 1.0)
    with pytest.raises(ParameterError, match="dispersion"):
        Dispersion(2, -1.0)
