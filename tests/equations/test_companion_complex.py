"""The reflected wave of complex states and weights: gradients against central finite differences."""

import numpy as np
import pytest

from physnn.equations import (
    Coupling,
    Dense,
    Output,
    Population,
    System,
    Transposed,
)

from .building import DT, LAYER, STEPS, dense, drive, network, population, rng

MODES = """
da/dt = (gamma + 1j*omega)*a + a*(wa*re(a*exp(-1j*psi)) - alpha*abs(a) + 1j*wp*re(a)) + z : 1 (complex)
z     : 1/s (arrival, complex)
gamma : 1/s (trainable)
omega : 1/s (trainable)
wa    : 1/s (trainable)
wp    : 1/s (parameter)
alpha : 1/s (trainable)
psi   : 1 (trainable)
"""


class TestComplex:
    def modes(self, signal="a", text=MODES, initial=None, outputs=None, weights=None):
        draw = rng(5)
        a = population("m", 3, text, a=draw.normal(size=3) + 1j * draw.normal(size=3) if initial is None else initial)
        w = (
            0.4 * draw.normal(size=(3, 3)) * np.exp(1j * draw.uniform(0, 6, size=(3, 3)))
            if weights is None
            else weights
        )
        couplings = [
            Coupling("r", "m", "m", signal, Dense(3, 3), "z", 0.1, unit="1/s", initial=w),
            Coupling("w", "src", "m", "u", Dense(3, 3), "z", 0.0, unit="1/s", initial=draw.normal(size=(3, 3)) + 1j),
        ]
        return network([a], couplings, outputs or {"y": Output("m", "a")})

    @pytest.mark.parametrize("final", [False, True])
    def test_critical_modes_with_complex_weights(self, comparison, final):
        comparison(self.modes(), drive(), STEPS, DT, final=final).check()

    @pytest.mark.parametrize(
        "signal",
        [
            "conj(a)",
            "abs(a)",
            "re(a)",
            "im(a)*a",
            "abs(a)**2*a",
            "tanh(a)",
            "exp(1j*re(a))",
            "a*abs(a)**3",
            "re(a*a)*conj(a)",
            "relu(re(a))*a",
            "sqrt(1 + abs(a)**2)",
            "max(re(a), im(a))",
            "a/abs(a)",
            "where(abs(a) > 0.5, a*abs(a), 0.5*a)",
        ],
    )
    def test_signals(self, comparison, signal):
        comparison(self.modes(signal), drive(), STEPS, DT).check(h=1e-4)

    @pytest.mark.parametrize(
        "output",
        [
            "abs(a)",
            "re(a)",
            "a*conj(a)",
            "abs(a)**2",
            "1j*a",
            "conj(a)**2",
            "atan2(im(a), re(a))",
            "gamma/omega*abs(a)*exp(1j*psi)",
        ],
    )
    def test_outputs(self, comparison, output):
        comparison(self.modes(outputs={"y": Output("m", output)}), drive(), STEPS, DT).check(h=2e-5)

    def test_real_weights_and_real_signals_of_complex_modes(self, comparison):
        comparison(self.modes("re(a)", weights=rng().normal(size=(3, 3))), drive(), STEPS, DT).check()
        comparison(self.modes("a", weights=rng().normal(size=(3, 3))), drive(), STEPS, DT).check()

    def test_a_real_layer_between_complex_ones(self, comparison):
        m = population("m", 3, MODES, a=rng().normal(size=3) + 0.5j)
        x = population("x", 2, LAYER.format(f="tanh(z)"))
        couplings = [
            Coupling("w", "src", "m", "u", Dense(3, 3), "z", unit="1/s", initial=rng(1).normal(size=(3, 3)) * (1 + 1j)),
            dense("mx", ("m", 3), ("x", 2), "abs(a)*re(a)"),
            Coupling(
                "xm",
                "x",
                "m",
                "x*exp(1j*x)",
                Dense(3, 2),
                "z",
                0.1,
                unit="1/s",
                initial=rng(2).normal(size=(3, 2)) + 0.3j,
            ),
        ]
        comparison(
            network([m, x], couplings, {"y": Output("x", "x"), "a": Output("m", "im(a)")}), drive(), STEPS, DT
        ).check()

    def test_a_mode_at_rest_gives_finite_waves(self, comparison):
        system = self.modes("abs(a)", initial=0.0)
        silent = {"in": np.zeros((1, STEPS, 3))}
        found, _, echo = comparison(system, silent, STEPS, DT).reflection()
        assert all(np.all(np.isfinite(g)) for g in found.values())
        assert all(np.all(np.isfinite(f)) for f in echo.fields.values())

    def test_a_complex_trainable_parameter_and_a_complex_map(self, comparison):
        text = "a+ = k*a/(1 + abs(a)) + z : 1 (complex)\nz : 1 (arrival, complex)\nk : 1 (trainable, complex)"
        m = Population.from_text("m", 3, text, {"k": [0.5 + 0.2j, 1j, -0.7], "a": 1j})
        couplings = [Coupling("w", "src", "m", "u", Dense(3, 3), "z", initial=rng().normal(size=(3, 3)) + 0j)]
        comparison(
            network([m], couplings, {"y": Output("m", "a"), "b": Output("m", "abs(a)")}), drive(), STEPS, DT
        ).check()

    @pytest.mark.parametrize("final", [False, True])
    def test_a_complex_constraint(self, comparison, final):
        text = (
            "0 = v + c*abs(v)**2*v + 0.2*conj(v) - z : 1 (solves v, complex)\n"
            "z : 1 (arrival, complex)\nc : 1 (trainable)"
        )
        couplings = [
            Coupling("w", "src", "m", "u", Dense(3, 3), "z", initial=rng().normal(size=(3, 3)) * (1 + 2j)),
            Coupling("r", "m", "m", "v", Dense(3, 3), "z", 0.2, initial=0.4 * rng(1).normal(size=(3, 3)) * 1j),
        ]
        system = network([population("m", 3, text)], couplings, {"y": Output("m", "v"), "p": Output("m", "abs(v)")})
        comparison(system, drive(), STEPS, DT, final=final).check()

    def test_complex_noise(self, comparison):
        text = (
            "da/dt = (1j - 1)*a/tau + z/tau + s*(xi_1 + 1j*xi_2)*a : 1 (complex)\n"
            "z : 1 (arrival, complex)\ns : s**-0.5 (trainable)\ntau : s (trainable)"
        )
        m = population("m", 3, text, a=1 + 1j)
        couplings = [Coupling("w", "src", "m", "u", Dense(3, 3), "z", initial=rng().normal(size=(3, 3)) + 0j)]
        comparison(network([m], couplings, {"y": Output("m", "a")}), drive(), STEPS, DT, seed=2).check()

    def test_tied_complex_weights_run_backwards(self, comparison):
        text = "da/dt = (z - a)/tau : 1 (complex)\nz : 1 (arrival, complex)\ntau : s (parameter)"
        w = rng().normal(size=(2, 3)) + 1j * rng(1).normal(size=(2, 3))
        p, q = population("p", 3, text, a=1j), population("q", 2, text)
        there = Coupling("there", "p", "q", "a", Dense(2, 3), "z", weights="k", initial=w)
        back = Coupling("back", "q", "p", "tanh(a)", Transposed(Dense(2, 3), (3,)), "z", weights="k", initial=w)
        system = System.of([p, q], [there, back], {}, {"y": Output("p", "a")})
        comparison(system, {}, STEPS, DT).check()
