"""Weights that change in Brian2 against the interpreter, and spike-timing windows against their closed form."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

brian2 = pytest.importorskip("brian2", reason="the brian2 extra is not installed")

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, OneToOne, Population, System  # noqa: E402
from physnn.errors import CapabilityError, ParameterError  # noqa: E402
from physnn.execution import Engine, NumpyArrays  # noqa: E402
from physnn.learning.concurrent import coexisting, drifting  # noqa: E402
from physnn.learning.stdp import PairSTDP, PhaseSTDP  # noqa: E402
from physnn.media import Network, Source, Waveguide  # noqa: E402
from physnn_brian2.network import BrianNetwork, BrianRun  # noqa: E402
from physnn_brian2.plastic import PlasticCouplings, check_plastic, joined  # noqa: E402
from physnn_brian2.plastic_stdp import forget, phase_synapses, stdp_synapses, window  # noqa: E402

ENDS = "pre : 1 (input)\npost : 1 (input)\nk : 1/s (parameter)\n"
RULES = {
    "Hebb": "dw/dt = k*pre*post : 1\n",
    "Oja": "dw/dt = k*post*(pre - post*w) : 1\n",
    "trace": "dw/dt = k*(e*post - 0.1*w) : 1\nde/dt = k*(pre - e) : 1\n",
    "map": "dw/dt = k*e*tanh(post) : 1\ne+ = 0.5*e + pre*w : 1\n",
    "time": "dw/dt = k*pre*cos(3*k*t) : 1\n",
}


class PlasticNetwork(BrianNetwork):
    def __init__(self, system, batch, step, scale):
        super().__init__(system, batch, step, scale)
        self.plastic = PlasticCouplings(system, batch, scale, self.clock, self.clock.name)
        self.network.add(*self.plastic.objects)


class PlasticRun(BrianRun):
    def __init__(self, engine, made, *arguments):
        super().__init__(engine, made, *arguments)
        made.plastic.start(self)

    def hand_over(self):
        super().hand_over()
        self.made.plastic.hand_over(self)

    def take_back(self):
        super().take_back()
        self.made.plastic.take_back(self)


def in_brian2(system, inputs, steps, dt, scale=1.0, state=None):
    batch = len(next(iter(inputs.values())))
    made = PlasticNetwork(system, batch, dt, scale)
    run = PlasticRun(Engine(system, NumpyArrays()), made, system.parameters, inputs, dt, 0, state)
    return run.advance(steps), made


def layers(rule, operator, initial, delay=0.0, shape=(3,), target=(2,), complex_values=False):
    """Two leaky layers, the second driven by the first through plastic weights."""
    kind = " (arrival, complex)" if complex_values else " (arrival)"
    state = " (complex)" if complex_values else ""
    drive = " (input, complex)" if complex_values else " (input)"
    source = Population.from_text(
        "src", shape, f"dx/dt = (u - x)/tau : 1{state}\nu : 1{drive}\ntau : s (parameter)", {"tau": 0.3}
    )
    out = Population.from_text(
        "out", target, f"dy/dt = (z - y)/tau : 1{state}\nz : 1{kind}\ntau : s (parameter)", {"tau": 0.2}
    )
    wire = Coupling("w", "src", "out", "x", operator, "z", delay, initial=initial, plasticity=rule, post="y + 0.5*z")
    return System.of([source, out], [wire], {"u": Input("src", "u")})


def rule(text, shape, k=0.5):
    return Population.from_text("rule", shape, text + ENDS, {"k": k})


def assert_same(trace, wanted, tolerance=1e-9):
    for own in wanted.state:
        if own.startswith("w:") and own != "w:line":
            np.testing.assert_allclose(trace.state[own], wanted.state[own], rtol=tolerance, atol=1e-14)
    for field in ("src.x", "out.y", "out.z"):
        np.testing.assert_allclose(trace.fields[field], wanted.fields[field], rtol=tolerance, atol=1e-14)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_weights_and_waves_are_those_of_the_interpreter(name, delay):
    rng = np.random.default_rng(1)
    system = layers(rule(RULES[name], (2, 3)), Dense(2, 3), rng.normal(size=(2, 3)), delay)
    inputs = {"u": rng.normal(size=(4, 200, 3))}
    trace, _ = in_brian2(system, inputs, 200, 0.01)
    # Both round at 1e-16; the mean over the batch is taken of weights here, of slopes there.
    assert_same(trace, Interpreter(system).run(inputs, 200, 0.01))


def test_one_to_one_weights_of_sheets_in_physical_time():
    """Model time runs 1000 times slower than the device."""
    shape = (1, 2, 2)
    rng = np.random.default_rng(2)
    system = layers(rule(RULES["trace"], shape), OneToOne(shape), rng.normal(size=shape), shape=shape, target=shape)
    inputs = {"u": rng.normal(size=(2, *shape))}
    trace, made = in_brian2(system, inputs, 300, 0.01, scale=1e-3)
    assert_same(trace, Interpreter(system).run(inputs, 300, 0.01))
    assert float(made.network.t) == pytest.approx(3e-3)


def test_complex_weights():
    rng = np.random.default_rng(3)
    ends = "pre : 1 (input, complex)\npost : 1 (input, complex)\nk : 1/s (parameter)\n"
    own = "dw/dt = k*post*(conj(pre) - conj(post)*w) : 1 (complex)\n"
    law = Population.from_text("rule", (2, 3), own + ends, {"k": 0.5})
    first = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
    system = layers(law, Dense(2, 3), first, complex_values=True)
    inputs = {"u": rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))}
    assert_same(in_brian2(system, inputs, 200, 0.01)[0], Interpreter(system).run(inputs, 200, 0.01))


def test_a_run_goes_on_with_its_weights():
    rng = np.random.default_rng(4)
    system = layers(rule(RULES["trace"], (2, 3)), Dense(2, 3), rng.normal(size=(2, 3)), 0.03)
    inputs = {"u": rng.normal(size=(2, 3))}
    half, _ = in_brian2(system, inputs, 60, 0.01)
    again, _ = in_brian2(system, inputs, 60, 0.01, state=half.state)
    whole = Interpreter(system).run(inputs, 120, 0.01)
    np.testing.assert_allclose(again.state["w:w"], whole.state["w:w"], rtol=1e-9)
    assert not np.allclose(half.state["w:w"], whole.state["w:w"], rtol=1e-3)


def test_oja_finds_the_principal_component_without_states_at_its_ends():
    rng = np.random.default_rng(7)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    data = rng.normal(size=(50, 3)) * [2.0, 1.0, 0.5] @ turn.T
    source = Population.from_text("src", (3,), "u : 1 (input)")
    clock = Population.from_text("clock", (1,), "dx/dt = -x/tau : 1\ntau : s (parameter)", {"tau": 1.0})
    out = Population.from_text("out", (1,), "y = z : 1\nz : 1 (arrival)")
    first = rng.normal(size=(1, 3))
    wire = Coupling(
        "w", "src", "out", "u", Dense(1, 3), "z", initial=first, plasticity=rule(RULES["Oja"], (1, 3)), post="y"
    )
    system = System.of([source, out, clock], [wire], {"u": Input("src", "u")})
    trace, made = in_brian2(system, {"u": data}, 400, 0.1)
    values, vectors = np.linalg.eigh(data.T @ data / 50)
    (w,) = trace.state["w:w"]
    # The slower direction dies out as exp(-k (l_1 - l_2) t), t = 40.
    assert abs(w @ vectors[:, -1]) == pytest.approx(1, abs=1e-9)
    assert 0.5 * (values[-1] - values[-2]) * 40 > 21
    synapses = made.plastic.all["w"].synapses
    assert isinstance(synapses, brian2.Synapses)
    assert np.array(synapses.w).reshape(50, 3) == pytest.approx(np.tile(w, (50, 1)), abs=0)


def test_both_waves_at_once_teach_the_weights_between_them():
    """Incident and reflected wave coexist; every weight drifts by the product of the two that it meets."""
    network = Network.layered([Source("in", 5), Waveguide("a", 6), Waveguide("b", 4, "sigmoid"), Waveguide("out", 3)])
    system = drifting(coexisting(network.lower()), 0.3)
    rng = np.random.default_rng(4)
    inputs = {"in": rng.normal(size=(3, 5)), "y.target": rng.normal(size=(3, 3)), "y.shown": np.ones((3, 3))}
    trace, made = in_brian2(system, inputs, 200, 0.1)
    wanted = Interpreter(system).run(inputs, 200, 0.1)
    assert {"in->a", "a->b", "b->out", "back_a->b", "back_b->out"} <= made.plastic.all.keys()
    for name in made.plastic.all:
        np.testing.assert_allclose(trace.state[f"{name}:w"], wanted.state[f"{name}:w"], rtol=1e-9, atol=1e-13)
    far = [np.abs(each.outputs["y"][:, -1] - inputs["y.target"]).max() for each in (trace, wanted)]
    assert far[0] == pytest.approx(far[1], rel=1e-9)


def test_what_brian_cannot_take_is_refused_by_name():
    system = layers(rule(RULES["Hebb"], (2, 3)), Dense(2, 3), np.zeros((2, 3)))
    check_plastic(system, "w")
    wire = system.couplings["w"]
    flow = sp.besselj(0, wire.plasticity.symbols["w"])
    strange = replace(wire, plasticity=replace(wire.plasticity, flows={"w": flow}))
    with pytest.raises(CapabilityError, match=r"coupling 'w'.*besselj"):
        check_plastic(replace(system, couplings={"w": strange}), "w")


def test_weights_inside_constraints_that_are_solved_together_are_refused():
    loop = Population.from_text("loop", (2,), "0 = y - 0.5*tanh(z) - u : 1 (solves y)\nz : 1 (arrival)\nu : 1 (input)")
    law = rule(RULES["Hebb"], (2,))
    wire = Coupling("w", "loop", "loop", "y", OneToOne((2,)), "z", initial=np.ones(2), plasticity=law, post="y")
    with pytest.raises(CapabilityError, match="'w' is plastic inside constraints"):
        check_plastic(System.of([loop], [wire], {"u": Input("loop", "u")}), "w")


def relays(delay=0.0, plasticity=None):
    """Cells that fire a step after their input is 1."""
    text = "dv/dt = (drive*u - v)*k : 1\nu : 1 (input)\nz : 1 (arrival)\ndrive : 1 (parameter)\nk : 1/s (parameter)"
    cells = [
        Population.from_text(name, size, text, {"drive": 1.0, "k": 1e3}, events=[Event("spike", "v > 0.5", {"v": "0"})])
        for name, size in (("src", 2), ("out", 3))
    ]
    wire = Coupling(
        "w", "src", "out", "spike", Dense(3, 2), "z", delay, "s", initial=np.zeros((3, 2)), plasticity=plasticity,
        post="spike" if plasticity else "",
    )  # fmt: skip
    return System.of(cells, [wire], {"src": Input("src", "u"), "out": Input("out", "u")})


def trains(seed, batch, steps):
    pulses = np.random.default_rng(seed).random((batch, steps, 5)) < 0.15
    pulses[:, 1::2] = False
    return {"src": pulses[:, :, :2].astype(float), "out": pulses[:, :, 2:].astype(float)}


def test_traces_of_spikes_as_equations_of_the_weights():
    law = Population.from_text(
        "stdp",
        (3, 2),
        "dw/dt = (before*post - 1.05*after*pre)*size : s\n"
        "dbefore/dt = pre - before/rise : 1\ndafter/dt = post - after/fall : 1\n"
        "pre : 1/s (input)\npost : 1/s (input)\nsize : s (parameter)\n"
        "rise : s (parameter)\nfall : s (parameter)",
        {"size": 1.0, "rise": 0.02, "fall": 0.03},
    )
    system, inputs = relays(0.002, law), trains(1, 2, 80)
    trace, _ = in_brian2(system, inputs, 80, 1e-3)
    wanted = Interpreter(system).run(inputs, 80, 1e-3)
    for own in ("w", "before", "after"):
        np.testing.assert_allclose(trace.state[f"w:{own}"], wanted.state[f"w:{own}"], rtol=1e-9, atol=1e-12)
    assert np.abs(wanted.state["w:w"]).min() > 0.01


@pytest.mark.parametrize("late", [0, 4])
def test_synapses_between_the_groups_of_a_system_follow_its_spikes(late):
    """Event-driven, beside a run: the window summed over all pairs of the recorded spikes."""
    system, inputs = relays(late * 1e-3), trains(2, 2, 80)
    made = BrianNetwork(system, 2, 1e-3, 1.0)
    ends = [made.cells[name].group for name in ("src", "out")]
    synapses = stdp_synapses(*ends, WINDOW, joined(system.couplings["w"], 2, 3, 2), delay=late * 1e-3)
    made.network.add(synapses)
    for _ in range(3):  # from rest each time
        forget(synapses)
        synapses.w = 0
        run = BrianRun(Engine(system, NumpyArrays()), made, system.parameters, inputs, 1e-3, 0, None)
        trace = run.advance(80)
    fired = [np.argwhere(trace.fields[f"{name}.spike"] > 0) for name in ("src", "out")]
    wanted = np.zeros((2, 3, 2))
    for sample, time, cell in fired[0][fired[0][:, 1] + late <= 80]:
        behind = fired[1][fired[1][:, 0] == sample]
        np.add.at(wanted[sample, :, cell], behind[:, 2], window(WINDOW, (behind[:, 1] - time - late) * 1e-3))
    wanted = wanted.ravel()
    assert np.abs(wanted).min() > 0.01
    np.testing.assert_allclose(np.array(synapses.w), wanted, rtol=1e-9)


WINDOW = PairSTDP(1.0, 1.05, 0.017, 0.034)


def spikes(indices, steps, count, clock):
    times = np.asarray(steps) * 1e-4
    return brian2.SpikeGeneratorGroup(count, np.asarray(indices), times * brian2.second, clock=clock)


def learnt(before, behind, joined, sizes, rule, **options):
    """Weights after spikes (neurons, steps of 0.1 ms) before and behind."""
    clock = brian2.Clock(dt=1e-4 * brian2.second)
    ends = [spikes(*each, size, clock) for each, size in zip((before, behind), sizes, strict=True)]
    made = stdp_synapses(*ends, rule, joined, **options)
    last = max(np.max(before[1]), np.max(behind[1])) + 100
    brian2.Network(*ends, made).run(last * 1e-4 * brian2.second, namespace={})
    return np.array(made.w)


def test_window_of_isolated_pairs():
    """A pair for each synapse, at 80 time differences of both signs and at none."""
    lags = np.arange(-400, 401, 10)
    pairs = np.arange(len(lags))
    late = np.full(len(lags), 500)
    w = learnt((pairs, late), (pairs, late + lags), (pairs, pairs), (len(lags), len(lags)), WINDOW)
    # Exponentials over whole steps: rounding of times and of one exponential.
    np.testing.assert_allclose(w, window(WINDOW, lags * 1e-4), rtol=1e-9, atol=0)
    assert w[lags == 0] == 0.0


@pytest.mark.parametrize("delay", [0, 7])
def test_all_pairs_of_two_trains_add_up(delay):
    rng = np.random.default_rng(5)
    trains = [np.flatnonzero(rng.random((size, 1500)) < 0.01) for size in (4, 3)]
    before, behind = (np.divmod(train, 1500) for train in trains)
    joined = tuple(np.indices((4, 3)).reshape(2, -1))
    w = learnt(before, behind, joined, (4, 3), WINDOW, rate=0.3, delay=delay * 1e-4)
    wanted = np.zeros(12)
    for synapse, (i, j) in enumerate(zip(*joined, strict=True)):
        lags = behind[1][behind[0] == j][None, :] - (before[1][before[0] == i][:, None] + delay)
        wanted[synapse] = 0.3 * window(WINDOW, lags * 1e-4).sum()
    np.testing.assert_allclose(w, wanted, rtol=1e-9, atol=1e-12)  # rounding, of a sum of some hundred pairs


def test_phases_of_spikes_give_the_cosine_of_their_difference():
    """24 lags of a spike a period, 10 periods; at none they meet in the same step."""
    lags, periods, period = np.arange(0, 240, 10), 10, 240
    pairs = np.arange(len(lags))
    clock = brian2.Clock(dt=1e-4 * brian2.second)
    first = np.tile(np.arange(periods) * period, len(lags))
    cells = np.repeat(pairs, periods)
    ends = [spikes(cells, steps, len(lags), clock) for steps in (first, first + np.repeat(lags, periods))]
    made = phase_synapses(*ends, PhaseSTDP(period * 1e-4), (pairs, pairs), periods, rate=0.5)
    brian2.Network(*ends, made).run(periods * period * 1e-4 * brian2.second, namespace={})
    np.testing.assert_allclose(made.w, 0.5 * np.cos(2 * np.pi * lags / period), atol=1e-12)  # rounding of phases
    with pytest.raises(ParameterError, match="periods 0"):
        phase_synapses(*ends, PhaseSTDP(0.024), (pairs, pairs), 0)


@pytest.mark.parametrize("options", [{"delay": -1e-3}, {"rate": np.inf}, {"scale": np.nan}])
def test_numbers_that_mean_nothing_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        stdp_synapses(None, None, WINDOW, ([], []), **options)
