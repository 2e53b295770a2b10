"""Encoders: what leaves a source for a number u, and ports that set where a medium starts and how fast it swings."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, OneToOne, companion_inputs, input_gradient, reflected
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import Carrier, Link, Medium, Network, Pulse, Rate, Readout, Source

DT, STEPS = 0.05, 60
TIMES = DT * np.arange(STEPS + 1)
LEAK = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
U = np.array([[1.0, 0.4], [-0.5, 2.0]])


def network(source, **inputs):
    leak = Medium("leak", 2, LEAK, {"tau": 0.4})
    link = Link(source.name, "leak", operator=OneToOne((2,)), weights=np.ones(2))
    return Network((source, leak), (link,), Readout("leak"), inputs=inputs)


def sent(source, u=U, steps=STEPS):
    """(batch, times, 2): what enters the coupling behind a source."""
    system = network(source).lower()
    return Interpreter(system).run({source.name: u}, steps, DT).sent[f"{source.name}->leak"]


def test_constant_drive():
    assert np.all(sent(Source("in", 2)) == U[:, None, :])


@pytest.mark.parametrize("at", [0.0, 0.35])
@pytest.mark.parametrize("width", [0.15, 0.35, 0.7])
def test_rectangle_lasts_for_its_width(at, width):
    """`width / dt` whole steps from `at` on, however k dt is rounded."""
    on = sent(Pulse("in", 2, width, at))[0, :, 0] / U[0, 0]
    first = round(at / DT)
    assert np.flatnonzero(on).tolist() == list(range(first, first + round(width / DT)))
    assert set(on) == {0.0, 1.0}


def test_gaussian():
    """Area u width sqrt(2 pi); the sum over steps far below the width is the integral to rounding."""
    found = sent(Pulse("in", 2, 0.3, [1.5, 1.6], "gaussian"), steps=80)
    np.testing.assert_allclose(DT * found.sum(axis=1), U * 0.3 * np.sqrt(2 * np.pi), rtol=1e-6)
    assert np.argmax(found[0], axis=0).tolist() == [30, 32]


def test_carrier():
    found = sent(Carrier("in", 2, omega=[3.0, 5.0], phase=0.4))
    wanted = U[:, None, :] * np.cos(TIMES[:, None] * np.array([3.0, 5.0]) + 0.4)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_envelope_is_the_carriers_complex_amplitude():
    source = Carrier("in", 2, omega=3.0, phase=0.4, envelope=True)
    medium = Medium(
        "a", 2, "da/dt = (z - a)/tau : 1 (complex)\nz : 1 (arrival, complex)\ntau : s (parameter)", {"tau": 1}
    )
    link = Link("in", "a", operator=OneToOne((2,)), weights=np.ones(2))
    system = Network((source, medium), (link,), Readout("a", "re(a)")).lower()
    envelope = Interpreter(system).run({"in": U}, 4, DT).sent["in->a"]
    back = np.real(envelope * np.exp(1j * 3.0 * TIMES[:5])[:, None])
    np.testing.assert_allclose(back, sent(Carrier("in", 2, omega=3.0, phase=0.4), steps=4), rtol=1e-12, atol=1e-14)


def test_rate_is_proportional_to_u():
    """floor(rate u T + start) spikes, and one less where rounding delays the last; none for a negative u."""
    rate, u = 7.0, np.array([[1.0, 0.4], [-0.5, 2.3]])
    pulses = sent(Rate("in", 2, rate, start=0.2), u, 200) * rate * DT
    assert set(np.round(pulses.ravel(), 12)) == {0.0, 1.0}
    wanted = np.floor(rate * np.maximum(u, 0) * 200 * DT + 0.2)
    assert np.all(np.abs(pulses.sum(axis=1) - wanted) <= 1)
    gaps = np.diff(np.flatnonzero(pulses[1, :, 1]))
    assert set(gaps) <= {1, 2}  # one every 1.24 steps, as regular as steps allow


def test_mean_of_a_rate_is_the_constant_drive():
    """Within one spike: 1/(rate T)."""
    rate, steps = 15.0, 400
    u = np.array([[0.9, 0.3]])
    mean = sent(Rate("in", 2, rate), u, steps)[:, 1:].mean(axis=1)  # a pulse follows its crossing by a step
    np.testing.assert_allclose(mean, u, atol=1.01 / (rate * steps * DT))


def reflected_at(source, u, cotangent):
    """dL/du at each entry for L = sum c y over the recorded times."""
    system = network(source).lower()
    companion = reflected(system.discrete, inputs=("in",))
    trace = Interpreter(system).run({"in": u}, u.shape[1], DT)
    played = companion_inputs(companion, trace, {"y": cotangent})
    echo = Interpreter(companion.system, system.parameters).run(played, u.shape[1] + 1, DT)
    return input_gradient(system, companion, trace, echo, {"in": u})["in"]


def test_waves_return_through_a_rate_as_through_a_constant_drive():
    """Entry n is sent a step later, as a pulse, and so returns what entry n + 1 of a constant drive does."""
    rng = np.random.default_rng(0)
    u, cotangent = rng.uniform(0.1, 1, (2, 20, 2)), rng.normal(size=(2, 21, 2))
    plain, spiking = (reflected_at(s, u, cotangent) for s in (Source("in", 2), Rate("in", 2, 11.0)))
    assert np.any(plain)
    np.testing.assert_allclose(spiking[:, :-1], plain[:, 1:], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("source", [Pulse("in", 2, 0.3, 0.1), Carrier("in", 2, 4.0)], ids=["pulse", "carrier"])
def test_gradient_through_an_encoder(source):
    """The medium is linear in u, so that L(u) is exactly sum u dL/du."""
    rng = np.random.default_rng(1)
    u, cotangent = rng.normal(size=(2, 20, 2)), rng.normal(size=(2, 21, 2))
    trace = Interpreter(network(source).lower()).run({"in": u}, 20, DT)
    slopes = reflected_at(source, u, cotangent)
    assert np.sum(u * slopes) == pytest.approx(np.sum(cotangent * trace.outputs["y"]), rel=1e-12)


SWING = "dx/dt = v : 1\ndv/dt = z - w**2*x : 1/s\nz : 1/s**2 (arrival)\nw : 1/s (parameter)"


def test_initial_condition_and_natural_frequency():
    """x(t) = x0 cos(w t), each sample with its own x0 and w."""
    medium = Medium("a", 2, SWING, {"w": 1.0}, arrival="z", unit="1/s**2", integrator="verlet")
    ports = {"x0": Input("a", "x"), "omega": Input("a", "w")}
    system = Network((medium,), (), Readout("a"), inputs=ports).lower()
    x0, omega = U, np.array([[1.0, 1.5], [2.0, 0.7]])
    y = Interpreter(system).run({"x0": x0, "omega": omega}, 2000, 0.001).outputs["y"]
    times = 0.001 * np.arange(2001)[None, :, None]
    # Verlet: phase error (w dt)^2/24 of w t, here at most 1.7e-7 * 4
    np.testing.assert_allclose(y, x0[:, None] * np.cos(omega[:, None] * times), atol=2e-6)


@pytest.mark.parametrize(
    ("build", "error", "said"),
    [
        (lambda: Pulse("in", 0), ShapeError, "at least 1"),
        (lambda: Pulse("in", 2, width=0.0), ParameterError, "above 0"),
        (lambda: Pulse("in", 2, form="gauss"), UnknownNameError, "did you mean 'gaussian'"),
        (lambda: Carrier("in", 2, omega=[1.0, -1.0]), ParameterError, "above 0"),
        (lambda: Carrier("in", 2, omega=np.inf), ParameterError, "finite"),
        (lambda: Rate("in", 2, rate="fast"), ParameterError, "finite"),
        (lambda: Rate("in", 2, start=1.0), ParameterError, "below 1 cycle"),
    ],
)
def test_bad_encoders(build, error, said):
    with pytest.raises(error, match=said):
        build()
