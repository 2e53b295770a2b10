"""Equations as Brian2 reads them: functions, names that Brian2 keeps for itself, complex numbers, events, refusals."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import sympy as sp

pytest.importorskip("brian2", reason="the brian2 extra is not installed")

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, Output, Population, System
from physnn.equations.functions import FUNCTIONS
from physnn.errors import CapabilityError
from physnn.substrate.placement import place
from physnn.substrate.profiles import find_profile
from physnn_brian2 import Backend
from physnn_brian2.printer import safe_names

IDEAL = find_profile("ideal-brian2")
WANTED = {
    "abs(x)": lambda x, y: np.abs(x),
    "sign(x)": lambda x, y: np.sign(x),
    "sqrt(x**2 + 1)": lambda x, y: np.sqrt(x**2 + 1),
    "exp(x)": lambda x, y: np.exp(x),
    "log(x**2 + 1)": lambda x, y: np.log(x**2 + 1),
    "sin(x)": lambda x, y: np.sin(x),
    "cos(x)": lambda x, y: np.cos(x),
    "tan(x/4)": lambda x, y: np.tan(x / 4),
    "asin(tanh(x))": lambda x, y: np.arcsin(np.tanh(x)),
    "acos(tanh(x))": lambda x, y: np.arccos(np.tanh(x)),
    "atan(x)": lambda x, y: np.arctan(x),
    "atan2(x, y)": lambda x, y: np.arctan2(x, y),
    "sinh(x)": lambda x, y: np.sinh(x),
    "cosh(x)": lambda x, y: np.cosh(x),
    "tanh(x)": lambda x, y: np.tanh(x),
    "asinh(x)": lambda x, y: np.arcsinh(x),
    "acosh(x**2 + 1)": lambda x, y: np.arccosh(x**2 + 1),
    "atanh(x/9)": lambda x, y: np.arctanh(x / 9),
    "min(x, y)": lambda x, y: np.minimum(x, y),
    "max(x, y, 0.2)": lambda x, y: np.maximum(np.maximum(x, y), 0.2),
    "clip(x, -0.3, 0.7)": lambda x, y: np.clip(x, -0.3, 0.7),
    "where(x > y, x, 2*y)": lambda x, y: np.where(x > y, x, 2 * y),
    "where((x > 0 and y > 0) or x < -1, x, y)": lambda x, y: np.where((x > 0) & (y > 0) | (x < -1), x, y),
    "step(x)": lambda x, y: np.heaviside(x, 0),
    "relu(x)": lambda x, y: np.maximum(x, 0),
    "sigmoid(x)": lambda x, y: scipy.special.expit(x),
    "softplus(x)": lambda x, y: np.logaddexp(x, 0),
    "re(x)": lambda x, y: x,
    "im(x) + y": lambda x, y: y,
    "conj(x)": lambda x, y: x,
    "x**5": lambda x, y: x**5,
    "x**-2": lambda x, y: x**-2.0,
    "abs(x)**0.3": lambda x, y: np.abs(x) ** 0.3,
    "-x - -2*y/(3*x)": lambda x, y: -x + 2 * y / (3 * x),
    "pi*x/7": lambda x, y: np.pi * x / 7,
    "1e-30*x + 3e20*y": lambda x, y: 1e-30 * x + 3e20 * y,
}


def substrate(system, step=0.1, seed=0, profile=IDEAL):
    return Backend().build(place(system, profile, seed=seed, step=step))


def driven(population, inputs, reads):
    """A population without couplings, driven at its inputs."""
    ports = {name: Input(population.name, name) for name in inputs}
    return System.of([population], [], ports, {"y": Output(population.name, reads)})


def both(system, inputs, steps, step=0.1, parameters=None, seed=0):
    """Traces in Brian2 and in the interpreter."""
    found = substrate(system, step, seed).run(inputs, steps * step)
    return found, Interpreter(system, parameters, seed=seed).run(inputs, steps, step)


def test_every_function_is_numpys():
    """Maps of one step; the numbers that come out are those of NumPy and SciPy to rounding."""
    lines = [f"r{n}+ = {text} : 1" for n, text in enumerate(WANTED)] + ["x : 1 (input)", "y : 1 (input)"]
    assert all(any(f"{name}(" in text for text in WANTED) for name in FUNCTIONS)
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(5, 40)) for name in ("x", "y")}
    system = driven(Population.from_text("cells", 40, "\n".join(lines)), given, "r0")
    trace = substrate(system).run(given, 0.1)
    for number, (text, wanted) in enumerate(WANTED.items()):
        found = trace.fields[f"cells.r{number}"][:, -1]
        np.testing.assert_allclose(found, wanted(**given), rtol=4e-15, atol=1e-300, err_msg=text)


TAKEN = ("i", "j", "N", "e", "inf", "second", "volt", "xi_hat", "lastspike", "refractory", "a_pre", "new_0", "shared_0",
         "pause", "rest_spike", "int", "rand", "TimedArray", "lambda_", "mV", "timestep", "not_refractory")  # fmt: skip


@pytest.mark.parametrize("integrator", ["euler", "rk4", "exponential"])
def test_names_that_brian2_keeps_for_itself(integrator):
    """States and parameters of such names move as the interpreter's do."""
    names = [n for n in TAKEN if not n.endswith("_hat")]
    lines = [f"d{name}/dt = (u - {name} - 0.1*{name}**3)/tau : 1" for name in names]
    cells = Population.from_text(
        "cells one", 3, "\n".join([*lines, "u : 1 (input)", "tau : s (parameter)"]), {"tau": 1.0}, integrator=integrator
    )
    system = driven(cells, ["u"], " + ".join(names))
    given = {"u": np.random.default_rng(1).normal(size=(2, 3))}
    found, wanted = both(system, given, 20)
    np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-13)


def test_no_two_names_become_one():
    names = ["a b", "a_b", "a:b", "1a", "é", "_", "i", "v_i_", "xi_1", "xi_1_", "class"]
    said = safe_names(names)
    assert len(set(said.values())) == len(names)
    assert all(text.isidentifier() for text in said.values())


def test_a_complex_state_beside_variables_named_as_its_parts():
    text = "da/dt = (1j - a_re)*a/tau + u*(1 + 2j)/tau : 1 (complex)\na_re : 1 (parameter)\na_im : 1 (parameter)\n"
    text += "u : 1 (input)\ntau : s (parameter)\n"
    values = {"a_re": 0.5, "a_im": 7.0, "tau": 1.0, "a": 1 + 1j}
    system = driven(Population.from_text("cells", 4, text, values), ["u"], "re(a) + 2*im(a) + 0*a_im")
    found, wanted = both(system, {"u": np.linspace(0, 1, 8).reshape(2, 4)}, 30)
    np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-13)


def test_complex_maps_whose_parts_are_shared():
    """Common parts of complex expressions are computed once, as two real numbers; conditions among them."""
    text = """
    a+ = where(x > 0, exp(1j*x)*a/(1 + abs(a)**2), a*conj(b)) : 1 (complex)
    b+ = where(x > 0, exp(1j*x)*b/(1 + abs(a)**2), a*conj(b) + 0.5) : 1 (complex)
    x+ = re(a*conj(b)) - im(exp(1j*x)*a) : 1
    u : 1 (input)
    """
    values = {"a": 0.5 + 0.2j, "b": 0.3 - 1j, "x": [0.3, -0.4, 0.9]}
    system = driven(Population.from_text("cells", 3, text, values), ["u"], "x + re(a) + im(b) + u")
    found, wanted = both(system, {"u": np.zeros((2, 3))}, 12)
    np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-11)


PAIR = """
dv/dt = (z + 1.6 - v)/tau : 1 (unless refractory)
dw/dt = (v - w)/tau : 1
h+ = 0.9*h + 0.1*v  : 1
z     : 1 (arrival)
tau   : s (parameter)
t_ref : s (parameter)
"""


def fired(batch, refractory="t_ref"):
    """Cells with two events, of which both may fall into one step, that drive themselves and a layer."""
    events = [
        Event("spike", "v > 1", {"v": "0", "w": "w + 0.2"}, refractory),
        Event("burst", "w > 0.6 and h > 0.1", {"w": "0.1*v", "v": "v - 0.3"}, "2*t_ref"),
    ]
    cells = Population.from_text("a", 5, PAIR, {"tau": 0.5, "t_ref": 0.12}, events=events)
    drive = Population.from_text("in", 3, "u : 1 (input)")
    layer = Population.from_text("b", 2, "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)", {"tau": 1.0})
    rng = np.random.default_rng(3)
    couplings = [
        Coupling("in->a", "in", "a", "u", Dense(5, 3), "z", initial=0.5 * rng.normal(size=(5, 3))),
        Coupling("a->a", "a", "a", "burst", Dense(5, 5), "z", 0.05, "s", initial=0.05 * rng.normal(size=(5, 5))),
        Coupling("a->b", "a", "b", "spike", Dense(2, 5), "z", 0.1, "s", initial=0.1 * rng.normal(size=(2, 5))),
    ]
    system = System.of([drive, cells, layer], couplings, {"in": Input("in", "u")}, {"y": Output("b", "x")})
    return system, {"in": rng.normal(size=(batch, 120, 3))}


def test_several_events_in_one_step_refractory_times_and_held_flows():
    system, inputs = fired(4)
    found, wanted = both(system, inputs, 120, step=0.05)
    spikes, bursts = (found.fields[f"a.{name}"] > 0 for name in ("spike", "burst"))
    assert (spikes & bursts).any() and (spikes & ~bursts).any() and (bursts & ~spikes).any()
    for name in ("a.spike", "a.burst", "a.v", "a.w", "a.h", "b.x"):
        np.testing.assert_allclose(found.fields[name], wanted.fields[name], rtol=1e-12, atol=1e-13, err_msg=name)


def test_a_continued_run_keeps_refractory_times_and_pulses_on_their_way():
    system, inputs = fired(2)
    whole = substrate(system, 0.05).run(inputs, 6.0)
    parts = substrate(system, 0.05)
    first = parts.run({"in": inputs["in"][:, :53]}, 53 * 0.05)
    second = parts.run({"in": inputs["in"][:, 53:]}, 67 * 0.05, first.state)
    joined = np.concatenate([first.outputs["y"][:, :-1], second.outputs["y"]], axis=1)
    assert np.array_equal(joined, whole.outputs["y"])


class TestRefusals:
    """By name, with the reason, before anything runs."""

    def check(self, system, profile=IDEAL):
        return {f.part: f for f in Backend().check(system, profile)}

    def test_equations_that_brian2_cannot_take(self):
        """The derivative of a function that has none: SymPy keeps it as it is."""
        text = "dx/dt = (u - x)/tau : 1\nu : 1 (input)\ntau : s (parameter)"
        cells = Population.from_text("cells", 2, text, {"tau": 1.0})
        strange = replace(cells, flows={"x": sp.Function("strange")(cells.symbols["x"]) / cells.symbols["tau"]})
        system = driven(strange, ["u"], "x")
        finding = self.check(system)["population cells"]
        assert finding.status == "refused"
        assert finding.detail == "Brian2 cannot take its equations: Brian2 has no function strange"
        with pytest.raises(CapabilityError, match="backend 'brian2' refuses population cells: Brian2 cannot take"):
            substrate(system)

    @pytest.mark.parametrize("name", ["loihi-1", "spinnaker-1"])
    def test_graded_values_on_chips_that_send_spikes(self, name):
        (finding,) = self.check(fired(1)[0], find_profile(name)).values()
        assert finding.status == "refused"
        assert f"the chip of profile {name!r} sends spikes" in finding.detail
