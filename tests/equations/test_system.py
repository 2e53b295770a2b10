"""Systems: names, shapes and the graph are checked as a whole; parameters, fingerprints, ports."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from physnn.equations import (
    Convolution,
    Coupling,
    Dense,
    Event,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    System,
)
from physnn.equations.schedule import Joint
from physnn.errors import CapabilityError, EquationError, ParameterError, PhysnnError, ShapeError, UnknownNameError

LAYER = (
    "dx/dt = (tanh(z) - gamma*x)/tau : 1\nz : 1 (arrival)\ngamma : 1 (trainable)\ntau : s (parameter)\ny = tanh(z) : 1"
)


def layer(name, size, **values):
    return Population.from_text(name, size, LAYER, {"gamma": 1.0, "tau": 1.0} | values)


def source(name="src", size=3):
    return Population.from_text(name, size, "u : 1 (input)")


def memoryless(name, size=2):
    return Population.from_text(name, size, "y = tanh(z) : 1\nz : 1 (arrival)")


def coupling(name="w", **changes):
    return replace(Coupling(name, "src", "a", "u", Dense(4, 3), "z", initial=np.ones((4, 3))), **changes)


def system(*couplings, **ports):
    return System.of(
        [source(), layer("a", 4), layer("b", 2)], couplings, ports.get("inputs", {}), ports.get("outputs", {})
    )


class TestChecks:
    @pytest.mark.parametrize(
        ("change", "error", "says"),
        [
            ({"source": "sr"}, EquationError, "did you mean 'src'"),
            ({"target": "c"}, EquationError, "unknown population 'c'"),
            ({"into": "zz"}, EquationError, "no arrival 'zz'"),
            ({"into": "x"}, EquationError, "no arrival 'x'"),
            ({"signal": "v"}, EquationError, "unknown name 'v'"),
            ({"signal": "u > 1"}, EquationError, "true or false"),
            ({"signal": "1j*u"}, EquationError, "complex"),
            ({"delay": -1.0}, ParameterError, "delay"),
            ({"delay": float("nan")}, ParameterError, "delay"),
            ({"operator": Dense(4, 2)}, ShapeError, "cannot take"),
            ({"operator": Dense(3, 3)}, ShapeError, "delivers shape"),
            ({"operator": OneToOne((3,))}, ShapeError, "delivers shape"),
            ({"operator": Convolution(1, 1, (3, 3))}, ShapeError, "cannot take"),
            ({"initial": np.ones((3, 4))}, ShapeError, "(4, 3)"),
            ({"initial": np.full((4, 3), np.nan)}, ParameterError, "not a finite number"),
            ({"initial": np.full((4, 3), "1")}, ParameterError, "not a finite number"),
            ({"initial": np.full((4, 3), 1j)}, EquationError, "complex"),
            ({"weights": "a.gamma"}, EquationError, "key 'a.gamma'"),
        ],
    )
    def test_a_coupling_that_does_not_fit_is_named(self, change, error, says):
        with pytest.raises(error) as caught:
            system(coupling(**change))
        assert says in str(caught.value)
        assert "'w'" in str(caught.value) or "dense" in str(caught.value) or "convolution" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_names_are_unique(self):
        with pytest.raises(EquationError, match="two populations are called 'src'"):
            System.of([source(), source()])
        with pytest.raises(EquationError, match="two couplings are called 'w'"):
            system(coupling(), coupling())

    @pytest.mark.parametrize(
        ("ports", "says"),
        [
            ({"inputs": {"in": Input("scr", "u")}}, "did you mean 'src'"),
            ({"inputs": {"in": Input("src", "v")}}, "no input, state or parameter 'v'"),
            ({"inputs": {"in": Input("a", "z")}}, "no input, state or parameter 'z'"),
            ({"inputs": {"in": Input("src", "u"), "also": Input("src", "u")}}, "2 input ports drive 'u'"),
            ({"outputs": {"y": Output("c", "x")}}, "unknown population 'c'"),
            ({"outputs": {"y": Output("a", "v")}}, "unknown name 'v'"),
            ({"outputs": {"y": Output("a", "x > 0")}}, "true or false"),
        ],
    )
    def test_ports(self, ports, says):
        with pytest.raises(EquationError, match=says):
            system(**ports)

    def test_an_expression_in_foreign_symbols_is_refused(self):
        import sympy as sp

        with pytest.raises(EquationError, match="has no 'q'"):
            system(coupling(signal=sp.Symbol("q", real=True)))

    @pytest.mark.parametrize(
        "other",
        [
            {"operator": Dense(4, 4), "initial": np.ones((4, 4)), "source": "a", "signal": "x"},
            {"initial": np.zeros((4, 3))},
            {"trainable": False},
            {"initial": None},
        ],
    )
    def test_couplings_that_share_weights_agree_on_them(self, other):
        with pytest.raises(EquationError, match="share the weights 'shared'"):
            system(coupling(weights="shared"), coupling("v", weights="shared", **other))

    def test_plasticity(self):
        def rule(text="dw/dt = pre*post*k : 1", shape=(4, 3), **more):
            ends = "\npre : 1 (input)\npost : 1 (input)\nk : 1/s (parameter)"
            return Population.from_text("rule", shape, text + ends, {"k": 1.0}, **more)

        assert system(coupling(plasticity=rule(), post="x")).couplings["w"].plasticity is not None
        for wrong, says in [
            ({"plasticity": rule(shape=(3, 4)), "post": "x"}, "plasticity needs shape"),
            ({"plasticity": rule("dv/dt = pre*post*k : 1"), "post": "x"}, "a state 'w'"),
            ({"plasticity": rule(), "post": ""}, "post"),
            ({"plasticity": rule(), "post": "q"}, "unknown name 'q'"),
            ({"plasticity": rule("dw/dt = pre*post*k : 1\nq : 1 (input)"), "post": "x"}, "no inputs but"),
            ({"plasticity": rule("dw/dt = k*w + s*xi : 1\ns : s**-0.5 (input)"), "post": "x"}, "no inputs but"),
            ({"plasticity": rule(projections={"w": "max(w, 0)"}), "post": "x"}, "flows and maps alone"),
        ]:
            with pytest.raises(EquationError, match=says):
                system(coupling(**wrong))


class TestOrder:
    def test_memoryless_populations_come_in_order(self):
        chain = [memoryless(name) for name in "cba"]
        couplings = [Coupling("ab", "a", "b", "y", Dense(2, 2), "z"), Coupling("bc", "b", "c", "y", Dense(2, 2), "z")]
        found = System.of(chain, couplings)
        assert found.order.index("a") < found.order.index("b") < found.order.index("c")
        assert found.steady_order == found.order

    def test_a_loop_without_delay_is_named(self):
        couplings = [
            Coupling("ab", "a", "b", "y", Dense(2, 2), "z"),
            Coupling("bc", "b", "c", "y", Dense(2, 2), "z"),
            Coupling("ca", "c", "a", "y", Dense(2, 2), "z"),
        ]
        populations = [memoryless(name) for name in "abcd"]
        with pytest.raises(EquationError, match="loop without delay") as caught:
            System.of(populations, couplings)
        loop = str(caught.value).split("runs through ")[1].split(":")[0].split(" -> ")
        assert loop[0] == loop[-1]
        assert set(loop) == {"a", "b", "c"}
        assert all(pair in {("a", "b"), ("b", "c"), ("c", "a")} for pair in pairwise(loop))
        delayed = System.of(populations, [*couplings[:2], replace(couplings[2], delay=0.1)])
        assert delayed.steady_order is None

    def test_a_loop_onto_itself_is_named(self):
        with pytest.raises(EquationError, match="a -> a"):
            System.of([memoryless("a")], [Coupling("aa", "a", "a", "y", Dense(2, 2), "z")])

    def test_an_unknown_sent_at_once_is_solved_for_and_a_state_is_not(self):
        text = "0 = v - s - v**3 : 1 (solves v)\ns : 1 (arrival)"
        junction = Population.from_text("j", 2, text)
        found = System.of([junction], [Coupling("jj", "j", "j", "v", Dense(2, 2), "s")])
        assert found.schedule == (Joint((("j", "s"),), ("j",), ("jj",)),)
        assert System.of([layer("a", 2)], [Coupling("aa", "a", "a", "x", Dense(2, 2), "z")]).order == ("a",)

    def test_what_a_constraint_does_not_name_may_wait_for_it(self):
        text = "dx/dt = (y - x)/tau : 1\n0 = v + v**3 - x : 1 (solves v)\ny : 1 (arrival)\ntau : s (parameter)"
        found = System.of(
            [Population.from_text("p", 2, text, {"tau": 1.0, "x": 2.0})],
            [Coupling("back", "p", "p", "v", Dense(2, 2), "y", initial=np.eye(2))],
        )
        assert found.schedule == (("p", ""), ("p", "y"))
        assert Interpreter(found).run({}, 0, 1.0).fields["p.y"] == pytest.approx(1.0)
        with pytest.raises(EquationError, match="p -> p"):
            _ = found.order

    def test_a_thousand_layers_are_sorted(self):
        populations = [memoryless(f"p{k}", 1) for k in range(1500)]
        couplings = [Coupling(f"w{k}", f"p{k + 1}", f"p{k}", "y", Dense(1, 1), "z") for k in range(1499)]
        order = System.of(populations, couplings).order
        assert order == tuple(f"p{k}" for k in range(1499, -1, -1))


class TestParameters:
    def test_keys_and_trainables(self):
        found = system(
            coupling(),
            coupling(
                "v", source="a", target="b", signal="x", operator=Dense(2, 4), trainable=False, initial=np.ones((2, 4))
            ),
        )
        assert set(found.parameters) == {"w", "v", "a.gamma", "a.tau", "b.gamma", "b.tau"}
        assert found.trainable == ("w", "a.gamma", "b.gamma")

    def test_wrong_parameters_are_refused(self):
        found = system(coupling())
        for parameters, error in [
            ({"W": np.ones((4, 3))}, UnknownNameError),
            ({"w": np.ones((3, 4))}, ShapeError),
            ({"w": np.full((4, 3), np.inf)}, ParameterError),
            ({"w": np.full((4, 3), 1j)}, EquationError),
            ({"a.gamma": np.ones(3)}, ShapeError),
        ]:
            with pytest.raises(error):
                Interpreter(found, parameters)
        with pytest.raises(ParameterError, match="no weights for"):
            Interpreter(system(coupling(initial=None)))

    def test_inputs_are_checked(self):
        found = system(coupling(), inputs={"in": Input("src", "u"), "start": Input("a", "x")})
        run = Interpreter(found).run
        for inputs, error in [
            ({"inn": np.ones((2, 3))}, UnknownNameError),
            ({"in": np.ones((2, 4))}, ShapeError),
            ({"in": np.ones(3)}, ShapeError),
            ({"in": np.float64(1.0)}, ShapeError),
            ({"in": np.ones((0, 3))}, ShapeError),
            ({"in": np.ones((2, 0, 3))}, ShapeError),
            ({"in": np.ones((2, 4, 3))}, ShapeError),
            ({"in": np.ones((2, 3)), "start": np.ones((3, 4))}, ShapeError),
            ({"start": np.ones((2, 5, 4))}, ShapeError),
            ({"in": np.full((2, 3), 1j)}, ShapeError),
        ]:
            with pytest.raises(error):
                run(inputs, 5, 0.1)

    @pytest.mark.parametrize(("steps", "dt"), [(-1, 0.1), (3, 0.0), (3, -0.1), (3, float("nan")), (3, float("inf"))])
    def test_steps_make_sense(self, steps, dt):
        with pytest.raises(ParameterError, match="run of"):
            Interpreter(system(coupling())).run({}, steps, dt)


class TestSteadyChecks:
    @pytest.mark.parametrize("more", [{"events": [Event("e", "x > 1")]}, {"projections": {"x": "max(x, 0)"}}])
    def test_what_has_no_stationary_equations_is_refused(self, more):
        population = Population.from_text("a", 2, LAYER, {"gamma": 1.0, "tau": 1.0}, **more)
        with pytest.raises(CapabilityError, match="run it in time"):
            Interpreter(System.of([population])).steady({})


class TestFingerprint:
    def base(self, **changes):
        return system(coupling(**changes), inputs={"in": Input("src", "u")}, outputs={"y": Output("a", "x")})

    def test_values_do_not_enter(self):
        assert self.base().fingerprint == self.base(initial=np.zeros((4, 3))).fingerprint
        other = System.of(
            [source(), layer("a", 4, gamma=2.0), layer("b", 2, tau=0.1)],
            [coupling()],
            {"in": Input("src", "u")},
            {"y": Output("a", "x")},
        )
        assert other.fingerprint == self.base().fingerprint

    def test_it_is_the_same_in_another_process(self):
        assert self.base().fingerprint == self.base().fingerprint
        assert len(self.base().fingerprint) == 16

    def test_everything_else_enters(self):
        populations = [source(), layer("a", 4), layer("b", 2)]
        like = {"inputs": {"in": Input("src", "u")}, "outputs": {"y": Output("a", "x")}}
        rule = Population.from_text("rule", (4, 3), "dw/dt = pre/dt : 1\npre : 1 (input)")
        other_rule = Population.from_text("rule", (4, 3), "dw/dt = -pre/dt : 1\npre : 1 (input)")
        faster = Population.from_text(
            "a", 4, LAYER.replace("gamma*x", "1.0000000000000002*gamma*x"), {"gamma": 1, "tau": 1}
        )
        spiking = Population.from_text("a", 4, LAYER, {"gamma": 1, "tau": 1}, events=[Event("e", "x > 1", {"x": "0"})])
        resets = Population.from_text("a", 4, LAYER, {"gamma": 1, "tau": 1}, events=[Event("e", "x > 1", {"x": "0.5"})])
        clipped = Population.from_text("a", 4, LAYER, {"gamma": 1, "tau": 1}, projections={"x": "max(x, 0)"})
        frozen = Population.from_text("a", 4, LAYER.replace("trainable", "parameter"), {"gamma": 1, "tau": 1})
        systems = [
            self.base(),
            self.base(delay=0.1),
            self.base(signal="2*u"),
            self.base(trainable=False),
            self.base(weights="k"),
            self.base(operator=Dense(4, 3, (4,))),
            self.base(plasticity=rule),
            self.base(plasticity=other_rule),
            system(coupling("ww"), **like),
            system(**like),
            system(coupling(), inputs=like["inputs"]),
            system(coupling(), **like | {"outputs": {"y": Output("b", "x")}}),
            system(coupling(), **like | {"outputs": {"y": Output("a", "2*x")}}),
            system(coupling(), **like | {"outputs": {"yy": Output("a", "x")}}),
            system(coupling(), **like | {"inputs": {"in": Input("a", "x")}}),
            *(
                System.of([populations[0], p, populations[2]], [coupling()], like["inputs"], like["outputs"])
                for p in (faster, spiking, resets, clipped, frozen)
            ),
        ]
        found = [s.fingerprint for s in systems]
        assert len(set(found)) == len(found)

    def test_comments_do_not_enter(self):
        plain, commented = source(), Population.from_text("src", 3, "# the pixels\nu  :  1 (input)")
        assert System.of([plain]).fingerprint == System.of([commented]).fingerprint


def test_every_error_is_one_line_under_one_root():
    for error in (EquationError, ShapeError, ParameterError, CapabilityError, UnknownNameError):
        assert issubclass(error, PhysnnError)
