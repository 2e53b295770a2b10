"""Torch's own derivative of passive networks, the reference of learning rules, against differences of the loss."""

import numpy as np
import pytest

from physnn.media.impedances import passive_network
from physnn.substrate import build

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

LEARNT = ("turns", "impedances", "losses", "shunts", "terminations")
STEP = 1e-6


@pytest.fixture(scope="module")
def substrate():
    return build(passive_network((4, 3, 2), (1.0, 2.0, 1.5), train=LEARNT, transmission=0.98), "ideal-torch", step=1.0)


@pytest.mark.parametrize("duration", [7.0, None], ids=["in time", "stationary"])
def test_it_is_the_slope_by_every_parameter_also_those_that_are_told(substrate, duration):
    """Impedances are told to junctions, where they are computed with once and not followed; the derivative must be."""
    rng = np.random.default_rng(0)
    given = {"in": substrate.asarray(0.3 * rng.normal(size=(5, 4)))}

    def loss():
        trace = substrate.steady(given, 1e-14) if duration is None else substrate.run(given, duration)
        return 0.5 * float((trace.outputs["y"] ** 2).sum())

    slopes, _ = substrate.differentiate(given, duration, lambda trace: {"y": trace.outputs["y"]})
    held = substrate.read()
    assert {key.rpartition(".")[2] for key in slopes} >= {"W1", "Z0", "alpha", "I", "V", "R"}
    for key, slope in slopes.items():
        direction = substrate.asarray(rng.normal(size=tuple(slope.shape)))
        direction = direction / direction.norm()
        sides = []
        for sign in (1, -1):
            substrate.write({key: held[key] + sign * STEP * direction})
            sides.append(loss())
        substrate.write({key: held[key]})
        measured = (sides[0] - sides[1]) / (2 * STEP)
        size = max(float(slope.norm()), 1.0)
        # rounding of the loss, of order 1, over the step; truncation of the third derivative
        assert float((slope * direction).sum()) == pytest.approx(measured, abs=1e-7 * size), key
