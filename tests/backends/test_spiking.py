"""The spiking code: what spikes represent after so many steps, what they count, and that nothing else crosses."""

from contextlib import contextmanager

import numpy as np
import pytest

from physnn.datasets import load
from physnn.equations import Input, Interpreter, OneToOne, Output, System, companion_inputs, gradient
from physnn.equations.coupling import Coupling
from physnn.equations.operators import Mean
from physnn.equations.population import Population
from physnn.errors import CapabilityError, NumericsError, ParameterError, UnknownNameError
from physnn.learning import Objective, Settings, accuracy, find_rule, train
from physnn.learning.alignment import aligned
from physnn.media import Network, Source, SquaredError, Waveguide
from physnn.substrate.contract import CompanionSpec, Substrate
from physnn.substrate.placement import place
from physnn.substrate.profile_schema import SpikingSection
from physnn.substrate.profiles import find_profile

brian2 = pytest.importorskip("brian2", reason="the brian2 extra is not installed")
spiking = pytest.importorskip("physnn_brian2.spiking")
codes = pytest.importorskip("physnn_brian2.spiking_codes")

SIZES = (12, 9, 5)
BATCH = 20


def settings(code="sigma-delta", presentation=32, **options):
    return SpikingSection(code=code, presentation=presentation, source="tests", **options)


def layers(sizes=SIZES, activation="tanh", gain=1.0):
    parts = [Waveguide(f"layer{k}", n, activation) for k, n in enumerate(sizes[1:])]
    return Network.layered([Source("in", sizes[0]), *parts], gain=gain)


@pytest.fixture
def inputs():
    return {"in": np.random.default_rng(3).uniform(-1, 1, (BATCH, SIZES[0]))}


@pytest.fixture
def spikes(make_profile):
    """Puts a System on spiking neurons."""

    def build(system, **options):
        return spiking.SpikingSubstrate(place(system, make_profile(), seed=4), settings(**options))

    return build


def error(substrate, inputs):
    """Rms error of the output."""
    exact = Interpreter(substrate.placed.system, substrate.read()).steady(inputs)
    trace = substrate.steady(inputs)
    return np.sqrt(np.mean((trace.outputs["y"] - exact.outputs["y"]) ** 2))


def exponent(times, errors):
    return np.polyfit(np.log(times), np.log(errors), 1)[0]


class TestRepresentation:
    TIMES = (16, 32, 64, 128, 256)

    @pytest.mark.parametrize(("code", "most"), [("sigma-delta", -0.9), ("poisson", -0.45)])
    def test_error_falls_with_the_window(self, code, most, spikes, inputs):
        many = {"in": np.concatenate([inputs["in"]] * 10)}
        errors = [error(spikes(layers().lower(0), code=code, presentation=steps), many) for steps in self.TIMES]
        assert exponent(self.TIMES, errors) <= most

    def test_halving_events_reach_rounding(self, spikes, inputs):
        assert error(spikes(layers().lower(0), code="halving", presentation=256), inputs) < 1e-14

    @pytest.mark.parametrize("band", [0.1, 0.01])
    def test_graded_events_end_at_their_dead_band(self, band, spikes, inputs):
        """Each signal is off by at most the band; a layer of 9 at gain 1 passes on a part of it."""
        errors = [
            error(spikes(layers().lower(0), code="graded", presentation=steps, dead_band=band), inputs)
            for steps in (16, 128)
        ]
        assert errors[0] == errors[1]
        assert 0 < errors[1] < band

    def test_what_synapses_saw_is_what_was_sent(self, spikes, inputs):
        system = layers().lower(0)
        trace = spikes(system, presentation=256).steady(inputs)
        exact = Interpreter(system).steady(inputs)
        assert trace.sent.keys() == exact.sent.keys()
        assert trace.fields.keys() == exact.fields.keys()
        for name, value in exact.sent.items():
            assert trace.sent[name].shape == value.shape
            np.testing.assert_allclose(trace.sent[name], value, atol=5e-3)

    def test_a_loop_settles(self, spikes):
        text = "dx/dt = (tanh(z + u) - x)/tau : 1\nz : 1 (arrival)\nu : 1 (input)\ntau : s (parameter)"
        cells = Population.from_text("a", 4, text, {"tau": 1.0})
        back = Coupling("a->a", "a", "a", "x", OneToOne((4,)), "z", initial=np.array([0.5, -0.5, 0.3, 0.0]))
        system = System.of([cells], [back], {"u": Input("a", "u")}, {"y": Output("a", "x")})
        given = {"u": np.random.default_rng(0).uniform(-1, 1, (BATCH, 4))}
        assert error(spikes(system, presentation=256), given) < 2e-3

    def test_snapshots_continue_to_the_bit(self, spikes, inputs):
        substrate = spikes(layers().lower(0))
        substrate.steady(inputs)
        before = substrate.snapshot()
        first = substrate.steady(inputs)
        substrate.restore(before)
        np.testing.assert_array_equal(substrate.steady(inputs).outputs["y"], first.outputs["y"])
        assert isinstance(substrate, Substrate)


class TestCounts:
    @pytest.mark.parametrize("code", list(codes.CODES))
    def test_equal_the_monitors(self, code, spikes, inputs):
        """A monitor that is added between two presentations counts from there on."""
        substrate = spikes(layers().lower(0), code=code)
        network = substrate.forward.for_batch(BATCH)
        substrate.steady(inputs)
        monitor = brian2.SpikeMonitor(network.group)
        substrate.network.add(monitor)
        before = dict(substrate.meter.counts)
        for _ in range(2):
            substrate.steady(inputs)
        counts, elements = substrate.meter.since(before), 1 + SIZES[0] + SIZES[1] + SIZES[2]
        assert counts["spike"] == monitor.num_spikes > 0
        fan_out = {"bias": SIZES[1] + SIZES[2], "in": SIZES[1], "layer0": SIZES[2]}
        reached = np.concatenate([np.full(np.prod(c.shape), fan_out[c.population]) for c in network.coders])
        assert counts["synop"] == reached[np.array(monitor.i)].sum()
        assert counts["neuron_update_active"] == 2 * 32 * BATCH * elements
        assert counts["sample"] == 2 * BATCH
        assert counts["timestep_s"] == pytest.approx(2 * 32 * BATCH * substrate.placed.step)
        assert len(set(np.array(monitor.t))) <= 64

    def test_everything_that_meets_the_mean_is_a_synapse(self, spikes):
        text = "dx/dt = (z + u - x)/tau : 1\nz : 1 (arrival)\nu : 1 (input)\ntau : s (parameter)"
        cells = [Population.from_text(name, 4, text, {"tau": 1.0}) for name in "ab"]
        mean = Coupling("a->b", "a", "b", "x", Mean((4,)), "z", initial=np.array([0.5]))
        system = System.of(cells, [mean], {"u": Input("a", "u")}, {"y": Output("b", "x")})
        substrate = spikes(system, presentation=256)
        assert error(substrate, {"u": np.random.default_rng(0).uniform(-1, 1, (BATCH, 4))}) < 2e-3
        assert substrate.meter.counts["synop"] == 4 * substrate.meter.counts["spike"]

    def test_nothing_enters_nothing_is_sent(self, spikes):
        substrate = spikes(layers().lower(0), code="poisson")
        substrate.write({"bias.one": np.zeros(())})
        substrate.steady({"in": np.zeros((3, SIZES[0]))})
        assert substrate.meter.counts["spike"] == 0


def returned(substrate, inputs, scale=1.0, transport="transpose"):
    """The gradient of scale * sum(y^3)/3."""
    trace = substrate.steady(inputs)
    companion = substrate.companion(CompanionSpec(transport), trace)
    echo = companion.steady({"y": scale * trace.outputs["y"] ** 2})
    about = substrate.placed.companion(transport)
    return gradient(substrate.xp, substrate.placed.system, about, trace, echo)


def cosine(one, other):
    return np.sum(one * other) / np.sqrt(np.sum(one**2) * np.sum(other**2))


class TestReflectedWave:
    @pytest.mark.parametrize("transport", ["transpose", "random"])
    def test_points_where_the_exact_one_does(self, transport, spikes, inputs, on_torch):
        system = layers((12, 9, 7, 5)).lower(0)
        ideal = on_torch(system, seed=4)
        exact = returned(ideal, {"in": ideal.asarray(inputs["in"])}, transport=transport)
        found = returned(spikes(system), inputs, transport=transport)
        assert found.keys() == exact.keys()
        for key, value in exact.items():
            assert cosine(found[key], np.asarray(value)) > 0.99, key

    @pytest.mark.parametrize("scale", [2.0**-40, 2.0**20])
    def test_a_gain_for_each_sample_is_divided_out(self, scale, spikes, inputs):
        substrate = spikes(layers().lower(0))
        before = substrate.snapshot()
        plain = returned(substrate, inputs)
        substrate.restore(before)
        for key, value in returned(substrate, inputs, scale).items():
            np.testing.assert_allclose(value / scale, plain[key], rtol=1e-12, atol=1e-15)

    def test_no_error_returns_nothing(self, spikes, inputs):
        assert all(np.all(value == 0) for value in returned(spikes(layers().lower(0)), inputs, 0.0).values())

    def test_overdriven_inner_layers_get_less(self, spikes, inputs):
        """Weights of 8/sqrt(9) amplify the wave on its way back beyond what 0.6 of the full scale allows for."""
        substrate = spikes(layers(gain=[0.2, 0.2, 8.0], sizes=(12, 9, 9, 5)).lower(0), presentation=256)
        exact = Interpreter(substrate.placed.system, substrate.read())
        trace = exact.steady(inputs)
        companion = substrate.companion(CompanionSpec(), trace)
        error = {"y": np.random.default_rng(0).normal(size=trace.outputs["y"].shape)}
        before = substrate.presentations
        echo = companion.steady(error)
        assert substrate.presentations - before > 1
        way = companion.companion
        drive = companion_inputs(way, trace, error)
        known = Interpreter(way.system, substrate.memory.held).steady(drive)
        for port in way.reflected.values():
            assert cosine(echo.outputs[port], known.outputs[port]) > 0.99, port


@contextmanager
def corrupted(network, keep, arrived):
    """Everything but spikes that other populations hold is not a number; put back at the end."""
    held = [(network.coding, block, ("v", "s", "payload", "chance", "h2", "h1")) for block in network.coders]
    held += [(network.receiving, block, arrived) for block in network.arrivals.values()]
    hidden = [(group[name], block.place) for group, block, names in held for name in names if block.population != keep]
    saved = [(values, rows, values[rows].copy()) for values, rows in hidden]
    here = {name: dict(site.here) for name, site in network.sites.items() if name != keep}
    for values, rows in hidden:
        values[rows] = np.nan
    for name, known in here.items():
        network.sites[name].here = {own: value * np.nan for own, value in known.items()}
    yield
    for values, rows, value in saved:
        values[rows] = value
    for name, known in here.items():
        network.sites[name].here = known


def corrupt(network):
    """While a population settles, and while spikes are delivered, all else of the other populations is corrupted."""
    settle, deliver = network.settle, network.deliver

    def settled(name):
        with corrupted(network, name, ("arriving", "u2", "u1")):
            settle(name)

    def delivered(fired, payload):
        with corrupted(network, None, ("u2", "u1")):
            deliver(fired, payload)

    network.settle, network.deliver = settled, delivered


class TestOnlySpikesCross:
    @pytest.mark.parametrize("code", list(codes.CODES))
    def test_corrupting_all_else_changes_nothing(self, code, spikes, inputs):
        plain, noisy = (spikes(layers((12, 9, 7, 5)).lower(0), code=code) for _ in range(2))
        corrupt(noisy.forward.for_batch(BATCH))
        expected = returned(plain, inputs)
        noisy.companion(CompanionSpec(), noisy.steady(inputs))
        corrupt(noisy._ways_back[CompanionSpec()].for_batch(BATCH))
        noisy.restore(plain.snapshot() | {"presentations": 0})
        found = returned(noisy, inputs)
        for key, value in expected.items():
            assert np.isfinite(value).all()
            np.testing.assert_array_equal(found[key], value, err_msg=key)

    def test_a_graded_signal_that_crosses_is_seen(self, spikes, inputs, monkeypatch):
        substrate = spikes(layers().lower(0))
        network = substrate.forward.for_batch(BATCH)
        honest = network.deliver
        monkeypatch.setattr(network, "deliver", lambda fired, payload: honest(fired, network.coding["s"][fired]))
        substrate.steady(inputs)
        corrupt(network)
        with pytest.raises(NumericsError, match="not finite"):
            substrate.steady(inputs)


class TestRefusals:
    def test_a_run_in_time(self, spikes, inputs):
        substrate = spikes(layers().lower(0))
        with pytest.raises(CapabilityError, match="use `steady`"):
            substrate.run(inputs, 1.0)
        with pytest.raises(CapabilityError, match="use `steady`"):
            substrate.companion(CompanionSpec(), substrate.steady(inputs)).run({})

    def test_signals_beyond_the_full_scale(self, spikes, inputs):
        with pytest.raises(NumericsError, match=r"raise spiking\.full_scale"):
            spikes(layers(activation="identity", gain=3.0).lower(0)).steady(inputs)
        system = layers(activation="identity", gain=3.0).lower(0)
        assert error(spikes(system, full_scale=8.0, presentation=512), inputs) < 0.01 * 8.0

    def test_complex_waves(self, spikes):
        cells = Population.from_text("a", 2, "da/dt = -a/tau : 1 (complex)\ntau : s (parameter)", {"tau": 1.0})
        with pytest.raises(CapabilityError, match="complex waves"):
            spikes(System.of([cells], outputs={"y": Output("a", "a")}))

    def test_windows_too_short_for_the_depth(self, spikes):
        deep = layers((4, 3, 3, 3, 2)).lower(0)
        with pytest.raises(ParameterError, match="give at least 16"):
            spikes(deep, presentation=15)
        spikes(deep, presentation=16)

    def test_an_unknown_code(self):
        with pytest.raises(UnknownNameError, match="sigma-delta"):
            codes.find_code("sigma_delta")

    @pytest.mark.parametrize(("key", "value"), [("presentation", 3), ("full_scale", 0.0), ("code", "morse")])
    def test_settings(self, key, value):
        with pytest.raises(ValueError, match=key):
            settings(**{key: value})


def test_the_shipped_profile():
    profile = find_profile("ideal-spiking")
    assert (profile.spiking.code, profile.spiking.presentation, profile.spiking.full_scale) == ("sigma-delta", 32, 1.0)


class TestTraining:
    EPOCHS = 5

    def trained(self, substrate, network, rule, data):
        objective = Objective(network.readout, SquaredError(), data.classes)
        part = data.part("train")
        train(substrate, find_rule(rule), objective, part.inputs, part.labels, Settings(epochs=self.EPOCHS), seed=0)
        return objective

    def test_digits_as_well_as_ideal(self, spikes, make_profile):
        backend = pytest.importorskip("physnn_brian2").Backend()
        data = load("digits")
        network = layers((64, 32, 10), gain=[1.0, 0.1])
        ideal, substrate = backend.build(place(network.lower(0), make_profile(), seed=4)), spikes(network.lower(0))
        for each in (ideal, substrate):
            objective = self.trained(each, network, "reflected-wave", data)
        test, probe = data.part("test"), data.part("train")
        before = substrate.meter.counts["spike"]
        reached = [accuracy(each, objective, test.inputs, test.labels) for each in (ideal, substrate)]
        assert reached[1] > reached[0] - 0.015
        assert (substrate.meter.counts["spike"] - before) / len(test.labels) <= 1500
        rule = find_rule("reflected-wave")
        found = aligned(substrate, rule, objective, probe.inputs[:256], probe.labels[:256])
        assert min(found.cosines.values()) > 0.99
