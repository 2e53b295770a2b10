"""Where the energy of a run goes."""

from dataclasses import replace

import numpy as np
import pytest

from physnn.equations import Interpreter, OneToOne
from physnn.errors import CapabilityError, ParameterError
from physnn.media import Link, Network, Readout, Source, Waveguide
from physnn.media.impedances import (
    Balance,
    Capacitor,
    DirectionalCoupler,
    Dispersion,
    Inductor,
    Line,
    Repeater,
    Resistor,
    Shunts,
    Stub,
    Termination,
    energy_balance,
    passive_network,
)

EXACT = 1e-13  # sums over some hundred steps in float64


def noise(network, steps, seed=0, **state):
    shape = network.lower().populations["in"].shape
    return np.random.default_rng(seed).normal(size=(2, steps, *shape))


@pytest.mark.parametrize("kind", ["sinh", "saturable", "duffing"])
@pytest.mark.parametrize("options", [{}, {"transmission": 0.9, "delays": 2.3, "step": 1.0}])
def test_what_is_delivered_is_burnt_or_stored(kind, options):
    network = passive_network((2, 3, 2), (1.0, 2.0, 0.7), shunts=Shunts(kind), drive=5.0, **options)
    trace = Interpreter(network.lower()).run({"in": noise(network, 60)}, 60, 1.0)
    balance = energy_balance(network, trace)
    assert balance.error < EXACT
    assert np.sum(balance.dissipated["load"]) > 0
    assert (np.sum(balance.dissipated["line0"]) > 0) == bool(options)


def mixed(integrator="trapezoidal"):
    """Coupler, repeater, dispersion, fraction, stub and reactive loads."""
    ends = [
        Termination("left", 2, Resistor(1.3)),
        Termination("idle", 2, Resistor(0.4)),
        Termination("coil", 2, Resistor(0.5) + Inductor(30.0), integrator=integrator),
        Termination("stub", 2, Resistor(0.5) | Stub(1.3, 2.0, transmission=0.9)),
    ]
    lines = [
        Line("line1", 2, [1.0, 2.0], 2.5, 0.95, step=1.0),
        Line("line2", 2, 1.4, 2.0),
        Line("line3", 2, 0.8, 4.5, 0.9, step=1.0, dispersion=Dispersion(2, 1.2)),
        Line("line4", 2, 2.0, 1.0),
        Line("line5", 2, 1.0, 3.0, 0.9),
    ]
    ways = [("left", "part:1"), ("idle", "part:2"), ("part:3", "coil"), ("part:4", "amp:1"), ("amp:2", "stub")]
    enter = Link("in", "left", operator=OneToOne((2,)), weights=np.ones(2))
    links = [enter, *(link for line, way in zip(lines, ways, strict=True) for link in line.links(*way))]
    junctions = DirectionalCoupler("part", 2, 0.3), Repeater("amp", 2, 1.2, 0.3, limit=1.0)
    return Network((Source("in", 2), *ends, *lines, *junctions), links, Readout("coil", "u"))


def test_couplers_repeaters_and_reactances_are_balanced():
    network = mixed()
    balance = energy_balance(network, Interpreter(network.lower()).run({"in": noise(network, 80)}, 80, 1.0))
    assert balance.error < EXACT
    assert np.sum(balance.supplied["amp"]) > 0
    for kind in (balance.delivered, balance.dissipated, balance.stored):
        assert all(value.shape == (2, 2) for value in kind.values())
    assert np.max(np.abs(balance.integrator["coil"])) < EXACT * np.sum(balance.delivered["left"])


def test_heat_is_that_of_resistors():
    """R i^2 of the currents that were recorded, whatever the rest of the circuit takes up."""
    network = mixed()
    trace = Interpreter(network.lower()).run({"in": noise(network, 80)}, 80, 1.0)
    state = trace.fields["coil.i_L"]
    between = (state[:, 1:] + state[:, :-1]) / 2
    burnt = energy_balance(network, trace).dissipated["coil"]
    np.testing.assert_allclose(burnt, 0.5 * np.sum(between**2, axis=1), rtol=1e-12)


def test_what_an_explicit_integrator_makes_is_shown_and_missing():
    """An inductance stepped by explicit Euler gets L di^2/2 a step from nowhere."""
    network = mixed("euler")
    trace = Interpreter(network.lower()).run({"in": noise(network, 80)}, 80, 1.0)
    balance = energy_balance(network, trace)
    made = 15.0 * np.sum(np.diff(trace.fields["coil.i_L"], axis=1) ** 2, axis=1)
    np.testing.assert_allclose(balance.integrator["coil"], made, rtol=1e-11)
    np.testing.assert_allclose(balance.residual, -np.sum(made, axis=-1), rtol=1e-10)
    assert balance.error > 1e-3


def test_runs_that_continue_each_other_add_up():
    network = mixed()
    interpreter, drive = Interpreter(network.lower()), noise(network, 40)
    whole = energy_balance(network, interpreter.run({"in": drive}, 40, 1.0))
    first = interpreter.run({"in": drive[:, :15]}, 15, 1.0)
    second = interpreter.run({"in": drive[:, 15:]}, 25, 1.0, first.state)
    both = energy_balance(network, first) + energy_balance(network, second)
    for kind in ("delivered", "supplied", "dissipated", "stored", "integrator"):
        for part, value in getattr(whole, kind).items():
            np.testing.assert_allclose(getattr(both, kind)[part], value, rtol=1e-12, atol=1e-13)


def test_stored_is_what_is_in_flight():
    """One pulse of 1 V in a line of 3 ohm: 1/3 W for a step, on its way for three steps and then burnt in the load."""
    line, ends = Line("line", 1, 3.0, 3.0), [Termination(name, 1, Resistor(3.0)) for name in ("left", "right")]
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    network = Network((Source("in", 1), *ends, line), (enter, *line.links("left", "right")), Readout("right", "u"))
    interpreter, drive = Interpreter(network.lower()), np.zeros((1, 8, 1))
    drive[:, 0] = 2.0
    for steps, stored, burnt in ((1, 1 / 3, 0.0), (3, 1 / 3, 0.0), (4, 0.0, 1 / 3)):
        balance = energy_balance(network, interpreter.run({"in": drive[:, :steps]}, steps, 1.0))
        assert balance.stored["line"].item() == pytest.approx(stored, abs=1e-15)
        assert balance.dissipated["right"].item() == pytest.approx(burnt, abs=1e-15)
        assert balance.delivered["left"].item() == pytest.approx(2 / 3)


def test_a_series_circuit_charges_its_capacitor():
    """A step of voltage into R and C: half of what comes in is stored in the end, C e^2/2."""
    ends = (
        Termination("left", 1, Resistor(1.0)),
        Termination("right", 1, Resistor(2.0) + Capacitor(0.8), integrator="trapezoidal"),
    )
    line = Line("line", 1, 1.0, 0.01)
    enter = Link("in", "left", operator=OneToOne((1,)), weights=np.ones(1))
    network = Network((Source("in", 1), *ends, line), (enter, *line.links("left", "right")), Readout("right", "u"))
    trace = Interpreter(network.lower()).run({"in": np.ones((1, 1))}, 1500, 0.01)
    balance = energy_balance(network, trace)
    assert balance.error < EXACT
    assert balance.stored["right"].item() == pytest.approx(0.4, rel=5e-3)  # exp(-15/2.4) is left


def test_the_values_of_the_run_count():
    network = passive_network((2, 2))
    system = network.lower()
    learnt = {"line0.Z0": np.full(3, 5.0)}
    trace = Interpreter(system, learnt).run({"in": noise(network, 20)}, 20, 1.0)
    assert energy_balance(network, trace, learnt).error < EXACT
    assert energy_balance(network, trace).error > 1e-3


def test_traces_that_are_not_whole_or_not_of_this_network_are_refused():
    network, other = passive_network((2, 2)), passive_network((2, 2, 2))
    trace = Interpreter(network.lower()).run({"in": noise(network, 5)}, 5, 1.0)
    with pytest.raises(ParameterError, match=r"has no .* and \d+ more; run this network with everything recorded"):
        energy_balance(network, replace(trace, fields={}))
    with pytest.raises(ParameterError, match=r"has no 'load\.b'; run"):
        energy_balance(network, replace(trace, fields={k: v for k, v in trace.fields.items() if k != "load.b"}))
    with pytest.raises(ParameterError, match=r"has no .*; run"):
        energy_balance(network, replace(trace, sent={}))
    with pytest.raises(ParameterError, match="is not that of this network"):
        energy_balance(other, trace)
    beyond = Interpreter(other.lower()).run({"in": noise(other, 5)}, 5, 1.0)
    with pytest.raises(ParameterError, match="is not that of this network"):
        energy_balance(network, beyond)
    wide = passive_network((3, 3))
    with pytest.raises(ParameterError, match="is not that of this network"):
        energy_balance(network, Interpreter(wide.lower()).run({"in": noise(wide, 5)}, 5, 1.0))


def test_what_has_no_balance_is_refused():
    network = passive_network((2, 2))
    with pytest.raises(ParameterError, match="stationary"):
        energy_balance(network, Interpreter(network.lower()).steady({"in": np.ones((1, 2))}))
    layered = Network.layered([Source("in", 2), Waveguide("out", 2)])
    with pytest.raises(CapabilityError, match=r"'out'.*Waveguide"):
        energy_balance(layered, Interpreter(layered.lower()).run({"in": np.ones((1, 2))}, 3, 0.1))


def test_a_missing_joule_is_seen():
    balance = Balance({"a": np.ones((1, 2))}, {}, {"b": np.ones((1, 2))}, {})
    assert balance.error == 0.0
    assert replace(balance, dissipated={"b": np.full((1, 2), 0.5)}).error == pytest.approx(1 / 3)
