"""The reflected wave of flows, maps, constraints and projections: gradients against central finite differences."""

import numpy as np
import pytest

from physnn.equations import (
    Coupling,
    Dense,
    Output,
    Population,
)

from .building import DT, LAYER, STEPS, dense, drive, layered, network, population, rng


@pytest.mark.parametrize("final", [False, True])
class TestFlows:
    @pytest.mark.parametrize("f", ["tanh(z)", "sigmoid(z)", "softplus(z)", "relu(z)", "atan(z)*exp(-z**2)"])
    def test_feed_forward(self, comparison, f, final):
        comparison(layered(f), drive(), STEPS, DT, final=final).check()

    @pytest.mark.parametrize("loop", [0.0, 0.1, 0.4])
    def test_recurrent_with_delays(self, comparison, loop, final):
        comparison(layered(delay=0.1, loop=loop), drive(), STEPS, DT, final=final).check()

    def test_several_states_an_element(self, comparison, final):
        text = (
            "dx/dt = v : 1\ndv/dt = k*z - g*v - k*x - b*x**3 : 1/s\nz : 1 (arrival)\ng : 1/s (trainable)\n"
            "k : 1/s**2 (trainable)\nb : 1/s**2 (trainable)"
        )
        a = population("a", 4, text, k=2.0, x=0.3)
        couplings = [dense("w", ("src", 3), ("a", 4), "u"), dense("r", ("a", 4), ("a", 4), "x*v*c", unit="s")]
        a = population("a", 4, text + "\nc : 1 (parameter)", k=2.0, x=0.3, b=0.7)
        comparison(
            network([a], couplings, {"y": Output("a", "x"), "e": Output("a", "v*v")}), drive(), STEPS, DT, final=final
        ).check()

    def test_maps_and_flows_together(self, comparison, final):
        mapped = "h+ = tanh(z) + keep*h : 1\nc+ = h*c + g : 1\nz : 1 (arrival)\nkeep : 1 (trainable)\ng : 1 (trainable)"
        a, b = population("a", 3, mapped, keep=0.6), population("b", 2, LAYER.format(f="tanh(z)"))
        mixed = population("m", 2, "h+ = sin(x + z) : 1\ndx/dt = (h*z - x)*r : 1\nz : 1 (arrival)\nr : 1/s (trainable)")
        couplings = [
            dense("w", ("src", 3), ("a", 3), "u"),
            dense("v", ("a", 3), ("b", 2), "h + 0.1*c"),
            dense("back", ("b", 2), ("a", 3), delay=0.2),
            dense("bm", ("b", 2), ("m", 2)),
            dense("ma", ("m", 2), ("a", 3), "x*h"),
        ]
        outputs = {"y": Output("b", "x"), "c": Output("a", "c"), "m": Output("m", "h + x")}
        comparison(network([a, b, mixed], couplings, outputs), drive(), STEPS, DT, final=final).check()

    def test_equations_that_know_the_time_and_the_step(self, comparison, final):
        text = (
            "dx/dt = (tanh(z)*sin(t*f) - x*(1 + cos(t*f)))*f : 1\nh+ = h + dt*f*x**2 : 1\nz : 1 (arrival)\n"
            "f : 1/s (trainable)"
        )
        a = population("a", 4, text)
        couplings = [dense("w", ("src", 3), ("a", 4), "u"), dense("r", ("a", 4), ("a", 4), "x*cos(t*f)", delay=0.1)]
        system = network([a], couplings, {"y": Output("a", "x*t*f"), "h": Output("a", "h")})
        comparison(system, drive(), STEPS, DT, final=final).check()

    def test_noise_additive_and_multiplicative(self, comparison, final):
        text = (
            "dx/dt = (tanh(z) - x)/tau + (s + m*x)*xi + s*xi_b : 1\nz : 1 (arrival)\n"
            "s : s**-0.5 (trainable)\nm : s**-0.5 (trainable)\ntau : s (trainable)"
        )
        a = population("a", 4, text)
        couplings = [dense("w", ("src", 3), ("a", 4), "u"), dense("r", ("a", 4), ("a", 4))]
        comparison(network([a], couplings, {"y": Output("a", "x")}), drive(), STEPS, DT, final=final, seed=3).check()

    def test_memoryless_chains(self, comparison, final):
        text = "y = tanh(z)*g : 1\nz : 1 (arrival)\ng : 1 (trainable)"
        chain = [population(name, 3, text) for name in ("c", "b", "a")]
        last = population("d", 2, LAYER.format(f="z"))
        couplings = [
            dense("cd", ("c", 3), ("d", 2), "y"),
            dense("sa", ("src", 3), ("a", 3), "u"),
            dense("bc", ("b", 3), ("c", 3), "y", delay=0.2),
            dense("ab", ("a", 3), ("b", 3), "y*y"),
            dense("db", ("d", 2), ("b", 3)),
        ]
        outputs = {"y": Output("d", "x"), "inner": Output("b", "y")}
        comparison(network([*chain, last], couplings, outputs), drive(), STEPS, DT, final=final).check()


JUNCTION = """
0 = left + right - v - c*sinh(v) : 1 (solves v)
left  : 1 (arrival)
right : 1 (arrival)
c     : 1 (trainable)
"""


@pytest.mark.parametrize("final", [False, True])
class TestConstraints:
    def test_a_nonlinear_shunt_between_lines(self, comparison, final):
        j = population("j", 3, JUNCTION)
        end = population("end", 2, "b = r*a : 1\na : 1 (arrival)\nr : 1 (trainable)")
        couplings = [
            dense("w", ("src", 3), ("j", 3), "u", "left"),
            dense("l1", ("j", 3), ("end", 2), "v - left", "a", 0.2),
            dense("l2", ("end", 2), ("j", 3), "b", "right", 0.1),
        ]
        outputs = {"v": Output("j", "v"), "p": Output("j", "v*sinh(v)"), "a": Output("end", "a")}
        comparison(network([j, end], couplings, outputs), drive(), STEPS, DT, final=final).check()

    def test_the_loss_is_on_the_unknown_alone(self, comparison, final):
        system = network(
            [population("j", 3, JUNCTION)], [dense("w", ("src", 3), ("j", 3), "u", "left")], {"v": Output("j", "v")}
        )
        comparison(system, drive(), STEPS, DT, final=final).check()

    def test_several_unknowns_and_states_in_one_population(self, comparison, final):
        text = """
        dx/dt = (i - x + tanh(v))*r : 1
        m+ = 0.5*m + v*x            : 1
        0 = v + k*i - z - x         : 1 (solves v)
        0 = i - sinh(v)*k - m       : 1 (solves i)
        z : 1 (arrival)
        k : 1 (trainable)
        r : 1/s (trainable)
        """
        a, b = population("a", 3, text), population("b", 2, LAYER.format(f="tanh(z)"))
        couplings = [
            dense("w", ("src", 3), ("a", 3), "u"),
            dense("v", ("a", 3), ("b", 2), "i*v"),
            dense("back", ("b", 2), ("a", 3)),
            dense("self", ("a", 3), ("a", 3), "v", delay=0.1, scale=0.3),
        ]
        outputs = {"y": Output("b", "x"), "v": Output("a", "v + i"), "m": Output("a", "m")}
        comparison(network([a, b], couplings, outputs), drive(), STEPS, DT, final=final).check()

    def test_an_unknown_sent_on_at_once(self, comparison, final):
        j, k = population("j", 3, JUNCTION), population("k", 2, JUNCTION)
        couplings = [
            dense("w", ("src", 3), ("j", 3), "u", "left"),
            dense("jk", ("j", 3), ("k", 2), "tanh(v)", "right"),
            dense("kj", ("k", 2), ("j", 3), "v", "right", delay=0.3),
        ]
        comparison(network([k, j], couplings, {"v": Output("k", "v")}), drive(), STEPS, DT, final=final).check()

    def test_channels_that_cross_without_a_loop(self, comparison, final):
        """No signal needs itself within a step, though populations send to each other and to themselves at once."""
        text = "p = tanh(a) : 1\nq = sin(b)*g : 1\na : 1 (arrival)\nb : 1 (arrival)\ng : 1 (trainable)"
        m, n = population("m", 3, text), population("n", 2, text)
        junction = population(
            "j", 3, "dx/dt = (v - x)*r : 1\n0 = v + v**3 + x - a : 1 (solves v)\na : 1 (arrival)\nr : 1/s (trainable)"
        )
        couplings = [
            dense("w", ("src", 3), ("m", 3), "u", "a"),
            dense("mn", ("m", 3), ("n", 2), "p", "a"),
            dense("nm", ("n", 2), ("m", 3), "p", "b"),
            dense("mm", ("m", 3), ("m", 3), "p", "b"),
            dense("nn", ("n", 2), ("n", 2), "p", "b", delay=0.1),
            dense("mj", ("m", 3), ("j", 3), "q", "a"),
            dense("jj", ("j", 3), ("j", 3), "x", "a"),
            dense("jm", ("j", 3), ("m", 3), "v", "a", delay=0.2),
        ]
        outputs = {"y": Output("j", "v"), "q": Output("n", "q")}
        comparison(network([m, n, junction], couplings, outputs), drive(), STEPS, DT, final=final).check()


class TestProjections:
    TEXT = "dx/dt = (z - g*x)/tau : 1\nz : 1 (arrival)\ng : 1 (trainable)\ntau : s (parameter)\nlow : 1 (trainable)"

    def system(self, projection, text=TEXT):
        values = {"g": rng(1).uniform(0.5, 1.5, 4), "low": 0.05, "x": 0.2} | ({"tau": 0.3} if "tau :" in text else {})
        a = Population.from_text("a", 4, text, values, projections={"x": projection})
        couplings = [dense("w", ("src", 3), ("a", 4), "u", scale=2), dense("r", ("a", 4), ("a", 4))]
        return network([a], couplings, {"y": Output("a", "x")})

    @pytest.mark.parametrize(
        "projection",
        [
            "max(x, low)",
            "clip(x, low, 0.6)",
            "relu(x - low)",
            "x - low*x**3",
            "tanh(x + low)",
            "where(x > low, x, low)",
        ],
    )
    @pytest.mark.parametrize("final", [False, True])
    def test_active_and_inactive(self, comparison, projection, final):
        case = comparison(self.system(projection), drive(), STEPS, DT, final=final)
        case.check(h=1e-5)

    def test_the_mask_is_really_active_sometimes(self, comparison):
        x = comparison(self.system("max(x, low)"), drive(), STEPS, DT).trace().fields["a.x"][:, 1:]
        assert 0.2 < np.mean(x == 0.05) < 0.8

    def test_a_projected_map(self, comparison):
        text = "x+ = z - g*x : 1\nz : 1 (arrival)\ng : 1 (trainable)\nlow : 1 (trainable)"
        comparison(self.system("clip(x, low, 1.5)", text), drive(), STEPS, DT).check(h=1e-5)

    def test_a_state_that_stays_away_from_the_border(self, comparison):
        comparison(self.system("max(x, low - 100)"), drive(), STEPS, DT)
        free = self.system("max(x, low - 100)")
        found, _, _ = comparison(free, drive(), STEPS, DT).reflection()
        assert not found["a.low"].any()
        assert found["w"].any()


class TestSteadyStates:
    @pytest.mark.parametrize("f", ["tanh(z)", "sigmoid(z)", "softplus(z)", "relu(z)"])
    def test_feed_forward(self, comparison, f):
        comparison(layered(f, delay=0.3), drive(steps=0), None, None).check()

    def test_a_stable_loop(self, comparison):
        comparison(layered(loop=0.0), drive(steps=0), None, None).check()

    def test_nonlinear_media_constraints_and_maps(self, comparison):
        text = (
            "dx/dt = (z - x - x**3 + v)/tau : 1\nh+ = 0.3*h + x : 1\n0 = v + c*sinh(v) - 0.5*h : 1 (solves v)\n"
            "z : 1 (arrival)\nc : 1 (trainable)\ntau : s (parameter)"
        )
        a, b = population("a", 4, text), population("b", 2, "y = tanh(z) : 1\nz : 1 (arrival)")
        couplings = [
            dense("w", ("src", 3), ("a", 4), "u"),
            dense("v", ("a", 4), ("b", 2), "v + h*x"),
            dense("r", ("b", 2), ("a", 4), "y", delay=0.1, scale=0.3),
        ]
        comparison(
            network([a, b], couplings, {"y": Output("b", "y"), "v": Output("a", "v")}), drive(steps=0), None, None
        ).check()

    def test_complex_modes_under_a_carrier(self, comparison):
        text = (
            "da/dt = (z - (1 + 0.5j)*a - k*abs(a)**2*a)/tau : 1 (complex)\n"
            "z : 1 (arrival, complex)\nk : 1 (trainable)\ntau : s (parameter)"
        )
        m = population("m", 3, text)
        couplings = [
            Coupling("w", "src", "m", "u", Dense(3, 3), "z", initial=rng().normal(size=(3, 3)) * (1 + 1j)),
            Coupling("r", "m", "m", "conj(a)", Dense(3, 3), "z", initial=0.2 * rng(1).normal(size=(3, 3)) * 1j),
        ]
        comparison(
            network([m], couplings, {"y": Output("m", "a"), "p": Output("m", "abs(a)")}), drive(steps=0), None, None
        ).check()
