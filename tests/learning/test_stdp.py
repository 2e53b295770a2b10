"""Spike-timing plasticity against sums over all pairs of spikes, closed forms, and a plastic coupling that does it."""

import math

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, Output, Population, System
from physnn.errors import CapabilityError, ParameterError
from physnn.learning import Objective
from physnn.learning.stdp import PairSTDP, PhaseSTDP
from physnn.media import LIF, Network, Readout, Source, SquaredError, Waveguide
from physnn.substrate import build
from physnn.substrate.converters import as_numpy
from physnn.testing.answers import local_rules

DT = 1e-3
RELAY = "dv/dt = (drive*u - v)*k : 1\nu : 1 (input)\nz : 1 (arrival)\ndrive : 1 (parameter)\nk : 1/s (parameter)"


def relay(name, size):
    """Cells that fire one step after their input is 1: spike trains at will."""
    values = {"drive": 1.0, "k": 1 / DT}
    return Population.from_text(name, size, RELAY, values, events=[Event("spike", "v > 0.5", {"v": "0"})])


def relays(delay=0.0, plasticity=None, weights=((0.1, -0.2), (0.3, 0.0), (0.0, 0.5))):
    wire = Coupling(
        "w", "pre", "post", "spike", Dense(3, 2), "z", delay, "s", initial=np.array(weights), plasticity=plasticity,
        post="spike" if plasticity else "",
    )  # fmt: skip
    inputs = {"pre": Input("pre", "u"), "post": Input("post", "u")}
    return System.of([relay("pre", 2), relay("post", 3)], [wire], inputs, {"y": Output("post", "spike")})


def trains(rng, batch, steps, cells):
    """At most every other step a spike."""
    train = (rng.uniform(size=(batch, steps, cells)) < 0.15).astype(float)
    train[:, 1::2] = 0
    return train


def update(rule, system, pre, post):
    substrate = build(system, "ideal-torch", step=DT)
    inputs = {"pre": substrate.asarray(pre), "post": substrate.asarray(post)}
    objective = Objective(Readout("post", "spike", "mean"), SquaredError(), 3, pre.shape[1] * DT)
    step = rule.step(substrate, inputs, substrate.asarray(np.zeros((len(pre), 3))), objective)
    return -as_numpy(step.gradient["w"])


@pytest.mark.parametrize("late", [0, 4])
def test_pairs_are_those_of_the_spike_times(late):
    rng, steps = np.random.default_rng(0), 60
    pre, post = trains(rng, 2, steps, 2), trains(rng, 2, steps, 3)
    rule = PairSTDP(0.7, 0.9, 0.011, 0.023)
    found = update(rule, relays(late * DT), pre, post)
    wanted = np.zeros((3, 2))
    for sample in range(2):
        for i in range(3):
            for j in range(2):
                arrives = np.flatnonzero(pre[sample, :, j]) + late
                fires = np.flatnonzero(post[sample, :, i])
                gaps = DT * (fires[:, None] - arrives[arrives < steps])
                wanted[i, j] += 0.7 * np.exp(-gaps[gaps > 0] / 0.011).sum()
                wanted[i, j] -= 0.9 * np.exp(gaps[gaps < 0] / 0.023).sum()
    assert found == pytest.approx(wanted / 2, rel=1e-10, abs=1e-10)


def test_equations_of_a_plastic_coupling_do_the_same():
    """The windows as traces of the coupling itself, run by the interpreter; traces decay in its Euler steps."""
    law = Population.from_text(
        "stdp",
        (3, 2),
        "dw/dt = (potentiation*before*post - depression*after*pre)*size : s\n"
        "dbefore/dt = pre - before/rise : 1\ndafter/dt = post - after/fall : 1\n"
        "pre : 1/s (input)\npost : 1/s (input)\nsize : s (parameter)\n"
        "potentiation : 1 (parameter)\ndepression : 1 (parameter)\nrise : s (parameter)\nfall : s (parameter)",
        {"size": 1.0, "potentiation": 1.0, "depression": 1.05, "rise": 0.02, "fall": 0.03},
    )
    rng, steps = np.random.default_rng(1), 50
    pre, post = trains(rng, 1, steps, 2), trains(rng, 1, steps, 3)
    system = relays(plasticity=law, weights=np.zeros((3, 2)))
    held = Interpreter(system).run({"pre": pre, "post": post}, steps, DT).state["w:w"]
    # An Euler step keeps 1 - dt/tau where the rule keeps exp(-dt/tau): windows of the same decay.
    rise, fall = (-DT / math.log(1 - DT / tau) for tau in (0.02, 0.03))
    rule = PairSTDP(1.0 / (1 - DT / 0.02), 1.05 / (1 - DT / 0.03), rise, fall)
    assert held == pytest.approx(update(rule, relays(), pre, post), rel=1e-9, abs=1e-12)


def test_regular_trains_follow_the_closed_form():
    """What one more period adds to a long train: (A+ e^(-d/tau) - A- e^(-(T-d)/tau))/(1 - e^(-T/tau))."""
    period, lag, tau = 20, 6, 0.01
    rule = PairSTDP(1.0, 1.05, tau, tau)

    def total(periods):
        pre, post = np.zeros((1, periods * period, 2)), np.zeros((1, periods * period, 3))
        pre[:, ::period], post[:, lag::period] = 1, 1
        return update(rule, relays(), pre, post)

    t, d = period * DT, lag * DT
    wanted = (math.exp(-d / tau) - 1.05 * math.exp(-(t - d) / tau)) / -math.expm1(-t / tau)
    # Pairs further apart than 20 periods, 40 decay times, count nothing: one period more adds the closed form.
    assert total(21) - total(20) == pytest.approx(np.full((3, 2), wanted), rel=1e-9)


def test_phases_about_a_clock():
    """One spike a period each: cos of the phase difference, whatever the phase of the clock."""
    period, periods = 24, 5
    pre, post = np.zeros((1, periods * period, 2)), np.zeros((1, periods * period, 3))
    for cell, lag in enumerate((3, 9)):
        pre[:, lag::period, cell] = 1
    for cell, lag in enumerate((3, 8, 20)):
        post[:, lag::period, cell] = 1
    found = update(PhaseSTDP(period * DT), relays(), pre, post)
    phase = 2 * np.pi * (np.array([3, 8, 20])[:, None] - np.array([3, 9])) / period
    # A run of N steps has N + 1 entries, of which the rule counts periods.
    counted = periods + 1 / period
    assert found == pytest.approx(np.cos(phase) * (periods / counted) ** 2, abs=1e-12)


def test_what_it_refuses():
    waves = Network.layered([Source("in", 4), Waveguide("a", 3)])
    substrate = build(waves, "ideal-torch")
    inputs, targets = {"in": substrate.asarray(np.ones((2, 4)))}, substrate.asarray(np.zeros((2, 3)))
    for rule in (PairSTDP(), PhaseSTDP()):
        with pytest.raises(CapabilityError, match="no trainable coupling joins two spiking populations"):
            rule.step(substrate, inputs, targets, Objective(waves.readout, SquaredError(), 3))
    cells = Network.layered([Source("in", 4), LIF("a", 3)])
    substrate = build(cells, "ideal-torch")
    with pytest.raises(CapabilityError, match="joins two spiking"):
        PairSTDP().step(substrate, inputs, targets, Objective(cells.readout, SquaredError(), 3, 0.01))
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ParameterError, match="finite and above 0"):
            PairSTDP(rise=wrong)
        with pytest.raises(ParameterError, match="finite and above 0"):
            PairSTDP(fall=wrong)
        with pytest.raises(ParameterError, match="finite and above 0"):
            PhaseSTDP(wrong)


def test_known_answers():
    missed = [f"{a.claim}: {a.measured}, wanted {a.bar}" for a in local_rules.stdp() if not a.holds]
    assert missed == []
