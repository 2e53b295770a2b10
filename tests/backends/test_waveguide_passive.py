"""Passive networks on the waveguide backend: lines with ends, meshes; what is counted, timed, detected and refused."""

import math

import numpy as np
import pytest

from physnn.equations import Coupling, Input, OneToOne, Output, Population, System
from physnn.errors import ParameterError
from physnn.media import Link, Mesh, Network, Readout, Source, Waveguide
from physnn.media.catalogue import MEDIA
from physnn.media.impedances import Line, Resistor, Termination
from physnn.substrate.contract import APPROXIMATED, REFUSED
from physnn.substrate.placement import place
from physnn.substrate.profiles import find_profile

physnn_waveguide = pytest.importorskip("physnn_waveguide")

SIZE = 3
PHOTONIC = {
    "mzi_loss": (0.2, "dB"),
    "detector_power": (20.0, "uW"),
    "laser_efficiency": 0.2,
    "laser_limit": (50.0, "W"),
}


def wired(mesh, expression="y"):
    """Sources and a mesh, joined at one place."""
    straight = OneToOne(mesh.shape)
    wire = Link("in", mesh.name, operator=straight, weights=np.ones(mesh.shape), trainable=False, wire=True)
    return Network((Source("in", mesh.shape), mesh), (wire,), Readout(mesh.name, expression)).lower()


def line(delay=0.5, ends=50.0, wire=True):
    """A line of 50 ohm between two resistors."""
    source, load = (Termination(name, SIZE, Resistor(ends)) for name in ("source", "load"))
    between = Line("line", SIZE, 50.0, delay)
    drive = Link("in", "source", operator=OneToOne((SIZE,)), weights=np.ones(SIZE), trainable=False, wire=wire)
    links = (drive, *between.links("source", "load"))
    return Network((Source("in", SIZE), source, between, load), links, Readout("load", "u")).lower()


class TestWhereItRuns:
    def test_lines_with_ends_are_an_analog_computer(self, on_waveguide):
        """u at the matched load is e/2, one delay later."""
        substrate = on_waveguide(line(), step=0.05)
        assert isinstance(substrate.lines, physnn_waveguide.backend.AnalogComputer)
        u = substrate.run({"in": np.ones((1, SIZE))}, 1.0).outputs["y"][0, :, 0]
        np.testing.assert_allclose(u, np.where(np.arange(21) < 10, 0.0, 0.5), atol=1e-15)

    @pytest.mark.parametrize("delay, step", [(0.5, 0.3), (1e-9, 0.05)])
    def test_a_delay_between_two_steps_is_refused(self, on_waveguide, delay, step):
        with pytest.raises(ParameterError, match="is not a whole number of steps"):
            on_waveguide(line(delay), step=step).run({"in": np.ones((1, SIZE))}, 4 * step)

    def test_what_only_passes_waves_on_is_no_repeater(self, on_waveguide):
        middle = Population.from_text("middle", SIZE, "z : 1 (arrival)")
        source, last = Source("in", SIZE).lower(), Waveguide("last", SIZE).lower()
        couplings = [
            Coupling("a", "in", "middle", "u", OneToOne((SIZE,)), "z", initial=np.ones(SIZE)),
            Coupling("b", "middle", "last", "z", OneToOne((SIZE,)), "z", initial=np.ones(SIZE)),
        ]
        system = System.of([source, middle, last], couplings, {"in": Input("in", "u")}, {"y": Output("last", "x")})
        assert isinstance(on_waveguide(system).lines, physnn_waveguide.backend.AnalogComputer)


class TestTime:
    def test_parts_at_one_place_are_passed_at_once(self, on_waveguide, make_profile):
        """A line delay of 0.606 steps of one: the step rounds it up by 0.394, which no local coupling has."""
        lines = {"time_constant": (1.0, "ns"), "line_delay": (0.606, "ns")}
        substrate = on_waveguide(line(1.0), make_profile(medium=lines), step=1.0)
        # the waves of both ends pass the line side by side
        assert substrate.settling_time == pytest.approx(1.0, rel=1e-12)

    def test_the_line_delay_is_counted_as_it_is(self, on_waveguide, make_profile):
        lines = {"time_constant": (1.0, "ns"), "line_delay": (0.606, "ns")}
        substrate = on_waveguide(line(1.0, wire=False), make_profile(medium=lines), step=1.0)
        assert substrate.settling_time == pytest.approx(1.0 + 0.606, rel=1e-12)

    @pytest.mark.parametrize("delay, time", [(0.0, 0.3), (1.0, 4.0)])
    def test_a_mesh_takes_the_profiles_delay_or_its_own(self, on_waveguide, make_profile, delay, time):
        """Of 4 columns; lines that pass a column by take its time as well."""
        lines = {"time_constant": (1.0, "ns"), "line_delay": (0.3, "ns")}
        substrate = on_waveguide(wired(Mesh("mesh", 4, delay=delay)), make_profile(medium=lines), step=1.0)
        assert substrate.settling_time == pytest.approx(time, rel=1e-12)
        substrate.steady({"in": np.ones((1, 4))})
        assert substrate.meter.counts["medium_s"] > 0.0


class TestDevices:
    def test_of_a_mesh(self, on_waveguide, make_profile):
        """16 lines: 120 interferometers with two shifters, and 16 phases at the end; wires are no devices."""
        substrate = on_waveguide(wired(Mesh("mesh", 16)), make_profile())
        assert substrate.inventory() == {
            "repeater": 0.0,
            "line": substrate.inventory()["line"],
            "weight": 120 + 16 / 2,
            "input": 16.0,
            "output": 2 * 16.0,
            "mzi_depth": 16.0,
            "layer": 0.0,
        }
        assert substrate.meter.counts["weight_write"] == 120 + 16 / 2
        substrate.write({"mesh_1.theta": np.zeros(8)})
        assert substrate.meter.counts["weight_write"] == 120 + 16 / 2 + 8 / 2
        substrate.steady({"in": np.ones((5, 16))})
        assert substrate.meter.counts["adc"] == 5 * 2 * 16
        assert substrate.meter.counts["dac"] == 5 * 16

    def test_detectors_of_power_are_one_a_line(self, on_waveguide):
        assert on_waveguide(wired(Mesh("mesh", 4), "abs(y)**2")).inventory()["output"] == 4

    def test_wavelengths_share_their_shifters(self, on_waveguide):
        mesh = Mesh("mesh", 4, wavelengths=(0.98, 1.0, 1.02))
        assert on_waveguide(wired(mesh)).inventory()["weight"] == 6 + 4 / 2

    @pytest.mark.parametrize(
        "name, repeaters, depth",
        [
            ("passive-network", 0, 0),
            ("fractional-line", 0, 0),
            ("rlc-termination", 0, 0),
            ("tlm-field", 0, 0),
            ("transformer-bank", 0, 0),
            ("repeater", 3, 0),
            ("interferometer-matrix", 0, 4 + 1 + 4),
            ("harmonic", None, None),
        ],
    )
    def test_amplifiers_and_interferometers_in_series(self, name, repeaters, depth):
        """Integrators of an analog computer stay counted; a passive circuit holds its states by itself."""
        devices = physnn_waveguide.devices.inventory(MEDIA[name].build().lower())
        if repeaters is None:
            assert devices["repeater"] > 0 and devices["mzi_depth"] > 0
        else:
            assert (devices["repeater"], devices["mzi_depth"]) == (repeaters, depth)

    def test_triangular_meshes_are_deeper(self):
        devices = physnn_waveguide.devices.inventory(wired(Mesh("mesh", 6, layout="triangular")))
        assert devices["mzi_depth"] == 2 * 6 - 3

    def test_a_mesh_before_a_layer_adds_to_its_matrix(self):
        mesh = Mesh("mesh", 4)
        straight = OneToOne((4,))
        links = (
            Link("in", "mesh", operator=straight, weights=np.ones(4), trainable=False, wire=True),
            Link("mesh", "layer", signal="re(y)"),
        )
        parts = (Source("in", 4), mesh, Waveguide("layer", 4, bias=False))
        devices = physnn_waveguide.devices.inventory(Network(parts, links, Readout("layer")).lower())
        assert devices["mzi_depth"] == 4 + 2 * 4

    def test_a_mesh_that_swallows_the_light_is_refused(self, make_profile):
        profile = make_profile(kind="analog", medium={**PHOTONIC, "laser_limit": (1.0, "mW")})
        found = physnn_waveguide.Backend().check(wired(Mesh("mesh", 8)), profile)
        assert ["8 interferometers in series lose 1.6 dB" in f.detail for f in found if f.status == REFUSED] == [True]
        allowed = physnn_waveguide.Backend().check(wired(Mesh("mesh", 8)), make_profile(kind="analog", medium=PHOTONIC))
        assert not [f for f in allowed if f.status == REFUSED]


class TestDetection:
    READ = {"read": 0.02}  # noqa: RUF012

    def noise(self, on_waveguide, make_profile, system, size, **tables):
        """What is read of a dark network, many times."""
        profile = make_profile(kind="analog", noise=self.READ, range={"signal": 1.0}, **tables)
        substrate = on_waveguide(system, profile, step=0.5)
        return substrate.lines.steady({"in": np.zeros((2000, size))}, substrate.held, 1e-9)[0].outputs["y"]

    def test_both_quadratures_of_an_envelope(self, on_waveguide, make_profile):
        y = self.noise(on_waveguide, make_profile, wired(Mesh("mesh", 4)), 4)
        # 8000 normal numbers: their spread is known to 0.8 %
        for part in (y.real, y.imag):
            assert part.std() == pytest.approx(0.02 / math.sqrt(2), rel=0.035)
        assert abs(np.mean(y**2)) < 5 * 0.02**2 / math.sqrt(y.size)

    @pytest.mark.parametrize("wire", [True, False])
    def test_lines_of_a_description_do_not_amplify_it(self, on_waveguide, make_profile, wire):
        """Their loss is their own: nothing makes up for the profile's."""
        y = self.noise(on_waveguide, make_profile, line(wire=wire), SIZE, medium={"line_loss": (6.0, "dB")})
        # 6000 normal numbers: 0.9 %; 6 dB would be a factor of two
        assert y.std() == pytest.approx(0.02, rel=0.04)

    def test_sums_behind_lines_of_the_profile_do(self, on_waveguide, make_profile):
        total = Population.from_text("sum", 4, "z : 1 (arrival)")
        coupling = Coupling("w", "in", "sum", "u", OneToOne((4,)), "z", initial=np.ones(4))
        ports = {"in": Input("in", "u")}, {"y": Output("sum", "z")}
        system = System.of([Source("in", 4).lower(), total], [coupling], *ports)
        y = self.noise(on_waveguide, make_profile, system, 4, medium={"line_loss": (6.0, "dB")})
        assert y.std() == pytest.approx(0.02 * 10 ** (6 / 20), rel=0.035)

    def test_nodes_of_a_mesh_of_lines_detect_nothing(self, on_waveguide, make_profile):
        """A field of pulses is passive: noise enters where it is read, not where its drive arrives."""
        system = MEDIA["tlm-field"].build().lower()
        quiet, noisy = (
            on_waveguide(system, make_profile(kind="analog", **tables), step=1.0)
            for tables in ({}, {"noise": self.READ, "range": {"signal": 1.0}})
        )
        x = {"in": np.zeros((1, *system.populations["in"].shape))}
        traces = [substrate.run(x, 3.0) for substrate in (quiet, noisy)]
        np.testing.assert_array_equal(traces[0].fields["field.b_e"], traces[1].fields["field.b_e"])
        assert not np.array_equal(traces[0].outputs["y"], traces[1].outputs["y"])

    def test_a_dark_mesh_stays_dark(self, on_waveguide, make_profile):
        profile = make_profile(kind="analog", mismatch={"offset": 0.1}, range={"signal": 1.0})
        for system, size in ((wired(Mesh("mesh", 4)), 4), (line(), SIZE), (line(wire=False), SIZE)):
            substrate = on_waveguide(system, profile, step=0.5)
            assert not substrate.placed.offsets
            assert not substrate.steady({"in": np.zeros((1, size))}).outputs["y"].any()

    def test_it_is_said_which_lines_keep_their_own_loss(self):
        profile = find_profile("rf-transmission-line")
        found = physnn_waveguide.Backend().check(line(), profile)
        said = [f.detail for f in found if f.status == APPROXIMATED]
        assert said == [
            "keep their own loss and delay; the profile's line_loss and line_delay act on other couplings alone"
        ]
        layered = Network.layered([Source("in", 2), Waveguide("layer", 2)]).lower()
        assert not [f for f in physnn_waveguide.Backend().check(layered, profile) if f.status == APPROXIMATED]


class TestWrites:
    def test_an_impedance_stays_above_0(self, on_waveguide):
        substrate = on_waveguide(line(), step=0.5)
        for key, value in (("line.Z0", -50.0), ("line.Z0", 0.0), ("load.R", -1.0), ("load.R", 0.0)):
            with pytest.raises(ParameterError, match=f"parameter '{key}'"):
                substrate.write({key: np.full(np.shape(substrate.read()[key]), value)})

    def test_a_loop_that_would_grow_is_refused(self, on_waveguide):
        """A repeater of gain g that hears itself one step later through a loop of gain w: |g w| > 1 grows."""
        text = "a = g*b : V\nb : V (arrival)\ng : 1 (parameter)"
        ring = Population.from_text("ring", 1, text, {"g": 0.5})
        source = Population.from_text("in", 1, "u : V (input)")
        couplings = [
            Coupling("drive", "in", "ring", "u", OneToOne((1,)), "b", initial=np.ones(1)),
            Coupling("loop", "ring", "ring", "a", OneToOne((1,)), "b", delay=0.5, initial=np.ones(1), constant=True),
        ]
        system = System.of([source, ring], couplings, {"in": Input("in", "u")}, {"y": Output("ring", "b")})
        substrate = on_waveguide(system, step=0.5)
        substrate.write({"ring.g": np.asarray(0.9)})
        with pytest.raises(ParameterError, match="grow"):
            substrate.write({"ring.g": np.asarray(1.5)})
        assert substrate.read()["ring.g"] == 0.9


def test_placing_gives_offsets_to_active_elements_alone(make_profile):
    """Cells whose state follows what arrives have them; parts at one place, ends of lines and sums have none."""
    profile = make_profile(kind="analog", mismatch={"offset": 0.1})
    offsets = {
        name: place(MEDIA[name].build().lower(), profile, step=MEDIA[name].step).offsets
        for name in ("waveguide-tanh", "wave-field-clamped", "interferometer-matrix", "rlc-termination", "tlm-field")
    }
    assert offsets == {
        "waveguide-tanh": {"first.z_offset", "second.z_offset"},
        "wave-field-clamped": {"field.drive_offset"},
        "interferometer-matrix": frozenset(),
        "rlc-termination": frozenset(),
        "tlm-field": frozenset(),
    }
