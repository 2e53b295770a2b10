"""What built meshes get wrong: first orders in closed form, dies that stay the same, curves."""

import numpy as np
import pytest
from scipy.stats import unitary_group

from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.realisation import (
    Imperfections,
    MatrixMesh,
    MeshPhases,
    built,
    decompose,
    decompose_matrix,
    error_curve,
    fidelity,
    mismatch_curve,
    normalised_error,
    passive_bank,
    path_lengths,
    unitary,
)
from physnn.realisation.imperfections import missing_share
from physnn.substrate.profiles import find_profile

SIZE = 8
WANTED = unitary_group.rvs(SIZE, random_state=0)
ONE = decompose_matrix(WANTED)
ANY = np.random.default_rng(0).normal(size=(6, SIZE))
TWO = decompose_matrix(ANY)


def test_perfect_interferometers_give_the_matrix():
    np.testing.assert_allclose(built(ONE, Imperfections(), SIZE, SIZE), WANTED, atol=1e-12)
    np.testing.assert_allclose(built(TWO, Imperfections(), 6, SIZE), ANY, atol=1e-12 * TWO.gain)


@pytest.mark.parametrize(
    ("quantity", "slope"), [("phase_error", np.sqrt(SIZE)), ("coupler_error", np.sqrt(2 * (SIZE - 1)))]
)
def test_small_errors_add_up_in_power(quantity, slope):
    """A unitary before and behind keeps the size of an error: each phase adds its square, each coupler twice its own.

    Rms over 200 dies, of which each scatters by some 20 %: 4 % is three standard deviations.
    """
    rms = 1e-5
    given = Imperfections(**{quantity: rms})
    errors = [normalised_error(built(ONE, given, SIZE, SIZE, seed=seed), WANTED) for seed in range(200)]
    assert np.sqrt(np.mean(np.square(errors))) / rms == pytest.approx(slope, rel=0.04)


def test_equal_losses_shrink_and_unequal_paths_distort():
    loss = 0.2
    die = built(ONE, Imperfections(loss=loss), SIZE, SIZE)
    fewest, most = path_lengths("rectangular", SIZE)
    assert (fewest, most) == (SIZE // 2, SIZE)
    sizes = np.linalg.svd(die, compute_uv=False)
    amplitudes = 10 ** (-loss * np.array([most, fewest]) / 20)
    assert amplitudes[0] <= sizes.min() and sizes.max() <= amplitudes[1]
    assert 0 < 1 - fidelity(die, WANTED) < 1e-3
    assert path_lengths("triangular", SIZE) == (1, 2 * SIZE - 3)
    skewed = built(MatrixMesh(decompose(WANTED, "triangular"), 1.0), Imperfections(loss=loss), SIZE, SIZE)
    assert 1 - fidelity(skewed, WANTED) > 3 * (1 - fidelity(die, WANTED))


def test_rounded_phases_err_as_a_uniform_draw_does():
    step, squares = 2 * np.pi / 2**10, []
    for seed in range(40):
        wanted = unitary_group.rvs(SIZE, random_state=seed)
        die = built(decompose_matrix(wanted), Imperfections(phase_bits=10), SIZE, SIZE)
        squares.append(normalised_error(die, wanted) ** 2)
    # a square scatters by some 40 % between matrices, its mean over 40 by 6 %
    assert np.mean(squares) == pytest.approx(step**2 / 12 * SIZE, rel=0.2)


def test_crosstalk_turns_neighbours_alone():
    """One heater is on; what it heats are its neighbours, by its share."""
    share, given = 0.01, Imperfections(crosstalk=0.01)
    one, off = np.array([1.0, 0, 0, 0, 0, 0]), np.zeros(6)
    outer = MeshPhases(off, one, np.zeros(4))  # the other shifter of its own, and the interferometer below
    heated = MeshPhases(share * one / 2, one + share * np.roll(one, 1), np.zeros(4))
    np.testing.assert_allclose(built(MatrixMesh(outer, 1.0), given, 4, 4), unitary(heated), atol=1e-12)
    inner = MeshPhases(one / 2, off, np.zeros(4))
    heated = MeshPhases(one / 2 + share * np.roll(one, 1) / 2, share * one, np.zeros(4))
    np.testing.assert_allclose(built(MatrixMesh(inner, 1.0), given, 4, 4), unitary(heated), atol=1e-12)
    ends = MeshPhases(off, off, np.array([0.0, 1.0, 0.0, 0.0]))
    heated = MeshPhases(off, off, np.array([share, 1.0, share, 0.0]))
    np.testing.assert_allclose(built(MatrixMesh(ends, 1.0), given, 4, 4), unitary(heated), atol=1e-12)


def test_the_same_seed_is_the_same_die():
    given = Imperfections(loss=0.1, coupler_error=0.02, phase_error=0.01, crosstalk=0.005, phase_bits=8)
    dies = [built(TWO, given, 6, SIZE, seed=seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(dies[0], dies[1])
    assert normalised_error(dies[2], dies[0]) > 1e-3


def test_curves_start_at_nothing_and_grow():
    for quantity in ("loss", "coupler_error", "phase_error", "crosstalk"):
        points = error_curve(TWO, ANY, quantity, [0.0, 0.01, 0.02, 0.04])
        assert points[0].error < 1e-12
        assert np.all(np.diff([point.error for point in points]) > 0)
    bank = passive_bank(ANY / 10)
    points = mismatch_curve(bank, bank.transmission, [0.0, 0.01, 0.1])
    assert points[0].error < 1e-12
    assert np.all(np.diff([point.error for point in points]) > 0)


def test_fidelity_does_not_see_a_common_factor():
    assert fidelity(0.3 * np.exp(2j) * WANTED, WANTED) == pytest.approx(1.0, abs=1e-12)
    assert fidelity(unitary_group.rvs(SIZE, random_state=1), WANTED) < 0.5


def test_a_profile_gives_its_own():
    own = Imperfections.of(find_profile("photonic-mzi"))
    assert own == Imperfections(loss=0.2, coupler_error=0.02, phase_error=5e-3, crosstalk=5e-3, phase_bits=8)
    assert Imperfections.of(find_profile("ideal-waveguide")) == Imperfections()


@pytest.mark.parametrize(
    "given", [{"loss": -1.0}, {"crosstalk": np.nan}, {"phase_error": "x"}, {"phase_bits": 0}, {"phase_bits": 8.5}]
)
def test_bad_imperfections_are_refused(given):
    with pytest.raises(ParameterError, match=f"imperfections: {next(iter(given))}"):
        Imperfections(**given)


@pytest.mark.parametrize("kind", [np.float32, np.float64, int])
def test_numbers_of_any_kind_are_numbers(kind):
    assert Imperfections(loss=kind(1)).loss == 1.0
    with pytest.raises(ParameterError):
        Imperfections(loss=True)


def test_curves_without_dies_or_of_another_shape_are_refused():
    with pytest.raises(ParameterError, match="no die"):
        error_curve(ONE, WANTED, "loss", [0.1], seeds=[])
    bank = passive_bank(np.eye(2) / 2)
    with pytest.raises(ParameterError, match="no die"):
        mismatch_curve(bank, np.eye(2) / 2, [0.1], seeds=[])
    for value in (np.nan, -1.0):
        with pytest.raises(ParameterError, match="spread of turns ratios"):
            mismatch_curve(bank, np.eye(2) / 2, [value])
    with pytest.raises(ShapeError, match=r"8 lines out and 8 in is no matrix of shape \(3, 3\)"):
        error_curve(ONE, np.eye(3), "loss", [0.1])
    with pytest.raises(UnknownNameError, match="did you mean 'triangular'"):
        path_lengths("triangle", 4)
    with pytest.raises(ParameterError, match="at least 1"):
        path_lengths("triangular", 0)


def test_errors_that_are_no_numbers_are_not_zero():
    assert np.isnan(missing_share(np.nan)) and missing_share(1.0 + 1e-15) == 0.0
    assert fidelity(np.zeros((2, 2)), np.eye(2)) == 0.0
    for measure in (fidelity, normalised_error):
        with pytest.raises(ParameterError, match="zero everywhere"):
            measure(np.eye(2), np.zeros((2, 2)))


def test_unknown_curves_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'crosstalk'"):
        error_curve(ONE, WANTED, "cross-talk", [0.1])
