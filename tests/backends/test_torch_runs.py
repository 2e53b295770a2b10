"""What a run on torch computes once, keeps, and refuses: results stay those of the interpreter, numbers finite."""

import numpy as np
import pytest

from physnn.equations import Coupling, Dense, Event, Input, Interpreter, Output, Population, System
from physnn.errors import NumericsError
from physnn.media import Source
from physnn.media.energy import EnergyLayer, energy_network
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

STEPS, STEP = 10, 0.1
END = " : 1\nz : 1 (arrival)"
TAU = f"{END}\ntau : s (parameter)"
LEAKY = f"dx/dt = (tanh(z) - x)/tau{TAU}"


def driven(text, *, delay=0.0, recurrent=True, **options):
    """A source drives a layer, which drives itself."""
    source = Population.from_text("in", 3, "u : 1 (input)")
    values = {"tau": 1.0} if "tau" in text else {}
    layer = Population.from_text("b", 4, text, values, **options)
    weights = np.random.default_rng(0).normal(size=(4, 4))
    couplings = [Coupling("w", "in", "b", "u", Dense(4, 3), "z", delay, initial=weights[:, :3])]
    if recurrent:
        couplings.append(Coupling("r", "b", "b", "x", Dense(4, 4), "z", initial=0.3 * weights))
    return System.of([source, layer], couplings, {"in": Input("in", "u")}, {"y": Output("b", "x")})


@pytest.fixture
def products(monkeypatch):
    """How often a dense product was taken, by the number of its columns."""
    counts = {}

    def apply(self, xp, weight, x, plain=Dense.apply):
        counts[self.columns] = counts.get(self.columns, 0) + 1
        return plain(self, xp, weight, x)

    monkeypatch.setattr(Dense, "apply", apply)
    return counts


@pytest.mark.parametrize("delay", [0.0, 3 * STEP])
def test_what_a_held_input_makes_arrive_is_computed_once_a_run(delay, products, on_torch):
    system, x = driven(LEAKY, delay=delay), np.ones((2, 3))
    wanted = Interpreter(system).run({"in": x}, STEPS, STEP)
    products.clear()
    found = on_torch(system, step=STEP).run({"in": torch.tensor(x)}, STEPS * STEP)
    assert products == {3: 1, 4: STEPS + 1}
    for name, wave in {**wanted.fields, **wanted.sent, **wanted.outputs}.items():
        got = {**found.fields, **found.sent, **found.outputs}[name]
        # a few rounding errors of amplitudes of order one
        np.testing.assert_allclose(got, wave, atol=1e-13, err_msg=name)


def test_and_what_changes_at_every_step(products, on_torch):
    x = torch.ones(2, STEPS, 3, dtype=torch.float64)
    on_torch(driven(LEAKY), step=STEP).run({"in": x}, STEPS * STEP)
    assert products == {3: STEPS + 1, 4: STEPS + 1}


def test_sweeps_leave_alone_what_is_clamped(products, on_torch):
    substrate = on_torch(energy_network([Source("in", 7), EnergyLayer("h", 5), EnergyLayer("o", 2)]).lower())
    substrate.steady({"in": torch.ones(3, 7, dtype=torch.float64)})
    assert products[7] == 1
    assert products[5] > 2


def test_the_same_array_twice_is_no_reason_to_skip_a_write(on_torch):
    """What is remembered belongs to one run: new weights act in the next one."""
    substrate, x = on_torch(driven(LEAKY), step=STEP), torch.ones(2, 3, dtype=torch.float64)
    before = substrate.run({"in": x}, 1.0).outputs["y"]
    substrate.write({"w": 2 * substrate.read()["w"]})
    assert not torch.equal(substrate.run({"in": x}, 1.0).outputs["y"], before)
    x *= -1
    after = substrate.run({"in": x}, 1.0)
    assert torch.equal(after.fields["in.u"][:, -1], x)


def test_gradients_flow_through_what_was_computed_once(on_torch):
    """d/dw of the last output, against central differences."""
    system, x = driven(LEAKY), torch.ones(2, 3, dtype=torch.float64)
    substrate = on_torch(system, step=STEP)

    def last(trace):
        spread = torch.zeros_like(trace.outputs["y"])
        spread[:, -1] = 1.0
        return {"y": spread}

    slopes, _ = substrate.differentiate({"in": x}, STEPS * STEP, last)
    weights, h = substrate.read()["w"], 1e-5
    moved = []
    for sign in (1, -1):
        shifted = weights.clone()
        shifted[2, 1] += sign * h
        substrate.write({"w": shifted})
        moved.append(float(substrate.run({"in": x}, STEPS * STEP).outputs["y"][:, -1].sum()))
    # the error of a central difference, h^2, and rounding, 1e-16 / h
    assert float(slopes["w"][2, 1]) == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-8)


class TestNumbersThatAreNotFinite:
    """They are refused wherever they come up, also where the equations would make finite ones of them again."""

    def refused(self, on_torch, system, name, entry):
        x = torch.zeros(2, STEPS, 3, dtype=torch.float64)
        x[:, 4] = entry
        with pytest.raises(NumericsError, match=name):
            on_torch(system, step=STEP).run({"in": x}, STEPS * STEP, record=["y"])

    def test_behind_a_floor(self, on_torch):
        """exp overflows in one step: -inf, which the floor lifts to 0."""
        system = driven(f"dx/dt = -exp(z)/tau{TAU}", recurrent=False, projections={"x": "max(x, 0)"})
        weights = next(iter(system.couplings.values())).initial
        weights[...] = np.abs(weights)
        self.refused(on_torch, system, "b.x is not finite", 1e4)

    def test_behind_a_reset(self, on_torch):
        system = driven(f"dx/dt = exp(z)/tau{TAU}", recurrent=False, events=[Event("e", "x > 1", {"x": "0"})])
        self.refused(on_torch, system, "b.x is not finite", 1e4)

    def test_in_what_enters(self, on_torch):
        system = driven(f"dx/dt = (max(z, 0) - x)/tau{TAU}", recurrent=False)
        self.refused(on_torch, system, "in.u is not finite", float("nan"))


@pytest.mark.parametrize(
    ("text", "options", "forgetful"),
    [
        (LEAKY, {}, ()),
        (LEAKY, {"projections": {"x": "max(x, 0)"}}, ("x",)),
        (f"x+ = tanh(z){END}", {}, ("x",)),
        (f"x+ = where(z > 0, z - x, 0.5*x){END}", {}, ()),
        (f"x+ = where(z > 0, z, 0.5*x){END}", {}, ("x",)),
    ],
)
def test_states_that_may_be_finite_again(text, options, forgetful, on_torch):
    substrate = on_torch(driven(text, recurrent=False, **options), step=STEP)
    assert substrate.stepper.compiled["b"].forgetful == forgetful


def test_reversible_steps_forget_nothing(on_torch):
    for damping in (0.0, 0.3):
        layers = [Hamiltonian("h", 3, damping=damping), Hamiltonian("o", 2, damping=damping)]
        compiled = on_torch(hamiltonian_network([Source("in", 4), *layers]).lower(), step=STEP).stepper.compiled
        assert not any(found.forgetful for found in compiled.values())
