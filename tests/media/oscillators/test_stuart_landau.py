"""Stuart-Landau oscillators: the growth of a free one in closed form, and rest without start."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.media import Network, Readout
from physnn.media.oscillators import StuartLandau


def run(dt, steps, **options):
    network = Network((StuartLandau("cells", 1, **options),), (), Readout("cells", "a"))
    return Interpreter(network.lower()).run({}, steps, dt).outputs["y"][0, :, 0]


@pytest.mark.parametrize(("integrator", "order"), [("exponential", 1), ("rk4", 4)])
def test_growth_follows_the_logistic_curve(integrator, order):
    """|a|^2 = (mu/k)/(1 + (mu/(k a0^2) - 1) exp(-2 mu t)), and the phase turns at omega."""
    mu, omega, k, start = 0.6, 1.5, 0.8, 0.1
    errors = []
    for dt in (0.1, 0.05):
        a = run(dt, round(10 / dt), growth=mu, frequency=omega, saturation=k, start=start, integrator=integrator)
        t = dt * np.arange(len(a))
        size = np.sqrt(mu / k / (1 + (mu / (k * start**2) - 1) * np.exp(-2 * mu * t)))
        errors.append(np.max(np.abs(a - size * np.exp(1j * omega * t))))
    # The next order changes the ratio of the errors by less than a fifth here.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_a_linear_one_is_exact_with_the_exponential_integrator():
    a = run(0.3, 30, growth=-0.2, frequency=2.0, saturation=0.0, start=1.0)
    np.testing.assert_allclose(a, np.exp((-0.2 + 2j) * 0.3 * np.arange(31)), rtol=1e-13)


def test_one_that_starts_at_zero_stays_there():
    assert np.all(run(0.1, 50, growth=1.0, start=0.0) == 0)
