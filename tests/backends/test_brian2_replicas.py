"""Critical modes that are coupled through spikes in Brian2: locked in phase, and at the right frequency."""

import numpy as np
import pytest

pytest.importorskip("brian2", reason="the brian2 extra is not installed")

from physnn.analysis.spectrum import effective_frequency
from physnn.analysis.synchrony import frequency_spread, order_parameter
from physnn.errors import CapabilityError, ParameterError, ShapeError, UnknownNameError
from physnn.media import Network, Readout
from physnn.media.oscillators.critical import CriticalModes
from physnn.media.oscillators.critical_frequency import (
    effective_frequency_ratio,
    synchronising_couplings,
)
from physnn_brian2.replicas import SpikingModes, target_mode

OMEGA = (np.arange(10) + 0.5) / 5.0


def system_of(criticality, gamma=0.0, couplings=None, **options):
    if couplings is None:
        couplings = synchronising_couplings(OMEGA, gamma, 1.0, 2.0 * criticality)
    modes = CriticalModes("modes", 10, gamma, OMEGA, couplings, integrator="rk4")
    return Network([modes], [], Readout("modes", "a")).lower()


def starts(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 0.5, (count, 10)) * np.exp(2j * np.pi * rng.random((count, 10)))


@pytest.mark.parametrize("payload", [True, False])
def test_strong_coupling_locks_at_the_frequency_of_the_common_mode(payload):
    step = 0.04
    a = SpikingModes(system_of(0.5), "modes", starts(2), step, payload=payload).run(60.0)
    for phases in np.angle(a).transpose(0, 2, 1):
        late = order_parameter(phases)[len(a[0]) // 2 :]
        frequencies = effective_frequency(phases, step, start=30.0)
        assert late.min() > 0.999
        assert frequency_spread(frequencies) < 1e-3  # what phases still close in on each other after 4 periods
        # A spike is known to a step of 1/200 period, which moves the frequency by less than half of it.
        assert frequencies.mean() == pytest.approx(float(effective_frequency_ratio(0.5)), rel=0.0025)


def test_a_run_goes_on_where_it_ended_and_spikes_are_crossings():
    system, start = system_of(0.5), starts(1, 3)
    whole = SpikingModes(system, "modes", start, 0.05)
    path = whole.run(20.0)
    made = SpikingModes(system, "modes", start, 0.05)
    first = made.run(8.0)
    np.testing.assert_array_equal(np.concatenate([first[:, :-1], made.run(12.0)], axis=1), path)
    crossed = (path[:, :-1].imag < 0) & (path[:, 1:].imag >= 0) & (path[:, 1:].real > 0)
    np.testing.assert_array_equal(whole.counts, crossed.sum(axis=1))


def test_without_spikes_nothing_reaches_a_replica():
    made = SpikingModes(system_of(0.5), "modes", starts(1), 0.05)
    made.axons.thresholder["spike"].active = False
    path = made.run(4.0)
    assert np.abs(path).min() > 0.0
    assert not made.replicas.get("a").any()
    assert not made.modes.get("z").any()


def test_physical_time_changes_no_wave():
    paths = [SpikingModes(system_of(0.5), "modes", starts(1), 0.05, scale=s).run(12.0) for s in (1.0, 1e-3)]
    np.testing.assert_allclose(paths[1], paths[0], rtol=1e-9)  # rounding of times


def test_target_mode_is_what_couplings_were_solved_for():
    gamma = np.linspace(0.0, 1.0, 10)
    system = system_of(0.9, gamma)
    coupling = system.couplings["modes->modes"]
    found = target_mode(coupling, system.parameters[coupling.key], gamma, OMEGA)
    assert found == pytest.approx((1.8, 1.0), rel=1e-12)


class TestRefusals:
    def test_couplings_without_a_common_mode(self):
        couplings = synchronising_couplings(OMEGA, 0.0, 1.0, 1.0)
        couplings[0] *= 1.5
        with pytest.raises(CapabilityError, match="synchronising_couplings"):
            SpikingModes(system_of(0.5, couplings=couplings), "modes", starts(1), 0.05)

    def test_populations(self):
        with pytest.raises(UnknownNameError, match="did you mean 'modes'"):
            SpikingModes(system_of(0.5), "mode", starts(1), 0.05)
        with pytest.raises(CapabilityError, match="one coupling"):
            SpikingModes(system_of(0.5, couplings=np.zeros((10, 10))), "modes", starts(1), 0.05)

    def test_starts_and_steps(self):
        with pytest.raises(ShapeError, match=r"\(batch, 10\)"):
            SpikingModes(system_of(0.5), "modes", starts(1)[0], 0.05)
        with pytest.raises(ParameterError, match="above 0"):
            SpikingModes(system_of(0.5), "modes", starts(1), 0.0)
        with pytest.raises(ParameterError, match="stays for ever"):
            SpikingModes(system_of(0.5), "modes", np.zeros((1, 10)), 0.05)
