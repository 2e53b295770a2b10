"""Matched couplings and matching sections: what they make of reflections, and what calibration sets."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.analysis.impedance import transformer_bank
from physnn.equations import Dense, Interpreter
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media.envelope import EnvelopeMedium
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.normalisation import MatchingSection, calibrated, matched_weights, with_sections
from physnn.media.readout import Readout
from physnn.media.waveguide import Waveguide


def reflected_share(weights, waves, ratio=1.0):
    """Power that a bank of transformers sends back over the power that comes in, over samples (n, lines before)."""
    lines = weights.shape[1]
    back = waves @ transformer_bank(weights, ratio, 1.0)[:lines, :lines].T
    return np.sum(back**2) / np.sum(waves**2)


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (9, 4)])
@pytest.mark.parametrize("ratio", [0.25, 1.0, 3.0])
def test_matched_weights_reflect_nothing(rows, columns, ratio):
    weights = matched_weights(0, "in->layer", rows, columns, ratio)
    waves = np.random.default_rng(0).normal(size=(50, columns))
    assert reflected_share(weights, waves, ratio) < 1e-28


def test_matched_weights_pass_all_that_a_narrowing_bank_can_pass():
    weights = matched_weights(0, "in->layer", 4, 9)
    waves = np.random.default_rng(0).normal(size=(20_000, 9))
    # Five of nine directions have nowhere to go; 20,000 samples know the share to about 0.002.
    assert abs(reflected_share(weights, waves) - 5 / 9) < 0.01


def test_matched_weights_follow_their_name_and_seed():
    weights = matched_weights(1, "a->b", 3, 4)
    np.testing.assert_array_equal(weights, matched_weights(1, "a->b", 3, 4))
    assert not np.allclose(weights, matched_weights(1, "a->c", 3, 4))
    assert not np.allclose(weights, matched_weights(2, "a->b", 3, 4))


def test_matched_weights_refuse_what_is_no_ratio_or_size():
    with pytest.raises(ParameterError, match="above 0"):
        matched_weights(0, "a->b", 3, 4, ratio=0.0)
    with pytest.raises(ShapeError, match="'a->b'"):
        matched_weights(0, "a->b", 0, 4)


def envelopes(bias=True):
    layers = [EnvelopeMedium("first", 6, bias=bias), EnvelopeMedium("second", 4, bias=False)]
    return replace(Network.layered([Source("in", 5), *layers], gain=3.0), readout=Readout("second", "p"))


def test_sections_change_nothing_until_calibrated():
    inputs = {"in": np.random.default_rng(0).normal(size=(3, 5))}
    plain, sectioned = envelopes(), with_sections(envelopes(), carries="complex")
    wanted, found = (Interpreter(n.lower(seed=5)).steady(inputs).outputs["y"] for n in (plain, sectioned))
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("carries", ["real", "complex"])
def test_calibration_makes_arrivals_centred_and_of_unit_power(carries):
    layers = [Waveguide("first", 6), Waveguide("second", 4)]
    network = envelopes() if carries == "complex" else Network.layered([Source("in", 5), *layers], gain=3.0)
    inputs = {"in": 2.0 + np.random.default_rng(0).normal(size=(40, 5))}
    ready = calibrated(with_sections(network, carries=carries), inputs, seed=6)
    trace = Interpreter(ready.lower(seed=6)).steady(inputs)
    for name in ("first", "second"):
        sent = trace.sent[f"{name}-section->{name}"][:, 0]
        np.testing.assert_allclose(np.mean(sent, axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(np.mean(np.abs(sent) ** 2, axis=0), 1.0, rtol=1e-12)


def test_a_silent_line_keeps_the_gain_one():
    network = with_sections(Network.layered([Source("in", 2), Waveguide("layer", 2)]))
    weights = {"in->layer": np.array([[1.0, 0.0], [0.0, 0.0]])}
    ready = calibrated(network, {"in": np.array([[1.0, 0.0], [3.0, 0.0]])}, parameters=weights)
    section = next(part for part in ready.parts if isinstance(part, MatchingSection))
    np.testing.assert_allclose(section.gain, [1.0, 1.0])
    np.testing.assert_allclose(section.offset, [2.0, 0.0])


def test_calibration_matches_a_wide_bank_for_white_waves_and_not_for_correlated_ones():
    size, lines = 8, 400
    draw = np.random.default_rng(7)
    white = draw.normal(size=(300, lines))
    shared = white + 5.0 * draw.normal(size=(300, 1))
    weights = 4.0 * draw.normal(size=(size, lines)) / np.sqrt(lines)
    passing = np.linalg.svd(weights)[2][:size]
    shares = {}
    for name, waves in (("white", white), ("shared", shared)):
        network = Network(
            (Source("in", lines), MatchingSection("section", size)),
            (Link("in", "section", weights=weights),),
            Readout("section", "y"),
        )
        section = calibrated(network, {"in": waves}).parts[1]
        seen = waves @ passing.T @ passing
        shares[name] = reflected_share(weights, seen), reflected_share(np.diag(section.gain) @ weights, seen)
    before, after = shares["white"]
    # Singular values near 4 reflect ((16 - 1)/(16 + 1))^2 = 0.78; rows of unit length leave a spread of sqrt(8/400).
    assert before > 0.7
    assert after < 0.05
    # Waves that all lines share make every row look strong: the bank is set too weak for what tells samples apart.
    assert shares["shared"][1] > 0.3


def test_what_a_section_refuses():
    with pytest.raises(ParameterError, match="'real' or 'complex'"):
        MatchingSection("section", 2, carries="quaternion")
    with pytest.raises(ShapeError, match="section"):
        MatchingSection("section", 0)
    with pytest.raises(EquationError, match="with_sections"):
        calibrated(envelopes(), {"in": np.ones((2, 5))})
    loop = Network.layered([Source("in", 2), Waveguide("layer", 2)])
    loop = replace(loop, links=(*loop.links, Link("layer", "layer", operator=Dense(2, 2))))
    with pytest.raises(EquationError, match="without a loop"):
        calibrated(with_sections(loop), {"in": np.ones((2, 2))})
