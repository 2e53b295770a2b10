"""Fields with a force of their own: small waves, kinks at rest, forces written by users."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, System
from physnn.errors import EquationError, ParameterError, UnknownNameError
from physnn.media.fields import NonlinearField


def run(field, start, steps, dt):
    ports = {"psi": Input("f", "psi")}
    system = System.of([field.lower()], field.inner(0), ports, {"y": Output("f", "wave")})
    return Interpreter(system).run({"psi": start}, steps, dt).outputs["y"][0, :, 0, 0]


@pytest.mark.parametrize(
    ("force", "rest", "frequency"),
    [("sine-gordon", 0.0, 1.5), ("phi4", 1.0, 1.5 * np.sqrt(2)), ("phi4", -1.0, 1.5 * np.sqrt(2))],
)
def test_small_waves_have_the_frequency_of_the_well(force, rest, frequency):
    field = NonlinearField("f", 4, edges="periodic", force=force, constants={"w0": (1.5, "1/s")})
    found = run(field, np.full((1, 1, 1, 4), rest + 1e-5), 500, 0.01)
    # Of second order in the step: (w dt)^2/24 = 2e-5 of the phase of up to 10 rad.
    np.testing.assert_allclose(found[:, 2] - rest, 1e-5 * np.cos(0.01 * frequency * np.arange(501)), atol=1e-8)


@pytest.mark.parametrize(
    ("force", "shape"),
    [("sine-gordon", lambda x: 4 * np.arctan(np.exp(x))), ("phi4", lambda x: np.tanh(x / np.sqrt(2)))],
)
def test_a_kink_at_rest_stays(force, shape):
    x = 0.1 * (np.arange(201) - 100)
    start = shape(x)[None, None, None]
    found = run(NonlinearField("f", 201, spacing=0.1, edges="free", force=force), start, 500, 0.02)
    # The lattice's kink differs from the continuum's by dx^2/12 of its curvature, and rings about its own shape.
    assert np.abs(found - start[0, 0]).max() < 5e-3


def test_a_force_may_be_written_by_the_user():
    spring = NonlinearField("f", 3, edges="periodic", force="-s*psi", constants={"s": (4.0, "1/s**2")})
    found = run(spring, np.ones((1, 1, 1, 3)), 300, 0.01)
    np.testing.assert_allclose(found[:, 0], np.cos(0.02 * np.arange(301)), atol=1e-3)


def test_constants_of_the_force_may_be_learnt():
    field = NonlinearField("f", 3, force="-s*psi**3", constants={"s": (4.0, "1/s**2")}, trainable=("s", "c"))
    assert set(System.of([field.lower()], field.inner(0)).trainable) == {"f.s", "f.c"}
    with pytest.raises(UnknownNameError, match="'w0'"):
        NonlinearField("f", 3, force="-s*psi", constants={"s": (4.0, "1/s**2")}, trainable=("w0",))


def test_forces_that_do_not_fit_are_refused():
    with pytest.raises(EquationError, match="k2"):
        NonlinearField("f", 3, force="-k2*psi").lower()
    with pytest.raises(EquationError, match="dimension"):
        NonlinearField("f", 3, force="-w0*psi").lower()
    with pytest.raises(ParameterError, match="'c' is a quantity of the field"):
        NonlinearField("f", 3, force="-c*psi", constants={"c": (1.0, "1/s**2")})
