"""Spiking cells: when they fire, how they rest, what a spike does, and their rates in limits that have other forms."""

import numpy as np
import pytest

from physnn.equations import Interpreter, OneToOne
from physnn.errors import EquationError, ParameterError, ShapeError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.catalogue.spiking import ENTRIES
from physnn.media.spiking import LIF, AdaptiveLIF, TwoCompartmentLIF
from physnn.substrate.registry import find_backend
from physnn.testing.answers.spiking import surrogate_gradient
from physnn.testing.conformance.bench import Bench, reflected_gradient
from physnn.testing.conformance.systems import BATCH, Case, draw

STEP = 1e-4


def driven(cells, current, steps, **others):
    """Trace of one cell under a constant current."""
    values = {"z": current, **others}
    sources = [Source(f"to {into}", 1) for into in values]
    links = [Link(f"to {i}", "cells", into=i, operator=OneToOne((1,)), weights=np.ones(1)) for i in values]
    system = Network([*sources, cells], links, Readout("cells", "spike")).lower()
    return Interpreter(system).run({f"to {i}": np.full((1, 1), v) for i, v in values.items()}, steps, STEP)


def test_first_spike_comes_in_the_step_in_which_the_potential_passes_the_threshold():
    trace = driven(LIF("cells", 1), 1.5, 300)
    crossing = 0.02 * np.log(1.5 / 0.5)
    first = np.flatnonzero(trace.fields["cells.spike"][0, :, 0])[0]
    assert first == np.ceil(crossing / STEP)
    times = STEP * np.arange(first)
    climbed = 1.5 * (1 - np.exp(-times / 0.02))
    np.testing.assert_allclose(trace.fields["cells.v"][0, :first, 0], climbed, rtol=1e-12)  # exact but for rounding


def test_a_cell_rests_for_its_refractory_time_and_no_longer():
    v = driven(LIF("cells", 1), 2.0, 300).fields["cells.v"][0, :, 0]
    spike = np.flatnonzero(np.diff(v) < 0)[0] + 1
    assert not v[spike : spike + 21].any()  # 2 ms are 20 steps
    assert v[spike + 21] > 0


def test_current_of_a_synapse_goes_on_while_the_cell_rests():
    trace = driven(LIF("cells", 1, synapse=0.005), 3.0, 400)
    times = STEP * np.arange(401)
    assert trace.fields["cells.spike"].any()
    np.testing.assert_allclose(trace.fields["cells.i"][0, :, 0], 3.0 * (1 - np.exp(-times / 0.005)), atol=1e-12)


@pytest.mark.parametrize(("before", "after", "lift"), [(0.02, 0.02, 0.3), (0.02, 0.04, 0.15)])
def test_a_weight_is_the_potential_that_one_spike_adds(before, after, lift):
    parts = [Source("in", 1), LIF("first", 1, time_constant=before), LIF("second", 1, time_constant=after)]
    one = {"operator": OneToOne((1,))}
    links = [Link("in", "first", weights=np.ones(1), **one), Link("first", "second", weights=np.full(1, 0.3), **one)]
    system = Network(parts, links, Readout("second", "v")).lower()
    y = Interpreter(system).run({"in": np.full((1, 1), 1.5)}, 250, STEP).outputs["y"][0, :, 0]
    # The pulse lasts a step, in which the potential leaks by up to half of step/tau.
    assert y.max() == pytest.approx(lift, rel=STEP / after)


def test_threshold_rises_by_beta_with_every_spike():
    trace = driven(AdaptiveLIF("cells", 1, adaptation=0.5, adaptation_time=1e6), 4.0, 1000)
    v, b = trace.fields["cells.v"][0, :, 0], trace.fields["cells.b"][0, :, 0]
    fired = np.flatnonzero(np.diff(b) > 0.5)
    np.testing.assert_allclose(b[fired + 1], 1 + np.arange(fired.size), rtol=1e-6)  # decay over 0.1 s of 10^6 s
    assert fired.size >= 4
    # Below the threshold before the step of the spike, and less than one step's climb, 4/200, below it.
    assert np.all((1 + 0.5 * b[fired] - v[fired] > 0) & (1 + 0.5 * b[fired] - v[fired] < 4 / 200))


def test_a_spike_leaves_the_apical_compartment_alone():
    trace = driven(TwoCompartmentLIF("cells", 1), 1.5, 400, z_apical=1.5)
    v, a = trace.fields["cells.v"][0, :, 0], trace.fields["cells.a"][0, :, 0]
    spike = np.flatnonzero(np.diff(v) < 0)[0]
    assert v[spike] > 0.98
    assert abs(a[spike + 1] - a[spike]) < 2 * STEP / 0.02  # it moves by less than (1.5 + 0.5) step/tau


class TestRates:
    def test_limits_of_the_closed_form(self):
        cells = LIF("cells", 1)
        np.testing.assert_array_equal(cells.rate([-1.0, 0.0, 1.0]), 0.0)
        # Strong currents leave the refractory time and the climb tau/I.
        assert cells.rate(1e6) == pytest.approx(1 / (0.002 + 0.02 / 1e6), rel=1e-9)

    def test_without_adaptation_a_cell_is_a_plain_one(self):
        currents = [0.5, 1.01, 1.5, 5.0]
        plain = LIF("cells", 1).rate(currents)
        np.testing.assert_allclose(AdaptiveLIF("cells", 1, adaptation=0.0).rate(currents), plain, rtol=1e-10)

    def test_slow_adaptation_is_a_constant_threshold(self):
        """b hardly moves between spikes, b = tau_b f - 1/2, so that the rate is that of a cell of that threshold."""
        cells = AdaptiveLIF("cells", 1, adaptation=1e-3, adaptation_time=20.0)
        rate = float(cells.rate(2.0))
        threshold = 1 + 1e-3 * (20.0 * rate - 0.5)
        assert rate == pytest.approx(float(LIF("cells", 1).rate(2.0 / threshold)), rel=1e-5)  # (T/tau_b)^2 is 1e-6

    def test_compartments_that_are_not_joined(self):
        currents = [0.5, 1.5, 3.0]
        apart = TwoCompartmentLIF("cells", 1, to_soma=0.0, to_apical=0.3)
        np.testing.assert_allclose(apart.rate(currents, 2.0), LIF("cells", 1).rate(currents), rtol=1e-10)

    def test_an_apical_compartment_that_only_drives_is_a_current_and_a_leak(self):
        cells = TwoCompartmentLIF("cells", 1, to_soma=0.6, to_apical=0.0)
        same = LIF("cells", 1, time_constant=0.02 / 1.6)
        current, apical = np.array([1.5, 1.5, 2.5]), np.array([0.0, 1.0, 0.5])
        np.testing.assert_allclose(cells.rate(current, apical), same.rate((current + 0.6 * apical) / 1.6), rtol=1e-9)

    def test_rates_of_unlike_cells(self):
        cells = AdaptiveLIF("cells", 2, time_constant=[0.02, 0.01])
        single = [AdaptiveLIF("cells", 1, time_constant=tau).rate(2.0) for tau in (0.02, 0.01)]
        np.testing.assert_allclose(cells.rate(2.0), single, rtol=1e-12)


def test_surrogate_gradient_is_its_definition():
    (answer,) = surrogate_gradient()
    assert answer.holds


@pytest.mark.parametrize("name", ENTRIES)
def test_registered_cells_fire_and_everything_in_them_learns(name):
    entry = ENTRIES[name]
    system = entry.build().lower(seed=7)
    inputs = {port: draw(name, BATCH, *system.populations[i.population].shape) for port, i in system.inputs.items()}
    case = Case(name, system, inputs, entry.step, entry.steps)
    bench = Bench(find_backend("torch"))
    substrate = bench.build(system, step=case.step)
    assert bench.run(substrate, inputs, case.steps).fields["cells.spike"].any()
    slopes = reflected_gradient(bench, case, substrate, steady=False)
    assert set(slopes) == set(system.trainable)
    assert all(np.any(slope) for slope in slopes.values())


class TestRefusals:
    @pytest.mark.parametrize("size", [0, -1, 1.5, False])
    def test_sizes(self, size):
        with pytest.raises(ShapeError, match="whole number"):
            LIF("cells", size)

    @pytest.mark.parametrize(
        ("cells", "field", "value"),
        [
            (LIF, "time_constant", 0.0),
            (LIF, "refractory", -1e-3),
            (LIF, "synapse", np.nan),
            (AdaptiveLIF, "adaptation", -0.1),
            (AdaptiveLIF, "adaptation_time", [0.1, 0.0]),
            (TwoCompartmentLIF, "apical_time", "slow"),
            (TwoCompartmentLIF, "to_soma", -1.0),
            (TwoCompartmentLIF, "to_apical", np.inf),
        ],
    )
    def test_values_out_of_range(self, cells, field, value):
        with pytest.raises(ParameterError, match=r"cells 'c'.* must be finite and (above 0|at least 0)"):
            cells("c", 2, **{field: value})

    def test_unknown_trainable(self):
        with pytest.raises(UnknownNameError, match="did you mean 'tau'"):
            LIF("cells", 1, trainable=("tau_s",))
        with pytest.raises(UnknownNameError, match="known: tau"):
            LIF("cells", 1, trainable=("t_ref",))

    def test_a_surrogate_that_cannot_be_read(self):
        with pytest.raises(EquationError, match="surrogate"):
            LIF("cells", 1, surrogate="1/(1 + slack**2)").lower()
