"""Nonlinear shunts: the scalar equation of each kind, large drives, energy, and what is refused."""

import numpy as np
import pytest

from physnn.equations import Interpreter, OneToOne
from physnn.errors import ParameterError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import Line, NonlinearShunt, Resistor, Termination
from physnn.media.impedances.shunt import CONDUCTANCES

CURRENTS = {
    "sinh": lambda v: 0.3 * np.sinh(v / 0.8),
    "diode": lambda v: 0.3 * (np.exp(v / 0.8) - 1),
    "tanh": lambda v: 0.3 * np.tanh(v / 0.8),
    "cubic": lambda v: 0.3 * (v / 0.8) ** 3,
    "saturable": lambda v: 0.3 * v / (1 + (v / 0.8) ** 2),
}


def shunted(shunt, near=1.0, far=2.0, learnt=(False, False)):
    """Matched source, line, shunt, line, matched load."""
    lines = (
        Line("near", shunt.size, near, 1.0, trainable=learnt[0]),
        Line("far", shunt.size, far, 1.0, trainable=learnt[1]),
    )
    ends = Termination("left", shunt.size, Resistor(near)), Termination("right", shunt.size, Resistor(far))
    links = (
        Link("in", "left", operator=OneToOne((shunt.size,)), weights=np.ones(shunt.size)),
        *lines[0].links("left", "shunt:1"),
        *lines[1].links("shunt:2", "right"),
    )
    return Network((Source("in", shunt.size), *ends, *lines, shunt), links, Readout("right", "u"))


@pytest.mark.parametrize("kind", CONDUCTANCES)
def test_voltage_and_waves_obey_the_junction(kind):
    """v + r g(v) = S with unlike lines, from small to hard drives of both signs."""
    near, far = 1.0, 2.0
    system = shunted(NonlinearShunt("shunt", 4, kind, scale=0.3, voltage=0.8), near, far).lower()
    drive = np.array([[0.01, -0.5, 8.0, -40.0], [200.0, 3.0, -0.02, 1.0]])
    fields = Interpreter(system).run({"in": drive}, 4, 1.0).fields
    v, b = fields["shunt.v"][:, 1:], fields["shunt.b_1"][:, 1:]
    heard = 2 * b * far / (near + far)
    off = v + near * far / (near + far) * CURRENTS[kind](v) - heard
    np.testing.assert_allclose(off, 0.0, atol=1e-12 * np.max(np.abs(heard)))
    np.testing.assert_allclose(fields["right.b"][:, 2:], v[:, :-1], rtol=1e-14)
    np.testing.assert_allclose(fields["left.b"][:, 2:], (v - b)[:, :-1], rtol=1e-13, atol=1e-13)


def test_a_steep_diode_is_solved():
    """Silicon: 1e-14 A and 26 mV behind 50 ohm, pulses of 100 V either way. The full Newton step overflows exp."""
    system = shunted(NonlinearShunt("shunt", 1, "diode", scale=1e-14, voltage=0.026), 50.0, 50.0).lower()
    pulses = np.array([[[100.0], [-100.0], [0.0], [100.0], [0.0]]])
    fields = Interpreter(system).run({"in": pulses}, 5, 1.0).fields
    v = fields["shunt.v"][0, 1:5, 0]
    off = v + 25.0 * 1e-14 * np.expm1(v / 0.026) - fields["shunt.b_1"][0, 1:5, 0]
    np.testing.assert_allclose(off, 0.0, atol=1e-9)
    assert 0.8 < v[0] < 0.9  # 0.026 ln(50/(25 * 1e-14))
    assert v[1] == pytest.approx(-50.0, rel=1e-9)


def test_a_reactance_keeps_all_energy():
    """Noise into the cubic inductor: what arrived less what left is phi^2/(2L) + beta phi^4/4, at every step."""
    system = shunted(NonlinearShunt("shunt", 2, "duffing", scale=0.7, voltage=[0.5, 2.0]), 1.0, 1.5).lower()
    drive = 4 * np.random.default_rng(0).normal(size=(2, 100, 2))
    fields = Interpreter(system).run({"in": drive}, 100, 1.0).fields
    v, first, phi = fields["shunt.v"], fields["shunt.b_1"], fields["shunt.phi"]
    taken = np.cumsum(first**2 - (v - first) ** 2 - v**2 / 1.5, axis=1)[:, :-1]
    beta = 0.7 / np.array([0.5, 2.0]) ** 2
    stored = (0.7 * phi**2 / 2 + beta * phi**4 / 4)[:, 1:]
    np.testing.assert_allclose(taken, stored, atol=1e-12 * np.max(np.abs(first) ** 2) * 100)
    assert np.max(stored) > 0.1


def test_a_small_signal_sees_an_inductor():
    """phi/L alone: the step response of r in series with L, whose difference quotient is the trapezoidal rule."""
    system = shunted(NonlinearShunt("shunt", 1, "duffing", scale=0.5, voltage=1e3), 1.0, 1.0).lower()
    found = Interpreter(system).run({"in": np.full((1, 1), 1e-3)}, 30, 1.0).fields["shunt.v"][0, 1:, 0]
    ratio = 0.5 * 0.5 / 2  # r dt/(2 L)
    wanted = 0.5e-3 / (1 + ratio) * ((1 - ratio) / (1 + ratio)) ** np.arange(30)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)  # the cubic term: (1e-3/1e3)^2


def test_saturable_conductances_must_leave_one_voltage():
    with pytest.raises(ParameterError, match=r"shunt 'shunt'.*8 or more.*lower the conductance"):
        shunted(NonlinearShunt("shunt", 1, "saturable", scale=16.0), 1.0, 1.0).lower()
    shunted(NonlinearShunt("shunt", 1, "saturable", scale=15.9), 1.0, 1.0).lower()


def test_learning_leaves_saturable_conductances_one_voltage():
    """G is not learnt; r is at most the impedance that is not, and has no bound where both are learnt."""
    shunt = NonlinearShunt("shunt", 1, "saturable", scale=7.9)
    assert [key for key in shunted(shunt).lower().trainable if key.startswith("shunt")] == ["shunt.V"]
    shunted(shunt, 1.0, 1.0, learnt=("impedance", False)).lower()
    with pytest.raises(ParameterError, match=r"= 15.8, with the impedance that only 'near' keeps, is 8 or more"):
        shunted(shunt, 2.0, 1.0, learnt=(False, "impedance")).lower()
    with pytest.raises(ParameterError, match=r"both its lines, 'near' and 'far', are learnt"):
        shunted(NonlinearShunt("shunt", 1, "saturable", scale=0.1), learnt=(True, True)).lower()


def test_parameters_stay_above_zero():
    least = shunted(NonlinearShunt("shunt", 2, "sinh", voltage=[0.5, 2.0])).lower().least
    assert least["shunt.I"] == 0.0
    assert 0 < least["shunt.V"] < 0.5


def test_bad_shunts_are_refused():
    with pytest.raises(UnknownNameError, match="sihn"):
        NonlinearShunt("shunt", 1, "sihn")
    with pytest.raises(ParameterError, match="shunt 'shunt': scale"):
        NonlinearShunt("shunt", 1, scale=-0.1)
    with pytest.raises(ParameterError, match="shunt 'shunt': voltage"):
        NonlinearShunt("shunt", 1, voltage=0.0)
