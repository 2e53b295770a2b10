"""Optimisers: from gradients to new parameters. They act weight by weight, so what is local stays local."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from physnn.errors import ParameterError

Array = Any
Arrays = dict[str, Array]


@dataclass
class SGD:
    """Gradient descent with momentum:  m <- mu m + g,  w <- w - rate m."""

    momentum: float = 0.0
    state: dict[str, Arrays] = field(default_factory=dict)
    elementwise: int = 4
    """operations a weight and step, for the bill"""
    words: int = 5
    """words read and written a weight and step: weight, gradient, momentum"""

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise ParameterError(f"momentum {self.momentum} must be at least 0 and below 1")

    def update(self, parameters: Mapping[str, Array], gradient: Mapping[str, Array], rate: float) -> Arrays:
        """New values of the parameters that have a gradient."""
        moved = self.state.setdefault("momentum", {})
        for key, slope in gradient.items():
            moved[key] = self.momentum * moved[key] + slope if key in moved else slope
        return {key: parameters[key] - rate * moved[key] for key in gradient}


@dataclass
class Momentum(SGD):
    """Gradient descent with momentum 0.9."""

    momentum: float = 0.9


@dataclass
class RMSNormalised:
    """Each weight's update divided by its own running root mean square, bias-corrected:

        v <- d v + (1-d) g^2,  w <- w - rate g / (sqrt(v / (1-d^t)) + eps)

    A weight needs no more than its own updates, so a local rule stays local.

    Source
    ------
    T. Tieleman, G. Hinton, Coursera: Neural Networks for Machine Learning, lecture 6.5 (2012); the bias correction is
    that of Kingma and Ba, ICLR 2015.
    """

    decay: float = 0.99
    epsilon: float = 1e-8
    state: dict[str, Any] = field(default_factory=dict)
    elementwise: int = 9
    """operations a weight and step, for the bill"""
    words: int = 5
    """words read and written a weight and step: weight, gradient, mean square"""

    def update(self, parameters: Mapping[str, Array], gradient: Mapping[str, Array], rate: float) -> Arrays:
        """New values of the parameters that have a gradient."""
        count = self.state["count"] = self.state.get("count", 0) + 1
        squares, grown = self.state.setdefault("square", {}), 1 - self.decay**count
        new = {}
        for key, slope in gradient.items():
            square = (1 - self.decay) * slope * slope
            squares[key] = self.decay * squares[key] + square if key in squares else square
            new[key] = parameters[key] - rate * slope / ((squares[key] / grown) ** 0.5 + self.epsilon)
        return new


@dataclass
class Adam:
    """Adam (Kingma and Ba, ICLR 2015), in the order of computation of its section 2:

    m <- b1 m + (1-b1) g,  v <- b2 v + (1-b2) g^2,  w <- w - rate sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps)
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    state: dict[str, Any] = field(default_factory=dict)
    elementwise: int = 13
    """operations a weight and step, for the bill"""
    words: int = 7
    """words read and written a weight and step: weight, gradient, two moments"""

    def update(self, parameters: Mapping[str, Array], gradient: Mapping[str, Array], rate: float) -> Arrays:
        """New values of the parameters that have a gradient."""
        count = self.state["count"] = self.state.get("count", 0) + 1
        first, second = self.state.setdefault("first", {}), self.state.setdefault("second", {})
        size = rate * math.sqrt(1 - self.beta2**count) / (1 - self.beta1**count)
        new = {}
        for key, slope in gradient.items():
            first[key] = (
                self.beta1 * first[key] + (1 - self.beta1) * slope if key in first else (1 - self.beta1) * slope
            )
            square = (1 - self.beta2) * slope * slope
            second[key] = self.beta2 * second[key] + square if key in second else square
            new[key] = parameters[key] - size * first[key] / (second[key] ** 0.5 + self.epsilon)
        return new


OPTIMISERS = {"sgd": SGD, "momentum": Momentum, "rms": RMSNormalised, "adam": Adam}
