"""Meshes of interferometers, as complex envelopes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from physnn.equations import OneToOne
from physnn.media.catalogue.entry import Entry
from physnn.media.medium import Source
from physnn.media.mesh import Attenuators, Mesh
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

LINES = 4


def _read(parts: tuple[Part, ...], shape: tuple[int, ...]) -> Network:
    """Sources on all lines, the parts one after the other, and detectors of power."""
    chain = ("in", *(part.name for part in parts))
    straight = OneToOne(shape)
    links = [
        Link(a, b, operator=straight, weights=np.ones(shape), trainable=False, wire=True) for a, b in pairwise(chain)
    ]
    return Network((Source("in", shape), *parts), links, Readout(chain[-1], "abs(y)**2"))


def _unitary() -> Network:
    """Three wavelengths through one mesh with loss and unbalanced couplers."""
    errors = 0.05 * np.cos(np.arange(12.0)).reshape(2, 6)
    mesh = Mesh("mesh", LINES, loss=0.3, coupler_errors=errors, wavelengths=(0.98, 1.0, 1.02))
    return _read((mesh,), mesh.shape)


def _matrix() -> Network:
    """Any matrix: two meshes with attenuators between them, each column a step further on."""
    first, last = (Mesh(name, LINES, loss=0.2, delay=0.05) for name in ("first", "last"))
    values = Attenuators("values", LINES, [1.4, 1.0, 0.7, 0.3], loss=0.2)
    return _read((first, values, last), (LINES,))


CLEMENTS = "Clements et al., Optica 3 (2016) 1460"
ENTRIES = {
    "interferometer-mesh": Entry(
        "rectangular mesh of Mach-Zehnder interferometers, three wavelengths", _unitary, source=CLEMENTS
    ),
    "interferometer-matrix": Entry(
        "two meshes with attenuators between them, a delay for each column",
        _matrix,
        source="Shen et al., Nat. Photonics 11 (2017) 441",
    ),
}
