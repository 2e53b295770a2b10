"""Small Systems for the tests of companions."""

import numpy as np

from physnn.equations import Coupling, Dense, Input, Output, Population, System

DT = 0.1
STEPS = 12


def rng(seed=0):
    return np.random.default_rng(seed)


def source(size=3, name="src"):
    return Population.from_text(name, size, "u : 1 (input)")


def population(name, size, text, **values):
    """Parameters that get no value get random ones of the population's shape, near 1."""
    draw = rng(len(name) + len(text))
    lines = [line for line in text.splitlines() if "(parameter" in line or "(trainable" in line]
    for line in lines:
        key = line.split(":")[0].strip()
        values.setdefault(key, draw.uniform(0.5, 1.5, size))
    return Population.from_text(name, size, text, values)


def dense(name, a, b, signal="x", into="z", delay=0.0, seed=0, scale=1.0, **more):
    w = scale * rng(seed + len(name)).normal(size=(b[1], a[1])) / np.sqrt(a[1])
    return Coupling(name, a[0], b[0], signal, Dense(b[1], a[1]), into, delay, initial=w, **more)


LAYER = "dx/dt = ({f} - gamma*x)/tau : 1\nz : 1 (arrival)\ngamma : 1 (trainable)\ntau : s (parameter)"


def drive(size=3, steps=STEPS, batch=2, seed=9):
    return {"in": rng(seed).normal(size=(batch, steps, size) if steps else (batch, size))}


def network(populations, couplings, outputs, size=3):
    return System.of([source(size), *populations], couplings, {"in": Input("src", "u")}, outputs)


def layered(f="tanh(z)", delay=0.0, loop=None):
    a, b = population("a", 4, LAYER.format(f=f)), population("b", 2, LAYER.format(f=f), gamma=0.9)
    couplings = [dense("w", ("src", 3), ("a", 4), "u", delay=delay), dense("v", ("a", 4), ("b", 2), delay=2 * delay)]
    if loop is not None:
        couplings.append(dense("back", ("b", 2), ("a", 4), "x*x", delay=loop, scale=0.3))
    return network([a, b], couplings, {"y": Output("b", "x"), "hidden": Output("a", "sin(x)")})
