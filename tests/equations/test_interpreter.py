"""The plain interpreter against closed forms: spikes, delays, maps, projections, complex waves, continued runs."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import CapabilityError, NumericsError, ParameterError, ShapeError

LIF = """
dv/dt = (I + z*tau - v)/tau : 1 (unless refractory)
I     : 1 (input)
z     : 1/s (arrival)
tau   : s (parameter)
t_ref : s (parameter)
"""


def lif(name="lif", size=1, t_ref=0.0, reset="0", tau=0.02):
    spike = Event("spike", "v > 1", {"v": reset}, "t_ref")
    return Population.from_text(name, size, LIF, {"tau": tau, "t_ref": t_ref}, events=[spike])


def alone(population, **inputs):
    return System.of(
        [population], [], {name: Input(population.name, name) for name in inputs} or {"I": Input(population.name, "I")}
    )


class TestSpikes:
    @pytest.mark.parametrize("t_ref", [0.0, 0.002, 0.005])
    @pytest.mark.parametrize(("drive", "start"), [(1.2, 0.0), (1.5, 0.0), (4.0, -0.5)])
    def test_interval_between_spikes(self, t_ref, drive, start):
        dt, tau = 2e-5, 0.02
        trace = Interpreter(alone(lif(t_ref=t_ref, reset=str(start)))).run({"I": np.array([[drive]])}, 5000, dt)
        times = dt * np.nonzero(trace.fields["lif.spike"][0, :, 0])[0]
        wanted = t_ref + tau * np.log((drive - start) / (drive - 1))
        # Euler's rate is off by dt/(2 tau), the threshold is met up to one step late.
        assert np.diff(times) == pytest.approx(wanted, abs=dt + wanted * dt / tau)

    def test_no_spike_below_threshold(self):
        trace = Interpreter(alone(lif())).run({"I": np.array([[0.999]])}, 5000, 1e-4)
        assert not trace.fields["lif.spike"].any()
        assert trace.fields["lif.v"][0, -1, 0] == pytest.approx(0.999)

    def test_reset_hold_and_refractory_step_by_step(self):
        dt = 0.25
        text = "dv/dt = r : 1 (unless refractory)\ndw/dt = r : 1\nr : 1/s (parameter)\nt_ref : s (parameter)"
        ramp = Population.from_text(
            "p",
            1,
            text,
            {"r": 1.0, "t_ref": 0.75},
            events=[Event("top", "v >= 0.5", {"v": "-v/2", "w": "w + 10"}, "t_ref")],
        )
        fields = Interpreter(System.of([ramp])).run({}, 10, dt).fields
        assert fields["p.v"][0, :, 0].tolist() == [0, 0.25, -0.25, -0.25, -0.25, -0.25, 0, 0.25, -0.25, -0.25, -0.25]
        assert fields["p.top"][0, :, 0].tolist() == [0, 0, 4, 0, 0, 0, 0, 0, 4, 0, 0]
        assert fields["p.w"][0, :3, 0].tolist() == [0, 0.25, 10.5]

    def test_no_event_while_refractory_even_where_the_flow_is_not_held(self):
        text = "dv/dt = r : 1\nr : 1/s (parameter)\nt_ref : s (parameter)"
        ramp = Population.from_text("p", 1, text, {"r": 1.0, "t_ref": 1.0}, events=[Event("e", "v > 0", {}, "t_ref")])
        fired = Interpreter(System.of([ramp])).run({}, 12, 0.25).fields["p.e"][0, :, 0] > 0
        assert np.nonzero(fired)[0].tolist() == [1, 5, 9]

    def test_elements_and_samples_fire_by_themselves(self):
        drive = np.array([[1.5, 0.5, 3.0], [0.2, 2.0, 1.1]])
        trace = Interpreter(alone(lif(size=3))).run({"I": drive}, 5000, 1e-4)
        counts = (trace.fields["lif.spike"] > 0).sum(axis=1)
        wanted = np.where(drive > 1, 0.5 / (0.02 * np.log(drive / np.maximum(drive - 1, 1e-9))), 0)
        assert np.all(np.abs(counts - wanted) <= 1 + 0.01 * wanted)

    @pytest.mark.parametrize("delay", [0.0, 0.003])
    @pytest.mark.parametrize("dt", [1e-3, 5e-4, 1e-4])
    def test_a_spike_has_unit_area_whatever_the_step(self, delay, dt):
        listener = Population.from_text("out", 2, "dq/dt = z : 1\nz : 1/s (arrival)")
        weights = np.array([[0.3], [-2.0]])
        wire = Coupling("w", "lif", "out", "spike", Dense(2, 1), "z", delay=delay, initial=weights)
        system = System.of([lif(), listener], [wire], {"I": Input("lif", "I")})
        trace = Interpreter(system).run({"I": np.array([[2.0]])}, round(0.1 / dt), dt)
        entries = np.nonzero(trace.fields["lif.spike"][0, :, 0])[0]
        steps = round(delay / dt)
        for n in range(trace.fields["out.q"].shape[1]):
            arrived = np.sum(entries + steps < n)
            assert trace.fields["out.q"][0, n] == pytest.approx(arrived * weights[:, 0], abs=1e-12)

    def test_steady_state_of_a_spiking_population_is_refused(self):
        with pytest.raises(CapabilityError, match="events"):
            Interpreter(alone(lif())).steady({"I": np.ones((1, 1))})


class TestDelays:
    source = Population.from_text("src", 1, "u : 1 (input)")
    target = Population.from_text("out", 1, "z : 1 (arrival)")

    def system(self, delay):
        wire = Coupling("w", "src", "out", "u", Dense(1, 1), "z", delay=delay, initial=np.ones((1, 1)))
        return System.of([self.source, self.target], [wire], {"u": Input("src", "u")})

    @pytest.mark.parametrize("steps", [0, 1, 2, 7])
    def test_a_pulse_arrives_exactly_then(self, steps):
        pulse = np.zeros((1, 12, 1))
        pulse[0, 3] = 1.0
        arrived = Interpreter(self.system(steps * 0.1)).run({"u": pulse}, 12, 0.1).fields["out.z"][0, :, 0]
        assert arrived.tolist() == [float(n == 3 + steps) for n in range(13)]

    def test_nothing_arrives_before_the_first_signal(self):
        arrived = Interpreter(self.system(0.4)).run({"u": np.ones((1, 1))}, 6, 0.1).fields["out.z"][0, :, 0]
        assert arrived.tolist() == [0, 0, 0, 0, 1, 1, 1]

    @pytest.mark.parametrize("delay", [0.15, 0.05, 1e-9, 0.1 + 1e-5])
    def test_a_delay_that_is_not_whole_is_refused(self, delay):
        with pytest.raises(ParameterError, match=r"coupling 'w': its delay .* not a whole number of steps"):
            Interpreter(self.system(delay)).run({"u": np.ones((1, 1))}, 3, 0.1)

    def test_rounding_of_the_quotient_does_not_matter(self):
        assert Interpreter(self.system(0.3)).run({"u": np.ones((1, 1))}, 5, 0.1).fields["out.z"][0, :, 0].tolist()[
            2:4
        ] == [0, 1]

    def test_a_line_keeps_no_more_than_its_length(self):
        state = Interpreter(self.system(0.3)).run({"u": np.ones((1, 1))}, 50, 0.1).state
        assert len(state["w:line"]) == 3


def everything():
    """Delays, events, noise, maps, constraints, plasticity, projections and time in one System."""
    a = Population.from_text(
        "a",
        3,
        "dx/dt = (tanh(z) + sin(t/tau) - x)/tau + s*xi : 1\nz : 1 (arrival)\n"
        "s : s**-0.5 (parameter)\ntau : s (parameter)",
        {"s": 0.3, "tau": 0.2},
        projections={"x": "max(x, -0.2)"},
    )
    b = Population.from_text(
        "b", 2, "h+ = 0.5*h + z : 1\n0 = v + v**3 - z - h : 1 (solves v)\nz : 1 (arrival)\nu : 1 (input)"
    )
    rule = Population.from_text(
        "rule",
        (2, 3),
        "dw/dt = k*post*(pre - post*w) : 1\npre : 1 (input)\npost : 1 (input)\nk : 1/s (parameter)",
        {"k": 0.1},
    )
    rng = np.random.default_rng(3)
    couplings = [
        Coupling(
            "ab", "a", "b", "x", Dense(2, 3), "z", 0.02, initial=rng.normal(size=(2, 3)), plasticity=rule, post="v"
        ),
        Coupling("ba", "b", "a", "v + u", Dense(3, 2), "z", 0.05, initial=rng.normal(size=(3, 2))),
        Coupling("la", "lif", "a", "spike*tau", Dense(3, 1), "z", 0.01, initial=rng.normal(size=(3, 1))),
        Coupling("al", "a", "lif", "x/tau", Dense(1, 3), "z", 0.0, initial=rng.normal(size=(1, 3))),
    ]
    return System.of(
        [a, b, lif(t_ref=0.013)], couplings, {"u": Input("b", "u"), "I": Input("lif", "I")}, {"y": Output("a", "x")}
    )


class TestContinuedRuns:
    @pytest.mark.parametrize("cut", [1, 4, 37, 60])
    def test_two_runs_are_one_bit_by_bit(self, cut):
        system, dt, rng = everything(), 0.01, np.random.default_rng(0)
        u, drive = rng.normal(size=(2, 61, 2)), np.full((2, 1), 3.0)
        engine = Interpreter(system, seed=5)
        whole = engine.run({"u": u, "I": drive}, 61, dt)
        first = engine.run({"u": u[:, :cut], "I": drive}, cut, dt)
        second = engine.run({"u": u[:, cut:], "I": drive}, 61 - cut, dt, first.state)
        assert whole.fields["lif.spike"].any()
        for name, field in whole.fields.items():
            if system.inputs["u"].variable in name or name in ("a.z", "b.v", "b.z"):
                continue
            assert np.array_equal(first.fields[name][:, :cut], field[:, :cut]), name
        for name, field in whole.fields.items():
            assert np.array_equal(second.fields[name], field[:, cut:]), name
        for name, field in whole.sent.items():
            assert np.array_equal(second.sent[name], field[:, cut:]), name
        assert np.array_equal(second.outputs["y"], whole.outputs["y"][:, cut:])
        assert second.start == pytest.approx(cut * dt)

    def test_a_state_can_be_continued_twice(self):
        engine = Interpreter(everything())
        inputs = {"I": np.full((2, 1), 3.0)}
        first = engine.run(inputs, 20, 0.01)
        one, two = (engine.run(inputs, 20, 0.01, first.state) for _ in range(2))
        assert all(np.array_equal(one.fields[n], two.fields[n]) for n in one.fields)

    def test_the_batch_comes_from_the_state(self):
        system = System.of([Population.from_text("p", 1, "dx/dt = -x/dt/2 : 1")], [], {"start": Input("p", "x")})
        engine = Interpreter(system)
        first = engine.run({"start": np.array([[1.0], [2.0], [4.0]])}, 1, 0.1)
        assert engine.run({}, 1, 0.1, first.state).fields["p.x"][:, -1, 0].tolist() == [0.25, 0.5, 1.0]
        with pytest.raises(ShapeError, match="batch of 2"):
            engine.run({"start": np.ones((2, 1))}, 1, 0.1, first.state)


class TestFlowsMapsAndProjections:
    def test_explicit_euler(self):
        p = Population.from_text("p", 1, "dx/dt = -k*x : 1\nk : 1/s (parameter)", {"k": 2.0, "x": 3.0})
        found = Interpreter(System.of([p])).run({}, 5, 0.1).fields["p.x"][0, :, 0]
        assert found == pytest.approx(3.0 * 0.8 ** np.arange(6), rel=1e-14)

    def test_maps_see_the_values_before_the_step(self):
        p = Population.from_text("fib", 1, "a+ = b : 1\nb+ = a + b : 1", {"a": 0.0, "b": 1.0})
        found = Interpreter(System.of([p])).run({}, 10, 1.0).fields
        assert found["fib.a"][0, :, 0].tolist() == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55]

    def test_time_is_known(self):
        p = Population.from_text("p", 1, "dx/dt = t/c : 1\nc : s**2 (parameter)", {"c": 1.0})
        found = Interpreter(System.of([p])).run({}, 4, 0.5).fields["p.x"][0, :, 0]
        assert found.tolist() == [0, 0, 0.25, 0.75, 1.5]

    def test_a_projection_holds_a_state_back(self):
        p = Population.from_text(
            "p", 2, "dx/dt = r : 1\nr : 1/s (input)", {"x": 0.3}, projections={"x": "clip(x, 0, 1)"}
        )
        rates = np.array([[[-1.0, 1.0]] * 6 + [[1.0, -1.0]] * 2])
        found = Interpreter(alone(p, r=None)).run({"r": rates}, 8, 0.25).fields["p.x"][0]
        assert found[:, 0] == pytest.approx([0.3, 0.05, 0, 0, 0, 0, 0, 0.25, 0.5])
        assert found[:, 1] == pytest.approx([0.3, 0.55, 0.8, 1, 1, 1, 1, 0.75, 0.5])

    def test_inputs_may_set_states_and_parameters_a_sample(self):
        p = Population.from_text("p", 1, "dx/dt = -k*x : 1\nk : 1/s (parameter)", {"k": 1.0})
        system = System.of([p], [], {"start": Input("p", "x"), "rate": Input("p", "k")})
        inputs = {"start": np.array([[1.0], [2.0]]), "rate": np.array([[1.0], [5.0]])}
        assert Interpreter(system).run(inputs, 1, 0.1).fields["p.x"][:, -1, 0] == pytest.approx([0.9, 1.0])

    def test_a_run_that_diverges_is_caught(self):
        p = Population.from_text("p", 1, "dx/dt = k*x**3 : 1\nk : 1/s (parameter)", {"k": 1.0, "x": 3.0})
        with np.errstate(all="ignore"), pytest.raises(NumericsError, match=r"p\.x is not finite"):
            Interpreter(System.of([p])).run({}, 100, 0.5)

    def test_no_step_at_all(self):
        p = Population.from_text("p", 1, "dx/dt = -x/dt : 1", {"x": 2.0})
        assert Interpreter(System.of([p])).run({}, 0, 0.1).fields["p.x"].tolist() == [[[2.0]]]


class TestInstantaneousChains:
    def test_memoryless_populations_pass_a_signal_within_one_step(self):
        populations = [Population.from_text(n, 2, "y = tanh(z) : 1\nz : 1 (arrival)") for n in ("c", "b", "a")]
        source = Population.from_text("src", 2, "u : 1 (input)")
        rng = np.random.default_rng(0)
        w = {pair: rng.normal(size=(2, 2)) for pair in ("sa", "ab", "bc")}
        couplings = [
            Coupling("bc", "b", "c", "y", Dense(2, 2), "z", initial=w["bc"]),
            Coupling("sa", "src", "a", "u", Dense(2, 2), "z", initial=w["sa"]),
            Coupling("ab", "a", "b", "y", Dense(2, 2), "z", initial=w["ab"]),
        ]
        system = System.of([*populations, source], couplings, {"u": Input("src", "u")}, {"y": Output("c", "y")})
        u = rng.normal(size=(4, 7, 2))
        found = Interpreter(system).run({"u": u}, 7, 0.1).outputs["y"]
        y = u
        for pair in ("sa", "ab", "bc"):
            y = np.tanh(y @ w[pair].T)
        assert np.allclose(found[:, :7], y, atol=1e-15)
        steady = Interpreter(system).steady({"u": u[:, 0]}).outputs["y"]
        assert np.allclose(steady[:, 0], y[:, 0], atol=1e-15)


class TestNoise:
    def test_ornstein_uhlenbeck_variance(self):
        gamma, sigma, dt, size = 2.0, 0.7, 0.05, 4000
        p = Population.from_text(
            "p", size, "dx/dt = -g*x + s*xi : 1\ng : 1/s (parameter)\ns : s**-0.5 (parameter)", {"g": gamma, "s": sigma}
        )
        found = Interpreter(System.of([p]), seed=1).run({}, 120, dt).fields["p.x"][0]
        # x' = (1 - g dt) x + s sqrt(dt) N: the variance of this chain, which tends to sigma^2/(2 gamma) as dt -> 0.
        wanted = sigma**2 / (2 * gamma - gamma**2 * dt)
        error = wanted * np.sqrt(2 / size)
        assert abs(np.var(found[-1]) - wanted) < 4 * error
        lag = np.mean(found[-1] * found[-5])
        assert abs(lag - wanted * (1 - gamma * dt) ** 4) < 4 * wanted / np.sqrt(size)

    def test_noise_is_ito(self):
        # E[x] of dx = s x dW stays 1 for Ito (it would grow as exp(s^2 t/2) for Stratonovich).
        p = Population.from_text("p", 20_000, "dx/dt = s*x*xi : 1\ns : s**-0.5 (parameter)", {"s": 0.5, "x": 1.0})
        found = Interpreter(System.of([p]), seed=2).run({}, 20, 0.05).fields["p.x"][0, -1]
        assert abs(np.mean(found) - 1) < 4 * np.sqrt(np.exp(0.25) - 1) / np.sqrt(20_000)

    def test_the_seed_decides_and_independent_noises_are_independent(self):
        text = "dx/dt = s*xi : 1\ndy/dt = s*xi_2 : 1\ndq/dt = s*xi : 1\ns : s**-0.5 (parameter)"
        system = System.of([Population.from_text("p", 500, text, {"s": 1.0})])
        one, same, other = (Interpreter(system, seed=k).run({}, 3, 0.1).fields for k in (0, 0, 1))
        assert all(np.array_equal(one[n], same[n]) for n in one)
        assert not np.array_equal(one["p.x"], other["p.x"])
        assert np.array_equal(one["p.x"], one["p.q"])
        assert abs(np.corrcoef(one["p.x"][0, -1], one["p.y"][0, -1])[0, 1]) < 0.2
        assert np.std(one["p.xi"]) == pytest.approx(1 / np.sqrt(0.1), rel=0.05)

    def test_the_stationary_state_is_without_noise(self):
        p = Population.from_text(
            "p",
            2,
            "dx/dt = (1 - x)/tau + s*xi : 1\ntau : s (parameter)\ns : s**-0.5 (parameter)",
            {"tau": 1.0, "s": 1.0},
        )
        assert Interpreter(System.of([p])).steady({}).fields["p.x"].tolist() == [[[1.0, 1.0]]]


class TestComplexWaves:
    def test_stuart_landau_settles_on_its_cycle(self):
        mu, omega, dt = 0.8, 3.0, 1e-3
        text = (
            "da/dt = (mu + 1j*om)*a - k*abs(a)**2*a : 1 (complex)\n"
            "mu : 1/s (parameter)\nom : 1/s (parameter)\nk : 1/s (parameter)"
        )
        p = Population.from_text("p", 2, text, {"mu": mu, "om": omega, "k": 0.5, "a": [0.01, 3.0j]})
        a = Interpreter(System.of([p])).run({}, 15_000, dt).fields["p.a"][0]
        # Euler adds omega^2 dt/2 to the growth rate.
        assert np.abs(a[-1]) == pytest.approx(np.sqrt((mu + omega**2 * dt / 2) / 0.5), rel=1e-4)
        turns = np.unwrap(np.angle(a[-2000:, 0]))
        assert (turns[-1] - turns[0]) / (1999 * dt) == pytest.approx(omega, rel=1e-3)

    def test_a_critical_mode_is_silent_above_its_critical_growth(self):
        # A' = gamma A + A^2 [w_a cos(phi - psi) - alpha], phi' = omega + A w_phi cos(phi): above gamma_c = 2 omega the
        # cycle ends in a fixed point with A* from gamma = A (alpha - w_a cos(phi - psi)), A = -omega/(w_phi cos phi).
        w, psi, alpha, omega, gamma = np.sqrt(5), 2 * np.arctan(1 / 3), 3.0, 1.0, 2.4
        text = (
            "da/dt = (gamma + 1j*omega)*a + a*(wa*re(a*exp(-1j*psi)) - alpha*abs(a) + 1j*wp*re(a)) : 1 (complex)\n"
            + "\n".join(f"{n} : 1/s (parameter)" for n in ("gamma", "omega", "wa", "wp", "alpha"))
            + "\npsi : 1 (parameter)"
        )
        values = {"gamma": gamma, "omega": omega, "wa": w, "wp": w, "alpha": alpha, "psi": psi, "a": 0.5j}
        a = (
            Interpreter(System.of([Population.from_text("p", 1, text, values)]))
            .run({}, 8000, 0.01)
            .fields["p.a"][0, :, 0]
        )
        amplitude, phase = np.abs(a[-1]), np.angle(a[-1])
        assert abs(a[-1] - a[-500]) < 1e-9
        assert amplitude == pytest.approx(-omega / (w * np.cos(phase)), rel=1e-9)
        assert gamma == pytest.approx(amplitude * (alpha - w * np.cos(phase - psi)), rel=1e-9)

    def test_amplitude_and_phase_of_a_coupling(self):
        p = Population.from_text("p", 1, "u : 1 (input, complex)")
        q = Population.from_text("q", 1, "z : 1 (arrival, complex)")
        system = System.of(
            [p, q],
            [Coupling("w", "p", "q", "u", OneToOne((1,)), "z", initial=[2 * np.exp(0.3j)])],
            {"u": Input("p", "u")},
        )
        z = Interpreter(system).run({"u": np.array([[np.exp(0.4j)]])}, 0, 1.0).fields["q.z"][0, 0, 0]
        assert (abs(z), np.angle(z)) == pytest.approx((2, 0.7))

    def test_a_real_input_may_drive_a_complex_variable(self):
        p = Population.from_text("p", 1, "u : 1 (input, complex)\ny = im(u) + re(u) : 1")
        system = System.of([p], [], {"u": Input("p", "u")}, {"y": Output("p", "y")})
        assert Interpreter(system).run({"u": np.array([[2.0]])}, 0, 1.0).outputs["y"].tolist() == [[[2.0]]]
