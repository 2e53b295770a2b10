"""Known answers of the second-order carrier medium: transfer function, harmonics, envelope, and what it learns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from physnn.datasets import load
from physnn.equations import Trace
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.learning.controls import linear_control
from physnn.media.carrier import CarrierMedium, CarrierSource, on_carrier
from physnn.media.envelope import EnvelopeMedium
from physnn.media.losses import CrossEntropy
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.potential import Potential, duffing, harmonic
from physnn.media.readout import Readout
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_least, at_most, close

PERIOD = 2 * math.pi
"""of the carrier w = 1 rad/s, on which every element here resonates (k = 1 /s^2, gamma = 1 /s)"""
SETTLED = 12
"""periods after which what rang at first is e^-37 of itself"""
SEEDS = (0, 1, 2, 3, 4)
RECIPE = Settings(epochs=20, batch=32, rate=0.02)
AMPLITUDE, GAIN = 2.0, 5.0
"""of the carrier under a white pixel, and of the readout in the cross-entropy"""


def frequency_response() -> Iterator[Answer]:
    """A linear layer driven at 28 frequencies at once.

    With z = e^{jw dt} and the position moved by the new velocity, both integrators give
    x/drive = z dt^2 / (D (z-1) + k dt^2 z), D = z - 1 + gamma dt (explicit damping) or (1 + gamma dt) z - 1 (implicit).
    """
    tones = np.arange(3, 31)
    w = tones / 10.0
    for integrator in ("symplectic", "imex"):
        errors = []
        for steps in (64, 128):
            dt = PERIOD / steps
            measured = _response(integrator, tones, steps)
            z = np.exp(1j * w * dt)
            damped = z - 1 + dt if integrator == "symplectic" else (1 + dt) * z - 1
            exact = z * dt**2 / (damped * (z - 1) + dt**2 * z)
            claim = f"linear layer, {integrator}, {steps} steps a period: largest error of its discrete response"
            yield close(claim, np.max(np.abs(measured / exact - 1)), 0.0, absolute=1e-9)
            errors.append(np.max(np.abs(measured * (1 - w**2 + 1j * w) - 1)))
        claim = f"linear layer, {integrator}: error to s/(s^2 + gamma s + k) falls with the step's power"
        yield close(claim, math.log2(errors[0] / errors[1]), 1.0, absolute=0.1)


def harmonics() -> Iterator[Answer]:
    """Third harmonic against perturbation theory, |X_3| = (b |X|^3/4) / |k - 9 w^2 + 3jw gamma|, and none if linear."""
    drives = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    lines = _lines(duffing(), drives)
    first, third = np.abs(lines[:, 1]), np.abs(lines[:, 3])
    theory = first**3 / 4 / abs(1 - 9 + 3j)
    for amplitude, found, wanted in zip(first, third, theory, strict=True):
        yield close(f"Duffing, |X| = {amplitude:.3f}: third harmonic", found, wanted, relative=0.02)
    slope = np.polyfit(np.log(first), np.log(third), 1)[0]
    yield close("Duffing: power of the amplitude with which the third harmonic grows", slope, 3.0, relative=0.02)
    linear = np.abs(_lines(harmonic(), drives))
    loudest = np.max(linear[:, 2:8] / linear[:, 1:2])
    yield at_most("linear medium: loudest of harmonics 2 to 7 [dB]", 20 * math.log10(loudest), -200.0)


def envelope() -> Iterator[Answer]:
    """The stationary envelope against harmonic balance, and against the carrier itself under weak drive."""
    drives = np.array([0.1, 0.5, 1.0, 3.0, 10.0])
    network = replace(_two(duffing(), harmonic()), readout=Readout("first", "X"))
    found = as_numpy(build(network, "ideal-torch").steady({"in": drives[:, None]}).outputs["y"])[:, 0, 0]
    for drive, value in zip(drives, found, strict=True):
        # P ((3/4 b P)^2 + (w gamma)^2) = w^2 |U|^2 at resonance has one real root.
        power = next(r.real for r in np.roots([9 / 16, 0, 1, -(drive**2)]) if abs(r.imag) < 1e-9 * abs(r))
        wanted = drive * 1j / (1j + 0.75 * power)
        yield close(
            f"envelope, drive {drive:g}: distance from harmonic balance", abs(value / wanted - 1), 0, absolute=1e-9
        )
    weak = {"in": np.full((1, 1), 0.02)}
    network = _two(duffing(), duffing())
    wanted = as_numpy(build(network, "ideal-torch").steady(weak).outputs["y"])[0, 0, 0]
    sizes = [_settled(on_carrier(network), weak, steps)[0, 0] for steps in (128, 256)]
    claim = "two layers under weak drive: carrier, extrapolated to a vanishing step, over envelope"
    yield close(claim, 2 * sizes[1] - sizes[0], wanted, relative=1e-3)


def digits() -> Iterator[Answer]:
    """Ten classes: 64-32-10. A linear readout of the pixels gets about as far: the medium must not lose to it."""
    yield from _learnt("digits", 0.96, -0.01)


def parity() -> Iterator[Answer]:
    """Odd or even, where a linear readout of the pixels gets 0.925: 64-32-2."""
    yield from _learnt("digits-parity", 0.98, 0.05)


def _learnt(task: str, bar: float, margin: float) -> Iterator[Answer]:
    """Trained by reflected waves on the envelope, and read on the carrier in time as well.

    The optimiser is Adam at a rate of 0.02, where the prototype used SGD with momentum.
    """
    data = load(task)
    seen, test = data.part("train+validation"), data.part("test")
    pictures = {"in": AMPLITUDE * test.inputs}
    by_envelope, on_tone, alike = [], [], []
    for seed in SEEDS:
        network = classifier(data.width, data.classes)
        substrate = build(network, "ideal-torch", seed=seed)
        objective = Objective(network.readout, CrossEntropy(GAIN), data.classes)
        train(substrate, ReflectedWave(), objective, AMPLITUDE * seen.inputs, seen.labels, RECIPE, seed=seed)
        settled = np.argmax(as_numpy(substrate.steady(pictures).outputs["y"])[:, 0], axis=1)
        sounding = np.argmax(_settled(on_carrier(network), pictures, 64, like=substrate), axis=1)
        by_envelope.append(np.mean(settled == test.labels))
        on_tone.append(np.mean(sounding == test.labels))
        alike.append(np.mean(sounding == settled))
    seeds = f"test accuracy, mean of seeds {', '.join(map(str, SEEDS))}"
    yield at_least(f"{task} by the envelope: {seeds}", float(np.mean(by_envelope)), bar)
    yield at_least(f"{task} on the carrier in time: {seeds}", float(np.mean(on_tone)), bar)
    ahead = float(np.mean(by_envelope)) - linear_control(data)
    yield at_least(f"{task} by the envelope: margin over a linear readout of the pixels", ahead, margin)
    yield at_least(f"{task}: share of decisions that both read alike", float(np.mean(alike)), 0.98)


def classifier(width: int, classes: int) -> Network:
    """64 pixels on a carrier, 32 Duffing elements, a linear layer demodulated at the drive's phase."""
    layers = [EnvelopeMedium("hidden", 32, duffing()), EnvelopeMedium("output", classes, harmonic(), bias=False)]
    network = Network.layered([Source("in", width), *layers])
    return replace(network, readout=Readout("output", "p"))


def _two(first: Potential, second: Potential) -> Network:
    """A source and two single elements in a row, with couplings of 1."""
    parts = (
        Source("in", 1),
        EnvelopeMedium("first", 1, first, bias=False),
        EnvelopeMedium("second", 1, second, bias=False),
    )
    links = (Link("in", "first", weights=[[1.0]]), Link("first", "second", weights=[[1.0]]))
    return Network(parts, links, Readout("second", "p"))


def _response(integrator: str, tones: NDArray, steps: int) -> NDArray[np.complex128]:
    """x/drive at the frequencies tones/10 of the carrier's, after it has settled."""
    parts = (Source("in", 1), CarrierMedium("layer", 1, harmonic(), integrator=integrator))
    link = Link("in", "layer", unit="1/s**2", weights=[[1.0]])
    times = np.arange((SETTLED + 10) * steps) * (PERIOD / steps)
    drive = np.cos(np.outer(tones / 10.0, times))[..., None]
    trace = _run(Network(parts, (link,), Readout("layer", "x")), {"in": drive}, steps, SETTLED + 10)
    x = as_numpy(trace.outputs["y"])[:, SETTLED * steps : -1, 0]
    # The window of ten periods of the carrier holds a whole number of periods of every tone.
    phases = np.exp(-1j * np.outer(tones / 10.0, times[SETTLED * steps :]))
    return 2 * np.mean(x * phases, axis=1)


def _lines(potential: Potential, drives: NDArray) -> NDArray[np.complex128]:
    """Complex amplitudes (drives, harmonics) of a settled element on its carrier.

    Runge-Kutta leaves the element's own response to its fundamental exact to the fourth order of the step; the drive,
    held over each step, has no harmonic below the 127th.
    """
    steps, periods = 128, 2
    parts = (CarrierSource("in", 1), CarrierMedium("layer", 1, potential, integrator="rk4"))
    network = Network(parts, (Link("in", "layer", weights=[[1.0]]),), Readout("layer", "x"))
    trace = _run(network, {"in": drives[:, None]}, steps, SETTLED + periods)
    x = as_numpy(trace.outputs["y"])[:, SETTLED * steps : -1, 0]
    return 2 / x.shape[1] * np.fft.rfft(x, axis=1)[:, ::periods]


def _settled(network: Network, inputs: dict[str, NDArray], steps: int, like: Substrate | None = None) -> NDArray:
    """Re X of a network on its carrier, over two settled periods; with the weights of another substrate."""
    substrate = build(network, "ideal-torch", step=PERIOD / steps)
    if like is not None:
        substrate.write({key: value for key, value in like.read().items() if key in network.lower().couplings})
    trace = substrate.run(inputs, (SETTLED + 2) * PERIOD, record=[network.readout.port])
    return as_numpy(replace(network.readout, skip=SETTLED * steps).read(substrate.xp, trace))


def _run(network: Network, inputs: dict[str, NDArray], steps: int, periods: int) -> Trace:
    return build(network, "ideal-torch", step=PERIOD / steps).run(inputs, periods * PERIOD, record=["y"])


ANSWERS = {
    "carrier: frequency response": frequency_response,
    "carrier: harmonics": harmonics,
    "carrier: envelope": envelope,
    "carrier: digits": digits,
    "carrier: parity": parity,
}
