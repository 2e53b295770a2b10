"""Controls that stand beside every accuracy: a linear readout, and the network with its hidden layers frozen.

Both are multinomial logistic regressions, fitted to convergence by SciPy's L-BFGS; the penalty is chosen on the
validation part, then the fit is repeated on training + validation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from physnn.datasets import Dataset
from physnn.equations import Interpreter, System
from physnn.errors import ParameterError

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2)


def linear_control(dataset: Dataset) -> float:
    """Test accuracy of a linear readout of the inputs."""
    return _tested(dataset, dataset.inputs)


def frozen_control(dataset: Dataset, system: System) -> float:
    """Test accuracy of a linear readout of the network's last hidden layer, as it was initialised.

    Raises
    ------
    ParameterError
        The network has no hidden layer or is not feed-forward.
    """
    order = system.steady_order
    hidden = [name for name in order or () if system.populations[name].dynamic]
    if len(hidden) < 2 or len(system.inputs) != 1:
        raise ParameterError(
            "a frozen control needs a feed-forward network with one input and at least one hidden layer"
        )
    (port,) = system.inputs
    trace = Interpreter(system).steady({port: dataset.inputs})
    name = hidden[-2]
    state = system.populations[name].dynamic[0]
    return _tested(dataset, trace.fields[f"{name}.{state}"][:, 0].reshape(len(dataset.inputs), -1))


def _tested(dataset: Dataset, features: NDArray) -> float:
    labels = dataset.labels

    def share(penalty: float, fit: str, judge: str) -> float:
        rows, judged = dataset.indices(fit), dataset.indices(judge)
        weights = logistic_regression(features[rows], labels[rows], dataset.classes, penalty)
        return float(np.mean(np.argmax(_with_bias(features[judged]) @ weights, axis=1) == labels[judged]))

    best = max(PENALTIES, key=lambda penalty: share(penalty, "train", "validation"))
    return share(best, "train+validation", "test")


def logistic_regression(features: NDArray, labels: NDArray, classes: int, penalty: float) -> NDArray:
    """Weights (features + 1, classes) that minimise the mean cross-entropy plus penalty/2 |w|^2; the bias is free."""
    data = _with_bias(features)
    target = np.eye(classes)[labels]
    free = np.ones((data.shape[1], 1))
    free[-1] = 0.0

    def loss(flat: NDArray) -> tuple[float, NDArray]:
        weights = flat.reshape(data.shape[1], classes)
        log_p = log_softmax(data @ weights, axis=1)
        slope = data.T @ (np.exp(log_p) - target) / len(data) + penalty * free * weights
        value = -np.sum(target * log_p) / len(data) + 0.5 * penalty * np.sum(free * weights**2)
        return float(value), slope.ravel()

    found = minimize(loss, np.zeros(data.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return found.x.reshape(data.shape[1], classes)


def _with_bias(features: NDArray) -> NDArray:
    return np.hstack([features, np.ones((len(features), 1))])
