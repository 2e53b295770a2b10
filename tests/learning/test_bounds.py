"""Parameters with a bound stay within it while they are learnt."""

import numpy as np
import pytest

from physnn.errors import EquationError, ParameterError
from physnn.learning import Objective, ReflectedWave, Settings, train
from physnn.media import Harmonic, Medium, Network, Source, SquaredError
from physnn.media.hamiltonian import Hamiltonian
from physnn.media.potential import Potential
from physnn.substrate import build


def test_a_learnt_damping_stops_at_zero():
    """A target that only an oscillator with gain could reach."""
    layer = Harmonic("osc", 2, frequency=1.0, damping=0.02, trainable=("gamma",))
    network = Network.layered([Source("in", 3), layer])
    substrate = build(network, "ideal-torch", seed=0, step=0.1)
    objective = Objective(network.readout, SquaredError(50.0), 2, 3.0)
    inputs = np.random.default_rng(0).normal(size=(16, 3))
    train(substrate, ReflectedWave(), objective, inputs, np.arange(16) % 2, Settings(4, 4, 0.05, "constant"))
    damping = np.asarray(substrate.read()["osc.gamma"])
    assert damping.min() == 0.0


def test_the_bound_is_a_projection_of_the_same_steps():
    """Where no step crosses it, a bound changes nothing."""

    def learnt(flags: str) -> np.ndarray:
        text = f"dx/dt = z - k*x : 1\nz : 1/s (arrival)\nk : 1/s ({flags})"
        medium = Medium("leak", 2, text, {"k": 1.0}, arrival="z", unit="1/s")
        network = Network.layered([Source("in", 3), medium])
        substrate = build(network, "ideal-torch", seed=0, step=0.1)
        objective = Objective(network.readout, SquaredError(), 2, 2.0)
        inputs = np.random.default_rng(0).normal(size=(8, 3))
        train(substrate, ReflectedWave(), objective, inputs, np.arange(8) % 2, Settings(2, 4, 0.05))
        return np.asarray(substrate.read()["leak.k"])

    free = learnt("trainable")
    assert np.array_equal(learnt(f"trainable, at least {free.min() - 0.5}"), free)


def test_a_potential_declares_its_bound():
    potential = Potential("k*x**2/2 + b*x**4/4", {"k": 1.0, "b": 1.0}, trainable=("b",), least={"b": 0.05})
    system = Network.layered([Source("in", 2), Hamiltonian("osc", 2, potential)]).lower()
    assert system.least == {"osc.b": 0.05}


@pytest.mark.parametrize("flags", ["arrival, at least 0", "complex, parameter, at least 0"])
def test_only_a_real_parameter_has_a_bound(flags):
    with pytest.raises(EquationError, match="only a real parameter"):
        Medium("m", 1, f"dx/dt = -x*b : 1\nb : 1/s ({flags})", {}, arrival="b", unit="1/s").lower()


@pytest.mark.parametrize("number", ["much", "inf", "nan"])
def test_a_bound_is_a_finite_number(number):
    with pytest.raises(EquationError, match="names no number"):
        Medium("m", 1, f"dx/dt = -x*b : 1\nb : 1/s (trainable, at least {number})", {"b": 1.0}, arrival="b").lower()


def test_a_parameter_that_starts_below_its_bound_is_refused():
    text = "dx/dt = z - k*x : 1\nz : 1/s (arrival)\nk : 1/s (trainable, at least 0.5)"
    with pytest.raises(ParameterError, match=r"starts at 0\.25 1/s, below the 0\.5"):
        Medium("leak", 2, text, {"k": [1.0, 0.25]}, arrival="z", unit="1/s").lower()
