"""Dies that differ: what training on the die itself, with or without a twin, is worth against training in silico.

Layered waveguides 64-32-32-10 whose every repeater has a gain and a slope of its own, on the digits. With m the
mismatch and every xi standard normal, drawn once a die,

    z = W (1 + m xi_w) x + m xi_o + noise,    x' = (1 + m xi_g) tanh((1 + m xi_k) z),    the output x' = (1 + m xi_g) z

a bias being the weight of a constant line. The noise is that of detectors in front of the repeaters, drawn anew at each
use, on the way back too; it is not amplified by the next weights, as noise behind the tanh would be.

Four ways to the weights: in silico (trained on the ideal twin, then written to the die); in place (the error returns
through the die itself); physics-aware (through the twin, about the waves measured on the die); twin gradient (through
the twin, about the twin's own waves, the error measured on the die). Settings were chosen on validation data without a
die; accuracies are those of the test part on the die, with its noise, after training on training + validation.

The output is linear and the loss a cross-entropy, for a tanh whose gain a die draws far below 1 reaches no target near
1: such outputs saturate on the samples of the other classes, and their own is lost. With tanh outputs and targets of
+-0.8, 3 of 20 dies at 30 % lost more than 5 points that way when trained in place, two of them 19: a matter of the
loss, not of where the gradient comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from physnn.datasets import Dataset, load
from physnn.equations import System
from physnn.learning import Objective, Settings, accuracy, find_rule, train
from physnn.media import CrossEntropy, Medium, Network, Source
from physnn.report.files import write_whole
from physnn.report.svg import INK, MARKERS, PALETTE, blank, drawing, svg_file
from physnn.studies.recipes import find_recipe
from physnn.studies.study import Line, Record, Study, Task
from physnn.substrate.contract import Substrate
from physnn.substrate.profiles import Profile
from physnn.substrate.registry import build

_REPEATER = """
dx/dt = ({sent} - x)/abs(tau) : 1   # a time constant has no sign: no draw of the die gives it one
z     : 1 (arrival)
gain  : 1 (parameter)
tau   : s (parameter)
"""
COMPRESSING = _REPEATER.format(sent="gain*tanh(slope*z)") + "slope : 1 (parameter)"
LINEAR = _REPEATER.format(sent="gain*z")
HIDDEN = (32, 32)
MISMATCHES = (0, 5, 10, 15, 20, 30)
"""m [%]"""
READ_NOISE = 0.02
"""rms at a detector [1], the repeaters' full scale being 1"""
DIES = 20
IN_SILICO, IN_PLACE = "in-silico", "reflected-wave"
WAYS = {IN_PLACE: "in place", "physics-aware": "physics-aware", "twin-gradient": "twin gradient"}
"""rule that trains on the die -> the way's name"""
MOST_LOST = 1.5
"""that training on the die may cost against ideal [points]"""
LEAST_LOST, LOST_AT = 3.0, 20
"""that deploying must cost [points], at this mismatch [%]: else there was nothing to repair"""
IDEAL = "ideal-waveguide"
SETTINGS = replace(find_recipe("reflected-wave").settings, epochs=20)
"""on validation data, without a die, 30 epochs are 0.1 points better: too little for half as much time again"""


def network(width: int, hidden: Sequence[int], classes: int) -> Network:
    """Layered waveguides whose repeaters have a gain and a slope each, 1 as described; linear ones at the output."""
    values = {"gain": 1.0, "tau": 1.0}
    layers = [
        Medium(f"hidden{n}", size, COMPRESSING, values | {"slope": 1.0}, bias=True)
        for n, size in enumerate(hidden, start=1)
    ]
    output = Medium("output", classes, LINEAR, values, bias=True)
    return Network.layered([Source("input", width), *layers, output], gain=(*[1.0] * len(hidden), 0.1))


def fabricated(mismatch: int, read: float = READ_NOISE) -> Profile:
    """Analog waveguides whose weights, offsets, gains and slopes have the spread `mismatch` [%], with detector noise.

    Gains and slopes both fall under the profile's `mismatch.gain`, which every parameter of a layer obeys.
    """

    def assumed(value: float) -> dict[str, Any]:
        source = "assumption: the spread that this study varies"
        return {"value": value, "unit": "1", "evidence": "assumed", "source": source, "verified": False}

    spread = assumed(mismatch / 100)
    return Profile.model_validate(
        {
            "name": f"mismatch-{mismatch}",
            "title": f"Waveguides with {mismatch} % mismatch",
            "kind": "analog",
            "backends": ["waveguide"],
            "description": "Dies whose weights, offsets, gains and slopes differ by the same share.",
            "mismatch": {"weight": spread, "gain": spread, "offset": spread},
            "noise": {"read": assumed(read)},
        }
    )


@dataclass(frozen=True)
class Bench:
    """A network that is to be trained, described once for all dies."""

    data: Dataset
    system: System
    objective: Objective
    settings: Settings
    seed: int
    """of the initial weights, of the order of samples and of the die that goes with them: their draws are independent,
    for each is named by what it is for"""

    @classmethod
    def of(cls, seed: int, epochs: int) -> Bench:
        """The bench of one seed, on the digits."""
        data = load("digits")
        described = network(data.width, HIDDEN, data.classes)
        objective = Objective(described.readout, CrossEntropy(), data.classes)
        return cls(data, described.lower(seed), objective, replace(SETTINGS, epochs=epochs), seed)

    def trained(self, rule: str, profile: str | Profile) -> Substrate:
        """The die of the bench's own number, trained in place on training + validation."""
        substrate = build(self.system, profile, seed=self.seed)
        part = self.data.part("train+validation")
        train(substrate, find_rule(rule), self.objective, *part, self.settings, seed=self.seed)
        return substrate

    def written(self, weights: Mapping[str, Any], profile: str | Profile, die: int) -> Substrate:
        """A die that is only written."""
        substrate = build(self.system, profile, seed=die)
        substrate.write({key: weights[key] for key in self.system.trainable})
        return substrate

    def tested(self, substrate: Substrate) -> float:
        """Accuracy on the test part."""
        return accuracy(substrate, self.objective, *self.data.part("test"))


def in_silico(seed: int, mismatches: Sequence[int], epochs: int) -> dict[str, Any]:
    """Train the twin without noise; its accuracy, and that of its weights on the die at each mismatch [%]."""
    bench = Bench.of(seed, epochs)
    twin = bench.trained(IN_PLACE, IDEAL)
    weights = twin.read()
    deployed = {str(m): bench.tested(bench.written(weights, fabricated(m), seed)) for m in mismatches}
    return {"accuracy": bench.tested(twin), "deployed": deployed}


def on_the_die(rule: str, mismatch: int, seed: int, epochs: int) -> dict[str, Any]:
    """Train on a die; its accuracy, and that of its weights on another die and on the twin without noise."""
    bench = Bench.of(seed, epochs)
    profile = fabricated(mismatch)
    die = bench.trained(rule, profile)
    weights = die.read()
    other = bench.written(weights, profile, seed + DIES)
    twin = bench.written(weights, IDEAL, seed)
    return {"accuracy": bench.tested(die), "other_die": bench.tested(other), "twin": bench.tested(twin)}


def tasks(seeds: Sequence[int]) -> list[Task]:
    """Each seed is a die with a network of its own."""
    epochs = SETTINGS.epochs
    silico = [
        Task(f"{IN_SILICO}-{seed}", in_silico, {"seed": seed, "mismatches": list(MISMATCHES), "epochs": epochs})
        for seed in seeds
    ]
    dies = [
        Task(_key(rule, m, seed), on_the_die, {"rule": rule, "mismatch": m, "seed": seed, "epochs": epochs})
        for m in MISMATCHES
        for rule in WAYS
        for seed in seeds
    ]
    return silico + dies


def lines(records: Mapping[str, Record]) -> Iterator[Line]:
    """What each way loses against ideal, die by die [points]; beside it the accuracies."""
    ideal = {int(key.rpartition("-")[2]): r["accuracy"] for key, r in records.items() if key.startswith(IN_SILICO)}
    yield Line("ideal: no mismatch, no noise; accuracy", list(ideal.values()))
    for rule, way in WAYS.items():
        most = None if rule == "twin-gradient" else MOST_LOST
        for m in MISMATCHES:
            yield _lost(f"{way}, m = {m} %: points lost", ideal, _reached(records, rule, m), most=most)
    for m in MISMATCHES:
        least = LEAST_LOST if m == LOST_AT else None
        yield _lost(f"in silico, m = {m} %: points lost", ideal, _reached(records, IN_SILICO, m), least=least)
    for m in MISMATCHES[1:]:
        for measured, where in (("other_die", "another die"), ("twin", "the twin")):
            found = _reached(records, IN_PLACE, m, measured)
            yield _lost(f"trained in place, moved to {where}, m = {m} %: points lost", ideal, found)


def figure(records: Mapping[str, Record], path: str | Path) -> Path:
    """Test accuracy [1] against mismatch [%]: mean over the dies and one standard deviation, ideal dashed; an SVG file.

    Raises
    ------
    CapabilityError
        matplotlib is not installed.
    ExperimentError
        The folder cannot be written.
    """
    ways = {IN_SILICO: "in silico", **WAYS}
    with drawing():
        drawn = blank(4.9, 3.7)
        axes = drawn.subplots()
        for index, (rule, way) in enumerate(ways.items()):
            found = {m: list(_reached(records, rule, m).values()) for m in MISMATCHES}
            known = [m for m in MISMATCHES if found[m]]
            places = [m + 0.35 * (index - (len(ways) - 1) / 2) for m in known]  # so that bars can be told apart
            axes.errorbar(
                places,
                [fmean(found[m]) for m in known],
                yerr=[_deviation(found[m]) for m in known],
                color=PALETTE[index],
                marker=MARKERS[index],
                markersize=5,
                linewidth=1.3,
                elinewidth=1.0,
                capsize=2,
                label=way,
            )
        ideal = [record["accuracy"] for key, record in records.items() if key.startswith(IN_SILICO)]
        if ideal:
            axes.axhline(fmean(ideal), color=INK, linewidth=1, linestyle=(0, (6, 3)), label="ideal", zorder=1)
        axes.set_xticks(MISMATCHES)
        axes.set_xlabel("mismatch m [%]")
        axes.set_ylabel("test accuracy on the die")
        axes.grid(axis="y")
        axes.legend(loc="lower left")
        return write_whole(path, svg_file(drawn))


def _key(rule: str, mismatch: int, seed: int) -> str:
    return f"{rule}-{mismatch}-{seed}"


def _reached(records: Mapping[str, Record], way: str, mismatch: int, measured: str = "accuracy") -> dict[int, float]:
    """Die -> accuracy of a way at a mismatch, for the dies that have run."""
    found = {}
    for key, record in records.items():
        if way == IN_SILICO and key.startswith(IN_SILICO):
            found[int(key.rpartition("-")[2])] = record["deployed"][str(mismatch)]
        elif key.rpartition("-")[0] == f"{way}-{mismatch}":
            found[int(key.rpartition("-")[2])] = record[measured]
    return found


def _lost(
    what: str,
    ideal: Mapping[int, float],
    found: Mapping[int, float],
    *,
    least: float | None = None,
    most: float | None = None,
) -> Line:
    """Points lost by each die against the ideal network of its seed."""
    lost = [100 * (ideal[seed] - found[seed]) for seed in found if seed in ideal]
    if not found:
        return Line(what, lost, least, most)
    reached = list(found.values())
    beside = f"accuracy {fmean(reached):.4f} +- {_deviation(reached):.4f}, worst die {min(reached):.4f}"
    return Line(what, lost, least, most, note=beside)


def _deviation(values: Sequence[float]) -> float:
    """Standard deviation over dies; 0 for a single one."""
    return stdev(values) if len(values) > 1 else 0.0


STUDY = Study(
    "mismatch",
    "Training in silico, on the die, and through a twin, against the spread between dies",
    tasks,
    lines,
    seeds=range(DIES),
    source="the comparison of L. G. Wright et al., Nature 601:549 (2022), for layered waveguides",
    figure=figure,
)
