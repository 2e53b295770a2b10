"""Known answers of encoders, readouts and heads: amplitudes and frequencies, slopes, rates, and parameter counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn import streams
from physnn.equations import Input, System
from physnn.learning import Objective, ReflectedWave
from physnn.learning.rule import forward
from physnn.media.encoders import Carrier, Pulse, Rate
from physnn.media.fields import NeuralWave
from physnn.media.functionals import Demodulated, EffectiveFrequency, Functional
from physnn.media.heads import ConvStack, Flatten, Head, LinearInTime, Perceptron, PerPixel
from physnn.media.losses import CrossEntropy, SquaredError
from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

TIMES, BINS = 100, 51
OSCILLATOR = """
dx/dt = v                     : 1
dv/dt = z - k*x - g*v - b*x**3 : 1/s
z : 1/s**2 (arrival)
k : 1/s**2 (trainable)
g : 1/s    (trainable)
b : 1/s**2 (trainable)
"""
CARRIER = 2 * math.pi / 0.8
SWING = {"k": [40.0, 60.0, 90.0], "g": 0.2, "b": 5.0}
READOUTS: dict[str, str | Functional] = {
    "last": "last",
    "max": "max",
    "mean": "mean",
    "FFT": "fft",
    "whole trace": "whole",
    "demodulated, in phase": Demodulated(CARRIER),
    "demodulated, quadrature": Demodulated(CARRIER, part="im"),
    "demodulated, amplitude": Demodulated(CARRIER, part="abs"),
    "demodulated, phase": Demodulated(CARRIER, part="phase"),
    "effective frequency": EffectiveFrequency(),
}


def counts() -> Iterator[Answer]:
    """Trainable numbers of the neural wave machine with a linear readout of time and a head for each pixel."""
    deep, narrow = (BINS * 2, 256, 256, 256, 11), (BINS * 16, 32, 32, 32, 32, 32, 11)
    for task, channels, widths, wanted in (("MNIST", 2, deep, 176_545), ("Multi-MNIST", 16, narrow, 54_855)):
        network, objective = wave_machine(channels, widths, 8)
        count = _trainable(network.lower()) + sum(head.count for head in objective.digital.values())
        yield close(f"neural wave machine on {task}, {channels} channels: parameters", count, wanted, absolute=0.0)


def wave_machine(channels: int, widths: tuple[int, ...], side: int) -> tuple[Network, Objective]:
    """An image sets frequencies, damping and the initial condition of a sheet; each pixel is read by itself.

    Source
    ------
    "Traveling waves integrate spatial information" (2025), as its authors' code has it.
    """
    ports = {port: Input("waves", variable) for port, variable in (("omega", "omega"), ("alpha", "alpha"), ("y0", "y"))}
    readout = Readout("waves", "y", "whole", skip=1)
    network = Network((NeuralWave("waves", (channels, side, side)),), (), readout, inputs=ports)
    hidden = (1, 16, 16)
    encoders = {port: Head((ConvStack((*hidden, channels), final="relu"),), name=port) for port in ("omega", "alpha")}
    encoders["y0"] = Head((ConvStack((*hidden, 16, channels), final="tanh"),), name="y0")
    head = Head((LinearInTime(TIMES, BINS), PerPixel(), Perceptron(widths)))
    return network, Objective(readout, CrossEntropy(), widths[-1], TIMES * 0.1, head, encoders)


def _trainable(system: System) -> int:
    weights = {coupling.key: coupling.operator.weight_shape for coupling in system.couplings.values()}
    return sum(math.prod(weights.get(key, np.shape(system.parameters[key]))) for key in system.trainable)


def measurements() -> Iterator[Answer]:
    """A driven and a free oscillator, whose discrete motion is known in closed form."""
    k, g, dt = 40.0, 0.8, 0.01
    substrate = build(_driven({"k": k, "g": g, "b": 0.0}), "ideal-torch", seed=0, step=dt)
    times = dt * np.arange(4000)
    trace = substrate.run({"in": substrate.asarray(np.cos(CARRIER * times)[None, :, None])}, 40.0, record=["y"])
    turn = np.exp(1j * CARRIER * dt)
    # x+ = x + dt v+, v+ = v + dt (u - k x - g v): the response of the symplectic steps at the carrier
    response = dt**2 * turn / ((turn - 1) * (turn - 1 + dt * g) + dt**2 * k * turn)
    settled = Readout("oscillator", skip=3200)  # e^(-g t / 2) has fallen to 3e-6
    amplitude, phase = (
        float(replace(settled, kind=Demodulated(CARRIER, part=part)).read(substrate.xp, trace))
        for part in ("abs", "phase")
    )
    yield close("demodulated amplitude of a driven oscillator", amplitude, abs(response), relative=1e-5)
    yield close("demodulated phase of a driven oscillator [rad]", phase, float(np.angle(response)), absolute=1e-5)
    free = build(_driven({"k": k, "g": 0.0, "b": 0.0, "x": 1.0}), "ideal-torch", seed=0, step=dt)
    trace = free.run({"in": free.asarray(np.zeros((1, 1)))}, 40.0, record=["y"])
    measured = float(Readout("oscillator", kind=EffectiveFrequency()).read(free.xp, trace))
    discrete = math.asin(dt * math.sqrt(k) / 2) / (math.pi * dt)
    yield close("effective frequency of a free oscillator [Hz]", measured, discrete, relative=1e-6)
    yield close("the same against sqrt(k)/(2 pi) [Hz]", measured, math.sqrt(k) / (2 * math.pi), relative=1e-3)


def _driven(values: dict[str, Any], size: int = 1, readout: Readout | None = None) -> Network:
    medium = Medium("oscillator", size, OSCILLATOR, values, unit="1/s**2", integrator="symplectic")
    link = Link("in", "oscillator", weights=np.ones((size, 1)))
    return Network((Source("in", 1), medium), (link,), readout or Readout("oscillator"))


def encodings() -> Iterator[Answer]:
    """What leaves the encoders for a number u."""
    u, dt = np.array([[0.8, 0.3]]), 0.01
    sent = _sent(Carrier("in", 2, omega=2 * math.pi * 7, phase=0.5), u, 2.0, dt)[:, :200]
    magnitudes = np.abs(np.fft.rfft(sent, axis=1))[0]
    yield close(
        "carrier, 14 periods in 200 steps: magnitude of its bin", magnitudes[14, 0], 100 * u[0, 0], relative=1e-12
    )
    rest = np.max(np.delete(magnitudes[:, 0], 14))
    yield at_most("the same: largest magnitude elsewhere", rest, 1e-10)
    area = dt * np.sum(_sent(Pulse("in", 2, 0.37, 0.2), u, 2.0, dt), axis=1)[0, 0]
    yield close("rectangular pulse: area u width [s]", area, u[0, 0] * 0.37, relative=1e-12)
    area = dt * np.sum(_sent(Pulse("in", 2, 0.1, 1.0, "gaussian"), u, 2.0, dt), axis=1)[0, 0]
    yield close(
        "Gaussian pulse: area u width sqrt(2 pi) [s]", area, u[0, 0] * 0.1 * math.sqrt(2 * math.pi), relative=1e-9
    )
    mean = np.mean(_sent(Rate("in", 2, 40.0), u, 20.0, dt)[:, 1:], axis=1)[0]
    # Less than one spike of the 800 u that 20 s hold may be missing.
    yield at_most("spike rate: deviation of the mean from u", float(np.max(np.abs(mean - u[0]))), 1 / 800)


def _sent(source: Source, u: NDArray[np.float64], duration: float, dt: float) -> NDArray[np.float64]:
    leaks = Medium("leaks", 2, "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)", {"tau": 1.0})
    network = Network((source, leaks), (Link("in", "leaks"),), Readout("leaks"))
    substrate = build(network, "ideal-torch", seed=0, step=dt)
    return as_numpy(substrate.run({"in": substrate.asarray(u)}, duration).sent["in->leaks"])


def slopes() -> Iterator[Answer]:
    """Gradients through every readout, and through encoders and heads, against central differences on torch."""
    for name, kind in READOUTS.items():
        readout = Readout("oscillator", kind=kind, skip=1)
        network, objective = _driven(SWING, 3, readout), Objective(readout, SquaredError(), 3, 2.0, Head((Flatten(),)))
        substrate = build(network, "ideal-torch", seed=0, step=0.02)
        drive = 20 * np.cos(CARRIER * 0.02 * np.arange(101))[None, :, None] * np.array([0.5, 1.0])[:, None, None]
        worst = _deviation(substrate, objective, {"in": substrate.asarray(drive)}, 1e-5)
        yield at_most(f"readout {name}: largest relative deviation of the gradient", worst, 1e-6)
    network, objective = wave_machine(2, (BINS * 2, 8, 3), 6)
    # The damping acts on the loss in its sixth digit: wide differences are needed, and thus layers without kinks.
    encoders = {port: Head((ConvStack((1, 16, 16, 2), "tanh", "tanh"),), name=port) for port in objective.encoders}
    head = Head((LinearInTime(TIMES, BINS), PerPixel(), Perceptron((BINS * 2, 8, 3), "tanh")))
    objective = replace(objective, encoders=encoders, head=head)
    substrate = build(network, "ideal-torch", seed=0, step=0.1)
    image = substrate.asarray(streams.uniform(0, "image", "answers", (1, 1, 6, 6)))
    worst = _deviation(substrate, objective, dict.fromkeys(objective.encoders, image), 1e-3)
    yield at_most("neural wave machine, encoders to head: the same", worst, 1e-6)


def _deviation(substrate: Substrate, objective: Objective, inputs: dict[str, Any], width: float) -> float:
    """The largest relative deviation of a parameter's gradient from differences of fourth order, along one direction.

    The direction is that of the gradient plus a random one of half its length.
    """
    xp, rule = substrate.xp, ReflectedWave()
    y = forward(substrate, inputs, objective).y
    targets = xp.ones_like(y) / y.shape[-1]
    digital = objective.digital
    worst = 0.0
    for key, slope in rule.step(substrate, inputs, targets, objective).gradient.items():
        prefix = next((p for p in digital if key.startswith(f"{p}.")), None)
        owner, name = (digital[prefix], key.removeprefix(f"{prefix}.")) if prefix else (substrate, key)
        here = as_numpy(owner.parameters[name] if isinstance(owner, Head) else owner.read()[name])
        gradient = as_numpy(slope)
        random = streams.normal(0, key, "answers", here.shape)
        move = gradient / np.linalg.norm(gradient) + 0.5 * random / np.linalg.norm(random)
        losses = []
        for steps in (-2, -1, 1, 2, 0):
            owner.write({name: substrate.asarray(here + steps * width * move)})
            losses.append(objective.loss(xp, forward(substrate, inputs, objective).y, targets)[0])
        measured = (losses[0] - 8 * losses[1] + 8 * losses[2] - losses[3]) / (12 * width)
        worst = max(worst, abs(float(np.sum(gradient * move)) / measured - 1))
    return worst


ANSWERS = {
    "parameter counts": counts,
    "readouts": measurements,
    "encoders": encodings,
    "gradients of readouts and heads": slopes,
}
