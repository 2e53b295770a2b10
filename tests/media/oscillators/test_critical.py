"""Critical amplitude-phase modes: their published equations, critical point, true frequency, and how they lock."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import Network, Readout
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import (
    PUBLISHED,
    RATIOS,
    Anharmonicity,
    critical_point,
    effective_frequency_ratio,
    integrated_frequency_ratio,
    published_frequency,
    synchronisation_mismatch,
    synchronising_couplings,
    tabulated_ratios,
)
from physnn.substrate.registry import find_backend
from physnn.testing.conformance.bench import Bench, loss, loss_weights, reflected_gradient
from physnn.testing.conformance.systems import Case

MIRRORED = Anharmonicity(psi=-PUBLISHED.psi)
OMEGA = (np.arange(10) + 0.5) / 5.0


def system_of(modes):
    return Network([modes], [], Readout(modes.name, "a"), inputs={"start": Input(modes.name, "a")}).lower()


def derivative(modes, a):
    """da/dt, from one short step of explicit Euler."""
    run = Interpreter(system_of(modes)).run({"start": a[None]}, 1, 1e-3)
    path = run.outputs["y"][0]
    return (path[1] - path[0]) / 1e-3


def test_flow_is_the_published_pair_for_amplitude_and_phase():
    rng = np.random.default_rng(0)
    w, delta = rng.uniform(0, 0.2, (5, 5)), rng.uniform(-np.pi / 2, np.pi / 2, (5, 5))
    np.fill_diagonal(w, 0.0)
    gamma, omega = rng.uniform(0, 2, 5), rng.uniform(0.5, 1.5, 5)
    amplitude, phase = rng.uniform(0.1, 1, 5), rng.uniform(-np.pi, np.pi, 5)
    a = amplitude * np.exp(1j * phase)
    modes = CriticalModes("modes", 5, gamma, omega, w * np.exp(-1j * delta), integrator="euler")
    turned = derivative(modes, a) * np.exp(-1j * phase)
    angles = phase[None, :] - phase[:, None] - delta
    root5, psi = 5**0.5, 2 * np.arctan(1 / 3)
    growth = gamma * amplitude + amplitude**2 * (root5 * np.cos(phase - psi) - 3.0)
    # 1e-12: rounding of a difference over a step of 1e-3.
    np.testing.assert_allclose(turned.real, growth + (w * amplitude * np.cos(angles)).sum(axis=1), atol=1e-12)
    turning = omega * amplitude + amplitude**2 * root5 * np.cos(phase)
    np.testing.assert_allclose(turned.imag, turning + (w * amplitude * np.sin(angles)).sum(axis=1), atol=1e-12)


def test_published_parameters_give_round_numbers():
    point = critical_point([0.5, 1.0])
    np.testing.assert_allclose(PUBLISHED.ratio, 0.5, rtol=1e-14)
    np.testing.assert_allclose(point.excitation, [1.0, 2.0], rtol=1e-14)
    np.testing.assert_allclose(np.tan(PUBLISHED.critical_phase), 0.5, rtol=1e-14)
    np.testing.assert_allclose(point.amplitude, [0.25, 0.5], rtol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_critical_point_is_a_fixed_point_and_nothing_rests_below_it(seed):
    rng = np.random.default_rng(seed)
    w_a, w_phi, psi = rng.uniform(0.5, 2), rng.uniform(0.5, 2), rng.uniform(-1.5, 1.5)
    terms = Anharmonicity(w_a, w_phi, psi, w_a + rng.uniform(0.2, 2))
    point = critical_point(1.3, terms)
    at = {"omega": 1.3, "anharmonicity": terms, "integrator": "euler"}
    a = np.array([point.amplitude * np.exp(1j * point.phase)])
    assert abs(derivative(CriticalModes("modes", 1, gamma=point.excitation, **at), a)[0]) < 1e-12
    # A fixed point needs A = -omega/(w_phi cos phi) and gamma = A (alpha - w_a cos(phi - psi)); gamma_c is the least.
    phase = np.linspace(np.pi / 2, 3 * np.pi / 2, 20001)[1:-1]
    needed = -1.3 / (w_phi * np.cos(phase)) * (terms.alpha - w_a * np.cos(phase - psi))
    assert needed.min() == pytest.approx(float(point.excitation), rel=1e-7)  # the grid's distance, squared


@pytest.mark.parametrize(
    ("criticality", "printed", "mirrored"),
    [
        (0.125, 0.97773, 0.99606),
        (0.25, 0.92728, 0.98777),
        (0.5, 0.78478, 0.92592),
        (0.75, 0.56394, 0.73047),
        (0.9, 0.34897, 0.48596),
        (0.99, 0.10295, 0.15960),
        (0.9975, 0.05029, 0.08062),
    ],
)
def test_frequency_ratios_are_those_of_another_integration(criticality, printed, mirrored):
    # Five digits were kept of that integration, in amplitude and phase over many turns.
    assert integrated_frequency_ratio(criticality) == pytest.approx(printed, abs=1e-5)
    assert integrated_frequency_ratio(criticality, MIRRORED) == pytest.approx(mirrored, abs=1e-5)


@pytest.mark.parametrize("criticality", [0.1, 0.6, 0.99])
def test_published_frequency_is_exact_without_amplitude_modulation(criticality):
    even = Anharmonicity(w_a=0.0)
    gamma = criticality * critical_point(1.0, even).excitation
    wanted = float(published_frequency(1.0, gamma, even))
    assert integrated_frequency_ratio(criticality, even) == pytest.approx(wanted, rel=1e-9)  # DOP853 at 1e-12


@pytest.mark.parametrize(("terms", "coefficient"), [(PUBLISHED, 4 / 9), (MIRRORED, 1 / 9)])
def test_weak_excitation_slows_a_mode_by_its_square(terms, coefficient):
    # Averaged over a turn, 1 - F = (w_phi^2 + w_phi w_a sin psi)/(2 alpha^2) gamma^2; the next order cancels.
    coarse, fine = ((1.0 - integrated_frequency_ratio(0.5 * gamma, terms)) / gamma**2 for gamma in (0.02, 0.01))
    assert 2 * fine - coarse == pytest.approx(coefficient, rel=2e-3)  # of order gamma^2, as halving gamma shows


def test_table_is_what_it_says():
    np.testing.assert_allclose(RATIOS, tabulated_ratios(), rtol=0, atol=1e-10)


def test_spline_between_its_knots_and_beyond_its_ends():
    between = np.array([0.02, 0.06, 0.3, 0.6, 0.85, 0.98, 0.9985, 0.9997])
    integrated = [integrated_frequency_ratio(float(cr)) for cr in between]
    np.testing.assert_allclose(effective_frequency_ratio(between), integrated, atol=1e-5)  # as its docstring says
    np.testing.assert_array_equal(effective_frequency_ratio([-0.75, 0.0, 1.0, 1.2]), [1.0, 1.0, 0.0, 0.0])


def test_solved_couplings_keep_unlike_modes_alike():
    gamma = np.linspace(0.0, 1.5, 10)
    r = synchronising_couplings(OMEGA, gamma, 1.0, 1.8)
    assert not np.diagonal(r).any()
    np.testing.assert_allclose(r.sum(axis=1) + gamma + 1j * OMEGA, 1.8 + 1.0j, rtol=1e-14)
    modes = CriticalModes("modes", 10, gamma, OMEGA, r, integrator="euler")
    a = Interpreter(system_of(modes)).run({"start": np.full((1, 10), 0.2 + 0.1j)}, 500, 0.02).outputs["y"][0]
    np.testing.assert_allclose(a, np.repeat(a[:, :1], 10, axis=1), rtol=1e-9)  # rounding, over 500 steps


def test_condition_28_holds_with_the_sign_of_the_hamiltonian_only():
    r = synchronising_couplings(OMEGA, 0.0, 1.0, 1.8)
    target = float(published_frequency(1.0, 1.8))
    np.testing.assert_allclose(synchronisation_mismatch(r, OMEGA, 0.0, target), 0.0, atol=1e-14)
    assert np.abs(synchronisation_mismatch(r, OMEGA, 0.0, target, sign=1)).max() > 1.0


def test_gradient_by_complex_couplings_in_both_directions():
    """dL/dRe + i dL/dIm of couplings, against central differences along a random complex direction."""
    rng = np.random.default_rng(3)
    r = synchronising_couplings([0.7, 1.0, 1.4], 0.3, 1.0, 1.5)
    modes = CriticalModes("modes", 3, 0.3, [0.7, 1.0, 1.4], r)
    network = Network([modes], [], Readout("modes", "re(a)"), inputs={"start": Input("modes", "a")})
    case = Case("critical", network.lower(), {"start": rng.normal(size=(2, 3))})
    bench = Bench(find_backend("torch"))
    substrate = bench.build(case.system, step=case.step)
    slope = reflected_gradient(bench, case, substrate, steady=False)["modes->modes"]
    direction = rng.normal(size=slope.shape) + 1j * rng.normal(size=slope.shape)
    start, losses = np.asarray(substrate.read()["modes->modes"]), []
    for change in (1e-6, -1e-6):
        substrate.write({"modes->modes": substrate.asarray(start + change * direction)})
        y = bench.run(substrate, case.inputs, case.steps).outputs["y"]
        losses.append(loss(y, loss_weights(bench, case, y.shape[1])))
    measured = (losses[0] - losses[1]) / 2e-6
    # Rounding 1e-16 over the step of 1e-6, with a margin for the size of the loss.
    assert float(np.real(np.vdot(slope, direction))) == pytest.approx(measured, rel=1e-7)


def test_modes_that_are_not_joined_have_no_coupling():
    assert CriticalModes("modes", 2, couplings=np.zeros((2, 2))).inner(0) == ()
    one_way = np.array([[0, 0.1j], [0, 0]])
    (coupling,) = CriticalModes("modes", 2, couplings=one_way, trainable=()).inner(0)
    assert coupling.operator.weight_shape == (1,)
    assert not coupling.trainable


class TestRefusals:
    def test_modes_that_start_at_rest(self):
        with pytest.raises(ParameterError, match="stays for ever"):
            CriticalModes("modes", 2, start=[0.1, 0.0])

    @pytest.mark.parametrize("size", [0, 2.0, True])
    def test_sizes(self, size):
        with pytest.raises(ShapeError, match="whole number"):
            CriticalModes("modes", size)

    def test_unknown_trainable(self):
        with pytest.raises(UnknownNameError, match="did you mean 'omega'"):
            CriticalModes("modes", 2, trainable=("omga",))

    def test_couplings(self):
        with pytest.raises(ShapeError, match=r"\(2, 2\)"):
            CriticalModes("modes", 2, couplings=np.zeros((3, 3)))
        with pytest.raises(ParameterError, match="diagonal"):
            CriticalModes("modes", 2, couplings=np.eye(2))
        with pytest.raises(ParameterError, match="finite"):
            CriticalModes("modes", 2, couplings=[[0, np.nan], [0, 0]])

    def test_anharmonicity_without_a_bound_or_a_critical_point(self):
        with pytest.raises(ParameterError, match="without bound"):
            Anharmonicity(alpha=2.0)
        with pytest.raises(ParameterError, match="no critical excitation"):
            Anharmonicity(w_phi=0.0)
        with pytest.raises(ParameterError, match="psi"):
            Anharmonicity(psi=np.inf)

    @pytest.mark.parametrize("criticality", [0.0, 1.0, -0.2])
    def test_no_limit_cycle_to_integrate(self, criticality):
        with pytest.raises(ParameterError, match="above 0 and below 1"):
            integrated_frequency_ratio(criticality)

    def test_frequencies_that_do_not_turn(self):
        with pytest.raises(ParameterError, match="above 0"):
            critical_point([1.0, 0.0])

    def test_targets_that_push_phases_apart(self):
        with pytest.raises(ParameterError, match="push phases apart"):
            synchronising_couplings([1.0, 1.2], [0.5, 2.0], 1.0, 1.8)
        with pytest.raises(ShapeError, match="at least 2"):
            synchronising_couplings(1.0, 0.5, 1.0, 1.8)
