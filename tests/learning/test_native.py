"""Native reflection on a substrate: gradients from two runs of the same network against differences of the loss."""

import numpy as np
import pytest

from physnn.learning import NativeReflection, ReflectedWave
from physnn.learning.native_fields import PassiveNetwork
from physnn.substrate import build

from .native_networks import ALL, Task, along, directions, gradients, off, passive, sinh

BAR = 1e-5
"""The project's own; differences of width 1e-5 lose 1e-6 to rounding, a kick of 1e-3 V its square."""


def agrees(task, rule):
    """Keys whose gradient is not that of the adjoint System; and the error along a change of all parameters at once."""
    found, true = gradients(task, rule), gradients(task, ReflectedWave())
    assert found.keys() == set(task.system.trainable)
    changes = directions(true)
    measured = task.slope(changes)
    return {key for key in true if off(found[key], true[key]) > BAR}, abs(along(found, changes) / measured - 1)


class TestGradients:
    def test_settled_about_the_bias_of_shunts(self):
        missed, error = agrees(Task(passive(sinh()), None), NativeReflection(kick=1e-3))
        assert missed == set()
        assert error < BAR

    def test_pulsed_in_a_linear_network_lengths_included(self):
        task = Task(passive(train=(*ALL, "delays"), delays=2.3, step=1.0), 24.0, 24)
        assert {"line0.rest", "line1.Z0", "line2.alpha", "W1", "source.R", "load.R"} <= set(task.system.trainable)
        missed, error = agrees(task, NativeReflection("pulsed"))
        assert missed == set()
        assert error < BAR

    def test_pulsed_with_shunts_that_play_their_conductance_backwards(self):
        missed, error = agrees(Task(passive(sinh()), 20.0, 20), NativeReflection("pulsed", stored=True))
        assert missed == set()
        assert error < BAR

    @pytest.mark.parametrize("kind", ["diode", "saturable"])
    def test_every_shunt(self, kind):
        network = passive(sinh(kind), train=("turns",))
        task = Task(network, None)
        true = gradients(task, ReflectedWave())
        found = gradients(task, NativeReflection(kick=1e-3))
        assert max(off(found[key], true[key]) for key in true) < BAR

    def test_the_error_of_a_settled_gradient_is_of_second_order_in_the_kick(self):
        task = Task(passive(sinh(), train=("turns",)), None)
        true = gradients(task, ReflectedWave())["W1"]
        errors = [off(gradients(task, NativeReflection(kick=kick))["W1"], true) for kick in (0.4, 0.1)]
        assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)

    def test_settled_in_time_goes_on_from_the_incident_run(self):
        at_rest, in_time = Task(passive(sinh(), train=("turns",)), None), Task(passive(sinh(), train=("turns",)), 150.0)
        true = gradients(at_rest, ReflectedWave())
        found = gradients(in_time, NativeReflection(kick=1e-3))
        assert max(off(found[key], true[key]) for key in true) < BAR

    def test_lines_without_loss_are_wires_at_rest(self):
        task = Task(passive(sinh(), transmission=1.0), None)
        found = gradients(task, NativeReflection(kick=1e-3))
        size = np.linalg.norm(found["W1"])
        # What is left is the rounding of the difference of two runs, 1e-12 of a volt in 1e-3.
        assert max(abs(value) for key, value in found.items() if key.endswith(".Z0")) < 1e-7 * size

    def test_one_term_of_the_turns_ratios_alone_points_elsewhere(self):
        task = Task(passive(sinh(), train=("turns",)), None)
        substrate = build(task.network, "ideal-torch", seed=1)
        network, parameters = PassiveNetwork(task.system), substrate.placed.system.parameters
        runs = [
            network.field(substrate.steady({"in": substrate.asarray(task.x), "back": substrate.asarray(back)}, 1e-12))
            for back in (np.zeros((2, 2)), np.full((2, 2), 0.1))
        ]
        forward, loading = network.turns("W1", parameters, runs[0], (runs[1] - runs[0]).scaled(10.0))
        both = forward + loading
        cosine = np.sum(forward * both) / np.linalg.norm(forward) / np.linalg.norm(both)
        assert cosine < 0.99
