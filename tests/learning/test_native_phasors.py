"""Native reflection on a carrier: gradients against differences of a loss of phasors, and what shunts spoil."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import CapabilityError, ParameterError, ShapeError, UnknownNameError
from physnn.learning import with_way_back
from physnn.learning.native_phasors import ELEMENTS, CarrierNetwork
from physnn.media.impedances import Shunts, passive_network

from .native_networks import ALL, SIZES, off, passive, sinh

OMEGA = 0.5
RNG = np.random.default_rng(0)
U = RNG.normal(size=(2, SIZES[0])) + 1j * RNG.normal(size=(2, SIZES[0]))
WANTED = RNG.normal(size=(2, SIZES[-1])) + 1j * RNG.normal(size=(2, SIZES[-1]))
SILENT = {"in": np.zeros((2, SIZES[0])), "back": np.zeros((2, SIZES[-1]))}
BAR = 1e-6  # of differences of width 1e-5


class Carrier:
    """A loss |v - wanted|^2/2 of the phasors at the loads."""

    def __init__(self, network, drive=1.0, step=None):
        self.system, self.drive, self.step = network.lower(1), drive, step

    def read(self, system=None, parameters=None):
        found = CarrierNetwork(system or self.system, OMEGA, parameters, step=self.step)
        field = found.incident({**SILENT, "in": self.drive * U})
        return found, field, found.network.voltage(field, "load", "")[:, 0]

    def loss(self, system=None, parameters=None):
        return 0.5 * np.sum(np.abs(self.read(system, parameters)[2] - WANTED) ** 2)

    def gradient(self, element="stored"):
        found, field, voltage = self.read()
        back = found.reflected(field, {**SILENT, "back": found.generators("load", voltage - WANTED)}, element)
        return found.gradient(field, back)

    def differences(self, key, width=1e-5):
        """The gradient by a parameter, or of a matrix its part along a random change."""
        if key.endswith(".delay"):
            line = key.removesuffix(".delay")
            moved = [
                {
                    n: replace(c, delay=c.delay + s * width) if c.target == line else c
                    for n, c in self.system.couplings.items()
                }
                for s in (1, -1)
            ]
            ends = [self.loss(replace(self.system, couplings=couplings)) for couplings in moved]
            return np.asarray((ends[0] - ends[1]) / (2 * width))
        change = np.random.default_rng(3).normal(size=np.shape(self.system.parameters[key]))
        ends = [self.loss(parameters={key: self.system.parameters[key] + s * width * change}) for s in (1, -1)]
        return change * (ends[0] - ends[1]) / (2 * width) / np.sum(change**2)


def off_along(carrier, key, gradient):
    """Relative error of a gradient, of a matrix along the change that was tried."""
    wanted = carrier.differences(key)
    return off(wanted * np.sum(gradient * wanted) / np.sum(wanted**2), wanted)


def missed(carrier):
    return {key: e for key, g in carrier.gradient().items() if (e := off_along(carrier, key, g)) > BAR}


def test_linear_networks_lengths_included():
    assert missed(Carrier(passive(bias=False))) == {}


@pytest.mark.parametrize("kind", ["sinh", "cubic"])
def test_shunts_that_keep_their_conductance(kind):
    assert missed(Carrier(passive(sinh(kind), bias=False), drive=3.0)) == {}


def test_fractions_of_steps():
    # Of the System as it is stepped; its whole delays are couplings of whole steps, which differences cannot move.
    carrier = Carrier(passive(train=(*ALL, "delays"), bias=False, delays=2.3, step=1.0), step=1.0)
    found = carrier.gradient()
    assert {key for key in carrier.system.trainable if off_along(carrier, key, found[key]) > BAR} == set()


def test_a_strong_carrier_spoils_what_a_shunt_offers_by_itself():
    weak, strong = (Carrier(passive(sinh("cubic"), bias=False), drive) for drive in (0.01, 3.0))
    errors = {
        element: [off(c.gradient(element)["W1"], c.gradient()["W1"]) for c in (weak, strong)]
        for element in ELEMENTS[1:]
    }
    # About a weak carrier a shunt is linear: what a cubic adds falls with the square of the drive.
    assert all(found[0] < 1e-4 for found in errors.values())
    assert all(found[1] > 0.02 for found in errors.values())


def test_phasors_are_those_of_a_run():
    carrier = Carrier(passive(bias=False, delays=2.0))
    found, _, voltage = carrier.read()
    steps = 400
    drive = np.real(U[:, None] * np.exp(1j * OMEGA * np.arange(steps + 1))[None, :, None])
    trace = Interpreter(carrier.system).run({"in": drive}, steps, 1.0)
    assert found.network.voltage(found.network.field(trace), "load", "")[:, -1] == pytest.approx(
        np.real(voltage * np.exp(1j * OMEGA * steps)), abs=1e-9
    )


def test_the_fundamental_of_a_run_with_shunts():
    # First-harmonic balance leaves out the third: about 0.2 % of the fundamental at |v| near V for sinh.
    periods, step = 16, 2 * np.pi / OMEGA / 32
    carrier = Carrier(passive(sinh(), bias=False, delays=2 * step), drive=2.0)
    found, _, voltage = carrier.read()
    times = np.arange(32 * periods + 1)
    drive = np.real(2.0 * U[:, None] * np.exp(2j * np.pi * times / 32)[None, :, None])
    trace = Interpreter(carrier.system).run({"in": drive}, 32 * periods, step)
    seen = found.network.voltage(found.network.field(trace), "load", "")[:, -33:-1]
    fundamental = 2 * np.mean(seen * np.exp(-2j * np.pi * times[-33:-1] / 32)[None, :, None], axis=1)
    assert off(fundamental, voltage) < 5e-3


@pytest.mark.parametrize("shunts", [sinh("diode"), Shunts("diode", 1e-14, 0.1)])
def test_what_rectifies_is_refused(shunts):
    # A small current is none the more odd: at 1 V the second one is 2e-10 A one way, and 1e-14 A the other.
    with pytest.raises(CapabilityError, match="rectify"):
        CarrierNetwork(passive(shunts, bias=False).lower(), OMEGA)


def test_a_reactance_has_no_current_to_balance():
    network = with_way_back(passive_network(SIZES, shunts=Shunts("duffing", 0.5), bias=False))
    with pytest.raises(CapabilityError, match="'shunt1' is not linear"):
        CarrierNetwork(network.lower(), OMEGA, step=1.0)


def test_a_shunt_without_voltage_has_its_slope():
    found = CarrierNetwork(passive(sinh(), bias=False).lower(1), OMEGA)
    silent = found.incident(SILENT)
    waves = [found.reflected(silent, {"back": WANTED}, element) for element in ("stored", "static")]
    ends = [field.entering["line2", True] for field in waves]
    assert np.max(np.abs(ends[0])) > 0
    assert ends[1] == pytest.approx(ends[0], rel=1e-12)


def test_bad_input():
    system = passive(bias=False).lower()
    with pytest.raises(ParameterError, match="rad/s"):
        CarrierNetwork(system, 0.0)
    with pytest.raises(ParameterError, match="between 0 and pi"):
        CarrierNetwork(system, 10.0, step=1.0)
    with pytest.raises(UnknownNameError, match="'W9'"):
        CarrierNetwork(system, OMEGA, {"W9": np.ones(3)})
    with pytest.raises(ShapeError, match="'W1'"):
        CarrierNetwork(system, OMEGA, {"W1": np.ones(3)})
    found = CarrierNetwork(system, OMEGA)
    with pytest.raises(UnknownNameError, match="did you mean 'in'"):
        found.incident({"inn": U})
    with pytest.raises(ParameterError, match="no input port"):
        found.incident({})
    for wrong in (U[0], U[:, :2]):
        with pytest.raises(ShapeError, match=r"\(2, 3\)|\(1, 3\)"):
            found.incident({"in": wrong})
    with pytest.raises(ShapeError, match=r"\(2, 2\)"):
        found.incident({"in": U, "back": WANTED[:1]})
    with pytest.raises(ParameterError, match="finite"):
        found.incident({"in": np.nan * U})
    with pytest.raises(UnknownNameError, match="'stored'"):
        Carrier(passive(bias=False)).gradient("stord")
