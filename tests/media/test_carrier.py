"""The second-order carrier medium and its envelope: what they refuse, closed forms, gradients, bypass guides."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from physnn.equations import Interpreter, OneToOne, companion_inputs, reflected
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media.carrier import CarrierMedium, CarrierSource, on_carrier
from physnn.media.envelope import EnvelopeMedium
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.potential import Potential, duffing, harmonic, saturable
from physnn.media.readout import Readout

PERIOD = 2 * math.pi


def envelopes(*layers, sources=1):
    network = Network.layered([Source("in", sources), *layers])
    return replace(network, readout=Readout(layers[-1].name, "p"))


def fundamental(potential, p, q):
    """(F_p, F_q) of a potential's text, evaluated at numbers."""
    names = {"p": p, "q": q, "sqrt": math.sqrt, "cos": math.cos, "sin": math.sin, **potential.values}
    return [eval(text, {"__builtins__": {}}, names) for text in potential.fundamental]


@pytest.mark.parametrize("layer", [CarrierMedium, EnvelopeMedium])
@pytest.mark.parametrize("damping", [0.0, -0.5, math.nan, math.inf, "1"])
def test_damping_must_be_above_zero(layer, damping):
    with pytest.raises(ParameterError, match=r"'layer'.*above 0"):
        layer("layer", 3, damping=damping)


@pytest.mark.parametrize("layer", [CarrierMedium, EnvelopeMedium])
@pytest.mark.parametrize("size", [0, -1, 2.5, "3"])
def test_size_is_a_whole_number(layer, size):
    with pytest.raises(ShapeError, match="'layer'"):
        layer("layer", size)


@pytest.mark.parametrize("carrier", [0.0, -1.0, math.nan])
def test_the_carrier_has_a_frequency(carrier):
    with pytest.raises(ParameterError, match="rad/s must be finite and above 0"):
        EnvelopeMedium("layer", 3, carrier=carrier)
    with pytest.raises(ParameterError, match="rad/s must be finite and above 0"):
        CarrierSource("in", 3, carrier=carrier)


def test_a_potential_with_a_kink_is_refused():
    with pytest.raises(EquationError, match="smooth"):
        Potential("k*abs(x)", {"k": 1.0})


def test_an_unknown_name_in_a_potential_offers_the_nearest():
    with pytest.raises(EquationError, match="did you mean 'kappa'"):
        Potential("kapa*x**2", {"kappa": 1.0})
    with pytest.raises(EquationError, match="did you mean 'kappa'"):
        Potential("kappa*x**2", {"kappa": 1.0}, trainable=("kapa",))


def test_a_parameter_with_a_name_of_the_layer_is_refused():
    with pytest.raises(ParameterError, match=r"'gamma'.*rename"):
        CarrierMedium("layer", 1, Potential("gamma*x**2", {"gamma": 1.0}))


def test_an_envelope_refuses_a_potential_that_is_not_even():
    skew = Potential("k*x**2/2 + c*x**3", {"k": 1.0, "c": 0.1})
    CarrierMedium("layer", 1, skew).lower()
    with pytest.raises(ParameterError, match="even"):
        EnvelopeMedium("layer", 1, skew).lower()


def test_units_of_a_potential_are_checked():
    with pytest.raises(EquationError, match="dimension"):
        CarrierMedium("layer", 1, Potential("k*x**2", {"k": 1.0}, units={"k": "1/s"})).lower()


@pytest.mark.parametrize(
    "potential", [duffing(0.7, 0.9), saturable(0.5, 1.5), Potential("k*x**6 + k*x**2", {"k": 0.3})]
)
@pytest.mark.parametrize("amplitude", [0.1, 1.0, 3.0])
def test_fundamental_of_the_force_is_its_fourier_coefficient(potential, amplitude):
    phase = 0.6
    p, q = amplitude * math.cos(phase), amplitude * math.sin(phase)

    def force(turn):
        x = p * math.cos(turn) - q * math.sin(turn)
        return eval(potential.force, {"__builtins__": {}}, {"x": x, "sqrt": math.sqrt, **potential.values})

    in_phase = quad(lambda turn: force(turn) * math.cos(turn) / math.pi, 0, PERIOD)[0]
    quadrature = -quad(lambda turn: force(turn) * math.sin(turn) / math.pi, 0, PERIOD)[0]
    # 32 points a period: the saturable spring's 31st harmonic at |x| = 3 is 1e-6 of its first.
    np.testing.assert_allclose(fundamental(potential, p, q), [in_phase, quadrature], rtol=1e-5, atol=1e-12)


def test_a_linear_layer_has_the_gain_of_its_band_pass():
    w = 0.8
    network = envelopes(EnvelopeMedium("layer", 1, harmonic(1.3), damping=0.4, carrier=w, bias=False))
    network = replace(network, readout=Readout("layer", "X"))
    found = Interpreter(network.lower(), {"in->layer": np.ones((1, 1))}).steady({"in": np.ones((1, 1))}).outputs["y"]
    s = 1j * w
    np.testing.assert_allclose(found[0, 0, 0], s / (s**2 + 0.4 * s + 1.3), rtol=1e-13)


@pytest.mark.parametrize("drive", [1e-9, 1e-3, 1.0, 30.0])
def test_stationary_envelope_solves_harmonic_balance(drive):
    k, b, w, gamma = 1.2, 0.8, 1.0, 0.5
    network = envelopes(EnvelopeMedium("layer", 1, duffing(k, b), damping=gamma, carrier=w, bias=False))
    network = replace(network, readout=Readout("layer", "X"))
    system = network.lower()
    x = Interpreter(system, {"in->layer": np.ones((1, 1))}).steady({"in": np.full((1, 1), drive)}).outputs["y"][0, 0, 0]
    balance = (k - w**2 + 1j * w * gamma + 0.75 * b * abs(x) ** 2) * x
    np.testing.assert_allclose(balance, 1j * w * drive, rtol=1e-12)


def test_the_envelope_settles_to_its_stationary_state():
    network = envelopes(EnvelopeMedium("a", 3), EnvelopeMedium("b", 2, bias=False), sources=2)
    interpreter = Interpreter(network.lower(seed=1))
    inputs = {"in": np.array([[0.5, -1.0]])}
    run = interpreter.run(inputs, 800, 0.05).outputs["y"][:, -1]
    # After 40 s what was there at first is exp(-20) of itself; a fixed point of Euler's method is exact.
    np.testing.assert_allclose(run, interpreter.steady(inputs).outputs["y"][:, 0], atol=1e-7)


def test_the_carrier_under_weak_drive_has_the_envelope_as_amplitude():
    network = envelopes(
        EnvelopeMedium("a", 3, damping=0.8, carrier=0.9), EnvelopeMedium("b", 2, bias=False, carrier=0.9)
    )
    weak = {"in": np.array([[0.01]])}
    wanted = Interpreter(network.lower(seed=2)).steady(weak).outputs["y"][:, 0]
    sounding = on_carrier(network)
    found, period = [], PERIOD / 0.9
    for steps in (60, 120):
        trace = Interpreter(sounding.lower(seed=2)).run(weak, 16 * steps, period / steps)
        found.append(replace(sounding.readout, skip=14 * steps).read(np, trace))
    # Both integrator and held drive are of first order, so that the extrapolated error is the square of 1/60 turn.
    np.testing.assert_allclose(2 * found[1] - found[0], wanted, atol=0.01 * np.max(np.abs(wanted)))


def test_weights_of_the_envelope_fit_the_carrier():
    network = envelopes(EnvelopeMedium("a", 3), EnvelopeMedium("b", 2), sources=4)
    envelope, carrier = network.lower(seed=3), on_carrier(network).lower(seed=3)
    assert envelope.couplings.keys() == carrier.couplings.keys()
    for name, coupling in envelope.couplings.items():
        np.testing.assert_array_equal(coupling.initial, carrier.couplings[name].initial)


def test_on_carrier_refuses_what_has_no_carrier():
    layers = EnvelopeMedium("a", 2, carrier=1.0), EnvelopeMedium("b", 2, carrier=1.1)
    with pytest.raises(EquationError, match="there must be one"):
        on_carrier(envelopes(*layers))
    with pytest.raises(EquationError, match="'a' is a CarrierMedium"):
        on_carrier(envelopes(CarrierMedium("a", 2), EnvelopeMedium("b", 2)))
    with pytest.raises(EquationError, match="quadrature"):
        on_carrier(Network.layered([Source("in", 1), layers[0]]))
    network = envelopes(layers[0])
    with pytest.raises(EquationError, match="delay of its own"):
        on_carrier(replace(network, links=(replace(network.links[0], delay=0.1),)))


def test_a_source_sends_the_velocity_of_its_carrier():
    network = Network(
        (CarrierSource("in", 2, carrier=3.0), CarrierMedium("a", 2, harmonic())), (Link("in", "a"),), Readout("a")
    )
    trace = Interpreter(network.lower(seed=0)).run({"in": np.array([[1.0, -2.0]])}, 50, 0.02)
    times = 0.02 * np.arange(51)
    wanted = -3.0 * np.sin(3.0 * times)[:, None] * np.array([1.0, -2.0])
    np.testing.assert_allclose(trace.sent["in->a"][0], wanted, atol=1e-12)


def deep(layers, bypass):
    """A deep network of absorbing layers; each pair of layers is bypassed by guides that lose 5 %."""
    size, damping = 8, 2.0
    parts = [EnvelopeMedium(f"layer{n}", size, duffing(1.0, 0.2), damping=damping, bias=False) for n in range(layers)]
    network = envelopes(*parts, sources=size)
    # A layer on resonance multiplies by 1/damping, so that a guide of weight `damping` loses nothing.
    guides = [
        Link(f"layer{n}", f"layer{n + 2}", operator=OneToOne((size,)), weights=np.full(size, 0.95 * damping))
        for n in range(0, layers - 2, 2)
    ]
    return replace(network, links=(*network.links, *guides)) if bypass else network


def first_over_last(network, layers):
    """How much of the reflected wave at the last coupling arrives at the first."""
    system = network.lower(seed=4)
    interpreter = Interpreter(system)
    trace = interpreter.steady({"in": np.random.default_rng(0).normal(size=(16, 8))})
    companion = reflected(system)
    error = np.random.default_rng(1).normal(size=trace.outputs["y"].shape)
    echo = Interpreter(companion.system, interpreter.parameters).steady(
        companion_inputs(companion, trace, {"y": error})
    )
    first, last = (
        np.linalg.norm(echo.outputs[f"{name}.reflected"])
        for name in ("in->layer0", f"layer{layers - 2}->layer{layers - 1}")
    )
    return first / last


def test_bypass_guides_carry_the_reflected_wave_to_the_first_layer():
    layers = 9
    plain, guided = (first_over_last(deep(layers, bypass), layers) for bypass in (False, True))
    # Each of eight layers halves the wave (damping 2, weights of gain 1): 2^-8 = 4e-3, within a factor of four.
    assert 1e-3 < plain < 1.6e-2
    # Four guides of 0.95 alone would leave 0.8.
    assert guided > 0.3
