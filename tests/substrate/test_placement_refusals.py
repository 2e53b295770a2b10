"""What placement and writing refuse: media and loops that grow, values beyond their bounds."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import ParameterError
from physnn.media import Medium, Network, Source, Waveguide
from physnn.substrate.placement import place


@pytest.fixture
def system():
    return Network.layered([Source("in", 5), Waveguide("hidden", 6), Waveguide("out", 3)]).lower(1)


class TestStability:
    """Placement judges media that are linear in their states; loops and events are judged by running."""

    def system(self, text, values, **options):
        medium = Medium("medium", 3, text, values, **options)
        return Network.layered([Source("in", 2), medium]).lower()

    LINEAR = "dx/dt = (tanh(z) - g*x)/tau : 1\nz : 1 (arrival)\ng : 1 (parameter)\ntau : s (parameter)"

    def test_negative_damping_written_into_the_equation(self, make_profile):
        text = "dx/dt = (tanh(z) + x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        with pytest.raises(ParameterError, match=r"'medium'.*damping makes the medium unstable.*above 0"):
            place(self.system(text, {"tau": 0.5}), make_profile())

    @pytest.mark.parametrize("damping", [-1.0, [1.0, 1.0, -0.01]])
    def test_negative_damping_as_a_parameter(self, make_profile, damping):
        with pytest.raises(ParameterError, match="damping makes the medium unstable"):
            place(self.system(self.LINEAR, {"g": damping, "tau": 1.0}), make_profile())

    def test_a_few_undamped_elements_among_damped_ones(self, make_profile):
        with pytest.raises(ParameterError, match="no damping at 1 of 3 elements"):
            place(self.system(self.LINEAR, {"g": [1.0, 0.0, 1.0], "tau": 1.0}), make_profile())

    def test_positive_damping_and_pure_integrators_are_placed(self, make_profile):
        place(self.system(self.LINEAR, {"g": [1.0, 2.0, 0.1], "tau": 1.0}), make_profile())
        place(self.system(self.LINEAR, {"g": 0.0, "tau": 1.0}), make_profile())
        place(self.system("dx/dt = z/tau : 1\nz : 1 (arrival)\ntau : s (parameter)", {"tau": 1.0}), make_profile())

    OSCILLATOR = """
    dx/dt = v : 1
    dv/dt = z - g*v - w**2*x : 1/s
    z : 1/s**2 (arrival)
    g : 1/s (parameter)
    w : 1/s (parameter)
    """

    def test_oscillators_may_be_lossless_but_not_driven_by_their_damping(self, make_profile):
        for damping in (0.3, 0.0):
            place(self.system(self.OSCILLATOR, {"g": damping, "w": 7.0}, unit="1/s**2"), make_profile())
        with pytest.raises(ParameterError, match="damping makes the medium unstable"):
            place(self.system(self.OSCILLATOR, {"g": -0.3, "w": 7.0}, unit="1/s**2"), make_profile())

    def test_a_medium_that_limits_itself_is_not_judged(self, make_profile):
        text = "dx/dt = (z + x - x**3)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        place(self.system(text, {"tau": 1.0}), make_profile())

    def test_projections_and_events_bound_what_grows(self, make_profile):
        text = "dx/dt = (z + x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        place(self.system(text, {"tau": 1.0}, projections={"x": "clip(x, -1, 1)"}), make_profile())
        place(self.system(text, {"tau": 1.0}, events=[Event("spike", "x > 1", {"x": "0"})]), make_profile())

    def test_a_loop_may_hold_what_grows_alone(self, make_profile):
        text = "dx/dt = (z + x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
        layer = Population.from_text("layer", 1, text, {"tau": 1.0}, events=())
        source = Source("in", 1).lower()
        couplings = [
            Coupling("w", "in", "layer", "u", Dense(1, 1), "z", initial=np.ones((1, 1))),
            Coupling("r", "layer", "layer", "x", Dense(1, 1), "z", initial=-3 * np.ones((1, 1))),
        ]
        system = System.of([source, layer], couplings, {"in": Input("in", "u")}, {"y": Output("layer", "x")})
        placed = place(system, make_profile())
        settled = Interpreter(placed.system).run({"in": np.ones((1, 1))}, 400, 0.05).outputs["y"][0, -1, 0]
        assert settled == pytest.approx(0.5)  # 0 = u + x - 3 x

    def test_a_die_that_turns_damping_negative(self, system, make_profile):
        with pytest.raises(ParameterError, match="damping makes the medium unstable"):
            place(system, make_profile(mismatch={"gain": 3.0}), seed=0)

    def test_a_loop_with_delays_that_grows(self, make_profile):
        def echo(gain):
            wave = Population.from_text("wave", 1, "z : 1 (arrival)")
            back = Coupling("back", "wave", "wave", "z", OneToOne((1,)), "z", 2.0, initial=np.array([gain]))
            return System.of([wave], [back])

        place(echo(0.99), make_profile(), step=1.0)
        with pytest.raises(ParameterError, match=r"delays through wave is unstable: its waves grow 1\.1 times a step"):
            place(echo(1.21), make_profile(), step=1.0)
        with pytest.raises(ParameterError, match="unstable"):  # on this die, a gain of 0.99 is above 1
            place(echo(0.99), make_profile(mismatch={"weight": 0.5}), step=1.0)


class TestBounds:
    TEXT = "dx/dt = (z - x)/(R*C) : 1\nz : 1 (arrival)\nR : ohm (parameter)\nC : F (parameter)\n"

    def placed(self, make_profile, text=TEXT, **values):
        medium = Medium("m", 2, text, {"R": 2.0, "C": 0.5, **values})
        return place(Network.layered([Source("in", 2), medium]).lower(), make_profile(), step=0.1)

    @pytest.mark.parametrize("key", ["m.R", "m.C"])
    @pytest.mark.parametrize("value", [0.0, -1.0])
    def test_what_was_above_0_stays_there(self, make_profile, key, value):
        placed = self.placed(make_profile)
        placed.check_write({key: np.asarray(1e-9)})
        with pytest.raises(ParameterError, match=rf"parameter '{key}': a value of 0 (ohm|F) or below"):
            placed.check_write({key: np.asarray(value)})

    def test_a_declared_bound(self, make_profile):
        placed = self.placed(make_profile, self.TEXT + "g : 1 (parameter, at least 0.5)", g=1.0)
        placed.check_write({"m.g": np.asarray(0.5)})
        placed.check_write({"m.g": np.asarray(0.5 - 1e-5)})  # where a slope is measured by differences
        with pytest.raises(ParameterError, match=r"parameter 'm\.g': a value is below 0\.5 1, which it may not"):
            placed.check_write({"m.g": np.asarray(0.49)})

    def test_other_parameters_are_free(self, make_profile):
        placed = self.placed(make_profile, self.TEXT + "g : 1 (parameter)", g=1.0)
        placed.check_write({"m.g": np.asarray(-3.0), "in->m": -np.ones((2, 2))})
