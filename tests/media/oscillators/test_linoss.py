"""LinOSS: what its schemes keep and forget, and what it refuses; its recursions are among the known answers."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter
from physnn.errors import UnknownNameError
from physnn.media import Network, Readout
from physnn.media.oscillators import LinOSS


def run(scheme, dt, steps, stiffness=(0.5, 3.0)):
    network = Network((LinOSS("cells", 2, stiffness, scheme),), (), Readout("cells"), inputs={"x": Input("cells", "x")})
    return Interpreter(network.lower()).run({"x": np.ones((1, 2))}, steps, dt).outputs["y"][0]


def test_the_implicit_scheme_forgets_and_the_other_does_not():
    forgot, kept = run("IM", 0.2, 400), run("IMEX", 0.2, 400)
    bound = (1 + 0.2**2 * np.array([0.5, 3.0])) ** -200.0
    assert np.all(np.abs(forgot[-1]) <= 1.05 * bound)
    assert np.all(np.max(np.abs(kept[-100:]), axis=0) > 0.95)


def test_the_implicit_scheme_is_stable_at_any_step():
    assert np.max(np.abs(run("IM", 50.0, 20))) <= 1.0


def test_stiffness_below_zero_counts_as_zero():
    x = run("IM", 0.2, 50, stiffness=(-2.0, 0.0))
    np.testing.assert_array_equal(x, np.ones((51, 2)))


def test_unknown_scheme():
    with pytest.raises(UnknownNameError, match="did you mean 'IMEX'"):
        LinOSS("cells", 2, scheme="IMX")
