"""Symmetric rings: rest, reversal, floor, n elements; Lotka-Volterra. Tables and onset are among the known answers."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, System
from physnn.errors import EquationError, NumericsError, ParameterError, ShapeError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.ring import LotkaVolterra, Ring

UNEQUAL = {
    "generation": [1.0, 1.2, 0.9, 1.1, 1.0],
    "loss": [0.5, 0.6, 0.4, 0.5, 0.7],
    "inhibition": [0.4, 0.5, 0.3, 0.4, 0.5],
}


def driven(ring, gain=1.0):
    link = Link("in", ring.name, weights=gain * np.eye(ring.size))
    return Network((Source("in", ring.size), ring), (link,), Readout(ring.name, ring.signal)).lower()


class TestRest:
    @pytest.mark.parametrize("backward", [False, True])
    def test_equal_strengths(self, backward):
        ring = Ring("cells", 2, generation=1.0, loss=0.7, inhibition=0.6, backward=backward)
        np.testing.assert_allclose(ring.rest(), np.full((5, 2), 0.5), rtol=1e-12)

    @pytest.mark.parametrize("backward", [False, True])
    def test_unequal_strengths_are_reached_by_relaxing(self, backward):
        """From elsewhere the cell returns to the rest state that was computed."""
        ring = Ring("cells", 1, **UNEQUAL, backward=backward)
        population, ports = ring.lower(), {e: Input("cells", e) for e in ring.elements}
        system = System.of([population], inputs=ports, outputs={"y": Output("cells", "J")})
        away = {e: np.full((1, 1), 1.2 + 0.1 * k) for k, e in enumerate(ring.elements)}
        trace = Interpreter(system).run(away, 2000, 0.1)
        reached = [trace.fields[f"cells.{e}"][0, -1, 0] for e in ring.elements]
        np.testing.assert_allclose(reached, ring.rest()[:, 0], rtol=1e-10)

    def test_loss_above_generation(self):
        assert np.all(Ring("cells", 1, generation=0.5, loss=0.6).rest() == 0)

    @pytest.mark.parametrize("last", [0.012, 0.02])
    def test_a_cell_lives_where_its_generation_multiplies_to_more_than_its_loss(self, last):
        """k1 of 1, 1, 1, 4 and `last` against 0.0625 = 0.5^4 of loss: 0.048 dies out, 0.08 lives."""
        ring = Ring("cells", 1, generation=[1, 1, 1, 4, last], loss=[0.5, 0.5, 0.5, 0.5, 1.0])
        ports = {e: Input("cells", e) for e in ring.elements}
        system = System.of([ring.lower()], inputs=ports, outputs={"y": Output("cells", "J")})
        trace = Interpreter(system).run({e: np.ones((1, 1)) for e in ring.elements}, 2000, 0.5)
        reached = [trace.fields[f"cells.{e}"][0, -1, 0] for e in ring.elements]
        np.testing.assert_allclose(reached, ring.rest()[:, 0], atol=1e-6)
        assert (ring.rest() > 0).all() == (last > 0.0625 / 4)

    def test_nothing_bounds_a_ring_without_inhibition(self):
        with pytest.raises(NumericsError, match="without inhibition"):
            Ring("cells", 1, inhibition=0.0).rest()


class TestReversal:
    def test_twice_is_the_ring_itself(self):
        ring = Ring("cells", 3, **UNEQUAL, enter="M", leave="T")
        assert ring.reversed() != ring
        assert ring.reversed().reversed() == ring
        assert (ring.reversed().signal, ring.reversed().arrival) == ("D_M", "I_T")

    def test_parameters_keep_their_names_and_values(self):
        ring = Ring("cells", 3, **UNEQUAL)
        forward, backward = driven(ring).parameters, driven(ring.reversed()).parameters
        strengths = [key for key in forward if key.startswith("cells.k")]
        assert len(strengths) == 15 and forward.keys() == backward.keys()
        for key in strengths:
            assert np.array_equal(forward[key], backward[key])

    def test_a_small_signal_comes_back_by_the_same_gain(self):
        """Equal strengths: what J moves S by, S moves J by in the backward ring (reciprocity)."""
        moved = []
        for ring in (Ring("cells", 1), Ring("cells", 1).reversed()):
            y = Interpreter(driven(ring)).run({"in": np.array([[1e-4], [-1e-4]])}, 1000, 0.1).outputs["y"]
            moved.append((y[0, -1, 0] - y[1, -1, 0]) / 2e-4)
        # central differences of an amplitude of 1e-4 leave its square
        assert moved[0] == pytest.approx(moved[1], rel=1e-6)


def test_the_floor_holds():
    """An input of -0.8 B at J, which makes a cell without a floor diverge."""
    trace = Interpreter(driven(Ring("cells", 1))).run({"in": np.full((1, 1), -0.8)}, 500, 0.1)
    levels = np.stack([trace.fields[f"cells.{e}"] for e in "JSMHT"])
    assert levels.min() == 0.0 and levels.max() < 10


def test_seven_elements_are_symmetric_under_rotation():
    names = tuple("abcdefg")
    runs = []
    for enter, leave in (("a", "c"), ("d", "f")):
        system = driven(Ring("cells", 1, elements=names, enter=enter, leave=leave))
        runs.append(Interpreter(system).run({"in": np.full((1, 1), 0.3)}, 200, 0.1).outputs["y"])
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-13, atol=1e-16)


def test_refusals():
    with pytest.raises(EquationError, match="three or more"):
        Ring("cells", 1, elements=("a", "b"))
    with pytest.raises(EquationError, match="different names"):
        Ring("cells", 1, elements=("a", "b", "a"))
    with pytest.raises(UnknownNameError, match="element of ring 'cells' 'X'"):
        Ring("cells", 1, enter="X")
    with pytest.raises(ShapeError, match="whole number"):
        Ring("cells", 0)
    with pytest.raises(ShapeError, match=r"loss of shape \(2,\).*\(5,\)"):
        Ring("cells", 3, loss=[0.6, 0.5])
    with pytest.raises(ParameterError, match=r"inhibition.*must be finite and at least 0"):
        Ring("cells", 3, inhibition=-0.1)


class TestLotkaVolterra:
    def system(self, part, **ports):
        inputs = {port: Input(part.name, variable) for port, variable in ports.items()}
        return Network((part,), (), Readout(part.name), inputs=inputs).lower()

    def test_fixed_point(self):
        """r + A x = 0."""
        r, eats = np.array([0.8, -0.5]), np.array([[-0.1, -0.4], [0.3, 0.0]])
        rest = np.linalg.solve(eats, -r)
        y = Interpreter(self.system(LotkaVolterra("species", 2, r, eats, start=rest))).run({}, 200, 0.1).outputs["y"]
        np.testing.assert_allclose(y, np.broadcast_to(rest, y.shape), rtol=1e-12)

    def test_none_falls_below_zero_and_the_extinct_stay_away(self):
        part = LotkaVolterra("species", 3, [1.0, -2.0, 0.5], [[0, -1, 0], [1, 0, 0], [0, 0, -1]], start=[3.0, 2.0, 0.0])
        y = Interpreter(self.system(part)).run({}, 300, 0.1).outputs["y"]
        assert np.all(y[..., :2] > 0) and np.all(y[..., 2] == 0)

    def test_one_species_grows_logistically(self):
        """x = K/(1 + (K/x0 - 1) exp(-r t)), to first order in the step."""
        errors = []
        for dt in (0.1, 0.05):
            system = self.system(LotkaVolterra("species", 1, 0.7, [[-0.35]], start=0.1))
            x = Interpreter(system).run({}, round(10 / dt), dt).outputs["y"][0, :, 0]
            errors.append(np.max(np.abs(x - 2 / (1 + 19 * np.exp(-0.7 * dt * np.arange(len(x)))))))
        assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)

    def test_interaction_must_be_square(self):
        with pytest.raises(ShapeError, match=r"\(2,\).*\(2, 2\)"):
            LotkaVolterra("species", 2, 1.0, [0.1, 0.2])
