"""Distances and gains; above all of the ring of five (Jiang, Feng, Algorithms 18:594, 2025), from its equations."""

import numpy as np
import pytest
from scipy.optimize import brentq

from physnn.analysis import (
    causal_distance,
    element_distance,
    gain_table,
    linearised,
    modes,
    population_distance,
    rest,
    state_distance,
)
from physnn.equations import Coupling, Dense, Input, OneToOne, Output, Population, System
from physnn.errors import ParameterError, ShapeError, UnknownNameError

NAMES = "JSMHT"


def ring_text(backward=False):
    """dE_e/dt = k1 E_(e-1) - k2 E_e - k3 E_e E_(e-2), indices the other way round when run backwards."""
    sign = -1 if backward else 1
    lines = []
    for e, name in enumerate(NAMES):
        before, twice = NAMES[(e - sign) % 5], NAMES[(e - 2 * sign) % 5]
        lines.append(f"d{name}/dt = k1*{before} - k2*{name} - k3*{name}*{twice} : 1")
    return "\n".join([*lines, *(f"{k} : 1/s (parameter)" for k in ("k1", "k2", "k3"))])


def ring(ratio, k3=0.4, backward=False, size=2):
    """Rings at their fixed point B = (k1 - k2)/k3, with k1 = 1/s."""
    values = {"k1": 1.0, "k2": ratio, "k3": k3, **dict.fromkeys(NAMES, (1 - ratio) / k3)}
    return System.of([Population.from_text("ring", size, ring_text(backward), values)])


def test_eigenvalues():
    # lambda_m = k1 (w^-m - 1 - (1 - r) w^-2m), w = exp(2 pi i/5)
    ratio = 0.6
    m = np.arange(5)
    w = np.exp(2j * np.pi * m / 5)
    wanted = w**-1 - 1 - (1 - ratio) * w**-2
    found = modes(ring(ratio, size=1)).eigenvalues
    assert np.max(np.min(np.abs(found[:, None] - wanted[None, :]), axis=0)) < 1e-12


def test_fastest_settling_at_the_golden_ratio():
    slowest = [-np.max(modes(ring(r, size=1)).growth) for r in (0.608, 0.618, 0.628)]
    assert np.argmax(slowest) == 1
    assert slowest[1] == pytest.approx(0.382, abs=1e-3)


def test_onset_of_oscillation():
    # Hopf at k2/k1 = 5 - 3 phi = phi^-4
    onset = brentq(lambda r: np.max(modes(ring(r, size=1)).growth), 0.05, 0.4, xtol=1e-10)
    assert onset == pytest.approx(5 - 3 * (1 + np.sqrt(5)) / 2, abs=1e-4)
    assert onset == pytest.approx(0.1459, abs=1e-4)
    pair = modes(ring(onset, size=1))
    assert abs(pair.angular_frequency[0]) > 0.1


def test_the_backward_ring_is_the_adjoint_at_rest():
    forward = linearised(ring(0.3)).A.toarray()
    backward = linearised(ring(0.3, backward=True)).A.toarray()
    assert np.max(np.abs(backward - forward.T)) < 1e-12


GENERATIVE = [[0, 1, 2, 3, 4], [4, 0, 1, 2, 3], [3, 4, 0, 1, 2], [2, 3, 4, 0, 1], [1, 2, 3, 4, 0]]
INHIBITORY = [[0, 3, 1, 4, 2], [2, 0, 3, 1, 4], [4, 2, 0, 3, 1], [1, 4, 2, 0, 3], [3, 1, 4, 2, 0]]
BOTH = [[0, 1, 1, 2, 2], [2, 0, 1, 1, 2], [2, 2, 0, 1, 1], [1, 2, 2, 0, 1], [1, 1, 2, 2, 0]]


@pytest.mark.parametrize(("edges", "wanted"), [("excitatory", GENERATIVE), ("inhibitory", INHIBITORY), ("all", BOTH)])
def test_causal_distances_of_the_ring(edges, wanted):
    forward, backward = ring(0.6), ring(0.6, backward=True)
    assert np.array_equal(state_distance(forward, "ring", edges=edges, element=1), wanted)
    assert np.array_equal(state_distance(backward, "ring", edges=edges), np.transpose(wanted))


@pytest.mark.parametrize(
    ("ratio", "from_j"),
    [
        (0.4, (0.689, 0.895, 0.482, -0.055, -0.344)),
        (0.6, (0.892, 0.906, 0.549, 0.186, -0.033)),
        (0.8, (1.40, 1.29, 1.01, 0.75, 0.55)),
        (0.9, (2.40, 2.24, 2.00, 1.78, 1.58)),
    ],
)
def test_gains_of_the_ring(ratio, from_j):
    table = gain_table(ring(ratio), "ring")
    # As many digits as the table of science/bsp.md gives.
    assert np.allclose(table[0], from_j, atol=0.0051 if ratio > 0.7 else 0.00051)
    for e in range(5):
        assert np.allclose(np.roll(table[e], -e), table[0], rtol=1e-12)
    assert np.allclose(gain_table(ring(ratio, backward=True), "ring"), table.T, rtol=1e-11)


LAYER = "dx/dt = (tanh(z) - x)/tau : 1\nz : 1 (arrival)\ntau : s (parameter)"


def chain(delay=0.0):
    """in -> a -> b -> c, and c back to b; the elements side by side, but for b -> c crossed and inhibiting."""
    parts = [Population.from_text("in", 2, "u : 1 (input)")]
    parts += [Population.from_text(name, 2, LAYER, {"tau": 1.0}) for name in "abc"]
    crossed = -np.eye(2)[::-1]
    lines = [
        Coupling("in->a", "in", "a", "u", OneToOne((2,)), "z", initial=np.ones(2)),
        Coupling("a->b", "a", "b", "x", OneToOne((2,)), "z", delay, initial=np.ones(2)),
        Coupling("b->c", "b", "c", "x", Dense(2, 2), "z", initial=crossed),
        Coupling("c->b", "c", "b", "x", OneToOne((2,)), "z", initial=np.ones(2)),
    ]
    return System.of(parts, lines, {"in": Input("in", "u")}, {"y": Output("c", "x")})


def test_distances_between_populations():
    names, found = population_distance(chain())
    assert names == ("in", "a", "b", "c")
    inf = np.inf
    assert np.array_equal(found, [[0, 1, 2, 3], [inf, 0, 1, 2], [inf, inf, 0, 1], [inf, inf, 1, 0]])


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_distances_between_elements(delay):
    states, found = element_distance(chain(delay))
    a, b, c = (states[f"{name}.x"].start for name in "abc")
    # b -> c crosses over and c -> b does not: there and back leads from one element to the other.
    assert found[a, b] == 1 and found[a, c + 1] == 2 and found[a, b + 1] == 3 and found[a, c] == 4
    assert found[b, a] == np.inf
    excited = element_distance(chain(delay), edges="excitatory")[1]
    assert excited[a, b] == 1 and np.all(np.isinf(excited[a, c : c + 2]))


def test_gains_count_what_comes_back():
    # The loop through both elements, b0 -> c1 -> b1 -> c0 -> b0, has the gain (-1) 0.5 (-1) 0.5 at rest.
    system = chain()
    parameters = {"c->b": 0.5 * np.ones(2)}
    assert gain_table(system, "b", parameters, rest(system, parameters))[0, 0] == pytest.approx(
        1 / (1 - 0.25), rel=1e-12
    )


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UnknownNameError, match="kind of edges"):
        causal_distance(np.eye(2), "exciting")
    with pytest.raises(ShapeError, match="square"):
        causal_distance(np.ones((2, 3)))
    with pytest.raises(UnknownNameError, match="population"):
        gain_table(ring(0.5), "rings")
    with pytest.raises(ParameterError, match="elements 0 to 1"):
        state_distance(ring(0.5), "ring", element=2)
    turning = Population.from_text("a", 1, "da/dt = 1j*w*a : 1 (complex)\nw : 1/s (parameter)", {"w": 1.0})
    with pytest.raises(ParameterError, match="complex"):
        state_distance(System.of([turning]), "a")
