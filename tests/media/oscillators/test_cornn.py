"""The coRNN: its couplings, its bound, what it refuses; its update is among the known answers."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import EquationError, ParameterError
from physnn.media import Link, Network, Readout, Source
from physnn.media.oscillators import CoRNN


def network(**options):
    return Network((Source("in", 2), CoRNN("cells", 20, **options)), (Link("in", "cells"),), Readout("cells", "y"))


def test_what_is_learnt():
    system = network().lower()
    wanted = {"cells.W", "cells.Wv", "in->cells", "bias->cells", "cells.gamma", "cells.epsilon"}
    assert set(system.trainable) == wanted
    assert set(network(bias=False).lower().trainable) == wanted - {"bias->cells"}


def test_initial_couplings_follow_seed_and_gain():
    first, again, other = (network(gain=0.5).lower(seed).parameters["cells.W"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    # the standard error of the spread of n normal numbers is spread/sqrt(2 n)
    spread = 0.5 / np.sqrt(20)
    assert abs(first.std() - spread) < 4 * spread / np.sqrt(2 * first.size)


def test_its_force_is_bounded():
    """However strong, a constant input is a push by force at most: the overshoot stays below twice force/gamma."""
    system = network(gain=3.0, stiffness=2.0, damping=0.5, force=1.0).lower()
    y = Interpreter(system).run({"in": np.full((1, 2), 1e3)}, 2000, 0.05).outputs["y"]
    assert 0.1 < np.max(np.abs(y)) < 2 * 1.0 / 2.0 * 1.05  # explicit in y: 5 % for the step


def test_refusals():
    with pytest.raises(ParameterError, match="gain"):
        CoRNN("cells", 3, gain=float("inf"))
    with pytest.raises(EquationError, match="1/s"):
        Network((Source("in", 2), CoRNN("cells", 3)), (Link("in", "cells", unit="1/s"),), Readout("cells", "y")).lower()
