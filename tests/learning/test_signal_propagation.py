"""Backward signal propagation against the gradient: limits, orders of error, finite differences, refusals."""

import gc
import weakref

import numpy as np
import pytest

from physnn.errors import CapabilityError, ParameterError, UnknownNameError
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.learning.alignment import cosine
from physnn.learning.rule import forward
from physnn.learning.signal_propagation import SignalPropagation, StrengthPropagation, multiplied
from physnn.media import Link, Network, Readout, Source, SquaredError, Waveguide
from physnn.media.ring import Ring
from physnn.substrate import build


class Trial:
    """Rings in layers, a batch, and targets a small step away from what the network answers."""

    def __init__(self, widths=(3, 4, 2), *, duration=8.0, size=0.3, gain=1.0, error=1.0, batch=5, **ring):
        rings = [Ring(f"layer{i}", n, **ring) for i, n in enumerate(widths[1:])]
        self.network = Network.layered([Source("in", widths[0]), *rings], gain=gain, readout="mean")
        self.substrate = build(self.network, "ideal-torch", seed=0, step=0.4)
        self.objective = Objective(self.network.readout, SquaredError(), widths[-1], duration)
        draw = np.random.default_rng(1)
        self.inputs = {"in": self.substrate.asarray(size * draw.uniform(-1, 1, (batch, widths[0])))}
        answer = forward(self.substrate, self.inputs, self.objective).y
        self.targets = answer + error * self.substrate.asarray(draw.normal(size=(batch, widths[-1])))

    def slopes(self, rule):
        found = rule.step(self.substrate, self.inputs, self.targets, self.objective).gradient
        return {key: np.asarray(value) for key, value in found.items()}

    def loss(self):
        y = forward(self.substrate, self.inputs, self.objective).y
        return self.objective.loss(self.substrate.xp, y, self.targets)[0]

    def distance(self, rule, keys=None):
        """Of a rule's slopes from the gradient, relative."""
        found, true = self.slopes(rule), self.slopes(ReflectedWave())
        keys = list(keys or found)
        off = sum(np.sum((found[key] - true[key]) ** 2) for key in keys)
        return float(np.sqrt(off / sum(np.sum(true[key] ** 2) for key in keys)))


class TestCouplings:
    def test_small_signals_over_a_long_run_give_the_gradient_itself(self):
        """Settling takes a share 1/T of both runs, and of the gradient; what differs is of the order 1/T^2."""
        near, far = (Trial(duration=t, size=1e-4, error=1e-4).distance(SignalPropagation()) for t in (30.0, 60.0))
        assert far < 1e-3
        assert near / far == pytest.approx(4.0, rel=0.1)

    def test_the_angle_opens_with_the_amplitude(self):
        """Amplitudes are in units of the rest state; the slope at the operating point is what is missing."""
        off = [Trial(size=1e-4, error=error).distance(SignalPropagation()) for error in (1e-4, 0.2, 0.8)]
        assert off[0] < off[1] < off[2]

    def test_without_error_nothing_comes_back(self):
        """Unequal strengths as well: the reference is a sample without error, not equation (15)."""
        trial = Trial(error=0.0, loss=[0.5, 0.6, 0.4, 0.5, 0.7])
        assert all(np.all(slope == 0) for slope in trial.slopes(SignalPropagation()).values())

    def test_unequal_strengths_cost_some_of_the_angle(self):
        """Ten per cent of spread leave a mean cosine of 0.99 of the cells' gains; whole layers average over them."""
        draw = np.random.default_rng(0)
        unequal = {k: v * np.exp(0.1 * draw.normal(size=5)) for k, v in (("loss", 0.6), ("inhibition", 0.4))}
        trial = Trial((6, 8, 4), duration=12.0, size=0.1, gain=0.5, **unequal)
        found, true = trial.slopes(SignalPropagation()), trial.slopes(ReflectedWave())
        assert min(cosine(found, true, [key]) for key in found) > 0.95

    def test_three_entrances_a_cell(self):
        """Couplings that arrive at J, T and H each learn from the element at which they arrive."""
        ring = Ring("cell", 2)
        links = [
            Link("in", "cell", name=e, into=f"I_{e}", weights=np.full((2, 3), 0.1 + 0.1 * k))
            for k, e in enumerate("JTH")
        ]
        network = Network([Source("in", 3), ring], links, Readout("cell", "D_S", "mean"))
        trial = Trial((3, 2), duration=80.0, size=1e-4, error=1e-4)
        trial.substrate = build(network, "ideal-torch", step=0.4)
        assert trial.distance(SignalPropagation()) < 1e-3

    def test_the_weights_of_now_return_the_error(self):
        trial, rule = Trial(), SignalPropagation()
        trial.slopes(rule)
        moved = {key: -0.7 * value for key, value in trial.substrate.read().items() if "->" in key}
        trial.substrate.write(moved)
        kept, fresh = trial.slopes(rule), trial.slopes(SignalPropagation())
        assert all(np.array_equal(kept[key], fresh[key]) for key in fresh)

    def test_limit(self):
        """atan(kt G)/kt: a slope of 1/kt becomes (pi/4)/kt, none exceeds (pi/2)/kt."""
        trial = Trial(size=10.0)
        plain, limited = trial.slopes(SignalPropagation()), trial.slopes(SignalPropagation(limit=50.0))
        for key, slope in plain.items():
            np.testing.assert_allclose(limited[key], np.arctan(50.0 * slope) / 50.0, rtol=1e-12)
        assert max(np.abs(slope).max() for slope in limited.values()) < np.pi / 100

    def test_the_backward_run_is_on_the_meter(self):
        trial = Trial()
        trial.substrate.meter.counts.clear()
        forward(trial.substrate, trial.inputs, trial.objective)
        once = dict(trial.substrate.meter.counts)
        trial.substrate.meter.counts.clear()
        trial.slopes(SignalPropagation())
        both = trial.substrate.meter.counts
        assert both["elementwise"] > 1.9 * once["elementwise"] and both["sample"] == once["sample"]

    def test_a_rule_does_not_keep_its_substrates(self):
        rule, trial = SignalPropagation(), Trial()
        trial.slopes(rule)
        kept = weakref.ref(trial.substrate)
        del trial
        gc.collect()
        assert kept() is None

    def test_training(self):
        trial = Trial((3, 6, 2), generation=1.0, loss=0.9, inhibition=0.5, duration=6.0)
        draw = np.random.default_rng(0)
        inputs = draw.uniform(0, 0.5, (40, 3))
        labels = (inputs[:, 0] > inputs[:, 1]).astype(int)
        objective = Objective(trial.network.readout, SquaredError(0.15), 2, 6.0)
        settings = Settings(epochs=4, batch=10, rate=0.02)
        history = train(trial.substrate, SignalPropagation(gated=True), objective, inputs, labels, settings)
        assert history[-1].loss < 0.8 * history[0].loss


class TestGate:
    def test_above_the_floor_it_is_open(self):
        trial = Trial(size=0.1)
        plain, gated = trial.slopes(SignalPropagation()), trial.slopes(SignalPropagation(gated=True))
        for key in plain:
            np.testing.assert_allclose(gated[key], plain[key], rtol=1e-10, atol=1e-14)  # rounding in another order

    def test_it_is_the_share_of_time_above_the_floor(self):
        """One sample and a small error: a hidden cell's slopes shrink by its two shares, at S and at J."""
        trial = Trial((3, 6, 2), size=1.5, batch=1, error=1e-6, loss=0.8)
        fields = forward(trial.substrate, trial.inputs, trial.objective).incident.fields
        open_j, open_s = (np.mean(np.asarray(fields[f"layer0.{e}"])[0] > 0, axis=0) for e in "JS")
        assert 0 < (open_j * open_s).min() < 0.9
        plain, gated = (trial.slopes(SignalPropagation(gate)) for gate in (False, True))
        # the backward cells are linear to the size of the error
        wanted = (open_j * open_s)[:, None] * plain["in->layer0"]
        np.testing.assert_allclose(gated["in->layer0"], wanted, rtol=1e-4)
        np.testing.assert_array_equal(gated["layer0->layer1"], plain["layer0->layer1"])


class TestStrengths:
    def test_adjoint_form_against_finite_differences(self):
        """Small signals, a long run: what settling leaves of 60 time constants is some hundredths."""
        trial = Trial((3, 2), duration=60.0, size=1e-3, error=1e-3, trainable=("k1", "k2", "k3"))
        found = trial.slopes(StrengthPropagation())
        assert len(found) == 15
        for key in [f"layer0.{k}_{e}" for k, e in zip(("k1", "k2", "k3") * 2, "JMSHTJ", strict=True)]:
            slope = found[key]
            held, step, losses = trial.substrate.read()[key], 1e-6, []
            for sign in (1, -1):
                nudged = held.clone()
                nudged[0] += sign * step
                trial.substrate.write({key: nudged})
                losses.append(trial.loss())
            trial.substrate.write({key: held})
            scale = max(np.abs(slope).max() for slope in found.values())
            assert slope[0] == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=0.1, abs=0.01 * scale)

    def test_published_form_is_the_product_of_two_deviations(self):
        """A sample at rest has no D, and teaches nothing; the adjoint form learns the bias from it."""
        trial = Trial((3, 2), size=0.0, trainable=("k3",))
        published = trial.slopes(StrengthPropagation("published"))
        adjoint = trial.slopes(StrengthPropagation())
        assert sorted(published) == sorted(adjoint) and len(published) == 5
        # rest is found to 1e-12 of the generation
        assert max(np.abs(slope).max() for slope in published.values()) < 1e-11
        assert min(np.abs(slope).max() for slope in adjoint.values()) > 1e-3

    def test_multiplied(self):
        grown = multiplied(np, np.array([0.5, 2.0]), np.array([2.0, -0.5]), 0.1)
        np.testing.assert_allclose(grown, [0.5 * np.exp(-0.1), 2.0 * np.exp(0.1)], rtol=1e-15)

    def test_unknown_form(self):
        with pytest.raises(UnknownNameError, match="did you mean 'adjoint'"):
            StrengthPropagation("adjiont")


class TestRefusals:
    def refused(self, network, duration=4.0):
        substrate = build(network, "ideal-torch", step=0.4)
        objective = Objective(network.readout, SquaredError(), 2, duration)
        data = {"in": substrate.asarray(np.zeros((1, 3)))}
        SignalPropagation().step(substrate, data, substrate.asarray(np.zeros((1, 2))), objective)

    def test_stationary(self):
        with pytest.raises(CapabilityError, match="travel for a time"):
            self.refused(Network.layered([Source("in", 3), Ring("cell", 2)]), None)

    def test_other_media(self):
        with pytest.raises(CapabilityError, match="'cell' cannot be turned round"):
            self.refused(Network.layered([Source("in", 3), Waveguide("cell", 2)]))

    def test_a_ring_that_oscillates(self):
        """5 - 3 phi = 0.146; just above it, cells come to rest."""
        self.refused(Network.layered([Source("in", 3), Ring("cell", 2, loss=0.15)]))
        with pytest.raises(CapabilityError, match="do not return to rest"):
            self.refused(Network.layered([Source("in", 3), Ring("cell", 2, loss=0.14)]))

    def test_a_readout_of_a_level(self):
        links = [Link("in", "cell")]
        with pytest.raises(CapabilityError, match="the one element whose deviation"):
            self.refused(Network([Source("in", 3), Ring("cell", 2)], links, Readout("cell", "S")))

    def test_limit(self):
        with pytest.raises(ParameterError, match="at least 0"):
            SignalPropagation(limit=-1.0)
