"""Known answers of the first-order layered waveguide: feed-forward networks, relaxation, backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from physnn.equations import gradient
from physnn.media.catalogue import waves
from physnn.media.medium import Source
from physnn.media.network import Network
from physnn.media.waveguide import ACTIVATIONS, Waveguide
from physnn.substrate.contract import CompanionSpec
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most

Curve = Callable[[NDArray], NDArray]
CURVES: dict[str, tuple[Curve, Curve]] = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "identity": (lambda z: z, np.ones_like),
}
"""Activation -> its curve and its slope."""


def layers() -> Iterator[Answer]:
    """The stationary state is a feed-forward network's, and the reflected wave its backpropagated error.

    x_l = sigma(z_l)/gamma_l, z_l = W_l x_(l-1) + b_l;  dL/dW_l = (sigma'(z_l) delta_l/gamma_l) x_(l-1)^T.
    """
    for activation in ACTIVATIONS:
        sigma, slope = CURVES[activation]
        system = waves.ENTRIES[f"waveguide-{activation}"].build().lower(seed=3)
        rng = np.random.default_rng(1)
        held = {key: rng.normal(size=np.shape(value)) for key, value in system.parameters.items() if "->" in key}
        u, error = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
        z1 = u @ held["in->first"].T + held["bias->first"][:, 0]
        x1 = sigma(z1)
        z2 = x1 @ held["first->second"].T + held["bias->second"][:, 0]
        substrate = build(system, "ideal-torch")
        substrate.write({key: substrate.asarray(value) for key, value in held.items()})
        incident = substrate.steady({"in": substrate.asarray(u)})
        found = as_numpy(incident.outputs["y"])[:, 0]
        yield at_most(f"{activation}: largest error of the stationary state", _worst(found, sigma(z2) / 1.5), 1e-12)
        companion = substrate.placed.companion("transpose")
        echo = substrate.companion(CompanionSpec(), incident).steady({"y": substrate.asarray(error[:, None])})
        waves_meet = gradient(substrate.xp, system, companion, incident, echo)
        back2 = slope(z2) * error / 1.5
        back1 = slope(z1) * (back2 @ held["first->second"])
        wanted = {"first->second": back2.T @ x1, "in->first": back1.T @ u, "bias->first": back1.sum(axis=0)[:, None]}
        worst = max(_worst(as_numpy(waves_meet[key]), value) for key, value in wanted.items())
        yield at_most(f"{activation}: largest error of the gradient against backpropagation", worst, 1e-12)


def relaxation() -> Iterator[Answer]:
    """A step of the drive: x(t) = tanh(w u)/gamma (1 - e^(-gamma t/tau)); Euler's is 1 - (1 - gamma dt/tau)^n."""
    layer = Waveguide("out", 1, "tanh", damping=1.7, time_constant=0.6, bias=False)
    system = Network.layered([Source("in", 1), layer]).lower()
    error = 0.0
    for dt in (0.01, 0.005):
        substrate = build(system, "ideal-torch", step=dt)
        substrate.write({"in->out": substrate.asarray(np.array([[0.8]]))})
        steps = round(2.0 / dt)
        x = as_numpy(substrate.run({"in": substrate.asarray(np.ones((1, 1)))}, 2.0).outputs["y"])[0, :, 0]
        n, full = np.arange(steps + 1), np.tanh(0.8) / 1.7
        stepped = full * (1 - (1 - 1.7 * dt / 0.6) ** n)
        yield at_most(f"step response, dt = {dt:g} s: largest error of Euler's closed form", _worst(x, stepped), 1e-12)
        error = _worst(x, full * (1 - np.exp(-1.7 * dt * n / 0.6)))
    yield at_most("step response, dt = 0.005 s: largest error to the exponential", error, 5e-3)


def _worst(found: NDArray, wanted: NDArray) -> float:
    """Largest deviation over the largest amplitude."""
    return float(np.max(np.abs(found - wanted)) / np.max(np.abs(wanted)))


ANSWERS = {"waveguide layers": layers, "waveguide relaxation": relaxation}
