"""Wanted matrices on hardware: turns ratios or phases, the gain that is missing, what it costs and gets wrong."""

from physnn.realisation.imperfections import (
    CurvePoint,
    built,
    error_curve,
    fidelity,
    mismatch_curve,
    normalised_error,
    path_lengths,
)
from physnn.realisation.parts import bank_part, mesh_parts
from physnn.realisation.passive import PassiveBank, largest_transmission, passive_bank
from physnn.realisation.realise import Realisation, realise
from physnn.realisation.rectangular import (
    MatrixMesh,
    MeshPhases,
    composed,
    decompose,
    decompose_matrix,
    mesh_depth,
    unitary,
)
from physnn.substrate.imperfections import Imperfections

__all__ = [
    "CurvePoint",
    "Imperfections",
    "MatrixMesh",
    "MeshPhases",
    "PassiveBank",
    "Realisation",
    "bank_part",
    "built",
    "composed",
    "decompose",
    "decompose_matrix",
    "error_curve",
    "fidelity",
    "largest_transmission",
    "mesh_depth",
    "mesh_parts",
    "mismatch_curve",
    "normalised_error",
    "passive_bank",
    "path_lengths",
    "realise",
    "unitary",
]
