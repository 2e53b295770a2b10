"""The waveguide backend: fronts and delays, noise, converters, dies, loops, its adjoint in time."""

import math
from itertools import pairwise

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Input, Output, System, gradient
from physnn.errors import NumericsError
from physnn.learning import Objective, find_rule
from physnn.media import Link, Medium, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate.contract import CompanionSpec

physnn_waveguide = pytest.importorskip("physnn_waveguide")

LINES = {"time_constant": (1.0, "ns"), "line_delay": (0.5, "ns")}


def chain(*sizes, activation="tanh", bias=False, **options):
    parts = [Source("in", sizes[0])]
    parts += [Waveguide(f"layer{k}", n, activation, bias=bias, **options) for k, n in enumerate(sizes[1:], 1)]
    return Network.layered(parts)


@pytest.fixture
def rng():
    return np.random.default_rng(6)


class TestTime:
    def test_the_front_reaches_a_layer_after_as_many_lines(self, on_waveguide, make_profile, rng):
        substrate = on_waveguide(chain(3, 4, 4, 2).lower(), make_profile(medium=LINES))
        steps = round(0.5 / substrate.placed.step)
        assert steps == 10
        trace = substrate.run({"in": rng.normal(size=(2, 3))}, 3.0)
        for number in (1, 2, 3):
            # each layer sends what it was before the step, so a repeater adds one step to its line's ten
            arrival = number * steps + number - 1
            assert not trace.fields[f"layer{number}.z"][:, :arrival].any()
            assert trace.fields[f"layer{number}.z"][:, arrival].all()
            assert not trace.fields[f"layer{number}.x"][:, : arrival + 1].any()
            assert trace.fields[f"layer{number}.x"][:, arrival + 1].all()

    def test_a_coupling_delay_adds_to_the_line(self, on_waveguide, make_profile, rng):
        parts = [Source("in", 2), Waveguide("out", 2, bias=False)]
        system = Network(parts, [Link("in", "out", delay=0.35)], Readout("out")).lower()
        for medium, steps in (({}, 7), (LINES, 17)):
            substrate = on_waveguide(system, make_profile(medium=medium))
            z = substrate.run({"in": rng.normal(size=(1, 2))}, 1.5).fields["out.z"]
            assert not z[:, :steps].any()
            assert z[:, steps].all()

    def test_a_repeater_relaxes_exactly(self, on_waveguide):
        system = chain(2, 2, activation="identity", time_constant=0.4, damping=2.0).lower()
        substrate = on_waveguide(system, step=0.1)
        x = np.array([[1.0, -2.0]])
        trace = substrate.run({"in": x}, 1.0)
        times = 0.1 * np.arange(11)[:, None]
        target = x @ system.parameters["in->layer1"].T / 2.0
        np.testing.assert_allclose(trace.outputs["y"][0], target * (1 - np.exp(-times * 2.0 / 0.4)), rtol=1e-12)

    def test_an_undamped_repeater_adds_up_what_arrives(self, on_waveguide):
        text = "dx/dt = (z - g*x)/tau : 1\nz : 1 (arrival)\ng : 1 (parameter)\ntau : s (parameter)"
        system = Network.layered([Source("in", 2), Medium("m", 2, text, {"g": 0.0, "tau": 0.5})]).lower()
        substrate = on_waveguide(system, step=0.1)
        x = np.array([[1.0, -2.0]])
        y = substrate.run({"in": x}, 1.0).outputs["y"][0, -1]
        np.testing.assert_allclose(y, x[0] @ system.parameters["in->m"].T / 0.5, rtol=1e-13)
        with pytest.raises(NumericsError, match="not finite"):
            substrate.steady({"in": x})

    def test_a_settled_run_is_the_stationary_state(self, on_waveguide, make_profile, rng):
        substrate = on_waveguide(chain(3, 4, 4, 2, bias=True).lower(), make_profile(medium=LINES))
        x = {"in": rng.normal(size=(5, 3))}
        settled = substrate.run(x, 50.0).outputs["y"][:, -1]
        np.testing.assert_allclose(settled, substrate.steady(x).outputs["y"][:, 0], atol=1e-13)

    def test_a_run_can_be_continued_with_its_noise(self, on_waveguide, make_profile, rng):
        profile = make_profile(kind="analog", medium=LINES, noise={"read": 0.01})
        system = chain(3, 4, 2).lower()
        x = {"in": rng.normal(size=(2, 30, 3))}
        whole = on_waveguide(system, profile).run(x, 1.5)
        substrate = on_waveguide(system, profile)
        first = substrate.run(x, 0.7)
        second = substrate.run(x, 0.8, first.state)
        assert np.array_equal(first.outputs["y"], whole.outputs["y"][:, :15])
        assert np.array_equal(second.outputs["y"], whole.outputs["y"][:, 14:])
        assert np.array_equal(substrate.run(x, 0.8, first.state).outputs["y"], second.outputs["y"])


class TestAdjointInTime:
    """The echo of a run against central differences of a loss over its whole trajectory."""

    LAYER = """
    dx/dt = (tanh(z) - gamma*x)/tau : 1
    z     : 1 (arrival)
    gamma : 1 (trainable)
    tau   : s (parameter)
    """

    def errors(self, on_waveguide, profile, step, rng, slope_error):
        """Relative error of the reflected gradient of the weights, and of the damping, in layers of unlike rates."""
        layers = [
            Medium(name, 3, self.LAYER, {"gamma": rng.uniform(0.5, 2.0, 3), "tau": rng.uniform(0.5, 1.0)}, bias=True)
            for name in "abc"
        ]
        system = Network.layered([Source("in", 3), *layers]).lower(2)
        x = {"in": rng.normal(size=(4, 3))}
        substrate = on_waveguide(system, profile, step=step)
        incident = substrate.run(x, 4.0)
        wanted = rng.normal(size=(4, 1, 3))
        echo = substrate.companion(CompanionSpec(), incident).run({"y": step * (incident.outputs["y"] - wanted)})
        found = gradient(np, substrate.placed.system, substrate.placed.companion("transpose"), incident, echo)

        def loss(moved):
            substrate.write(moved)
            return float(step * np.sum((substrate.run(x, 4.0).outputs["y"] - wanted) ** 2) / 2)

        weights = {key: value for key, value in found.items() if key in substrate.placed.weight_keys}
        dampings = {key: value for key, value in found.items() if key not in weights}
        errors = [slope_error(loss, system.parameters, weights)]
        substrate.write(system.parameters)
        return [*errors, slope_error(loss, system.parameters, dampings)]

    @pytest.mark.parametrize("lines", [{}, LINES], ids=["no lines", "lines"])
    def test_weights_get_the_exact_gradient(self, lines, on_waveguide, make_profile, slope_error):
        # each wave is smoothed by the relaxation of its own layer, there and back: the factors (1 - exp(-r h))/r of all
        # layers meet in every product, whatever their rates
        for step in (0.1, 0.025):
            errors = self.errors(on_waveguide, make_profile(medium=lines), step, np.random.default_rng(1), slope_error)
            assert errors[0] < 1e-7

    def test_dampings_get_theirs_to_first_order_in_the_step(self, on_waveguide, make_profile, slope_error):
        found = [
            self.errors(on_waveguide, make_profile(), step, np.random.default_rng(1), slope_error)[1]
            for step in (0.05, 0.025, 0.0125)
        ]
        assert found[0] < 0.1
        for coarse, fine in pairwise(found):
            assert 1.8 < coarse / fine < 2.2


class TestNoise:
    SIZE = (400, 5)

    def noise(self, substrate, x):
        """What the detectors of the first layer add."""
        z = substrate.steady({"in": x}).fields["layer1.z"][:, 0]
        return z - x @ substrate.held["in->layer1"].T

    @pytest.fixture
    def x(self, rng):
        return rng.normal(size=(400, 3))

    def build(self, on_waveguide, profile, **options):
        return on_waveguide(chain(3, 5, 2).lower(), profile, **options)

    def test_its_statistics(self, on_waveguide, make_profile, x):
        noise = self.noise(self.build(on_waveguide, make_profile(kind="analog", noise={"read": 0.02})), x)
        # 2000 normal numbers: mean and spread are known to 1/sqrt(2000) = 2.2 % and 1.6 % of the spread
        assert abs(noise.mean()) < 4 * 0.022 * 0.02
        assert noise.std() == pytest.approx(0.02, rel=4 * 0.016)
        correlation = np.corrcoef(noise.T)
        assert np.abs(correlation - np.eye(5)).max() < 4 / math.sqrt(400)

    def test_loss_amplifies_it(self, on_waveguide, make_profile, x):
        plain, lossy = (
            self.noise(self.build(on_waveguide, make_profile(kind="analog", noise={"read": 0.02}, medium=medium)), x)
            for medium in ({}, {"line_loss": (6.0, "dB")})
        )
        np.testing.assert_allclose(lossy, plain * 10 ** (6 / 20), rtol=1e-9, atol=1e-14)

    def test_loss_alone_changes_nothing(self, on_waveguide, make_profile, x):
        lossy = self.build(on_waveguide, make_profile(medium={"line_loss": (6.0, "dB")}))
        assert np.abs(self.noise(lossy, x)).max() < 1e-14

    def test_impedance_of_a_layer_sets_its_johnson_noise(self, on_waveguide, make_profile, x):
        johnson = {"temperature": (300.0, "K"), "bandwidth": (1.0, "GHz"), "amplitude": (1.0, "mV")}
        profile = make_profile(kind="analog", noise=johnson)
        noise = [self.noise(on_waveguide(chain(3, 5, impedance=z).lower(), profile), x) for z in (50.0, 200.0)]
        np.testing.assert_allclose(noise[1], 2 * noise[0], rtol=1e-9)
        assert noise[0].std() == pytest.approx(0.0288, rel=0.07)

    def test_every_pass_has_its_own_and_the_seed_repeats_it(self, on_waveguide, make_profile, x):
        profile = make_profile(kind="analog", noise={"read": 0.02})
        one, same, other = (self.build(on_waveguide, profile, seed=s) for s in (1, 1, 2))
        first, second = self.noise(one, x), self.noise(one, x)
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / math.sqrt(2000)
        assert np.array_equal(self.noise(same, x), first)
        assert not np.array_equal(self.noise(other, x), first)
        runs = [one.run({"in": x}, 0.1).fields["layer1.z"] for _ in range(2)]
        assert not np.array_equal(runs[0], runs[1])

    def test_both_directions_are_disturbed_apart(self, on_waveguide, make_profile, x):
        substrate = self.build(on_waveguide, make_profile(kind="analog", noise={"read": 0.02}))
        incident = substrate.steady({"in": x})
        y = incident.outputs["y"]
        echo, again = (substrate.companion(CompanionSpec(), incident).steady({"y": y}) for _ in range(2))
        name = "in->layer1.reflected"
        assert not np.array_equal(echo.outputs[name], again.outputs[name])

    @pytest.mark.parametrize("step", [0.2, 0.05])
    def test_a_settled_run_fluctuates_like_a_stationary_state(self, on_waveguide, make_profile, step):
        profile = make_profile(kind="analog", noise={"read": 0.02})
        system = chain(2, 50, activation="identity", damping=0.8, time_constant=0.5).lower()
        substrate = on_waveguide(system, profile, step=step)
        y = substrate.run({"in": np.zeros((80, 2))}, 8.0).outputs["y"][:, -1]
        # 4000 normal numbers: their spread is known to 1.1 %; the state divides what arrives by the damping
        assert y.std() == pytest.approx(0.02 / 0.8, rel=0.045)

    def test_small_errors_are_amplified_above_it(self, on_waveguide, make_profile, x):
        profile = make_profile(kind="analog", noise={"read": 0.02}, range={"signal": 2.0}, precision={"output_bits": 8})
        echoes = []
        for scale in (1.0, 2.0**-30):
            substrate = self.build(on_waveguide, profile)
            incident = substrate.steady({"in": x})
            companion = substrate.companion(CompanionSpec(), incident)
            echoes.append(companion.steady({"y": scale * incident.outputs["y"]}).outputs["in->layer1.reflected"])
        assert np.array_equal(echoes[1], 2.0**-30 * echoes[0])


class TestConverters:
    def test_levels(self, on_waveguide, make_profile, rng):
        profile = make_profile(range={"signal": 1.5}, precision={"input_bits": 4, "output_bits": 3})
        substrate = on_waveguide(chain(3, 4, 2, activation="identity").lower(), profile)
        x = 2 * rng.normal(size=(200, 3))
        trace = substrate.steady({"in": x})
        inside = trace.fields["in.u"]
        np.testing.assert_allclose(np.unique(inside.round(12)), np.linspace(-1.5, 1.5, 15), atol=1e-11)
        assert np.abs(inside[:, 0] - np.clip(x, -1.5, 1.5)).max() <= 1.5 / 7 / 2 + 1e-12
        for wave in (trace.outputs["y"], trace.sent["layer1->layer2"]):
            assert set(np.unique(wave.round(12))) <= set(np.linspace(-1.5, 1.5, 7).round(12))
        true = trace.fields["layer2.x"][:, 0]
        assert len(np.unique(true)) > 50
        assert np.abs(trace.outputs["y"][:, 0] - np.clip(true, -1.5, 1.5)).max() <= 1.5 / 3 / 2 + 1e-12

    def test_inside_waves_are_not_converted(self, on_waveguide, make_profile, rng):
        x = np.clip(rng.normal(size=(10, 3)), -1, 1)
        coarse = make_profile(range={"signal": 1.0}, precision={"output_bits": 2})
        system = chain(3, 4, 2).lower()
        inside = [on_waveguide(system, p).steady({"in": x}).fields["layer2.x"] for p in (coarse, None)]
        np.testing.assert_allclose(inside[0], inside[1], rtol=1e-13)


class TestDie:
    MISMATCH = {"weight": 0.1, "gain": 0.1, "offset": 0.05}  # noqa: RUF012

    def test_the_gradient_measured_on_a_die_is_that_of_the_die(self, on_waveguide, make_profile, rng, slope_error):
        network = chain(4, 5, 3, bias=True)
        system = network.lower(1)
        profile = make_profile(kind="analog", mismatch=self.MISMATCH)
        substrate = on_waveguide(system, profile, seed=3)
        x, targets = {"in": rng.normal(size=(6, 4))}, rng.normal(size=(6, 3))
        objective = Objective(network.readout, SquaredError(), 3)
        found = find_rule("reflected-wave").step(substrate, x, targets, objective).gradient
        written = substrate.read()

        def loss(moved):
            substrate.write(moved)
            return objective.loss(np, objective.readout.read(np, substrate.steady(x)), targets)[0]

        # the waves meet at the device's weights, each of which is the programmed one times the die's factor
        dies = {key: substrate.placed.die(key, written[key].shape) for key in found}
        programmed = {key: found[key] * dies[key] for key in found}
        assert slope_error(loss, written, programmed) < 1e-6
        ideal = on_waveguide(system)
        other = find_rule("reflected-wave").step(ideal, x, targets, objective).gradient
        assert np.abs(other["in->layer1"] - found["in->layer1"]).max() > 1e-2 * np.abs(found["in->layer1"]).max()

    def test_training_in_place_finds_its_way_on_a_bad_die(self, on_waveguide, make_profile, rng):
        from physnn.learning import Settings, train

        network = chain(4, 8, 2, bias=True)
        mismatch = {"weight": 0.3, "gain": 0.2, "offset": 0.1}
        profile = make_profile(kind="analog", mismatch=mismatch, noise={"read": 0.005})
        substrate = on_waveguide(network.lower(1), profile, seed=3)
        x = rng.normal(size=(64, 4))
        labels = (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)
        objective = Objective(network.readout, SquaredError(), 2)
        history = train(substrate, find_rule("reflected-wave"), objective, x, labels, Settings(40, 16, 0.02), seed=0)
        assert history[-1].loss < 0.3 * history[0].loss


class TestLoops:
    @staticmethod
    def system(gain, rng):
        a, h = Source("in", 3).lower(), Waveguide("h", 4).lower()
        couplings = [
            Coupling("w", "in", "h", "u", Dense(4, 3), "z", initial=rng.normal(size=(4, 3))),
            Coupling("r", "h", "h", "x", Dense(4, 4), "z", initial=gain * rng.normal(size=(4, 4))),
        ]
        return System.of([a, h], couplings, {"in": Input("in", "u")}, {"y": Output("h", "x")})

    def test_they_settle_round_by_round(self, on_waveguide, on_torch, rng):
        system = self.system(0.2, rng)
        x = {"in": rng.normal(size=(5, 3))}
        substrate = on_waveguide(system)
        found = substrate.steady(x, 1e-14).outputs["y"]
        np.testing.assert_allclose(found, on_torch(system).steady(x, 1e-14).outputs["y"].numpy(), rtol=1e-12)
        np.testing.assert_allclose(substrate.run(x, 60.0).outputs["y"][:, -1:], found, atol=1e-12)
        rounds = substrate.meter.counts["medium_s"] - 5 * 60.0
        assert rounds / (5 * substrate.settling_time) == pytest.approx(round(rounds / (5 * substrate.settling_time)))
        assert rounds > 5 * 5 * substrate.settling_time

    def test_they_may_never_settle(self, on_waveguide, rng):
        with pytest.raises(NumericsError, match=r"have not settled.*run it in time"):
            on_waveguide(self.system(30.0, rng)).steady({"in": rng.normal(size=(5, 3))})

    def test_gradient_through_a_loop(self, on_waveguide, rng, slope_error):
        system = self.system(0.2, rng)
        x = {"in": rng.normal(size=(5, 3))}
        substrate = on_waveguide(system)
        incident = substrate.steady(x, 1e-15)
        echo = substrate.companion(CompanionSpec(), incident).steady({"y": incident.outputs["y"]}, 1e-15)
        found = gradient(np, system, substrate.placed.companion("transpose"), incident, echo)

        def loss(moved):
            substrate.write(moved)
            return float(np.sum(substrate.steady(x, 1e-15).outputs["y"] ** 2) / 2)

        assert slope_error(loss, system.parameters, found) < 1e-6


def test_snapshot_and_restore_repeat_the_noise_bit_by_bit(on_waveguide, make_profile, rng):
    noise, full_scale = {"read": 0.01, "write": 0.01}, {"weight": 2.0, "signal": 2.0}
    profile = make_profile(kind="analog", noise=noise, mismatch={"weight": 0.1}, range=full_scale)
    network = chain(4, 5, 3, bias=True)
    x, targets = {"in": rng.normal(size=(6, 4))}, rng.normal(size=(6, 3))
    objective = Objective(network.readout, SquaredError(), 3)

    def go_on(substrate):
        results = []
        for name in ("reflected-wave", "feedback-alignment"):
            step = find_rule(name).step(substrate, x, targets, objective)
            substrate.write({key: substrate.read()[key] - 0.1 * slope for key, slope in step.gradient.items()})
            results += [step.loss, *step.gradient.values()]
        return [*results, substrate.run(x, 0.5).outputs["y"], *substrate.held.values(), dict(substrate.meter.counts)]

    substrate = on_waveguide(network.lower(), profile, seed=1)
    go_on(substrate)
    kept = substrate.snapshot()
    wanted = go_on(substrate)
    substrate.restore(kept)
    fresh = on_waveguide(network.lower(), profile, seed=1)
    fresh.restore(kept)
    for one in (substrate, fresh):
        for found, value in zip(go_on(one), wanted, strict=True):
            assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value
