"""The matrix: what a pair's record holds, how records become results, what makes a record another one."""

from dataclasses import asdict, replace
from typing import get_args

import pytest

from physnn.errors import CapabilityError, UnknownNameError
from physnn.experiments.pool import ENDED
from physnn.learning.alignment import Alignment
from physnn.report import records, summarise
from physnn.studies.matrix import Matrix, measure, runnable_profiles
from physnn.studies.recipes import RECIPES, Trial, find_recipe
from physnn.substrate.profile_schema import Profile
from physnn.substrate.profiles import find_profile
from physnn.substrate.registry import backend_names

SMALL = (6, 6)


def measured(rule, profile, target=0.5, epochs=1):
    values = find_profile(profile).model_dump(mode="json")
    settings = asdict(replace(find_recipe(rule).settings, epochs=epochs))
    return measure(rule, values, "digits-parity", 0, SMALL, settings, target)


@pytest.fixture(scope="module")
def on_photonics():
    return measured("reflected-wave", "photonic-mzi")


def test_the_reflected_wave_of_an_ideal_medium_is_the_gradient():
    found = measured("reflected-wave", "ideal-waveguide")
    aligned = found["gradient_cosine"]
    for when in ("per_layer_start", "per_layer_end"):
        assert aligned[when] == pytest.approx([1.0, 1.0, 1.0], abs=1e-9)  # float64, solved to 1e-9
    assert aligned["label"] == "native" and "reason" not in aligned
    assert aligned["layers"] == ["hidden1", "hidden2", "output"]
    assert found["energy"]["inference_J"] is None and found["energy"]["to_target_J"] is None
    assert 0.5 < found["accuracy"]["test"] <= 1.0


def test_a_device_has_energies_and_a_part_of_them_leads_to_the_target(on_photonics):
    energy = on_photonics["energy"]
    assert 0 < energy["inference_J"]["typical"] < energy["to_target_J"]["typical"]
    # One epoch of the training part against one of training + validation: 3/4 of the samples.
    ratio = energy["to_target_J"]["typical"] / energy["training_J"]["typical"]
    assert ratio == pytest.approx(0.75, abs=0.02)


def test_a_target_that_is_not_reached_has_no_energy():
    found = measured("reflected-wave", "photonic-mzi", target=1.0)
    assert found["energy"]["to_target_J"] is None and found["energy"]["training_J"] is not None


def test_a_pair_is_refused_for_what_the_medium_lacks():
    with pytest.raises(CapabilityError, match="a medium keeps no record of its operations"):
        measured("autograd", "ideal-waveguide")


def test_digital_readouts_start_afresh_in_both_trainings():
    """The accuracy on validation data is that after one training, whatever was trained before."""
    first, second = (measured("oja", "ideal-waveguide") for _ in range(2))
    assert first["accuracy"] == second["accuracy"]
    untrained = measured("oja", "ideal-waveguide", epochs=0)["accuracy"]
    assert untrained["validation"] < first["accuracy"]["validation"]


def test_without_a_reference_gradient_the_cosine_alone_is_missing(monkeypatch):
    told = Alignment(1.0, None, "events without a declared slope have no gradient")
    monkeypatch.setattr(Trial, "aligned", lambda trial, probe: told)
    found = measured("reflected-wave", "ideal-waveguide")
    aligned = found["gradient_cosine"]
    assert aligned["per_layer_start"] is None and aligned["per_layer_end"] is None
    assert aligned["reason"] == "events without a declared slope have no gradient"
    assert found["accuracy"]["test"] > 0.5


def test_profiles_that_can_run_here():
    names = runnable_profiles()
    kinds = [find_profile(name).kind for name in names]
    order = ("ideal", "processor", "analog", "event")
    assert kinds == sorted(kinds, key=order.index) and kinds[0] == "ideal"
    assert all(set(find_profile(name).backends) & set(backend_names()) for name in names)
    assert set(order) == set(get_args(Profile.model_fields["kind"].annotation))


def test_all_rules_with_a_recipe_on_all_profiles_by_default():
    matrix = Matrix(seeds=(0, 1))
    cells = matrix.cells()
    assert len(cells) == len(RECIPES) * len(runnable_profiles()) * 2
    assert {cell.rule for cell in cells} == set(RECIPES)
    assert all(cell.train_on == cell.run_on for cell in cells)
    keys = [task.key for task in matrix.tasks()]
    assert len(set(keys)) == len(keys) == len(cells) + 2


@pytest.mark.parametrize("wrong", [{"dataset": "digit"}, {"rules": ("reflected",)}, {"profiles": ("ideal",)}])
def test_unknown_names_are_told_before_anything_runs(wrong):
    with pytest.raises(UnknownNameError):
        Matrix(**wrong)


def test_what_decides_a_record_is_in_its_fingerprint(tmp_path):
    def prints(**changed):
        given = {"rules": ("reflected-wave",), "profiles": ("photonic-mzi",), **changed}
        return {task.function.__name__: task.fingerprint for task in Matrix(**given).tasks()}

    first = prints()
    assert prints() == first
    assert prints(epochs=3)["measure"] != first["measure"] and prints(epochs=3)["controls"] == first["controls"]
    assert prints(target_accuracy=0.8)["measure"] != first["measure"]
    assert prints(hidden=(16, 16))["controls"] != first["controls"]


def test_records_become_results(on_photonics):
    """What has not run is left out; a bare refusal or failure gets the empty tables; controls come by seed."""
    matrix = Matrix(rules=("reflected-wave", "autograd"), profiles=("photonic-mzi", "ideal-torch"))
    done, refused, failed, _ = (cell.key for cell in matrix.cells())
    given = {
        "digits-parity-controls-0": {"status": "done", "linear": 0.925, "frozen": 0.894},
        done: {"key": done, "fingerprint": "f", "status": "done", "wall_s": 1.0, **on_photonics},
        refused: {"key": refused, "status": "refused", "reason": "couplings are one-way", "wall_s": 0.1},
        failed: {"key": failed, "status": "failed", "reason": ENDED},
    }
    results = matrix.results(given)
    assert [cell["status"] for cell in results["cells"]] == ["done", "refused", "failed"]
    assert all(set(cell) == set(results["cells"][0]) for cell in results["cells"])
    first, second = summarise(results)[:2]
    assert (first.rule, first.run_on, first.accuracy) == (
        "reflected-wave",
        "photonic-mzi",
        on_photonics["accuracy"]["test"],
    )
    assert first.linear == 0.925 and second.accuracy is None
    assert records(results)[2]["reason"] == ENDED
    assert results["experiment"]["recipes"]["autograd"]["epochs"] == find_recipe("autograd").settings.epochs
