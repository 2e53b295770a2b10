"""What stands between lines is reciprocal, or no gradient is told: every part, by its own equations."""

import numpy as np
import pytest

from physnn.equations import OneToOne
from physnn.errors import CapabilityError
from physnn.learning import NativeReflection, ReflectedWave, with_way_back
from physnn.learning.native_fields import PassiveNetwork
from physnn.media import Network, Readout, Source
from physnn.media.impedances import (
    Capacitor,
    DirectionalCoupler,
    Inductor,
    Line,
    NonlinearShunt,
    Repeater,
    Resistor,
    SeriesJunction,
    ShuntJunction,
    Step,
    Termination,
    TransformerBank,
)
from physnn.media.network import Link

from .native_networks import Task, gradients, off

RLC = Resistor(0.7) + Inductor(0.4) + Capacitor(2.0)


def between(middle, ports=("1", "2"), extra=()):
    """A source, a bank and a load, with a part in between; its further ports end in resistors."""
    lines = [Line("l1", 2, 1.0, 1.0, 0.95, False), Line("l2", 2, 1.5, 1.0, 0.95, False)]
    lines.append(Line("l3", 2, 0.7, 1.0, 0.95, False))
    parts = [
        Source("in", 2),
        Termination("s", 2, Resistor(1.0), trainable=False),
        TransformerBank("W", 2, 2, [[1.0, 0.3], [-0.2, 0.8]]),
        middle,
        Termination("load", 2, Resistor(1.0), trainable=False),
        *lines,
    ]
    links = [
        Link("in", "s", operator=OneToOne((2,)), weights=np.ones(2), trainable=False),
        *lines[0].links("s", "W:1"),
        *lines[1].links("W:2", f"m:{ports[0]}"),
        *lines[2].links(f"m:{ports[1]}", "load"),
        *extra,
    ]
    for port in "1234"[: 4 if isinstance(middle, DirectionalCoupler) else 0]:
        if port not in ports:
            line = Line(f"to{port}", 2, 1.2, 1.0, 1.0, False)
            parts += [line, Termination(f"end{port}", 2, Resistor(0.4), trainable=False)]
            links += line.links(f"m:{port}", f"end{port}")
    return with_way_back(Network(tuple(parts), tuple(links), Readout("load", "u")))


@pytest.mark.parametrize(
    "middle",
    [
        Step("m", 2),
        NonlinearShunt("m", 2, "sinh", trainable=False),
        NonlinearShunt("m", 2, "duffing", trainable=False),
        SeriesJunction("m", 2, impedance=RLC, trainable=False),
        ShuntJunction("m", 2, impedance=Resistor(2.0) | Capacitor(2.0), trainable=False),
        ShuntJunction("m", 2, impedance=RLC, trainable=False, integrator="implicit"),
    ],
    ids=lambda part: f"{type(part).__name__}",
)
def test_passive_parts_are_reciprocal(middle):
    assert PassiveNetwork(between(middle).lower()).lines == ("l1", "l2", "l3")


def test_a_coupler_is_reciprocal_and_trains_what_is_behind_it():
    network = between(DirectionalCoupler("m", 2, 0.3, trainable=False), ("1", "4"))
    task = Task(network, None)
    task.x = task.x[:, :2]
    found, true = gradients(task, NativeReflection(kick=1e-3)), gradients(task, ReflectedWave())
    assert off(found["W"], true["W"]) < 1e-5


@pytest.mark.parametrize("back", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("mode", ["settled", "pulsed"])
def test_repeaters_are_refused(back, mode):
    task = Task(between(Repeater("m", 2, 1.2, back, trainable=False)), 20.0)
    task.x = task.x[:, :2]
    with pytest.raises(CapabilityError, match=r"'m' is not reciprocal.*'reflected-wave'"):
        gradients(task, NativeReflection(mode))


def test_a_way_back_in_one_direction_is_refused():
    # What the load shows is fed into the source: waves get from right to left by it, and not the other way.
    tenth = np.full(2, 0.1)
    feedback = Link("load", "s", operator=OneToOne((2,)), weights=tenth, trainable=False, signal="u", unit="1")
    with pytest.raises(CapabilityError, match=r"'load' and 's' is not reciprocal"):
        PassiveNetwork(between(Step("m", 2), extra=(feedback,)).lower())
