"""Learning rules, optimisers, the trainer, alignment, controls."""

from collections.abc import Callable

from physnn.errors import UnknownNameError
from physnn.learning.about import About
from physnn.learning.autograd import Autograd
from physnn.learning.concurrent import Concurrent, coexisting, drifting
from physnn.learning.direct_feedback import DirectFeedback
from physnn.learning.echo import HamiltonianEcho
from physnn.learning.eprop import EProp
from physnn.learning.equilibrium import EquilibriumPropagation
from physnn.learning.feedback_alignment import FeedbackAlignment
from physnn.learning.hebbian import Hebbian
from physnn.learning.kolen_pollack import KolenPollack
from physnn.learning.native import NativeReflection, with_way_back
from physnn.learning.objective import Objective
from physnn.learning.oja import Oja
from physnn.learning.optimisers import OPTIMISERS, SGD, Adam, Momentum, RMSNormalised
from physnn.learning.physics_aware import PhysicsAware, TwinGradient
from physnn.learning.progress import Epoch
from physnn.learning.reflected_wave import ReflectedWave
from physnn.learning.rule import Rule, Step
from physnn.learning.signal_propagation import SignalPropagation, StrengthPropagation
from physnn.learning.stdp import PairSTDP, PhaseSTDP
from physnn.learning.trainer import Settings, accuracy, outputs, train
from physnn.learning.twins import equipped, twin_of
from physnn.learning.wave_hebbian import WaveHebbian

RULES: dict[str, Callable[[], Rule]] = {
    "reflected-wave": ReflectedWave,
    "feedback-alignment": FeedbackAlignment,
    "direct-feedback": DirectFeedback,
    "kolen-pollack": KolenPollack,
    "physics-aware": PhysicsAware,
    "twin-gradient": TwinGradient,
    "autograd": Autograd,
    "hebbian": Hebbian,
    "wave-hebbian": WaveHebbian,
    "wave-hebbian-apart": lambda: WaveHebbian("wave-hebbian-apart", apart=True),
    "oja": Oja,
    "stdp": PairSTDP,
    "phase-stdp": PhaseSTDP,
    "e-prop": EProp,
    "random-e-prop": lambda: EProp("random", "random-e-prop"),
    "concurrent": Concurrent,
    "equilibrium-propagation": EquilibriumPropagation,
    "hamiltonian-echo": HamiltonianEcho,
    "native-reflection": NativeReflection,
    "signal-propagation": SignalPropagation,
    "gated-signal-propagation": lambda: SignalPropagation(gated=True),
    "strength-propagation": StrengthPropagation,
    "published-strength-propagation": lambda: StrengthPropagation("published"),
}
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
    "About",
    "Adam",
    "Autograd",
    "Concurrent",
    "DirectFeedback",
    "EProp",
    "Epoch",
    "EquilibriumPropagation",
    "FeedbackAlignment",
    "HamiltonianEcho",
    "Hebbian",
    "KolenPollack",
    "Momentum",
    "NativeReflection",
    "Objective",
    "Oja",
    "PairSTDP",
    "PhaseSTDP",
    "PhysicsAware",
    "RMSNormalised",
    "ReflectedWave",
    "Rule",
    "Settings",
    "SignalPropagation",
    "Step",
    "StrengthPropagation",
    "TwinGradient",
    "WaveHebbian",
    "accuracy",
    "coexisting",
    "drifting",
    "equipped",
    "find_rule",
    "outputs",
    "train",
    "twin_of",
    "with_way_back",
]
