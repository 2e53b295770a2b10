"""Duffing oscillators: their rest positions, and the energy of a free one."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter
from physnn.media import Network, Readout
from physnn.media.oscillators import Duffing


def free(x, v, dt, steps, **options):
    cells = Duffing("cells", 1, **options)
    ports = {"x": Input("cells", "x"), "v": Input("cells", "v")}
    system = Network((cells,), (), Readout("cells"), inputs=ports).lower()
    trace = Interpreter(system).run({"x": np.array([[x]]), "v": np.array([[v]])}, steps, dt)
    return trace.fields["cells.x"][0, :, 0], trace.fields["cells.v"][0, :, 0]


@pytest.mark.parametrize("start", [0.3, -0.3])
def test_two_wells(start):
    """With k below 0 it comes to rest at sqrt(-k/beta), on the side where it started."""
    x, v = free(start, 0.0, 0.05, 2000, stiffness=-1.0, hardening=4.0, damping=0.5)
    assert x[-1] == pytest.approx(np.sign(start) * 0.5, abs=1e-9)
    assert v[-1] == pytest.approx(0.0, abs=1e-9)


def test_energy_of_a_free_one():
    """Runge-Kutta keeps v^2/2 + k x^2/2 + beta x^4/4 to fourth order in the step."""
    drifts = []
    for dt in (0.1, 0.05):
        x, v = free(1.2, 0.4, dt, round(20 / dt), stiffness=1.0, hardening=0.5, damping=0.0, integrator="rk4")
        energy = v**2 / 2 + x**2 / 2 + 0.5 * x**4 / 4
        drifts.append(np.max(np.abs(energy - energy[0])))
    assert drifts[0] < 1e-3
    assert np.log2(drifts[0] / drifts[1]) > 3.8


def test_damping_is_that_of_the_linear_oscillator_at_small_amplitude():
    x, _ = free(1e-3, 0.0, 0.01, 4000, stiffness=4.0, hardening=0.5, damping=0.2)
    peaks = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] > x[2:])) + 1
    rate = -np.polyfit(0.01 * peaks, np.log(x[peaks]), 1)[0]
    assert rate == pytest.approx(0.1, rel=0.01)  # g/2, to first order in the step
