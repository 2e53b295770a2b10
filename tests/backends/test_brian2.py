"""Runs in Brian2: physical units, the user's own monitors, noise, batches, several substrates, snapshots, steps."""

import os
import subprocess
import sys

import numpy as np
import pytest

brian2 = pytest.importorskip("brian2", reason="the brian2 extra is not installed")

from physnn.equations import Coupling, Dense, Input, Interpreter, OneToOne, Output, Population, System  # noqa: E402
from physnn.errors import ParameterError, ShapeError  # noqa: E402
from physnn.media import Network, Source, Waveguide  # noqa: E402
from physnn.substrate.contract import CompanionSpec  # noqa: E402
from physnn.substrate.placement import place  # noqa: E402
from physnn.substrate.profiles import find_profile  # noqa: E402
from physnn_brian2 import Backend  # noqa: E402

IDEAL = find_profile("ideal-brian2")
RC = """
dv/dt = (I - v/R)/C : V
I : A   (arrival)
R : ohm (parameter)
C : F   (parameter)
"""
STEP = 0.05


def circuit(**values):
    """Two capacitors with leaks, driven by three currents."""
    cells = Population.from_text("cells", 2, RC, {"R": 2.0, "C": 0.5, "v": [0.1, -0.2], **values})
    drive = Population.from_text("in", 3, "u : A (input)")
    weights = np.array([[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]])
    coupling = Coupling("in->cells", "in", "cells", "u", Dense(2, 3), "I", initial=weights)
    return System.of([drive, cells], [coupling], {"in": Input("in", "u")}, {"y": Output("cells", "v")})


def noisy():
    equations = (
        "dx/dt = (z - x)/tau + D*xi + D*xi_slow*x/3 : 1\nz : 1 (arrival)\ntau : s (parameter)\nD : s**-0.5 (parameter)"
    )
    cells = Population.from_text("cells", 4, equations, {"tau": 1.0, "D": 0.4})
    drive = Population.from_text("in", 4, "u : 1 (input)")
    coupling = Coupling("in->cells", "in", "cells", "u", OneToOne((4,)), "z", initial=np.ones(4))
    return System.of([drive, cells], [coupling], {"in": Input("in", "u")}, {"y": Output("cells", "x")})


def built(system, profile=IDEAL, seed=0, step=STEP):
    return Backend().build(place(system, profile, seed=seed, step=step))


@pytest.fixture
def currents():
    return {"in": np.random.default_rng(0).normal(size=(3, 60, 3))}


@pytest.fixture
def milliseconds(make_profile):
    """An ideal chip whose model second lasts 2 ms."""
    return make_profile(kind="analog", medium={"time_constant": (2e-3, "s")})


class TestUnits:
    def test_a_monitor_of_the_users_own_sees_volts_and_seconds(self, currents):
        substrate = built(circuit())
        first = substrate.run(currents, 60 * STEP)
        monitor = brian2.StateMonitor(
            substrate.groups["cells"], "v", record=True, clock=substrate.groups["cells"].clock
        )
        substrate.network.add(monitor)
        second = substrate.run(currents, 60 * STEP)
        assert brian2.have_same_dimensions(monitor.v, brian2.volt)
        np.testing.assert_allclose(np.asarray(monitor.t / brian2.second), STEP * np.arange(60), atol=1e-12)
        seen = np.asarray(monitor.v / brian2.volt).reshape(3, 2, 60).swapaxes(1, 2)
        np.testing.assert_array_equal(seen, second.outputs["y"][:, :-1])
        np.testing.assert_array_equal(first.outputs["y"], second.outputs["y"])

    def test_the_equations_are_the_systems_own(self):
        substrate = built(circuit())
        (line,) = substrate.groups["cells"].user_equations.diff_eq_names
        assert line == "v"
        assert str(substrate.groups["cells"].user_equations["v"].unit) in ("volt", "V")
        assert len(substrate.groups["cells"]) == 2

    def test_a_medium_with_a_time_constant_runs_in_physical_time(self, currents, milliseconds):
        ideal, chip = built(circuit()), built(circuit(), milliseconds)
        wanted = ideal.run(currents, 60 * STEP)
        _ = chip.network
        chip.run(currents, 60 * STEP)
        group = chip.groups["cells"]
        monitor = brian2.StateMonitor(group, "v", record=True, clock=group.clock)
        chip.network.add(monitor)
        found = chip.run(currents, 60 * STEP)
        np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(np.asarray(monitor.t), 2e-3 * STEP * np.arange(60), atol=1e-12)
        # R C is 1 s of model time, 2 ms on the chip; ohms and volts are what they are.
        assert np.allclose(group.R[:] * group.C[:] / brian2.ms, 2.0) and np.allclose(group.R[:] / brian2.ohm, 2.0)
        seen = np.asarray(monitor.v).reshape(3, 2, 60).swapaxes(1, 2)
        np.testing.assert_allclose(seen, found.outputs["y"][:, :-1], rtol=1e-12)

    def test_equations_that_brian2_finds_inconsistent_run_as_plain_numbers(self):
        """A power that is a parameter has a unit that Brian2 cannot tell; the System has checked it otherwise."""
        text = "dx/dt = (u - abs(x)**p)/tau : 1\nu : 1 (input)\np : 1 (parameter)\ntau : s (parameter)"
        cells = Population.from_text("cells", 3, text, {"p": [1.0, 1.5, 2.0], "tau": 1.0, "x": 0.5})
        system = System.of([cells], [], {"u": Input("cells", "u")}, {"y": Output("cells", "x")})
        given = {"u": np.ones((2, 3))}
        wanted = Interpreter(system).run(given, 30, STEP).outputs["y"]
        np.testing.assert_allclose(built(system).run(given, 30 * STEP).outputs["y"], wanted, rtol=1e-13)


class TestRuns:
    def test_noise_is_the_interpreters(self):
        given = {"in": np.ones((3, 4))}
        substrate = built(noisy(), seed=5)
        for run in range(2):
            wanted = Interpreter(noisy(), seed=5 + (run << 32)).run(given, 50, STEP).outputs["y"]
            np.testing.assert_allclose(substrate.run(given, 50 * STEP).outputs["y"], wanted, rtol=1e-12)

    def test_noise_in_physical_time(self, milliseconds):
        given = {"in": np.ones((2, 4))}
        wanted = built(noisy(), seed=3).run(given, 50 * STEP).outputs["y"]
        np.testing.assert_allclose(
            built(noisy(), milliseconds, seed=3).run(given, 50 * STEP).outputs["y"], wanted, rtol=1e-12
        )

    def test_a_run_in_three_parts(self):
        given = {"in": np.ones((3, 4))}
        whole = built(noisy(), seed=1).run(given, 60 * STEP).outputs["y"]
        substrate, state, found = built(noisy(), seed=1), None, []
        for steps in (7, 33, 20):
            trace = substrate.run(given, steps * STEP, state)
            state = trace.state
            found.append(trace.outputs["y"][:, :steps])
        np.testing.assert_array_equal(np.concatenate(found, axis=1), whole[:, :60])

    def test_batches_of_many_sizes_in_one_substrate(self, currents):
        """More sizes than networks are kept for, back and forth."""
        substrate = built(circuit())
        rng = np.random.default_rng(2)
        for batch in (1, 5, 2, 1, 3, 4, 6, 7, 8, 9, 10, 11, 1, 5):
            given = {"in": rng.normal(size=(batch, 3))}
            wanted = Interpreter(circuit()).run(given, 5, STEP).outputs["y"]
            np.testing.assert_allclose(substrate.run(given, 5 * STEP).outputs["y"], wanted, rtol=1e-12, atol=1e-15)

    def test_two_substrates_side_by_side(self, currents):
        """Taking turns, they give what each gives alone."""
        others = {"in": -2 * currents["in"]}
        alone = [built(circuit()).run(currents, 3.0), built(circuit(R=5.0)).run(others, 3.0)]
        one, two = built(circuit()), built(circuit(R=5.0))
        states, found = [None, None], [[], []]
        for turn in range(3):
            part = slice(20 * turn, 20 * turn + 20)
            for k, (substrate, inputs) in enumerate(((one, currents), (two, others))):
                trace = substrate.run({"in": inputs["in"][:, part]}, 1.0, states[k])
                states[k] = trace.state
                found[k].append(trace.outputs["y"][:, :20])
        for k in range(2):
            np.testing.assert_array_equal(np.concatenate(found[k], axis=1), alone[k].outputs["y"][:, :60])

    def test_a_state_for_another_batch(self, currents):
        substrate = built(circuit())
        state = substrate.run(currents, 1.0).state
        with pytest.raises(ShapeError, match="a batch of 2, the state to be continued one of 3"):
            substrate.run({"in": currents["in"][:2]}, 1.0, state)

    def test_no_steps_at_all(self, currents):
        trace = built(circuit()).run(currents, 0.0)
        np.testing.assert_array_equal(trace.outputs["y"], [[[0.1, -0.2]]] * 3)

    def test_the_reflected_wave_runs_beside_the_incident_one(self):
        """It leaves the incident run as it is, and goes back through the weights that were written last."""
        layers = Network.layered((Source("in", 3), Waveguide("a", 4), Waveguide("b", 2)))
        substrate = built(layers.lower(0))
        given = {"in": np.random.default_rng(4).normal(size=(2, 3))}
        trace = substrate.run(given, 2.0)
        incident = trace.outputs["y"].copy()

        def reflected():
            return substrate.companion(CompanionSpec(), trace).run({"y": trace.outputs["y"]}).fields

        first, second = reflected(), reflected()
        assert np.array_equal(incident, substrate.run(given, 2.0).outputs["y"])
        assert all(np.array_equal(wave, second[key]) for key, wave in first.items())
        substrate.write({"a->b": 2 * substrate.read()["a->b"]})
        into_a = [key for key in first if key.startswith("a.") and np.any(first[key])]
        third = reflected()
        assert into_a and any(np.any(first[key] != third[key]) for key in into_a)

    def test_snapshot_and_restore(self):
        given = {"in": np.ones((2, 4))}
        substrate = built(noisy(), seed=2)
        substrate.run(given, 1.0)
        kept = substrate.snapshot()
        wanted = substrate.run(given, 1.0).outputs["y"]
        substrate.write({"in->cells": 3 * np.ones(4)})
        changed = substrate.run(given, 1.0).outputs["y"]
        substrate.restore(kept)
        found = substrate.run(given, 1.0).outputs["y"]
        assert np.array_equal(found, wanted) and not np.array_equal(found, changed)
        assert np.array_equal(substrate.read()["in->cells"], np.ones(4))


def test_weights_that_change_while_it_runs_are_the_interpreters():
    hebb = "dw/dt = k*pre*post : 1\npre : 1 (input)\npost : 1 (input)\nk : 1/s (parameter)"
    rule = Population.from_text("rule", (2, 3), hebb, {"k": 0.5})
    ends = [
        Population.from_text("src", 3, "u : 1 (input)"),
        Population.from_text("out", 2, "y = z : 1\nz : 1 (arrival)"),
    ]
    wire = Coupling("w", "src", "out", "u", Dense(2, 3), "z", initial=np.ones((2, 3)), plasticity=rule, post="y")
    system = System.of(ends, [wire], {"u": Input("src", "u")}, {"y": Output("out", "y")})
    given = {"u": np.array([[0.3, -0.2, 0.1], [0.1, 0.4, -0.3]])}
    step = 0.1
    wanted = Interpreter(system).run(given, 10, step).outputs["y"]
    assert np.ptp(wanted) > 0.005, "the weights have changed"
    np.testing.assert_allclose(built(system, step=step).run(given, 10 * step).outputs["y"], wanted, rtol=1e-12)


class TestRefusals:
    def test_a_step_beyond_the_limit_of_stability(self, currents):
        """Explicit Euler takes 2 R C = 2 s at most."""
        with pytest.raises(ParameterError, match=r"time step 2.5 s is too long .* step of at most 2 s"):
            built(circuit(), step=2.5).run({"in": currents["in"][:, 0]}, 25.0)
        built(circuit(), step=1.9).run({"in": currents["in"][:, 0]}, 19.0)


QUIET = """
import gc, sys
import numpy as np
from physnn.media import Network, Source, Waveguide
from physnn.substrate import build
network = Network.layered((Source("in", 3), Waveguide("a", 4), Waveguide("b", 2)))
substrate = build(network, "ideal-brian2", step=0.1)
substrate.network
for batch in range(1, 12):
    trace = substrate.run({"in": np.ones((batch, 3))}, 0.5)
del substrate
gc.collect()
"""


def test_quiet(tmp_path):
    """No warnings, nothing on the terminal, no files in the folder or of logs."""
    said = subprocess.run(
        [sys.executable, "-c", QUIET],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == "" and said.stderr == ""
    assert list(tmp_path.iterdir()) == []
