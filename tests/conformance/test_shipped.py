"""The shipped backends pass the conformance suite; what they refuse they have declared."""

import pytest

from physnn.substrate import find_backend
from physnn.testing.conformance import FAIL, SKIP, conform


@pytest.mark.parametrize("name", ["torch", "waveguide"])
def test_shipped_backend_conforms(name):
    outcomes = conform(find_backend(name))
    failed = [f"{o.feature}, {o.case}: {o.error} > {o.tolerance} {o.reason}" for o in outcomes if o.status == FAIL]
    assert failed == []
    assert all(o.reason for o in outcomes if o.status == SKIP)
    assert sum(o.status != SKIP for o in outcomes) > 50
    assert name != "torch" or all(o.status != SKIP for o in outcomes)
