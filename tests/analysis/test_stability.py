"""Largest stable steps: closed forms against the spectral radius, and both against runs that grow or do not."""

import math

import numpy as np
import pytest

from physnn.analysis import (
    fastest_rate,
    kernel_bound,
    leaky_step_limit,
    spectral_radius,
    stability_limit,
    step_matrix,
    wave_step_limit,
)
from physnn.equations import Convolution, Coupling, Dense, Event, Input, Interpreter, Mean, Output, Population, System
from physnn.errors import CapabilityError, ParameterError, ShapeError, UnknownNameError
from physnn.media import Network, Readout, WaveField

FIVE_POINTS = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]).reshape(1, 1, 3, 3)
WAVE = """
dy/dt = v                          : 1
dv/dt = c**2*lap - om*y - alpha*v  : 1/s
lap   : 1 (arrival)
c     : 1/s (parameter)
om    : 1/s**2 (parameter)
alpha : 1/s (parameter)
"""
MEDIA = [(1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 4.0, 0.0), (1.0, 0.0, 0.5), (1.0, 0.0, 2.0), (1.0, 1.0, 1.0)]


def field(integrator, speed, stiffness, damping, size=8, padding="circular"):
    values = {"c": speed, "om": stiffness, "alpha": damping}
    waves = Population.from_text("field", (1, size, size), WAVE, values, integrator=integrator)
    laplacian = Coupling("lap", "field", "field", "y", Convolution(1, 1, (3, 3), padding), "lap", initial=FIVE_POINTS)
    return System.of([waves], [laplacian], {"y0": Input("field", "y")}, {"y": Output("field", "y")})


@pytest.mark.parametrize("scheme", ["euler", "verlet", "symplectic", "imex", "implicit"])
@pytest.mark.parametrize("medium", [*MEDIA, (0.3, 4.0, 9.0)])
def test_the_limit_of_a_torus_is_the_closed_form(scheme, medium):
    # The torus of even sides has the largest eigenvalue 8; bisection ends within 0.1 %.
    wanted = wave_step_limit(*medium, scheme)
    assert stability_limit(field(scheme, *medium)) == pytest.approx(wanted, rel=2e-3)


@pytest.mark.parametrize(
    ("medium", "explicit", "implicit_damping"),
    [
        ((1.0, 0.0, 0.0), 0.7071, 0.7071),
        ((1.0, 1.0, 0.0), 0.6667, 0.6667),
        ((1.0, 4.0, 0.0), 0.5774, 0.5774),
        ((1.0, 0.0, 0.5), 0.647, 0.772),
        ((1.0, 0.0, 2.0), 0.500, 1.0),
        ((1.0, 1.0, 1.0), 0.565, 0.787),
    ],
)
def test_the_numbers_of_the_literature(medium, explicit, implicit_damping):
    assert wave_step_limit(*medium, "symplectic") == pytest.approx(explicit, abs=6e-4)
    assert wave_step_limit(*medium, "imex") == pytest.approx(implicit_damping, abs=6e-4)


@pytest.mark.parametrize("integrator", ["verlet", "imex", "euler"])
def test_runs_below_the_limit_stay_and_above_it_grow(integrator):
    system = field(integrator, 1.0, 0.5, 1.0)
    limit = stability_limit(system)
    start = {"y0": np.random.default_rng(0).normal(size=(1, 1, 8, 8))}
    runs = [Interpreter(system).run(start, 600, share * limit) for share in (0.98, 1.1)]
    stays, grows = (np.max(np.abs(run.outputs["y"][:, -1])) for run in runs)
    assert stays < 1 < grows


def test_the_fastest_rate_of_a_torus():
    """|lambda|^2 = 8 c^2 + omega of the chequered wave; with damping, that of the faster one of its two modes."""
    assert fastest_rate(field("verlet", 1.0, 1.0, 0.0)) == pytest.approx(3.0, rel=1e-9)
    assert fastest_rate(field("verlet", 0.0, 1.0, 4.0)) == pytest.approx(2.0 + math.sqrt(3.0), rel=1e-9)


def test_large_fields():
    """A torus of 64 x 64 wave vector by wave vector; clamped edges by iteration."""
    assert stability_limit(field("verlet", 1.0, 1.0, 0.0, 64)) == pytest.approx(2 / 3, rel=2e-3)
    clamped = stability_limit(field("verlet", 1.0, 1.0, 0.0, 64, "zero"))
    assert clamped == pytest.approx(2 / 3, rel=2e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"speed": np.where(np.arange(20)[:, None] == 0, 3.0, np.ones((20, 22)))},
        {"edges": "absorbing", "integrator": "symplectic"},
        {"speed": np.random.default_rng(0).uniform(0.3, 1.7, (20, 22)), "damping": 0.3},
    ],
    ids=["fast edge", "absorbing edges", "varying speed"],
)
def test_large_fields_against_all_their_eigenvalues(options):
    """880 states: too many for the dense path, few enough to compute every eigenvalue here."""
    network = Network((WaveField("field", (20, 22), **options),), (), Readout("field", "psi"))
    system = network.lower()
    limit = stability_limit(system)

    def radius(step):
        return np.max(np.abs(np.linalg.eigvals(step_matrix(system, step).toarray())))

    assert radius(0.99 * limit) < 1 + 1e-6
    assert radius(1.01 * limit) > 1.005


def test_oscillatory_state_space_layers_have_no_limit_when_implicit():
    text = "dx/dt = v : 1\ndv/dt = u - A*x : 1/s\nA : 1/s**2 (parameter)\nu : 1/s**2 (input)"
    limits = {}
    for integrator in ("implicit", "symplectic"):
        cells = Population.from_text("cells", 3, text, {"A": [1.0, 4.0, 9.0]}, integrator=integrator)
        limits[integrator] = stability_limit(System.of([cells]))
    assert limits["implicit"] == math.inf
    assert limits["symplectic"] == pytest.approx(2 / 3, rel=2e-3)


def test_units_do_not_matter():
    # The oscillator of 1 MHz has rates of 1 and 4e13 in its Jacobian.
    text = "dx/dt = v : m\ndv/dt = -w**2*x : m/s\nw : 1/s (parameter)"
    cell = Population.from_text("cell", 1, text, {"w": 2e6 * np.pi}, integrator="verlet")
    assert stability_limit(System.of([cell])) == pytest.approx(2 / (2e6 * np.pi), rel=2e-3)


LEAK = "dx/dt = rate*(z - x) : 1\nz : 1 (arrival)\nrate : 1/s (parameter)"


def leaky(delay=0.0, gain=0.0, rate=(2.0, 5.0), **more):
    parts = [Population.from_text("cell", 2, LEAK, {"rate": list(rate)}, **more)]
    back = Coupling("back", "cell", "cell", "x", Dense(2, 2), "z", delay, initial=gain * np.eye(2))
    return System.of(parts, [back], {}, {"y": Output("cell", "x")})


def test_leaky_layers():
    assert stability_limit(leaky()) == pytest.approx(leaky_step_limit(5.0), rel=2e-3)
    assert stability_limit(leaky(gain=-1.0)) == pytest.approx(leaky_step_limit(10.0), rel=2e-3)
    assert stability_limit(leaky(integrator="exponential")) == math.inf
    # Between events the leak alone decides.
    spiking = leaky(events=[Event("spike", "x > 1", {"x": "0"})])
    assert stability_limit(spiking) == pytest.approx(0.4, rel=2e-3)


def test_projections_do_not_hide_growth():
    # At x = 0, where max(x, 0) has slope 0, and away from it the limit is that of the leak.
    assert stability_limit(leaky(projections={"x": "max(x, 0)"})) == pytest.approx(0.4, rel=2e-3)


def test_maps():
    hold = Population.from_text("hold", 1, "h+ = 0.9*h + z : 1\nz : 1 (arrival)")
    grow = Population.from_text("grow", 1, "h+ = 1.1*h : 1")
    leak = leaky()
    line = Coupling("w", "cell", "hold", "x", Dense(1, 2), "z", initial=np.ones((1, 2)))
    assert stability_limit(System.of([hold])) == math.inf
    assert stability_limit(System.of([grow])) == 0.0
    mixed = System.of([*leak.populations.values(), hold], [*leak.couplings.values(), line])
    assert stability_limit(mixed) == pytest.approx(0.4, rel=2e-3)


def test_media_that_grow_by_themselves():
    # x' = s x with an oscillation beside it: explicit Euler adds w^2 dt/2 to the growth, allowed is sigma/2.
    text = "dx/dt = s*x - w*y : 1\ndy/dt = s*y + w*x : 1\ns : 1/s (parameter)\nw : 1/s (parameter)"
    found = {}
    for integrator in ("euler", "rk4"):
        cell = Population.from_text("cell", 1, text, {"s": 0.1, "w": 3.0}, integrator=integrator)
        found[integrator] = stability_limit(System.of([cell]))
    # |1 + (0.1 + 3j) dt| = 1 + 0.15 dt at dt = 0.1/(0.1^2 + 3^2 - 0.15^2)
    assert found["euler"] == pytest.approx(0.1 / (0.01 + 9 - 0.0225), rel=2e-3)
    # Runge-Kutta of order 4 on the imaginary axis: dt < sqrt(8)/w, hardly moved by so little growth.
    assert found["rk4"] == pytest.approx(np.sqrt(8) / 3, rel=0.05)
    assert stability_limit(field("euler", 1.0, 1.0, 0.0)) == 0.0
    # Growth alone: explicit Euler grows by half at dt = 0.5/sigma.
    assert stability_limit(leaky(gain=1.5)) == pytest.approx(0.5 / 2.5, rel=2e-3)


def test_loops_of_too_many_connections_are_refused():
    part = Population.from_text("cell", 1001, LEAK, {"rate": 1.0})
    line = Coupling("back", "cell", "cell", "x", Mean((1001,)), "z", initial=[1.0])
    with pytest.raises(CapabilityError, match="1002001 connections"):
        stability_limit(System.of([part], [line]))


def test_delayed_loops():
    # x+ = x - dt rate (x + g x_(n - m)): unstable where the delay lets the loop swing.
    system = leaky(delay=1.0, gain=-3.0, rate=(1.0, 1.0))
    assert spectral_radius(step_matrix(system, 0.1)) > 1
    assert spectral_radius(step_matrix(leaky(delay=1.0, gain=-0.9, rate=(1.0, 1.0)), 0.1)) < 1


def test_large_feed_forward_networks_fall_into_elements():
    rng = np.random.default_rng(0)
    rates = rng.uniform(1.0, 4.0, size=900)
    layers = [Population.from_text(n, 900, LEAK, {"rate": rates}) for n in "ab"]
    line = Coupling("w", "a", "b", "x", Dense(900, 900), "z", initial=rng.normal(size=(900, 900)))
    system = System.of(layers, [line])
    assert stability_limit(system) == pytest.approx(2 / np.max(rates), rel=2e-3)


def test_large_loops_by_power_iteration():
    # A symmetric matrix of known spectrum, too large to be taken whole.
    rng = np.random.default_rng(1)
    basis, _ = np.linalg.qr(rng.normal(size=(420, 420)))
    matrix = (basis * np.linspace(-7.0, 0.9, 420)) @ basis.T
    part = Population.from_text("cell", 420, LEAK, {"rate": 1.0})
    back = Coupling("back", "cell", "cell", "x", Dense(420, 420), "z", initial=matrix)
    # Power iteration leaves growth below 0.4 % a step unseen: 0.2 % of this step.
    assert stability_limit(System.of([part], [back])) == pytest.approx(2 / 8, rel=5e-3)


def test_the_bound_of_a_kernel():
    assert kernel_bound(FIVE_POINTS, (8, 8)) == pytest.approx(8.0, rel=1e-12)
    mixing = np.random.default_rng(2).normal(size=(3, 2, 3, 3))
    operator = Convolution(3, 2, (3, 3), "circular")
    basis = np.eye(2 * 36).reshape(-1, 2, 6, 6)
    whole = operator.apply(np, mixing, basis).reshape(72, -1)
    assert kernel_bound(mixing, (6, 6)) == pytest.approx(np.linalg.norm(whole, 2), rel=1e-10)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'verlet'"):
        wave_step_limit(1.0, scheme="verle")
    with pytest.raises(ParameterError, match="at least 0"):
        wave_step_limit(1.0, -1.0)
    with pytest.raises(ParameterError, match="rate"):
        leaky_step_limit(-1.0)
    with pytest.raises(ShapeError, match="kernel"):
        kernel_bound(np.ones((3, 3)), (8, 8))
