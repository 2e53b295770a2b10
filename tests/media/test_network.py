"""Networks: what they refuse, and what they lower to."""

import numpy as np
import pytest

from physnn.equations import Convolution, Interpreter, OneToOne, companion_inputs, reflected
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media import Link, Medium, Network, Readout, Source, Waveguide


def layered(*sizes, **options):
    names = [f"layer{k}" for k in range(1, len(sizes))]
    parts = [Source("in", sizes[0]), *(Waveguide(n, s) for n, s in zip(names, sizes[1:], strict=True))]
    return Network.layered(parts, **options)


class TestRefusals:
    def test_two_parts_of_one_name(self):
        with pytest.raises(EquationError, match="unique"):
            Network.layered([Source("a", 2), Waveguide("a", 2)]).lower()

    @pytest.mark.parametrize("name", ["bias", "a.b", ""])
    def test_names_that_are_taken_or_ambiguous(self, name):
        with pytest.raises(EquationError, match=r"part"):
            Network.layered([Source("in", 2), Waveguide(name, 2)]).lower()

    def test_two_links_of_one_name(self):
        parts = [Source("in", 2), Waveguide("out", 2)]
        with pytest.raises(EquationError, match="two couplings are called 'in->out'"):
            Network(parts, [Link("in", "out"), Link("in", "out")], Readout("out")).lower()

    def test_unknown_end_offers_the_nearest_part(self):
        parts = [Source("pixels", 2), Waveguide("out", 2)]
        with pytest.raises(EquationError, match=r"unknown part 'pixel'; did you mean 'pixels'"):
            Network(parts, [Link("pixel", "out")], Readout("out")).lower()

    def test_nothing_arrives_at_a_source(self):
        parts = [Source("in", 2), Waveguide("out", 2)]
        with pytest.raises(EquationError, match="nothing can arrive at the source 'in'"):
            Network(parts, [Link("out", "in")], Readout("out")).lower()

    def test_first_part_must_drive_the_network(self):
        with pytest.raises(EquationError, match="'a', must be a Source"):
            Network.layered([Waveguide("a", 2), Waveguide("b", 2)])

    def test_one_part_is_no_network(self):
        with pytest.raises(ParameterError, match="at least one layer"):
            Network.layered([Source("in", 2)])

    def test_readout_of_an_unknown_population(self):
        parts = [Source("in", 2), Waveguide("out", 2)]
        with pytest.raises(EquationError, match=r"unknown population 'ou'; did you mean 'out'"):
            Network(parts, [Link("in", "out")], Readout("ou")).lower()

    def test_number_of_gains(self):
        with pytest.raises(ParameterError, match="3 gains for 2 links"):
            layered(2, 2, 2, gain=[1, 1, 1])

    @pytest.mark.parametrize("gain", [float("nan"), float("inf")])
    def test_gain_is_finite(self, gain):
        with pytest.raises(ParameterError, match=r"in->layer1.*finite"):
            layered(2, 2, gain=gain)

    def test_operator_that_does_not_fit(self):
        text = "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        parts = [Source("in", (1, 4, 4)), Medium("sheet", (2, 4, 4), text, {"tau": 1.0})]
        Network(parts, [Link("in", "sheet", operator=Convolution(2, 1, (3, 3)))], Readout("sheet")).lower()
        with pytest.raises(ShapeError, match="convolution over 3 channels"):
            Network(parts, [Link("in", "sheet", operator=Convolution(2, 3, (3, 3)))], Readout("sheet")).lower()

    @pytest.mark.parametrize("size", [0, 1.5, (2, 0), (), True])
    def test_source_size(self, size):
        with pytest.raises(ShapeError, match="'in'"):
            Source("in", size)


class TestLowering:
    def test_spread_of_the_weights_is_gain_over_root_fan_in(self):
        system = layered(400, 300, gain=0.5).lower(seed=3)
        weights = system.parameters["in->layer1"]
        assert weights.shape == (300, 400)
        # the standard error of the spread of n normal numbers is spread / sqrt(2 n)
        spread = 0.5 / np.sqrt(400)
        assert abs(weights.std() - spread) < 4 * spread / np.sqrt(2 * weights.size)
        assert abs(weights.mean()) < 4 * spread / np.sqrt(weights.size)

    def test_gain_of_each_link(self):
        system = layered(50, 60, 70, gain=[1.0, 0.1]).lower()
        assert system.parameters["in->layer1"].std() == pytest.approx(1 / np.sqrt(50), rel=0.1)
        assert system.parameters["layer1->layer2"].std() == pytest.approx(0.1 / np.sqrt(60), rel=0.1)

    def test_seed_alone_decides_the_weights(self):
        a, b, c = layered(3, 4).lower(7), layered(3, 4).lower(7), layered(3, 4).lower(8)
        assert np.array_equal(a.parameters["in->layer1"], b.parameters["in->layer1"])
        assert not np.array_equal(a.parameters["in->layer1"], c.parameters["in->layer1"])
        assert a.fingerprint == b.fingerprint

    def test_a_further_layer_leaves_the_others_as_they_were(self):
        small, large = layered(3, 4).lower(7), layered(3, 4, 5).lower(7)
        assert np.array_equal(small.parameters["in->layer1"], large.parameters["in->layer1"])

    def test_bias_lines_are_trainable_and_start_at_zero(self):
        system = layered(3, 4, 2).lower()
        assert {"bias->layer1", "bias->layer2"} <= set(system.trainable)
        assert np.array_equal(system.parameters["bias->layer1"], np.zeros((4, 1)))
        assert system.parameters["bias.one"] == 1.0

    def test_no_bias_where_it_is_turned_off(self):
        system = Network.layered([Source("in", 3), Waveguide("out", 2, bias=False)]).lower()
        assert "bias" not in system.populations
        assert system.trainable == ("in->out",)

    def test_fixed_link(self):
        parts = [Source("in", 2), Waveguide("out", 2)]
        system = Network(parts, [Link("in", "out", trainable=False)], Readout("out")).lower()
        assert system.trainable == ("bias->out",)

    def test_impedance_does_not_move_the_noiseless_wave(self):
        x = np.ones((1, 3))
        networks = [Network.layered([Source("in", 3), Waveguide("out", 2, impedance=z)]) for z in (10.0, 300.0)]
        first, second = (Interpreter(n.lower()).steady({"in": x}).outputs["y"] for n in networks)
        assert np.array_equal(first, second)


class TestMedium:
    TEXT = """
    dv/dt = (i*r - v)/tau : V
    i   : A   (arrival)
    r   : ohm (trainable)
    tau : s   (parameter)
    """

    def cell(self, **options):
        values = {"r": 2.0, "tau": 0.1}
        return Medium("cell", 3, self.TEXT, values, signal="v", arrival="i", unit="A", **options)

    def test_units_are_carried_through_the_network(self):
        system = Network.layered([Source("in", 2), self.cell(bias=True)]).lower()
        assert system.couplings["in->cell"].unit == "A"
        assert system.couplings["bias->cell"].unit == "A"
        assert set(system.trainable) == {"in->cell", "bias->cell", "cell.r"}
        x = np.array([[1.0, -1.0]])
        v = Interpreter(system).steady({"in": x}).outputs["y"][0, 0]
        np.testing.assert_allclose(v, 2.0 * system.parameters["in->cell"] @ x[0], rtol=1e-12)

    def test_weight_of_the_wrong_unit(self):
        cell = Medium("cell", 3, self.TEXT, {"r": 2.0, "tau": 0.1}, signal="v", arrival="i", unit="V")
        with pytest.raises(EquationError, match=r"set `unit` of the coupling"):
            Network.layered([Source("in", 2), cell]).lower()

    def test_bias_needs_an_arrival(self):
        medium = Medium("cell", 3, self.TEXT, {"r": 2.0, "tau": 0.1}, signal="v", arrival="z", unit="A", bias=True)
        with pytest.raises(EquationError, match="bias needs the arrival 'z'"):
            medium.lower()

    def test_missing_and_infinite_values(self):
        with pytest.raises(EquationError, match="'tau' has no value"):
            Medium("cell", 3, self.TEXT, {"r": 2.0}).lower()
        with pytest.raises(ParameterError, match="not finite"):
            Medium("cell", 3, self.TEXT, {"r": 2.0, "tau": float("nan")}).lower()

    def test_value_of_the_wrong_shape(self):
        with pytest.raises(ShapeError, match="'r' has shape"):
            Medium("cell", 3, self.TEXT, {"r": [1.0, 2.0], "tau": 1.0}).lower()


class TestBypass:
    def test_guides_lead_around_layers(self):
        system = layered(3, 4, 4, 4, 4, bypass=2, loss=0.1).lower(seed=1)
        guides = {c.name: c for c in system.couplings.values() if isinstance(c.operator, OneToOne)}
        assert guides.keys() == {"layer1->layer3", "layer2->layer4"}
        assert all(np.all(c.initial == 0.9) and not c.trainable for c in guides.values())

    def test_the_reflected_wave_survives_absorbing_layers(self):
        """With couplings of half the strength each layer takes its share of the error; a bypass leads it back."""
        shares = []
        for bypass in (0, 2):
            system = layered(4, *[4] * 9, gain=0.3, bypass=bypass).lower(seed=2)
            trace = Interpreter(system).steady({"in": np.random.default_rng(0).normal(size=(5, 4))})
            companion = reflected(system)
            inputs = companion_inputs(companion, trace, {"y": np.ones_like(trace.outputs["y"])})
            echo = Interpreter(companion.system, system.parameters).steady(inputs)
            first, last = (np.linalg.norm(echo.fields[f"{name}.x_hat"]) for name in ("layer1", "layer9"))
            shares.append(first / last)
        assert shares[0] < 1e-3 and shares[1] > 0.3

    def test_refusals(self):
        with pytest.raises(ShapeError, match=r"a bypass from 'layer1' to 'layer3'"):
            layered(3, 4, 4, 5, bypass=2)
        with pytest.raises(ParameterError, match="a loss from 0 to 1"):
            layered(3, 4, 4, 4, bypass=2, loss=1.5)
        with pytest.raises(ParameterError, match="2 layers or more"):
            layered(3, 4, 4, bypass=1)
