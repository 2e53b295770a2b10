"""The convolutional LSTM: gates at their limits, symmetry of the torus, and what it refuses."""

import numpy as np
import pytest

from physnn.equations import Input, Interpreter
from physnn.errors import ShapeError
from physnn.media import Network, Readout
from physnn.media.lstm import GATES, ConvLSTM, self_fed

SHEET = (2, 4, 5)


def run(parameters, c0, h0, steps):
    cells = ConvLSTM("cells", SHEET)
    ports = {"c": Input("cells", "c"), "h": Input("cells", "h")}
    system = Network((cells,), (), Readout("cells", "h"), inputs=ports).lower()
    biases = {f"cells.b_{gate}": np.full((2, 1, 1), value) for gate, value in parameters.items()}
    return Interpreter(system, biases).run({"c": c0, "h": h0}, steps, 1.0)


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_open_forget_gate_and_shut_input_gate_keep_the_cell():
    """sigmoid(+-60) is 1 and 0 to 1e-26."""
    c0, h0 = drawn(0, 3, *SHEET), drawn(1, 3, *SHEET)
    trace = run({"f": 60.0, "i": -60.0, "o": 60.0}, c0, h0, 5)
    np.testing.assert_allclose(trace.fields["cells.c"][:, -1], c0, rtol=1e-13)
    np.testing.assert_allclose(trace.fields["cells.h"][:, -1], np.tanh(c0), rtol=1e-13)


def test_shut_forget_gate_forgets():
    h0 = drawn(1, 2, *SHEET)
    first, second = (run({"f": -60.0}, drawn(seed, 2, *SHEET), h0, 3).outputs["y"] for seed in (2, 3))
    np.testing.assert_allclose(first[:, 1:], second[:, 1:], atol=1e-13)


def test_what_is_moved_round_the_torus_comes_out_moved():
    system = self_fed(SHEET).lower(seed=4)
    first = {port: drawn(k, 1, *SHEET) for k, port in enumerate(("h0", "c0", "y0"))}
    moved = {port: np.roll(value, (1, -2), axis=(2, 3)) for port, value in first.items()}
    y, shifted = (Interpreter(system).run(inputs, 6, 1.0).outputs["y"] for inputs in (first, moved))
    np.testing.assert_allclose(shifted, np.roll(y, (1, -2), axis=(3, 4)), rtol=1e-12, atol=1e-14)


def test_the_first_input_is_given_and_the_others_are_its_own_outputs():
    system = self_fed(SHEET).lower(seed=4)
    first = {port: drawn(k, 1, *SHEET) for k, port in enumerate(("h0", "c0", "y0"))}
    other = first | {"y0": drawn(9, 1, *SHEET)}
    y, changed = (Interpreter(system).run(inputs, 3, 1.0).outputs["y"] for inputs in (first, other))
    np.testing.assert_array_equal(y[:, 0], first["y0"])
    np.testing.assert_array_equal(changed[:, 0], other["y0"])
    assert np.all(np.abs(y[:, 1:] - changed[:, 1:]).max(axis=(0, 2, 3, 4)) > 1e-6)


def test_number_of_parameters_is_that_of_one_convolution_to_four_gates():
    """3 x 3 kernels from (input, h) to 4 C channels and 4 C biases; then the perceptron C -> 2 C -> C."""
    channels = 2
    gates = 4 * channels * (2 * channels * 9 + 1)
    perceptron = (channels + 1) * 2 * channels + (2 * channels + 1) * channels
    system = self_fed((channels, 4, 5)).lower()
    assert sum(system.parameters[key].size for key in system.trainable) == gates + perceptron


@pytest.mark.parametrize("shape", [(2, 4), (2, 0, 4), (2, 4.0, 4)])
def test_shape_is_that_of_a_sheet(shape):
    with pytest.raises(ShapeError, match="channels, height, width"):
        ConvLSTM("cells", shape)


def test_a_link_a_gate():
    links = ConvLSTM("cells", SHEET).links("before", 3)
    assert [link.into for link in links] == list(GATES)
    assert {link.operator.weight_shape for link in links} == {(2, 3, 3, 3)}
