"""A deliberately sloppy backend: it runs Systems through the interpreter, with faults that can be switched on.

Without a fault it conforms; with one, a named comparison of the suite must fail.
"""

from dataclasses import replace

import array_api_compat.numpy as xp
import numpy as np

from physnn.equations import Interpreter, System, companion_inputs
from physnn.substrate.contract import REFUSED, SUPPORTED, Finding, check_cotangents
from physnn.substrate.meter import Meter

FAULTS = ("float16 states", "forgotten transpose", "shared random stream", "off-by-one delay")


class Sloppy:
    name = "sloppy"

    def __init__(self, fault=None):
        self.fault = fault

    def check(self, system, profile):
        plastic = [c.name for c in system.couplings.values() if c.plasticity is not None]
        found = [Finding(f"coupling {name}", REFUSED, "plastic") for name in plastic]
        noise = profile.noise.read is not None
        return [*found, Finding("converters and detectors", "approximated" if noise else SUPPORTED)]

    def build(self, placed):
        return SloppySubstrate(placed, self.fault)


class SloppySubstrate:
    gradient_label = "native"
    xp = xp

    def __init__(self, placed, fault):
        self.placed, self.fault, self.meter = placed, fault, Meter(host_is_device=True)
        shared = fault == "shared random stream"
        self.die = replace(placed, seed=0, _companions={}, _die={}) if shared else placed
        self.written, self.held, self.ages, self.writes, self.runs = {}, {}, {}, 0, 0
        self.write(placed.system.parameters)

    def asarray(self, values):
        values = np.asarray(values)
        return values.astype(complex if np.iscomplexobj(values) else float)

    def engine(self, system, runs):
        return Interpreter(self.system(system), self.held, seed=self.die.seed + runs * 2**32)

    def system(self, system):
        if self.fault != "off-by-one delay":
            return system
        late = [replace(c, delay=c.delay + self.placed.step if c.delay else 0.0) for c in system.couplings.values()]
        return System.of(system.populations.values(), late, system.inputs, system.outputs, derived=system.derived)

    def rough(self, trace):
        if self.fault != "float16 states":
            return trace
        return replace(trace, outputs={n: v.astype(np.float16).astype(float) for n, v in trace.outputs.items()})

    def run(self, inputs, duration, state=None, record=None):
        steps = round(duration / self.placed.step)
        self.runs += state is None
        trace = self.engine(self.placed.system, self.runs - 1).run(inputs, steps, self.placed.step, state)
        self.count(inputs)
        return self.rough(trace).only(record)

    def steady(self, inputs, tolerance=1e-9):
        self.count(inputs)
        return self.rough(self.engine(self.placed.system, 0).steady(inputs, tolerance))

    def companion(self, spec, about):
        companion = self.placed.companion(spec.transport, spec.inputs, discrete=not about.steady)
        self.held |= self.placed.realise(self.placed.feedback(companion))
        return SloppyCompanion(self, companion, about)

    def write(self, parameters):
        self.placed.check_write(parameters)
        self.writes += 1
        self.ages |= dict.fromkeys(parameters, 0.0)
        self.held |= self.die.realise({k: np.array(v) for k, v in parameters.items()}, self.writes)
        self.written |= {k: np.array(v) for k, v in parameters.items()}

    def wait(self, seconds):
        for name, factor in self.placed.decay(self.held, self.ages, seconds).items():
            self.held[name] = self.held[name] * factor
            self.ages[name] = self.ages.get(name, 0.0) + seconds

    def read(self):
        return {k: np.array(v) for k, v in self.written.items()}

    def snapshot(self):
        return {
            "written": dict(self.written),
            "held": dict(self.held),
            "writes": self.writes,
            "runs": self.runs,
            "ages": dict(self.ages),
            "counts": dict(self.meter.counts),
        }

    def restore(self, snapshot):
        self.written, self.held = dict(snapshot["written"]), dict(snapshot["held"])
        self.writes, self.runs, self.ages = snapshot["writes"], snapshot["runs"], dict(snapshot["ages"])
        self.meter.counts.clear()
        self.meter.add(**snapshot["counts"])

    def inventory(self):
        return {}

    def count(self, inputs):
        batch = len(next(iter(inputs.values())))
        system = self.placed.system
        macs = sum(c.operator.macs(system.populations[c.source].shape) for c in system.couplings.values())
        self.meter.add(sample=batch, mac=macs * batch)


class SloppyCompanion:
    def __init__(self, substrate, companion, about):
        self.substrate, self.companion, self.about = substrate, companion, about

    def engine(self):
        system = self.substrate.system(self.companion.system)
        if self.substrate.fault == "forgotten transpose":
            system = forgetful(system)
        return Interpreter(system, self.substrate.held)

    def inputs(self, cotangents):
        check_cotangents(self.substrate.placed.system, cotangents)
        return companion_inputs(self.companion, self.about, cotangents)

    def run(self, cotangents):
        inputs = self.inputs(cotangents)
        return self.engine().run(inputs, next(iter(inputs.values())).shape[1], self.substrate.placed.step)

    def steady(self, cotangents, tolerance=1e-9):
        return self.engine().steady(self.inputs(cotangents), tolerance)


def forgetful(system):
    """The way back through W instead of W^T, where W is square, and through ones elsewhere."""

    class Forgetful:
        def __init__(self, operator):
            self.operator = operator

        def __getattr__(self, name):
            return getattr(self.operator, name)

        def apply(self, xp, weight, x):
            square = weight.ndim == 2 and weight.shape[0] == weight.shape[1]
            return self.operator.apply(xp, weight.T if square else np.ones_like(weight), x)

    couplings = [replace(c, operator=Forgetful(c.operator)) for c in system.couplings.values()]
    return System.of(system.populations.values(), couplings, system.inputs, system.outputs, derived=True)
