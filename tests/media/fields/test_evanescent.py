"""The evanescent field: exact decay where the conductor is simple, and what holds for any conductor."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter, Output, System
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.media.fields import EvanescentField


def run(field, start, steps, dt):
    ports = {"psi": Input("f", "psi")}
    system = System.of([field.lower()], field.inner(0), ports, {"y": Output("f", "psi")})
    return Interpreter(system).run({"psi": start}, steps, dt).outputs["y"][:, :, 0]


@pytest.mark.parametrize("edges", ["periodic", "clamped"])
@pytest.mark.parametrize("shape", [7, (4, 5)])
def test_in_a_plain_conductor_everything_decays_at_sigma(shape, edges):
    field = EvanescentField("f", shape, 1.7, 0.0, 1.7, spacing=0.6, edges=edges)
    start = np.random.default_rng(0).normal(size=(2, *field.nodes))
    if edges == "periodic":
        start -= start.mean(axis=(2, 3), keepdims=True)
    found = run(field, start, 30, 0.02)
    wanted = start[:, 0][:, None] * ((1 - 1.7 * 0.02) ** np.arange(31))[None, :, None, None]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_constant_potential_carries_no_charge_and_stays():
    field = EvanescentField("f", (4, 5), np.random.default_rng(1).uniform(1, 2, (4, 5)), 0.1, 1.0)
    np.testing.assert_allclose(run(field, np.full((1, 1, 4, 5), 3.0), 10, 0.05), 3.0, atol=1e-12)


@pytest.mark.parametrize("edges", ["periodic", "clamped"])
def test_field_energy_falls_in_any_conductor(edges):
    """Joule heat: d/dt 1/2 |grad psi|^2 = -J E <= 0 wherever sigma is positive."""
    rng = np.random.default_rng(2)
    root = rng.normal(size=(2, 2, 6, 5))
    xx, xy, yy = (np.einsum("kij,kij->ij", root[:, a], root[:, b]) for a, b in ((0, 0), (0, 1), (1, 1)))
    field = EvanescentField("f", (6, 5), xx, xy, yy, edges=edges)
    # The mean of psi has no field; explicit steps lower the energy for dt below 2 over the largest eigenvalue.
    psi = run(field, rng.normal(size=(1, 1, 6, 5)), 200, 0.5 / (xx + yy).max())[0]
    frame = {"mode": "wrap"} if edges == "periodic" else {"mode": "constant"}
    padded = np.pad(psi, [(0, 0), (1, 1), (1, 1)], **frame)
    begin = 0 if edges == "clamped" else 1
    down, right = np.diff(padded, axis=1)[:, begin:, 1:-1], np.diff(padded, axis=2)[:, 1:-1, begin:]
    energy = 0.5 * (np.sum(down**2, axis=(1, 2)) + np.sum(right**2, axis=(1, 2)))
    assert np.all(np.diff(energy) <= 1e-12 * energy[0])
    assert energy[-1] < 0.5 * energy[0]


def test_turning_the_conductor_turns_the_field():
    rng = np.random.default_rng(3)
    xx, xy, yy = rng.uniform(1, 2, (5, 6)), rng.uniform(-0.5, 0.5, (5, 6)), rng.uniform(1, 2, (5, 6))
    start = rng.normal(size=(1, 1, 5, 6))
    upright = run(EvanescentField("f", (5, 6), xx, xy, yy), start, 20, 0.05)
    lying = run(EvanescentField("f", (6, 5), yy.T, xy.T, xx.T), np.swapaxes(start, 2, 3), 20, 0.05)
    np.testing.assert_allclose(lying, np.swapaxes(upright, 2, 3), atol=1e-12)
    mirrored = run(EvanescentField("f", (5, 6), xx[:, ::-1], -xy[:, ::-1], yy[:, ::-1]), start[..., ::-1], 20, 0.05)
    np.testing.assert_allclose(mirrored, upright[..., ::-1], atol=1e-12)


def test_in_one_dimension_each_place_decays_on_its_own():
    """psi_xt = -Sigma psi_x where no current crosses the whole: a field that is 0 but in one conductor each."""
    sigma = np.where(np.arange(40) < 20, 1.0, 3.0)
    place = np.arange(40)
    hump = np.where(np.abs(place - 10) < 5, 1 + np.cos(np.pi * (place - 10) / 5), 0.0)
    start = (hump + np.roll(hump, 20))[None, None, None]
    found = run(EvanescentField("f", 40, sigma), start, 10, 0.01)[0, :, 0]
    before, after = np.diff(start[0, 0, 0]), np.diff(found[10])
    np.testing.assert_allclose(after[4:15], before[4:15] * 0.99**10, atol=1e-12)
    np.testing.assert_allclose(after[24:35], before[24:35] * 0.97**10, atol=1e-12)


def test_what_is_refused():
    with pytest.raises(ParameterError, match=r"eigenvalue -1"):
        EvanescentField("f", (4, 4), 1.0, 2.0, 1.0)
    with pytest.raises(ShapeError, match="one potential"):
        EvanescentField("f", (2, 4, 4))
    with pytest.raises(UnknownNameError, match="'absorbing'"):
        EvanescentField("f", (4, 4), edges="absorbing")
    with pytest.raises(UnknownNameError, match="did you mean 'Sxx'"):
        EvanescentField("f", (4, 4), trainable=("sxx",))
