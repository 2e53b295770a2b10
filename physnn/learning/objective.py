"""What a network is trained for: what is read from it, what that is held against, the digital layers at either end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from physnn.equations import Trace
from physnn.equations.operators import is_complex
from physnn.media import CrossEntropy, Readout, SquaredError
from physnn.media.heads import Head, Tapes

Array = Any
HEAD = "head"
ENCODER = "encoder"


@dataclass(frozen=True)
class Objective:
    """What is read from the network and what it is held against."""

    readout: Readout
    loss: SquaredError | CrossEntropy
    classes: int
    duration: float | None = None
    """how long a sample is shown [s, model time]; None for the stationary state"""
    head: Head | None = None
    """digital layers behind the readout; they learn beside the network"""
    encoders: Mapping[str, Head] = field(default_factory=dict)
    """input port -> digital layers that compute what enters there from a sample; they learn likewise"""

    @property
    def digital(self) -> dict[str, Head]:
        """The digital layers by the prefix of their keys in gradients and checkpoints: head, encoder.PORT."""
        heads = {f"{ENCODER}.{port}": head for port, head in self.encoders.items()}
        return heads if self.head is None else {HEAD: self.head, **heads}

    def encode(self, xp: Any, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Tapes]]:
        """What enters at each port, and the tapes of the encoders by their prefix."""
        entering, tapes = dict(inputs), {}
        for port, head in self.encoders.items():
            entering[port], tapes[f"{ENCODER}.{port}"] = head.forward(xp, inputs[port])
        return entering, tapes

    def answer(self, xp: Any, incident: Trace) -> tuple[Array, dict[str, Tapes]]:
        """y, with the classes on the last axis, and the tape of the head by its prefix."""
        y = self.readout.read(xp, incident)
        if self.head is None:
            return y, {}
        y, tapes = self.head.forward(xp, y)
        return y, {HEAD: tapes}

    def pull_back(
        self, xp: Any, incident: Trace, tapes: Mapping[str, Tapes], mismatch: Array
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The cotangents at the output ports, and the gradient of the head's parameters, from dL/dy."""
        slopes: dict[str, Array] = {}
        if self.head is not None:
            mismatch, found = self.head.pull_back(xp, tapes[HEAD], mismatch)
            slopes = {f"{HEAD}.{key}": slope for key, slope in found.items()}
        return self.readout.pull_back(xp, incident, mismatch), slopes

    def pull_back_encoders(self, xp: Any, tapes: Mapping[str, Tapes], arrived: Mapping[str, Array]) -> dict[str, Array]:
        """The gradient of the encoders' parameters from what arrived at their ports."""
        slopes: dict[str, Array] = {}
        for port, head in self.encoders.items():
            wave = arrived[port]
            real = xp.real(wave) if is_complex(wave) else wave
            _, found = head.pull_back(xp, tapes[f"{ENCODER}.{port}"], real)
            slopes |= {f"{ENCODER}.{port}.{key}": slope for key, slope in found.items()}
        return slopes
