"""Native reflection as a rule: it trains, says whose its gradient is, and refuses what two fields do not tell."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.errors import CapabilityError, NumericsError, ParameterError, UnknownNameError
from physnn.learning import NativeReflection, Objective, ReflectedWave, Settings, find_rule, train, with_way_back
from physnn.learning.native_fields import PassiveNetwork
from physnn.media import CrossEntropy, Network, Source, SquaredError, Waveguide
from physnn.media.impedances import Dispersion, NonlinearShunt, passive_network
from physnn.substrate import build

from .native_networks import Task, gradients, off, passive, sinh

BAR = 1e-5


class TestTraining:
    def test_it_trains_and_says_whose_gradient_it_is(self):
        rng = np.random.default_rng(3)
        x = rng.normal(size=(40, 3))
        labels = (x[:, 0] * x[:, 1] > 0).astype(int)
        network = passive(sinh(), train=("turns",), transmission=1.0, drive=4.0)
        substrate = build(network, "ideal-torch", seed=1, step=1.0)
        objective = Objective(network.readout, CrossEntropy(), 2, 24.0)
        rule = NativeReflection()
        before = rule.step(
            substrate, {"in": substrate.asarray(x)}, substrate.asarray(np.eye(2)[labels]), objective
        ).loss
        train(substrate, rule, objective, x, labels, Settings(3, 20, 0.1), seed=0, port="in")
        after = rule.step(substrate, {"in": substrate.asarray(x)}, substrate.asarray(np.eye(2)[labels]), objective).loss
        assert after < 0.95 * before
        assert rule.gradient_label == "native"
        assert NativeReflection("pulsed", stored=True).gradient_label == "twin-assisted"

    def test_driving_the_outputs_shows_no_samples(self):
        task = Task(passive(train=("turns",)), None)
        substrate = build(task.network, "ideal-torch", seed=1)
        data = {"in": substrate.asarray(task.x)}
        NativeReflection().step(substrate, data, substrate.asarray(task.targets), task.objective)
        assert substrate.meter.counts["sample"] == 2

    def test_it_is_found_by_its_name(self):
        assert find_rule("native-reflection") == NativeReflection()


class TestRefusals:
    def test_pulses_through_shunts_without_a_memory(self):
        with pytest.raises(CapabilityError, match=r"'shunt1' meets another conductance.*settled.*stored=True"):
            gradients(Task(passive(sinh()), 20.0, 20), NativeReflection("pulsed"))

    def test_pulses_at_rest(self):
        with pytest.raises(CapabilityError, match="duration"):
            gradients(Task(passive(), None), NativeReflection("pulsed"))

    def test_a_reactance_whose_state_a_pulse_meets_again(self):
        network = passive(sinh("duffing"), train=("turns",))
        network = Network(
            [
                p if p.name != "shunt1" else NonlinearShunt("shunt1", 2, "duffing", 0.5, trainable=False)
                for p in network.parts
            ],
            network.links,
            network.readout,
        )
        with pytest.raises(CapabilityError, match="'shunt1'"):
            gradients(Task(network, 20.0, 20), NativeReflection("pulsed", stored=True))

    def test_a_network_without_a_way_back(self):
        task = Task(passive(train=("turns",)), None)
        task.network = passive_network((3, 2, 2), shunts=None)
        with pytest.raises(CapabilityError, match=r"no generator there.*with_way_back"):
            gradients(task, NativeReflection())

    def test_a_network_of_waveguides(self):
        network = Network.layered([Source("in", 3), Waveguide("out", 2)])
        task = Task(passive(), None)
        task.network, task.objective = network, Objective(network.readout, SquaredError(), 2)
        with pytest.raises(CapabilityError, match=r"'in->out'.*reflected-wave"):
            gradients(task, NativeReflection())
        with pytest.raises(CapabilityError, match="not a line's end"):
            with_way_back(network)

    def test_two_ways_back(self):
        with pytest.raises(CapabilityError, match="driven already"):
            with_way_back(passive())

    def test_what_is_read_must_be_the_loads_voltage(self):
        network = passive(train=("turns",))
        network = Network(network.parts, network.links, type(network.readout)("load", "i"))
        task = Task(passive(train=("turns",)), None)
        task.network, task.objective = network, Objective(network.readout, SquaredError(), 2)
        with pytest.raises(CapabilityError, match="something else than the voltage"):
            gradients(task, NativeReflection())

    def test_a_function_of_the_loads_voltage_is_read(self):
        network = passive(sinh(), train=("turns",))
        network = Network(network.parts, network.links, type(network.readout)("load", "u**2"))
        task = Task(network, None)
        found, true = gradients(task, NativeReflection(kick=1e-3)), gradients(task, ReflectedWave())
        assert max(off(found[key], true[key]) for key in true) < BAR

    def test_inputs_that_vary_in_time_do_not_settle(self):
        with pytest.raises(CapabilityError, match=r"'in' varies in time.*'pulsed'"):
            gradients(Task(passive(sinh(), train=("turns",)), 20.0, 20), NativeReflection())

    @pytest.mark.parametrize(("delay", "duration"), [(1.0, 4.0), (1.0, 8.0), (5.0, 4.0), (5.0, 24.0)])
    def test_runs_that_have_not_settled(self, delay, duration):
        # With delays of 5 steps two neighbouring entries are often alike long before anything has settled.
        task = Task(passive(sinh(), train=("turns",), delays=delay), duration)
        with pytest.raises(NumericsError, match=r"not settled at the end of the run.*lengthen"):
            gradients(task, NativeReflection())

    def test_what_passes_as_settled_is_off_by_little(self):
        task, at_rest = (Task(passive(sinh(), train=("turns",)), duration) for duration in (12.0, None))
        found, true = gradients(task, NativeReflection(kick=1e-3)), gradients(at_rest, ReflectedWave())
        # The drift is 1.4e-3 here: below the bar of 1e-2, and the gradient is off by a few times as much.
        assert max(off(found[key], true[key]) for key in true) < 5e-3

    def test_bad_settings(self):
        with pytest.raises(UnknownNameError, match="'settled'"):
            NativeReflection("setled")
        with pytest.raises(ParameterError, match="kick"):
            NativeReflection(kick=0.0)
        with pytest.raises(ParameterError, match="settling"):
            NativeReflection(settling=0.0)

    def test_dispersive_lines_have_no_fraction_to_learn(self):
        network = passive(train=("turns", "shunts", "delays"), delays=3.3, step=1.0)
        parts = [replace(p, dispersion=Dispersion(1, 1.5)) if p.name == "line0" else p for p in network.parts]
        with pytest.raises(CapabilityError, match=r"line0\.rest"):
            PassiveNetwork(Network(parts, network.links, network.readout).lower())
