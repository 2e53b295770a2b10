"""Matrices placed on profiles: counts, losses, costs, refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import unitary_group

from physnn.analysis import impedance
from physnn.errors import CapabilityError, NumericsError, ParameterError, ProfileError, UnknownNameError
from physnn.realisation import MatrixMesh, PassiveBank, realise
from physnn.substrate.profile_optics import insertion_loss, laser_power
from physnn.substrate.profiles import find_profile

MESH, BOARD = find_profile("photonic-mzi"), find_profile("rf-transmission-line")


def random(*shape):
    return np.random.default_rng(shape).normal(size=shape)


def test_a_mesh_is_counted_and_paid_for():
    found = realise(random(10, 16), MESH)
    assert found.how == "interferometer mesh" and isinstance(found.device, MatrixMesh)
    assert (found.elements, found.depth, found.settings) == (45 + 120 + 10, 27, 2 * 165 + 10 + 10)
    assert found.error < 1e-12
    assert (found.loss.low, found.loss.typical, found.loss.high) == insertion_loss(MESH, 27)
    assert (found.laser.low, found.laser.typical, found.laser.high) == laser_power(MESH, 16, 27)
    heat = found.device.heated / (2 * np.pi) * MESH.power.weight.value
    assert found.holding.typical == pytest.approx(heat)
    assert found.writing.typical == pytest.approx(found.settings / 2 * MESH.energy.weight_write.value)
    assert found.gain.typical == pytest.approx(20 * math.log10(np.linalg.norm(random(10, 16), 2)))
    assert found.repeaters == 10
    assert found.amplifying.typical == pytest.approx(10 * MESH.power.repeater.value)
    assert 0.0 < found.die_error < 1.0 and found.die_error == pytest.approx(math.sqrt(1 - found.die_fidelity))


def test_a_unitary_takes_one_mesh_and_no_gain():
    found = realise(unitary_group.rvs(6, random_state=0), "photonic-mzi")
    assert (found.elements, found.depth, found.gain.high, found.repeaters) == (15, 6, 0.0, 0)
    assert found.amplifying.typical == 0.0


def test_dies_differ_by_their_seed_alone():
    first, again, other = (realise(random(4, 4), MESH, seed=seed).die_error for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("size", [96, 200])
def test_a_mesh_that_loses_too_much_is_refused_with_the_decibels(size):
    """L = depth IL + IL_mod against 10 log10(P eta / (n P_det)), from the profile's numbers."""
    medium, depth = MESH.medium, 2 * size + 1
    lost = depth * medium.mzi_loss.value + medium.modulator_loss.value
    light = medium.laser_limit.value * medium.laser_efficiency.value / (size * medium.detector_power.value)
    over = lost - 10 * math.log10(light)
    assert over > 0
    with pytest.raises(CapabilityError, match=f"{lost:.1f} dB.*{over:.1f} dB less: cut the matrix") as caught:
        realise(random(size, size), MESH)
    assert "\n" not in str(caught.value)
    with pytest.raises(CapabilityError):
        laser_power(MESH, size, depth)


def test_the_largest_mesh_that_fits_is_built():
    assert realise(random(64, 64), MESH).laser.typical < MESH.medium.laser_limit.value


def test_a_bank_makes_good_the_loss_of_its_line():
    loss = BOARD.medium.line_loss
    wanted = random(5, 8)
    wanted *= 0.5 / np.linalg.norm(wanted, 2)
    found = realise(wanted, BOARD)
    assert found.how == "transformer bank" and isinstance(found.device, PassiveBank)
    assert (found.elements, found.repeaters, found.gain.high) == (40, 0, 0.0)
    assert found.laser is None and found.use is None  # a class-A amplifier has no energy of its own per use
    assert found.loss.typical == loss.value and found.error < 1e-12
    kept = 10 ** (-loss.value / 20)
    across = impedance.transformer_bank(found.device.turns, 50.0, 50.0)[8:, :8]
    np.testing.assert_allclose(kept * across, wanted, atol=1e-12)
    assert found.holding.typical == pytest.approx(40 * BOARD.power.weight.value)


def test_what_is_above_the_bound_needs_repeaters():
    loss = BOARD.medium.line_loss
    found = realise(2 * np.eye(4), BOARD)
    for end, lost in (("low", loss.low), ("typical", loss.value), ("high", loss.high)):
        assert getattr(found.gain, end) == pytest.approx(20 * math.log10(2) + lost)
    assert found.repeaters == 4 and found.error < 1e-12
    assert found.amplifying.typical == pytest.approx(4 * BOARD.power.repeater.value)


@pytest.mark.parametrize(("profile", "lost"), [("rf-transmission-line", 2.0), ("photonic-mzi", 0.0)])
def test_more_gain_takes_more_stages_and_more_power(profile, lost):
    """A stage of 20 dB each; from 60 dB on the read noise of 1e-3 would fill the scale."""
    price = find_profile(profile).power.repeater.value
    for decibels, stages in ((15.0, 1), (35.0, 2), (55.0, 3)):
        found = realise(10 ** ((decibels - lost) / 20) * np.eye(3), profile)
        assert found.gain.typical == pytest.approx(decibels)
        assert (found.repeaters, found.stages.typical) == (3, stages)
        assert found.amplifying.typical == pytest.approx(3 * stages * price)
    with pytest.raises(CapabilityError, match=r"gain of 75.0 dB, and 60.0 dB already.*scale the matrix down"):
        realise(10 ** ((75.0 - lost) / 20) * np.eye(3), profile)
    with pytest.raises(CapabilityError, match="scale the matrix down"):
        realise(1e20 * np.eye(3), profile)


@pytest.mark.parametrize(("above", "repeaters"), [(0.005, 0), (0.02, 2)])
def test_a_gain_below_a_hundredth_of_a_decibel_is_none(above, repeaters):
    for profile, lost in ((MESH, 0.0), (BOARD, BOARD.medium.line_loss.value)):
        found = realise(10 ** ((above - lost) / 20) * np.eye(2), profile)
        assert found.repeaters == repeaters
        assert found.gain.typical == pytest.approx(above if repeaters else 0.0)
        assert found.stages.typical == (1 if repeaters else 0)


@pytest.mark.parametrize("profile", [MESH, "ideal-waveguide"])
def test_a_unitary_in_single_precision_needs_no_gain(profile):
    wanted = np.linalg.qr(random(16, 16))[0].astype(np.float32)
    found = realise(wanted, profile)
    assert (found.repeaters, found.gain.high) == (0, 0.0)
    assert found.error < 1e-5
    if profile is MESH:
        assert (found.elements, found.depth) == (120, 16)


def test_numbers_that_leave_double_precision_are_refused():
    with pytest.raises(ParameterError, match="near lines: an impedance is not from 1e-09 to 1e"):
        realise(np.eye(2) / 4, "ideal-waveguide", near=[1e300, 50.0], far=50.0)
    with pytest.raises(ParameterError, match="far lines"):
        realise(np.eye(2) / 4, "ideal-waveguide", near=50.0, far=[1e-300, 50.0])
    found = realise(np.eye(2) / 4, "ideal-waveguide")
    with pytest.raises(NumericsError, match="its die_error is no finite number"):
        replace(found, die_error=math.nan)


def test_an_ideal_profile_costs_nothing_it_knows_of():
    found = realise(np.eye(3) / 2, "ideal-waveguide")
    assert found.gain.high == found.loss.high == found.repeaters == 0
    assert found.holding is found.writing is found.settling is found.amplifying is None
    assert found.die_error == found.error < 1e-12


def test_impedances_of_a_bank():
    wanted = random(3, 2) / 4
    found = realise(wanted, "ideal-waveguide", near=[50.0, 100.0], far=[75.0, 50.0, 25.0])
    np.testing.assert_allclose(found.device.transmission, wanted, atol=1e-12)
    with pytest.raises(ParameterError, match="guides are matched: leave out impedances"):
        realise(wanted, MESH, near=50.0)
    with pytest.raises(CapabilityError, match=r"turns ratio of .*, its weights reach 2"):
        realise(5 * np.eye(2), BOARD, near=1.0, far=100.0)


@pytest.mark.parametrize("profile", ["loihi-1", "cpu-x86"])
def test_what_has_no_lines_is_refused(profile):
    with pytest.raises(CapabilityError, match="no lines to scatter waves: take"):
        realise(np.eye(2), profile)


def test_bad_matrices_are_refused():
    with pytest.raises(ParameterError, match="zero everywhere"):
        realise(np.zeros((3, 3)), MESH)
    with pytest.raises(ParameterError, match="do not turn phases"):
        realise(1j * np.eye(3), BOARD)
    with pytest.raises(UnknownNameError, match="did you mean 'photonic-mzi'"):
        realise(np.eye(3), "photonic-mz")


def test_a_mesh_without_a_light_budget_is_refused():
    bare = MESH.model_copy(update={"medium": MESH.medium.model_copy(update={"laser_limit": None})})
    with pytest.raises(ProfileError, match="light budget"):
        realise(np.eye(3), bare)
