"""Bills against sums made by hand from the published numbers."""

from pathlib import Path

import pytest

from physnn.energy import COUNTS, price
from physnn.errors import CapabilityError, NumericsError, ProfileError
from physnn.substrate.profile_schema import EnergySection
from physnn.substrate.profiles import Profile, load_profile

SHIPPED = Path(__file__).parents[2] / "hardware_profiles" / "physnn_profiles"
MLP = {"sample": 1, "mac": 64 * 32 + 32 * 32 + 32 * 10, "elementwise": 74 * 2, "kernel": 9, "memory_byte": 4 * 3700}


@pytest.fixture(params=["cpu-x86", "gpu-h200", "photonic-mzi", "rf-transmission-line", "loihi-1", "spinnaker-1"])
def device(request):
    return shipped(request.param)


def shipped(name):
    return load_profile(SHIPPED / f"{name}.toml")


def profile(kind, **sections):
    """A profile whose numbers are given as {section: {key: (low, value, high, unit)}}."""
    note = {"evidence": "measured", "source": "Bench 2020", "verified": True}
    tables = {
        section: {
            key: {"low": low, "value": value, "high": high, "unit": unit, **note}
            for key, (low, value, high, unit) in entries.items()
        }
        for section, entries in sections.items()
    }
    head = {"name": "bench", "title": "b", "kind": kind, "backends": ["any"], "description": "d"}
    return Profile.model_validate({**head, **tables})


def ends(interval):
    return (interval.low, interval.typical, interval.high)


class TestIdeal:
    @pytest.mark.parametrize("name", ["ideal-torch", "ideal-waveguide"])
    def test_is_not_a_device(self, name):
        assert price(shipped(name), MLP, {}) is None


class TestProcessor:
    BENCH = profile(
        "processor",
        power={"idle": (10.0, 20.0, 30.0, "W"), "busy": (100.0, 200.0, 300.0, "W")},
        time={"launch": (1.0, 2.0, 4.0, "us")},
        rate={
            "peak": (1.0, 2.0, 4.0, "TFLOP/s"),
            "utilisation": (0.25, 0.5, 1.0, "1"),
            "memory": (1.0, 2.0, 4.0, "GB/s"),
            "host_link": (0.5, 1.0, 2.0, "GB/s"),
            "launch_activity": (0.0, 0.1, 0.5, "1"),
        },
    )

    def test_compute_bound_by_hand(self):
        bill = price(self.BENCH, {"mac": 4e9, "elementwise": 2e9, "memory_byte": 1e3}, {})
        # (2 x 4e9 + 2e9) flop at 1 TFLOP/s; fastest at 4, slowest at 0.25
        assert ends(bill.duration) == pytest.approx((1e10 / 4e12, 1e10 / 1e12, 1e10 / 0.25e12), rel=1e-12)
        assert ends(bill.total) == pytest.approx((100 * 2.5e-3, 200 * 1e-2, 300 * 4e-2), rel=1e-12)
        assert set(bill.breakdown) == {"compute"}

    def test_memory_bound_by_hand(self):
        bill = price(self.BENCH, {"mac": 1e3, "memory_byte": 1e9}, {})
        assert ends(bill.duration) == pytest.approx((0.25, 0.5, 1.0), rel=1e-12)
        assert ends(bill.breakdown["memory"]) == pytest.approx((25.0, 100.0, 300.0), rel=1e-12)

    def test_launches_and_link_draw_the_waiting_power(self):
        bill = price(self.BENCH, {"kernel": 10, "host_byte": 1e3}, {})
        power = (10.0, 20.0 + 0.1 * 180.0, 30.0 + 0.5 * 270.0)  # idle + activity (busy - idle), end by end
        launch, link = (1e-5, 2e-5, 4e-5), (0.5e-6, 1e-6, 2e-6)
        assert ends(bill.breakdown["launch"]) == pytest.approx([p * t for p, t in zip(power, launch, strict=True)])
        assert ends(bill.breakdown["host_link"]) == pytest.approx([p * t for p, t in zip(power, link, strict=True)])
        assert ends(bill.duration) == pytest.approx([a + b for a, b in zip(launch, link, strict=True)])

    def test_a_batch_shares_its_latency(self):
        counts = {"kernel": 90, "sample": 320}
        whole = price(self.BENCH, counts, {})
        batches = price(self.BENCH, counts, {}, batch=32)
        assert whole.latency == whole.duration
        assert ends(batches.latency) == pytest.approx([end / 10 for end in ends(whole.duration)])
        assert ends(whole.per(320).total) == pytest.approx([end / 320 for end in ends(whole.total)])
        assert whole.per(320).latency == whole.latency

    def test_batch_1_on_a_gpu_is_all_launches(self):
        bill = price(shipped("gpu-h200"), MLP, {})
        assert bill.breakdown["launch"].typical > 0.99 * bill.total.typical
        assert bill.total.typical / MLP["mac"] > 1000 * 21e-12  # 21 pJ/MAC at full power and rate, float32

    def test_cpu_covers_the_measured_keyword_spotter(self):
        # Blouw et al. 2019: 390-256-256-29, 172,800 MACs, total 15.7 mJ at batch 1, 0.793 mJ at batch 64
        for batch, measured in ((1, 15.7e-3), (64, 0.793e-3)):
            counts = {"mac": 172800 * batch, "kernel": 9, "memory_byte": 4 * 172800, "sample": batch}
            total = price(shipped("cpu-x86"), counts, {}).per(batch).total
            assert total.low < measured
            assert measured < total.high * (1 + 1e-2)  # the range of the launch was taken from batch 1


SPIKING = {
    "sample": 2,
    "synop": 1e6,
    "neuron_update_active": 2e4,
    "neuron_update_idle": 1e5,
    "spike": 3e3,
    "spike_hop": 6e3,
    "weight_update": 500,
    "host_mac": 10,
    "timestep_s": 0.2,
}


class TestEvent:
    def test_loihi_by_hand(self):
        bill = price(shipped("loihi-1"), SPIKING, {})
        typical = {
            "synop": 1e6 * 23.6e-12,
            "neuron_update_active": 2e4 * 81e-12,
            "neuron_update_idle": 1e5 * 52e-12,
            "spike": 3e3 * 1.7e-12,
            "spike_hop": 6e3 * 3.5e-12,
            "weight_update": 500 * 120e-12,
            "host_mac": 10 * 4.6e-9,
            "static": 0.2 * 0.104,
            "static_host": 0.2 * 0.065,
        }
        assert {cause: cost.typical for cause, cost in bill.breakdown.items()} == pytest.approx(typical, rel=1e-12)
        assert bill.total.typical == pytest.approx(sum(typical.values()), rel=1e-12)
        assert bill.breakdown["synop"].high == pytest.approx(1e6 * 35.5e-12, rel=1e-12)
        assert ends(bill.latency) == pytest.approx((0.1, 0.1, 0.1))
        assert bill.unverified_constants == ()
        assert any("4.6 s per chip" in item for item in bill.not_counted)

    def test_chips_multiply_the_standing_power(self):
        one, four = (price(shipped("loihi-1"), {"timestep_s": 1.0}, {"chip": n}).total.typical for n in (1, 4))
        assert four == pytest.approx(4 * one)
        assert one == pytest.approx(0.169)

    def test_static_power_equals_4_4e9_synaptic_operations_a_second(self):
        rate = 0.104 / 23.6e-12
        bill = price(shipped("loihi-1"), {"synop": rate, "timestep_s": 1.0}, {})
        assert bill.breakdown["synop"].typical == pytest.approx(bill.breakdown["static"].typical)

    def test_spinnaker_has_routing_inside_its_synaptic_event(self):
        bill = price(shipped("spinnaker-1"), {"synop": 1e3, "spike": 10, "spike_hop": 20, "timestep_s": 1e-3}, {})
        assert bill.breakdown["synop"].typical == pytest.approx(13.3e-6)
        assert set(bill.breakdown) == {"synop", "static"}
        assert set(bill.unverified_constants) == {"energy.synop", "power.static"}

    def test_keraspiking_counting(self):
        # KerasSpiking's Dense 784-128 on its CPU constants: 8.6 nJ per connection and per neuron update, no other term
        bench = profile(
            "event",
            energy={key: (8.6, 8.6, 8.6, "nJ") for key in ("synop", "neuron_update_active")},
        )
        bill = price(bench, {"synop": 784 * 128, "neuron_update_active": 128}, {})
        assert bill.total.typical == pytest.approx(8.6412800e-4, rel=1e-6)


INVENTORY = {"input": 65, "output": 10, "weight": 3392, "repeater": 74, "line": 3392, "mzi_depth": 130, "layer": 3}
WAVES = {"sample": 4, "pass": 8, "dac": 260, "adc": 40, "repeater": 592, "medium_s": 8e-8}


class TestAnalog:
    def test_rf_by_hand(self):
        bill = price(shipped("rf-transmission-line"), WAVES | {"host_mac": 7}, INVENTORY)
        typical = {
            "dac": 260 * 3.57e-12,
            "adc": 40 * 1.48e-12,
            "host_mac": 7 * 4.6e-9,
            "static_repeater": 74 * 5e-3 * 8e-8,
            "static_weight": 3392 * 0.1e-3 * 8e-8,
            "static_input": 65 * 5e-3 * 8e-8,
            "static_output": 10 * 5e-3 * 8e-8,
        }
        assert {cause: cost.typical for cause, cost in bill.breakdown.items()} == pytest.approx(typical, rel=1e-12)
        # the time constant reaches from 0.3 to 3 ns around 1 ns
        assert ends(bill.duration) == pytest.approx((2.4e-8, 8e-8, 2.4e-7), rel=1e-12)
        assert ends(bill.latency) == pytest.approx((0.6e-8, 2e-8, 6e-8), rel=1e-12)

    def test_photonic_pays_for_its_light(self):
        bill = price(shipped("photonic-mzi"), WAVES, INVENTORY)
        watts = (65 + 74) * 20e-6 * 10 ** ((130 * 0.2 + 2.0) / 10) / 0.2
        assert bill.breakdown["laser"].typical == pytest.approx(watts * 8e-8, rel=1e-12)
        assert bill.breakdown["laser"].high == pytest.approx(50.0 * 8e-7, rel=1e-12)
        assert bill.breakdown["static_weight"].typical == pytest.approx(3392 * 0.060 * 8e-8, rel=1e-12)
        assert bill.breakdown["repeater"].typical == pytest.approx(592 * 3.6e-12, rel=1e-12)
        assert {"medium.mzi_loss", "medium.detector_power", "medium.laser_limit"} <= set(bill.unverified_constants)

    def test_devices_stay_on_while_weights_settle(self):
        inventory = {"weight": 100, "mzi_depth": 10}
        bill = price(shipped("photonic-mzi"), {"weight_write": 300, "medium_s": 0.0}, inventory)
        assert bill.duration.typical == pytest.approx(3 * 10e-6)
        assert bill.breakdown["static_weight"].typical == pytest.approx(100 * 0.060 * 3 * 10e-6)
        assert bill.breakdown["weight_write"].typical == pytest.approx(300 * 7.14e-12)

    def test_wide_mesh_is_refused(self):
        with pytest.raises(CapabilityError, match="dB"):
            price(shipped("photonic-mzi"), WAVES, INVENTORY | {"mzi_depth": 2 * 785})

    @pytest.mark.parametrize(
        ("missing", "counts", "said"),
        [("mzi_depth", {"medium_s": 1.0}, "mzi_depth"), ("weight", {"weight_write": 3.0}, "'weight'")],
    )
    def test_incomplete_inventory_is_told(self, missing, counts, said):
        inventory = {device: n for device, n in INVENTORY.items() if device != missing}
        with pytest.raises(ProfileError, match=said):
            price(shipped("photonic-mzi"), counts, inventory)


class TestErrors:
    def test_a_count_of_another_kind_names_count_and_profile(self):
        with pytest.raises(ProfileError, match=r"'loihi-1' \(event\) has no price for the count 'mac'"):
            price(shipped("loihi-1"), {"mac": 1.0}, {})

    def test_an_unknown_count_offers_the_nearest(self):
        with pytest.raises(ProfileError, match="'synops'; did you mean 'synop'"):
            price(shipped("loihi-1"), {"synops": 1.0}, {})

    def test_a_count_that_the_profile_does_not_price_is_no_zero(self):
        bench = profile("event", energy={"synop": (1.0, 1.0, 1.0, "pJ")})
        with pytest.raises(ProfileError, match=r"no price for the count 'spike'.*\[energy.spike\]"):
            price(bench, {"synop": 1.0, "spike": 1.0}, {})

    def test_standing_power_without_a_number_is_no_zero(self):
        with pytest.raises(ProfileError, match=r"'bench' \(event\) has no power.static"):
            price(profile("event"), {"timestep_s": 1.0}, {})

    def test_a_powered_device_without_a_number_is_no_zero(self):
        with pytest.raises(ProfileError, match=r"has no power.repeater"):
            price(profile("analog"), {"medium_s": 1.0}, {"repeater": 1})

    def test_an_unknown_device_is_refused(self):
        with pytest.raises(ProfileError, match="device 'repeaters'; did you mean 'repeater'"):
            price(shipped("rf-transmission-line"), {}, {"repeaters": 3})

    @pytest.mark.parametrize("number", [-1.0, float("nan"), float("inf")])
    def test_a_count_must_be_a_number(self, number):
        with pytest.raises(NumericsError, match="finite and not negative"):
            price(shipped("loihi-1"), {"synop": number}, {})


class TestEveryDevice:
    def everything(self, device):
        inventory = {"weight": 10, "input": 4, "output": 2, "repeater": 6, "line": 10, "mzi_depth": 8, "layer": 2}
        return {name: 10.0 for name in COUNTS[device.kind]}, inventory

    def test_prices_every_count_of_its_kind(self, device):
        bill = price(device, *self.everything(device))
        assert 0.0 < bill.total.low <= bill.total.typical <= bill.total.high
        assert sum(cost.typical for cost in bill.breakdown.values()) == pytest.approx(bill.total.typical)
        assert bill.not_counted

    def test_costs_grow_with_every_count(self, device):
        counts, inventory = self.everything(device)
        base = price(device, counts, inventory)
        for name in counts:
            more = price(device, counts | {name: 1e12 * counts[name]}, inventory)
            free = name in ("sample", "pass") or f"energy.{name}" in device.included
            for before, after in zip(ends(base.total), ends(more.total), strict=True):
                assert (after == pytest.approx(before)) if free else (after > before), name

    def test_unverified_constants_are_those_of_the_profile(self, device):
        bill = price(device, *self.everything(device))
        for path in bill.unverified_constants:
            assert device.quantity(path).verified is False
        priced = {f"energy.{name}" for name in self.everything(device)[0] if name in EnergySection.model_fields}
        unverified = {path for path, number in device.quantities() if path in priced and not number.verified}
        assert unverified <= set(bill.unverified_constants)
