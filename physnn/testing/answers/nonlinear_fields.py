"""Known answers of nonlinear, excitable and passive media: kinks, fronts, pulses, and the voltage along a cable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from physnn.equations import OneToOne
from physnn.media import Link, Network, Readout, Source
from physnn.media.fields import Cable, ExcitableField, NonlinearField
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, close
from physnn.testing.answers.fields import alone, run

Profile = Callable[[NDArray], NDArray]


def kinks() -> Iterator[Answer]:
    """Kinks keep speed, shape and energy: sine-Gordon 4 arctan e^z and phi^4 tanh(z/sqrt(2)), z = g (x - u t) w0/c."""
    yield from _kink("sine-gordon", lambda z: 4 * np.arctan(np.exp(z)), lambda psi: 1 - np.cos(psi), np.pi, 8.0)
    energy = 2 * math.sqrt(2) / 3
    yield from _kink("phi4", lambda z: np.tanh(z / math.sqrt(2)), lambda psi: (psi**2 - 1) ** 2 / 4, 0.0, energy)


def _kink(force: str, shape: Profile, potential: Profile, middle: float, energy: float) -> Iterator[Answer]:
    """Travelling kinks of one force, w0 = c = 1; `energy` is that of a kink at rest."""
    spacing, step, duration = 0.05, 0.02, 20.0
    place = spacing * (np.arange(801) - 400)
    field = NonlinearField("field", place.size, spacing=spacing, edges="free", force=force)
    system = alone(field, ("psi", "v"), "wave")
    for u in (0.3, 0.8):
        g = 1 / math.sqrt(1 - u**2)
        moved = [shape(g * (place + 8 - u * time)) for time in (0.0, duration, -1e-4, 1e-4)]
        start = {"psi": moved[0][None, None, None], "v": (moved[3] - moved[2])[None, None, None] / 2e-4}
        trace = run(system, start, step, round(duration / step), "field.v")
        psi, v = as_numpy(trace.outputs["y"])[0, :, 0, 0], as_numpy(trace.fields["field.v"])[0, :, 0, 0]
        at = [np.interp(middle, row, place) for row in psi]
        said = f"{force} kink, u = {u} c"
        # Second order in the spacing over the kink's width, g dx, and in dt: up to some 1e-3 for the faster one.
        yield close(f"{said}: speed", np.polyfit(step * np.arange(len(psi)), at, 1)[0], u, relative=1e-3)
        yield close(
            f"{said}: largest deviation after {duration:g} s", np.max(np.abs(psi[-1] - moved[1])), 0.0, absolute=0.02
        )
        between = (psi[-1] + psi[-2]) / 2  # the time at which v is known
        density = v[-1] ** 2 / 2 + np.gradient(between, spacing) ** 2 / 2 + potential(between)
        yield close(f"{said}: energy", spacing * np.sum(density), g * energy, relative=1e-3)


def fronts() -> Iterator[Answer]:
    """Fronts of the Nagumo equation run at sqrt(D k/2) (1 - 2 a) with the profile 1/(1 + exp(x/sqrt(2 D/k)))."""
    spacing, step, duration, threshold = 0.2, 0.005, 60.0, 0.1
    for diffusion, rate in ((1.0, 1.0), (0.5, 2.0)):
        length = math.sqrt(2 * diffusion / rate)
        place = spacing * np.arange(400)
        medium = ExcitableField("medium", place.size, diffusion, threshold, rate, recovery=0.0, spacing=spacing)
        start = 1 / (1 + np.exp((place - 20) / length))
        psi = as_numpy(
            run(
                alone(medium, ("psi",), "wave"), {"psi": start[None, None, None]}, step, round(duration / step)
            ).outputs["y"]
        )
        psi = psi[0, :: round(1 / step), 0, 0]
        speed = math.sqrt(diffusion * rate / 2) * (1 - 2 * threshold)
        at = [np.interp(-0.5, -row, place) for row in psi]
        said = f"Nagumo front, D = {diffusion}, k = {rate}"
        # Second order in dx over the length of the front, 0.14 to 0.28, and explicit Euler.
        yield close(f"{said}: speed", np.polyfit(np.arange(10, len(at)), at[10:], 1)[0], speed, relative=5e-3)
        wanted = 1 / (1 + np.exp((place - at[-1]) / length))
        yield close(f"{said}: largest deviation of its profile", np.max(np.abs(psi[-1] - wanted)), 0.0, absolute=2e-3)


def pulses() -> Iterator[Answer]:
    """A pulse travels unchanged; as recovery slows down, its speed goes to that of the front."""
    spacing, step, threshold = 0.25, 0.01, 0.1
    place = spacing * np.arange(640)
    medium = ExcitableField("medium", place.size, threshold=threshold, spacing=spacing)
    start = np.repeat(1.0 * (place < 10)[None, None, None], 2, axis=0)
    recovery = np.ones_like(start) * np.reshape([0.002, 0.001], (2, 1, 1, 1))
    system = alone(medium, ("psi", "eps"), "wave")
    psi = as_numpy(run(system, {"psi": start, "eps": recovery}, step, 22_000).outputs["y"])[:, 6_000::2_000, 0, 0]
    front = np.array([[place[row > 0.5].max() + _beyond(row, spacing) for row in rows] for rows in psi])
    fast, slow = (np.polyfit(20.0 * np.arange(len(at)), at, 1)[0] for at in (front[1], front[0]))
    for name, at in zip((0.002, 0.001), front, strict=True):
        early, late = (at[3] - at[0]) / 60, (at[-1] - at[-4]) / 60
        yield close(
            f"FitzHugh-Nagumo pulse, eps = {name}/s: late speed over early speed", late / early, 1.0, absolute=2e-3
        )
    limit = math.sqrt(0.5) * (1 - 2 * threshold)
    yield close("FitzHugh-Nagumo pulse: speed, extrapolated to eps = 0", 2 * fast - slow, limit, relative=5e-3)


def _beyond(row: NDArray, spacing: float) -> float:
    """How far beyond its last node above 1/2 a pulse falls to 1/2."""
    last = int(np.flatnonzero(row > 0.5)[-1])
    return spacing * float((row[last] - 0.5) / (row[last] - row[last + 1]))


def cables() -> Iterator[Answer]:
    """A constant current into one end: V falls as cosh or sinh of the distance to the other, on the lattice exactly."""
    nodes, length = 60, 5.0
    angle = 2 * math.asinh(1 / (2 * length))  # V falls by exp(-angle) from node to node of an infinite cable
    place = np.arange(nodes)
    drive = np.zeros((1, 1, 1, nodes))
    drive[..., 0] = 1.0
    for edge, wanted in (("free", np.cosh((nodes - 1 - place) * angle)), ("clamped", np.sinh((nodes - place) * angle))):
        voltage = _settled(Cable("cable", nodes, length, edges=edge), drive)
        error = np.max(np.abs(voltage / voltage[0] - wanted / wanted[0]))
        yield close(f"cable, {edge} ends: largest deviation from its closed form", error, 0.0, absolute=1e-8)
    voltage = _settled(Cable("cable", nodes, length), drive)
    fallen = -np.polyfit(place[:30], np.log(voltage[:30]), 1)[0]
    # The lattice lengthens it by h^2/24 = 0.17 %, h = dx/lambda = 1/5; the far end is twelve length constants away.
    yield close("cable: length constant in units of dx", 1 / fallen, length, relative=2e-3)


def _settled(cable: Cable, drive: NDArray) -> NDArray[np.float64]:
    """The stationary voltage along a cable for a constant current, (nodes,)."""
    network = Network(
        (Source("in", cable.nodes), cable),
        (Link("in", "cable", operator=OneToOne(cable.nodes), weights=np.ones(cable.nodes), unit="V"),),
        Readout("cable", "V"),
    )
    substrate = build(network, "ideal-torch", seed=0)
    return as_numpy(substrate.steady({"in": substrate.asarray(drive)}, tolerance=1e-13).outputs["y"])[0, -1, 0, 0]


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "kinks": kinks,
    "fronts": fronts,
    "pulses": pulses,
    "cables": cables,
}
