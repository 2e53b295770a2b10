"""Placement: ranges, bits, dies, twins, write noise, offsets, line delays, detector noise."""

import math

import numpy as np
import pytest
from scipy.constants import Boltzmann

from physnn.equations import Coupling, Dense, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media import Link, Medium, Network, Readout, Source, Waveguide
from physnn.substrate.placement import place

X = np.random.default_rng(0).normal(size=(4, 5))


def network(**options):
    return Network.layered([Source("in", 5), Waveguide("hidden", 6, **options), Waveguide("out", 3)])


@pytest.fixture
def system():
    return network().lower(1)


def weights(placed, **options):
    return placed.realise({"in->hidden": placed.system.parameters["in->hidden"]}, **options)["in->hidden"]


class TestWeights:
    def test_bits_and_range(self, system, make_profile):
        placed = place(system, make_profile(range={"weight": 0.5}, precision={"weight_bits": 3}))
        held = weights(placed)
        np.testing.assert_allclose(np.unique(held), np.linspace(-0.5, 0.5, 7), atol=1e-15)
        wanted = np.clip(system.parameters["in->hidden"], -0.5, 0.5)
        assert np.abs(held - wanted).max() <= 0.5 / 3 / 2 + 1e-15

    def test_without_bits_weights_are_only_clipped(self, system, make_profile):
        held = weights(place(system, make_profile(range={"weight": 0.5})))
        assert np.array_equal(held, np.clip(system.parameters["in->hidden"], -0.5, 0.5))

    def test_other_parameters_are_not_quantised(self, system, make_profile):
        placed = place(system, make_profile(range={"weight": 0.5}, precision={"weight_bits": 1}))
        assert placed.realise({"hidden.gamma": np.asarray(0.77)})["hidden.gamma"] == 0.77

    def test_an_ideal_device_holds_what_is_written(self, system, make_profile):
        placed = place(system, make_profile())
        assert placed.exact
        for key, value in placed.realise(system.parameters).items():
            assert np.array_equal(value, system.parameters[key])

    @pytest.mark.parametrize("table", ["weight", "gain", "offset"])
    def test_mismatch_makes_a_device_inexact(self, system, make_profile, table):
        placed = place(system, make_profile(mismatch={table: 0.1}))
        assert not placed.exact
        assert placed.twin().exact


class TestDie:
    def test_one_die_a_seed(self, system, make_profile):
        profile = make_profile(mismatch={"weight": 0.1})
        first, again, other = (weights(place(system, profile, seed=s)) for s in (3, 3, 4))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_spread_of_the_factors(self, make_profile):
        large = Network.layered([Source("in", 100), Waveguide("out", 100)]).lower()
        factors = place(large, make_profile(mismatch={"weight": 0.1})).die("in->out", (100, 100))
        # 10^4 normal numbers: the mean is known to 1 %, the spread to 0.7 % of the spread
        assert abs(factors.mean() - 1) < 4e-3
        assert factors.std() == pytest.approx(0.1, rel=0.03)

    def test_each_parameter_has_factors_of_its_own(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"weight": 0.1, "gain": 0.1}))
        first, second = placed.die("in->hidden", (6, 5)), placed.die("hidden->out", (3, 6))
        assert not np.array_equal(first.ravel()[:18], second.ravel())
        gains = placed.realise(placed.system.parameters)["hidden.gamma"]
        assert gains.shape == (6,) and len(np.unique(gains)) == 6  # one draw a device, not one a layer
        assert gains[0] != placed.realise(placed.system.parameters)["out.gamma"][0]

    def test_the_die_stays_when_weights_are_written_again(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"weight": 0.1}))
        ones, twos = (placed.realise({"in->hidden": np.full((6, 5), v)}, writes=w) for v, w in ((1.0, 1), (2.0, 2)))
        np.testing.assert_allclose(twos["in->hidden"], 2 * ones["in->hidden"], rtol=1e-15)

    def test_the_constant_line_has_no_mismatch(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"gain": 0.1}))
        assert placed.realise({"bias.one": np.asarray(1.0)})["bias.one"] == 1.0

    def test_what_passes_a_wave_on_is_a_device_and_a_constant_of_the_description_is_none(self, make_profile):
        text = "y = k*s + zero : 1\ns : 1 (arrival)\nk : 1 (parameter)\nzero : 1 (constant)"
        passive = Population.from_text("line", 5, text, {"k": 0.5, "zero": 3.0})
        placed = place(System.of([passive], []), make_profile(mismatch={"gain": 0.1}))
        held = placed.realise(placed.system.parameters)
        assert held["line.k"].shape == (5,) and np.ptp(held["line.k"]) > 0
        assert np.array_equal(held["line.zero"], 3.0)

    def test_wires_have_neither_mismatch_nor_bits_nor_a_line(self, make_profile):
        parts = [Source("in", 5), Waveguide("out", 5)]
        wire = Link("in", "out", "wire", OneToOne((5,)), weights=np.full(5, 3.7), trainable=False, wire=True)
        system = Network(parts, [wire], Readout("out", "x")).lower(1)
        profile = make_profile(
            precision={"weight_bits": 2, "source": "test"},
            range={"weight": 1.0},
            mismatch={"weight": 0.1},
            medium={"line_delay": (0.3, "s")},
        )
        placed = place(system, profile, step=0.1)
        assert np.array_equal(placed.realise({"wire": np.full(5, 3.7)})["wire"], np.full(5, 3.7))
        assert placed.system.couplings["wire"].delay == 0 and placed.system.couplings["bias->out"].delay > 0

    def test_a_twin_has_none(self, system, make_profile):
        profile = make_profile(mismatch={"weight": 0.1, "gain": 0.1, "offset": 0.1})
        twin = place(system, profile).twin()
        held = twin.realise(twin.system.parameters)
        for key, value in system.parameters.items():
            assert np.array_equal(held[key], np.broadcast_to(value, held[key].shape)), key
        steady = Interpreter(twin.system, held).steady({"in": X}).outputs["y"]
        np.testing.assert_allclose(steady, Interpreter(system).steady({"in": X}).outputs["y"], rtol=1e-13)

    def test_the_way_back_shares_the_couplings_of_the_die(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"weight": 0.1}))
        companion = placed.companion("transpose")
        assert companion is placed.companion("transpose")
        assert companion.feedback == {}
        assert {c.key for c in companion.system.couplings.values()} <= placed.weight_keys

    def test_feedback_paths_are_hardware_of_their_own(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"weight": 0.1}), seed=2)
        drawn = placed.feedback(placed.companion("random"))
        assert set(drawn) == {"hidden->out.feedback"}
        path = drawn["hidden->out.feedback"]
        assert path.shape == (6, 3)
        factors = placed.realise(drawn)["hidden->out.feedback"] / path
        assert not np.allclose(factors, placed.die("hidden->out", (3, 6)).T)
        assert 0.02 < np.std(factors) < 0.3

    def test_feedback_of_a_coupling_named_after_a_population(self, make_profile):
        source, layer = Source("in", 2).lower(), Waveguide("layer", 3).lower()
        top = Waveguide("top", 2).lower()
        couplings = [
            Coupling("a", "in", "layer", "u", Dense(3, 2), "z", initial=np.ones((3, 2))),
            Coupling("layer.up", "layer", "top", "x", Dense(2, 3), "z", initial=np.ones((2, 3))),
        ]
        system = System.of([source, layer, top], couplings, {"in": Input("in", "u")}, {"y": Output("top", "x")})
        placed = place(system, make_profile(mismatch={"weight": 0.1}))
        drawn = placed.feedback(placed.companion("random"))
        assert not np.array_equal(placed.realise(drawn)["layer.up.feedback"], drawn["layer.up.feedback"])


class TestWriteNoise:
    @pytest.fixture
    def placed(self, system, make_profile):
        return place(system, make_profile(range={"weight": 2.0}, noise={"write": 0.01}))

    def test_each_write_has_noise_of_its_own(self, placed):
        first, second, again = (weights(placed, writes=n) for n in (1, 2, 1))
        assert not np.array_equal(first, second)
        assert np.array_equal(first, again)

    def test_its_size_is_relative_to_the_full_scale(self, make_profile):
        large = Network.layered([Source("in", 100), Waveguide("out", 100)]).lower()
        placed = place(large, make_profile(range={"weight": 5.0}, noise={"write": 0.01}))
        error = placed.realise({"in->out": np.zeros((100, 100))})["in->out"]
        assert error.std() == pytest.approx(0.01 * 5.0, rel=0.03)

    def test_couplings_are_disturbed_apart_but_alike_whatever_is_written_with_them(self, placed):
        alone = placed.realise({"hidden->out": np.zeros((3, 6))}, 4)["hidden->out"]
        both = placed.realise({"in->hidden": np.zeros((6, 5)), "hidden->out": np.zeros((3, 6))}, 4)
        assert np.array_equal(both["hidden->out"], alone)
        assert not np.array_equal(both["in->hidden"].ravel()[:18], alone.ravel())

    def test_it_can_be_left_out(self, placed, system):
        assert np.array_equal(weights(placed, noise=False), np.clip(system.parameters["in->hidden"], -2, 2))

    def test_numbers_that_are_not_finite(self, placed):
        with pytest.raises(ParameterError, match=r"'in->hidden' has a value that is not finite"):
            placed.realise({"in->hidden": np.full((6, 5), np.nan)})

    def test_names_and_shapes(self, placed):
        with pytest.raises(UnknownNameError, match="did you mean 'in->hidden'"):
            placed.check_write({"in->hiden": np.zeros((6, 5))})
        with pytest.raises(ShapeError, match=r"shape \(5, 6\); the System needs \(6, 5\)"):
            placed.check_write({"in->hidden": np.zeros((5, 6))})


class TestOffsets:
    def test_every_arrival_is_shifted_by_the_die(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"offset": 0.1}, range={"signal": 2.0}), seed=3)
        assert placed.offsets == {"hidden.z_offset", "out.z_offset"}
        held = placed.realise(placed.system.parameters)
        shift = held["hidden.z_offset"]
        assert shift.shape == (6,)
        assert 0.05 < np.std(np.concatenate([shift, held["out.z_offset"]])) < 0.4
        trace = Interpreter(placed.system, held).steady({"in": X})
        expected = np.tanh(X @ held["in->hidden"].T + shift)
        np.testing.assert_allclose(trace.fields["hidden.x"][:, 0], expected, rtol=1e-13)

    def test_the_system_itself_has_none(self, system, make_profile):
        placed = place(system, make_profile(mismatch={"offset": 0.1}))
        assert not placed.system.parameters["hidden.z_offset"].any()

    def test_signals_and_outputs_see_the_offset(self, make_profile):
        text = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        node = Population.from_text("node", 2, text, {"tau": 1.0})
        source = Source("in", 2).lower()
        coupling = Coupling("w", "in", "node", "u", OneToOne((2,)), "z", initial=np.ones(2))
        system = System.of([source, node], [coupling], {"in": Input("in", "u")}, {"y": Output("node", "2*z")})
        placed = place(system, make_profile(mismatch={"offset": 0.1}))
        held = placed.realise(placed.system.parameters)
        y = Interpreter(placed.system, held).steady({"in": np.ones((1, 2))}).outputs["y"][0, 0]
        np.testing.assert_allclose(y, 2 * (1 + held["node.z_offset"]), rtol=1e-14)
        assert held["node.z_offset"].all()

    def test_a_users_parameter_of_that_name_is_kept(self, make_profile):
        text = "dx/dt = (z + z_offset - x)/tau : 1\nz : 1 (arrival)\nz_offset : 1 (parameter)\ntau : s (parameter)"
        medium = Medium("m", 2, text, {"tau": 1.0, "z_offset": 0.25})
        system = Network.layered([Source("in", 2), medium]).lower()
        placed = place(system, make_profile(mismatch={"offset": 0.1}))
        assert placed.offsets == {"m.z_offset_"}
        assert placed.realise(placed.system.parameters)["m.z_offset"] == 0.25


class TestLines:
    def test_every_coupling_gets_the_delay_of_its_line(self, system, make_profile):
        profile = make_profile(medium={"time_constant": (1e-9, "s"), "line_delay": (0.33e-9, "s")})
        placed = place(system, profile)
        assert placed.line_delay == pytest.approx(0.33)
        # steps of a twentieth of the time constant: 0.33 s become 7 steps
        assert {c.delay for c in placed.system.couplings.values()} == {7 * placed.step}
        assert {c.delay for c in system.couplings.values()} == {0.0}

    def test_time_scale(self, system, make_profile):
        assert place(system, make_profile()).time_scale == 1.0
        assert place(system, make_profile(medium={"time_constant": (3.0, "ns")})).time_scale == pytest.approx(3e-9)


JOHNSON = {
    "temperature": (300.0, "K"),
    "bandwidth": (1e9, "Hz"),
    "impedance": (50.0, "ohm"),
    "amplitude": (0.1, "V"),
}


class TestDetectors:
    def test_johnson_noise_by_hand(self, system, make_profile):
        placed = place(system, make_profile(noise=JOHNSON))
        volts = math.sqrt(4 * Boltzmann * 300 * 50 * 1e9)
        assert volts == pytest.approx(28.8e-6, rel=1e-2)
        assert placed.detector_noise() == pytest.approx(volts / 0.1, rel=1e-14)
        assert placed.detector_noise(200.0) == pytest.approx(2 * volts / 0.1, rel=1e-14)

    def test_a_power_wave_carries_ktb_whatever_the_impedance(self, system, make_profile):
        placed = place(system, make_profile(noise={**JOHNSON, "amplitude": (1e-3, "W**0.5")}))
        assert placed.detector_noise() == pytest.approx(math.sqrt(Boltzmann * 300 * 1e9) / 1e-3, rel=1e-14)
        assert placed.detector_noise(200.0) == placed.detector_noise()

    def test_read_noise_is_relative_to_the_full_scale_and_adds_in_power(self, system, make_profile):
        quiet = place(system, make_profile(noise=JOHNSON)).detector_noise()
        read = place(system, make_profile(noise={"read": 0.01}, range={"signal": 2.0})).detector_noise()
        assert read == 0.02
        both = place(system, make_profile(noise={"read": 0.01, **JOHNSON}, range={"signal": 2.0})).detector_noise()
        assert both == pytest.approx(math.hypot(0.02, quiet), rel=1e-14)

    def test_none(self, system, make_profile):
        assert place(system, make_profile()).detector_noise() == 0.0


class TestSteps:
    def test_a_twentieth_of_the_shortest_time_constant(self, make_profile):
        assert place(network(time_constant=0.3).lower(), make_profile()).step == pytest.approx(0.015)

    def test_times_are_found_by_dimension(self, make_profile):
        text = "dx/dt = (z - x)/T : 1\nz : 1 (arrival)\nT : 1/Hz (parameter)"
        system = Network.layered([Source("in", 2), Medium("m", 2, text, {"T": [0.02, 0.01]})]).lower()
        assert place(system, make_profile()).step == pytest.approx(0.0005)

    @pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
    def test_bad_steps(self, system, make_profile, step):
        with pytest.raises(ParameterError, match="time step"):
            place(system, make_profile(), step=step)

    def test_durations_in_steps(self, system, make_profile):
        placed = place(system, make_profile(), step=0.1)
        assert placed.steps(2.0) == 20
        assert placed.steps(0.0) == 0
        for duration in (-1.0, math.nan):
            with pytest.raises(ParameterError, match="duration"):
                placed.steps(duration)

    def test_unknown_device(self, system, make_profile):
        with pytest.raises(UnknownNameError, match="unknown device 'gpu'"):
            place(system, make_profile(), device="gpu")
