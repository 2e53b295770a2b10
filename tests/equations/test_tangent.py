"""The tangent System: first-order changes against finite differences, and dual to the reflected wave."""

import numpy as np
import pytest

from physnn.equations import (
    Coupling,
    Dense,
    Event,
    Input,
    Interpreter,
    Output,
    Population,
    System,
    companion_inputs,
    reflected,
    tangent,
)
from physnn.errors import CapabilityError

DT, STEPS = 0.1, 15

SYSTEMS = {
    "flows and delays": "dx/dt = (tanh(z + u) - g*x)*r : 1\nz : 1 (arrival)",
    "two states": "dx/dt = v*r : 1\ndv/dt = (z + u - x - x**3 - 0.3*v)*r : 1\nz : 1 (arrival)",
    "maps": "x+ = tanh(z + u) + 0.5*x*sin(h) : 1\nh+ = h + 0.1*x : 1\nz : 1 (arrival)",
    "a constraint": "dx/dt = (v - g*x)*r : 1\n0 = v + v**3 + x - z - u : 1 (solves v)\nz : 1 (arrival)",
    "noise and time": "dx/dt = (z + u*sin(t*r) - x)*r + s*(1 + x)*xi : 1\nz : 1 (arrival)\ns : s**-0.5 (parameter)",
    "a projection": "dx/dt = (z + u - g*x)*r : 1\nz : 1 (arrival)",
    "complex": "dx/dt = ((1j - 0.2)*x + tanh(z) + u - abs(x)**2*x + 0.3*conj(x))*r : 1 (complex)\n"
    "z : 1 (arrival, complex)",
    "a definition": "dx/dt = (y - x)*r : 1\ny = tanh(z)*u + relu(x) : 1\nz : 1 (arrival)",
}


def make(kind):
    text = SYSTEMS[kind] + "\nu : 1 (input)\ng : 1 (parameter)\nr : 1/s (parameter)"
    values = {"g": 0.8, "r": 2.0, "x": [0.3, -0.2, 0.1]} | (
        {"s": 0.3} if "s :" in text.replace("xi", "") and "s : s" in text else {}
    )
    projections = {"x": "max(x, -0.1)"} if kind == "a projection" else {}
    a = Population.from_text("a", 3, text, values, projections=projections)
    draw = np.random.default_rng(0)
    w = 0.7 * draw.normal(size=(3, 3)) + (0.5j * draw.normal(size=(3, 3)) if kind == "complex" else 0)
    wires = [
        Coupling("w", "a", "a", "x + 0.2*x**2", Dense(3, 3), "z", 0.2, initial=w),
        Coupling("q", "a", "a", "re(x)" if kind == "complex" else "x", Dense(3, 3), "z", initial=0.3 * w),
    ]
    outputs = {"y": Output("a", "x*u"), "e": Output("a", "abs(x)**2")}
    return System.of([a], wires, {"u": Input("a", "u"), "x0": Input("a", "x")}, outputs)


def inputs_of(kind, seed):
    draw = np.random.default_rng(seed)
    start = draw.normal(size=(2, 3)) + (1j * draw.normal(size=(2, 3)) if kind == "complex" else 0)
    return {"u": draw.normal(size=(2, STEPS, 3)), "x0": start}


def tangent_run(system, trace, changes):
    companion = tangent(system)
    fields = {}
    for port, source in companion.incident.items():
        if source.field.endswith(".t"):
            times = trace.start + trace.step * np.arange(STEPS + 1)
            fields[port] = np.broadcast_to(times[None, :, None], (2, STEPS + 1, 3))
        else:
            fields[port] = trace.fields[source.field]
    return Interpreter(companion.system).run({**fields, **changes}, STEPS, DT)


@pytest.mark.parametrize("kind", SYSTEMS)
class TestTangent:
    def test_it_is_the_first_order_change(self, kind):
        system, base, change = make(kind), inputs_of(kind, 1), inputs_of(kind, 2)
        engine = Interpreter(system, seed=4)
        trace = engine.run(base, STEPS, DT)
        small = tangent_run(system, trace, change)
        h = 1e-5
        moved = [engine.run({n: base[n] + s * h * change[n] for n in base}, STEPS, DT) for s in (-1, 1)]
        for port in trace.outputs:
            wanted = (moved[1].outputs[port] - moved[0].outputs[port]) / (2 * h)
            assert small.outputs[port] == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())
        wanted = (moved[1].fields["a.x"] - moved[0].fields["a.x"]) / (2 * h)
        assert small.fields["a.x_hat"] == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())

    def test_it_is_dual_to_the_reflected_wave(self, kind):
        """<tangent(dx), c> = <dx, reflected(c)>, to rounding: dx at the start of the run."""
        system, base = make(kind), inputs_of(kind, 1)
        trace = Interpreter(system, seed=4).run(base, STEPS, DT)
        dx = inputs_of(kind, 3)["x0"]
        small = tangent_run(system, trace, {"x0": dx})
        draw = np.random.default_rng(5)
        c = {
            n: draw.normal(size=y.shape) + (1j * draw.normal(size=y.shape) if np.iscomplexobj(y) else 0)
            for n, y in trace.outputs.items()
        }
        companion = reflected(system)
        echo = Interpreter(companion.system).run(companion_inputs(companion, trace, c), STEPS + 1, DT)
        there = sum(np.sum(np.real(np.conj(c[n]) * small.outputs[n])) for n in c)
        back = np.sum(np.real(np.conj(echo.fields["a.x_hat"][:, -1]) * dx))
        assert there == pytest.approx(back, rel=1e-11)
        assert abs(there) > 1e-3


def test_dual_in_the_input_direction():
    """dL/du_n = r x_hat_(n+1) dt where u stands in dx/dt = r (z + u - g x)."""
    system, base = make("a projection"), inputs_of("real", 1)
    a = system.populations["a"]
    free = System.of(
        [Population.from_text("a", 3, a.text, a.values)],
        system.couplings.values(),
        system.inputs,
        {"y": Output("a", "x")},
    )
    trace = Interpreter(free).run(base, STEPS, DT)
    change = np.random.default_rng(8).normal(size=(2, STEPS, 3))
    small = tangent_run(free, trace, {"u": change})
    c = {"y": np.random.default_rng(9).normal(size=trace.outputs["y"].shape)}
    companion = reflected(free)
    echo = Interpreter(companion.system).run(companion_inputs(companion, trace, c), STEPS + 1, DT)
    wave = echo.fields["a.x_hat"][:, : STEPS + 1][:, ::-1]  # entry n holds the wave of the state after step n
    assert np.sum(c["y"] * small.outputs["y"]) == pytest.approx(np.sum(2.0 * DT * wave[:, :STEPS] * change), rel=1e-12)


def test_steady_tangent():
    text = "dx/dt = (tanh(z + u) - x - x**3)/tau : 1\nz : 1 (arrival)\nu : 1 (input)\ntau : s (parameter)"
    a = Population.from_text("a", 3, text, {"tau": 0.1})
    w = 0.4 * np.random.default_rng(0).normal(size=(3, 3))
    system = System.of(
        [a],
        [Coupling("w", "a", "a", "x", Dense(3, 3), "z", initial=w)],
        {"u": Input("a", "u")},
        {"y": Output("a", "x")},
    )
    u, du = np.random.default_rng(1).normal(size=(2, 2, 3))
    engine, companion = Interpreter(system), tangent(system)
    trace = engine.steady({"u": u}, 1e-14)
    fields = {port: trace.fields[source.field][:, 0] for port, source in companion.incident.items()}
    small = Interpreter(companion.system).steady({**fields, "u": du}, 1e-14).outputs["y"]
    h = 1e-5
    wanted = (
        engine.steady({"u": u + h * du}, 1e-14).outputs["y"] - engine.steady({"u": u - h * du}, 1e-14).outputs["y"]
    ) / (2 * h)
    assert small == pytest.approx(wanted, rel=1e-7)


def test_what_has_no_tangent_is_refused():
    spiking = Population.from_text("p", 1, "dx/dt = -x/dt : 1", events=[Event("e", "x > 1")])
    with pytest.raises(CapabilityError, match="event 'e' has no slope"):
        tangent(System.of([spiking]))
