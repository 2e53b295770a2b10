"""How far a training is, and its checkpoint: enough to continue bit by bit, or on another substrate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from physnn.errors import CheckpointError, ParameterError, PhysnnError
from physnn.learning.optimisers import OPTIMISERS
from physnn.media.heads import Head
from physnn.substrate import checkpoints
from physnn.substrate.contract import Substrate
from physnn.substrate.converters import as_numpy
from physnn.toml_reading import one_line

Array = Any


@dataclass(frozen=True)
class Epoch:
    """What happened in one pass over the data."""

    number: int
    loss: float
    counts: Mapping[str, float]
    """the meter's totals since training began"""


@dataclass
class Progress:
    """The state of a training between two batches."""

    optimiser: Any
    shadow: dict[str, Array]
    """the host's float values of what is trained"""
    done: int = 0
    """batches done"""
    resumed: int = 0
    """batches done when this training was taken up"""
    losses: list[float] = field(default_factory=list)
    """of the present epoch's batches, times their size"""
    history: list[Epoch] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    """the meter's totals when training began"""
    digital: Mapping[str, Head] = field(default_factory=dict)
    """prefix of their keys -> layers on the host that are trained too"""

    @classmethod
    def fresh(cls, substrate: Substrate, optimiser: str, digital: Mapping[str, Head] | None = None) -> Progress:
        """Nothing done yet.

        Raises
        ------
        ParameterError
            A parameter of the network has the key of one of a digital layer.
        """
        written = substrate.read()
        shadow = {key: written[key] for key in substrate.placed.system.trainable}
        for prefix, head in (digital or {}).items():
            own = {f"{prefix}.{key}": substrate.asarray(value) for key, value in head.parameters.items()}
            if shared := sorted(shadow.keys() & own.keys()):
                raise ParameterError(
                    f"a coupling is called {shared[0]!r} like a digital parameter; rename the coupling"
                )
            shadow |= own
        return cls(OPTIMISERS[optimiser](), shadow, before=dict(substrate.meter.counts), digital=digital or {})

    def write(self, substrate: Substrate, new: Mapping[str, Array]) -> None:
        """New values: to the shadow, and to the substrate and the digital layers, each their own."""
        self.shadow |= new
        held = {key: value for key, value in new.items() if key in substrate.placed.system.trainable}
        if held:
            substrate.write(held)
        self._write_digital()

    def _write_digital(self) -> None:
        for prefix, head in self.digital.items():
            head.write({key: self.shadow[f"{prefix}.{key}"] for key in head.parameters})

    def save(self, path: Path, substrate: Substrate, identity: Mapping[str, Any]) -> None:
        """Write a checkpoint of the training and its substrate."""
        snapshot = {
            "substrate": substrate.snapshot(),
            "optimiser": self.optimiser.state,
            "shadow": self.shadow,
            "losses": np.asarray(self.losses, dtype=float),
            "before": self.before,
            "history": {str(epoch.number): asdict(epoch) for epoch in self.history},
        }
        checkpoints.save(path, {**_whereabouts(substrate), **identity, "step": self.done}, _on_host(snapshot))

    @classmethod
    def load(
        cls,
        path: Path,
        substrate: Substrate,
        optimiser: str,
        identity: Mapping[str, Any],
        digital: Mapping[str, Head] | None = None,
    ) -> Progress:
        """Continue from a checkpoint, on the substrate it was written on or on another of the same System.

        On the same profile, backend and seed the substrate continues bit by bit, die and noise included; elsewhere the
        float weights and the optimiser go on, and the weights are written to the new die.

        Raises
        ------
        CheckpointError
            The checkpoint is damaged, or of another network, rule, or training.
        """
        header, snapshot = checkpoints.load(path)
        here = _whereabouts(substrate)
        for what, mine in {"fingerprint": here["fingerprint"], **identity}.items():
            theirs = getattr(header, what)
            if theirs != mine:
                raise CheckpointError(
                    f"{path} is of another training: its {what.replace('_', ' ')} is {_shown(theirs)}, here it is "
                    f"{_shown(mine)}; name another checkpoint file, or delete it to start anew"
                )
        progress = cls.fresh(substrate, optimiser, digital)
        try:
            progress._take(header, snapshot, substrate, here)
        except PhysnnError as error:
            reason = one_line(str(error), 300)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
            reason = one_line(f"{type(error).__name__}: {error}", 300)
        else:
            return progress
        raise CheckpointError(f"{path} cannot be continued from: {reason}; delete it to start anew")

    def _take(
        self, header: checkpoints.Header, snapshot: Mapping[str, Any], substrate: Substrate, here: Mapping[str, Any]
    ) -> None:
        """Become what the snapshot holds, once every part of it has the form of what belongs there."""
        updated = type(self.optimiser)()
        updated.update(self.shadow, {key: 0.0 * value for key, value in self.shadow.items()}, 0.0)
        _check("shadow", snapshot.get("shadow"), self.shadow)
        _check("optimiser", snapshot.get("optimiser"), updated.state)
        self.losses, self.history = _losses(snapshot.get("losses")), _history(snapshot.get("history"))
        _check_batches(header.step, len(self.losses), len(self.history))
        self.shadow = {key: substrate.asarray(value) for key, value in snapshot["shadow"].items()}
        self.optimiser.state = _like(substrate, snapshot["optimiser"])
        self.done = self.resumed = header.step
        if all(getattr(header, what) == here[what] for what in ("profile", "backend", "seed")):
            _check("substrate", snapshot.get("substrate"), substrate.snapshot(), grown=True)
            _check("before", snapshot.get("before"), {}, grown=True)
            substrate.restore(snapshot["substrate"])
            substrate.placed.stability.check(_on_host(substrate.read()))
            self.before = dict(snapshot["before"])
            self._write_digital()
        else:
            self.write(substrate, self.shadow)


def _losses(found: Any) -> list[float]:
    """The losses of the present epoch's batches."""
    if not (isinstance(found, np.ndarray) and found.ndim == 1 and found.dtype.kind == "f"):
        raise CheckpointError("losses is no row of numbers")
    return found.tolist()


def _history(found: Any) -> list[Epoch]:
    """The epochs before the present one."""
    entries = list(found.values()) if isinstance(found, Mapping) else [found]
    empty = asdict(Epoch(0, 0.0, {}))
    for number, entry in enumerate(entries, start=1):
        _check(f"history/{number}", entry, empty, grown=True)
        if entry["number"] != number:
            raise CheckpointError(f"history/{number} is epoch {entry['number']}")
    return [Epoch(entry["number"], entry["loss"], entry["counts"]) for entry in entries]


def _check_batches(done: int, present: int, epochs: int) -> None:
    """Whether some whole number of batches in each past epoch and those of the present one are all that were done."""
    past = done - present
    if (past % epochs or past < epochs) if epochs else past:
        raise CheckpointError(f"{epochs} epochs and {present} batches of the next cannot be {done} batches")


def _check(where: str, found: Any, expected: Any, *, grown: bool = False) -> None:
    """Compare the form of a part of a snapshot with that of the part which belongs there.

    Where it may have `grown`, tables of arrays and tables of totals may have more entries than the expected ones.

    Raises
    ------
    CheckpointError
        An entry is missing, unknown, or of another kind or shape.
    """
    if isinstance(expected, Mapping):
        _check_table(where, found, expected, grown)
    elif hasattr(expected, "shape"):
        array = np.asarray(found) if isinstance(found, np.ndarray | float) else None  # a scalar is kept as a float
        if array is None or array.shape != tuple(expected.shape):
            given = "is no array" if array is None else f"has shape {array.shape}"
            raise CheckpointError(f"{where} {given}; expected {tuple(expected.shape)}")
        if (array.dtype.kind == "c") != ("complex" in str(expected.dtype)):
            raise CheckpointError(f"{where} is of type {array.dtype}, expected {expected.dtype}")
    elif type(expected) is int:
        if type(found) is not int or not 0 <= found <= checkpoints.LARGEST_COUNT:
            raise CheckpointError(f"{where} is no count")
    elif type(expected) is float:
        if type(found) not in (int, float) or abs(found) > sys.float_info.max:
            raise CheckpointError(f"{where} is no number")
    elif type(found) is not type(expected):
        raise CheckpointError(f"{where} is of type {type(found).__name__}, expected {type(expected).__name__}")


def _check_table(where: str, found: Any, expected: Mapping[str, Any], grown: bool) -> None:
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{where} is no table")
    lacking, unknown = expected.keys() - found.keys(), found.keys() - expected.keys()
    if lacking:
        raise CheckpointError(f"{where} lacks {min(lacking)!r}")
    if unknown and not grown:
        raise CheckpointError(f"{where} has an unknown {min(unknown)!r}")
    totals = grown and not any(isinstance(value, Mapping) or hasattr(value, "shape") for value in expected.values())
    for key, value in found.items():
        if totals:
            _check(f"{where}/{key}", value, 0.0)
        elif key in expected:
            _check(f"{where}/{key}", value, expected[key], grown=grown)
        elif not isinstance(value, np.ndarray):
            raise CheckpointError(f"{where}/{key} is no array")


def _shown(value: Any) -> str:
    return one_line(repr(value), 160)


def _whereabouts(substrate: Substrate) -> dict[str, Any]:
    placed = substrate.placed
    module = type(substrate).__module__.partition(".")[0]
    return {"fingerprint": placed.origin, "profile": placed.profile.name, "backend": module, "seed": placed.seed}


def _on_host(value: Any) -> Any:
    """The same tree with its arrays as NumPy arrays."""
    if isinstance(value, Mapping):
        return {key: _on_host(item) for key, item in value.items()}
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    return as_numpy(value)


def _like(substrate: Substrate, value: Any) -> Any:
    """The same tree with its arrays as the substrate's."""
    if isinstance(value, Mapping):
        return {key: _like(substrate, item) for key, item in value.items()}
    return substrate.asarray(value) if isinstance(value, np.ndarray) else value
