"""Physical dimensions: units are read, every sum adds like to like, and errors point at the equation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from physnn.equations import Coupling, Dense, Input, OneToOne, Output, Population, System
from physnn.equations.dimensions import NONE, dimension
from physnn.errors import EquationError


def of(text, values=None, **more):
    return Population.from_text("line", 2, text, values or {}, **more)


class TestUnits:
    def test_quotients(self):
        second, volt, metre = dimension("s"), dimension("V"), dimension("m")
        assert dimension("1/s") == second**-1 == dimension("Hz") == dimension("s**-1") == dimension("s^-1")
        assert dimension("V/s") == volt / second
        assert dimension("V/m") == volt / metre
        assert dimension("1/(V*s)") == (volt * second) ** -1
        assert dimension("1/s**2") == second**-2
        assert dimension("V*s**-0.5") == volt * second**-0.5
        assert dimension("ohm*A") == volt
        assert dimension("1") == dimension("rad") == NONE

    @pytest.mark.parametrize("unit", ["ms", "mV", "deg", "furlong", "1/ms", "minute", "km/s", "g"])
    def test_scaled_units_are_refused_because_values_are_plain_si(self, unit):
        with pytest.raises(EquationError, match="SI"):
            dimension(unit)

    @pytest.mark.parametrize(
        "unit", ["vlot", "2*s", "s**9**9**9", "(s**9)**9", "9**9**9", "__import__('os')", "V/", "s**999", "%", "V;s"]
    )
    def test_what_is_no_unit_is_refused_quickly(self, unit):
        with pytest.raises(EquationError, match="unit"):
            dimension(unit)

    @given(st.text(max_size=30))
    def test_any_text_gives_a_dimension_or_a_typed_error(self, text):
        try:
            dimension(text)
        except EquationError as error:
            assert "\n" not in str(error)


GOOD = [
    "dv/dt = (E - v)/(R*C) : V\nE : V (input)\nR : ohm (parameter)\nC : F (parameter)",
    "dx/dt = k*tanh(v/R/i) : 1\nv : V (input)\ni : A (input)\nR : ohm (parameter)\nk : 1/s (parameter)",
    "0 = i - G*v : V (solves v)\ni : A (input)\nG : S (parameter)",
    "dx/dt = sqrt(D)*xi : m\nD : m**2/s (parameter)",
    "dx/dt = where(t > tau, 1, 0)*x/tau : V\ntau : s (parameter)",
    "dx/dt = max(v, -v)/tau + abs(v)/tau + relu(v)/tau : V\nv : V (input)\ntau : s (parameter)",
    "h+ = clip(h, -top, top) : V\ntop : V (parameter)",
    "p = v*i : W\nv : V (input)\ni : A (input)",
    "phase = atan2(v, w) : 1\nv : V (input)\nw : V (input)",
    "dx/dt = 0 : V",
    "r = (v**3)**(1/3)/v*3**2 : 1\nv : V (input)",
]

BAD = [
    ("dx/dt = v - x : V\nv : V (input)", "dx/dt"),
    ("dx/dt = tanh(z) - x : 1\nz : 1 (arrival)", "dx/dt"),
    ("y = v + i : V\nv : V (input)\ni : A (input)", "y = v + i"),
    ("y = v + 1 : V\nv : V (input)", "y = v + 1"),
    ("y = tanh(v) : 1\nv : V (input)", "y = tanh(v)"),
    ("y = exp(t) : 1", "y = exp(t)"),
    ("y = max(v, 1) : V\nv : V (input)", "y = max"),
    ("y = where(v > 1, 0, 1) : 1\nv : V (input)", "y = where"),
    ("y = where(v > 0, v, 1) : V\nv : V (input)", "y = where"),
    ("y = 2**v : 1\nv : V (input)", "y = 2**v"),
    ("y = v**u : V\nv : V (input)\nu : 1 (input)", "y = v**u"),
    ("y = atan2(v, i) : 1\nv : V (input)\ni : A (input)", "y = atan2"),
    ("y = v*v : V\nv : V (input)", "y = v*v"),
    ("h+ = h/dt : V", "h+"),
    ("0 = i - v : V (solves v)\ni : A (input)", "0 = i - v"),
    ("dx/dt = xi : 1", "dx/dt"),
    ("dx/dt = D*xi : m\nD : m**2/s (parameter)", "dx/dt"),
    ("y = sigmoid(v) + softplus(u) : 1\nv : V (input)\nu : 1 (input)", "y = sigmoid"),
]


@pytest.mark.parametrize("text", GOOD)
def test_consistent_equations_are_taken(text):
    names = [line.split(":")[0].strip() for line in text.splitlines() if "(parameter)" in line]
    assert of(text, dict.fromkeys(names, 1.0)).variables


@pytest.mark.parametrize(("text", "points_at"), BAD)
def test_inconsistent_equations_are_refused_where_they_stand(text, points_at):
    names = [line.split(":")[0].strip() for line in text.splitlines() if "(parameter)" in line]
    with pytest.raises(EquationError) as caught:
        of(text, dict.fromkeys(names, 1.0))
    message = str(caught.value)
    assert "population 'line'" in message
    assert points_at in message
    assert "dimension" in message or "pure number" in message
    assert "\n" not in message


class TestCouplings:
    electrode = Population.from_text("electrode", 2, "v : V (input)\ni : A (input)")
    cell = Population.from_text("cell", 2, "dx/dt = z/s0 - x/s0 : 1\nz : 1 (arrival)\ns0 : s (parameter)", {"s0": 1.0})
    membrane = Population.from_text("membrane", 2, "dv/dt = j/C : V\nj : A (arrival)\nC : F (parameter)", {"C": 1.0})

    def test_weights_carry_the_units_that_bridge_signal_and_arrival(self):
        System.of([self.electrode, self.cell], [Coupling("w", "electrode", "cell", "v", Dense(2, 2), "z", unit="1/V")])
        System.of(
            [self.electrode, self.membrane],
            [Coupling("g", "electrode", "membrane", "v", OneToOne((2,)), "j", unit="S")],
        )
        with pytest.raises(EquationError, match=r"coupling 'w'.*set `unit`"):
            System.of([self.electrode, self.cell], [Coupling("w", "electrode", "cell", "v", Dense(2, 2), "z")])

    def test_an_unknown_unit_names_the_coupling(self):
        with pytest.raises(EquationError, match=r"coupling 'w'.*unknown unit 'vlot'"):
            System.of(
                [self.electrode, self.cell], [Coupling("w", "electrode", "cell", "v", Dense(2, 2), "z", unit="vlot")]
            )

    def test_signals_and_outputs_add_like_to_like(self):
        with pytest.raises(EquationError, match=r"coupling 'w'.*has dimension"):
            System.of([self.electrode, self.cell], [Coupling("w", "electrode", "cell", "v + i", Dense(2, 2), "z")])
        with pytest.raises(EquationError, match=r"output 'y'.*has dimension"):
            System.of([self.electrode], [], {"in": Input("electrode", "v")}, {"y": Output("electrode", "v + i")})

    def test_plasticity_has_the_dimensions_of_the_place_where_it_acts(self):
        def rule(unit):
            text = f"dw/dt = k*pre : {unit}\npre : V (input)\nk : {unit}*V**-1*s**-1 (parameter)"
            return Population.from_text("rule", (2, 2), text, {"k": 1.0})

        System.of(
            [self.electrode, self.cell],
            [Coupling("w", "electrode", "cell", "v", Dense(2, 2), "z", unit="1/V", plasticity=rule("1/V"))],
        )
        with pytest.raises(EquationError, match=r"coupling 'w'.*plasticity has 'w'"):
            System.of(
                [self.electrode, self.cell],
                [Coupling("w", "electrode", "cell", "v", Dense(2, 2), "z", unit="1/V", plasticity=rule("V"))],
            )
