"""Known answers of oscillators: frequencies, decays, amplitudes and onsets in closed form, updates written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ellipk, expit

from physnn import streams
from physnn.equations import Input, System
from physnn.media import Link, Medium, Network, Readout, Source
from physnn.media.lstm import GATES, self_fed
from physnn.media.oscillators import CoRNN, Duffing, Harmonic, Kuramoto, LinOSS, MeanFieldKuramoto, StuartLandau
from physnn.media.part import Part
from physnn.media.ring import LotkaVolterra
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""bar where both sides are the same arithmetic in another order, some hundred steps long"""
FITTED = 1e-10
"""bar where a recursion is fitted to a run that obeys it but for rounding"""


def harmonic() -> Iterator[Answer]:
    """A free oscillator keeps the frequency and decay of its integrator's own recursion.

    The eigenvalues of one step of (x, v) have the product d and the sum t, so that x_(n+2) = t x_(n+1) - d x_n;
    cos(frequency dt) = t/(2 sqrt d), decay = -log(d)/(2 dt).
    """
    omega, gamma, dt = 2.0, 0.3, 0.1
    push = (1 - np.exp(-gamma * dt)) / gamma
    z = complex(-gamma / 2, np.sqrt(omega**2 - gamma**2 / 4)) * dt
    root = 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24
    both = 1 + gamma * dt + (omega * dt) ** 2
    relations = {
        "euler": (1 - gamma * dt + (omega * dt) ** 2, 2 - gamma * dt),
        "symplectic": (1 - gamma * dt, 2 - gamma * dt - (omega * dt) ** 2),
        "verlet": (1 - gamma * dt, 2 - gamma * dt - (omega * dt) ** 2),
        "imex": (1 / (1 + gamma * dt), 1 + (1 - (omega * dt) ** 2) / (1 + gamma * dt)),
        "implicit": (1 / both, (2 + gamma * dt) / both),
        "exponential": (np.exp(-gamma * dt) + dt * omega**2 * push, 1 + np.exp(-gamma * dt)),
        "rk4": (abs(root) ** 2, 2 * root.real),
    }
    for integrator, (product, total) in relations.items():
        wanted = np.arccos(total / (2 * np.sqrt(product))) / dt, -np.log(product) / (2 * dt)
        oscillator = Harmonic("cells", 1, omega, gamma, integrator=integrator)
        x = _run(_alone(oscillator, "x", x="x"), {"x": np.ones((1, 1))}, dt, 200)[0, :, 0]
        found = _recursion(x[1:], dt)
        yield close(f"harmonic, {integrator}: frequency of its step", found[0], wanted[0], relative=FITTED)
        yield close(f"harmonic, {integrator}: decay of its step", found[1], wanted[1], absolute=FITTED)
        if integrator == "rk4":
            # Its frequency is too low by (omega dt)^4/120.
            continuum = np.sqrt(omega**2 - gamma**2 / 4)
            yield close("harmonic, rk4: frequency of the continuum", found[0], continuum, relative=2e-5)


def duffing() -> Iterator[Answer]:
    """A free undamped Duffing oscillator: frequency against amplitude, exactly and to first order."""
    k, beta, dt = 1.0, 0.5, 0.02
    amplitudes = np.array([0.05, 0.1, 0.3, 1.0, 2.0])
    oscillator = Duffing("cells", 1, k, beta, damping=0.0, integrator="rk4")
    x = _run(_alone(oscillator, "x", x="x"), {"x": amplitudes[:, None]}, dt, 3000)[..., 0]
    found = np.array([_turning(row, dt) for row in x])
    squared = k + beta * amplitudes**2
    wanted = np.pi / 2 * np.sqrt(squared) / ellipk(beta * amplitudes**2 / (2 * squared))
    for amplitude, a, b in zip(amplitudes, found, wanted, strict=True):
        yield close(f"Duffing: frequency at amplitude {amplitude:g} (elliptic integral)", a, b, relative=1e-6)
    slope = (found[1] - np.sqrt(k)) / amplitudes[1] ** 2
    yield close("Duffing: shift of the frequency over amplitude squared, small", slope, 3 * beta / 8, relative=0.02)


def cornn() -> Iterator[Answer]:
    """A coRNN against the paper's update, with damping taken at the end and at the beginning of the step."""
    dt, steps, size = 0.05, 200, 6
    u = streams.normal(0, "coRNN", "answers", (2, steps, 3))
    for integrator, implicit in (("imex", 1.0), ("symplectic", 0.0)):
        cells = CoRNN("cells", size, stiffness=2.0, damping=0.7, integrator=integrator)
        network = Network((Source("in", 3), cells), (Link("in", "cells", "V"),), Readout("cells", "y"))
        system = network.lower(seed=1)
        w, wv, v = (system.parameters[key] for key in ("cells.W", "cells.Wv", "V"))
        y, z = np.zeros((2, 2, size))
        wanted = [y]
        for step in range(steps):
            force = np.tanh(y @ w.T + z @ wv.T + u[:, step] @ v.T)
            z = (z + dt * (force - 2.0 * y - (1 - implicit) * 0.7 * z)) / (1 + implicit * dt * 0.7)
            y = y + dt * z
            wanted.append(y)
        worst = np.max(np.abs(_run(system, {"in": u}, dt, steps) - np.stack(wanted, axis=1)))
        yield at_most(f"coRNN, {integrator}: largest deviation from the literal update", worst, ROUNDING)


def linoss() -> Iterator[Answer]:
    """LinOSS: what one step does to an amplitude and a phase, and a driven layer against its recursion."""
    dt, steps = 0.3, 200
    stiffness = np.array([0.1, 1.0, 4.0])
    for scheme in ("IM", "IMEX"):
        x = _run(_alone(LinOSS("cells", 3, stiffness, scheme), "x", x="x"), {"x": np.ones((1, 3))}, dt, 60)
        for a, column in zip(stiffness, x[0].T, strict=True):
            turn, decay = _recursion(column, dt)
            root = np.sqrt(a) * dt
            kept, angle = (
                (1 / np.sqrt(1 + root**2), np.arctan(root)) if scheme == "IM" else (1.0, 2 * np.arcsin(root / 2))
            )
            yield close(f"LinOSS-{scheme}: |eigenvalue| at A = {a:g}", np.exp(-decay * dt), kept, absolute=FITTED)
            yield close(f"LinOSS-{scheme}: its angle at A = {a:g}", turn * dt, angle, relative=FITTED)
    u = streams.normal(0, "LinOSS", "answers", (2, steps, 2))
    for scheme in ("IM", "IMEX"):
        system = _layer(stiffness, scheme).lower(seed=1)
        b, c, d = (system.parameters[key] for key in "BCD")
        x, v = np.zeros((2, 2, 3))
        wanted = []
        for step in range(steps):
            wanted.append(x @ c.T + u[:, step] @ d.T)
            rate = 1 + dt**2 * stiffness if scheme == "IM" else 1.0
            v = (v + dt * (u[:, step] @ b.T - stiffness * x)) / rate
            x = x + dt * v
        y = _run(system, {"in": u}, dt, steps)[:, :-1]
        worst = np.max(np.abs(y - np.stack(wanted, axis=1)))
        yield at_most(f"LinOSS-{scheme}: largest deviation of y = C x + D u from the recursion", worst, ROUNDING)


def _layer(stiffness: Array, scheme: str) -> Network:
    sums = Medium("sum", 2, "y : 1 (arrival)", signal="y", arrival="y")
    links = (Link("in", "cells", "B"), Link("cells", "sum", "C"), Link("in", "sum", "D"))
    return Network((Source("in", 2), LinOSS("cells", 3, stiffness, scheme), sums), links, Readout("sum", "y"))


def stuart_landau() -> Iterator[Answer]:
    """Stuart-Landau oscillators above and below their onset, all in one batch."""
    dt, k = 0.05, 0.8
    growth = np.array([-0.5, 0.1, 0.5, 1.0, 2.0])
    for integrator in ("exponential", "rk4"):
        cells = StuartLandau("cells", 1, frequency=2.0, saturation=k, integrator=integrator)
        a = _run(_alone(cells, "a", growth="mu"), {"growth": growth[:, None]}, dt, 2000)[:, -200:, 0]
        amplitudes = np.mean(np.abs(a), axis=1)
        yield at_most(f"Stuart-Landau, {integrator}: amplitude at mu = {growth[0]:g}", amplitudes[0], 1e-12)
        for mu, found in zip(growth[1:], amplitudes[1:], strict=True):
            claim = f"Stuart-Landau, {integrator}: amplitude sqrt(mu/k) at mu = {mu:g}"
            yield close(claim, found, np.sqrt(mu / k), relative=0.05 if integrator == "exponential" else 1e-4)
    turned = np.unwrap(np.angle(a[-1]))
    yield close("Stuart-Landau, rk4: frequency", (turned[-1] - turned[0]) / (199 * dt), 2.0, relative=1e-4)


def kuramoto_pair() -> Iterator[Answer]:
    """Two oscillators that pull each other with lag alpha: locked at an angle, or drifting with a known beat.

    Their difference obeys  phi' = D - 2 K cos(alpha) sin(phi).
    """
    dt, pull, lag, mean = 0.02, 0.5, 0.4, 1.0
    grip = 2 * pull * np.cos(lag)
    spread = np.array([0.3, 0.6, 1.5])
    cells = Kuramoto("cells", 2, coupling=[[0.0, pull], [pull, 0.0]], lags=lag)
    frequency = mean + spread[:, None] * np.array([-0.5, 0.5])
    theta = _run(_alone(cells, "theta", frequency="omega"), {"frequency": frequency}, dt, 6000)
    difference = theta[..., 1] - theta[..., 0]
    for row, width in enumerate(spread[:2]):
        angle = np.arcsin(width / grip)
        yield close(f"Kuramoto pair: angle when locked, D = {width:g}", difference[row, -1], angle, relative=1e-6)
        together = (theta[row, -1, 0] - theta[row, -2, 0]) / dt
        wanted = mean - pull * np.sin(lag) * np.cos(angle)
        yield close(f"Kuramoto pair: common frequency with lag, D = {width:g}", together, wanted, relative=1e-6)
    times = np.interp([2 * np.pi, 10 * np.pi], difference[2], dt * np.arange(difference.shape[1]))
    beat = 2 * np.pi * 4 / (times[1] - times[0])
    # Explicit Euler shifts the beat by a term of first order in the step.
    yield close("Kuramoto pair: beat when drifting, D = 1.5", beat, np.sqrt(spread[2] ** 2 - grip**2), relative=0.01)


def kuramoto_onset() -> Iterator[Answer]:
    """2000 oscillators with the quantiles of a Lorentzian: r^2 = 1 - Kc/K above the onset Kc = 2 Delta.

    All coupling strengths run side by side, and Kc is where the straight line through r^2 over 1/K meets zero.
    """
    count, width, dt = 2000, 0.5, 0.05
    frequency = width * np.tan(np.pi * ((np.arange(count) + 0.5) / count - 0.5))
    start = 2 * np.pi * streams.uniform(0, "Kuramoto", "answers", (count,))
    onset = 2 * width
    ratios = np.linspace(1.1, 2.0, 10)
    network = _alone(MeanFieldKuramoto("cells", count, frequency, start=start), "theta", coupling="K")
    substrate = build(network, "ideal-torch", seed=0, step=dt)
    coupling = substrate.asarray(np.repeat(onset * ratios[:, None], count, axis=1))
    settled = substrate.run({"coupling": coupling}, 120.0, record=())
    theta = as_numpy(substrate.run({"coupling": coupling}, 60.0, settled.state, record=("y",)).outputs["y"])
    order = np.sqrt(np.mean(np.cos(theta), axis=2) ** 2 + np.mean(np.sin(theta), axis=2) ** 2)
    squared = np.mean(order, axis=1) ** 2
    slope, top = np.polyfit(1 / (onset * ratios), squared, 1)
    yield close(
        "Kuramoto mean field, N = 2000: onset Kc = 2 Delta from r^2 over 1/K", -slope / top, onset, relative=0.05
    )
    yield close("Kuramoto mean field, N = 2000: r at K = 2 Kc", order[-1].mean(), np.sqrt(0.5), relative=0.05)


def lotka_volterra() -> Iterator[Answer]:
    """Predator and prey keep  V = b (x + y) - c log x - a log y  the better, the shorter the step."""
    a, b, c, duration = 1.0, 0.5, 0.75, 20.0
    eats = np.array([[0.0, -b], [b, 0.0]])
    start = np.array([[2.0, 1.0]])
    species = LotkaVolterra("species", 2, np.array([a, -c]), eats)
    drifts = {}
    for dt in (0.004, 0.002):
        x = _run(_alone(species, "x", x="x"), {"x": start}, dt, round(duration / dt))[0]
        kept = b * x.sum(axis=1) - c * np.log(x[:, 0]) - a * np.log(x[:, 1])
        drifts[dt] = kept - kept[0]
    coarse, fine = drifts[0.004][::500], drifts[0.002][::1000]
    scale = float(np.max(np.abs(coarse)))
    # The drift is of first order in the step; what is left after extrapolation is of second order.
    halved = np.max(np.abs(fine)) / scale
    yield close("Lotka-Volterra: drift of V when the step is halved", halved, 0.5, relative=0.02)
    left = np.max(np.abs(2 * fine - coarse)) / scale
    yield at_most("Lotka-Volterra: drift of V, extrapolated to no step, over that at a step", left, 0.02)
    near = np.array([[1.01 * c / b, a / b]])
    x = _run(_alone(species, "x", x="x"), {"x": near}, 0.002, 20_000)[0, :, 0]
    found = _turning(x - c / b, 0.002)
    yield close("Lotka-Volterra: frequency of small swings, sqrt(a c)", found, np.sqrt(a * c), relative=2e-3)


def conv_lstm() -> Iterator[Answer]:
    """A convolutional LSTM fed with its own output against loops over pixels and taps."""
    shape, steps = (2, 4, 5), 12
    system = self_fed(shape).lower(seed=3)
    weights = {k: v + 0.1 * streams.normal(0, k, "answers", v.shape) for k, v in system.parameters.items()}
    first = {port: streams.normal(0, port, "answers", (2, *shape)) for port in ("h0", "c0", "y0")}
    substrate = build(system, "ideal-torch", seed=0, step=1.0)
    substrate.write({key: substrate.asarray(value) for key, value in weights.items()})
    found = substrate.run({port: substrate.asarray(value) for port, value in first.items()}, float(steps))
    h, c, y = first["h0"], first["c0"], first["y0"]
    wanted = [y]
    for _ in range(steps):
        seen = {
            g: _torus(weights[f"cells.W_{g}"], y) + _torus(weights[f"cells.U_{g}"], h) + weights[f"cells.b_{g}"]
            for g in GATES
        }
        c = expit(seen["f"]) * c + expit(seen["i"]) * np.tanh(seen["g"])
        h = expit(seen["o"]) * np.tanh(c)
        layer = np.maximum(_torus(weights["cells->hidden"], h) + weights["hidden.b"], 0)
        y = _torus(weights["hidden->out"], layer) + weights["out.b"]
        wanted.append(y)
    worst = np.max(np.abs(as_numpy(found.outputs["y"]) - np.stack(wanted, axis=1)))
    yield at_most("conv-LSTM: largest deviation from the literal update", worst, ROUNDING)


def _torus(kernel: Array, sheet: Array) -> Array:
    """y[o, p, q] = sum w[o, c, i, j] x[c, p + i - r, q + j - s], indices taken round the sheet."""
    out, _, rows, columns = kernel.shape
    batch, _, height, width = sheet.shape
    total = np.zeros((batch, out, height, width))
    for p, q, i, j in np.ndindex(height, width, rows, columns):
        met = sheet[:, :, (p + i - rows // 2) % height, (q + j - columns // 2) % width]
        total[:, :, p, q] += met @ kernel[:, :, i, j].T
    return total


def _alone(part: Part, reads: str, **ports: str) -> Network:
    """A part by itself, with ports on its variables."""
    return Network((part,), (), Readout(part.name, reads), inputs={p: Input(part.name, v) for p, v in ports.items()})


def _run(network: Network | System, inputs: Mapping[str, Any], dt: float, steps: int) -> Array:
    """What comes out, (batch, steps + 1, *shape)."""
    substrate = build(network, "ideal-torch", seed=0, step=dt)
    given = {port: substrate.asarray(value) for port, value in inputs.items()}
    return as_numpy(substrate.run(given, steps * dt, record=("y",)).outputs["y"])


def _recursion(x: Array, dt: float) -> tuple[float, float]:
    """Angular frequency and decay rate of x_(n+2) = t x_(n+1) - d x_n, by least squares over all n."""
    (total, negative), *_ = np.linalg.lstsq(np.stack([x[1:-1], x[:-2]], axis=1), x[2:], rcond=None)
    product = -negative
    return float(np.arccos(total / (2 * np.sqrt(product))) / dt), float(-np.log(product) / (2 * dt))


def _turning(x: Array, dt: float) -> float:
    """Angular frequency between the first and the last rise through 0; the wave is straight there to third order."""
    up = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    times = dt * (up + x[up] / (x[up] - x[up + 1]))
    return float(2 * np.pi * (len(times) - 1) / (times[-1] - times[0]))


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "harmonic oscillator": harmonic,
    "Duffing oscillator": duffing,
    "coRNN": cornn,
    "LinOSS": linoss,
    "Stuart-Landau oscillator": stuart_landau,
    "Kuramoto pair": kuramoto_pair,
    "Kuramoto onset": kuramoto_onset,
    "Lotka-Volterra": lotka_volterra,
    "conv-LSTM": conv_lstm,
}
