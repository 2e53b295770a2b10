"""Constraints of one real unknown: solutions in few steps, to rounding, from any start."""

import numpy as np
import pytest

from physnn.equations import Population
from physnn.equations import newton as newton_module
from physnn.equations.newton import solve
from physnn.errors import NumericsError

EPS = np.finfo(float).eps


class Solved:
    """F(v; a) = 0 for an array a, and how often F was asked for."""

    def __init__(self, text, a, start, monkeypatch=None):
        self.population = Population.from_text("j", 1, f"0 = {text} : 1 (solves v)\na : 1 (parameter)", {"a": 1.0})
        self.a, self.asked = np.reshape(np.asarray(a, dtype=float), (-1, 1)), 0
        begin = np.broadcast_to(np.asarray(start, dtype=float), self.a.shape).copy()
        self.v = solve(self.population, self.population.constraints, {"v": begin}, self.compute)["v"][:, 0]

    def compute(self, expressions, values):
        self.asked += 1
        import array_api_compat.numpy as xp

        from physnn.equations.generate import function

        known = {"a": self.a, **values}
        names = sorted({str(s) for e in expressions for s in e.free_symbols})
        found = function(tuple(self.population.symbols[n] for n in names), expressions)(xp, *(known[n] for n in names))
        return [np.broadcast_to(value, self.a.shape) for value in found]


def test_a_diode_pair_far_beyond_its_bend():
    """v + 1e-3 sinh(v/0.025) = a, from 0: Newton's first steps come back by 0.025 each."""
    a = np.concatenate([-np.logspace(-12, 4, 60), np.logspace(-12, 4, 60)])
    found = Solved("a - v - 1e-3*sinh(40*v)", a, 0.0)
    left = a - found.v - 1e-3 * np.sinh(40 * found.v)
    size = np.abs(a) + np.abs(found.v) + 1e-3 * np.abs(np.sinh(40 * found.v))
    assert np.all(np.abs(left) <= 8 * EPS * size * (1 + np.abs(40 * found.v)))
    assert found.asked < 40


def test_errors_shrink_by_the_third_power():
    """From 0.3 off the root of v + v^3 = 2 the third step is the last: 0.3 -> 2e-2 -> 1e-6 -> 1e-18."""
    found = Solved("a - v - v**3", [2.0], 1.3)
    assert found.v[0] == pytest.approx(1.0, abs=2 * EPS)
    assert found.asked <= 4


def test_a_start_that_is_the_solution_is_looked_at_once():
    a = np.linspace(-2, 2, 41)
    first = Solved("a - v - 0.2*sinh(3*v)", a, 0.0)
    again = Solved("a - v - 0.2*sinh(3*v)", a, first.v[:, None])
    assert again.asked == 1
    np.testing.assert_allclose(again.v, first.v, rtol=4 * EPS)


def test_a_small_change_needs_one_look_and_is_followed():
    """Where a correction is small beside the bend of the curve, the next one is known to be rounding."""
    a = np.linspace(0.5, 2, 31)
    first = Solved("a - v - 0.2*sinh(3*v)", a, 0.0)
    moved = Solved("a - v - 0.2*sinh(3*v)", a * (1 + 1e-11), first.v[:, None])
    assert moved.asked == 1
    slope = 1 + 0.6 * np.cosh(3 * first.v)
    np.testing.assert_allclose((moved.v - first.v) / (1e-11 * a), 1 / slope, rtol=1e-3)


def test_a_small_change_across_a_sharp_bend_is_not_taken_for_the_last():
    """tanh(1e12 v): a correction of 1e-10 is small beside v + 1, and crosses the whole bend."""
    found = Solved("a - v - 1e-10*tanh(1e12*v)", [2e-10, -3e-10, 1e-13], 0.0)
    left = found.a[:, 0] - found.v - 1e-10 * np.tanh(1e12 * found.v)
    assert np.all(np.abs(left) <= 16 * EPS * np.abs(found.a[:, 0]))


def test_without_curvature_the_steps_are_newtons():
    """|v| has a kink: no curvature is used, and the solution is exact on either side."""
    found = Solved("a - v - 0.5*abs(v)", [3.0, -1.0, 0.0], 0.1)
    np.testing.assert_allclose(found.v, [2.0, -2.0, 0.0], rtol=4 * EPS, atol=1e-300)
    problem = newton_module.Problem(found.population, found.population.constraints, None, {"v": np.zeros((1, 1))})
    assert problem.curvature == ()


def test_elements_that_have_arrived_wait_for_the_others():
    found = Solved("a - v - sinh(v)", [0.0, 1e-9, 1e-3, 1.0, 1e6, -1e12], [[0.0], [1e-9], [0.0], [0.0], [0.0], [5.0]])
    left = found.a[:, 0] - found.v - np.sinh(found.v)
    assert np.all(np.abs(left) <= 32 * EPS * (np.abs(found.a[:, 0]) + np.abs(found.v)) * (1 + np.abs(found.v)))
    assert found.v[0] == 0.0


@pytest.mark.parametrize("text", ["exp(v) + 0*a", "v**2 + 1 + 0*a", "a/v"])
def test_what_has_no_solution_is_said(text):
    with pytest.raises(NumericsError, match="population 'j'"):
        Solved(text, [1.0], 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_random_monotonous_curves(seed):
    """Sums of odd powers, diodes and saturations of any size, from random starts."""
    rng = np.random.default_rng(seed)
    g, k, s = 10.0 ** rng.uniform(-1.5, 1.5, 3)
    a, start = rng.normal(size=50) * 10.0 ** rng.uniform(-3, 3), rng.normal(size=(50, 1))
    found = Solved(f"a - v - {g}*v**3 - {s}*sinh(v/{k}) - tanh({k}*v)", a, start)
    with np.errstate(over="ignore"):
        terms = [a, found.v, g * found.v**3, s * np.sinh(found.v / k), np.tanh(k * found.v)]
    left = terms[0] - sum(terms[1:])
    size = sum(map(np.abs, terms)) * (1 + np.abs(found.v / k))
    assert np.all(np.abs(left) <= 32 * EPS * size)
