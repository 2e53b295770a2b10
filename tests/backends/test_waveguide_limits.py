"""What the waveguide backend refuses, rounds, and counts."""

import math

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Event, Input, Output, Population, System
from physnn.errors import CapabilityError
from physnn.media import Link, Network, Readout, Source, Waveguide
from physnn.substrate.contract import APPROXIMATED, REFUSED, CompanionSpec
from physnn.substrate.placement import place

physnn_waveguide = pytest.importorskip("physnn_waveguide")

LINES = {"time_constant": (1.0, "ns"), "line_delay": (0.5, "ns")}


class TestRefusals:
    def refusal(self, population, make_profile, signal="x", profile=None, unit="1"):
        source = Source("in", 2).lower()
        size = population.shape[0]
        coupling = Coupling("w", "in", population.name, "u", Dense(size, 2), "z", unit=unit, initial=np.ones((size, 2)))
        system = System.of([source, population], [coupling], {"in": Input("in", "u")}, {"y": Output("p", signal)})
        profile = profile or make_profile()
        found = [f for f in physnn_waveguide.Backend().check(system, profile) if f.status == REFUSED]
        with pytest.raises(CapabilityError) as caught:
            physnn_waveguide.Backend().build(place(system, profile))
        assert found and found[0].detail in str(caught.value) and "\n" not in str(caught.value)
        return str(caught.value)

    def test_weights_that_change_while_it_runs(self, make_profile):
        rule = Population.from_text(
            "hebb", (3, 2), "dw/dt = rate*pre : 1\npre : 1 (input)\nrate : 1/s (parameter)", {"rate": 0.1}
        )
        source, layer = Source("in", 2).lower(), Waveguide("p", 3).lower()
        coupling = Coupling("w", "in", "p", "u", Dense(3, 2), "z", initial=np.ones((3, 2)), plasticity=rule)
        system = System.of([source, layer], [coupling], {"in": Input("in", "u")}, {"y": Output("p", "x")})
        with pytest.raises(CapabilityError, match="coupling w: weights that change while it runs; freeze it"):
            physnn_waveguide.Backend().build(place(system, make_profile()))

    def test_fan_in(self, make_profile):
        layer = Waveguide("p", 3).lower()
        message = self.refusal(layer, make_profile, profile=make_profile(kind="analog", limits={"max_fan_in": 1.0}))
        assert "2 lines arrive at each element, the profile allows 1; use narrower layers" in message

    def test_number_of_repeaters(self, make_profile):
        layer = Waveguide("p", 3).lower()
        message = self.refusal(layer, make_profile, profile=make_profile(kind="analog", limits={"max_neurons": 2.0}))
        assert "number of repeaters: 3, the profile allows 2" in message

    def test_a_mesh_that_swallows_the_light(self, make_profile):
        mesh = {
            "mzi_loss": (0.5, "dB"),
            "detector_power": (10.0, "uW"),
            "laser_efficiency": 0.2,
            "laser_limit": (5.0, "W"),
        }
        narrow, wide = (Waveguide("p", n).lower() for n in (4, 64))
        message = self.refusal(wide, make_profile, profile=make_profile(kind="analog", medium=mesh))
        assert "128 interferometers in series lose 64 dB" in message and "use narrower layers" in message
        system = System.of([narrow], [], {}, {"y": Output("p", "x")})
        found = physnn_waveguide.Backend().check(system, make_profile(kind="analog", medium=mesh))
        assert not [f for f in found if f.status == REFUSED]

    def test_delays_are_said_to_be_rounded(self, make_profile):
        parts = [Source("in", 2), Waveguide("out", 2, bias=False)]
        system = Network(parts, [Link("in", "out", delay=0.33)], Readout("out")).lower()
        found = physnn_waveguide.Backend().check(system, make_profile())
        assert [f.part for f in found if f.status == APPROXIMATED] == ["coupling in->out"]

    def test_a_gpu_changes_nothing(self, make_profile):
        """The lines are simulated on the CPU wherever other backends compute."""
        system = Network.layered([Source("in", 2), Waveguide("layer", 2, bias=False)]).lower()
        substrates = [
            physnn_waveguide.Backend().build(place(system, make_profile(), device=device)) for device in ("cpu", "cuda")
        ]
        first, second = (s.steady({"in": np.ones((1, 2))}).outputs["y"] for s in substrates)
        assert np.array_equal(first, second)


@pytest.mark.parametrize(
    "text, made_of, options",
    [
        ("dv/dt = (z - v)/tau : 1", "", {}),
        ("dv/dt = (z - v)/tau : 1", "1 integrator, 1 comparator", {"events": [Event("spike", "v > 1", {"v": "0"})]}),
        ("v+ = tanh(z) : 1", "1 sample-and-hold", {}),
        ("dv/dt = w : 1\ndw/dt = (z - v - w*tau)/tau**2 : 1/s", "2 integrators", {}),
        ("dv/dt = (z - v**3)/tau : 1", "1 integrator", {}),
        ("dv/dt = -z*v/tau : 1", "1 integrator", {}),
        ("dv/dt = (z - v)/tau + xi/sqrt(tau) : 1", "1 integrator", {}),
        ("dv/dt = (z - v)/tau : 1", "1 integrator, 1 limiter", {"projections": {"v": "max(v, 0)"}}),
        ("0 = v + v**3 - z : 1 (solves v)", "1 feedback loop", {}),
        ("dv/dt = (z - 1j*v)/tau : 1 (complex)", "2 integrators", {}),
    ],
    ids=["repeater", "LIF", "map", "two states", "cubic", "product", "noise", "projection", "constraint", "complex"],
)
def test_what_an_element_is_made_of(text, made_of, options, make_profile):
    """Nothing is said of repeaters; all else consists of analog cells."""
    text += "\nz : 1 (arrival)\ntau : s (parameter)"
    cell = Population.from_text("p", 2, text, {"tau": 1.0}, **options)
    found = physnn_waveguide.Backend().check(System.of([cell], [], {}, {"y": Output("p", "abs(v)")}), make_profile())
    assert [f.detail for f in found if f.part == "population p"] == [made_of]
    assert not [f for f in found if f.status == REFUSED]


class TestCounts:
    @pytest.fixture
    def substrate(self, on_waveguide, make_profile):
        layers = [Waveguide("hidden", 4, time_constant=2.0, damping=0.5), Waveguide("out", 3)]
        system = Network.layered([Source("in", 5), *layers]).lower()
        profile = make_profile(range={"signal": 2.0}, precision={"output_bits": 7}, medium=LINES)
        return on_waveguide(system, profile)

    def test_devices(self, substrate):
        assert substrate.inventory() == {
            "repeater": 4 + 3,
            "line": 5 + 4 + 1 + 1,
            "weight": 5 * 4 + 4 * 3 + 4 + 3,
            "input": 5,
            "output": 3,
            "mzi_depth": 2 * (5 + 1),
            "layer": 2,
        }

    def test_a_pass_there_and_back(self, substrate):
        written = {"weight_write": 5 * 4 + 4 * 3 + 4 + 3}
        assert dict(substrate.meter.counts) == written
        incident = substrate.steady({"in": np.zeros((8, 5))})
        # to half a step of 7 bits take 8 ln 2 time constants, of 4 s and of 1 s; and there are two lines of 0.5 s
        settled = 8 * math.log(2) * (2.0 / 0.5 + 1.0) + 2 * 0.5
        assert substrate.settling_time == pytest.approx(settled, rel=1e-12)
        there = {"dac": 8 * 5, "adc": 8 * 3, "repeater": 8 * 7, "pass": 8, "sample": 8, "medium_s": 8 * settled * 1e-9}
        assert substrate.meter.since(written) == pytest.approx(there, rel=1e-12)
        before = dict(substrate.meter.counts)
        substrate.companion(CompanionSpec(), incident).steady({"y": incident.outputs["y"]})
        # back: errors into 3 outputs; read are the incident waves of 4 hidden repeaters and the reflected ones at 4 + 3
        back = {"dac": 8 * 3, "adc": 8 * (4 + 4 + 3), "repeater": 8 * 7, "pass": 8, "medium_s": 8 * settled * 1e-9}
        assert substrate.meter.since(before) == pytest.approx(back, rel=1e-12)

    def test_a_run(self, substrate):
        before = dict(substrate.meter.counts)
        substrate.run({"in": np.zeros((2, 5))}, 1.0)
        counts = substrate.meter.since(before)
        assert counts["adc"] == 2 * 3 * (round(1.0 / substrate.placed.step) + 1)
        assert counts["medium_s"] == pytest.approx(2 * 1e-9)

    def test_writing_counts_weights_only(self, substrate):
        before = dict(substrate.meter.counts)
        substrate.write({"hidden->out": np.zeros((3, 4)), "hidden.gamma": np.asarray(0.25)})
        assert substrate.meter.since(before) == {"weight_write": 12}
        assert substrate.settling_time == pytest.approx(8 * math.log(2) * (2.0 / 0.25 + 1.0) + 1.0)

    def test_analog_prices_accept_the_counts(self, substrate):
        from physnn.energy import COUNTS, DEVICES

        substrate.steady({"in": np.zeros((8, 5))})
        assert set(substrate.meter.counts) <= COUNTS["analog"]
        assert set(substrate.inventory()) <= DEVICES
