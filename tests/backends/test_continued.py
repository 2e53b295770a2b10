"""Runs on torch that continue others: without inputs, with a state of something else, in single precision."""

import numpy as np
import pytest

from physnn.equations import Input
from physnn.errors import ParameterError, ShapeError
from physnn.media import Network, Readout, Source, WaveField
from physnn.media.catalogue import MEDIA
from physnn.substrate import build

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

FIELD = Network((WaveField("field", 12),), (), Readout("field", "psi"), inputs={"start": Input("field", "psi")})


def struck(batch=3):
    substrate = build(FIELD, "ideal-torch", step=0.4)
    start = np.random.default_rng(0).normal(size=(batch, *substrate.placed.system.populations["field"].shape))
    return substrate, {"start": substrate.asarray(start)}


def test_a_field_that_only_its_start_drives_is_continued_without_inputs():
    substrate, start = struck()
    whole = substrate.run(start, 8.0).outputs["y"]
    first = substrate.run(start, 4.0)
    second = substrate.run({}, 4.0, first.state).outputs["y"]
    assert torch.equal(second, whole[:, 10:])


def test_a_state_of_another_network_is_explained():
    substrate, _ = struck()
    other = build(Network((Source("in", 2),), (), Readout("in", "u")), "ideal-torch", step=0.4)
    state = other.run({"in": other.asarray(np.ones((3, 2)))}, 1.0).state
    with pytest.raises(ParameterError, match=r"no 'field\.psi'"):
        substrate.run({}, 1.0, state)


def test_another_batch_is_explained():
    substrate, start = struck()
    state = substrate.run(start, 1.0).state
    with pytest.raises(ShapeError, match="the inputs have a batch of 2, the state to be continued one of 3"):
        substrate.run({"start": start["start"][:2]}, 1.0, state)


def test_lines_come_to_rest_in_single_precision():
    """A loop is swept until nothing moves by more than numbers of this precision can tell."""
    substrate = build(MEDIA["impedance-step"].build(), "cpu-x86")
    port, place = next(iter(substrate.placed.system.inputs.items()))
    ones = substrate.asarray(np.ones((2, *substrate.placed.system.populations[place.population].shape)))
    assert ones.dtype == torch.float32
    assert bool(torch.isfinite(substrate.steady({port: ones}).outputs["y"]).all())
