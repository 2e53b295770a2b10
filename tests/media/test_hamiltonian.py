"""Hamiltonian layers: their motion runs back, keeps its energy, and fades as a damped one should."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import ParameterError
from physnn.media import Source, duffing, harmonic
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network

H, STEPS = 0.1, 60


def system(damping=0.0, potential=None):
    layers = [Hamiltonian(name, n, potential or duffing(), damping) for name, n in (("hidden", 6), ("output", 3))]
    return hamiltonian_network([Source("in", 4), *layers]).lower(seed=1)


def momentum(trace, layer, entry, keep=1.0):
    """At the time of a position: between the velocities of half a step before and after."""
    v = trace.fields[f"{layer}.v"]
    return (v[:, entry] + v[:, entry + 1]) * keep / (1 + keep**2)


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_turned_round_it_retraces_its_way(damping):
    """Reversed momenta, and gain where there was damping, lead back to the start: to rounding, at any step."""
    medium, keep = system(damping), np.exp(-damping * H / 2)
    x = np.random.default_rng(0).normal(size=(5, 4))
    there = Interpreter(medium).run({"in": x}, STEPS + 1, H)
    back = {"in": x}
    for layer in ("hidden", "output"):
        back[f"{layer}_x"] = there.fields[f"{layer}.x"][:, STEPS]
        back[f"{layer}_v"] = -momentum(there, layer, STEPS, keep)
        if damping:
            back[f"{layer}_g"] = np.full_like(back[f"{layer}_x"], -damping)
    echo = Interpreter(medium).run(back, STEPS + 1, H)
    for layer in ("hidden", "output"):
        path = there.fields[f"{layer}.x"][:, : STEPS + 1]
        np.testing.assert_allclose(echo.fields[f"{layer}.x"][:, : STEPS + 1], path[:, ::-1], atol=1e-11)
        np.testing.assert_allclose(momentum(echo, layer, STEPS, keep), 0.0, atol=1e-11)


def test_energy_is_kept_to_second_order_of_the_step():
    """sum p^2/2 + V, V with the one coupling energy -x_out . U x_hidden."""
    medium, drifts = system(), []
    first, second = medium.parameters["in->hidden"], medium.parameters["hidden->output"]
    x = np.random.default_rng(0).normal(size=(1, 4))
    for h in (0.1, 0.05):
        trace = Interpreter(medium).run({"in": x}, round(6 / h) + 1, h)
        total = 0.0
        for layer in ("hidden", "output"):
            q, v = trace.fields[f"{layer}.x"][0, 1:-1], trace.fields[f"{layer}.v"][0]
            total = total + np.sum((v[1:-1] + v[2:]) ** 2 / 8 + q**2 / 2 + q**4 / 4, axis=1)
        hidden, output = trace.fields["hidden.x"][0, 1:-1], trace.fields["output.x"][0, 1:-1]
        total = total - hidden @ first @ x[0] - np.einsum("ti,ij,tj->t", output, second, hidden)
        # It starts at rest at 0, with no energy.
        drifts.append(np.max(np.abs(total)))
    assert drifts[0] < 0.1
    assert np.log2(drifts[0] / drifts[1]) == pytest.approx(2, abs=0.2)


def test_a_damped_oscillator_fades_as_theory_says():
    """x(t) = exp(-g t/2) cos(sqrt(k - g^2/4) t) + ..., to second order of the step."""
    damping, errors = 0.4, []
    network = hamiltonian_network([Source("in", 1), Hamiltonian("cell", 1, harmonic(4.0), damping)])
    rate, omega = damping / 2, np.sqrt(4.0 - damping**2 / 4)
    for h in (0.05, 0.025):
        steps = round(5 / h)
        start = {"in": np.zeros((1, 1)), "cell_x": np.ones((1, 1)), "cell_v": np.zeros((1, 1))}
        x = Interpreter(network.lower()).run(start, steps, h).fields["cell.x"][0, :, 0]
        t = h * np.arange(steps + 1)
        exact = np.exp(-rate * t) * (np.cos(omega * t) + rate / omega * np.sin(omega * t))
        errors.append(np.max(np.abs(x - exact)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("damping", [-0.1, float("inf"), "0.1"])
def test_refused(damping):
    with pytest.raises(ParameterError, match="at least 0"):
        Hamiltonian("cells", 2, damping=damping)
