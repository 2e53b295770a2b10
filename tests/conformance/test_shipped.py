"""The shipped backends pass the conformance suite; what they refuse they have declared."""

from zlib import crc32

import pytest

from physnn.substrate import find_backend
from physnn.testing.conformance import FAIL, PASS, SKIP, conform

PARTS = 6
"""of the suite, so that workers share it"""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ["torch", "waveguide"])
def test_shipped_backend_conforms(name, part):
    outcomes = conform(find_backend(name), wanted=lambda feature, case: crc32(case.encode()) % PARTS == part)
    failed = [f"{o.feature}, {o.case}: {o.error} > {o.tolerance} {o.reason}" for o in outcomes if o.status == FAIL]
    assert failed == []
    assert all(o.reason for o in outcomes if o.status == SKIP)
    assert sum(o.status != SKIP for o in outcomes) > 20
    assert name != "torch" or all(o.status != SKIP for o in outcomes)


FEW = ("waveguide-tanh", "envelope-duffing", "wave-field-absorbing", "stuart-landau", "lif-adaptive", "diode-shunt",
       "conv-lstm", "critical-modes-coupled", "delays", "events", "constraints", "complex states",
       "integrators, rk4")  # fmt: skip
"""cases whose gradients, batches and continued runs stand for all; `physnn conform brian2` makes every comparison"""


@pytest.mark.parametrize("part", range(PARTS))
def test_brian2_conforms(part):
    """Every trajectory and every feature; of media, what takes longest for a few alone."""
    pytest.importorskip("brian2", reason="the brian2 extra is not installed")
    many = ("gradients, in time", "gradients, stationary", "stationary states", "batches", "continued runs")

    def wanted(feature, case):
        return crc32(case.encode()) % PARTS == part and (feature not in many or case in FEW)

    outcomes = conform(find_backend("brian2"), wanted=wanted)
    assert [f"{o.feature}, {o.case}: {o.error} > {o.tolerance} {o.reason}" for o in outcomes if o.status != PASS] == []
    assert len(outcomes) > 10
