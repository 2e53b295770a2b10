"""Banks of ideal transformers: scattering, what is conserved, the two terms of the gradient, and what is refused."""

import numpy as np
import pytest

from physnn.analysis import impedance as closed
from physnn.equations import Interpreter, OneToOne, companion_inputs, gradient, reflected
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media import Link, Network, Readout, Source
from physnn.media.impedances import Line, Resistor, Step, Termination, TransformerBank

SIZES = [(4, 3), (3, 5), (1, 4), (3, 3)]
ROUNDING = 1e-13  # matrices of a few rows, condition numbers below 100


def between(bank, before, behind, inner=None, load=None):
    """Sources, lines, bank, lines, loads that are driven too; matched unless said otherwise."""
    first = bank.primary
    near, far = Line("near", first, tuple(before), 1.0), Line("far", len(behind), tuple(behind), 1.0)
    left = Termination("left", first, Resistor(tuple(before) if inner is None else inner))
    right = Termination("right", len(behind), Resistor(tuple(behind) if load is None else load))
    links = (
        Link("in 1", "left", operator=OneToOne((first,)), weights=np.ones(first), trainable=False),
        Link("in 2", "right", operator=OneToOne((len(behind),)), weights=np.ones(len(behind)), trainable=False),
        *near.links("left", f"{bank.name}:1"),
        *far.links(f"{bank.name}:2", "right"),
    )
    parts = (Source("in 1", first), Source("in 2", len(behind)), left, near, bank, far, right)
    return Network(parts, links, Readout("right", "u"))


def drawn(first, second, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(second, first)), rng.uniform(0.3, 3, first), rng.uniform(0.3, 3, second)


def scattering(turns, before, behind):
    """S from pulses at one port after the other."""
    second, first = turns.shape
    system = between(TransformerBank("bank", first, second, turns), before, behind).lower()
    drive = {"in 1": np.zeros((first + second, 3, first)), "in 2": np.zeros((first + second, 3, second))}
    drive["in 1"][:first, 0], drive["in 2"][first:, 0] = 2 * np.eye(first), 2 * np.eye(second)
    fields = Interpreter(system).run(drive, 3, 1.0).fields
    return np.concatenate([fields["left.b"][:, 2], fields["right.b"][:, 2]], axis=1).T


@pytest.mark.parametrize(("first", "second"), SIZES)
def test_pulses_scatter_as_the_closed_form_says(first, second):
    turns, before, behind = drawn(first, second)
    np.testing.assert_allclose(
        scattering(turns, before, behind), closed.transformer_bank(turns, before, behind), atol=ROUNDING
    )


@pytest.mark.parametrize(("first", "second"), SIZES)
def test_banks_are_lossless_and_reciprocal(first, second):
    turns, before, behind = drawn(first, second, seed=1)
    s, z = scattering(turns, before, behind), np.diag(np.concatenate([before, behind]))
    np.testing.assert_allclose(s.T @ np.linalg.inv(z) @ s, np.linalg.inv(z), atol=ROUNDING)
    np.testing.assert_allclose(s @ z, (s @ z).T, atol=ROUNDING)


def test_a_single_winding_of_one_is_a_step():
    s = scattering(np.ones((1, 1)), np.array([50.0]), np.array([75.0]))
    line = Line("near", 1, 50.0, 1.0), Line("far", 1, 75.0, 1.0)
    links = (
        Link("in 1", "left", operator=OneToOne((1,)), weights=np.ones(1)),
        *line[0].links("left", "step:1"),
        *line[1].links("step:2", "right"),
    )
    ends = Termination("left", 1, Resistor(50.0)), Termination("right", 1, Resistor(75.0))
    system = Network((Source("in 1", 1), *ends, *line, Step("step", 1)), links, Readout("right", "u")).lower()
    drive = np.zeros((1, 3, 1))
    drive[:, 0] = 2.0
    fields = Interpreter(system).run({"in 1": drive}, 3, 1.0).fields
    np.testing.assert_allclose([fields["left.b"][0, 2, 0], fields["right.b"][0, 2, 0]], s[:, 0], rtol=1e-14)


@pytest.mark.parametrize(("first", "second"), SIZES)
def test_at_rest_lines_are_wires_and_the_bank_transforms(first, second):
    """v_2 = W v_1 and i_1 = -W^T i_2 at the ends of lossless lines."""
    turns, before, behind = drawn(first, second, seed=2)
    system = between(TransformerBank("bank", first, second, turns), before, behind, inner=0.7, load=1.9).lower()
    e = np.random.default_rng(3).normal(size=(2, first))
    fields = Interpreter(system).steady({"in 1": e, "in 2": np.zeros((2, second))}, tolerance=1e-14).fields
    v_1, v_2 = (2 * fields[f"{end}.b"][:, 0] for end in ("left", "right"))
    v_1 = (v_1 * 0.7 + e * before) / (before + 0.7)
    v_2 = v_2 * 1.9 / (behind + 1.9)
    np.testing.assert_allclose(v_2, v_1 @ turns.T, atol=1e-11)  # sweeps stop at 1e-14 of a slow echo
    np.testing.assert_allclose((e - v_1) / 0.7, (v_2 / 1.9) @ turns, atol=1e-11)


@pytest.mark.parametrize(("first", "second"), [(3, 2), (2, 3)])
def test_the_gradient_of_the_turns_has_both_terms(first, second):
    """Two reflected fields against finite differences; either coupling alone is not the gradient."""
    turns, before, behind = drawn(first, second, seed=4)
    network = between(TransformerBank("bank", first, second, turns), before, behind, inner=0.4, load=3.0)
    system, rng = network.lower(), np.random.default_rng(5)
    drive = {"in 1": rng.normal(size=(2, first)), "in 2": rng.normal(size=(2, second))}
    aim, along = rng.normal(size=(2, second)), rng.normal(size=turns.shape)

    def loss(turns):
        return np.sum(Interpreter(system, {"bank": turns}).run(drive, 12, 1.0).outputs["y"][:, -1] * aim)

    trace = Interpreter(system).run(drive, 12, 1.0)
    cotangent = np.zeros_like(trace.outputs["y"])
    cotangent[:, -1] = aim
    companion = reflected(system)
    inputs = companion_inputs(companion, trace, {"y": cotangent})
    echo = Interpreter(companion.system, system.parameters).run(inputs, 13, 1.0)
    found = np.sum(gradient(np, system, companion, trace, echo)["bank"] * along)
    h = 1e-4
    wanted = (
        8 * (loss(turns + h * along) - loss(turns - h * along))
        - (loss(turns + 2 * h * along) - loss(turns - 2 * h * along))
    ) / (12 * h)
    assert found == pytest.approx(wanted, rel=1e-9)  # differences of fourth order
    one = {name: port for name, port in companion.reflected.items() if name == "bank"}
    alone = type(companion)(companion.system, companion.incident, companion.errors, one, companion.feedback)
    partial = np.sum(gradient(np, system, alone, trace, echo)["bank"] * along)
    assert abs(partial - wanted) > 0.01 * abs(wanted)


def test_one_parameter_for_both_ways():
    system = between(TransformerBank("bank", 3, 2), np.ones(3), np.ones(2)).lower(seed=5)
    assert [key for key in system.trainable if key.startswith("bank")] == ["bank"]
    assert not TransformerBank("bank", 3, 2, trainable=False).inner(0)[0].trainable
    assert system.parameters["bank"].shape == (2, 3)
    again = between(TransformerBank("bank", 3, 2), np.ones(3), np.ones(2)).lower(seed=6)
    assert not np.array_equal(system.parameters["bank"], again.parameters["bank"])


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"primary": 0}, ShapeError, "at least 1"),
        ({"turns": np.ones((3, 2))}, ShapeError, r"\(2, 3\) is needed"),
        ({"turns": np.full((2, 3), np.nan)}, ParameterError, "not finite"),
        ({"turns": np.ones((2, 3)) * 1j}, ParameterError, "real numbers"),
        ({"gain": np.inf}, ParameterError, "gain"),
    ],
)
def test_what_is_no_bank_is_refused(options, error, said):
    with pytest.raises(error, match=rf"bank 'bank'.*{said}"):
        TransformerBank(**{"name": "bank", "primary": 3, "secondary": 2, **options})


def test_each_side_needs_one_bundle_of_lines():
    bank, line = TransformerBank("bank", 2, 2), Line("line", 2, 1.0, 1.0)
    end = Termination("end", 2, Resistor(1.0))
    with pytest.raises(EquationError, match=r"no line ends at its side 2.*'bank:2'"):
        Network((line, bank, end), line.links("end", "bank:1"), Readout("end", "u")).lower()
    with pytest.raises(EquationError, match="at its side '3'"):
        Network((line, bank, end), line.links("end", "bank:3"), Readout("end", "u")).lower()
    with pytest.raises(ShapeError, match="one-to-one"):
        between(TransformerBank("bank", 2, 3), np.ones(2), np.ones(2)).lower()


def test_populations_of_parts_need_names_of_their_own():
    bank, line = TransformerBank("bank", 1, 1), Line("line", 1, 1.0, 1.0)
    parts = (Source("bank 1", 1), line, bank, Termination("end", 1, Resistor(1.0)))
    with pytest.raises(EquationError, match="two populations have one name"):
        Network(parts, line.links("end", "bank:1"), Readout("end", "u")).lower()
