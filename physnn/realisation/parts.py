"""What was found for a matrix, as parts of a network that any backend runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from physnn.equations import Sparse
from physnn.media.impedances import TransformerBank
from physnn.media.mesh import Attenuators, Mesh
from physnn.media.network import Link
from physnn.media.part import Part
from physnn.realisation.passive import PassiveBank
from physnn.realisation.rectangular import MatrixMesh, MeshPhases


def bank_part(bank: PassiveBank, name: str, *, trainable: bool = True) -> TransformerBank:
    """The transformers of a bank, to whose sides 'NAME:1' and 'NAME:2' lines of its impedances lead."""
    rows, columns = bank.turns.shape
    return TransformerBank(name, columns, rows, bank.turns, trainable=trainable)


def mesh_parts(mesh: MatrixMesh, name: str, **others: Any) -> tuple[tuple[Part, ...], tuple[Link, ...]]:
    """Meshes and attenuators with the guides between them; light enters at the first part and leaves at the last.

    The gain is left out: it belongs to the receivers.

    Parameters
    ----------
    mesh : MatrixMesh
    name : str
        The parts are called NAME, or NAME_in, NAME_values and NAME_out where there are three.
    **others
        Of :class:`physnn.media.mesh.Mesh`: loss, delay, trainable.
    """
    if mesh.first is None or mesh.share is None:
        return (_part(mesh.second, name, others),), ()
    first, second = _part(mesh.first, f"{name}_in", others), _part(mesh.second, f"{name}_out", others)
    kept = len(mesh.share)
    own = {key: value for key, value in others.items() if key in ("loss", "trainable")}
    values = Attenuators(f"{name}_values", kept, np.arcsin(np.minimum(mesh.share, 1.0)), **own)
    links = (
        _guides(first.name, values.name, kept, first.size, kept),
        _guides(values.name, second.name, second.size, kept, kept),
    )
    return (first, values, second), links


def _part(phases: MeshPhases, name: str, others: dict[str, Any]) -> Mesh:
    return Mesh(name, phases.size, phases.theta, phases.phi, phases.phase, layout=phases.layout, **others)


def _guides(source: str, target: str, rows: int, columns: int, count: int) -> Link:
    """The first lines of both, joined one by one."""
    both = tuple(range(count))
    operator = Sparse(both, both, rows, columns)
    return Link(source, target, operator=operator, weights=np.ones(count), trainable=False, wire=True)
