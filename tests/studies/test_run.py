"""Running a study: records are kept, taken up again, and never taken for those of another training."""

import json
import math

import pytest

from physnn.errors import CapabilityError, ExperimentError
from physnn.studies import STUDIES
from physnn.studies.run import held, run_tasks
from physnn.studies.study import Line, Task


def halved(number: float) -> dict:
    return {"half": number / 2, "nothing": math.nan}


def refused(number: float) -> dict:
    raise CapabilityError("there is no energy")


def broken(number: float) -> dict:
    return {"half": 1 / 0}


def counted(number: float, folder: str) -> dict:
    with open(f"{folder}/calls", "a") as file:
        file.write("x")
    return {"number": number}


def test_records_in_the_order_of_tasks(tmp_path):
    tasks = [Task(name, run, {"number": 3.0}) for name, run in (("a", halved), ("b", refused), ("c", broken))]
    records = run_tasks(tasks, tmp_path / "new", workers=2)
    assert list(records) == ["a", "b", "c"]
    assert (records["a"]["status"], records["a"]["half"], records["a"]["nothing"]) == ("done", 1.5, None)
    assert (records["b"]["status"], records["b"]["reason"]) == ("refused", "there is no energy")
    assert (records["c"]["status"], records["c"]["reason"]) == ("failed", "ZeroDivisionError: division by zero")
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == records["a"]


def test_what_is_there_is_not_run_again_unless_something_else_is_asked(tmp_path):
    def asked(number: float) -> Task:
        return Task("one", counted, {"number": number, "folder": str(tmp_path)})

    for number, calls in ((1.0, 1), (1.0, 1), (2.0, 2), (2.0, 2), (1.0, 3)):
        assert run_tasks([asked(number)], tmp_path / "out", workers=1)["one"]["number"] == number
        assert len((tmp_path / "calls").read_text()) == calls


def test_a_failed_training_is_run_anew_and_a_refused_one_is_not(tmp_path):
    tasks = [Task("b", refused, {"number": 1.0}), Task("c", broken, {"number": 1.0})]
    run_tasks(tasks, tmp_path, workers=1)
    assert list(held(tasks, tmp_path)) == ["b"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match="choose another"):
        run_tasks([Task("a", halved, {"number": 1.0})], tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("least", "most", "measured", "met"),
    [
        (None, None, (0.1,), None),
        (0.5, None, (0.4, 0.6), True),
        (0.5, None, (0.4, 0.5), False),
        (None, 70.0, (60.0,), True),
        (None, 70.0, (80.0,), False),
        (0.5, None, (), False),
    ],
)
def test_a_line_holds_the_mean_against_its_bounds(least, most, measured, met):
    assert Line("x", measured, least, most).met is met


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_names_its_records_apart_and_makes_a_table_of_none(name):
    study = STUDIES[name]
    assert study.name == name
    keys = [task.key for task in study.tasks(study.seeds)]
    assert keys and len(set(keys)) == len(keys)
    lines = list(study.lines({}))
    assert lines and not any(line.met for line in lines)
