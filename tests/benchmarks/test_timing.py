"""Comparable times: work is told from waiting, in turn, by one thread."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from physnn.benchmarks.figure import Figure
from physnn.benchmarks.timing import Spread, interleaved, machine, ratios
from physnn.errors import CapabilityError, ParameterError


def test_calls_take_turns_after_one_call_each():
    made: list[str] = []
    times = interleaved({"a": lambda: made.append("a"), "b": lambda: made.append("b")}, 3)
    assert "".join(made) == "ab" + 3 * "ab"
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}


def test_waiting_is_no_work():
    """A sleep of 50 ms takes next to no CPU time; counting for 50 ms does."""

    def count():
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    times = interleaved({"wait": lambda: time.sleep(0.05), "count": count}, 2)
    assert max(times["wait"]) < 0.025 < 0.05 <= min(times["count"])


def test_the_help_of_other_threads_is_refused():
    def count(_):
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    with ThreadPoolExecutor(1) as pool, pytest.raises(CapabilityError, match="OMP_NUM_THREADS=1"):
        interleaved({"helped": lambda: list(pool.map(count, range(2)))}, 2)


def test_at_least_one_round():
    with pytest.raises(ParameterError, match="0 rounds"):
        interleaved({}, 0)


def test_spreads():
    spread = Spread.of([4.0, 1.0, 2.0, 3.0, 5.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 3.0, 4.0)
    assert spread.times(10).high == 40.0
    per = spread.per(12.0)
    assert (per.low, per.median, per.high) == (3.0, 4.0, 6.0)
    assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 2.0]).median == 2.0


@pytest.mark.parametrize(
    ("value", "most", "met"), [(2.0, None, None), (2.0, 2.0, True), (2.1, 2.0, False), (None, 2.0, False)]
)
def test_what_is_not_measured_keeps_no_promise(value, most, met):
    spread = None if value is None else Spread(value, value, value)
    assert Figure("group", "what", spread, "1", most).met is met


def test_the_machine_is_described():
    facts = machine()
    assert facts["numpy"] == np.__version__ and int(facts["cores"]) >= 1 and facts["processor"]
