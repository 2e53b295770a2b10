"""Impedance normalisation: couplings that start matched, and matching sections ahead of layers, set from data.

A coupling W between lines of impedance Z1 and Z2 is a bank of ideal transformers. A singular value s of W lets the
share 1 - ((1 - rho s^2)/(1 + rho s^2))^2 of a mode's power through, rho = Z1/Z2: all of it at s = 1/sqrt(rho), and less
on either side. Two ways to start near there:

- `matched_weights` makes every singular value 1/sqrt(rho): nothing that can pass is reflected.
- a `MatchingSection`, one transformer a line behind the coupling, divides what arrives by its own root mean square over
  a set of data (`calibrated`). This is batch normalisation with statistics that are measured once, and it matches the
  power line by line, not mode by mode: where the data are uncorrelated and W is wide, its rows become nearly
  orthonormal and the bank nearly matched; correlated data leave modes that reflect.

Source: "Deriving backpropagation from wave equations" (2026), section 6, which says that batch normalisation is
impedance matching; the above is the part of it that follows from the scattering matrix of the bank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from physnn import streams
from physnn.equations import Interpreter, OneToOne, Population
from physnn.errors import EquationError, ParameterError, ShapeError
from physnn.media.checks import is_size
from physnn.media.medium import Source
from physnn.media.network import Link, Network
from physnn.media.part import Part

EQUATIONS = """
y = gain*(z - offset)  : 1
z      : 1 (arrival{kind})
gain   : 1 (parameter)
offset : 1 (parameter{kind})
"""


def matched_weights(seed: int, name: str, rows: int, columns: int, ratio: float = 1.0) -> NDArray[np.float64]:
    """Random weights (rows, columns) without reflection: all min(rows, columns) singular values are 1/sqrt(ratio).

    Parameters
    ----------
    seed : int
    name : str
        Name of the coupling: another name, other weights.
    rows, columns : int
    ratio : float
        rho = Z1/Z2, impedance before the coupling over impedance behind it.

    Raises
    ------
    ParameterError, ShapeError

    Source
    ------
    Scattering matrix of a bank of ideal transformers; the draw as in Saxe, McClelland, Ganguli, ICLR 2014.
    """
    if not (isinstance(ratio, Real) and math.isfinite(ratio) and ratio > 0):
        raise ParameterError(f"coupling {name!r}: a ratio of impedances of {ratio} must be finite and above 0")
    if not (is_size(rows) and is_size(columns)):
        raise ShapeError(f"coupling {name!r}: {rows!r} rows and {columns!r} columns must be whole numbers, at least 1")
    tall, wide = max(rows, columns), min(rows, columns)
    directions, triangle = np.linalg.qr(streams.normal(seed, name, "matched weights", (tall, wide)))
    # The signs of the triangle's diagonal make the draw uniform over all orthonormal frames.
    frame = directions * np.sign(np.diag(triangle)) / math.sqrt(ratio)
    return frame if rows >= columns else frame.T


@dataclass(frozen=True)
class MatchingSection(Part):
    """One ideal transformer a line, y = gain (z - offset), passed on in the same instant; n lines.

    Parameters
    ----------
    name : str
    size : int
    gain : array
        Turns ratio of each line [1], a number or (n,).
    offset : array
        What a source in series takes away [1], a number or (n,); complex for envelopes.
    carries : str
        "real" or "complex" (envelopes) signals.
    """

    name: str
    size: int
    gain: ArrayLike = 1.0
    offset: ArrayLike = 0.0
    carries: str = "real"
    signal: str = field(default="y", init=False, repr=False)

    def __post_init__(self) -> None:
        if not is_size(self.size):
            raise ShapeError(f"section {self.name!r}: size {self.size!r} must be a whole number, at least 1")
        if self.carries not in ("real", "complex"):
            raise ParameterError(f"section {self.name!r}: it carries 'real' or 'complex' signals, not {self.carries!r}")

    def lower(self) -> Population:
        """The section's equations."""
        equations = EQUATIONS.format(kind=", complex" if self.carries == "complex" else "")
        return Population.from_text(self.name, self.size, equations, {"gain": self.gain, "offset": self.offset})


def with_sections(network: Network, *, carries: str = "real") -> Network:
    """The same network with a matching section between every coupling from part to part and the layer behind it.

    A layer's coupling ends at its section 'LAYER-section'; from there each line runs on alone, with a trainable weight
    that starts at 1. Biases enter behind the section. Until `calibrated`, a section changes nothing.

    Raises
    ------
    EquationError
        A link ends at an arrival of its own, or parts are no layers of one row of elements.
    """
    layers = {part.name: part for part in network.parts if not isinstance(part, Source)}
    shapes = {name: layer.lower().shape for name, layer in layers.items()}
    fed = {link.target for link in network.links}
    for link in network.links:
        if link.into or len(shapes[link.target]) != 1:
            raise EquationError(f"link {link.label!r}: a section stands ahead of a whole layer of shape (n,)")
    sections = [MatchingSection(f"{name}-section", shapes[name][0], carries=carries) for name in layers if name in fed]
    ends = [replace(link, name=link.label, target=f"{link.target}-section") for link in network.links]
    lines = [
        Link(section.name, name, operator=OneToOne(shapes[name]), weights=np.ones(shapes[name]))
        for section, name in zip(sections, (name for name in layers if name in fed), strict=True)
    ]
    return replace(network, parts=(*network.parts, *sections), links=(*ends, *lines))


def calibrated(
    network: Network, inputs: Mapping[str, ArrayLike], *, parameters: Mapping[str, Any] | None = None, seed: int = 0
) -> Network:
    """The network with every section's gain and offset set from what arrives there in the stationary state.

        offset = <z>,   gain = 1/sqrt(<|z - offset|^2>),   <> the mean over the samples

    Sections are set one after the other in the order in which waves pass them. A line on which nothing changes keeps
    the gain 1.

    Parameters
    ----------
    network : Network
        Feed-forward, with sections (`with_sections`).
    inputs : mapping
        Input port -> samples, (samples, *shape).
    parameters : mapping, optional
        Weights in place of the ones that `seed` draws.
    seed : int

    Raises
    ------
    EquationError
        The couplings form a loop, or the network has no sections.
    """
    sections = {part.name: part for part in network.parts if isinstance(part, MatchingSection)}
    order = network.lower(seed).steady_order
    if not sections or order is None:
        raise EquationError(
            f"network {network.name!r}: calibration needs sections (`with_sections`) and couplings without a loop"
        )
    arrays = {port: np.asarray(value) for port, value in inputs.items()}
    for name in (name for name in order if name in sections):
        trace = Interpreter(network.lower(seed), parameters).steady(arrays)
        arrived = trace.fields[f"{name}.z"][:, 0]
        offset = np.mean(arrived, axis=0)
        spread = np.sqrt(np.mean(np.abs(arrived - offset) ** 2, axis=0))
        gain = 1.0 / np.where(spread > 0, spread, 1.0)
        set_part = replace(sections[name], gain=gain, offset=offset)
        network = replace(network, parts=tuple(set_part if part.name == name else part for part in network.parts))
    return network
