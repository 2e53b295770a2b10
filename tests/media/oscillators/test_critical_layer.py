"""The layer of critical modes: its closed form of F, both laws at rest, its reflected wave, and what it refuses."""

import numpy as np
import pytest

from physnn.equations import Interpreter
from physnn.errors import ParameterError, ShapeError, UnknownNameError
from physnn.learning import Objective, ReflectedWave
from physnn.media import Link, Network, Readout, Source, SquaredError
from physnn.media.oscillators.critical_frequency import (
    effective_frequency_ratio,
    integrated_frequency_ratio,
    published_frequency,
)
from physnn.media.oscillators.critical_layer import DETUNING, CriticalLayer
from physnn.substrate import build

CRITICALITY = 0.99


def network_of(law, b=0.0, d=0.0, seed=0):
    """Three lines into four modes, both arrivals coupled with weights of their own."""
    rng = np.random.default_rng(seed)
    links = [
        Link("in", "modes", "U", weights=rng.normal(size=(4, 3))),
        Link("in", "modes", "V", into=DETUNING, weights=rng.normal(size=(4, 3))),
    ]
    modes = CriticalLayer("modes", 4, law, b=b, d=d, criticality=CRITICALITY)
    return Network([Source("in", 3), modes], links, Readout("modes", "x"))


def ratios(law, criticalities):
    """F as the layer computes it: modes at rest, without input, their criticalities set by b."""
    odds = criticalities / (CRITICALITY - criticalities)
    layer = CriticalLayer("modes", len(odds), law, b=np.log(odds), criticality=CRITICALITY)
    links = [Link("in", "modes", weights=np.zeros((len(odds), 1)))]
    system = Network([Source("in", 1), layer], links, Readout("modes", "x")).lower()
    return Interpreter(system).steady({"in": np.zeros((1, 1))}).outputs["y"][0, -1]


def test_measured_law_is_the_tabulated_frequency():
    cr = np.linspace(1e-3, CRITICALITY - 1e-6, 1000)
    # the stated error of the closed form
    np.testing.assert_allclose(ratios("measured", cr), effective_frequency_ratio(cr), rtol=0, atol=4e-5)


def test_measured_law_is_the_frequency_of_the_equations_of_motion():
    cr = np.array([0.05, 0.3, 0.62, 0.87, 0.98])
    wanted = [integrated_frequency_ratio(value) for value in cr]
    # that of the closed form, and of the table that it was fitted to
    np.testing.assert_allclose(ratios("measured", cr), wanted, rtol=0, atol=5e-5)


def test_published_law_is_exact():
    cr = np.linspace(1e-3, CRITICALITY - 1e-6, 100)
    np.testing.assert_allclose(ratios("published", cr), published_frequency(1.0, 2.0 * cr), rtol=1e-9)


@pytest.mark.parametrize("law", ["measured", "published"])
def test_frequencies_fall_towards_the_critical_point(law):
    found = ratios(law, np.linspace(1e-3, CRITICALITY - 1e-6, 1000))
    assert np.all(np.diff(found) < 0)
    assert 0 < found[-1] < found[0] < 1 + 4e-5  # the stated error of the closed form


def test_stationary_state_is_the_frequency_that_both_arrivals_set():
    b, d = np.array([-0.5, 0.5, 1.5, 2.5]), np.array([0.3, -0.2, 0.1, 0.0])
    network, x = network_of("published", b, d), np.random.default_rng(1).normal(size=(5, 3))
    u, v = (link.weights for link in network.links)
    cr = CRITICALITY / (1.0 + np.exp(-(x @ u.T + b)))
    wanted = np.exp(0.5 * np.tanh(x @ v.T + d)) * np.sqrt(1.0 - cr**2)
    found = Interpreter(network.lower()).steady({"in": x}).outputs["y"][:, -1]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("law", ["measured", "published"])
def test_reflected_wave_is_the_gradient_by_differences(law):
    pytest.importorskip("torch", reason="the torch extra is not installed")
    network, rng = network_of(law, b=1.0, d=0.2), np.random.default_rng(2)
    substrate = build(network, "ideal-torch")
    data = {"in": substrate.asarray(rng.normal(size=(3, 3)))}
    objective = Objective(network.readout, SquaredError(1.0, 0.2), 4)
    targets = substrate.asarray(objective.loss.targets(np, np.array([0, 3, 1]), 4))
    slopes = ReflectedWave().step(substrate, data, targets, objective).gradient
    values = {key: np.asarray(value) for key, value in substrate.read().items()}
    assert slopes.keys() == {"U", "V", "modes.b", "modes.d"}
    step = 1e-5
    for key, slope in slopes.items():
        moved = rng.normal(size=values[key].shape)
        losses = []
        for side in (step, -step):
            substrate.write({key: substrate.asarray(values[key] + side * moved)})
            y = objective.readout.read(substrate.xp, substrate.steady(data))
            losses.append(objective.loss(substrate.xp, y, targets)[0])
        substrate.write({key: substrate.asarray(values[key])})
        wanted = (losses[0] - losses[1]) / (2 * step)
        # central differences in float64: step^2 of truncation, 1e-16/step of rounding
        assert float(np.sum(np.asarray(slope) * moved)) == pytest.approx(wanted, rel=1e-7, abs=1e-9), key


class TestRefusals:
    @pytest.mark.parametrize("size", [0, 2.5])
    def test_size(self, size):
        with pytest.raises(ShapeError, match="whole number"):
            CriticalLayer("modes", size)

    def test_law(self):
        with pytest.raises(UnknownNameError, match="'published'"):
            CriticalLayer("modes", 2, "publisht")

    @pytest.mark.parametrize("criticality", [0.0, 1.0, float("nan")])
    def test_criticality(self, criticality):
        with pytest.raises(ParameterError, match="criticality"):
            CriticalLayer("modes", 2, criticality=criticality)

    @pytest.mark.parametrize("values", [{"swing": 0.0}, {"time_constant": -1.0}, {"b": [0.0, np.inf]}, {"d": 1j}])
    def test_values(self, values):
        with pytest.raises(ParameterError, match="finite"):
            CriticalLayer("modes", 2, **values)

    def test_learning_what_must_stay(self):
        with pytest.raises(UnknownNameError, match="trainable parameter of critical layer"):
            CriticalLayer("modes", 2, trainable=("swing",))
