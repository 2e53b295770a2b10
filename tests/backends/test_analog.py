"""The waveguide backend as an analog computer: Systems that repeaters cannot be, and what their cells get wrong."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Input, Interpreter, Output, Population, System
from physnn.errors import NumericsError, ParameterError
from physnn.substrate.contract import SUPPORTED, CompanionSpec, Traits

physnn_waveguide = pytest.importorskip("physnn_waveguide")

STEP, STEPS = 0.05, 30
OSCILLATOR = """
dx/dt = v/tau                    : 1
dv/dt = (z - g*v - x - x**3)/tau : 1
z   : 1 (arrival)
g   : 1 (trainable)
tau : s (parameter)
"""
CUBIC = "dx/dt = (z - x - x**3)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"


def driven(text, reads="x", size=4, **values):
    """A source that drives a population."""
    source = Population.from_text("in", 3, "u : 1 (input)")
    cell = Population.from_text("cell", size, text, {"tau": 1.0, **values})
    weights = np.random.default_rng(0).normal(size=(size, 3))
    couplings = [Coupling("w", "in", "cell", "u", Dense(size, 3), "z", initial=weights)]
    return System.of([source, cell], couplings, {"in": Input("in", "u")}, {"y": Output("cell", reads)})


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(5, 3))


def run(substrate, x, steps=STEPS):
    return substrate.run({"in": x}, steps * substrate.placed.step)


class TestIdealCells:
    def test_every_step_is_the_interpreters(self, on_waveguide, x):
        system = driven(OSCILLATOR, g=0.5)
        assert physnn_waveguide.Backend().traits(system) == Traits()
        wanted = Interpreter(system).run({"in": x}, STEPS, STEP)
        found = run(on_waveguide(system, step=STEP), x)
        for name, wave in {**wanted.fields, **wanted.sent, **wanted.outputs}.items():
            # some ten roundings a step, of amplitudes of order one
            np.testing.assert_allclose({**found.fields, **found.sent, **found.outputs}[name], wave, atol=1e-13)

    def test_nothing_is_added_to_the_equations(self, on_waveguide):
        system = driven(OSCILLATOR, g=0.5)
        assert on_waveguide(system, step=STEP).placed.system.fingerprint == system.fingerprint

    def test_repeaters_keep_their_own_step(self, on_waveguide):
        relaxing = driven("dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)")
        assert physnn_waveguide.Backend().traits(relaxing).integrator == "exponential Euler"
        x = run(on_waveguide(relaxing, step=0.5), np.ones((1, 3)), 4).fields["cell.x"][0, :, 0]
        np.testing.assert_allclose(x / x[-1], (1 - np.exp(-0.5 * np.arange(5))) / (1 - np.exp(-2.0)), atol=1e-14)

    def test_what_it_is_built_of_is_said(self, make_profile):
        found = physnn_waveguide.Backend().check(driven(OSCILLATOR, g=0.5), make_profile())
        assert {(f.part, f.status, f.detail) for f in found} >= {("population cell", SUPPORTED, "2 integrators")}

    def test_devices_are_counted_by_what_they_hold(self, on_waveguide):
        assert on_waveguide(driven(OSCILLATOR, g=0.5), step=STEP).inventory()["repeater"] == 2 * 4


class TestSteps:
    def test_their_limit_is_known(self, on_waveguide):
        """About x = 0 the cell relaxes at 1/tau = 2/s; explicit Euler is stable up to 2 tau."""
        pace = on_waveguide(driven(CUBIC, tau=0.5), step=STEP).pace
        assert str(pace) == "fastest rate 2 1/s, largest stable step 1 s"

    def test_stiff_cells_take_the_exponential_step(self, on_waveguide, x):
        system = driven(CUBIC, tau=0.01)
        substrate = on_waveguide(system, step=0.05)
        assert substrate.placed.system.populations["cell"].integrator == "exponential"
        end = run(substrate, 0.3 * x, 200).fields["cell.x"][:, -1]
        z = 0.3 * x @ system.parameters["w"].T
        assert np.abs(end + end**3 - z).max() < 1e-9

    def test_too_long_ones_are_refused_with_the_limit(self, on_waveguide):
        """Cells of 10 ms that inhibit themselves threefold: h < 2 tau/4 with Euler, tau ln 2 with the exponential."""
        made = driven(CUBIC, tau=0.01)
        loop = Coupling("r", "cell", "cell", "x", Dense(4, 4), "z", initial=-3.0 * np.eye(4))
        system = System.of(made.populations.values(), [*made.couplings.values(), loop], made.inputs, made.outputs)
        with pytest.raises(ParameterError, match=r"time step 0\.1 s is too long .*with a step of at most 0\.005 s"):
            on_waveguide(system, step=0.1)
        assert on_waveguide(system, step=0.006).placed.system.populations["cell"].integrator == "exponential"

    def test_a_step_that_resolves_the_motion_is_let_through(self, on_waveguide, x):
        """Explicit Euler makes an undamped oscillation grow at every step, by (h rate)^2/2."""
        free = "dx/dt = v/tau : 1\ndv/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        assert run(on_waveguide(driven(free), step=0.1), x).outputs["y"].shape == (5, STEPS + 1, 4)

    def test_what_runs_away_all_the_same_is_refused(self, on_waveguide):
        with pytest.raises(NumericsError, match="is not finite"):
            run(on_waveguide(driven(CUBIC), step=1.0), np.full((1, 3), 1e4))


class TestImperfections:
    def build(self, on_waveguide, make_profile, text=OSCILLATOR, cells=None, **tables):
        values = {"g": 0.5} if "g*" in text else {}
        tables = {"cells": cells, **tables} if cells else tables
        return on_waveguide(driven(text, **values), make_profile(kind="analog", **tables), step=STEP, seed=2)

    def test_saturation(self, on_waveguide, make_profile, x):
        """What leaves a cell is x/sqrt(1 + x^2/s^2), while the cell itself holds x."""
        trace = run(self.build(on_waveguide, make_profile, cells={"saturation": 0.5}), x)
        held, read = trace.fields["cell.x"], trace.outputs["y"]
        assert np.abs(held).max() > 0.5
        np.testing.assert_allclose(read, held / np.sqrt(1 + held**2 / 0.25), rtol=1e-12)

    def test_bandwidth(self, on_waveguide, make_profile):
        """What arrives passes 1/(1 + j w/2 pi B): a step is followed as 1 - exp(-2 pi B t), to the order of Euler."""
        substrate = self.build(on_waveguide, make_profile, cells={"bandwidth": (0.5, "Hz")})
        trace = run(substrate, np.ones((1, 3)))
        z, followed = trace.fields["cell.z"][0, :, 0], trace.fields["cell.z_followed"][0, :, 0]
        rate = 2 * np.pi * 0.5
        np.testing.assert_allclose(followed, z * (1 - (1 - rate * STEP) ** np.arange(STEPS + 1)), rtol=1e-9)

    def test_amplifiers_faster_than_the_step_are_left_out(self, on_waveguide, make_profile):
        substrate = self.build(on_waveguide, make_profile, cells={"bandwidth": (1.0, "MHz")})
        assert "z_followed" not in substrate.placed.system.populations["cell"].variables

    def test_gain(self, on_waveguide, make_profile, x):
        """An integrator that leaks at 1/A a time constant stands still where f(x, z) = x/A."""
        substrate = self.build(on_waveguide, make_profile, CUBIC, cells={"gain": 10.0})
        trace = substrate.steady({"in": x})
        held, z = trace.fields["cell.x"], trace.fields["cell.z"]
        np.testing.assert_allclose(z - held - held**3, held / 10.0, atol=1e-12)

    def test_every_cell_has_its_own_on_a_die(self, on_waveguide, make_profile):
        held = self.build(on_waveguide, make_profile, cells={"gain": 10.0}, mismatch={"gain": 0.1}).held
        assert len(np.unique(held["cell.cell_leak"])) == 4

    def test_a_twin_has_the_same_cells_once(self, on_waveguide, make_profile):
        substrate = self.build(on_waveguide, make_profile, cells={"gain": 10.0}, mismatch={"gain": 0.1})
        twin = physnn_waveguide.Backend().build(substrate.placed.twin())
        assert twin.placed.system.fingerprint == substrate.placed.system.fingerprint
        assert np.all(twin.held["cell.cell_leak"] == 0.1)

    def test_the_reflected_wave_passes_the_same_cells(self, on_waveguide, make_profile, x, slope_error):
        from physnn.equations import gradient

        cells = {"saturation": 0.8, "bandwidth": (0.5, "Hz"), "gain": 20.0}
        substrate = self.build(on_waveguide, make_profile, cells=cells)
        incident = run(substrate, x)
        echo = substrate.companion(CompanionSpec(), incident).run({"y": incident.outputs["y"]})
        placed = substrate.placed
        found = gradient(np, placed.system, placed.companion("transpose"), incident, echo)

        def loss(moved):
            substrate.write(moved)
            return float(np.sum(run(substrate, x).outputs["y"] ** 2) / 2)

        assert slope_error(loss, substrate.read(), found) < 1e-6

    def test_detectors_disturb_what_arrives_at_cells(self, on_waveguide, make_profile):
        substrate = self.build(on_waveguide, make_profile, CUBIC, noise={"read": 0.02}, range={"signal": 1.0})
        states = [substrate.steady({"in": np.zeros((500, 3))}).fields["cell.z"] for _ in range(2)]
        assert not np.array_equal(*states)
        # 2000 normal numbers: their spread is known to 1.6 %
        assert states[0].std() == pytest.approx(0.02, rel=0.065)

    def test_a_settled_run_fluctuates_like_a_stationary_state(self, on_waveguide, make_profile):
        """About 0 the cell of tau = 1 s relaxes as a repeater does; T of the noise's average is that constant."""
        substrate = self.build(on_waveguide, make_profile, CUBIC, noise={"read": 0.02}, range={"signal": 1.0})
        y = run(substrate, np.zeros((1000, 3)), 160).fields["cell.x"][:, -1]
        # 4000 normal numbers, 1.1 %; and the discrete average differs from the continuous one by h/4T = 1.3 %
        assert y.std() == pytest.approx(0.02, rel=0.06)

    def test_noise_belongs_to_the_sample_and_a_snapshot_repeats_it(self, on_waveguide, make_profile, x):
        def made():
            return self.build(on_waveguide, make_profile, noise={"read": 0.02}, range={"signal": 4.0})

        together, apart = made(), made()
        whole = run(together, x).outputs["y"]
        kept = apart.snapshot()
        for _ in range(2):
            alone = [run(apart, x[row : row + 1]).outputs["y"] for row in range(len(x))]
            # sums of a product's terms may be taken in another order in a batch of one
            np.testing.assert_allclose(np.concatenate(alone), whole, atol=1e-12)
            apart.restore(kept)

    def test_a_continued_run_keeps_its_noise(self, on_waveguide, make_profile, x):
        whole, parts = (
            self.build(on_waveguide, make_profile, noise={"read": 0.02}, range={"signal": 4.0}) for _ in range(2)
        )
        wanted = run(whole, x).outputs["y"]
        first = run(parts, x, 10)
        second = parts.run({"in": x}, (STEPS - 10) * STEP, first.state)
        np.testing.assert_array_equal(second.outputs["y"], wanted[:, 10:])


class TestEnvelopes:
    TEXT = "da/dt = (z - (1 - 2j)*a - a*abs(a)**2)/tau : 1 (complex)\nz : 1 (arrival, complex)\ntau : s (parameter)"

    def build(self, on_waveguide, make_profile, **tables):
        system = driven(self.TEXT, "re(a)")
        return on_waveguide(system, make_profile(kind="analog", **tables), step=STEP)

    def test_their_noise_has_random_phase(self, on_waveguide, make_profile):
        substrate = self.build(on_waveguide, make_profile, noise={"read": 0.02}, range={"signal": 1.0})
        z = substrate.steady({"in": np.zeros((1000, 3))}).fields["cell.z"]
        assert np.sqrt(np.mean(np.abs(z) ** 2)) == pytest.approx(0.02, rel=0.05)
        assert abs(np.mean(z**2)) < 5 * 0.02**2 / np.sqrt(z.size)

    def test_their_quadratures_are_converted_apart(self, on_waveguide, make_profile, x):
        system = driven(self.TEXT, "re(a)")
        profile = make_profile(range={"signal": 1.0}, precision={"output_bits": 3})
        cell = Coupling("out", "cell", "last", "a", Dense(4, 4), "z", initial=np.eye(4))
        last = Population.from_text("last", 4, self.TEXT, {"tau": 1.0})
        both = System.of(
            [*system.populations.values(), last], [*system.couplings.values(), cell], system.inputs, system.outputs
        )
        sent = run(on_waveguide(both, profile, step=STEP), x).sent["out"]
        for part in (sent.real, sent.imag):
            assert set(np.unique(part.round(12))) <= set((np.arange(-3, 4) / 3).round(12))


def test_passive_networks_are_detected_where_they_are_read(on_waveguide, make_profile, x):
    text = "0 = v + v**3 - z : 1 (solves v)\nz : 1 (arrival)\ntau : s (parameter)"
    profile = make_profile(kind="analog", noise={"read": 0.02}, range={"signal": 4.0})
    system = driven(text, "v")
    noisy, ideal = on_waveguide(system, profile).steady({"in": x}), on_waveguide(system).steady({"in": x})
    np.testing.assert_array_equal(noisy.fields["cell.v"], ideal.fields["cell.v"])
    error = noisy.outputs["y"] - ideal.outputs["y"]
    assert 0.0 < np.abs(error).max() < 5 * 0.08
