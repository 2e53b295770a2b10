"""The shipped backends pass the conformance suite; what they refuse they have declared."""

from zlib import crc32

import pytest

from physnn.substrate import find_backend
from physnn.testing.conformance import FAIL, SKIP, conform

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
