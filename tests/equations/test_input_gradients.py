"""Gradients by what enters: the reflected wave at the input ports against central differences of the loss."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, System, companion_inputs, input_gradient, reflected
from physnn.errors import UnknownNameError

from .building import DT, LAYER, dense, population, rng, source

CELLS = """
dx/dt = v                   : 1
dv/dt = z - k*x - g*v - x**3*b : 1/s
z : 1/s**2 (arrival)
k : 1/s**2 (parameter)
g : 1/s (parameter)
b : 1/s**2 (parameter)
"""
STEPS = 9


def system(integrator="verlet"):
    cells = replace(population("a", 4, CELLS), integrator=integrator)
    out = population("b", 2, LAYER.format(f="tanh(z)"))
    couplings = [
        dense("w", ("src", 3), ("a", 4), "sin(u)", unit="1/s**2", delay=0.2),
        dense("r", ("b", 2), ("b", 2), "x", scale=0.3),
        dense("v", ("a", 4), ("b", 2)),
    ]
    inputs = {
        "in": Input("src", "u"),
        "frequency": Input("a", "k"),
        "start": Input("a", "x"),
        "kick": Input("a", "v"),
        "rest": Input("b", "x"),
    }
    return System.of([source(), cells, out], couplings, inputs, {"y": Output("b", "x"), "e": Output("a", "x*x")})


SHAPES = {"in": (3,), "frequency": (4,), "start": (4,), "kick": (4,), "rest": (2,)}


def loss(made, inputs, weights, steady):
    engine = Interpreter(made)
    trace = engine.steady(inputs) if steady else engine.run(inputs, STEPS, DT)
    value = sum(0.5 * np.sum(w * trace.outputs[n] ** 2) for n, w in weights.items())
    return value, trace


def check(made, inputs, steady=False):
    times = 1 if steady else STEPS + 1
    weights = {"y": rng(1).normal(size=(2, times, 2)), "e": rng(2).normal(size=(2, times, 4))}
    companion = reflected(made if steady else made.discrete, inputs=tuple(inputs))
    _, trace = loss(made, inputs, weights, steady)
    cotangents = {n: w * trace.outputs[n] for n, w in weights.items()}
    engine, driven = Interpreter(companion.system, made.parameters), companion_inputs(companion, trace, cotangents)
    echo = engine.steady(driven) if steady else engine.run(driven, STEPS + 1, DT)
    found = input_gradient(made, companion, trace, echo, inputs)
    assert found.keys() == inputs.keys()
    for port, value in inputs.items():
        assert found[port].shape == value.shape
        move = rng(len(port)).normal(size=value.shape)
        sides = [loss(made, {**inputs, port: value + h * move}, weights, steady)[0] for h in (1e-5, -1e-5)]
        # Central differences at 1e-5 are good to about 1e-10 of the loss, which is near 1.
        assert np.sum(found[port] * move) == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-7, abs=1e-9)
    return found


@pytest.mark.parametrize("integrator", ["euler", "verlet", "rk4"])
@pytest.mark.parametrize("entries", [0, STEPS, STEPS + 1, STEPS + 3])
def test_in_time(integrator, entries):
    inputs = {name: 0.7 * rng(3 + len(name)).normal(size=(2, *shape)) for name, shape in SHAPES.items()}
    if entries:
        inputs["in"] = rng(8).normal(size=(2, entries, 3))
        inputs["frequency"] = 1 + 0.1 * rng(9).normal(size=(2, entries, 4))
    check(system(integrator), inputs)


def test_stationary():
    """Constant drives and parameters have gradients; where a stationary state starts does not matter."""
    inputs = {name: 0.5 + 0.1 * rng(3 + len(name)).normal(size=(2, *shape)) for name, shape in SHAPES.items()}
    made = system()
    found = check(made, {name: inputs[name] for name in ("in", "frequency")}, steady=True)
    assert all(np.any(value) for value in found.values())
    start = check(made, inputs, steady=True)["start"]
    assert not np.any(start)


def test_the_wave_is_followed_only_where_it_is_asked_for():
    made = system()
    assert "echo_w" not in reflected(made).system.populations["src"].variables
    assert "echo_w" in reflected(made, inputs=("in",)).system.populations["src"].variables


def test_unknown_port():
    with pytest.raises(UnknownNameError, match="did you mean 'kick'"):
        reflected(system(), inputs=("kik",))
