"""Damped harmonic oscillators: where they rest, what they refuse; their frequencies are among the known answers."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.oscillators import Harmonic


def test_constant_drive_moves_the_rest_position():
    cells = Harmonic("cells", 3, frequency=[1.0, 2.0, 0.5], damping=0.3)
    network = Network((Source("in", 2), cells), (Link("in", "cells"),), Readout("cells"))
    system = network.lower(seed=2)
    u = np.array([[0.7, -1.1]])
    x = Interpreter(system).steady({"in": u}).outputs["y"][:, 0]
    np.testing.assert_allclose(x, u @ system.parameters["in->cells"].T / np.array([1.0, 4.0, 0.25]), rtol=1e-12)


def test_frequency_from_a_port_sample_by_sample():
    """Two samples with natural frequencies 1 and 2: the second one goes through the same phases in half the time."""
    ports = {"frequency": Input("cells", "omega"), "start": Input("cells", "x")}
    network = Network(
        (Harmonic("cells", 1, damping=0.0, trainable=(), integrator="rk4"),), (), Readout("cells"), inputs=ports
    )
    frequency, start = np.array([[1.0], [2.0]]), np.ones((2, 1))
    x = Interpreter(network.lower()).run({"frequency": frequency, "start": start}, 200, 0.02).outputs["y"][..., 0]
    # (omega dt)^4/120 a radian, over 4 radians
    np.testing.assert_allclose(x[1, :101], x[0, :201:2], atol=1e-6)
    np.testing.assert_allclose(x[0], np.cos(0.02 * np.arange(201)), atol=1e-6)


def test_energy_is_kept_without_damping():
    ports = {"start": Input("cells", "x")}
    network = Network((Harmonic("cells", 1, 1.5, 0.0),), (), Readout("cells"), inputs=ports)
    dt, omega = 0.1, 1.5
    trace = Interpreter(network.lower()).run({"start": np.ones((1, 1))}, 2000, dt)
    x, v = trace.fields["cells.x"], trace.fields["cells.v"]
    # Semi-implicit Euler keeps this quadratic form exactly, and with it the energy to within dt omega/2.
    kept = v**2 + omega**2 * x**2 - dt * omega**2 * x * v
    assert np.max(np.abs(kept / kept[:, :1] - 1)) < 1e-12


def test_refusals():
    with pytest.raises(UnknownNameError, match="integrator 'leapfrog'"):
        Harmonic("cells", 3, integrator="leapfrog").lower()
    with pytest.raises(ShapeError, match="'omega' has shape"):
        Harmonic("cells", 3, frequency=[1.0, 2.0]).lower()
    for strange in (float("nan"), -0.1, [0.1, -0.1, 0.1], "a"):
        with pytest.raises(ParameterError, match=r"damping.*finite and at least 0"):
            Harmonic("cells", 3, damping=strange)
    with pytest.raises(ParameterError, match=r"frequency.*not finite"):
        Harmonic("cells", 3, frequency=float("inf"))
    for strange, advice in ((True, r"'gamma',\)"), (None, r"'gamma',\)"), ("omega", r"'omega',\)")):
        with pytest.raises(ParameterError, match=f"no tuple of names.*{advice}"):
            Harmonic("cells", 3, trainable=strange).lower()
    with pytest.raises(
        UnknownNameError, match="trainable parameter of oscillators 'cells' 'omga'; did you mean 'omega'"
    ):
        Harmonic("cells", 3, trainable=("omga",)).lower()


@pytest.mark.parametrize("learnt", [(), ("omega",), ("gamma", "omega")])
def test_what_is_learnt(learnt):
    population = Harmonic("cells", 3, trainable=learnt).lower()
    assert {name for name, variable in population.variables.items() if variable.trainable} == set(learnt)
