"""Stationary states: closed forms where equations are affine, sweeps where couplings loop."""

import array_api_compat.numpy as xp
import numpy as np
import pytest
import sympy as sp

from physnn.equations import Coupling, Dense, Input, Interpreter, Population, System
from physnn.equations.generate import function
from physnn.equations.stationary import closed_form, residuals
from physnn.errors import NumericsError, ShapeError


def population(text, **values):
    names = [line.split(":")[0].strip() for line in text.splitlines() if "(parameter)" in line]
    return Population.from_text("p", 2, text, dict.fromkeys(names, 1.0) | values)


AFFINE = [
    "dx/dt = (tanh(z) - g*x)/tau : 1\nz : 1 (input)\ng : 1 (parameter)\ntau : s (parameter)",
    "dx/dt = v : 1\ndv/dt = z - g*v - k*x : 1/s\nz : 1/s**2 (input)\ng : 1/s (parameter)\nk : 1/s**2 (parameter)",
    "h+ = 0.5*h + z : 1\nz : 1 (input)",
    "0 = i - G*v : V (solves v)\n0 = v - R*i + z : A (solves i)\nz : V (input)\nG : S (parameter)\nR : ohm (parameter)",
    "dx/dt = (step(z)*x + relu(z) - g*x)/tau : 1\nz : 1 (input)\ng : 1 (parameter)\ntau : s (parameter)",
]

NOT_AFFINE = [
    "dx/dt = z - x**3/tau : 1\nz : 1/s (input)\ntau : s (parameter)",
    "dx/dt = (step(x) - x)/tau : 1\ntau : s (parameter)",
    "dx/dt = (sign(x - 1) - x)/tau : 1\ntau : s (parameter)",
    "dx/dt = (where(x > 1, 1, 0) - x)/tau : 1\ntau : s (parameter)",
    "dx/dt = (relu(x) - 2*x + 1)/tau : 1\ntau : s (parameter)",
    "dx/dt = (max(x, 0) - 2*x + 1)/tau : 1\ntau : s (parameter)",
    "dx/dt = (abs(x) - 2*x + 1)/tau : 1\ntau : s (parameter)",
    "dx/dt = z : 1\nz : 1/s (input)",
    "dx/dt = (x - y)/tau : 1\ndy/dt = 2*(x - y)/tau : 1\ntau : s (parameter)",
    "da/dt = (z - a)/tau : 1 (complex)\nz : 1 (input)\ntau : s (parameter)",
]


@pytest.mark.parametrize("text", AFFINE)
def test_the_closed_form_makes_all_residuals_vanish(text):
    found = population(text, **({"G": 3.0} if "G :" in text else {"g": 2.5} if "g :" in text else {}))
    solution = closed_form(found)
    assert solution is not None
    put = {found.symbols[name]: value for name, value in solution.items()}
    assert all(sp.simplify(zero.xreplace(put)) == 0 for zero in residuals(found).values())


@pytest.mark.parametrize("text", NOT_AFFINE)
def test_no_closed_form_is_claimed_where_there_is_none(text):
    assert closed_form(population(text)) is None


@pytest.mark.parametrize("text", AFFINE)
def test_the_interpreter_agrees_with_the_closed_form(text):
    values = {"G": 3.0} if "G :" in text else {"g": 2.5} if "g :" in text else {}
    found = population(text, **values)
    z = np.array([[0.3, -1.2], [2.0, 0.0]])
    fields = Interpreter(System.of([found], [], {"z": Input("p", "z")})).steady({"z": z}).fields
    for name, expression in closed_form(found).items():
        symbols = tuple(sorted(expression.free_symbols, key=str))
        (wanted,) = function(symbols, (expression,))(
            xp, *[z if str(s) == "z" else found.values[str(s)] for s in symbols]
        )
        assert fields[f"p.{name}"][:, 0] == pytest.approx(wanted, abs=1e-13)


def ring(gain, size=3, delay=0.0, memory=True):
    text = "dx/dt = (z + u - x)/tau : 1\nz : 1 (arrival)\nu : 1 (input)\ntau : s (parameter)"
    if not memory:
        text = "x = z + u : 1\nz : 1 (arrival)\nu : 1 (input)\ntau : s (parameter)"
    population = Population.from_text("p", size, text, {"tau": 0.1})
    w = gain * np.roll(np.eye(size), 1, axis=0)
    return System.of(
        [population], [Coupling("w", "p", "p", "x", Dense(size, size), "z", delay, initial=w)], {"u": Input("p", "u")}
    ), w


@pytest.mark.parametrize("memory", [True, False])
def test_a_stable_loop_is_swept_to_its_solution(memory):
    system, w = ring(0.9, delay=0.0 if memory else 0.3, memory=memory)
    u = np.array([[1.0, -2.0, 0.5]])
    trace = Interpreter(system).steady({"u": u})
    assert trace.steady
    assert trace.sent["w"][0, 0] == pytest.approx(np.linalg.solve(np.eye(3) - w, u[0]), rel=1e-10)


def test_a_loop_that_decays_to_zero_is_at_rest():
    system, _ = ring(0.5)
    p = system.populations["p"]
    started = System.of(
        [Population.from_text("p", 3, p.text, {"tau": 0.1, "x": 1.0})], system.couplings.values(), system.inputs
    )
    assert np.abs(Interpreter(started).steady({}).fields["p.x"]).max() < 1e-9


def test_an_unstable_loop_is_reported():
    system, _ = ring(1.1)
    with np.errstate(all="ignore"), pytest.raises(NumericsError, match="no stationary state"):
        Interpreter(system).steady({"u": np.ones((1, 3))})


def test_a_population_that_never_rests_is_reported():
    drift = Population.from_text("p", 1, "dx/dt = r : 1\nr : 1/s (parameter)", {"r": 1.0})
    with pytest.raises(NumericsError, match="no unique solution"):
        Interpreter(System.of([drift])).steady({})


def test_inputs_that_change_in_time_are_refused():
    system, _ = ring(0.5)
    with pytest.raises(ShapeError, match="changes in time"):
        Interpreter(system).steady({"u": np.ones((1, 4, 3))})


def test_a_run_in_time_comes_to_the_stationary_state():
    system, _ = ring(0.8, delay=0.02)
    u = np.array([[1.0, -2.0, 0.5]])
    run = Interpreter(system).run({"u": u}, 3000, 0.02).fields["p.x"][:, -1]
    assert run == pytest.approx(Interpreter(system).steady({"u": u}).fields["p.x"][:, 0], rel=1e-10)
