"""Meshes of interferometers as Systems: what they pass, backwards as well, gradients of phases, learning."""

import numpy as np
import pytest
from scipy.stats import unitary_group

from physnn.equations import Interpreter, OneToOne, companion_inputs, gradient, input_gradient, reflected
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.learning import Objective, ReflectedWave
from physnn.media import Attenuators, Link, Mesh, Network, Readout, Source, SquaredError
from physnn.realisation import MeshPhases, decompose
from physnn.realisation.rectangular import propagate
from physnn.substrate import build

ROUNDING = 1e-12


def system(mesh, expression="y"):
    return network(mesh, expression).lower()


def network(mesh, expression="y"):
    wire = Link("in", mesh.name, operator=OneToOne(mesh.shape), weights=np.ones(mesh.shape), trainable=False, wire=True)
    return Network((Source("in", mesh.shape), mesh), (wire,), Readout(mesh.name, expression))


def passed(mesh, light):
    return Interpreter(system(mesh)).steady({"in": light}, 1e-14).outputs["y"][:, -1]


def phases_of(mesh, ratio=1.0):
    return MeshPhases(mesh.theta * ratio, mesh.phi * ratio, mesh.phase * ratio, mesh.layout)


@pytest.mark.parametrize("layout", ["rectangular", "triangular"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_mesh_is_the_unitary_it_was_made_for(size, layout):
    wanted = unitary_group.rvs(size, random_state=size) if size > 1 else np.array([[1j]])
    found = decompose(wanted, layout)
    mesh = Mesh("mesh", size, found.theta, found.phi, found.phase, layout=layout)
    matrix = passed(mesh, np.eye(size)).T
    np.testing.assert_allclose(matrix, wanted, atol=ROUNDING)
    np.testing.assert_allclose(matrix.conj().T @ matrix, np.eye(size), atol=ROUNDING)


def test_loss_couplers_and_wavelengths():
    errors = 0.1 * np.random.default_rng(0).normal(size=(2, 6))
    colours = (0.95, 1.0, 1.1)
    mesh = Mesh("mesh", 4, phase=[0.1, 0.2, 0.3, 0.4], loss=0.5, coupler_errors=errors, wavelengths=colours)
    light = np.random.default_rng(1).normal(size=(2, 3, 4))
    out = passed(mesh, light)
    for place, colour in enumerate(colours):
        matrix = propagate(phases_of(mesh, 1 / colour), np.full(6, 10 ** (-0.5 / 20)), errors)
        np.testing.assert_allclose(out[:, place], light[:, place] @ matrix.T, atol=ROUNDING)


def test_an_interferometer_by_hand():
    """Cross and bar: sin^2 and cos^2 of half the inner phase."""
    mesh = Mesh("mesh", 2, [0.3], [0.0])
    powers = np.abs(passed(mesh, np.eye(2))) ** 2
    np.testing.assert_allclose(powers, [[np.sin(0.3) ** 2, np.cos(0.3) ** 2], [np.cos(0.3) ** 2, np.sin(0.3) ** 2]])


def test_light_takes_its_time_through_every_column():
    """Lines that meet no interferometer in a column are as long as those that do."""
    late, size = 2, 3
    mesh = Mesh("mesh", size, delay=0.1 * late)
    pulse = np.zeros((size, 15, size))
    pulse[np.arange(size), 1, np.arange(size)] = 1.0
    out = Interpreter(system(mesh)).run({"in": pulse}, 15, 0.1).outputs["y"]
    when = 1 + late * size
    np.testing.assert_allclose(out[:, when], passed(mesh, np.eye(size)), atol=ROUNDING)
    assert np.all(out[:, :when] == 0) and np.all(out[:, when + 1 :] == 0)


def test_driven_from_its_end_a_mesh_passes_its_adjoint():
    mesh = Mesh("mesh", 4, phase=[0.4, 0.3, 0.2, 0.1])
    own, light = system(mesh), np.random.default_rng(2).normal(size=(3, 4))
    sent = np.random.default_rng(3).normal(size=(3, 1, 4)) + 1j * np.random.default_rng(4).normal(size=(3, 1, 4))
    trace, companion = Interpreter(own).steady({"in": light}, 1e-14), reflected(own, inputs=("in",))
    echo = Interpreter(companion.system, own.parameters).steady(companion_inputs(companion, trace, {"y": sent}), 1e-14)
    found = input_gradient(own, companion, trace, echo, {"in": light})["in"]
    matrix = propagate(phases_of(mesh), np.ones(6), np.zeros((2, 6)))
    np.testing.assert_allclose(found, np.real(sent[:, 0] @ matrix.conj()), atol=ROUNDING)


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_gradients_of_phases_against_differences(delay):
    """Two wavelengths share their phases; at rest, and along a run where light is under way."""
    mesh = Mesh("mesh", 3, phase=[0.4, 0.3, 0.2], loss=0.2, coupler_errors=0.05, wavelengths=(1.0, 1.05), delay=delay)
    own, steps = system(mesh, "abs(y)**2"), 8
    light = np.random.default_rng(5).normal(size=(2, steps, 2, 3) if delay else (2, 2, 3))

    def run(parameters):
        engine = Interpreter(own, parameters)
        return engine.run({"in": light}, steps, 0.1) if delay else engine.steady({"in": light}, 1e-14)

    trace, companion = run({}), reflected(own)
    weights = np.random.default_rng(6).normal(size=trace.outputs["y"].shape)
    driven, engine = companion_inputs(companion, trace, {"y": weights}), Interpreter(companion.system, own.parameters)
    echo = engine.run(driven, steps + 1, 0.1) if delay else engine.steady(driven, 1e-14)
    found = gradient(np, own, companion, trace, echo)
    assert {key.rpartition(".")[2] for key in found} == {"theta", "phi", "phase"}
    assert found["mesh.phase"].shape == (3,) and found["mesh_1.theta"].shape == (1,)
    largest, h = max(np.max(np.abs(slope)) for slope in found.values()), 1e-5
    for key, slope in found.items():
        way = np.random.default_rng(7).normal(size=slope.shape)
        ends = [np.sum(weights * run({key: own.parameters[key] + s * h * way}).outputs["y"]) for s in (1, -1)]
        assert abs(np.sum(slope * way) - (ends[0] - ends[1]) / (2 * h)) < 1e-6 * largest, key


def test_the_reflected_wave_trains_the_phases():
    """Descent along its gradient sends light from each of two lines where it is wanted."""
    mesh = Mesh("mesh", 2)
    made = network(mesh, "abs(y)**2")
    substrate, objective = build(made, "ideal-torch", step=1.0), Objective(made.readout, SquaredError(), 2)
    light, wanted = substrate.asarray(np.eye(2)), substrate.asarray(np.array([[0.2, 0.8], [0.8, 0.2]]))
    for _ in range(60):
        step = ReflectedWave().step(substrate, {"in": light}, wanted, objective)
        now = substrate.read()
        substrate.write({key: now[key] - 0.5 * slope for key, slope in step.gradient.items()})
    out = substrate.steady({"in": light}).outputs["y"][:, -1]
    np.testing.assert_allclose(out, wanted, atol=1e-3)


def test_attenuators_never_amplify():
    part = Attenuators("values", 3, [0.3, 1.2, 2.0], loss=1.0)
    wire = Link("in", "values", operator=OneToOne((3,)), weights=np.ones(3), trainable=False, wire=True)
    own = Network((Source("in", 3), part), (wire,), Readout("values", "y")).lower()
    out = Interpreter(own).steady({"in": np.ones((1, 3))}).outputs["y"][0, -1]
    np.testing.assert_allclose(out, 10 ** (-1 / 20) * np.sin([0.3, 1.2, 2.0]), rtol=ROUNDING)


def test_attenuators_with_unbalanced_couplers_by_hand():
    """Both arms and both couplers multiplied out; the largest angle no longer lets all pass."""
    errors = np.array([[0.1, -0.2, 0.05], [0.03, 0.3, -0.1]])
    angles = np.array([0.3, 1.2, np.pi / 2])
    part = Attenuators("values", 3, angles, coupler_errors=errors)
    wire = Link("in", "values", operator=OneToOne((3,)), weights=np.ones(3), trainable=False, wire=True)
    out = Interpreter(Network((Source("in", 3), part), (wire,), Readout("values", "y")).lower()).steady(
        {"in": np.ones((1, 3))}
    )
    for place, angle in enumerate(angles):
        first, second = (
            np.array([[np.cos(e), 1j * np.sin(e)], [1j * np.sin(e), np.cos(e)]]) for e in np.pi / 4 + errors[:, place]
        )
        whole = second @ np.diag([np.exp(1j * angle), np.exp(-1j * angle)]) @ first
        assert out.outputs["y"][0, -1, place] == pytest.approx(-1j * whole[0, 0], abs=ROUNDING)
        assert abs(whole[0, 0]) < 1


@pytest.mark.parametrize("part", [Mesh("part", 3, loss=0.5), Attenuators("part", 3, loss=0.5)])
def test_loss_is_an_attenuation_that_cannot_fall_below_none(part):
    for population in part.populations():
        if "alpha" in population.variables:
            assert population.variables["alpha"].least == 0.0
            np.testing.assert_allclose(np.exp(-population.values["alpha"]), 10 ** (-0.5 / 20))


def test_phases_left_out_are_drawn_once_for_a_name():
    first, again, other = Mesh("a", 5), Mesh("a", 5), Mesh("b", 5)
    np.testing.assert_array_equal(first.theta, again.theta)
    assert np.any(first.theta != other.theta) and np.any(first.theta != first.phi)


def test_frozen_meshes_have_nothing_to_learn():
    assert system(Mesh("mesh", 3, trainable=False)).trainable == ()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"size": 0}, ShapeError, "at least 1"),
        ({"theta": [0.1]}, ShapeError, r"theta has shape \(1,\); this mesh needs \(3,\)"),
        ({"phi": [0.1, np.nan, 0.0]}, ParameterError, "phi must hold real numbers"),
        ({"phase": [1j, 0, 0]}, ParameterError, "phase must hold real numbers"),
        ({"loss": -0.1}, ParameterError, "loss -0.1 must be finite and at least 0"),
        ({"loss": [0.1, 0.2]}, ShapeError, "loss must be one number"),
        ({"delay": np.inf}, ParameterError, "delay"),
        ({"coupler_errors": [0.1, 0.2]}, ShapeError, r"give \(2, 3\), or one number"),
        ({"wavelengths": ()}, ShapeError, "no wavelength"),
        ({"wavelengths": (1.0, 0.0)}, ParameterError, "wavelength 0.0 must be"),
        ({"layout": "triangel"}, UnknownNameError, "did you mean 'triangular'"),
    ],
)
def test_bad_input_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        Mesh("mesh", **{"size": 3, **given})


def test_bad_attenuators_are_refused():
    with pytest.raises(ShapeError, match=r"angles have shape \(2,\)"):
        Attenuators("values", 3, [0.1, 0.2])
    with pytest.raises(ParameterError, match="loss"):
        Attenuators("values", 3, loss=-1.0)
    with pytest.raises(ShapeError, match=r"coupler errors have shape \(3,\); give \(2, 3\)"):
        Attenuators("values", 3, coupler_errors=[0.1, 0.2, 0.3])
