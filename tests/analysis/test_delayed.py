"""Loops with delays: the verdict against simulated growth, against eigenvalues, and on networks that cannot grow."""

import numpy as np
import pytest
from scipy import sparse

from physnn.analysis import DelayedLoops, check_delayed_loops
from physnn.analysis.radius import fine_radius
from physnn.equations import Coupling, Dense, Event, Input, Interpreter, OneToOne, Output, Population, System
from physnn.errors import ParameterError
from physnn.media import Network, Readout, Source
from physnn.media.impedances import (
    Inductor,
    Line,
    NonlinearShunt,
    Repeater,
    Resistor,
    Step,
    Termination,
    TransformerBank,
    passive_network,
)
from physnn.media.network import Link

DELAYS = range(1, 8)


def network(scattering, impedances=None):
    """Waves in groups of one delay each: {(to, from): matrix}, what leaves a group is scattered `from` steps later."""
    sizes = {source: matrix.shape[1] for (_, source), matrix in scattering.items()}
    ends = [Population.from_text(f"a{d}", n, "z : 1 (arrival)") for d, n in sizes.items()]
    if impedances:
        text = "z : 1 (arrival)\nZ0 : ohm (parameter)"
        ends += [Population.from_text(f"b{d}", n, text, {"Z0": impedances[d]}) for d, n in sizes.items()]
    else:
        ends += [Population.from_text(f"b{d}", n, "z : 1 (arrival)") for d, n in sizes.items()]
    lines = [
        Coupling(f"line{d}", f"a{d}", f"b{d}", "z", OneToOne((n,)), "z", float(d), initial=np.ones(n))
        for d, n in sizes.items()
    ]
    junctions = [
        Coupling(f"b{b}->a{a}", f"b{b}", f"a{a}", "z", Dense(*m.shape), "z", initial=m)
        for (a, b), m in scattering.items()
    ]
    return System.of(ends, [*lines, *junctions])


def random_scattering(rng, size):
    """Full, active, not symmetric, with delays of 1 to 7 steps."""
    delays = [d for d in DELAYS if d in (1, 7) or rng.random() < 0.7]
    return {(a, b): rng.normal(size=(size, size)) / np.sqrt(size * len(delays)) for a in delays for b in delays}


def scaled(scattering, factor):
    """With another radius exactly: det(1 - sum S_d z^-d) has its roots multiplied by `factor`."""
    return {(a, b): matrix * factor**b for (a, b), matrix in scattering.items()}


def embedded(scattering):
    """The map of one step, written anew: for each group what left it 1, 2, ... steps ago."""
    sizes = {b: matrix.shape[1] for (_, b), matrix in scattering.items()}
    places, end = {}, 0
    for d, size in sizes.items():
        places[d], end = end, end + d * size
    found = np.zeros((end, end))
    for (a, b), matrix in scattering.items():
        n, last = sizes[a], places[b] + (b - 1) * sizes[b]
        found[places[a] : places[a] + n, last : last + sizes[b]] = matrix
    for d, size in sizes.items():
        for k in range(size, d * size):
            found[places[d] + k, places[d] + k - size] = 1.0
    return found


def simulated(scattering, steps):
    """Growth a step of a random pulse, from a plain loop over time: the slope of the norm's logarithm."""
    rng = np.random.default_rng(1)
    sizes = {b: matrix.shape[1] for (_, b), matrix in scattering.items()}
    past = {d: [rng.normal(size=n) for _ in range(d)] for d, n in sizes.items()}
    logs, scale = [], 0.0
    for _ in range(steps):
        new = {d: np.zeros(n) for d, n in sizes.items()}
        for (a, b), matrix in scattering.items():
            new[a] = new[a] + matrix @ past[b][-1]
        past = {d: [new[d], *past[d][:-1]] for d in sizes}
        norm = np.sqrt(sum(np.sum(x**2) for row in past.values() for x in row))
        scale += np.log(norm)
        logs.append(scale)
        past = {d: [x / norm for x in row] for d, row in past.items()}
    return float(np.exp(np.polyfit(np.arange(steps // 2), logs[-(steps // 2) :], 1)[0]))


def judged(system, step=1.0):
    loops = DelayedLoops(system)
    (loop,) = loops.loops
    return loops.verdict(loop, step)


def refused(system, step=1.0):
    try:
        check_delayed_loops(system, step)
    except ParameterError:
        return True
    return False


def test_the_radius_of_the_scattering_matrix_is_not_what_counts():
    s = np.array([[0.9, 0.9], [-0.9, -0.9]])
    assert np.abs(np.linalg.eigvals(s)) == pytest.approx(0.0, abs=1e-7)
    system = network({(a, b): s[[i]][:, [j]] for i, a in enumerate((2, 1)) for j, b in enumerate((2, 1))})
    # z^3 + 0.9 z^2 - 0.9 z = 0: the closed form of its growth, 1.5 a step.
    found = judged(system)
    assert found.radius == pytest.approx((0.9 + np.sqrt(0.81 + 3.6)) / 2, rel=1e-12)
    with pytest.raises(
        ParameterError, match=r"a2, a1, b2, b1 is unstable: its waves grow 1\.5 times a step of 1 s.*3\.52 dB"
    ):
        check_delayed_loops(system, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_random_active_networks_grow_as_the_verdict_says(seed):
    rng = np.random.default_rng(seed)
    scattering = random_scattering(rng, int(rng.integers(2, 7)))
    found = judged(network(scattering))
    # Modes of nearly the same modulus beat: a slope over 1000 steps of a norm that swings by e, 3/1000.
    assert found.radius == pytest.approx(simulated(scattering, 2000), abs=3e-3)
    for wanted in (0.5, 1 - 1.5e-3, 1 + 1.5e-3, 1.3):
        system = network(scaled(scattering, wanted / found.radius))
        assert judged(system).radius == pytest.approx(wanted, rel=1e-7)
        assert refused(system) == (wanted > 1)


def test_a_network_at_the_edge_shows_its_growth_in_time():
    scattering = random_scattering(np.random.default_rng(7), 4)
    radius = judged(network(scattering)).radius
    for wanted in (1 - 1.5e-3, 1 + 1.5e-3):
        system = scaled(scattering, wanted / radius)
        # 1.5e-3 a step over 4000 steps is a factor of 400.
        assert simulated(system, 4000) == pytest.approx(wanted, abs=5e-4)
        assert refused(network(system)) == (wanted > 1)


def test_large_networks_are_judged_as_finely():
    scattering = random_scattering(np.random.default_rng(0), 20)
    matrix = embedded(scattering)
    assert len(matrix) > 400  # beyond what is decided by eigenvalues
    radius = np.max(np.abs(np.linalg.eigvals(matrix)))
    for wanted in (0.9, 1 - 1.5e-3, 1 + 1.5e-3, 1.1):
        system = network(scaled(scattering, wanted / radius))
        found = judged(system)
        assert found.decided
        assert found.radius == pytest.approx(wanted, abs=max(5e-4, 0.1 * abs(wanted - 1)))
        assert refused(system) == (wanted > 1)


def test_taking_away_what_the_message_says_brings_a_network_to_its_edge():
    scattering = random_scattering(np.random.default_rng(3), 3)
    excess = judged(network(scattering)).excess
    assert judged(network(scaled(scattering, 10 ** (-excess / 20)))).radius == pytest.approx(1.0, rel=1e-9)


def bundle(size, loads, delays=(2, 3), transmission=1.0):
    """Lines of many impedances between terminations, joined by a step of impedance."""
    rng = np.random.default_rng(5)
    near, far = (
        Line(n, size, rng.uniform(10, 300, size), d, transmission) for n, d in zip(("near", "far"), delays, strict=True)
    )
    parts = [Termination(n, size, Resistor(r)) for n, r in zip(("left", "right"), loads, strict=True)]
    links = (*near.links("left", "middle:1"), *far.links("middle:2", "right"))
    enter = Link("in", "left", operator=OneToOne((size,)), weights=np.ones(size))
    network = Network(
        (Source("in", size), *parts, near, far, Step("middle", size)), (enter, *links), Readout("right", "u")
    )
    return network.lower()


@pytest.mark.parametrize("size", [3, 60])
@pytest.mark.parametrize("loads", [(1e-9, 1e9), (1e-9, 1e-9), (70.0, 20.0)])
def test_passive_networks_are_never_flagged(size, loads):
    system = bundle(size, loads)
    found = judged(system)
    assert found.radius <= 1 + 1e-6
    assert not refused(system)


def mixed(size, gain):
    """Two bundles, of 1 and 2 steps, joined by one lossless junction of all lines, and a gain."""
    rng = np.random.default_rng(2)
    impedances = {d: rng.uniform(10, 300, size) for d in (1, 2)}
    root = np.sqrt(np.concatenate(list(impedances.values())))
    s = gain * np.linalg.qr(rng.normal(size=(2 * size, 2 * size)))[0] * (root[:, None] / root)
    places = {1: slice(0, size), 2: slice(size, 2 * size)}
    return network({(a, b): s[places[a], places[b]] for a in places for b in places}, impedances)


def test_a_large_lossless_network_is_passed_by_its_power():
    found = judged(mixed(140, 1.0))
    assert found.passive
    assert not refused(mixed(140, 1.0))


def test_a_little_gain_in_a_large_network_is_no_longer_passive():
    # Everything gains 1 % at each junction, after 1 or 2 steps.
    found = judged(mixed(140, 1.01))
    assert not found.passive
    assert 1.005 - 1e-3 <= found.radius <= 1.01 + 1e-3
    assert refused(mixed(140, 1.01))


def leaky_loop(gain, delay=3.0, extra=""):
    """A relaxing layer that hears itself `delay` later."""
    text = f"dx/dt = (z - x{extra})/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    cell = Population.from_text("cell", 2, text, {"tau": 2.0})
    back = Coupling("back", "cell", "cell", "x", OneToOne((2,)), "z", delay, initial=np.array([0.1, gain]))
    return System.of([cell], [back])


@pytest.mark.parametrize("gain", [0.99, 1.02, -0.99, -1.2])
def test_states_and_what_is_in_flight_count_together(gain):
    # One element, step dt: z = 1 - dt/tau + gain (dt/tau) z^-k, a polynomial of degree k + 1.
    step, k = 0.5, 6
    roots = np.roots([1, -(1 - step / 2), *np.zeros(k - 1), -gain * step / 2])
    found = judged(leaky_loop(gain), step)
    assert found.radius == pytest.approx(np.max(np.abs(roots)), rel=1e-9)
    assert refused(leaky_loop(gain), step) == (np.max(np.abs(roots)) > 1 + 5e-4)


def test_what_saturates_is_let_run_but_can_be_judged():
    saturating = leaky_loop(3.0, extra=" - x**3")
    assert not refused(saturating, 0.05)
    loops = DelayedLoops(saturating)
    assert loops.loops == (("cell",),)
    assert loops.linear == ()
    assert loops.verdict(("cell",), 0.05).grows
    assert not loops.verdict(("cell",), 0.05, about={"cell.x": np.array([2.0, 2.0])}).grows


def test_events_hold_what_grows():
    fires = Population.from_text(
        "cell",
        1,
        "dx/dt = (z - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)",
        {"tau": 1.0},
        events=[Event("spike", "x > 1", {"x": "0"})],
    )
    back = Coupling("back", "cell", "cell", "x", OneToOne((1,)), "z", 1.0, initial=np.array([3.0]))
    assert not refused(System.of([fires], [back]), 0.5)


def test_parameters_in_place_of_the_systems_own():
    system = leaky_loop(0.5)
    check_delayed_loops(system, 0.5)
    with pytest.raises(ParameterError, match="cell is unstable"):
        check_delayed_loops(system, 0.5, {"back": np.array([0.1, 2.0])})


def test_feed_forward_delays_are_no_loop():
    source = Population.from_text("in", 1, "u : 1 (input)")
    cell = Population.from_text("cell", 1, "z : 1 (arrival)")
    line = Coupling("w", "in", "cell", "u", OneToOne((1,)), "z", 3.0, initial=np.array([9.0]))
    system = System.of([source, cell], [line], {"in": Input("in", "u")}, {"y": Output("cell", "z")})
    assert DelayedLoops(system).loops == ()
    assert not refused(system)


def test_what_is_refused_does_grow_in_the_interpreter():
    system = leaky_loop(1.3)
    radius = judged(system, 0.5).radius
    started = System.of(
        [Population.from_text("cell", 2, system.populations["cell"].text, {"tau": 2.0, "x": 1.0})],
        system.couplings.values(),
    )
    x = Interpreter(started).run({}, 400, 0.5).fields["cell.x"][0, :, 1]
    assert (x[-1] / x[-101]) ** 0.01 == pytest.approx(radius, rel=1e-6)


def test_a_matrix_that_forgets_everything_has_radius_0():
    shift = sparse.diags_array(np.ones(499), offsets=-1).tocsr()
    assert fine_radius(shift).value == 0.0
    ring = (shift + sparse.csr_array(([0.5], ([0], [499])), (500, 500))).tocsr()
    assert fine_radius(ring).value == pytest.approx(0.5 ** (1 / 500), abs=5e-4)


def repeating(gain, delay, shunt=None, resistance=1e9):
    """A repeater both ways between two open lines, with a shunt behind it or none."""
    lines = [Line(name, 1, 1.0, delay, 1.0, False) for name in "abc"]
    parts = [Source("in", 1), Termination("s", 1, Resistor(resistance)), Repeater("r", 1, gain, gain), *lines[:2]]
    links = [Link("in", "s", operator=OneToOne((1,)), weights=np.ones(1)), *lines[0].links("s", "r:1")]
    if shunt:
        parts += [NonlinearShunt("d", 1, shunt, 0.2, 1.0), lines[2]]
        links += [*lines[1].links("r:2", "d:1"), *lines[2].links("d:2", "l")]
    else:
        links += lines[1].links("r:2", "l")
    return Network((*parts, Termination("l", 1, Resistor(resistance))), tuple(links), Readout("l", "u")).lower()


@pytest.mark.parametrize(("gain", "delay"), [(1.05, 1.0), (1.05, 50.0), (1.2, 300.0), (1.01, 600.0)])
def test_growth_of_long_lines_is_seen_however_slow_a_step(gain, delay):
    # A wave gains `gain` each time that it has passed both lines.
    found = judged(repeating(gain, delay))
    assert found.radius == pytest.approx(gain ** (1 / (2 * delay)), abs=1e-2 * (gain ** (1 / (2 * delay)) - 1))
    assert refused(repeating(gain, delay))
    assert not refused(repeating(1 / gain, delay))


def test_unequal_long_lines_are_followed_for_as_long_as_they_take():
    rng = np.random.default_rng(4)
    lossless = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    places = {211: slice(0, 2), 300: slice(2, 4)}
    for gain in (1.05, 0.95):
        system = network({(a, b): gain * lossless[places[a], places[b]] for a in places for b in places})
        assert judged(system).trip == 300
        assert refused(system) == (gain > 1)


@pytest.mark.parametrize("shunt", ["tanh", "saturable"])
def test_bounded_currents_do_not_hold_what_grows(shunt):
    system = repeating(3.0, 1.0, shunt, 5.0)
    assert DelayedLoops(system).linear == ()
    with pytest.raises(ParameterError, match=r"so large that .*'d' no longer counts"):
        check_delayed_loops(system, 1.0)
    # They carry |i| <= G V at most: what runs away with them does so as without them.
    y = Interpreter(system).run({"in": np.full((1, 1), 1e-3)}, 100, 1.0).outputs["y"][0, :, 0]
    assert abs(y[-1]) > 1e3
    assert not refused(repeating(0.9, 1.0, shunt, 5.0))


@pytest.mark.parametrize("shunt", ["sinh", "cubic", "diode"])
def test_currents_without_bound_may_hold(shunt):
    assert not refused(repeating(3.0, 1.0, shunt, 5.0))


def test_a_saturated_gain_holds_what_grows():
    text = "dx/dt = (2*tanh(z) - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"
    back = Coupling("back", "cell", "cell", "x", OneToOne((1,)), "z", 3.0, initial=np.array([3.0]))
    system = System.of([Population.from_text("cell", 1, text, {"tau": 2.0})], [back])
    assert DelayedLoops(system).verdict(("cell",), 0.5).grows
    assert not refused(system, 0.5)


def test_reactances_stepped_explicitly_are_named_as_a_cause():
    line = Line("a", 1, 50.0, 1e-9, 1.0, False)
    parts = (
        Source("in", 1),
        Termination("s", 1, Resistor(10.0)),
        line,
        Termination("l", 1, Resistor(5.0) + Inductor(20e-9)),
    )
    links = (Link("in", "s", operator=OneToOne((1,)), weights=np.ones(1)), *line.links("s", "l"))
    system = Network(parts, links, Readout("l", "u")).lower()
    with pytest.raises(ParameterError, match=r"of 'l' are stepped by integrator \"euler\".*\"trapezoidal\""):
        check_delayed_loops(system, 1e-9)


@pytest.mark.parametrize("transmission", [1.0, 0.9])
def test_sections_of_fractional_delays_hold_no_verdict_up(transmission):
    system = passive_network((100, 60, 10), delays=2.3, step=1.0, transmission=transmission).lower()
    (loop,) = DelayedLoops(system).loops
    assert DelayedLoops(system).verdict(loop, 1.0).passive


def test_sections_do_not_hide_gain():
    lines = [Line(name, 60, 1.0, 2.3, 1.0, False, step=1.0) for name in "ab"]
    rng = np.random.default_rng(0)
    parts = [Source("in", 60), Termination("s", 60, Resistor(1e9)), Repeater("r", 60, 1.1, 1.1)]
    parts += [TransformerBank("W", 60, 60, np.linalg.qr(rng.normal(size=(60, 60)))[0]), *lines]
    parts += [Line("c", 60, 1.0, 2.0, 1.0, False), Termination("l", 60, Resistor(1e9))]
    links = [Link("in", "s", operator=OneToOne((60,)), weights=np.ones(60)), *lines[0].links("s", "r:1")]
    links += [*lines[1].links("r:2", "W:1"), *parts[-2].links("W:2", "l")]
    found = judged(Network(tuple(parts), tuple(links), Readout("l", "u")).lower())
    assert not found.passive
    assert found.grows
