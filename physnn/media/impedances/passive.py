"""Passive networks: lines, transformer banks and nonlinear shunts in which waves travel both ways."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from physnn.equations import OneToOne, Sparse
from physnn.errors import ShapeError, UnknownNameError
from physnn.media.checks import is_size, positive
from physnn.media.impedances.bank import TransformerBank
from physnn.media.impedances.elements import Resistor, Values
from physnn.media.impedances.line import Line
from physnn.media.impedances.shunt import NonlinearShunt
from physnn.media.impedances.termination import Termination
from physnn.media.medium import Medium, Source
from physnn.media.network import Link, Network
from physnn.media.part import Part
from physnn.media.readout import Readout

LEARNT = ("turns", "impedances", "losses", "delays", "shunts", "terminations")
"""What of a passive network may be learnt."""
CONSTANT = "constant"
"""name of what drives the bias line"""


@dataclass(frozen=True)
class Shunts:
    """The nonlinear elements of a passive network's hidden layers; `NonlinearShunt` has the kinds."""

    kind: str = "sinh"
    scale: Values = 0.2
    voltage: Values = 1.0


def passive_network(
    widths: Sequence[int] = (64, 32, 10),
    impedances: Sequence[Values] | None = None,
    *,
    delays: float | Sequence[float] = 1.0,
    transmission: float = 1.0,
    source: Values = 1.0,
    load: Values = 1.0,
    shunts: Shunts | None = Shunts(),
    drive: float = 12.0,
    gain: float = 2.5,
    bias: bool = True,
    train: str | Collection[str] = ("turns",),
    step: float | None = None,
    name: str = "passive",
) -> Network:
    """A passive network, layer by layer: sources, lines, and between any two layers a bank of ideal transformers.

        e, Rs -- line0 -- [W1] -- line1a -- shunt1 -- line1b -- [W2] -- line2 -- R_L

    Every junction scatters both ways; what is read out is gain * v at the loads. It starts from the recipe of a
    prototype: e = drive * input, a bias line driven by a constant of the same size, W of standard deviation
    1/sqrt(fan-in), sinh shunts, one step of delay for each line where the step is 1 s. With lossless lines the settled
    voltages do not depend on impedances and delays, lines then are wires.

    The other kind of network, `directional`, is `Network.layered` of `Waveguide` layers: ideal couplers and repeaters
    that send nothing back on their own.

    Parameters
    ----------
    widths : sequence of int
        Number of inputs, of lines of each hidden layer, and of outputs.
    impedances : sequence
        Impedance [ohm] of the lines of each layer, one for all lines of it or one each; where left out 2 in hidden
        layers, 1 elsewhere.
    delays : float or sequence of float
        [s], one for all lines or one for each bundle in the order of the drawing.
    transmission : float
        k [1] of each bundle, as in `Line`, which holds -log(k).
    source, load : float or sequence of float
        Rs and R_L [ohm].
    shunts : Shunts or None
        None leaves a linear network, whose hidden layers are single lines.
    drive : float
        Voltage [V] of an input of 1, and of the bias line's constant.
    gain : float
        Amplification of the readout [1]: a passive network's outputs are small.
    bias : bool
        Whether one more input line is driven by a constant. Shunts that are odd functions need it.
    train : str or collection of str
        One or more of "turns", "impedances", "losses", "delays", "shunts", "terminations".
    step : float, optional
        Time step [s] for which lines realise delays that are not whole steps; needed where delays are learnt.
    name : str

    Raises
    ------
    ShapeError, ParameterError, UnknownNameError

    Examples
    --------
    >>> system = passive_network((4, 3, 2)).lower(seed=0)
    >>> system.trainable
    ('W1', 'W2')
    """
    where = f"network {name!r}"
    train = (train,) if isinstance(train, str) else tuple(train)
    _check_counted(where, widths, "widths", "whole numbers, at least 1, of inputs, lines and outputs")
    if impedances is not None:
        _check_counted(where, impedances, "impedances", f"one for each of the {len(widths)} layers")
    ohms = [1.0, *[2.0] * (len(widths) - 2), 1.0] if impedances is None else impedances
    _check(where, widths, ohms, train)
    sizes = (int(widths[0]) + bool(bias), *map(int, widths[1:]))
    bundles = _bundles(len(widths), shunts)
    late = [float(delays)] * len(bundles) if isinstance(delays, Real) else [*np.atleast_1d(delays)]
    if len(late) != len(bundles):
        raise ShapeError(f"{where}: {len(late)} delays for the {len(bundles)} bundles {', '.join(bundles)}")
    learnt = tuple(own for own, kind in LINES.items() if kind in train)
    lines = [
        (layer, Line(label, sizes[layer], ohms[layer], delay, transmission, learnt, step=step))
        for (label, layer), delay in zip(bundles.items(), late, strict=True)
    ]
    ends = "terminations" in train
    parts: list[Part] = [
        Source("in", int(widths[0])),
        Termination("source", sizes[0], Resistor(source), trainable=ends),
    ]
    links = list(_driven(int(widths[0]), sizes[0], positive(drive, "drive", where)))
    last = "source"
    for layer, behind in enumerate([*sizes[1:], 0]):
        following = f"W{layer + 1}" if behind else "load"
        halves = [line for of, line in lines if of == layer]
        for line, end in zip(halves, [f"shunt{layer}", following][-len(halves) :], strict=True):
            parts.append(line)
            links += line.links(last, end if end == "load" else f"{end}:1")
            last = f"{end}:2"
            if end != following and shunts is not None:
                values = shunts.kind, shunts.scale, shunts.voltage
                parts.append(NonlinearShunt(end, sizes[layer], *values, trainable="shunts" in train))
        if behind:
            parts.append(TransformerBank(following, sizes[layer], behind, trainable="turns" in train))
    parts.append(Termination("load", sizes[-1], Resistor(load), trainable=ends))
    if bias:
        parts.append(Medium(CONSTANT, 1, "one : 1 (parameter)", {"one": 1.0}, signal="one"))
    amplified = f"{positive(gain, 'gain', where)!r}*u"
    return Network(tuple(parts), tuple(links), Readout("load", amplified), name)


def _check_counted(where: str, given: object, quantity: str, wanted: str) -> None:
    if isinstance(given, str) or not (isinstance(given, Sequence) or (isinstance(given, np.ndarray) and given.ndim)):
        raise ShapeError(f"{where}: {quantity} {given!r}; a sequence is needed, {wanted}")


def _check(where: str, widths: Sequence[int], impedances: Sequence[Values], train: Collection[str]) -> None:
    if len(widths) < 2 or not all(is_size(width) for width in widths):
        raise ShapeError(f"{where}: widths {widths!r}; whole numbers, at least 1, of inputs, lines and outputs")
    if len(impedances) != len(widths):
        raise ShapeError(f"{where}: {len(impedances)} impedances for {len(widths)} layers; give one each")
    for kind in train:
        if kind not in LEARNT:
            raise UnknownNameError("part of a passive network", kind, LEARNT)


LINES = {"impedance": "impedances", "transmission": "losses", "delay": "delays"}
"""What a line calls its parameters -> what they are called here."""


def _bundles(layers: int, shunts: Shunts | None) -> dict[str, int]:
    """Bundle of lines -> the layer it belongs to, in the order from sources to loads."""
    found: dict[str, int] = {}
    for layer in range(layers):
        halves = ("a", "b") if shunts is not None and 0 < layer < layers - 1 else ("",)
        found |= {f"line{layer}{half}": layer for half in halves}
    return found


def _driven(inputs: int, lines: int, drive: float) -> tuple[Link, ...]:
    """Inputs, and a constant on the one line more, as voltages of the sources."""
    if lines == inputs:
        ones = np.full(inputs, drive)
        return (Link("in", "source", operator=OneToOne((inputs,)), weights=ones, trainable=False, wire=True),)
    every = tuple(range(inputs))
    into, constant = Sparse(every, every, lines, inputs), Sparse((inputs,), (0,), lines, 1)
    return (
        Link("in", "source", operator=into, weights=np.full(inputs, drive), trainable=False, wire=True),
        Link(CONSTANT, "source", operator=constant, weights=np.array([drive]), trainable=False, wire=True),
    )
