"""Random layered networks, drawn by hypothesis: gradients, independent references in torch and NumPy."""

import array_api_compat.torch as xt
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from physnn.equations import (
    Coupling,
    Dense,
    Input,
    Interpreter,
    Output,
    Population,
    System,
    Trace,
    companion_inputs,
    gradient,
    reflected,
)

LAYER = "dx/dt = ({f}(z) - gamma*x)/tau : 1\nz : 1 (arrival)\ngamma : 1 (trainable)\ntau : s (parameter)"
ACTIVATIONS = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "relu": torch.relu,
}


@st.composite
def networks(draw):
    widths = draw(st.lists(st.integers(1, 6), min_size=3, max_size=6))
    f = draw(st.sampled_from(sorted(ACTIVATIONS)))
    delay = draw(st.integers(0, 3))
    batch, seed = draw(st.integers(1, 4)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    populations = [Population.from_text("l0", widths[0], "u : 1 (input)")]
    couplings = []
    bias = Population.from_text("bias", 1, "one : 1 (parameter)", {"one": 1.0})
    for k, width in enumerate(widths[1:], start=1):
        gamma = rng.uniform(0.5, 1.5, width)
        populations.append(Population.from_text(f"l{k}", width, LAYER.format(f=f), {"gamma": gamma, "tau": 0.5}))
        w = rng.normal(size=(width, widths[k - 1])) / np.sqrt(widths[k - 1])
        signal = "u" if k == 1 else "x"
        couplings.append(Coupling(f"w{k}", f"l{k - 1}", f"l{k}", signal, Dense(*w.shape), "z", 0.1 * delay, initial=w))
        couplings.append(
            Coupling(f"b{k}", "bias", f"l{k}", "one", Dense(width, 1), "z", initial=rng.normal(size=(width, 1)))
        )
    last = len(widths) - 1
    system = System.of([*populations, bias], couplings, {"in": Input("l0", "u")}, {"y": Output(f"l{last}", "x")})
    return system, f, widths, rng.normal(size=(batch, widths[0])), rng


def torch_forward(system, f, depth, x, parameters):
    for k in range(1, depth):
        z = x @ parameters[f"w{k}"].T + parameters[f"b{k}"][:, 0]
        x = ACTIVATIONS[f](z) / parameters[f"l{k}.gamma"]
    return x


@settings(max_examples=25)
@given(networks())
def test_steady_gradients_are_those_of_autograd(network):
    system, f, widths, x, rng = network
    parameters = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in system.parameters.items()}
    y = torch_forward(system, f, len(widths), torch.tensor(x), parameters)
    trace = Interpreter(system).steady({"in": x})
    assert np.allclose(trace.outputs["y"][:, 0], y.detach().numpy(), rtol=1e-12, atol=1e-13)
    target = rng.normal(size=y.shape)
    (0.5 * ((y - torch.tensor(target)) ** 2).sum()).backward()
    companion = reflected(system)
    echo = Interpreter(companion.system).steady(
        companion_inputs(companion, trace, {"y": trace.outputs["y"] - target[:, None]})
    )
    found = gradient(np, system, companion, trace, echo)
    assert set(found) == set(system.trainable)
    for key, value in found.items():
        scale = max(1.0, np.abs(value).max())
        assert np.allclose(value, parameters[key].grad.numpy(), rtol=1e-10, atol=1e-12 * scale), key


@settings(max_examples=10)
@given(networks(), st.booleans())
def test_gradients_in_time_are_those_of_autograd(network, final):
    """The same Euler steps written by hand in torch, delays included."""
    system, f, widths, x, rng = network
    steps, dt = 9, 0.1
    parameters = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in system.parameters.items()}
    lag = round(system.couplings["w1"].delay / dt)
    states = [torch.zeros((len(x), width), dtype=torch.float64) for width in widths[1:]]
    histories = [[] for _ in widths]
    outputs = []
    for step in range(steps + 1):
        sent = [torch.tensor(x), *states]
        for history, signal in zip(histories, sent, strict=True):
            history.append(signal)
        outputs.append(states[-1])
        if step == steps:
            break
        moved = []
        for k, state in enumerate(states, start=1):
            z = parameters[f"b{k}"][:, 0].expand(len(x), -1)
            if step >= lag:
                z = z + histories[k - 1][step - lag] @ parameters[f"w{k}"].T
            moved.append(state + dt * (ACTIVATIONS[f](z) - parameters[f"l{k}.gamma"] * state) / 0.5)
        states = moved
    y = torch.stack(outputs, dim=1)
    trace = Interpreter(system).run({"in": x}, steps, dt)
    assert np.allclose(trace.outputs["y"], y.detach().numpy(), rtol=1e-12, atol=1e-13)
    c = rng.normal(size=y.shape)
    if final:
        c[:, :-1] = 0
    (torch.tensor(c) * y).sum().backward()
    companion = reflected(system)
    echo = Interpreter(companion.system).run(companion_inputs(companion, trace, {"y": c}), steps + 1, dt)
    for key, value in gradient(np, system, companion, trace, echo).items():
        wanted = parameters[key].grad
        wanted = np.zeros_like(value) if wanted is None else wanted.numpy()
        assert np.allclose(value, wanted, rtol=1e-10, atol=1e-12 * max(1.0, np.abs(wanted).max())), key


def test_traces_of_torch_tensors_give_the_same_companion_inputs_and_gradients():

    text = "dx/dt = (tanh(z)*sin(t/tau) - gamma*x)/tau : 1\nz : 1 (arrival)\ngamma : 1 (trainable)\ntau : s (parameter)"
    rng = np.random.default_rng(0)
    a = Population.from_text("a", 3, text, {"gamma": 1.0, "tau": 0.5})
    system = System.of(
        [a],
        [Coupling("w", "a", "a", "x + 1", Dense(3, 3), "z", 0.2, initial=rng.normal(size=(3, 3)))],
        {},
        {"y": Output("a", "x")},
    )
    trace, companion = Interpreter(system).run({}, 8, 0.1), reflected(system)
    c = {"y": rng.normal(size=trace.outputs["y"].shape)}
    inputs = companion_inputs(companion, trace, c)
    echo = Interpreter(companion.system).run(inputs, 9, 0.1)

    def tensors(values):
        return {k: torch.tensor(np.array(v)) for k, v in values.items()}

    def moved(t):
        return Trace(t.step, tensors(t.fields), tensors(t.sent), tensors(t.outputs), {}, t.start)

    same = companion_inputs(companion, moved(trace), tensors(c))
    assert same.keys() == inputs.keys()
    assert all(isinstance(v, torch.Tensor) and np.array_equal(v.numpy(), inputs[k]) for k, v in same.items())
    found = gradient(xt, system, companion, moved(trace), moved(echo))
    for key, value in gradient(np, system, companion, trace, echo).items():
        assert np.allclose(found[key].numpy(), value, rtol=1e-13)
