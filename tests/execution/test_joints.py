"""Constraints of several populations in the executor: as the interpreter solves them, computed no more than needed."""

import array_api_compat.numpy
import numpy as np
import pytest

from physnn.equations import (
    Coupling,
    Dense,
    Input,
    Interpreter,
    OneToOne,
    Output,
    Population,
    System,
    Transposed,
    companion_inputs,
    gradient,
    reflected,
)
from physnn.execution import Engine, NumpyArrays, Run
from physnn.media.impedances import passive_network

N1, N2 = 5, 3
PRIMARY = """
b   : V   (arrival)
i_w : A   (arrival)
Z   : ohm (trainable)
e   : V   (input)
v = 2*(b + e) - Z*i_w : V
a = v - b - e : V
"""
LOADED = """
0 = w - 2*b - Z*i{loss} : A (solves i)
b : V   (arrival)
w : V   (arrival)
Z : ohm (trainable)
a = b + Z*i : V
"""


def bank(loss="", **values):
    """A transformer bank between two reflecting ends, with a nonlinear loss in its secondary side where given."""
    rng = np.random.default_rng(0)
    turns = rng.normal(size=(N2, N1))
    back = Transposed(Dense(N2, N1), (N1,))
    couplings = [
        Coupling("W", "primary", "secondary", "v", Dense(N2, N1), "w", initial=turns),
        Coupling("W back", "secondary", "primary", "i", back, "i_w", weights="W", initial=turns),
        Coupling("far", "secondary", "secondary", "a", OneToOne((N2,)), "b", 3.0, initial=np.full(N2, 0.5)),
        Coupling("near", "primary", "primary", "a", OneToOne((N1,)), "b", 2.0, initial=np.full(N1, -0.6)),
    ]
    declared = LOADED.format(loss=loss) + ("V : V (trainable)\nI : A (parameter)\n" if loss else "")
    sides = [
        Population.from_text("primary", N1, PRIMARY, {"Z": [1.0, 2.0, 0.5, 1.5, 3.0]}),
        Population.from_text("secondary", N2, declared, {"Z": [0.7, 2.0, 1.2], **values}),
    ]
    return System.of(sides, couplings, {"in": Input("primary", "e")}, {"out": Output("secondary", "a")})


MAKE = {"affine": bank, "nonlinear": lambda: bank(" - V*(i/I)**3", V=0.3, I=1.0)}
kinds = pytest.mark.parametrize("kind", MAKE)


@pytest.fixture
def waves():
    return {"in": np.random.default_rng(1).normal(size=(4, 9, N1))}


@pytest.fixture
def products(monkeypatch):
    """How often turns were multiplied: forward, back."""
    counts = {"W": 0, "W back": 0}

    def counted(kind, name):
        plain = kind.apply

        def apply(self, xp, weight, x):
            counts[name] += 1
            return plain(self, xp, weight, x)

        monkeypatch.setattr(kind, "apply", apply)

    counted(Dense, "W")
    counted(Transposed, "W back")
    return counts


@kinds
def test_runs_are_the_interpreters(kind, waves):
    system = MAKE[kind]()
    wanted = Interpreter(system).run(waves, 9, 1.0)
    found = Run(Engine(system, NumpyArrays()), system.parameters, waves, 1.0, 0, None).advance(9)
    for name, wave in {**wanted.fields, **wanted.sent, **wanted.outputs}.items():
        got = {**found.fields, **found.sent, **found.outputs}[name]
        # a few solutions of systems of three equations, one after the other
        np.testing.assert_allclose(got, wave, atol=1e-12, err_msg=name)


@kinds
def test_stationary_states_are_the_interpreters(kind, waves):
    system, held = MAKE[kind](), {"in": waves["in"][:, 0]}
    wanted = Interpreter(system).steady(held, 1e-14)
    found, _ = Engine(system, NumpyArrays()).steady(held, system.parameters, 1e-14)
    for name, wave in wanted.fields.items():
        # the loop's waves are settled to 1e-14 of their size, times the ten or so rounds for which an error lasts
        np.testing.assert_allclose(found.fields[name], wave, atol=1e-12, err_msg=name)


def test_the_inverse_of_an_affine_joint_is_computed_once_a_run(waves, monkeypatch):
    inverses, library = [], array_api_compat.numpy.linalg
    plain = library.inv
    monkeypatch.setattr(library, "inv", lambda matrix: inverses.append(matrix.shape) or plain(matrix))
    system = bank()
    Run(Engine(system, NumpyArrays()), system.parameters, waves, 1.0, 0, None).advance(9)
    assert inverses == [(1, N2, N2)]


def test_no_product_is_taken_twice(waves, products):
    """W v without the current, which is zero to begin with; W^T i; and W v once more only where it is recorded."""
    system = bank()
    engine = Engine(system, NumpyArrays())
    found = []
    for record in (["out"], None):
        Run(engine, system.parameters, waves, 1.0, 0, None, ["out"]).advance(0)  # the inverse takes products of its own
        before = dict(products)
        short = Run(engine, system.parameters, waves, 1.0, 0, None, record).advance(0)
        first = {name: products[name] - before[name] for name in products}
        before = dict(products)
        long = Run(engine, system.parameters, waves, 1.0, 0, None, record).advance(9)
        np.testing.assert_array_equal(long.outputs["out"][:, :1], short.outputs["out"])
        found.append({name: products[name] - before[name] - first[name] for name in products})
    assert found == [{"W": 9, "W back": 9}, {"W": 18, "W back": 9}]


@kinds
def test_autograd_follows_the_solution(kind, waves):
    """Its gradient is that of the reflected wave, and of central differences of the interpreter's loss."""
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    from physnn_torch.tensors import Tensors

    system, steps = MAKE[kind](), 9
    trace = Interpreter(system).run(waves, steps, 1.0)
    companion = reflected(system)
    drive = companion_inputs(companion, trace, {"out": trace.outputs["out"]})
    echo = Interpreter(companion.system).run(drive, steps + 1, 1.0)
    wanted = gradient(np, system, companion, trace, echo)

    tensors = Tensors(torch.float64, torch.device("cpu"))
    held = {key: torch.tensor(np.array(value)) for key, value in system.parameters.items()}
    for key in system.trainable:
        held[key].requires_grad_()
    driven = {name: torch.tensor(value) for name, value in waves.items()}
    out = Run(Engine(system, tensors), held, driven, 1.0, 0, None).advance(steps).outputs["out"]
    (out**2).sum().div(2).backward()
    for key in system.trainable:
        size = float(np.abs(wanted[key]).max())
        np.testing.assert_allclose(held[key].grad.numpy(), wanted[key], atol=1e-10 * size, err_msg=key)

    def loss(moved):
        return float(np.sum(Interpreter(system, moved).run(waves, steps, 1.0).outputs["out"] ** 2) / 2)

    up, down = (np.array(system.parameters["W"]) for _ in range(2))
    up[1, 2] += 1e-5
    down[1, 2] -= 1e-5
    # the error of a central difference, h^2, and rounding, 1e-16 / h
    assert wanted["W"][1, 2] == pytest.approx((loss({"W": up}) - loss({"W": down})) / 2e-5, rel=1e-7)


class TestFromRunToRun:
    def test_the_same_turns_are_not_inverted_again(self, waves, monkeypatch):
        inverses, library = [], array_api_compat.numpy.linalg
        plain = library.inv
        monkeypatch.setattr(library, "inv", lambda matrix: inverses.append(matrix.shape) or plain(matrix))
        system = bank()
        engine = Engine(system, NumpyArrays())
        for _ in range(3):
            equal = {name: value.copy() for name, value in system.parameters.items()}
            Run(engine, equal, waves, 1.0, 0, None).advance(2)
        assert inverses == [(1, N2, N2)]

    @pytest.mark.parametrize("changed", ["W", "primary.Z"])
    def test_other_values_are_seen_also_in_the_same_array(self, changed, waves):
        system = bank()
        engine = Engine(system, NumpyArrays())
        parameters = {name: value.copy() for name, value in system.parameters.items()}
        Run(engine, parameters, waves, 1.0, 0, None).advance(2)
        parameters[changed] *= 1.1
        found = Run(engine, parameters, waves, 1.0, 0, None).advance(9)
        wanted = Run(Engine(system, NumpyArrays()), parameters, waves, 1.0, 0, None).advance(9)
        np.testing.assert_array_equal(found.outputs["out"], wanted.outputs["out"])


def test_waves_that_stand_still_are_not_computed_again(products):
    """On lines of one delay the waves of a held input change at every other step only, at one end after the other."""
    network = passive_network((4, 3, 2), (1.0, 2.0, 1.0))
    system = network.lower(0)
    held = {"in": np.random.default_rng(2).normal(size=(5, 4))}
    engine = Engine(system, NumpyArrays())
    for steps in (20, 40):
        products.update(dict.fromkeys(products, 0))
        found = Run(engine, system.parameters, held, 1.0, 0, None, ["y"]).advance(steps)
        # two banks at every other step, and the four products of the inverses in the first run
        assert products["W back"] <= steps + 6
        wanted = Interpreter(system).run(held, steps, 1.0)
        np.testing.assert_allclose(found.outputs["y"], wanted.outputs["y"], rtol=1e-12, atol=1e-13)
