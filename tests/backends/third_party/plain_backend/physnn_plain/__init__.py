"""Somebody else's backend for physnn: every System in physnn's own plain interpreter."""

import array_api_compat.numpy
import numpy as np

from physnn.equations import Interpreter, companion_inputs
from physnn.substrate.contract import SUPPORTED, Finding
from physnn.substrate.meter import Meter


class Backend:
    name = "plain"

    def check(self, system, profile):
        return [Finding("everything", SUPPORTED)]

    def build(self, placed):
        return PlainSubstrate(placed)


class PlainSubstrate:
    xp = array_api_compat.numpy
    gradient_label = "native"

    def __init__(self, placed):
        self.placed, self.meter = placed, Meter(host_is_device=True)
        self.state = {"written": {}, "held": {}, "writes": 0, "ages": {}}
        self.write(placed.system.parameters)

    def asarray(self, values):
        return np.asarray(values, dtype=float)

    def engine(self, system):
        return Interpreter(system, self.state["held"], seed=self.placed.seed)

    def run(self, inputs, duration, state=None, record=None):
        self.count(inputs)
        trace = self.engine(self.placed.system).run(inputs, self.placed.steps(duration), self.placed.step, state)
        return trace.only(record)

    def steady(self, inputs, tolerance=1e-9):
        self.count(inputs)
        return self.engine(self.placed.system).steady(inputs, tolerance)

    def companion(self, spec, about):
        companion = self.placed.companion(spec.transport, spec.inputs, discrete=not about.steady)
        return PlainCompanion(self, companion, about)

    def write(self, parameters):
        self.placed.check_write(parameters)
        new = {key: self.asarray(value).copy() for key, value in parameters.items()}
        writes = self.state["writes"] + 1
        held = {**self.state["held"], **self.placed.realise(new, writes)}
        ages = {**self.state["ages"], **dict.fromkeys(new, 0.0)}
        self.state = {"written": {**self.state["written"], **new}, "held": held, "writes": writes, "ages": ages}

    def wait(self, seconds):
        for key, factor in self.placed.decay(self.state["held"], self.state["ages"], seconds).items():
            self.state["held"][key] = self.state["held"][key] * factor
            self.state["ages"][key] = self.state["ages"].get(key, 0.0) + seconds

    def read(self):
        return dict(self.state["written"])

    def snapshot(self):
        return {**self.state, "counts": dict(self.meter.counts)}

    def restore(self, snapshot):
        self.state = {key: snapshot[key] for key in self.state}

    def inventory(self):
        return {}

    def count(self, inputs):
        system, batch = self.placed.system, len(next(iter(inputs.values())))
        macs = sum(c.operator.macs(system.populations[c.source].shape) for c in system.couplings.values())
        self.meter.add(mac=macs * batch, sample=batch)


class PlainCompanion:
    def __init__(self, substrate, companion, about):
        self.substrate, self.companion, self.about = substrate, companion, about

    def run(self, cotangents):
        inputs = companion_inputs(self.companion, self.about, cotangents)
        steps = len(next(iter(inputs.values()))[0])
        return self.substrate.engine(self.companion.system).run(inputs, steps, self.substrate.placed.step)

    def steady(self, cotangents, tolerance=1e-9):
        inputs = companion_inputs(self.companion, self.about, cotangents)
        return self.substrate.engine(self.companion.system).steady(inputs, tolerance)
