"""Gradients of all kinds of parameters and couplings, against central finite differences."""

import numpy as np
import pytest

from physnn.equations import (
    Convolution,
    Coupling,
    Dense,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    Sparse,
    System,
    Transposed,
    reflected,
)
from physnn.errors import CapabilityError

from .building import DT, LAYER, STEPS, dense, drive, layered, network, population, rng, source


class TestParameters:
    def test_scalars_rows_and_elements_of_sheets(self, comparison):
        text = (
            "dx/dt = (tanh(a*z + b) - g*x)/tau : 1\nz : 1 (arrival)\na : 1 (trainable)\n"
            "b : 1 (trainable)\ng : 1 (trainable)\ntau : s (trainable)"
        )
        values = {
            "a": rng().normal(size=(2, 1, 1)),
            "b": rng(1).normal(size=3),
            "g": 1.1,
            "tau": rng(2).uniform(0.5, 1, (2, 2, 3)),
        }
        sheet = Population.from_text("sheet", (2, 2, 3), text, values)
        couplings = [
            Coupling("w", "src", "sheet", "u", Dense(12, 3, (2, 2, 3)), "z", initial=rng(3).normal(size=(12, 3))),
            Coupling(
                "k",
                "sheet",
                "sheet",
                "x",
                Convolution(2, 2, (3, 3)),
                "z",
                0.1,
                initial=0.3 * rng(4).normal(size=(2, 2, 3, 3)),
            ),
        ]
        comparison(network([sheet], couplings, {"y": Output("sheet", "x")}), drive(), STEPS, DT).check()

    def test_parameters_in_signals_outputs_definitions_and_sources(self, comparison):
        src = population("pump", 2, "c : 1 (trainable)\nf : 1/s (trainable)\ns = sin(f*t)*c : 1")
        a = population("a", 3, LAYER.format(f="tanh(z*h)") + "\nh : 1 (trainable)\nk : 1 (trainable)\np = k*x**2 : 1")
        couplings = [
            dense("w", ("src", 3), ("a", 3), "u"),
            dense("q", ("pump", 2), ("a", 3), "s"),
            dense("r", ("a", 3), ("a", 3), "p*k", delay=0.1),
        ]
        outputs = {"y": Output("a", "p*h"), "s": Output("pump", "c*s")}
        comparison(network([src, a], couplings, outputs), drive(), STEPS, DT).check()

    def test_a_parameter_that_samples_set(self, comparison):
        a = population("a", 3, LAYER.format(f="tanh(z)") + "\nh : 1 (parameter)\ns = h*x : 1")
        couplings = [dense("w", ("src", 3), ("a", 3), "u"), dense("r", ("a", 3), ("a", 3), "s")]
        system = System.of(
            [source(), a],
            couplings,
            {"in": Input("src", "u"), "h": Input("a", "h"), "x0": Input("a", "x")},
            {"y": Output("a", "s")},
        )
        inputs = drive() | {"h": rng(3).normal(size=(2, 3)), "x0": rng(4).normal(size=(2, 3))}
        comparison(system, inputs, STEPS, DT).check()
        inputs["h"] = rng(3).normal(size=(2, STEPS, 3))
        comparison(system, inputs, STEPS, DT, final=True).check()
        comparison(system, drive(), STEPS, DT).check()
        with pytest.raises(CapabilityError, match=r"a\.gamma is trainable, but an input port sets it per sample"):
            reflected(System.of(system.populations.values(), system.couplings.values(), {"g": Input("a", "gamma")}))

    def test_initial_conditions_from_a_port(self, comparison):
        a = population("a", 3, LAYER.format(f="tanh(z)"))
        system = System.of([a], [dense("r", ("a", 3), ("a", 3))], {"x0": Input("a", "x")}, {"y": Output("a", "x")})
        inputs = {"x0": rng().normal(size=(2, 3))}
        case = comparison(system, inputs, STEPS, DT)
        case.check()
        _, _, echo = case.reflection()
        direction = rng(1).normal(size=(2, 3))
        moved = [comparison(system, {"x0": inputs["x0"] + s * 1e-4 * direction}, STEPS, DT) for s in (-1, 1)]
        for other in moved:
            other.weights = case.weights
        wanted = (moved[1].loss({}) - moved[0].loss({})) / 2e-4
        assert np.sum(echo.fields["a.x_hat"][:, -1] * direction) == pytest.approx(wanted, rel=1e-6)

    def test_shared_weights(self, comparison):
        a, b = population("a", 3, LAYER.format(f="tanh(z)")), population("b", 3, LAYER.format(f="tanh(z)"))
        w = rng().normal(size=(3, 3))
        couplings = [
            Coupling("wa", "src", "a", "u", Dense(3, 3), "z", weights="k", initial=w),
            Coupling("ab", "a", "b", "x", Dense(3, 3), "z", 0.1, weights="k", initial=w),
            Coupling("ba", "b", "a", "x", Transposed(Dense(3, 3), (3,)), "z", 0.2, weights="k", initial=w),
        ]
        system = network([a, b], couplings, {"y": Output("b", "x")})
        assert system.trainable == ("k", "a.gamma", "b.gamma")
        comparison(system, drive(), STEPS, DT).check()

    def test_parameters_given_to_the_run(self, comparison):
        system = layered()
        comparison(
            system, drive(), STEPS, DT, parameters={"w": rng(8).normal(size=(4, 3)), "b.gamma": np.asarray(2.0)}
        ).check()

    @pytest.mark.parametrize("padding", ["zero", "circular"])
    def test_sheets(self, comparison, padding):
        a = population("a", (2, 4, 3), LAYER.format(f="tanh(z)"))
        b = population("b", (1, 4, 3), LAYER.format(f="softplus(z)"))
        image = population("image", (1, 4, 3), "u : 1 (input)")
        couplings = [
            Coupling(
                "k1",
                "image",
                "a",
                "u",
                Convolution(2, 1, (3, 5), padding),
                "z",
                initial=rng().normal(size=(2, 1, 3, 5)),
            ),
            Coupling(
                "k2",
                "a",
                "b",
                "x",
                Convolution(1, 2, (3, 3), padding),
                "z",
                0.1,
                initial=rng(1).normal(size=(1, 2, 3, 3)),
            ),
            Coupling("k3", "b", "b", "x", OneToOne((1, 4, 3)), "z", initial=rng(2).normal(size=(1, 4, 3))),
        ]
        system = System.of([image, a, b], couplings, {"in": Input("image", "u")}, {"y": Output("b", "x")})
        comparison(system, {"in": rng(3).normal(size=(2, 1, 4, 3))}, 8, DT).check()

    def test_sparse_couplings(self, comparison):
        a = population("a", 4, LAYER.format(f="tanh(z)"))
        couplings = [
            Coupling(
                "s", "src", "a", "u", Sparse((0, 1, 3, 3, 0), (2, 0, 1, 1, 0), 4, 3), "z", initial=rng().normal(size=5)
            ),
            Coupling(
                "r", "a", "a", "x", Sparse((0, 1, 2, 3), (1, 2, 3, 0), 4, 4), "z", 0.1, initial=rng(1).normal(size=4)
            ),
        ]
        comparison(network([a], couplings, {"y": Output("a", "x")}), drive(), STEPS, DT).check()

    def test_a_frozen_coupling_passes_the_wave_and_gets_no_gradient(self, comparison):
        a, b = population("a", 4, LAYER.format(f="tanh(z)")), population("b", 2, LAYER.format(f="tanh(z)"))
        couplings = [dense("w", ("src", 3), ("a", 4), "u"), dense("v", ("a", 4), ("b", 2), trainable=False)]
        system = network([a, b], couplings, {"y": Output("b", "x")})
        assert "v" not in system.trainable
        comparison(system, drive(), STEPS, DT).check()

    def test_a_delay_longer_than_the_run_gives_no_gradient(self, comparison):
        system = layered(delay=5.0)
        found, _, _ = comparison(system, drive(), STEPS, DT).reflection()
        assert not found["w"].any()
        assert not found["v"].any()

    def test_a_run_that_continues_another(self, comparison):
        text = "dx/dt = (tanh(z)*sin(t*f) - x)*f : 1\nz : 1 (arrival)\nf : 1/s (trainable)"
        a = population("a", 4, text)
        system = network([a], [dense("w", ("src", 3), ("a", 4), "u")], {"y": Output("a", "x")})
        state = Interpreter(system).run(drive(), STEPS, DT).state
        comparison(system, drive(seed=4), STEPS, DT, state=state).check()
