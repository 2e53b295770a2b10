"""Known answers of transmission-line-matrix meshes: energy, drums, stubs, edges, walls and gradients.

Linear answers come from the System's own step: its matrix, or its response at z = exp(i omega dt). One step is 1 s, the
distance of nodes 1 m.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigs

from physnn.analysis import frequency_response, linearised, step_matrix, tlm_decay_rate, tlm_frequency
from physnn.equations import Dense, Interpreter, System, companion_inputs, gradient, reflected
from physnn.media.fields import TLMField, loss_for, stub_for
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.substrate.contract import CompanionSpec
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close
from physnn.testing.answers.fields import alone, run

SIDES = range(13, 22)
L_SHAPE = 9.6397238440219
"""First eigenvalue of -lap on three unit squares: Fox, Henrici, Moler, SIAM J. Numer. Anal. 4 (1967)."""


def energy() -> Iterator[Answer]:
    """A mesh without loss keeps its energy, whatever its stubs, reflecting edges and walls."""
    rng, steps = np.random.default_rng(0), 100_000
    shape = (5, 6)
    stub, walls = rng.uniform(0, 3, shape), rng.random(shape) < 0.2
    meshes = {
        "open and periodic edges, stubs": TLMField("mesh", shape, stub, edges=("periodic", "open")),
        "short and open edges, stubs, walls": TLMField("mesh", shape, stub, edges=("short", "open"), obstacles=walls),
    }
    for said, mesh in meshes.items():
        system = alone(mesh, mesh.states, "energy")
        start = {name: rng.normal(size=(1, 1, *shape)) for name in mesh.states}
        states = linearised(system, step=1.0).states
        pulses = np.concatenate([start[name.partition(".")[2]].ravel() for name in states])
        matrix = step_matrix(system, 1.0)
        for _ in range(steps):
            pulses = matrix @ pulses
        after = {name.partition(".")[2]: pulses[place].reshape(1, 1, *shape) for name, place in states.items()}
        first, last = (as_numpy(run(system, p, 1.0, 300).outputs["y"])[0].sum(axis=(1, 2, 3)) for p in (start, after))
        # Rounding: 1e5 steps of 2e-16, of either sign.
        yield at_most(f"mesh, {said}: relative change of energy over {steps} steps", abs(last[0] / first[0] - 1), 1e-10)
        yield at_most(f"mesh, {said}: over 300 steps on torch", np.max(np.abs(first / first[0] - 1)), 1e-10)


def drums() -> Iterator[Answer]:
    """Tones of square drums of n x n nodes against the mesh's dispersion relation, and one drum in time."""
    for side in SIDES:
        matrix = step_matrix(alone(TLMField("mesh", (side, side)), (), "v"), 1.0)
        for mode in ((1, 2), (1, 3), (2, 3)):
            waves = np.pi * np.array(mode) / side
            continuum, wanted = float(np.linalg.norm(waves)) / np.sqrt(2), float(tlm_frequency(waves))
            tone = _tone(matrix, continuum)
            yield close(f"drum L = {side}: mode {mode} against the mesh's dispersion", tone, wanted, relative=1e-6)
            if side == 13:
                # The mesh's own error to second order in k dx; that of fourth order is 3 % of it.
                second = np.sum(waves**2) / 48 - np.sum(waves**4) / np.sum(waves**2) / 24
                said = f"drum L = 13: mode {mode}, distance from the continuum in its parts"
                yield close(said, tone / continuum - 1, second, relative=0.03)
    yield _heard()


def _tone(matrix: Any, near: float) -> float:
    """The angular frequency [rad/s] of the mode of a step matrix nearest to one."""
    start = np.ones(matrix.shape[0], dtype=complex)
    found = eigs(matrix.astype(complex).tocsc(), k=2, sigma=np.exp(1j * near), v0=start, return_eigenvectors=False)
    turns = np.abs(np.angle(found))
    return float(turns[np.argmin(np.abs(turns - near))])


def _heard() -> Answer:
    """Mode (1, 3) of a drum that is let go, on torch: v = mode cos(omega t)."""
    side, steps = 13, 400
    place = np.arange(side) + 0.5
    shape = np.outer(np.sin(np.pi * place / side), np.sin(3 * np.pi * place / side))[None, None]
    mesh = TLMField("mesh", (side, side))
    heard = as_numpy(run(alone(mesh, mesh.states, "v"), mesh.at_rest(shape), 1.0, steps).outputs["y"])[0, :, 0]
    turn = tlm_frequency(np.pi * np.array([1, 3]) / side)
    off = np.max(np.abs(heard - np.cos(turn * np.arange(steps + 1))[:, None, None] * shape[0, 0]))
    return at_most("drum L = 13: mode (1, 3) in time on torch, against cos(omega t)", off, 1e-10)


def l_shape() -> Iterator[Answer]:
    """The L-shaped drum: three unit squares with walls about them. Its inner corner makes the error of order 4/3."""
    errors = []
    for nodes in (10, 20, 40):
        walls = np.zeros((2 * nodes, 2 * nodes), dtype=bool)
        walls[nodes:, nodes:] = True
        matrix = step_matrix(alone(TLMField("mesh", walls.shape, obstacles=walls), (), "v"), 1.0)
        tone = _tone(matrix, np.sqrt(L_SHAPE / 2) / nodes)
        value = 2 * (tone * nodes) ** 2
        errors.append(abs(value / L_SHAPE - 1))
        if nodes == 40:
            yield close("L-shaped drum, 40 nodes a unit side: first eigenvalue of -lap", value, L_SHAPE, relative=2e-3)
    for coarse, order in zip((10, 20), np.log2(np.divide(errors[:-1], errors[1:])), strict=True):
        # The regular error of second order is still in it.
        yield close(f"L-shaped drum: order of the error, {coarse} to {2 * coarse} nodes", order, 4 / 3, absolute=0.1)


def stubs() -> Iterator[Answer]:
    """Waves on meshes with stubs and losses: tone and decay, speed, and refraction where the speed changes."""
    side = 16
    waves = 2 * np.pi * np.array([1, 2]) / side
    shape = np.cos(np.add.outer(waves[0] * np.arange(side), waves[1] * np.arange(side)))[None, None]
    for stub, loss in ((0.0, 0.3), (2.5, 0.0), (1.5, 0.4)):
        mesh = TLMField("mesh", (side, side), stub, loss, "periodic")
        heard = as_numpy(run(alone(mesh, mesh.states, "v"), mesh.at_rest(shape), 1.0, 60).outputs["y"])[0, :, 0]
        sound = np.sum(heard * shape[0, 0], axis=(1, 2))
        (twice, left), *_ = np.linalg.lstsq(np.stack([sound[1:-1], -sound[:-2]], axis=1), sound[2:])
        decay, turn = -np.log(left) / 2, np.arccos(twice / (2 * np.sqrt(left)))
        said = f"plane wave on torch, stubs {stub}, loss {loss}"
        yield close(f"{said}: omega", turn, float(tlm_frequency(waves, stub, loss)), relative=1e-9)
        yield close(f"{said}: rate of decay [1/s]", decay, tlm_decay_rate(stub, loss), absolute=1e-10)
    yield close(
        "loss_for(0.05/s) with stubs 1.5: rate of decay",
        tlm_decay_rate(1.5, float(loss_for(0.05, 1.0, 1.5))),
        0.05,
        relative=1e-12,
    )
    yield from _speeds()
    yield from _refraction()


def _speeds() -> Iterator[Answer]:
    """The wave around a row of 200 nodes, from its eigenvalue; Verlet's error is (k dx)^2/24 (1 - (c dt/dx)^2)."""
    length = 200
    for speed in (0.7, 0.35, 0.1):
        mesh = TLMField("mesh", length, stub_for(speed, 1.0, 1.0), edges="periodic")
        waves = 2 * np.pi / length
        tone = _tone(step_matrix(alone(mesh, (), "v"), 1.0), speed * waves)
        said = f"stub_for({speed} m/s): measured speed of a wave of 200 nodes"
        yield close(said, tone / waves, speed, relative=waves**2 / 20)


def _refraction() -> Iterator[Answer]:
    """Waves that meet a step of the speed by sqrt(2), obliquely: Snell's law, and total reflection."""
    height = 40
    down = 2 * np.pi / height
    for first, second, degrees in ((0.0, 4.0, 30), (0.0, 4.0, 60), (4.0, 0.0, 30), (4.0, 0.0, 60)):
        across, slowing = down / np.tan(np.radians(degrees)), np.sqrt((4 + second) / (4 + first))
        turn = float(tlm_frequency(np.array([across, down]), first))
        sine = np.sin(np.radians(degrees)) / slowing
        # What is behind a total reflection may not leave at the far end.
        sides = ("periodic", "periodic", "matched", "matched" if sine < 1 else "open")
        v = _driven(TLMField("mesh", (height, 60), np.repeat([[first, second]], 30, 1), edges=sides), down, turn)
        behind = ((v[44] + v[46]) / (2 * v[45])).real
        wanted = (4 + second) / 2 * np.cos(turn) - second / 2 - np.cos(down)
        said = f"stubs {first:g} to {second:g}, waves at {degrees} degrees"
        yield close(f"{said}: cos(k_x dx) behind the step, by the dispersion relation", behind, wanted, relative=1e-9)
        if sine < 1:
            refracted = np.sin(np.arctan2(down, np.arccos(behind)))
            # Snell's law is that of long waves; (k dx)^2/24 is up to 1 % here.
            yield close(f"{said}: Snell's law, sine of the angle behind", refracted, sine, relative=0.01)
        else:
            yield close(f"{said}: total reflection, |R|", abs(_returned(v, 10, across)), 1.0, relative=1e-9)


def _driven(mesh: TLMField, down: float, turn: float) -> NDArray[np.complex128]:
    """Voltages along a row at omega dt = turn, where the third column is driven by cos(down y); (width,)."""
    channels, height, width = mesh.nodes
    pattern = np.zeros((channels, height, width))
    pattern[:, :, 2] = np.cos(down * np.arange(height))
    operator = Dense(pattern.size, 1, pattern.shape)
    enter = Link("in", mesh.name, operator=operator, weights=pattern.reshape(-1, 1))
    system = Network((Source("in", 1), mesh), (enter,), Readout(mesh.name, "v")).lower()
    found = frequency_response(system, "in", "y", turn, step=1.0)
    return np.asarray(found[:, 0].reshape(channels, height, width)[0, 0])


def _returned(v: NDArray[np.complex128], column: int, across: float) -> complex:
    """A/B of v = B exp(-i k_x x) + A exp(i k_x x), from two columns."""
    waves = np.exp(np.outer([0, 1], [-1j * across, 1j * across]))
    right, left = np.linalg.solve(waves, v[column : column + 2])
    return complex(left / right * np.exp(-2j * across * column))


def edges() -> Iterator[Answer]:
    """What edges reflect, against the closed form for any R, and walls.

    Where a share R of a pulse comes back, the node beyond the edge is G = (1 + R z)/(z + R) times the last one,
    z = exp(i omega dt), so that a wave is reflected by (G - exp(-i k_x dx))/(exp(i k_x dx) - G) at the last node.
    """
    for stub, share in ((None, -1.0), (None, 0.0), (None, 0.6), (None, "matched"), (2.0, "matched")):
        y0, height = stub or 0.0, 24
        for degrees in (0, 45, 60):
            down = 2 * np.pi / height if degrees else 0.0
            across = down / np.tan(np.radians(degrees)) if degrees else 0.25
            turn = float(tlm_frequency(np.array([across, down]), y0))
            mesh = TLMField("mesh", (height, 40), stub, None, ("periodic", "periodic", "matched", share))
            found = _returned(_driven(mesh, down, turn), 20, across) * np.exp(2j * across * 39)
            q = np.sqrt(2 + y0 / 2)
            back = (1 - q) / (1 + q) if isinstance(share, str) else share
            z, ahead = np.exp(1j * turn), np.exp(1j * across)
            beyond = (1 + back * z) / (z + back)
            said = f"edge {share}, stubs {y0:g}, {degrees} degrees: "
            off = abs(found - (beyond - 1 / ahead) / (ahead - beyond))
            yield at_most(said + "reflection of the wave against its closed form", off, 1e-9)
            if share == "matched" and degrees:
                cosine = np.cos(np.radians(degrees))
                # |k dx| is 0.3 to 0.4; what short waves add is below (k dx)^2/16.
                yield close(said + "|R|, long waves", abs(found), (1 - cosine) / (1 + cosine), absolute=0.01)
            elif share == "matched":
                little = across**2 * (1 - 2 / (4 + y0)) / 16
                yield close(said + "|R| against (k dx)^2 (1 - (c dt/dx)^2)/16", abs(found), little, relative=0.02)
    yield from _walls()


def _walls() -> Iterator[Answer]:
    """A wall across a mesh lets nothing through, and reflects as an edge of its place does."""
    rng, steps = np.random.default_rng(2), 60
    start = rng.normal(size=(1, 1, 7, 12))
    start[..., 5:] = 0.0
    walls = np.zeros((7, 12), dtype=bool)
    walls[:, 5] = True
    for surface in ("short", "open"):
        divided = TLMField("mesh", (7, 12), edges="open", obstacles=walls, surface=surface)
        alike = TLMField("mesh", (7, 5), edges=("open", "open", "open", surface))
        heard = as_numpy(run(alone(divided, divided.states, "v"), divided.at_rest(start), 1.0, steps).outputs["y"])
        wanted = as_numpy(run(alone(alike, alike.states, "v"), alike.at_rest(start[..., :5]), 1.0, steps).outputs["y"])
        yield at_most(f"{surface} wall: largest voltage behind it", np.max(np.abs(heard[..., 5:])), 0.0)
        off = np.max(np.abs(heard[..., :5] - wanted))
        yield at_most(f"{surface} wall: before it, against a mesh that ends there", off, 1e-12)


def gradients() -> Iterator[Answer]:
    """Slopes of sum w v^2/2 by stubs, losses and walls, by reflection on two executors, against differences."""
    rng, steps, probe = np.random.default_rng(3), 25, 1e-5
    shape = (4, 5)
    mesh = TLMField(
        "mesh",
        shape,
        rng.uniform(0.5, 2, shape),
        rng.uniform(0.1, 0.4, shape),
        ("short", "open", "matched", 0.3),
        rng.uniform(0.1, 0.6, shape),
        trainable=("y0", "g0", "wall"),
    )
    system = alone(mesh, mesh.states, "v")
    start = mesh.at_rest(rng.normal(size=(1, 1, *shape)))
    weights = rng.normal(size=(1, steps + 1, 1, *shape))

    def loss(parameters: dict[str, NDArray]) -> float:
        heard = Interpreter(system, parameters).run(start, steps, 1.0).outputs["y"]
        return float(np.sum(weights * heard**2) / 2)

    found = {"torch": _on_torch(system, start, weights, steps), "interpreter": _plainly(system, start, weights, steps)}
    for name in ("y0", "g0", "wall"):
        key = f"mesh.{name}"
        given = {k: np.asarray(v) for k, v in system.parameters.items()}
        for executor, slopes in found.items():
            way = rng.normal(size=slopes[key].shape)
            up, down = (loss(given | {key: given[key] + sign * probe * way}) for sign in (1, -1))
            measured = float(np.sum(slopes[key] * way))
            said = f"mesh on {executor}: slope by {name} in a random direction, against differences"
            yield close(said, measured, (up - down) / (2 * probe), relative=1e-6)


def _on_torch(system: System, start: dict[str, NDArray], weights: NDArray, steps: int) -> dict[str, NDArray]:
    substrate = build(system, "ideal-torch", seed=0, step=1.0)
    trace = substrate.run({name: substrate.asarray(value) for name, value in start.items()}, float(steps))
    companion = substrate.companion(CompanionSpec(), trace)
    echo = companion.run({"y": substrate.asarray(weights) * trace.outputs["y"]})
    found = gradient(substrate.xp, system, substrate.placed.companion("transpose"), trace, echo)
    return {key: as_numpy(value) for key, value in found.items()}


def _plainly(system: System, start: dict[str, NDArray], weights: NDArray, steps: int) -> dict[str, NDArray]:
    trace = Interpreter(system).run(start, steps, 1.0)
    companion = reflected(system)
    echo = Interpreter(companion.system).run(
        companion_inputs(companion, trace, {"y": weights * trace.outputs["y"]}), steps + 1, 1.0
    )
    return gradient(np, system, companion, trace, echo)


ANSWERS = {
    "TLM energy": energy,
    "TLM drums": drums,
    "L-shaped drum": l_shape,
    "TLM stubs": stubs,
    "TLM edges": edges,
    "TLM gradients": gradients,
}
