"""Known answers of wave fields: edges, steps of speed, energy, and the largest stable step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.analysis import stability_limit
from physnn.equations import Coupling, Dense, Input, Output, Population, System
from physnn.errors import NumericsError
from physnn.media.fields import NeuralWave, WaveField
from physnn.media.fields.lattice import edge_sides
from physnn.media.part import Part
from physnn.substrate.converters import as_numpy
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close


def alone(part: Part, ports: tuple[str, ...], reads: str, rows: NDArray | None = None) -> System:
    """A medium by itself, its variables `ports` set from outside; `rows` (probes, nodes) weigh what is read."""
    population = part.lower()
    inputs = {name: Input(part.name, name) for name in ports}
    if rows is None:
        return System.of([population], part.inner(0), inputs, {"y": Output(part.name, reads)})
    probe = Population.from_text("probe", len(rows), "z : 1 (arrival)")
    wire = Coupling("wire", part.name, "probe", reads, Dense(*rows.shape), "z", initial=rows, trainable=False)
    return System.of([population, probe], [*part.inner(0), wire], inputs, {"y": Output("probe", "z")})


def run(system: System, inputs: Mapping[str, NDArray], step: float, steps: int, *kept: str) -> Any:
    """A run on the reference backend that keeps the output `y` and the fields named."""
    substrate = build(system, "ideal-torch", seed=0, step=step)
    given = {name: substrate.asarray(value) for name, value in inputs.items()}
    return substrate.run(given, steps * step, record=["y", *kept])


def standing_waves() -> Iterator[Answer]:
    """On each kind of edge the modes of the lattice keep their shape, at the frequency of its dispersion relation.

    Verlet from rest: psi(t_n) = mode cos(W t_n), sin(W dt/2) = (c dt/dx) sqrt(sum_i sin^2(k_i dx/2)).
    """
    nodes, spacing, speed, step, steps = 12, 0.5, 1.5, 0.1, 300
    place = np.arange(nodes)
    modes = {
        "clamped": (3 * np.pi / (nodes + 1), np.sin(3 * np.pi * (place + 1) / (nodes + 1))),
        "free": (2 * np.pi / (nodes - 1), np.cos(2 * np.pi * place / (nodes - 1))),
        "periodic": (2 * np.pi * 2 / nodes, np.cos(2 * np.pi * 2 * place / nodes + 0.3)),
    }
    for down, across in (("clamped", "clamped"), ("free", "free"), ("periodic", "periodic"), ("free", "clamped")):
        (first, rows), (second, columns) = modes[down], modes[across]
        start = np.outer(rows, columns)[None, None]
        field = WaveField("field", (nodes, nodes), speed, spacing=spacing, edges=(down, across))
        found = as_numpy(run(alone(field, ("psi",), "wave"), {"psi": start}, step, steps).outputs["y"])
        waves = np.hypot(np.sin(first / 2), np.sin(second / 2))
        frequency = 2 / step * np.arcsin(speed * step / spacing * waves)
        wanted = start[:, None] * np.cos(frequency * step * np.arange(steps + 1))[None, :, None, None, None]
        # 300 steps of rounding, which a recurrence of second order lets grow like its square.
        error = np.max(np.abs(found - wanted))
        yield close(
            f"standing wave, {down} and {across} edges: deviation over {steps} steps", error, 0.0, absolute=1e-10
        )


def conserved_energy() -> Iterator[Answer]:
    """A lossless field with changing speed and obstacles keeps 1/2 sum m [(v/c)^2 + psi_before (-lap psi)].

    m is 1, and halved for each free side of a node: a node on a free edge stands for half a cell.
    """
    rng = np.random.default_rng(4)
    nodes, step, steps = 16, 0.3, 1500
    speed = rng.uniform(0.5, 1.5, (nodes, nodes))
    blocked = rng.random((nodes, nodes)) < 0.1
    start = np.where(blocked, 0.0, rng.normal(size=(1, 1, nodes, nodes)))
    for edges, integrator in product(("clamped", "free", "periodic"), ("verlet", "symplectic")):
        field = WaveField("field", (nodes, nodes), speed, edges=edges, obstacles=blocked, integrator=integrator)
        mass = 0.5 ** edge_sides(field.nodes, (edges, edges), "free")[0]
        trace = run(alone(field, ("psi",), "wave"), {"psi": start}, step, steps, "field.v", "field.lap")
        psi, v, lap = (
            as_numpy(a)[0, :, 0] for a in (trace.outputs["y"], trace.fields["field.v"], trace.fields["field.lap"])
        )
        energy = 0.5 * np.sum(mass * ((v[1:] / speed) ** 2 - psi[:-1] * lap[1:]), axis=(1, 2))
        drift = np.ptp(energy) / energy[0]
        # Each of 1500 steps rounds some thousand numbers of relative size 1e-16.
        said = f"energy of a lossless field, {edges} edges, {integrator}"
        yield at_most(f"{said}: relative change over {steps} steps", drift, 1e-10)


def reflections() -> Iterator[Answer]:
    """What a pulse leaves behind at a step of the speed, and at absorbing edges."""
    yield from _speed_step()
    yield from _absorbed_normally()
    yield from _absorbed_obliquely()


def _speed_step() -> Iterator[Answer]:
    """Where c changes from c1 to c2 a long pulse is reflected by (c2 - c1)/(c2 + c1)."""
    nodes, step, before, after = 1200, 0.5, 1.0, 0.5
    place = np.arange(nodes)
    speed = np.where(place < 600, before, after)
    start, push = _pulse(place, 400.0, 25.0, before)
    found = _line(WaveField("field", nodes, speed), start, push, step, 1000, np.eye(nodes)[[300, 700]])
    yield close(
        "speed step 1 to 1/2: reflected peak", found[:, 0].min(), (after - before) / (after + before), relative=5e-3
    )
    yield close("speed step 1 to 1/2: transmitted peak", found[:, 1].max(), 2 * after / (after + before), relative=5e-3)


def _absorbed_normally() -> Iterator[Answer]:
    """|R| at normal incidence, several wavelengths from one short pulse: tan^2(k dx/4), and the share of the step."""
    nodes, probes = 300, np.array([200, 203, 207, 215])
    start, push = _pulse(np.arange(nodes), 120.0, 3.0, 1.0)
    for step in (0.5, 0.02):
        heard = _line(
            WaveField("field", nodes, edges="absorbing"), start, push, step, round(450 / step), np.eye(nodes)[probes]
        )
        for waves in (0.5, 1.0):
            turn = 2 * np.arcsin(step * np.sin(waves / 2))
            measured = _returned(heard, probes, waves, turn)
            said = f"absorbing edge: |R| at k dx = {waves}, c dt/dx = {step}"
            # 1 %: what the far edge sends back, and rounding of so small a part of the pulse.
            yield close(f"{said}, with the step's share", measured, _absorbed(waves, 0.0, turn), relative=0.01)
            if step < 0.1:
                yield close(f"{said}, against tan^2(k dx/4)", measured, np.tan(waves / 4) ** 2, relative=0.02)


def _absorbed_obliquely() -> Iterator[Answer]:
    """|R| = (1 - cos a)/(1 + cos a) for long waves that come in at the angle a from the normal."""
    height, width, step = 32, 500, 0.1
    down = 2 * np.pi / height
    ripple = np.cos(down * np.arange(height))[:, None]
    place, probes = np.arange(width), np.arange(380, 420, 5)
    rows = np.zeros((len(probes), height, width))
    rows[np.arange(len(probes)), :, probes] = ripple[:, 0] * 2 / height
    for angle in (np.pi / 4, np.pi / 3):
        across = down / np.tan(angle)
        turn = 2 * np.arcsin(step * np.hypot(np.sin(across / 2), np.sin(down / 2)))
        envelope = ripple * np.exp(-0.5 * ((place - 190) / 45.0) ** 2)
        start = {"psi": envelope * np.cos(across * place), "v": envelope * turn / step * np.sin(across * place)}
        field = WaveField("field", (height, width), edges=("periodic", "absorbing"))
        system = alone(field, ("psi", "v"), "wave", rows.reshape(len(probes), -1))
        steps = round(750 / np.cos(angle) / step)
        heard = as_numpy(run(system, {n: v[None, None] for n, v in start.items()}, step, steps).outputs["y"])[0]
        measured = _returned(heard, probes, across, turn)
        said = f"absorbing edge: |R| at {np.degrees(angle):.0f} degrees"
        # 1 %: the packet is not quite gone when the record ends. 3 %: its waves are 45 to 55 spacings long.
        yield close(
            f"{said}, with the lattice's and the step's share", measured, _absorbed(across, down, turn), relative=0.01
        )
        yield close(f"{said}, long waves", measured, (1 - np.cos(angle)) / (1 + np.cos(angle)), relative=0.03)


def _returned(heard: NDArray, probes: NDArray, across: float, turn: float) -> float:
    """|R|: at one frequency the probes (times, probes) see a wave to the right and one to the left, nothing else."""
    seen = np.exp(-1j * turn * np.arange(len(heard))) @ heard
    waves = np.exp(np.outer(probes, [-1j * across, 1j * across]))
    (right, left), *_ = np.linalg.lstsq(waves, seen, rcond=None)
    return float(abs(left / right))


def _absorbed(across: float, along: float, turn: float) -> float:
    """|R| of the absorbing edge: k dx across and along it, and W dt, by which damping lags in a step."""
    normal, whole = np.sin(across / 2), np.hypot(np.sin(across / 2), np.sin(along / 2))
    through, back = normal * np.cos(across / 2), whole * np.exp(0.5j * turn)
    return float(abs((through - back) / (through + back)))


def _pulse(place: NDArray, centre: float, width: float, speed: float) -> tuple[NDArray, NDArray]:
    """psi and psi_t of a Gaussian pulse that travels to the right."""
    away = (place - centre) / width
    shape = np.exp(-0.5 * away**2)
    return shape, speed * shape * away / width


def _line(field: WaveField, start: NDArray, push: NDArray, step: float, steps: int, rows: NDArray) -> NDArray:
    """What probes along a line hear, (times, probes)."""
    system = alone(field, ("psi", "v"), "wave", rows)
    inputs = {"psi": start[None, None, None], "v": push[None, None, None]}
    return as_numpy(run(system, inputs, step, steps).outputs["y"])[0]


def step_limits() -> Iterator[Answer]:
    """The largest stable step, by bisection: the highest wave of the lattice, lap psi = -8 psi, grows or does not.

    Verlet and symplectic: dt^2 (8 + omega) + 2 dt alpha < 4, alpha = 2 gamma the damping of psi_t; with implicit
    damping ("imex") dt^2 (8 + omega) - 2 dt alpha < 4.
    """
    cases = [("verlet", 0.0, omega) for omega in (0.0, 1.0, 4.0)]
    cases += [
        (name, alpha, omega) for name in ("symplectic", "imex") for alpha in (0.5, 2.0) for omega in (0.0, 1.0, 4.0)
    ]
    for integrator, alpha, omega in cases:
        field = WaveField("field", (4, 4), damping=alpha / 2, restoring=omega, edges="periodic", integrator=integrator)
        measured = _step_limit(alone(field, ("psi",), "wave"), "psi", 1.0)
        signed, stiffness = -alpha if integrator == "imex" else alpha, 8 + omega
        wanted = (math.sqrt(signed**2 + 4 * stiffness) - signed) / stiffness
        said = f"largest stable step, {integrator}, alpha = {alpha}, omega = {omega}"
        yield close(said, measured, wanted, relative=0.01)


def _step_limit(system: System, port: str, height: float) -> float:
    """Bisection between 0.2 and 1.5 s, to 0.2 %, on runs from the chequered wave of this height."""
    stable, unstable = 0.2, 1.5
    while unstable / stable > 1.002:
        middle = math.sqrt(stable * unstable)
        if _grows(system, port, height, middle):
            unstable = middle
        else:
            stable = middle
    return math.sqrt(stable * unstable)


def _grows(system: System, port: str, height: float, step: float, steps: int = 400) -> bool:
    """Whether the chequered wave is larger in the last tenth of a run than in its middle, or far above its start."""
    start = height * (np.indices((4, 4)).sum(axis=0) % 2 * 2.0 - 1.0)
    try:
        found = np.abs(as_numpy(run(system, {port: start[None, None]}, step, steps).outputs["y"])).max(
            axis=(0, 2, 3, 4)
        )
    except NumericsError:
        return True
    tenth = steps // 10
    # A lossless wave below the limit is as large at the end as before; one above grows by a factor a step.
    # A tanh bounds what grows, so that both tenths may be alike; no wave below the limit rises a thousandfold.
    return bool(found[-tenth:].max() > 1.5 * found[4 * tenth : 5 * tenth].max() or found.max() > 1e3 * height)


def neural_waves() -> Iterator[Answer]:
    """Small waves of the neural wave machine follow its dispersion relation and step limit; large ones are bounded."""
    height, width, step, steps = 8, 8, 0.1, 400
    y, x = np.mgrid[:height, :width]
    for omega, alpha, (m, n) in ((1.0, 0.0, (1, 2)), (0.5, 0.2, (2, 1)), (0.0, 0.1, (3, 3))):
        wave = np.cos(2 * np.pi * (m * y / height + n * x / width))
        sheet = NeuralWave("sheet", (height, width), omega, alpha)
        found = as_numpy(run(alone(sheet, ("y",), "y"), {"y": 1e-6 * wave[None, None]}, step, steps).outputs["y"])
        amplitude = np.sum(found[0, :, 0] * wave, axis=(1, 2))
        stiffness = omega + 4 * (np.sin(np.pi * m / height) ** 2 + np.sin(np.pi * n / width) ** 2)
        middle = amplitude[1:-1]
        turned = np.sum((amplitude[2:] + (1 - step * alpha) * amplitude[:-2]) * middle) / np.sum(middle**2)
        measured = (2 - step * alpha - turned) / step**2
        said = f"neural wave ({m},{n}), omega = {omega}, alpha = {alpha}"
        # The tanh bends a wave of 1e-6 by 1e-12.
        yield close(f"{said}: omega + 4 sum sin^2(k/2)", measured, stiffness, relative=1e-8)
    omega, alpha = 1.0, 0.2
    small = alone(NeuralWave("sheet", (4, 4), omega, alpha), ("y",), "y")
    limit, wanted = stability_limit(small), (math.sqrt(alpha**2 + 4 * (8 + omega)) - alpha) / (8 + omega)
    said = f"neural wave, limit of small waves, omega = {omega}, alpha = {alpha}: `stability_limit`"
    # The bisections stop at 0.1 % and 0.2 %; near the limit 400 steps tell growth from none to about 0.5 %.
    yield close(f"{said} against dt^2 (8 + omega) + 2 dt alpha = 4", limit, wanted, relative=2e-3)
    yield close(f"{said} against bisection by runs from 1e-6", limit, _step_limit(small, "y", 1e-6), relative=0.01)
    start = 1e-3 * (np.indices((height, width)).sum(axis=0) % 2 * 2.0 - 1.0)
    sheet = NeuralWave("sheet", (height, width), omega, alpha)
    large = as_numpy(run(alone(sheet, ("y",), "y"), {"y": start[None, None]}, 1.2, steps).outputs["y"])
    # The step of 1.2 is beyond the limit of small waves, 0.645, and within that of large ones, 1.81. The bar is what
    # |tanh| = 1 could do at worst, as a square wave at resonance: (4/pi)/(alpha sqrt(omega)).
    said = "neural wave beyond the limit of small waves: largest |y|"
    yield at_most(said, np.max(np.abs(large)), 4 / (np.pi * alpha * math.sqrt(omega)))


ANSWERS: dict[str, Callable[[], Iterator[Answer]]] = {
    "standing waves": standing_waves,
    "conserved energy": conserved_energy,
    "reflections": reflections,
    "step limits": step_limits,
    "neural waves": neural_waves,
}
