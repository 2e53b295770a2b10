"""Fields on a lattice: waves, kinks, excitable media, cables, evanescent fields, the neural wave machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from physnn.equations import Dense, Input
from physnn.media.catalogue.entry import Entry
from physnn.media.fields import Cable, EvanescentField, ExcitableField, NeuralWave, NonlinearField, TLMField, WaveField
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

EVANESCENT = 'Galinsky, Frank, "Critically synchronized brain waves" (2023), equations (2) and (3)'
WAVES = '"Traveling waves integrate spatial information" (2025)'
MESHES = "Johns, Beurle, Proc. IEE 118 (1971)"
OBSTACLE = np.array([[False, False, False], [False, True, False], [False, False, False], [False, False, True]])


def _driven(field: Part, gain: float = 1.0) -> Callable[[], Network]:
    """Three lines that drive every node of a field, through weights that are learnt."""

    def build() -> Network:
        shape = field.lower().shape
        entrance = Link("in", field.name, operator=Dense(int(np.prod(shape)), 3, shape), gain=gain)
        return Network((Source("in", 3), field), (entrance,), Readout(field.name, field.signal))

    return build


def _wave(edges: str, shape: tuple[int, ...] = (4, 3), **rest: Any) -> Entry:
    field = WaveField("field", shape, 1.2, edges=edges, trainable=("c", *rest.pop("learns", ())), **rest)
    source = f"{WAVES}, equations (1) and (8)"
    return Entry(f"scalar wave field, {edges} edges", _driven(field), "field", source, stationary=False)


def _mesh(what: str, learns: tuple[str, ...] = (), **rest: Any) -> Entry:
    field = TLMField("field", (4, 3), trainable=learns, **rest)
    return Entry(f"transmission-line-matrix mesh, {what}", _driven(field), "field", MESHES, stationary=False)


def _kink(force: str) -> Entry:
    field = NonlinearField("field", 8, damping=0.1, edges="free", force=force, trainable=("w0",))
    title = f"nonlinear wave field in one dimension, {force} force"
    return Entry(title, _driven(field, 3.0), "field", "Rajaraman, Solitons and Instantons (1982)", stationary=False)


def _neural_wave() -> Network:
    field = NeuralWave("field", (2, 4, 4))
    ports = {"omega": Input("field", "omega"), "alpha": Input("field", "alpha"), "start": Input("field", "y")}
    return Network((field,), (), Readout("field", "y"), inputs=ports)


ENTRIES = {
    "wave-field-clamped": _wave("clamped"),
    "wave-field-free": _wave("free", (2, 3, 3), restoring=0.5, learns=("omega",)),
    "wave-field-periodic": _wave("periodic", (8,), damping=0.2, learns=("gamma",)),
    "wave-field-absorbing": _wave("absorbing"),
    "wave-field-obstacles": Entry(
        "scalar wave field with obstacles, damped",
        _driven(WaveField("field", (4, 3), 1.2, damping=0.2, obstacles=OBSTACLE, trainable=("c", "gamma"))),
        "field",
        f"{WAVES}, equations (1) and (8)",
        stationary=False,
    ),
    "tlm-field": _mesh("stubs and loss", stub=[0.5, 0.0, 2.0], loss=[[0.1], [0.3], [0.0], [0.2]], learns=("y0", "g0")),
    "tlm-field-matched": _mesh("matched, short and open edges", edges=("matched", "open", "matched", -0.3)),
    "tlm-field-stubs-matched": _mesh("stubs and matched edges", stub=1.5, edges="matched", learns=("y0",)),
    "tlm-field-obstacles": _mesh(
        "obstacles that are learnt", loss=0.2, edges=("periodic", "short"), obstacles=0.6 * OBSTACLE, learns=("wall",)
    ),
    "sine-gordon-field": _kink("sine-gordon"),
    "phi4-field": _kink("phi4"),
    "excitable-field": Entry(
        "excitable medium of FitzHugh and Nagumo",
        _driven(ExcitableField("field", (3, 4), recovery=0.2, trainable=("a", "eps", "D"))),
        "field",
        "FitzHugh (1961); Nagumo, Arimoto, Yoshizawa (1962)",
        stationary=False,
    ),
    "passive-cable": Entry(
        "passive cable, sealed ends",
        _driven(Cable("field", 6, 1.5, trainable=("lam", "tau"))),
        "field",
        "Rall (1977)",
    ),
    "evanescent-field": Entry(
        "evanescent field of an anisotropic, inhomogeneous conductor",
        _driven(
            EvanescentField("field", (4, 4), 1.0 + 0.1 * np.eye(4), 0.3, 0.8, trainable=("Sxx", "Sxy", "Syy")),
        ),
        "field",
        EVANESCENT,
        stationary=False,
    ),
    "grounded-evanescent-field": Entry(
        "evanescent field in a grounded frame",
        _driven(EvanescentField("field", (3, 4), 1.0, -0.2, 0.8, edges="clamped", trainable=("Sxx", "Syy"))),
        "field",
        EVANESCENT,
        stationary=False,
    ),
    "neural-wave": Entry(
        "neural wave machine: frequencies and damping per sample, kernel under tanh",
        _neural_wave,
        "field",
        f"{WAVES}, equation (9)",
        stationary=False,
    ),
}
