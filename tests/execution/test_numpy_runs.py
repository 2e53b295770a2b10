"""The executor on NumPy arrays against the plain interpreter: every medium and every feature of a System."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import NumericsError, ShapeError
from physnn.execution import Engine, NumpyArrays, Run
from physnn.testing.conformance import systems

CASES = {case.name: case for case in (*systems.media(), *systems.features())}
STEPS = 12
# A dozen steps of sums of a few hundred terms; amplitudes are scaled to one.
TOLERANCE = 1e-12


def run(system, inputs, steps, step, state=None, **options):
    engine = Engine(system.discrete, NumpyArrays())
    return Run(engine, system.parameters, inputs, step, 3, state, **options).advance(steps)


def assert_same(found, wanted, tolerance=TOLERANCE):
    for kind in ("fields", "sent", "outputs"):
        waves = getattr(wanted, kind)
        assert set(getattr(found, kind)) == set(waves)
        for name, wave in waves.items():
            scale = max(float(np.abs(wave).max()), 1.0)
            assert getattr(found, kind)[name].shape == wave.shape, name
            assert np.abs(getattr(found, kind)[name] - wave).max() <= tolerance * scale, name


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_step_is_the_interpreters(name):
    case = CASES[name]
    wanted = Interpreter(case.system, seed=3).run(case.inputs, STEPS, case.step)
    assert_same(run(case.system, case.inputs, STEPS, case.step), wanted)


@pytest.mark.parametrize("name", sorted(name for name, case in CASES.items() if case.stationary))
def test_stationary_states_are_the_interpreters(name):
    case = CASES[name]
    wanted = Interpreter(case.system).steady(case.inputs, 1e-14)
    found, _ = Engine(case.system, NumpyArrays()).steady(case.inputs, case.system.parameters, 1e-15)
    assert_same(found, wanted)


def test_a_run_can_be_continued_and_its_state_used_twice():
    case = CASES["delays"]
    whole = run(case.system, case.inputs, STEPS, case.step)
    first = run(case.system, case.inputs, 5, case.step)
    for _ in range(2):
        second = run(case.system, case.inputs, STEPS - 5, case.step, first.state)
        np.testing.assert_array_equal(second.outputs["y"], whole.outputs["y"][:, 5:])


def test_only_what_is_asked_for_is_recorded():
    case = CASES["loops"]
    found = run(case.system, case.inputs, STEPS, case.step, record=["y"])
    assert (set(found.fields), set(found.sent), set(found.outputs)) == (set(), set(), {"y"})


def test_numbers_that_are_not_finite_are_refused_without_a_warning(recwarn):
    case = CASES["complex states"]
    with pytest.raises(NumericsError, match="is not finite"):
        run(case.system, {"in": np.full((1, 3), 1e200)}, STEPS, case.step)
    assert not recwarn


def test_a_state_of_another_batch_is_refused():
    case = CASES["loops"]
    kept = run(case.system, case.inputs, 1, case.step).state
    with pytest.raises(ShapeError, match="a batch of 1"):
        run(case.system, case.part(slice(0, 1)), 1, case.step, kept)
