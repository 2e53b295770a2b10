"""Excitable media and cables: rest, threshold, spread, and stationary voltages."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, OneToOne, Output, System
from physnn.errors import ParameterError, UnknownNameError
from physnn.media import Link, Network, Readout, Source
from physnn.media.fields import Cable, ExcitableField


def run(field, start, steps, dt):
    ports = {"psi": Input("f", "psi")}
    system = System.of([field.lower()], field.inner(0), ports, {"y": Output("f", "wave")})
    return Interpreter(system).run({"psi": start}, steps, dt).outputs["y"][0, :, 0]


@pytest.mark.parametrize(("kick", "end"), [(0.09, 0.0), (0.11, 1.0)])
def test_a_kick_above_the_threshold_excites_and_one_below_dies(kick, end):
    found = run(ExcitableField("f", (2, 3), recovery=0.0), np.full((1, 1, 2, 3), kick), 800, 0.25)
    np.testing.assert_allclose(found[-1], end, atol=1e-3)  # 200 s at a rate of at least 0.09/s from 0.01 away


def test_an_excited_spot_spreads_and_recovers():
    start = np.zeros((1, 1, 15, 15))
    start[..., 4:11, 4:11] = 1.0
    found = run(ExcitableField("f", (15, 15), 0.5, recovery=0.01), start, 800, 0.25)
    assert found[:, 0, 0].max() > 0.8
    assert np.abs(found[-1]).max() < 0.3
    np.testing.assert_allclose(found, found[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2), atol=1e-12)


def test_diffusion_conserves_what_nothing_excites():
    start = np.random.default_rng(0).random((1, 1, 4, 5))
    found = run(ExcitableField("f", (4, 5), rate=0.0, edges="periodic"), start, 100, 0.1)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), start.sum(), rtol=1e-12)
    assert np.ptp(found[-1]) < 0.01


def settled(cable, drive):
    link = Link("in", "cable", operator=OneToOne(cable.nodes), weights=np.ones(cable.nodes))
    network = Network((Source("in", cable.nodes), cable), (link,), Readout("cable", "V"))
    return network.lower(), {"in": drive}


@pytest.mark.parametrize("edges", ["free", "clamped", "periodic"])
def test_stationary_voltage_solves_the_cable_equation(edges):
    rng = np.random.default_rng(1)
    drive = rng.normal(size=(2, 1, 1, 8))
    system, inputs = settled(Cable("cable", 8, 1.3, edges=edges, spacing=0.7), drive)
    found = Interpreter(system).steady(inputs).outputs["y"][:, -1, 0, 0]
    second = -2 * np.eye(8) + np.eye(8, k=1) + np.eye(8, k=-1)
    if edges == "free":
        second[0, 1] = second[-1, -2] = 2.0
    if edges == "periodic":
        second[0, -1] = second[-1, 0] = 1.0
    wanted = np.linalg.solve(np.eye(8) - (1.3 / 0.7) ** 2 * second, drive[:, 0, 0].T).T
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_a_run_ends_where_the_stationary_state_is():
    drive = np.random.default_rng(2).normal(size=(1, 1, 3, 4))
    system, inputs = settled(Cable("cable", (3, 4), 1.5, 0.5), drive)
    oracle = Interpreter(system)
    np.testing.assert_allclose(
        oracle.run(inputs, 1500, 0.02).outputs["y"][:, -1], oracle.steady(inputs).outputs["y"][:, -1], atol=1e-9
    )


def test_an_isolated_node_leaks_with_its_time_constant():
    system = System.of(
        [Cable("cable", 3, 0.0, 2.0).lower()],
        Cable("cable", 3, 0.0).inner(0),
        {"V": Input("cable", "V")},
        {"y": Output("cable", "V")},
    )
    found = Interpreter(system).run({"V": np.ones((1, 1, 1, 3))}, 10, 0.3).outputs["y"][0, :, 0, 0, 1]
    np.testing.assert_allclose(found, np.exp(-0.15 * np.arange(11)), rtol=1e-12)  # the exponential step is exact


def test_what_is_refused():
    with pytest.raises(UnknownNameError, match="'absorbing'"):
        ExcitableField("f", 4, edges="absorbing")
    with pytest.raises(ParameterError, match="diffusion"):
        ExcitableField("f", 4, diffusion=-1.0)
    with pytest.raises(UnknownNameError, match="did you mean 'eps'"):
        ExcitableField("f", 4, trainable=("ep",))
    with pytest.raises(ParameterError, match="time constant"):
        Cable("cable", 4, time_constant=0.0)
    with pytest.raises(ParameterError, match="length constant"):
        Cable("cable", 4, -1.0)
    with pytest.raises(UnknownNameError, match="trainable parameter of cable"):
        Cable("cable", 4, trainable=("V",))
