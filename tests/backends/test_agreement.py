"""The ideal backends on random networks: against each other, torch's autograd, and finite differences."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import NumericsError, ParameterError, ShapeError, UnknownNameError
from physnn.learning import Objective, find_rule
from physnn.media import CrossEntropy, SquaredError
from physnn.substrate.contract import CompanionSpec, Substrate

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

NETWORKS = [
    (seed, layers, activation)
    for seed, (layers, activation) in enumerate(
        (layers, activation) for layers in (1, 2, 3, 4, 5) for activation in ("tanh", "sigmoid", "softplus", "relu")
    )
]
networks = pytest.mark.parametrize("seed, layers, activation", NETWORKS)


@pytest.fixture(params=["torch", "waveguide", "brian2"])
def build(request):
    """The ideal backends, one after the other."""
    return request.getfixturevalue(f"on_{request.param}")


def autograd(substrate, inputs, targets, loss):
    """Loss and gradient of the placed System by torch's autograd through the engine."""
    parameters = {key: torch.tensor(np.asarray(v), dtype=torch.float64) for key, v in substrate.read().items()}
    for key in substrate.placed.system.trainable:
        parameters[key].requires_grad_(True)
    trace, _ = substrate.engine.steady({"in": substrate.asarray(inputs)}, parameters, 1e-14)
    y = trace.outputs["y"][:, 0]
    if isinstance(loss, SquaredError):
        value = 0.5 * ((y - torch.tensor(targets)) ** 2).sum() / len(inputs)
    else:
        value = torch.nn.functional.cross_entropy(loss.gain * y, torch.tensor(targets))
    value.backward()
    return value.item(), {key: parameters[key].grad.numpy() for key in substrate.placed.system.trainable}


def test_all_keep_the_one_contract(build, random_network):
    assert isinstance(build(random_network(0, 2)[1]), Substrate)


@networks
def test_steady_states_agree(seed, layers, activation, random_network, on_torch, on_waveguide):
    _, system, x = random_network(seed, layers, activation)
    tensors, lines = on_torch(system).steady({"in": x}), on_waveguide(system).steady({"in": x})
    # both solve x = sigma(z) / gamma in closed form, in float64
    np.testing.assert_allclose(lines.outputs["y"], tensors.outputs["y"].numpy(), rtol=1e-12, atol=1e-14)
    assert set(lines.fields) == set(tensors.fields)
    for name, field in lines.fields.items():
        np.testing.assert_allclose(field, tensors.fields[name].numpy(), rtol=1e-12, atol=1e-14, err_msg=name)


@networks
@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy(2.0)], ids=["squared", "cross-entropy"])
def test_reflection_is_the_gradient(seed, layers, activation, loss, build, on_torch, random_network, slope_error):
    network, system, x = random_network(seed, layers, activation)
    substrate = build(system)
    classes = system.populations[network.readout.population].shape[0]
    labels = np.random.default_rng(seed).integers(0, classes, len(x))
    objective = Objective(network.readout, loss, classes)
    targets = loss.targets(np, labels, classes)
    port = {"in": substrate.asarray(x)}
    step = find_rule("reflected-wave").step(substrate, port, substrate.asarray(targets), objective)

    value, reference = autograd(on_torch(system), x, labels if isinstance(loss, CrossEntropy) else targets, loss)
    assert step.loss == pytest.approx(value, rel=1e-12)
    assert set(step.gradient) == set(reference)
    size = max(np.abs(g).max() for g in reference.values())
    for key, slope in reference.items():
        assert np.abs(np.asarray(step.gradient[key]) - slope).max() <= 1e-8 * size, key

    def loss_at(parameters):
        y = Interpreter(system, parameters).steady({"in": x}).outputs["y"][:, 0]
        return loss(np, y, targets)[0]

    assert slope_error(loss_at, system.parameters, step.gradient) < 1e-6


def test_the_update_of_feedback_alignment_agrees(random_network, on_torch, on_waveguide):
    network, system, x = random_network(3, 3)
    classes = system.populations["layer2"].shape[0]
    objective = Objective(network.readout, SquaredError(), classes)
    targets = np.full((len(x), classes), 0.5)
    rule = find_rule("feedback-alignment")
    found = []
    for build in (on_torch, on_waveguide):
        substrate = build(system, seed=5)
        found.append(rule.step(substrate, {"in": substrate.asarray(x)}, substrate.asarray(targets), objective).gradient)
    for key in system.trainable:
        np.testing.assert_allclose(found[1][key], found[0][key].numpy(), rtol=1e-10, atol=1e-14)


def test_a_batch_is_its_samples_one_by_one(build, random_network):
    _, system, x = random_network(11, 3)
    substrate = build(system)
    whole = np.asarray(substrate.steady({"in": substrate.asarray(x)}).outputs["y"])
    timed = np.asarray(substrate.run({"in": substrate.asarray(x)}, 1.0).outputs["y"])
    for k in range(len(x)):
        one = {"in": substrate.asarray(x[k : k + 1])}
        alone, alone_timed = substrate.steady(one).outputs["y"], substrate.run(one, 1.0).outputs["y"]
        np.testing.assert_allclose(np.asarray(alone)[0], whole[k], rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(np.asarray(alone_timed)[0], timed[k], rtol=1e-13, atol=1e-15)


def test_noise_free_runs_settle_to_the_same_state(random_network, on_torch, on_waveguide):
    _, system, x = random_network(2, 3, "sigmoid")
    steady = on_torch(system).steady({"in": x}).outputs["y"][:, 0].numpy()
    for build in (on_torch, on_waveguide):
        # layers relax at rates of 1/4 per second and faster; 3 layers in 160 s leave (160/4)^2 exp(-160/4)
        settled = np.asarray(build(system).run({"in": x}, 160.0).outputs["y"][:, -1])
        np.testing.assert_allclose(settled, steady, atol=1e-11)


class TestWriting:
    """What is refused before it reaches a device."""

    @pytest.fixture
    def substrate(self, build, random_network):
        return build(random_network(4, 2)[1])

    def test_unknown_parameter(self, substrate):
        with pytest.raises(UnknownNameError, match=r"unknown parameter 'in->layer'; did you mean 'in->layer0'"):
            substrate.write({"in->layer": substrate.asarray(np.zeros((1, 1)))})

    def test_wrong_shape(self, substrate):
        rows, columns = np.shape(substrate.read()["in->layer0"])
        with pytest.raises(ShapeError, match=r"'in->layer0' has shape"):
            substrate.write({"in->layer0": substrate.asarray(np.zeros((rows + 1, columns)))})

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_numbers_that_are_not_finite(self, substrate, value):
        before = {key: np.asarray(v) for key, v in substrate.read().items()}
        bad = np.full(before["in->layer0"].shape, value)
        with pytest.raises(ParameterError, match="not finite"):
            substrate.write({"in->layer0": substrate.asarray(bad)})
        assert np.array_equal(substrate.read()["in->layer0"], before["in->layer0"])

    def test_damping_that_turns_negative(self, substrate):
        with pytest.raises(ParameterError, match="damping makes the medium unstable"):
            substrate.write({"layer0.gamma": substrate.asarray(-0.5)})

    def test_what_is_read_is_a_copy(self, substrate):
        values = substrate.read()["in->layer0"]
        before = np.asarray(values).copy()
        values += 1
        assert np.array_equal(substrate.read()["in->layer0"], before)

    def test_what_was_written_is_a_copy(self, substrate):
        values = substrate.asarray(np.zeros(np.shape(substrate.read()["in->layer0"])))
        substrate.write({"in->layer0": values})
        values += 1
        assert not np.any(np.asarray(substrate.read()["in->layer0"]))


class TestInputs:
    @pytest.fixture
    def substrate(self, build, random_network):
        return build(random_network(4, 2)[1])

    def test_width(self, substrate):
        with pytest.raises(ShapeError, match="'in' has shape"):
            substrate.steady({"in": substrate.asarray(np.zeros((2, 50)))})

    def test_unknown_port(self, substrate):
        with pytest.raises(UnknownNameError, match="unknown input port 'inn'; did you mean 'in'"):
            substrate.steady({"inn": substrate.asarray(np.zeros((2, 50)))})

    def test_a_stationary_state_needs_constant_inputs(self, substrate):
        width = substrate.placed.system.populations["in"].shape[0]
        with pytest.raises(ShapeError, match="constant inputs"):
            substrate.steady({"in": substrate.asarray(np.zeros((2, 3, width)))})

    def test_nan(self, substrate):
        width = substrate.placed.system.populations["in"].shape[0]
        with pytest.raises(NumericsError, match="not finite"):
            substrate.steady({"in": substrate.asarray(np.full((2, width), np.nan))})
        with pytest.raises(NumericsError, match="not finite"):
            substrate.run({"in": substrate.asarray(np.full((2, width), np.nan))}, 1.0)

    @pytest.mark.parametrize("duration", [-1.0, np.nan, np.inf])
    def test_duration(self, substrate, duration):
        with pytest.raises(ParameterError, match="duration"):
            substrate.run({}, duration)

    def test_cotangent_of_an_unknown_port(self, substrate):
        width = substrate.placed.system.populations["in"].shape[0]
        incident = substrate.steady({"in": substrate.asarray(np.zeros((2, width)))})
        with pytest.raises(UnknownNameError, match="unknown output port 'z'"):
            substrate.companion(CompanionSpec(), incident).steady({"z": incident.outputs["y"]})


def test_transport_is_checked():
    with pytest.raises(UnknownNameError, match="unknown transport 'transposed'; did you mean 'transpose'"):
        CompanionSpec("transposed")
