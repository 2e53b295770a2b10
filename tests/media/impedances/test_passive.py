"""Passive networks: their state at rest, what is learnt of them, gradients, and what is refused."""

import numpy as np
import pytest

from physnn.equations import Interpreter, companion_inputs, gradient, reflected
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.impedances import Shunts, passive_network


def nodal(system, kind, v, e, load):
    """What the nodal equations of one hidden layer miss at the voltages v."""
    first, second = system.parameters["W1"], system.parameters["W2"]
    g = {"sinh": 0.2 * np.sinh(v), "tanh": 0.2 * np.tanh(v)}[kind]
    return v + (g + v @ second.T @ second / load) @ (first @ first.T) - e @ first.T


@pytest.mark.parametrize("widths", [(3, 2, 2), (2, 4, 2)])
@pytest.mark.parametrize("kind", ["sinh", "tanh"])
def test_at_rest_it_solves_the_nodal_equations(widths, kind):
    system = passive_network(widths, shunts=Shunts(kind), load=0.5).lower(seed=1)
    x = np.random.default_rng(0).uniform(0, 1, (2, widths[0]))
    found = Interpreter(system).steady({"in": x})
    v, e = found.fields["shunt1.v"][:, 0], 12 * np.concatenate([x, np.ones((2, 1))], axis=1)
    np.testing.assert_allclose(nodal(system, kind, v, e, load=0.5), 0.0, atol=1e-9)  # of about 20 V
    np.testing.assert_allclose(found.outputs["y"][:, 0], 2.5 * v @ system.parameters["W2"].T, atol=1e-9)


def test_without_shunts_it_is_linear():
    system = passive_network((3, 4, 2), shunts=None, bias=False).lower(seed=2)
    x = np.random.default_rng(1).normal(size=(1, 3))
    once, twice = (Interpreter(system).run({"in": k * x}, 30, 1.0).outputs["y"] for k in (1, 2))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-12, atol=1e-14)


def test_the_prototype_s_drawing():
    system = passive_network((64, 32, 10)).lower()
    sizes = {name: population.shape[0] for name, population in system.populations.items()}
    assert [sizes[name] for name in ("in", "source", "line0", "W1 1", "W1 2", "line1a", "shunt1", "line1b")] == [
        *(64, 65, 65, 65, 32, 32, 32, 32)
    ]
    assert system.trainable == ("W1", "W2")
    assert system.parameters["W1"].std() == pytest.approx(1 / np.sqrt(65), rel=0.1)
    assert set(np.ravel(system.parameters["line1a.Z0"])) == {2.0}


def test_what_is_learnt_is_chosen():
    def learnt(*train):
        keys = passive_network((3, 2, 2), train=train, delays=2.0, step=1.0).lower().trainable
        return {key.split(".")[-1] for key in keys}

    assert learnt("turns") == {"W1", "W2"}
    assert learnt("impedances") == {"Z0"}
    assert learnt("losses", "shunts") == {"alpha", "I", "V"}
    assert {*passive_network((3, 2, 2), train="turns").lower().trainable} == {"W1", "W2"}
    assert learnt("delays", "terminations") == {"rest", "R"}


@pytest.mark.parametrize("steady", [False, True])
def test_gradients_by_two_fields_are_those_of_finite_differences(steady):
    """Along a direction of everything that is learnt at once; losses make impedances count at rest too."""
    network = passive_network(
        (1, 2, 1),
        (1.0, 2.0, 0.7),
        transmission=0.8,
        delays=2.3,
        step=1.0,
        drive=3.0,
        train=("turns", "impedances", "losses", "delays", "shunts", "terminations"),
    )
    system, rng = network.lower(seed=3), np.random.default_rng(4)
    x, aim = {"in": rng.uniform(0, 1, (1, 1))}, rng.normal(size=(1, 1))

    def run(parameters=None):
        interpreter = Interpreter(system, parameters)
        return interpreter.steady(x, tolerance=1e-13) if steady else interpreter.run(x, 25, 1.0)

    trace, companion = run(), reflected(system)
    cotangent = np.zeros_like(trace.outputs["y"])
    cotangent[:, -1] = aim
    inputs = companion_inputs(companion, trace, {"y": cotangent})
    back = Interpreter(companion.system, system.parameters)
    echo = back.steady(inputs, tolerance=1e-13) if steady else back.run(inputs, 26, 1.0)
    slopes = gradient(np, system, companion, trace, echo)
    values = {key: np.asarray(system.parameters[key], dtype=float) for key in system.trainable}
    along = {key: rng.normal(size=value.shape) * np.max(np.abs(value)) for key, value in values.items()}
    found = sum(np.sum(slopes[key] * along[key]) for key in values)
    wanted = 0.0
    for weight, share in ((8, 1), (-8, -1), (-1, 2), (1, -2)):
        moved = {key: value + share * 1e-4 * along[key] for key, value in values.items()}
        wanted += weight * np.sum(run(moved).outputs["y"] * cotangent) / 12e-4
    assert found == pytest.approx(wanted, rel=1e-8)  # differences of fourth order
    if steady:
        assert abs(slopes["line0.rest"]) < 1e-10 * np.max(np.abs(slopes["W1"]))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"widths": (3,)}, ShapeError, "widths"),
        ({"widths": (3, 0, 2)}, ShapeError, "widths"),
        ({"widths": 5}, ShapeError, "widths 5; a sequence is needed"),
        ({"impedances": 2.0}, ShapeError, "impedances 2.0; a sequence is needed, one for each of the 3 layers"),
        ({"train": "weights"}, UnknownNameError, "weights"),
        ({"impedances": (1.0, 1.0)}, ShapeError, "2 impedances for 3 layers"),
        ({"delays": (1.0, 1.0)}, ShapeError, "2 delays for the 4 bundles line0, line1a, line1b, line2"),
        ({"train": ("weights",)}, UnknownNameError, "weights"),
        ({"train": ("delays",)}, ParameterError, "step"),
        ({"drive": 0.0}, ParameterError, "drive"),
        ({"gain": -1.0}, ParameterError, "gain"),
        ({"impedances": (1.0, -2.0, 1.0)}, ParameterError, "impedance"),
        ({"delays": 0.0}, ParameterError, "delay"),
        ({"source": 0.0}, ParameterError, "resistance"),
        ({"shunts": Shunts("saturable", 9.0)}, ParameterError, "three voltages"),
        ({"shunts": Shunts("saturable"), "train": ("impedances",)}, ParameterError, "three voltages"),
    ],
)
def test_what_is_no_network_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        passive_network(**{"widths": (3, 4, 2), **options}).lower()
