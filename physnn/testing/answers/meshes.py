"""Known answers of wanted matrices on hardware: transformer banks, meshes of interferometers, and their errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.energy.interval import Interval
from physnn.equations import Interpreter, OneToOne, System, companion_inputs, input_gradient, reflected
from physnn.errors import CapabilityError
from physnn.learning import Objective, ReflectedWave
from physnn.media.losses import SquaredError
from physnn.media.medium import Source
from physnn.media.mesh import Attenuators, Mesh
from physnn.media.network import Link, Network
from physnn.media.readout import Readout
from physnn.realisation import (
    Imperfections,
    MatrixMesh,
    MeshPhases,
    built,
    composed,
    decompose,
    decompose_matrix,
    error_curve,
    fidelity,
    largest_transmission,
    passive_bank,
    path_lengths,
    realise,
    unitary,
)
from physnn.substrate import placement
from physnn.substrate.converters import as_numpy
from physnn.substrate.profiles import find_profile
from physnn.substrate.registry import build
from physnn.testing.answers.answer import Answer, at_most, close

ROUNDING = 1e-12
DIES = range(40)


def decompositions() -> Iterator[Answer]:
    """Random unitaries as phases and back; random matrices through their singular values."""
    for layout, deep in (("rectangular", 64), ("triangular", 125)):
        off = 0.0
        for size in (2, 3, 8, 33, 64):
            wanted = _unitary(size, size)
            phases = decompose(wanted, layout)
            off = max(off, float(np.max(np.abs(unitary(phases) - wanted))))
        yield at_most(f"{layout} mesh of random unitaries, 2 to 64 lines: largest error of an element", off, ROUNDING)
        yield close(f"{layout} mesh of 64 lines: interferometers", len(phases.theta), 2016, absolute=0)
        yield close(f"{layout} mesh of 64 lines: depth", phases.depth, deep, absolute=0)
    rng, off = np.random.default_rng(0), 0.0
    for shape in ((10, 64), (64, 10), (1, 7), (33, 33)):
        matrix = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        mesh = decompose_matrix(matrix)
        off = max(off, float(np.max(np.abs(composed(mesh, *shape) - matrix)) / mesh.gain))
    yield at_most(
        "two meshes and attenuators, random matrices: largest error, by the largest singular value", off, ROUNDING
    )


def simulated_meshes() -> Iterator[Answer]:
    """A mesh run as a System on the reference backend: its matrix, power, reciprocity, gradients of its phases."""
    wanted = _unitary(8, 1)
    phases = decompose(wanted)
    system = _system(_mesh(phases))
    substrate = build(system, "ideal-torch", seed=0, step=1.0)
    light = np.random.default_rng(2).normal(size=(5, 8))
    out = as_numpy(substrate.steady({"in": substrate.asarray(light)}, 1e-13).outputs["y"])[:, -1]
    yield at_most("mesh of 8 lines as a System against U x", float(np.max(np.abs(out - light @ wanted.T))), ROUNDING)
    power = float(np.sum(np.abs(out) ** 2) / np.sum(light**2))
    yield close("mesh of 8 lines: power that leaves, in parts of what enters", power, 1.0, relative=ROUNDING)
    echo = _driven_from_its_end(system, light)
    back = np.real(out @ wanted.conj())
    yield at_most("mesh driven from its end against U^H y", float(np.max(np.abs(echo - back))), ROUNDING)
    colours = (0.98, 1.0, 1.03)
    many = _system(_mesh(phases, wavelengths=colours))
    given = np.broadcast_to(light[:, None], (5, 3, 8))
    seen, off = Interpreter(many).steady({"in": given}, 1e-13).outputs["y"][:, -1], 0.0
    for place, colour in enumerate(colours):
        turned = MeshPhases(phases.theta / colour, phases.phi / colour, phases.phase / colour)
        off = max(off, float(np.max(np.abs(seen[:, place] - light @ unitary(turned).T))))
    yield at_most("three wavelengths at once, each against its own matrix", off, ROUNDING)
    yield at_most("gradients of all phases and attenuators against central differences, relative", _slopes_off(), 1e-6)


def transformer_banks() -> Iterator[Answer]:
    """Random transmissions on banks of ideal transformers, and what lies above the passivity bound."""
    rng, off = np.random.default_rng(0), 0.0
    for _ in range(200):
        rows, columns = rng.integers(1, 33, 2)
        near, far = rng.uniform(1, 300, columns), rng.uniform(1, 300, rows)
        matrix = rng.normal(size=(rows, columns))
        matrix *= rng.uniform(0.01, 1.0) / largest_transmission(matrix, near, far)
        bank = passive_bank(matrix, near, far)
        off = max(off, float(np.max(np.abs(bank.transmission - matrix)) / np.max(np.abs(matrix))))
    yield at_most("200 random transmissions up to the bound: error of 2 W (1 + M)^-1, relative", off, ROUNDING)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    # of the amplitude only half the digits are left, the square root of a rounding
    back = float(np.linalg.norm(passive_bank(turn, 50.0, 50.0).scattering[:8, :8], 2) ** 2)
    yield at_most("orthogonal transmission, at the bound in every mode: share of the power reflected", back, ROUNDING)
    missing = 20 * math.log10(passive_bank(2 * turn, 50.0, 50.0).gain)
    yield close("twice the bound: gain that is missing [dB]", missing, 20 * math.log10(2), absolute=1e-9)
    lossy = realise(turn, "rf-transmission-line")
    loss = find_profile("rf-transmission-line").medium.line_loss
    wanted = Interval.of(loss).typical if loss else 0.0
    yield close(
        "orthogonal transmission over a lossy line: gain [dB] against its loss",
        lossy.gain.typical,
        wanted,
        absolute=1e-9,
    )


def imperfect_meshes() -> Iterator[Answer]:
    """Errors of meshes against their first order, loss from path to path, and the light that is not there."""
    size, small = 16, 1e-4
    wanted = _unitary(size, 3)
    mesh = decompose_matrix(wanted)
    # an error of one phase moves the matrix by its own size, whatever the others are; a coupler moves two lines
    first_order = {"phase_error": math.sqrt(size), "coupler_error": math.sqrt(2 * (size - 1))}
    for quantity, slope in first_order.items():
        found = error_curve(mesh, wanted, quantity, [small], seeds=DIES)[0].error / small
        yield close(f"16 lines, {quantity.replace('_', ' ')}: error by rms error", found, slope, relative=0.03)
    bits = 12
    step = 2 * math.pi / 2**bits
    die = built(mesh, Imperfections(phase_bits=bits), size, size)
    found = float(np.linalg.norm(die - wanted) / np.linalg.norm(wanted))
    yield close("16 lines, phases of 12 bits: error", found, step * math.sqrt(size / 12), relative=0.1)
    for layout, fewest, most in (("rectangular", 8, 16), ("triangular", 1, 29)):
        least, longest = path_lengths(layout, size)
        yield close(f"{layout}, 16 lines: fewest interferometers on a path", least, fewest, absolute=0)
        yield close(f"{layout}, 16 lines: most interferometers on a path", longest, most, absolute=0)
    losses = [1 - fidelity(_lossy(wanted, layout), wanted) for layout in ("rectangular", "triangular")]
    yield at_most(
        "0.2 dB each: infidelity of the rectangular mesh by that of the triangular one", losses[0] / losses[1], 0.2
    )
    profile = find_profile("photonic-mzi")
    phases = decompose(_unitary(8, 1))
    placed = placement.place(_system(_mesh(phases)), profile, seed=1, step=1.0)
    own = {k: 0 * v if k in placed.offsets else v for k, v in placed.realise(placed.system.parameters).items()}
    runs = Interpreter(placed.system, own).steady({"in": np.eye(8)}, 1e-14).outputs["y"][:, -1].T
    die = built(MatrixMesh(phases, 1.0), Imperfections.of(profile), 8, 8, seed=1)
    yield at_most(
        "8 lines run on photonic-mzi against the die that is built", float(np.max(np.abs(runs - die))), ROUNDING
    )
    yield close("128 x 128 on photonic-mzi: refused", float(_refused(128)), 1.0, absolute=0)
    yield close("64 x 64 on photonic-mzi: refused", float(_refused(64)), 0.0, absolute=0)


ANSWERS = {
    "matrices as meshes": decompositions,
    "simulated interferometers": simulated_meshes,
    "matrices as transformers": transformer_banks,
    "imperfect interferometers": imperfect_meshes,
}


def _unitary(size: int, seed: int) -> NDArray[np.complex128]:
    """A random unitary matrix."""
    rng = np.random.default_rng(seed)
    return np.asarray(np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0])


def _mesh(phases: MeshPhases, **more: Any) -> Mesh:
    return Mesh("mesh", phases.size, phases.theta, phases.phi, phases.phase, layout=phases.layout, **more)


def _system(mesh: Mesh) -> System:
    """One real amplitude on each line, and the envelopes that leave."""
    enter = _wire("in", mesh.name, mesh.shape)
    return Network((Source("in", mesh.shape), mesh), (enter,), Readout(mesh.name, "y")).lower()


def _wire(source: str, target: str, shape: tuple[int, ...]) -> Link:
    return Link(source, target, operator=OneToOne(shape), weights=np.ones(shape), trainable=False, wire=True)


def _driven_from_its_end(system: System, light: NDArray[Any]) -> NDArray[Any]:
    """What arrives at the sources when the envelopes that left are sent back in."""
    companion = reflected(system, inputs=("in",))
    trace = Interpreter(system).steady({"in": light}, 1e-14)
    echo = Interpreter(companion.system, system.parameters).steady(
        companion_inputs(companion, trace, dict(trace.outputs)), 1e-14
    )
    return np.asarray(input_gradient(system, companion, trace, echo, {"in": light})["in"])


def _slopes_off() -> float:
    """Largest error of a phase's gradient, by the largest gradient: lossy meshes with attenuators between them."""
    rng = np.random.default_rng(5)
    errors = 0.05 * rng.normal(size=(2, 6))
    first, last = (Mesh(name, 4, loss=0.3, coupler_errors=errors) for name in ("first", "last"))
    parts = (Source("in", 4), first, Attenuators("values", 4, [1.2, 0.9, 0.5, 0.2]), last)
    network = Network(parts, [_wire(a.name, b.name, (4,)) for a, b in pairwise(parts)], Readout("last", "abs(y)**2"))
    substrate = build(network, "ideal-torch", seed=0, step=1.0)
    light, wanted = substrate.asarray(rng.normal(size=(3, 4))), substrate.asarray(rng.uniform(size=(3, 4)))
    objective = Objective(network.readout, SquaredError(), 4)
    found = ReflectedWave().step(substrate, {"in": light}, wanted, objective).gradient
    off, largest, h = 0.0, 0.0, 1e-5
    for key, slope in found.items():
        start = as_numpy(substrate.read()[key]).copy()
        for place in np.ndindex(start.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = start.copy()
                moved[place] += sign * h
                substrate.write({key: moved})
                y = as_numpy(substrate.steady({"in": light}, 1e-14).outputs["y"])[:, -1]
                ends.append(0.5 * np.sum((y - as_numpy(wanted)) ** 2) / len(y))
            off = max(off, abs(float(slope[place]) - (ends[0] - ends[1]) / (2 * h)))
            largest = max(largest, abs(float(slope[place])))
        substrate.write({key: start})
    return off / largest


def _lossy(wanted: NDArray[Any], layout: str) -> NDArray[Any]:
    return built(MatrixMesh(decompose(wanted, layout), 1.0), Imperfections(loss=0.2), *wanted.shape)


def _refused(size: int) -> bool:
    try:
        realise(np.random.default_rng(0).normal(size=(size, size)) / math.sqrt(size), "photonic-mzi")
    except CapabilityError:
        return True
    return False
