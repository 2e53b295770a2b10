"""Weights that change while the System runs: one step by hand, and Oja's rule against the principal component."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Input, Interpreter, OneToOne, Population, System
from physnn.errors import CapabilityError

ENDS = "pre : 1 (input)\npost : 1 (input)\nk : 1/s (parameter)\n"


def network(rule, operator, initial, delay=0.0, shape=(3,), target=(2,)):
    source = Population.from_text("src", shape, "u : 1 (input)")
    out = Population.from_text("out", target, "y = z : 1\nz : 1 (arrival)")
    wire = Coupling("w", "src", "out", "u", operator, "z", delay, initial=initial, plasticity=rule, post="y")
    return System.of([source, out], [wire], {"u": Input("src", "u")})


def rule(text, shape):
    return Population.from_text("rule", shape, text + ENDS, {"k": 0.5})


def test_hebb_after_one_step_by_hand():
    w = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
    u = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    system = network(rule("dw/dt = k*pre*post : 1\n", (2, 3)), Dense(2, 3), w)
    engine = Interpreter(system)
    state = engine.run({"u": u}, 1, 0.1).state
    y = u @ w.T  # [[1, 6], [2, -4]]
    wanted = w + 0.1 * 0.5 * (np.outer(y[0], u[0]) + np.outer(y[1], u[1])) / 2
    assert state["w:w"] == pytest.approx(wanted, abs=1e-15)
    assert np.array_equal(system.parameters["w"], w)
    again = engine.run({"u": u}, 0, 0.1, state)
    assert again.fields["out.z"][:, 0] == pytest.approx(u @ wanted.T)


def test_what_a_delayed_coupling_calls_pre_is_what_arrives():
    system = network(rule("dw/dt = k*pre : 1\n", (2, 3)), Dense(2, 3), np.zeros((2, 3)), delay=0.2)
    pulse = np.zeros((1, 4, 3))
    pulse[0, 0] = [1.0, 2.0, 3.0]
    engine = Interpreter(system)
    assert not engine.run({"u": pulse[:, :2]}, 2, 0.1).state["w:w"].any()
    assert engine.run({"u": pulse}, 4, 0.1).state["w:w"] == pytest.approx(0.05 * np.array([[1, 2, 3], [1, 2, 3]]))


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_one_to_one_weights_and_a_trace_of_their_own(shape):
    text = "dw/dt = k*e*post : 1\ne+ = 0.5*e + pre : 1\n"
    w = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    system = network(rule(text, shape), OneToOne(shape), w, shape=shape, target=shape)
    u = np.ones((1, *shape))
    state = Interpreter(system).run({"u": u}, 2, 0.1).state
    assert state["w:e"] == pytest.approx(np.full(shape, 1.5))
    assert state["w:w"] == pytest.approx(w + 0.1 * 0.5 * 1.0 * w)


def test_dense_weights_between_sheets():
    w = np.random.default_rng(0).normal(size=(2, 4))
    operator = Dense(2, 4, (1, 2, 1))
    system = network(rule("dw/dt = k*pre*post : 1\n", (2, 4)), operator, w, shape=(1, 2, 2), target=(1, 2, 1))
    u = np.array([1.0, 2.0, 3.0, 4.0])
    state = Interpreter(system).run({"u": u.reshape(1, 1, 2, 2)}, 1, 0.1).state
    assert state["w:w"] == pytest.approx(w + 0.05 * np.outer(w @ u, u))


def test_oja_finds_the_principal_component():
    rng = np.random.default_rng(7)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    data = rng.normal(size=(200, 3)) * [2.0, 1.0, 0.5] @ turn.T
    system = network(
        rule("dw/dt = k*post*(pre - post*w) : 1\n", (1, 3)), Dense(1, 3), rng.normal(size=(1, 3)), target=(1,)
    )
    w = Interpreter(system).run({"u": data}, 400, 0.1).state["w:w"][0]
    values, vectors = np.linalg.eigh(data.T @ data / 200)
    assert abs(w @ vectors[:, -1]) == pytest.approx(1, abs=1e-9)
    assert np.linalg.norm(w) == pytest.approx(1, abs=1e-9)
    assert values[-1] > values[-2]


def test_weights_that_change_have_no_stationary_state():
    system = network(rule("dw/dt = k*pre : 1\n", (2, 3)), Dense(2, 3), np.zeros((2, 3)))
    with pytest.raises(CapabilityError, match="plastic"):
        Interpreter(system).steady({"u": np.ones((1, 3))})
