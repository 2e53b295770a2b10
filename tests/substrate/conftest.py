"""Profiles made of a few numbers."""

import pytest

from physnn.substrate.profiles import Profile


def quantity(value, unit="1"):
    return {"value": value, "unit": unit, "evidence": "assumed", "source": "assumption: for tests", "verified": False}


@pytest.fixture
def make_profile():
    """Makes an analog profile: tables of numbers, or of (number, unit); precision as plain bits."""

    def make(precision=None, **tables):
        entries = {
            table: {key: quantity(*(v if isinstance(v, tuple) else (v,))) for key, v in numbers.items()}
            for table, numbers in tables.items()
        }
        if precision:
            entries["precision"] = {**precision, "source": "assumption: for tests"}
        head = {"name": "bench", "title": "Bench", "kind": "analog", "backends": ["waveguide"], "description": "Tests."}
        return Profile.model_validate({**head, **entries})

    return make
