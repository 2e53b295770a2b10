"""Companions as Systems: feedback paths, what they share with the original, what is refused."""

import numpy as np
import pytest

from physnn.equations import (
    Convolution,
    Coupling,
    Dense,
    Event,
    Interpreter,
    Output,
    Population,
    System,
    companion_inputs,
    reflected,
)
from physnn.errors import CapabilityError, EquationError, ShapeError, UnknownNameError

from .building import DT, LAYER, STEPS, dense, drive, layered, network, population, rng


class TestFeedbackAlignment:
    def test_shapes_and_keys(self):
        companion = reflected(layered(loop=0.1), "random")
        assert companion.feedback == {"v.feedback": (4, 2), "back.feedback": (2, 4)}
        assert reflected(layered()).feedback == {}
        assert not {"w", "v", "back"} & set(companion.system.parameters)

    def test_each_coupling_has_its_own_path_even_where_weights_are_shared(self):
        a, b = population("a", 3, LAYER.format(f="z")), population("b", 3, LAYER.format(f="z"))
        couplings = [dense("ab", ("a", 3), ("b", 3), weights="k"), dense("ba", ("b", 3), ("a", 3), weights="k")]
        system = System.of([a, b], couplings, {}, {"y": Output("b", "x")})
        assert set(reflected(system, "random").feedback) == {"ab.feedback", "ba.feedback"}

    def test_the_transposed_weights_give_the_gradient_back(self, comparison):
        system = layered(loop=0.1)
        case = comparison(system, drive(), STEPS, DT)
        true, _, _ = case.reflection()
        paths = {f"{name}.feedback": system.parameters[name].T for name in ("v", "back")}
        same, _, _ = case.reflection("random", paths)
        assert all(np.allclose(true[key], same[key], rtol=1e-12) for key in true)

    def test_signals_run_through_the_feedback_weights(self, comparison):
        system = layered()
        case = comparison(system, drive(steps=0), None, None)
        true, _, _ = case.reflection()
        b = rng(5).normal(size=(4, 2))
        found, _, echo = case.reflection("random", {"v.feedback": b})
        assert np.allclose(found["v"], true["v"], rtol=1e-12)
        assert not np.allclose(found["w"], true["w"], rtol=0.1)
        sent = echo.sent["v"][:, 0]
        assert np.allclose(echo.fields["a.echo_v"][:, 0], sent @ b.T, rtol=1e-13)

    def test_sheets_get_sheets_back(self, comparison):
        a = population("a", (2, 3, 3), LAYER.format(f="tanh(z)"))
        couplings = [
            Coupling("w", "src", "a", "u", Dense(18, 3, (2, 3, 3)), "z", initial=rng().normal(size=(18, 3))),
            Coupling(
                "k", "a", "a", "x", Convolution(2, 2, (3, 3)), "z", 0.1, initial=0.3 * rng(1).normal(size=(2, 2, 3, 3))
            ),
        ]
        system = network([a], couplings, {"y": Output("a", "x")})
        case = comparison(system, drive(), STEPS, DT)
        assert reflected(system, "random").feedback == {"k.feedback": (18, 18)}
        found, _, _ = case.reflection("random", {"k.feedback": rng(2).normal(size=(18, 18))})
        assert found["k"].shape == (2, 2, 3, 3)

    def test_another_transport_is_refused(self):
        with pytest.raises(UnknownNameError, match="did you mean 'random'"):
            reflected(layered(), "randon")


class TestRefusals:
    def test_events_and_plasticity(self):
        spiking = Population.from_text("p", 1, "dx/dt = -x/dt : 1", events=[Event("e", "x > 1")])
        with pytest.raises(CapabilityError, match="event 'e' has no slope"):
            reflected(System.of([spiking]))
        rule = Population.from_text("rule", (4, 3), "dw/dt = pre/dt : 1\npre : 1 (input)")
        a = population("a", 4, LAYER.format(f="z"))
        with pytest.raises(CapabilityError, match="coupling 'w' is plastic"):
            reflected(network([a], [dense("w", ("src", 3), ("a", 4), "u", plasticity=rule)], {}))

    @pytest.mark.parametrize(("name", "size"), [("echo_v", 4), ("hidden_error", 4)])
    def test_a_variable_with_the_name_of_a_wave(self, name, size):
        system = layered()
        a = population("a", size, LAYER.format(f="tanh(z)") + f"\n{name} : 1 (input)")
        with pytest.raises(EquationError, match=f"calls a wave '{name}'"):
            reflected(
                System.of(
                    [system.populations["src"], a, system.populations["b"]],
                    system.couplings.values(),
                    {},
                    system.outputs,
                )
            )

    def test_cotangents_that_do_not_fit(self):
        system = layered()
        trace, companion = Interpreter(system).run(drive(), STEPS, DT), reflected(system)
        with pytest.raises(UnknownNameError, match="output port 'z'"):
            companion_inputs(companion, trace, {"z": np.ones((2, STEPS + 1, 2))})
        for shape in [(2, 2), (2, STEPS, 2), (2, STEPS + 1, 3), (1, STEPS + 1, 2)]:
            with pytest.raises(ShapeError, match=r"cotangent 'y' has shape"):
                companion_inputs(companion, trace, {"y": np.ones(shape)})

    def test_ports_without_a_cotangent_count_nothing(self):
        system = layered()
        trace, companion = Interpreter(system).run(drive(), STEPS, DT), reflected(system)
        echo = Interpreter(companion.system).run(companion_inputs(companion, trace, {}), STEPS + 1, DT)
        assert not any(wave.any() for wave in echo.outputs.values())


class TestTheCompanionAsASystem:
    def test_sources_get_no_wave(self):
        companion = reflected(layered())
        assert set(companion.system.couplings) == {"v"}
        assert set(companion.reflected) == {"w", "v", "a.gamma", "b.gamma"}

    def test_it_shares_the_parameters(self):
        system = layered(loop=0.1)
        companion = reflected(system).system
        assert {"v", "back", "a.tau"} <= set(companion.parameters)
        assert companion.parameters["v"] is system.parameters["v"]
        assert companion.trainable == ()

    def test_fingerprints(self):
        system = layered()
        assert reflected(system).system.fingerprint == reflected(layered()).system.fingerprint
        assert len({s.fingerprint for s in (system, reflected(system).system, reflected(system, "random").system)}) == 3

    def test_twice_reflected_is_the_small_signal_system(self):
        # The adjoint of the adjoint about a linear medium returns to the medium itself.
        system = network(
            [population("a", 4, LAYER.format(f="z"))], [dense("w", ("src", 3), ("a", 4), "u")], {"y": Output("a", "x")}
        )
        once = reflected(system).system
        assert str(once.populations["a"].flows["x_hat"]).count("gamma") == 1
