"""Energy layers: a force from an energy, reciprocity, and the state of rest."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import Link, Readout, Source
from physnn.media.energy import EnergyLayer, Reciprocal, energy_network

SIGMOID = {"rho": lambda u: 1 / (1 + np.exp(-u)), "slope": lambda s: s * (1 - s)}


def small(gain=1.0):
    parts = [Source("in", 4), EnergyLayer("hidden", 3), EnergyLayer("output", 2)]
    return energy_network(parts, gain=gain).lower(seed=3)


def weights(system):
    found = system.parameters
    return found["in->hidden"], found["hidden->output"]


def energy(system, x, states):
    """E, with G(s) = integral of rho^-1 = u s - log(1 + e^u) for the sigmoid."""
    first, second = weights(system)
    signals = [SIGMOID["rho"](u) for u in states]
    own = sum(np.sum(u * s - np.log1p(np.exp(u))) for u, s in zip(states, signals, strict=True))
    return own - signals[0] @ first @ x - signals[1] @ second @ signals[0]


def test_the_flow_goes_down_the_energy():
    """-dE/du, by central differences, is rho'(u) times du/dt."""
    system, rng = small(), np.random.default_rng(0)
    x, states = rng.normal(size=4), [rng.normal(size=3), rng.normal(size=2)]
    dt, h = 1e-6, 1e-5
    found = Interpreter(system).run({"in": x[None]}, 0, dt)
    state = {**found.state, "hidden.u": states[0][None], "output.u": states[1][None]}
    after = Interpreter(system).run({"in": x[None]}, 1, dt, state)
    for layer, name in enumerate(("hidden", "output")):
        flow = (after.fields[f"{name}.u"][0, 1] - after.fields[f"{name}.u"][0, 0]) / dt
        signal = SIGMOID["rho"](states[layer])
        for k in range(states[layer].size):
            moved = [[u.copy() for u in states] for _ in range(2)]
            moved[0][layer][k] += h
            moved[1][layer][k] -= h
            force = -(energy(system, x, moved[0]) - energy(system, x, moved[1])) / (2 * h)
            # (h^2 and rounding/h of the differences, rounding/dt of the flow)
            assert force == pytest.approx(SIGMOID["slope"](signal[k]) * flow[k], abs=1e-8)


def test_rest_is_where_each_layer_answers_to_both_neighbours():
    system, x = small(), np.random.default_rng(1).normal(size=(5, 4))
    first, second = weights(system)
    trace = Interpreter(system).steady({"in": x})
    h, y = (SIGMOID["rho"](trace.fields[f"{name}.u"][:, 0]) for name in ("hidden", "output"))
    np.testing.assert_allclose(h, SIGMOID["rho"](x @ first.T + y @ second), atol=1e-11)
    np.testing.assert_allclose(y, SIGMOID["rho"](h @ second.T), atol=1e-11)
    np.testing.assert_allclose(trace.outputs["y"][:, 0], y, atol=1e-15)


def test_a_nudge_is_a_force_on_the_output():
    system, force = small(gain=0.0), np.array([[0.3, -0.7]])
    trace = Interpreter(system).steady({"in": np.zeros((1, 4)), "nudge": force})
    np.testing.assert_allclose(trace.fields["output.u"][:, 0], force, atol=1e-15)
    np.testing.assert_allclose(trace.fields["hidden.u"][:, 0], 0.0, atol=1e-15)


def test_weights_are_shared_both_ways():
    system = small()
    assert system.trainable == ("in->hidden", "hidden->output", "bias->hidden", "bias->output")
    assert system.couplings["hidden<-output"].initial is system.couplings["hidden->output"].initial
    assert "in<-hidden" not in system.couplings


def test_a_layer_coupled_to_itself_feels_the_symmetric_part_twice():
    layer = EnergyLayer("cells", 3, "identity", bias=False)
    inner = 0.1 * np.random.default_rng(2).normal(size=(3, 3))
    links = (Link("in", "cells", weights=np.eye(3)), Link("cells", "cells", "K", weights=inner))
    system = Reciprocal((Source("in", 3), layer), links, Readout("cells", "s")).lower()
    x = np.array([[1.0, -0.5, 0.3]])
    rest = Interpreter(system).steady({"in": x}).outputs["y"][0, 0]
    np.testing.assert_allclose(rest, np.linalg.solve(np.eye(3) - inner - inner.T, x[0]), rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"activation": "sigmoide"}, UnknownNameError),
        ({"size": 0}, ShapeError),
        ({"size": 2.5}, ShapeError),
        ({"time_constant": 0.0}, ParameterError),
        ({"time_constant": float("nan")}, ParameterError),
    ],
)
def test_refused(options, error):
    with pytest.raises(error, match=r"cells|activation"):
        EnergyLayer(**{"name": "cells", "size": 3, **options})
