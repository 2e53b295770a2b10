"""Generated functions: the same numbers on NumPy and torch, the precision of their arguments, conventions at kinks."""

import array_api_compat.numpy as xn
import array_api_compat.torch as xt
import numpy as np
import pytest
import sympy as sp
import torch

from physnn.equations.functions import FUNCTIONS
from physnn.equations.generate import function
from physnn.equations.parse import parse_expression
from physnn.errors import EquationError

X, Y = sp.symbols("x y", real=True)
A, B = sp.symbols("a b")
T, DT = sp.symbols("t dt", real=True)
NAMES = {"x": X, "y": Y, "a": A, "b": B, "t": T, "dt": DT}

CALLS = {
    "abs": "abs(x)",
    "sign": "sign(x)",
    "sqrt": "sqrt(y)",
    "exp": "exp(x)",
    "log": "log(y)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "tan": "tan(x)",
    "asin": "asin(x)",
    "acos": "acos(x)",
    "atan": "atan(x)",
    "atan2": "atan2(x, y)",
    "sinh": "sinh(x)",
    "cosh": "cosh(x)",
    "tanh": "tanh(x)",
    "asinh": "asinh(x)",
    "acosh": "acosh(1 + y)",
    "atanh": "atanh(x)",
    "min": "min(x, y, 0.2)",
    "max": "max(x, 0)",
    "clip": "clip(x, -0.3, y)",
    "where": "where(x > 0.1 and y < 2 or x < -0.5, 1, 0)",
    "step": "step(x)",
    "relu": "relu(x)",
    "sigmoid": "sigmoid(x)",
    "softplus": "softplus(x)",
    "re": "re(a)*x",
    "im": "im(a)",
    "conj": "conj(a)*x",
}
MORE = [
    "sqrt(2)*x",
    "exp(1)*x + pi",
    "tanh(1) - x",
    "x**-0.5 + 1/x**3",
    "x/3 - 2*x/(y + 1)**2",
    "-(x - 1)*-y",
    "2**x",
    "x**3*y**2 - x**2",
    "where(x > 0, where(y > 1, 2, 3), -1.5)*y",
    "(1 + 2j)*a - 1j",
    "abs(a)**3",
    "sign(x)*step(y)",
    "exp(1j*x)*sqrt(3)",
    "(-2)**3*x",
    "x - -1.5",
    "y**(1/3)",
    "sin(t)*x",
    "exp(-t/dt) + step(t - dt) + max(t, 2*dt) + sqrt(t)",
    "where(t > dt, x, y)",
    "where(t > dt and x > 0, x, 2*y)",
    "sigmoid(t)*softplus(t)*relu(t)*clip(t, 0, 1)",
    "3",
    "2j",
]

VALUES = {
    "x": np.array([-0.9, -0.1, 0.0, 0.1, 0.7]),
    "y": np.array([0.5, 1.0, 1.7, 2.5, 0.01]),
    "a": np.array([1 + 2j, -0.5j, 0.3, -1 + 1e-3j, 2j]),
    "b": np.array([1, 2j, 3, 4j, 5]),
    "t": 0.4,
    "dt": 0.1,
}


def run(expression, xp, convert):
    symbols = tuple(sorted(expression.free_symbols, key=str))
    given = [VALUES[str(s)] if str(s) in ("t", "dt") else convert(VALUES[str(s)]) for s in symbols]
    return function(symbols, (expression,))(xp, *given)[0]


def torch_of(dtype):
    kinds = {torch.float32: torch.complex64, torch.float64: torch.complex128}
    return lambda array: torch.as_tensor(array).to(kinds[dtype] if np.iscomplexobj(array) else dtype)


def numpy_of(dtype):
    kinds = {np.float32: np.complex64, np.float64: np.complex128}
    return lambda array: array.astype(kinds[dtype] if np.iscomplexobj(array) else dtype)


def exact(expression):
    """SymPy's own value, element by element."""
    found = []
    for k in range(5):
        at = {s: VALUES[str(s)] if str(s) in ("t", "dt") else VALUES[str(s)][k] for s in expression.free_symbols}
        values = {s: sp.sympify(complex(v)) if not s.is_real else sp.Float(v) for s, v in at.items()}
        found.append(complex(expression.subs(values).rewrite(sp.exp).evalf()))
    return np.array(found)


ALL = [*CALLS.values(), *MORE]


def test_every_function_has_its_case():
    assert CALLS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("text", ALL)
def test_numpy_and_torch_give_the_same_numbers(text):
    expression = parse_expression(text, NAMES, "p")
    with np.errstate(all="ignore"):
        array, tensor = run(expression, xn, numpy_of(np.float64)), run(expression, xt, torch_of(torch.float64))
    assert np.allclose(array, np.asarray(tensor), rtol=1e-14, atol=1e-15, equal_nan=True)


# x**-0.5 is infinite at the sample point 0, where SymPy says zoo; the others SymPy does not have.
NOT_SYMPYS = ("step", "relu", "sigmoid", "softplus", "x**-0.5")


@pytest.mark.parametrize("text", [t for t in ALL if not any(name in t for name in NOT_SYMPYS)])
def test_the_numbers_are_those_of_sympy(text):
    expression = parse_expression(text, NAMES, "p")
    found = np.broadcast_to(run(expression, xn, numpy_of(np.float64)), (5,))
    assert np.allclose(found, exact(expression), rtol=1e-13, atol=1e-15)


def test_the_functions_that_sympy_does_not_have():
    x = VALUES["x"]
    for text, wanted in {
        "step(x)": x > 0,
        "relu(x)": np.maximum(x, 0),
        "sigmoid(x)": 1 / (1 + np.exp(-x)),
        "softplus(x)": np.log1p(np.exp(x)),
    }.items():
        assert np.allclose(run(parse_expression(text, NAMES, "p"), xn, np.asarray), wanted, rtol=1e-15, atol=0)


@pytest.mark.parametrize("text", ["sigmoid(x)", "softplus(x)", "tanh(x)"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_large_arguments_do_not_overflow(text, order):
    slope = parse_expression(text, NAMES, "p").diff(X, order)
    compiled = function((X,), (slope,))
    with np.errstate(over="raise", invalid="raise"):
        assert np.all(np.isfinite(compiled(xn, np.array([-1e4, -50.0, 50.0, 1e4]))[0]))


@pytest.mark.parametrize(
    "text", [t for t in ALL if set("xyab") & {str(s) for s in parse_expression(t, NAMES, "p").free_symbols}]
)
def test_single_precision_stays_single(text):
    expression = parse_expression(text, NAMES, "p")
    with np.errstate(all="ignore"):
        array, tensor = run(expression, xn, numpy_of(np.float32)), run(expression, xt, torch_of(torch.float32))
    wanted = {np.dtype(np.float32), np.dtype(np.complex64)}
    assert array.dtype in wanted
    assert tensor.dtype in (torch.float32, torch.complex64)


@pytest.mark.parametrize(
    "text", [t for t in CALLS.values() if "a" not in {str(s) for s in parse_expression(t, NAMES, "p").free_symbols}]
)
def test_derivatives_keep_the_precision_too(text):
    expression = parse_expression(text, NAMES, "p")
    slope = expression.diff(X) if X in expression.free_symbols else expression.diff(Y)
    with np.errstate(all="ignore"):
        array = run(slope, xn, numpy_of(np.float32))
        tensor = run(slope, xt, torch_of(torch.float32))
    assert not hasattr(array, "dtype") or array.dtype == np.float32
    assert not hasattr(tensor, "dtype") or tensor.dtype == torch.float32


@pytest.mark.parametrize(
    ("text", "value", "slope"),
    [
        ("relu(x)", 0, 0),
        ("step(x)", 0, 0),
        ("max(x, 0)", 0, 0),
        ("min(x, 0)", 0, 0),
        ("abs(x)", 0, 0),
        ("sign(x)", 0, 0),
        ("clip(x, 0, 1)", 0, 0),
        ("softplus(x)", np.log(2), 0.5),
        ("sigmoid(x)", 0.5, 0.25),
        ("where(x > 0, x, 0)", 0, 0),
    ],
)
def test_conventions_at_zero(text, value, slope):
    expression = parse_expression(text, NAMES, "p")
    zero = np.zeros(1)
    assert function((X,), (expression,))(xn, zero)[0] == pytest.approx(value)
    assert np.broadcast_to(function((X,), (expression.diff(X),))(xn, zero)[0], (1,)) == pytest.approx(slope)
    tensor = torch.zeros(1, dtype=torch.float64)
    assert float(torch.as_tensor(function((X,), (expression.diff(X),))(xt, tensor)[0])) == pytest.approx(slope)


def test_torch_differentiates_what_is_generated():
    for text in (
        "tanh(x)*y",
        "softplus(x)/(1 + sigmoid(y))",
        "relu(x)*clip(x, -2, y)",
        "where(x > 0.05, x**3, sin(x))",
    ):
        expression = parse_expression(text, NAMES, "p")
        x = torch.tensor(VALUES["x"], requires_grad=True)
        y = torch.tensor(VALUES["y"])
        function((X, Y), (expression,))(xt, x, y)[0].sum().backward()
        wanted = function((X, Y), (expression.diff(X),))(xn, VALUES["x"], VALUES["y"])[0]
        assert np.allclose(x.grad.numpy(), wanted, atol=1e-14)


def test_common_subexpressions_and_conditions_are_shared():
    texts = ("where(x > y, tanh(x), 0)", "where(x > y, 0, tanh(x))", "tanh(x)**2", "where(x > y and x > 0, 1, 0)")
    expressions = tuple(parse_expression(text, NAMES, "p") for text in texts)
    x, y = VALUES["x"], VALUES["y"]
    found = function((X, Y), expressions)(xn, x, y)
    above = x > y
    wanted = [np.where(above, np.tanh(x), 0), np.where(above, 0, np.tanh(x)), np.tanh(x) ** 2, above & (x > 0)]
    assert all(np.allclose(f, w) for f, w in zip(found, wanted, strict=True))


def test_names_of_symbols_do_not_matter():
    odd = sp.Symbol("echo_bias->hidden", real=True)
    assert function((odd, X), (odd - X,))(xn, np.array(3.0), np.array(1.0))[0] == 2


def test_a_derivative_without_closed_form_is_refused():
    with pytest.raises(EquationError, match="no closed form"):
        function((A,), (sp.conjugate(sp.sqrt(A)).diff(A),))
