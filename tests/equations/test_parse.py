"""Equation text: every kind of line, what is refused, and what the refusals say."""

import numpy as np
import pytest
import sympy as sp

from physnn.equations import Event, Population
from physnn.equations.functions import FUNCTIONS
from physnn.equations.parse import LONGEST, parse_expression, split_lines
from physnn.errors import EquationError, ParameterError, PhysnnError, ShapeError

X, Y = sp.symbols("x y", real=True)
A = sp.Symbol("a")
NAMES = {"x": X, "y": Y, "a": A}


def refusal(text, **names):
    with pytest.raises(EquationError) as caught:
        parse_expression(text, NAMES | names, "population 'p', equation 'e'")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("population 'p', equation 'e'")
    return message


def build(text, values=None, **more):
    return Population.from_text("layer", 3, text, values or {}, **more)


class TestLines:
    def test_every_kind_with_its_unit_and_flags(self):
        lines = split_lines(
            """
            # a comment

            dx/dt = -x/tau : 1 (unless refractory)   # another
            h + = h        : 1 (complex)
            0 = i - G*v    : A (solves v, complex)
            power = v*i    : W
            tau            : s (parameter)
            w              : 1/(V*s) (trainable, complex)
            """,
            "p",
        )
        assert [(line.kind, line.name) for line in lines] == [
            ("flow", "x"),
            ("map", "h"),
            ("constraint", "v"),
            ("definition", "power"),
            ("declaration", "tau"),
            ("declaration", "w"),
        ]
        assert [line.unit for line in lines] == ["1", "1", "A", "W", "s", "1/(V*s)"]
        assert [line.flags for line in lines] == [
            ("unless refractory",),
            ("complex",),
            ("complex",),
            (),
            ("parameter",),
            ("trainable", "complex"),
        ]

    @pytest.mark.parametrize("unit", ["1/(s)", "V/(m)", "1/ (m s)", "1/(V*s)"])
    def test_a_bracket_after_an_operator_belongs_to_the_unit(self, unit):
        assert split_lines(f"x : {unit} (input)", "p")[0].unit == unit

    def test_a_description_becomes_a_population(self):
        population = Population.from_text(
            "cell",
            (2, 3, 4),
            """
            dx/dt = (tanh(z) - gamma*x)/tau + k*loss : 1
            m+ = m + x : 1
            0 = v - x - v**3 : 1 (solves v)
            loss = x*x/tau : 1/s
            z : 1 (arrival)
            u : 1 (input)
            gamma : 1 (trainable)
            k : 1 (parameter)
            tau : s (parameter)
            """,
            {"gamma": 1.0, "k": 0.5, "tau": 2.0, "x": 0.1},
        )
        assert population.shape == (2, 3, 4)
        assert population.dynamic == ("x", "m")
        assert population.role("unknown") == ("v",)
        assert population.role("arrival", "input") == ("z", "u")
        assert [v.name for v in population.variables.values() if v.trainable] == ["gamma"]
        x, tau, k, z, gamma = (population.symbols[n] for n in ("x", "tau", "k", "z", "gamma"))
        assert sp.simplify(population.flows["x"] - ((sp.tanh(z) - gamma * x) / tau + k * x**2 / tau)) == 0

    def test_noises_are_found_in_flows(self):
        population = build(
            "dx/dt = -x*r + s1*xi + s2*xi_2 : 1\nr : 1/s (parameter)\ns1 : s**-0.5 (parameter)\n"
            "s2 : s**-0.5 (parameter)",
            {"r": 1, "s1": 1, "s2": 1},
        )
        assert population.noises == ("xi", "xi_2")

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("dx/dt = -x", "no unit"),
            ("x :", "no unit"),
            ("x : (parameter)", "no unit"),
            ("x : 1 (paramter)", "did you mean 'parameter'"),
            ("x : 1", "a declaration is one of"),
            ("x : 1 (complex)", "a declaration is one of"),
            ("x : 1 (parameter, input)", "a declaration is one of"),
            ("x : 1 (trainable, constant)", "a declaration is one of"),
            ("y = 2 : 1 (parameter)", "does not go with a definition"),
            ("dx/dt = -x : 1/s (parameter)", "does not go with a flow"),
            ("h+ = h : 1 (unless refractory)", "does not go with a map"),
            ("x : 1 (unless refractory)", "does not go with a declaration"),
            ("dx/dt = 1 : 1 (solves x)", "only a constraint"),
            ("0 = x : 1", "names its unknown"),
            ("0 = x : 1 (solves x, solves y)", "names its unknown"),
            ("3x = 2 : 1", "is not a name"),
            ("d2x/dt2 = 2 : 1", "is not a name"),
            ("x.y : 1 (input)", "is not a name"),
            ("tanh : 1 (input)", "reserved"),
            ("dt : s (parameter)", "reserved"),
            ("t : s (parameter)", "reserved"),
            ("xi_2 : 1 (input)", "reserved"),
            ("pi : 1 (input)", "reserved"),
            ("lambda : 1 (input)", "reserved"),
            ("x_hat : 1 (input)", "reserved"),
            ("x : 1 (input)\nx : 1 (input)", "described twice"),
            ("x : 1 (input)\nx = 2 : 1", "described twice"),
            ("x = 2 : 1\nx = 3 : 1", "described twice"),
            ("dx/dt = 1/dt : 1\nx+ = 2 : 1", "described twice"),
            ("x : parsec_per_fortnight (input)", "unknown unit"),
            ("x : ms (input)", "is 0.001 SI units"),
            ("x : 9**9**9**9 (input)", "unknown unit"),
        ],
    )
    def test_a_bad_line_is_refused_in_one_line_that_names_it(self, text, says):
        with pytest.raises(EquationError) as caught:
            build(text)
        message = str(caught.value)
        assert says in message
        assert "\n" not in message
        assert "population 'layer'" in message
        assert text.splitlines()[-1] in message


class TestExpressions:
    def test_arithmetic_and_precedence(self):
        read = parse_expression("-x**2 + 2*(y - 1.5)/4", NAMES, "p")
        assert sp.simplify(read - (-(X**2) + (Y - sp.Rational(3, 2)) / 2)) == 0

    def test_every_function_can_be_called(self):
        number = {"atan2": 2, "min": 2, "max": 2, "clip": 3}
        for name in FUNCTIONS:
            text = (
                "where(x > 0 and y < 1 or x >= y, x, y)"
                if name == "where"
                else f"{name}({', '.join('xyx'[: number.get(name, 1)])})"
            )
            assert isinstance(parse_expression(text, NAMES, "p"), sp.Expr)

    def test_complex_constants(self):
        assert parse_expression("2j*a + 1", NAMES, "p") == sp.I * 2.0 * A + 1

    @pytest.mark.parametrize(
        "text",
        [
            "__import__('os').system('true')",
            "__import__",
            "x.__class__",
            "().__class__.__bases__",
            "lambda: 1",
            "(lambda x: x)(1)",
            "[x for x in (1,)]",
            "{x: 1}",
            "x[0]",
            "x if y else 1",
            "(x := 2)",
            "'text'",
            "b'1'",
            "f'{x}'",
            "None",
            "True",
            "not x",
            "~x",
            "x @ y",
            "x % y",
            "x // y",
            "x << 2",
            "x; y",
            "x = 2",
            "x == y",
            "x != y",
            "0 < x < 1",
            "*x",
            "tanh(*x)",
            "tanh(x=1)",
            "eval('1')",
            "exec",
            "open('f')",
            "x\x00",
            "...",
            "",
            "import os",
            "tanh",
            "print(x)",
            "await x",
            "yield",
        ],
    )
    def test_anything_but_arithmetic_is_refused(self, text):
        refusal(text)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("gama*x", "did you mean 'gamma'"),
            ("tanhh(x)", "did you mean 'tanh'"),
            ("x > 1", "true or false where a number is needed"),
            ("x + (x > 1)", "true or false where a number is needed"),
            ("-(x > 1)", "true or false where a number is needed"),
            ("where(x, 1, 0)", "is not a condition"),
            ("where(x > 0 and y, 1, 0)", "is not a condition"),
            ("where(x > 0, 1)", "takes 3 argument(s), not 2"),
            ("sqrt(x, 3)", "takes 1 argument(s), not 2"),
            ("max()", "takes at least 2 argument(s), not 0"),
            ("max(x)", "takes at least 2 argument(s), not 1"),
            ("log(x, 2)", "takes 1 argument(s), not 2"),
            ("relu(a)", "complex"),
            ("max(a, 0)", "complex"),
            ("where(a > 0, 1, 0)", "complex"),
            ("where(x > 1j, 1, 0)", "complex"),
            ("sign(1j*x)", "complex"),
            ("1/0", "not finite"),
            ("x/0", "not finite"),
            ("0**-1*x", "not finite"),
            ("1e999", "not finite"),
            ("log(0)", "not finite"),
            ("tan(pi/2)", "not finite"),
            ("exp(exp(exp(10)))", "not finite"),
            ("9**9**9", "exponent"),
            ("2**10**10", "exponent"),
            ("(2*x)**100000", "exponent"),
            ("1000**200", "too large"),
            ("(3000*x)**100", "not finite"),
        ],
    )
    def test_refusals_say_what_is_wrong(self, text, says):
        assert says in refusal(text, gamma=sp.Symbol("gamma", real=True))

    @pytest.mark.parametrize(
        "text",
        [
            "(" * 3000 + "x" + ")" * 3000,
            "-" * 9000 + "x",
            "+".join(["x"] * 9000),
            "tanh(" * 500 + "x" + ")" * 500,
            "x**" * 3000 + "2",
            "9" * 9000,
            "x + " * LONGEST,
        ],
        ids=["brackets", "signs", "sum", "calls", "powers", "digits", "long"],
    )
    def test_huge_or_deep_text_gives_a_typed_error(self, text):
        assert len(refusal(text)) < 500

    def test_a_long_sum_is_read(self):
        text = " + ".join(f"{k}*x" for k in range(1, 201))
        assert parse_expression(text, NAMES, "p") == 20100 * X


class TestPopulationInput:
    def test_deep_equations_end_in_a_typed_error_or_a_population(self):
        text = "y0 = x : 1\n" + "\n".join(f"y{k} = tanh(y{k - 1}) + 1 : 1" for k in range(1, 400)) + "\nx : 1 (input)"
        with pytest.raises(EquationError, match="nested too deeply"):
            build(text)

    @pytest.mark.parametrize(
        ("values", "error", "says"),
        [
            ({}, EquationError, "parameter 'g' has no value"),
            ({"g": float("nan")}, ParameterError, "not finite"),
            ({"g": [1.0, float("inf"), 0.0]}, ParameterError, "not finite"),
            ({"g": None}, ParameterError, "not a number"),
            ({"g": "0.02"}, ParameterError, "not a number"),
            ({"g": [[1], [2, 3]]}, ParameterError, "not a number"),
            ({"g": [1.0, 2.0]}, ShapeError, "does not fit"),
            ({"g": [[1.0, 2.0, 3.0]]}, ShapeError, "does not fit"),
            ({"g": 1j}, ParameterError, "complex"),
            ({"g": [1j, 2, 3]}, ParameterError, "complex"),
            ({"g": 1.0, "gg": 2.0}, EquationError, "did you mean 'g'"),
            ({"g": 1.0, "z": 2.0}, EquationError, "no parameter or state 'z'"),
        ],
    )
    def test_values(self, values, error, says):
        with pytest.raises(error) as caught:
            build("dx/dt = z - g*x : 1\nz : 1/s (arrival)\ng : 1/s (parameter)", values)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "population 'layer'" in str(caught.value)

    def test_values_are_copied(self):
        given = np.ones(3)
        population = build("g : 1 (parameter)", {"g": given})
        given[:] = 7
        assert population.values["g"].tolist() == [1, 1, 1]

    @pytest.mark.parametrize("shape", [0, -1, (2, 0), (), (1, 2, 3, 4, 5), 2.0, "3"])
    def test_shapes(self, shape):
        with pytest.raises(ShapeError, match="shape"):
            Population.from_text("layer", shape, "u : 1 (input)")

    @pytest.mark.parametrize("name", ["", "a.b", "a:b", "a\nb"])
    def test_names_of_populations(self, name):
        with pytest.raises(EquationError, match="name"):
            Population.from_text(name, 1, "u : 1 (input)")

    @pytest.mark.parametrize(
        ("event", "says"),
        [
            (Event("spike", "v - 1"), "is not a condition"),
            (Event("spike", "v > vv"), "did you mean 'v'"),
            (Event("spike", "v > 1", {"w": "0"}), "no state 'w' to reset"),
            (Event("spike", "v > 1", {"g": "0"}), "no state 'g' to reset"),
            (Event("spike", "v > 1", {"v": "xi"}), "xi"),
            (Event("spike", "v > 1", {"v": "1j"}), "complex"),
            (Event("spike", "v > 1", {}, "g"), "dimension"),
            (Event("v", "v > 1"), "name of a variable"),
            (Event("twice", "v > 1"), "name of a variable"),
            (Event("tanh", "v > 1"), "reserved"),
            (Event("my spike", "v > 1"), "not a name"),
        ],
    )
    def test_events(self, event, says):
        with pytest.raises(EquationError) as caught:
            build("dv/dt = -g*v : 1\ng : 1/s (parameter)\ntwice = 2*v : 1", {"g": 1.0}, events=[event])
        assert says in str(caught.value)

    def test_unless_refractory_needs_an_event(self):
        with pytest.raises(EquationError, match="needs an event"):
            build("dv/dt = -v/dt : 1 (unless refractory)")

    @pytest.mark.parametrize(
        "text",
        [
            "h+ = h + xi*s : 1\ns : s**0.5 (parameter)",
            "0 = v - s*xi : 1 (solves v)\ns : s**0.5 (parameter)",
            "n = s*xi : 1\nh+ = h + n : 1\ns : s**0.5 (parameter)",
        ],
    )
    def test_noise_stands_in_flows_alone(self, text):
        with pytest.raises(EquationError, match="white noise can only stand in a flow"):
            build(text, {"s": 1.0})

    @pytest.mark.parametrize(
        "text",
        ["dx/dt = 1j*x/dt : 1", "x+ = 2j : 1", "0 = x - 1j : 1 (solves x)", "dx/dt = a/dt : 1\na : 1 (input, complex)"],
    )
    def test_a_real_variable_takes_no_complex_values(self, text):
        with pytest.raises(EquationError, match="complex"):
            build(text)

    def test_projections(self):
        with pytest.raises(EquationError, match="no state 'y' to project"):
            build("dx/dt = -x/dt : 1", projections={"y": "max(y, 0)"})
        with pytest.raises(EquationError, match="unknown name 'u'"):
            build("dx/dt = -x/dt : 1\nu : 1 (input)", projections={"x": "max(x, u)"})
        with pytest.raises(EquationError, match="dimension"):
            build("dx/dt = -x/dt : V", projections={"x": "tanh(1)"})

    def test_all_refusals_are_physnn_errors(self):
        assert issubclass(EquationError, PhysnnError)
