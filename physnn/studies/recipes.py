"""What each rule learns with best: the medium that it needs, what is read, the loss, the settings.

Media differ because the physics that rules ask for does: an energy for equilibrium propagation, a motion that can be
undone for the echo, rings for signal propagation, spikes for plasticity by their timing. Sizes are the same. Rules
without an error (Hebb, Oja, STDP) shape the hidden layers, and a digital layer behind the last one learns to read them;
spike timing joins spiking layers alone, so that its first layer stays as drawn. Settings were chosen on validation
data, with networks of other seeds than those that are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from physnn.datasets import Part
from physnn.errors import UnknownNameError
from physnn.learning import (
    EquilibriumPropagation,
    HamiltonianEcho,
    NativeReflection,
    Objective,
    Rule,
    Settings,
    accuracy,
    coexisting,
    find_rule,
    train,
    with_way_back,
)
from physnn.learning.alignment import Alignment, aligned
from physnn.media import CrossEntropy, Link, Network, Readout, Source, SquaredError, Waveguide
from physnn.media.energy import EnergyLayer, energy_network
from physnn.media.hamiltonian import Hamiltonian, hamiltonian_network
from physnn.media.heads import Head, Perceptron
from physnn.media.impedances import passive_network
from physnn.media.ring import Ring
from physnn.media.spiking import LIF
from physnn.substrate.contract import Substrate
from physnn.substrate.profiles import Profile
from physnn.substrate.registry import build

Sizes = Sequence[int]
Build = Callable[[int, Sizes, int], Network]
"""From the data's width, the hidden sizes and the classes"""


@dataclass(frozen=True)
class Recipe:
    """How one rule is trained to classify."""

    rule: str
    medium: str
    """in words"""
    network: Build
    loss: SquaredError | CrossEntropy
    settings: Settings
    duration: float | None = None
    """how long a sample is shown [s, model time]; None for the stationary state"""
    step: float | None = None
    """[s, model time]"""
    both_waves: bool = False
    """whether the medium carries the reflected wave beside the incident one"""
    digital_readout: bool = False
    """whether the classes are read by a digital layer, behind the last hidden one: rules without an error"""
    made: Callable[[], Rule] | None = None
    """makes the rule with parameters that are not its usual ones; None for the usual ones"""
    port: str = "input"
    """where samples enter"""

    @property
    def supervised(self) -> bool:
        """Whether an error reaches the hidden layers."""
        return not self.digital_readout

    def trial(self, profile: str | Profile, width: int, hidden: Sizes, classes: int, seed: int) -> Trial:
        """A substrate with the medium, ready to be trained.

        Raises
        ------
        CapabilityError
            The profile's backend cannot run the medium.
        """
        network = self.network(width, hidden, classes)
        system = network.lower(seed)
        head = Head((Perceptron((hidden[-1], classes)),), seed) if self.digital_readout else None
        objective = Objective(network.readout, self.loss, classes, self.duration, head)
        plain = partial(build, system, profile, seed=seed, step=self.step)
        if self.both_waves:
            substrate = build(coexisting(system, network.readout.port), profile, seed=seed, step=self.step)
        else:
            substrate = plain()
        rule = self.made() if self.made else find_rule(self.rule)
        return Trial(substrate, rule, objective, self.settings, self.port, seed, plain if self.both_waves else None)


@dataclass(frozen=True)
class Trial:
    """One rule on one substrate."""

    substrate: Substrate
    rule: Rule
    objective: Objective
    settings: Settings
    port: str
    seed: int
    plain: Callable[[], Substrate] | None = None
    """builds the same medium without the reflected wave, where the substrate carries both"""

    def train(self, part: Part) -> None:
        """Train in place on all samples of a part."""
        train(self.substrate, self.rule, self.objective, *part, self.settings, seed=self.seed, port=self.port)

    def accuracy(self, part: Part) -> float:
        """Share of a part's samples that are told rightly."""
        return accuracy(self.substrate, self.objective, *part, port=self.port)

    def aligned(self, part: Part) -> Alignment:
        """How the rule's update on some samples lies to the gradient."""
        reference = self.with_one_wave()
        return aligned(self.substrate, self.rule, self.objective, *part, port=self.port, reference=reference)

    def with_one_wave(self) -> Substrate:
        """The substrate, or where it carries both waves one with the same weights that carries the incident alone."""
        if self.plain is None:
            return self.substrate
        held, other = self.substrate.read(), self.plain()
        other.write({key: held[key] for key in other.placed.system.trainable})
        return other


def waveguides(width: int, hidden: Sizes, classes: int) -> Network:
    """Layered waveguides, tanh."""
    layers = [Waveguide(name, size) for name, size in zip(_names(hidden), (*hidden, classes), strict=True)]
    return Network.layered([Source("input", width), *layers])


def hidden_waveguides(width: int, hidden: Sizes, classes: int) -> Network:
    """Layered waveguides up to the last hidden one."""
    layers = [Waveguide(name, size) for name, size in zip(_names(hidden)[:-1], hidden, strict=True)]
    return Network.layered([Source("input", width), *layers])


def energy_layers(width: int, hidden: Sizes, classes: int) -> Network:
    """Sigmoid layers that act on each other both ways; with slopes of at most 1/4 there is one state of rest at first.

    Tanh layers soon have several, between which a nudge decides.
    """
    layers = [EnergyLayer(name, size) for name, size in zip(_names(hidden), (*hidden, classes), strict=True)]
    return energy_network([Source("input", width), *layers], gain=(4.0, *[3.0] * len(hidden)))


def oscillators(width: int, hidden: Sizes, classes: int) -> Network:
    """Lossless Duffing oscillators in one potential."""
    layers = [Hamiltonian(name, size) for name, size in zip(_names(hidden), (*hidden, classes), strict=True)]
    return hamiltonian_network([Source("input", width), *layers], gain=(1.0, *[1.5] * len(hidden)))


def passive_lines(width: int, hidden: Sizes, classes: int) -> Network:
    """Lines, banks of transformers and sinh shunts, with a generator in each load."""
    impedances = (1.0, *[2.0] * len(hidden), 1.0)
    return with_way_back(passive_network((width, *hidden, classes), impedances))


def rings(width: int, hidden: Sizes, classes: int, *, trainable: tuple[str, ...] = ()) -> Network:
    """Layers of symmetric rings, whose rest, 0.2, is near enough to the floor that they rectify."""
    sizes = zip(_names(hidden), (*hidden, classes), strict=True)
    cells = [Ring(name, size, 1.0, 0.9, 0.5, trainable=trainable) for name, size in sizes]
    network = Network.layered([Source("input", width), *cells], gain=2.0, readout="mean")
    return replace(network, readout=replace(network.readout, skip=1))  # the mean over the steps, rest before left out


def hidden_spikes(width: int, hidden: Sizes, classes: int) -> Network:
    """Integrate-and-fire cells driven by a constant current a pixel; firing rates of the last layer are read."""
    cells = [LIF(name, size) for name, size in zip(_names(hidden)[:-1], hidden, strict=True)]
    return Network.layered([Source("input", width), *cells], gain=(4.0, *[2.0] * (len(hidden) - 1)), readout="mean")


def heard_spikes(width: int, hidden: Sizes, classes: int) -> Network:
    """Layers of integrate-and-fire cells, each of them heard by a leaky linear readout: e-prop needs no other way."""
    cells = [LIF(name, size, bias=True) for name, size in zip(_names(hidden)[:-1], hidden, strict=True)]
    out = Waveguide("output", classes, "identity", time_constant=0.02)
    chain = ["input", *(layer.name for layer in cells)]
    links = [Link(a, b, gain=4.0 if a == "input" else 2.0) for a, b in pairwise(chain)]
    links += [Link(layer.name, out.name) for layer in cells]
    return Network([Source("input", width), *cells, out], links, Readout("output", kind="mean"))


def _names(hidden: Sizes) -> list[str]:
    return [*(f"hidden{n}" for n in range(1, len(hidden) + 1)), "output"]


SQUARED, PEAKED = SquaredError(), SquaredError(0.5, -0.1)
GUIDED = Settings(30, 32, 0.01)
RINGS = Settings(30, 32, 0.001, optimiser="rms")
SUMMED = Settings(4, 32, 0.001)
STRENGTHS = Settings(10, 64, 0.003, optimiser="rms")
READ = Settings(20, 32, 0.02)
SPIKES = Settings(8, 128, 0.02)

RECIPES: dict[str, Recipe] = {
    recipe.rule: recipe
    for recipe in (
        *(
            Recipe(rule, "layered waveguides", waveguides, SQUARED, GUIDED)
            for rule in (
                "reflected-wave",
                "autograd",
                "physics-aware",
                "twin-gradient",
                "feedback-alignment",
                "direct-feedback",
                "kolen-pollack",
            )
        ),
        *(
            Recipe(rule, "waveguides with both waves", waveguides, SQUARED, settings, both_waves=True)
            for rule, settings in (("concurrent", GUIDED), ("wave-hebbian", SUMMED), ("wave-hebbian-apart", GUIDED))
        ),
        Recipe(
            "equilibrium-propagation",
            "energy layers",
            energy_layers,
            SquaredError(0.9, 0.1),
            Settings(35, 32, 0.03),
            made=partial(EquilibriumPropagation, tolerance=1e-3),
        ),
        Recipe(
            "hamiltonian-echo",
            "Duffing oscillators",
            oscillators,
            CrossEntropy(4.0),
            Settings(30, 32, 0.005),
            4.0,
            0.25,
            made=partial(HamiltonianEcho, 0.02),
        ),
        Recipe(
            "native-reflection",
            "passive lines, banks and shunts",
            passive_lines,
            CrossEntropy(),
            Settings(20, 64, 0.03, optimiser="momentum"),
            80.0,
            1.0,
            made=partial(NativeReflection, kick=0.05, settling=0.05),
            port="in",
        ),
        *(
            Recipe(rule, "spiking cells", heard_spikes, CrossEntropy(4.0), Settings(12, 32, 0.03), 0.04, 2e-3)
            for rule in ("e-prop", "random-e-prop")
        ),
        *(
            Recipe(rule, "layers of rings", rings, PEAKED, RINGS, 6.0, 0.5)
            for rule in ("signal-propagation", "gated-signal-propagation")
        ),
        *(
            Recipe(rule, "rings that learn", partial(rings, trainable=learnt), PEAKED, STRENGTHS, 6.0, 0.5)
            for rule, learnt in (
                ("strength-propagation", ("k1", "k2", "k3")),
                ("published-strength-propagation", ("k3",)),
            )
        ),
        *(
            Recipe(rule, "waveguides, read digitally", hidden_waveguides, CrossEntropy(), READ, digital_readout=True)
            for rule in ("hebbian", "oja")
        ),
        *(
            Recipe(
                rule,
                "spiking cells, read digitally",
                hidden_spikes,
                CrossEntropy(),
                SPIKES,
                0.05,
                1e-3,
                digital_readout=True,
            )
            for rule in ("stdp", "phase-stdp")
        ),
    )
}
"""Rule -> recipe."""


def find_recipe(rule: str) -> Recipe:
    """The recipe of a rule.

    Raises
    ------
    UnknownNameError
    """
    if rule not in RECIPES:
        raise UnknownNameError("recipe for the rule", rule, RECIPES)
    return RECIPES[rule]
