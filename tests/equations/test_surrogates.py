"""Waves reflected through events: against autograd of a spiking cell written out, with the same surrogate."""

import numpy as np
import pytest
import torch

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
    gradient,
    reflected,
)
from physnn.equations.surrogate import with_slopes
from physnn.errors import EquationError

from .building import LAYER, dense, population, rng, source

DT, STEPS, BATCH = 0.1, 60, 3
CELL = """
dv/dt = (z + i - v)/tau : 1 (unless refractory)
di/dt = -i*d + x*d      : 1
z   : 1 (arrival)
x   : 1 (arrival)
tau : s (trainable)
d   : 1/s (parameter)
threshold : 1 (trainable)
t_ref : s (parameter)
"""
SLOPE = "1/(1 + (2*margin)**2)"


def cells(surrogate=SLOPE, rest=0.25, reset="v - threshold", integrator="euler"):
    values = {"tau": [0.5, 0.8, 0.6, 0.7], "d": 2.0, "threshold": [0.6, 0.8, 0.5, 0.7], "t_ref": rest}
    event = Event("spike", "v > threshold", {"v": reset}, "t_ref", surrogate)
    return Population.from_text("a", 4, CELL, values, events=[event], integrator=integrator)


def system(**options):
    out = population("b", 2, LAYER.format(f="z"), gamma=0.5, tau=0.4)
    pulses = Coupling("s", "a", "b", "spike", Dense(2, 4), "z", unit="s", initial=0.3 * rng(4).normal(size=(2, 4)))
    back = Coupling("r", "a", "a", "spike", Dense(4, 4), "x", 0.2, unit="s", initial=0.2 * rng(5).normal(size=(4, 4)))
    couplings = [dense("w", ("src", 3), ("a", 4), "u", scale=2.5), pulses, back]
    return System.of([source(), cells(**options), out], couplings, {"in": Input("src", "u")}, {"y": Output("b", "x")})


class Fires(torch.autograd.Function):
    """H(m) with the slope 1/(1 + (2 m)^2)."""

    @staticmethod
    def forward(context, margin):
        context.save_for_backward(margin)
        return (margin > 0).to(margin.dtype)

    @staticmethod
    def backward(context, back):
        (margin,) = context.saved_tensors
        return back / (1 + (2 * margin) ** 2)


def written_out(made, u, weights, rest, subtract):
    """The same cells as a loop in torch; gradients of 1/2 sum w y^2 by autograd."""
    p = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in made.parameters.items()}
    u, weights = torch.tensor(u), torch.tensor(weights)
    zero = torch.zeros(BATCH, 4, dtype=torch.float64)
    v, i, pulse, left = zero, zero, zero, zero
    x = torch.zeros(BATCH, 2, dtype=torch.float64)
    line, loss, spikes = [], 0.0, 0.0
    for n in range(STEPS + 1):
        loss = loss + 0.5 * torch.sum(weights[:, n] * x**2)
        z = u[:, min(n, STEPS - 1)] @ p["w"].T
        delayed = line[-2] @ p["r"].T if len(line) >= 2 else zero
        line.append(pulse)
        moved = torch.where(left > 0, v, v + DT * (z + i - v) / p["a.tau"])
        x = x + DT * (pulse @ p["s"].T - p["b.gamma"] * x) / p["b.tau"]
        i = i + DT * (delayed - i) * 2.0
        left = torch.clamp(left - DT, min=0.0)
        left = torch.where(left < 1e-9 * DT, zero, left)
        s = Fires.apply(moved - p["a.threshold"]) * (left == 0)
        v = moved + s * ((moved - p["a.threshold"] if subtract else 0.0) - moved)
        left = torch.where(s > 0, zero + rest, left)
        pulse, spikes = s / DT, spikes + float(s.detach().sum())
    loss.backward()
    return p, float(loss.detach()), spikes


@pytest.mark.parametrize("rest", [0.0, 0.25])
@pytest.mark.parametrize("reset", ["v - threshold", "0"])
def test_gradient_of_recurrent_spiking_cells(rest, reset):
    made = system(rest=rest, reset=reset)
    u = rng(1).normal(size=(BATCH, STEPS, 3)) + 1.5
    weights = rng(2).normal(size=(BATCH, STEPS + 1, 2))
    trace = Interpreter(made).run({"in": u}, STEPS, DT)
    companion = reflected(made)
    driven = companion_inputs(companion, trace, {"y": weights * trace.outputs["y"]})
    echo = Interpreter(companion.system, made.parameters).run(driven, STEPS + 1, DT)
    found = gradient(np, made, companion, trace, echo)
    wanted, loss, spikes = written_out(made, u, weights, rest, reset != "0")
    assert spikes > 40  # there is something to reflect through
    assert 0.5 * np.sum(weights * trace.outputs["y"] ** 2) == pytest.approx(loss, rel=1e-12)
    assert found.keys() == {"w", "s", "r", "a.tau", "a.threshold", "b.gamma"}
    for key, value in found.items():
        assert np.allclose(value, wanted[key].grad.numpy(), rtol=1e-9, atol=1e-12), key
        assert np.any(value)


@pytest.mark.parametrize("integrator", ["euler", "exponential", "rk4"])
def test_events_as_maps_run_as_events(integrator):
    made = system(rest=0.25, integrator=integrator)
    u = rng(1).normal(size=(BATCH, STEPS, 3)) + 1.5
    events, maps = (Interpreter(s).run({"in": u}, STEPS, DT) for s in (made, with_slopes(made.discrete)))
    for name in ("a.v", "a.i", "a.spike", "a.spike_rest", "b.x"):
        assert np.allclose(events.fields[name], maps.fields[name], rtol=0, atol=1e-12), name


class TestRefusals:
    def test_guard_that_is_no_comparison(self):
        text = "dv/dt = -v/tau : 1\ntau : s (parameter)"
        with pytest.raises(EquationError, match="must be one comparison"):
            event = Event("e", "v > 1 and v < 2", surrogate="1")
            Population.from_text("a", 1, text, {"tau": 1.0}, events=[event])

    def test_slope_in_the_wrong_unit(self):
        text = "dv/dt = -v/tau : V\ntau : s (parameter)\ntheta : V (parameter)"
        with pytest.raises(EquationError, match="surrogate"):
            Population.from_text(
                "a", 1, text, {"tau": 1.0, "theta": 1.0}, events=[Event("e", "v > theta", surrogate="1")]
            )
