"""Expressions whose slow parts are computed once: the same numbers as in one piece, and no more work than is needed."""

import numpy as np
import pytest

from physnn.equations import Population
from physnn.execution import NumpyArrays
from physnn.execution.bundle import Bundle, Known, Scaled

TEXT = """
b  : V   (arrival)
e  : V   (arrival)
dZ : ohm (arrival)
R  : ohm (parameter)
k  : 1   (parameter)
x  : V   (arrival)
"""
LAYERS = ({"dZ", "R", "k"}, {"e"})
NAMES = ("b", "e", "dZ", "R", "k", "x")


@pytest.fixture
def population():
    return Population.from_text("end", 3, TEXT, {"R": 1.0, "k": 1.0})


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    own = {name: rng.normal(size=(4, 3)) for name in ("b", "e", "x")}
    told = np.broadcast_to(rng.uniform(1, 2, size=(1, 3)), (4, 3))
    return {**own, "dZ": told, "R": rng.uniform(1, 2, 3), "k": rng.uniform(0.5, 1, 3)}


def bundle(population, *texts, layers=LAYERS):
    read = {str(n): population.expression(text, "test") for n, text in enumerate(texts)}
    return Bundle(NumpyArrays(), population, read, layers)


EXPRESSIONS = (
    "b - dZ*(2*b - e)/(R + dZ)",
    "k*b",
    "dZ*(b + x)*k + b*x*(R + dZ)",
    "(dZ*b + R*x)**2 + exp(-k)*sinh((b + dZ)/R)",
    "dZ*e/R",
    "abs(dZ*b + dZ*x) + 1",
    "b",
    "2.5",
)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_taken_apart_it_is_what_it_was_in_one_piece(population, values, text):
    whole, parts = bundle(population, text, layers=()), bundle(population, text)
    wanted, found = whole(values, Known())[0], parts(values, Known())[0]
    np.testing.assert_allclose(np.broadcast_to(found, (4, 3)), np.broadcast_to(wanted, (4, 3)), rtol=1e-14, atol=1e-14)


def test_what_moves_is_multiplied_by_collected_coefficients(population, values):
    parts = bundle(population, EXPRESSIONS[0])
    assert len(parts.arguments) == 3
    assert "b" in parts.arguments
    assert not {"e", "dZ", "R"} & {*parts.arguments}, "two parts stand beside b: its coefficient, and that of e times e"


def test_slow_parts_are_computed_again_only_from_other_arrays(population, values, monkeypatch):
    parts, known, calls = bundle(population, EXPRESSIONS[0]), Known(), []
    compute = Bundle.computed

    def counted(self, arguments):
        calls.append(self.used)
        return compute(self, arguments)

    monkeypatch.setattr(Bundle, "computed", counted)
    parts(values, known)
    first = len(calls)
    parts({**values, "b": values["b"] + 1}, known)
    assert len(calls) == first + 1, "another wave: only the sum is computed"
    parts({**values, "e": values["e"] + 1}, known)
    assert len(calls) == first + 3, "another source: its part, and the sum"


def test_what_is_the_same_for_all_samples_is_computed_for_one(population, values):
    found = []
    parts = bundle(population, "b*(R + dZ)")
    parts.computed, compute = lambda arguments: found.append(arguments) or compute(arguments), parts.computed
    parts(values, Known())
    shapes = {np.shape(argument) for argument in found[0]}
    assert shapes == {(4, 3), (1, 3)}


class TestKnown:
    def test_the_same_arrays_are_asked_for_once(self):
        known, asked, array = Known(), [], np.ones(3)
        for _ in range(2):
            assert known("sum", lambda a: asked.append(1) or a.sum(), array) == 3.0
        known("sum", lambda a: asked.append(1) or a.sum(), array.copy())
        assert len(asked) == 2

    def test_what_always_changes_is_let_go_and_what_stands_is_not(self):
        known, standing = Known(), np.ones(3)
        for _ in range(10):
            known.forget()
            known("moving", np.copy, np.zeros(3))
            known("standing", np.copy, standing)
        known.forget()
        kept = known("standing", lambda _: None, standing)
        assert kept is not None
        assert known("moving", lambda _: "computed again", np.zeros(3)) == "computed again"


class TestScaled:
    def test_a_factor_of_one_leaves_the_wave(self, population, values):
        arrays = NumpyArrays()
        scaled = Scaled.of(arrays, population, population.expression("k*b", "test"), ["k", "R"])
        assert scaled.wave == "b"
        assert not scaled.is_plain(values, Known())
        assert scaled.is_plain({**values, "k": np.ones(3)}, Known())
        assert not scaled.is_plain({**values, "k": np.array([1.0, 1.0, 0.5])}, Known())

    @pytest.mark.parametrize("text", ["k*b*x", "b + k", "b", "k", "k*b**2"])
    def test_other_expressions_are_none(self, population, text):
        assert Scaled.of(NumpyArrays(), population, population.expression(text, "test"), ["k", "R"]) is None
