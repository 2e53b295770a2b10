"""The suite fails a sloppy backend, each of its faults by a comparison that is named for it."""

import importlib.util
from pathlib import Path

import pytest

from physnn.testing.conformance import FAIL, conform

_spec = importlib.util.spec_from_file_location("sloppy", Path(__file__).with_name("sloppy.py"))
sloppy = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sloppy)

CAUGHT_BY = {
    "float16 states": ("stationary states", "waveguide-tanh"),
    "forgotten transpose": ("transposed couplings", "dense"),
    "shared random stream": ("seeds", "waveguide-tanh"),
    "off-by-one delay": ("delays", "pulse arrives on time"),
}


def failures(fault, wanted):
    return {(o.feature, o.case): o for o in conform(sloppy.Sloppy(fault), wanted=wanted) if o.status == FAIL}


def test_without_a_fault_it_conforms():
    """In all that tells its faults; its sound half is the torch backend, which has a test of its own."""
    told = {feature for feature, _ in CAUGHT_BY.values()}
    assert failures(None, lambda feature, case: feature in told or case == "waveguide-tanh") == {}


@pytest.mark.parametrize("fault", sloppy.FAULTS)
def test_each_fault_fails_its_comparison(fault):
    assert CAUGHT_BY[fault] in failures(fault, lambda *of: of == CAUGHT_BY[fault])
