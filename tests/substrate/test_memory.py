"""What a substrate remembers of its parameters."""

import numpy as np
import pytest

from physnn.errors import ParameterError
from physnn.media import Network, Source, Waveguide
from physnn.substrate.memory import Memory
from physnn.substrate.placement import place
from physnn.substrate.profiles import find_profile

KEY = "in->a"


def placed():
    network = Network.layered((Source("in", 3), Waveguide("a", 2)))
    return place(network.lower(0), find_profile("ideal-waveguide"))


def test_what_is_refused_leaves_all_as_it_was():
    def judge(memory, new, held):
        if memory.writes and np.max(held[KEY]) > 5:
            raise ParameterError("too large")

    memory = Memory(placed(), judge)
    before = memory.snapshot()
    with pytest.raises(ParameterError, match="too large"):
        memory.write({KEY: np.full((2, 3), 6.0)})
    assert memory.writes == before["writes"] == 1
    assert np.array_equal(memory.read()[KEY], before["written"][KEY])
    assert np.array_equal(memory.held[KEY], before["held"][KEY])


def test_a_snapshot_is_a_copy_and_can_be_gone_back_to():
    memory = Memory(placed())
    kept = memory.snapshot()
    memory.write({KEY: np.ones((2, 3))})
    assert np.all(memory.held[KEY] == 1)
    memory.restore(kept)
    memory.written[KEY][...] = 7.0
    assert not np.any(kept["written"][KEY] == 7)
    assert memory.writes == 1
