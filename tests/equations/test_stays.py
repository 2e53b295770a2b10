"""Stationary states at which nothing stays are none, and what changes with the time has none."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, Population, System
from physnn.errors import CapabilityError, NumericsError
from physnn.substrate.registry import build

BISTABLE = "dx/dt = (x - x**3 + u)/tau : 1\nu : 1 (input)\ntau : s (parameter)"


def alone(text, **values):
    cells = Population.from_text("a", 1, text, values)
    return System.of([cells], inputs={"u": Input("a", "u")}, outputs={"y": Output("a", "x")})


def steady(system, executor, u=0.0):
    if executor == "interpreter":
        return Interpreter(system).steady({"u": np.full((1, 1), u)}).outputs["y"].item()
    substrate = build(system, "ideal-torch")
    return float(substrate.steady({"u": substrate.asarray(np.full((1, 1), u))}).outputs["y"].item())


@pytest.mark.parametrize("executor", ["interpreter", "torch"])
class TestStays:
    @pytest.mark.parametrize("start", [0.9, -1.2])
    def test_the_search_starts_where_the_medium_starts(self, executor, start):
        assert steady(alone(BISTABLE, tau=1.0, x=start), executor) == pytest.approx(np.sign(start), abs=1e-12)

    def test_the_crest_between_two_wells_is_refused(self, executor):
        with pytest.raises(NumericsError, match="does not stay"):
            steady(alone(BISTABLE, tau=1.0, x=0.0), executor)

    def test_what_changes_with_the_time(self, executor):
        text = "dx/dt = (u*cos(t/tau) - x)/tau : 1\nu : 1 (input)\ntau : s (parameter)"
        with pytest.raises(CapabilityError, match="changes with the time"):
            steady(alone(text, tau=1.0), executor, 1.0)
