"""Learning rules, optimisers, the trainer, alignment, controls."""

from collections.abc import Callable

from physnn.errors import UnknownNameError
from physnn.learning.feedback_alignment import FeedbackAlignment
from physnn.learning.objective import Objective
from physnn.learning.optimisers import OPTIMISERS, SGD, Adam
from physnn.learning.progress import Epoch
from physnn.learning.reflected_wave import ReflectedWave
from physnn.learning.rule import Rule, Step
from physnn.learning.trainer import Settings, accuracy, outputs, train

RULES: dict[str, Callable[[], Rule]] = {"reflected-wave": ReflectedWave, "feedback-alignment": FeedbackAlignment}
"""Name -> rule."""


def find_rule(name: str) -> Rule:
    """The rule of that name.

    Raises
    ------
    UnknownNameError
    """
    if name not in RULES:
        raise UnknownNameError("rule", name, RULES)
    return RULES[name]()


__all__ = [
    "OPTIMISERS",
    "RULES",
    "SGD",
    "Adam",
    "Epoch",
    "FeedbackAlignment",
    "Objective",
    "ReflectedWave",
    "Rule",
    "Settings",
    "Step",
    "accuracy",
    "find_rule",
    "outputs",
    "train",
]
