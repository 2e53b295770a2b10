"""A passive network trained in place: what it reaches, what dies, line loss and converters cost.

A network 64-32-10 (2 outputs for parity) of lines, ideal-transformer banks and diode pairs, in which every wave is
reflected everywhere (`physnn.media.passive_network`). Its turns ratios are learnt by the reflected wave, both runs in
time: each sample is shown for 16 delays of a line, and read then. The recipe is that of a prototype, scaled to sources
of 1 V: thermal voltages of 1/12 V, diode pairs of 0.2/12 A, momentum 0.9, batches of 64, 20 epochs.

    W1, W2     1 + m xi_w     turns ratios of a die, m the mismatch, every xi standard normal, drawn once a die
    others     1 + m xi       every impedance, source, load, diode current and thermal voltage
    lines      k = 10^(-loss/20) a line, one way; four lines in a row
    bits       of inputs, of outputs, of errors and reflected waves, and of turns ratios as they are written

Linear readouts of the digits are nearly as good as any network, so their parity is what tells: beside each accuracy
stand a linear readout of the pixels, and the same network without diode pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from physnn.datasets import Dataset, load
from physnn.learning import Objective, Settings, accuracy, find_rule, train
from physnn.learning.controls import linear_control
from physnn.media import CrossEntropy, Network
from physnn.media.impedances import Shunts, passive_network
from physnn.report.files import write_whole
from physnn.report.svg import INK, MARKERS, PALETTE, blank, drawing, svg_file
from physnn.studies.study import Line, Record, Study, Task
from physnn.substrate.contract import Substrate
from physnn.substrate.profiles import Profile
from physnn.substrate.registry import build

IDEAL = "ideal-waveguide"
DATASETS = ("digits", "digits-parity")
PROMISED = {"digits": 0.96, "digits-parity": 0.98}
"""data set -> least test accuracy"""
TELLING = "digits-parity"
DURATION = 16.0
"""how long a sample is shown [delays of a line]"""
SETTINGS = Settings(epochs=20, batch=64, rate=0.03, optimiser="momentum")
DIES = 5
MISMATCH = 10
"""of the dies that the promise is about [%]"""
MOST_LOST = 1.0
"""that training on such a die may cost [points]"""
LOSSES, MISMATCHES, BITS = (0.5, 1.0, 2.0, 3.0), (5, 10, 20), (8, 6, 4)
"""of the curves: dB a line, %, bits"""
DEVICES = ("rf-transmission-line", "photonic-mzi")
FULL_SCALE = 4.0
"""of turns ratios and signals where there are converters [1]"""


def network(classes: int, loss: float = 0.0, *, diodes: bool = True) -> Network:
    """The network, with `loss` [dB] a line."""
    return passive_network(
        (64, 32, classes),
        transmission=10 ** (-loss / 20),
        shunts=Shunts("sinh", 0.2 / 12, 1 / 12) if diodes else None,
        drive=1.0,
        gain=30.0,
    )


def fabricated(mismatch: float = 0.0, bits: int | None = None) -> Profile:
    """A passive device with a mismatch [%] and converters of some bits."""

    def assumed(value: float) -> dict[str, Any]:
        source = "assumption: what this study varies"
        return {"value": value, "unit": "1", "evidence": "assumed", "source": source, "verified": False}

    table: dict[str, Any] = {
        "name": "passive-device",
        "title": "Passive network",
        "kind": "analog",
        "backends": ["waveguide"],
        "description": "Lines, transformers and diode pairs that differ from device to device.",
    }
    if mismatch:
        table["mismatch"] = {"weight": assumed(mismatch / 100), "gain": assumed(mismatch / 100)}
    if bits:
        kinds = ("weight_bits", "input_bits", "output_bits")
        table["precision"] = {**dict.fromkeys(kinds, bits), "source": "assumption: what this study varies"}
        table["range"] = {"weight": assumed(FULL_SCALE), "signal": assumed(FULL_SCALE)}
    return Profile.model_validate(table)


@dataclass(frozen=True)
class Bench:
    """A network that is to be trained."""

    data: Dataset
    described: Network
    seed: int
    """of the initial turns ratios and of the order of samples"""

    @property
    def objective(self) -> Objective:
        """What is read at the end of the time."""
        return Objective(self.described.readout, CrossEntropy(), self.data.classes, duration=DURATION)

    def built(self, profile: str | Profile, die: int) -> Substrate:
        """A die, with the initial turns ratios."""
        return build(self.described.lower(self.seed), profile, seed=die, step=1.0)

    def trained(self, profile: str | Profile, die: int, settings: Mapping[str, Any], part: str) -> Substrate:
        """A die trained in place."""
        substrate = self.built(profile, die)
        samples = self.data.part(part)
        train(substrate, find_rule("reflected-wave"), self.objective, *samples, Settings(**settings), seed=self.seed)
        return substrate

    def tested(self, substrate: Substrate, part: str = "test") -> float:
        """Accuracy on a part of the data."""
        return accuracy(substrate, self.objective, *self.data.part(part))


def ideal(dataset: str, seed: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The ideal network, the linear one and the linear readout; the ideal one's turns ratios on dies as they are."""
    data = load(dataset)
    bench, linear = (Bench(data, network(data.classes, diodes=diodes), seed) for diodes in (True, False))
    whole = bench.trained(IDEAL, seed, settings, "train+validation")
    weights = {key: whole.read()[key] for key in whole.placed.system.trainable}
    deployed = {}
    for mismatch in MISMATCHES:
        die = bench.built(fabricated(mismatch), seed * DIES)
        die.write(weights)
        deployed[str(mismatch)] = bench.tested(die)
    return {
        "test": bench.tested(whole),
        "without_diodes": linear.tested(linear.trained(IDEAL, seed, settings, "train+validation")),
        "linear": linear_control(data),
        "deployed": deployed,
    }


def on_a_die(
    dataset: str,
    seed: int,
    die: int,
    settings: Mapping[str, Any],
    loss: float = 0.0,
    mismatch: float = 0.0,
    bits: int | None = None,
    device: str = "",
) -> dict[str, Any]:
    """A network trained in place on one die: of a profile by name, or of one that is made from the numbers given."""
    data = load(dataset)
    bench = Bench(data, network(data.classes, loss), seed)
    substrate = bench.trained(device or fabricated(mismatch, bits), die, settings, "train+validation")
    return {"test": bench.tested(substrate)}


def tasks(seeds: Sequence[int]) -> list[Task]:
    """The ideal networks, the dies of the promise, the curves."""
    settings = asdict(SETTINGS)
    found = [
        Task(f"{dataset}-ideal-{seed}", ideal, {"dataset": dataset, "seed": seed, "settings": settings})
        for dataset in DATASETS
        for seed in seeds
    ]
    for dataset in DATASETS:
        for seed in seeds:
            for number in range(DIES):
                own = {"dataset": dataset, "seed": seed, "die": seed * DIES + number, "mismatch": MISMATCH}
                found.append(Task(f"{dataset}-die{number}-{seed}", on_a_die, {**own, "settings": settings}))
    for key, varied in _varied().items():
        for seed in seeds:
            own = {"dataset": TELLING, "seed": seed, "die": seed * DIES, **varied}
            found.append(Task(f"{key}-{seed}", on_a_die, {**own, "settings": settings}))
    return found


def _varied() -> dict[str, dict[str, Any]]:
    """What each point of the curves changes."""
    return {
        **{f"loss{loss:g}": {"loss": loss} for loss in LOSSES},
        **{f"mismatch{m}": {"mismatch": m} for m in MISMATCHES if m != MISMATCH},
        **{f"bits{bits}": {"bits": bits} for bits in BITS},
        **{f"device-{device}": {"device": device} for device in DEVICES},
    }


def lines(records: Mapping[str, Record]) -> Iterator[Line]:
    """Accuracies beside the controls; points lost on dies, pair by pair; the curves."""
    for dataset in DATASETS:
        own = _seeds(records, f"{dataset}-ideal")
        yield Line(f"{dataset}, control: linear readout of the pixels", [r["linear"] for r in own.values()])
        yield Line(f"{dataset}, control: without diode pairs", [r["without_diodes"] for r in own.values()])
        yield Line(f"{dataset}, passive network: test accuracy", [r["test"] for r in own.values()], PROMISED[dataset])
    for dataset in DATASETS:
        lost = [
            100 * (best["test"] - record["test"])
            for seed, best in _seeds(records, f"{dataset}-ideal").items()
            for number in range(DIES)
            if (record := records.get(f"{dataset}-die{number}-{seed}")) is not None
        ]
        yield Line(f"{dataset}, trained on dies of {MISMATCH} %: points lost", lost, most=MOST_LOST)
    for key in _varied():
        yield Line(f"{TELLING}, {_words(key)}: test accuracy", _tested(records, key))
    for mismatch in MISMATCHES:
        found = [record["deployed"][str(mismatch)] for record in _seeds(records, f"{TELLING}-ideal").values()]
        yield Line(f"{TELLING}, trained ideally, written to a die of {mismatch} %: test accuracy", found)


def _words(key: str) -> str:
    """What a point of the curves is called."""
    for start, unit in (("loss", "dB a line"), ("mismatch", "% mismatch"), ("bits", "bits")):
        if key.startswith(start):
            return f"{key.removeprefix(start)} {unit}"
    return f"on {key.removeprefix('device-')}"


def _tested(records: Mapping[str, Record], key: str) -> list[float]:
    return [record["test"] for record in _seeds(records, key).values()]


def _seeds(records: Mapping[str, Record], key: str) -> dict[int, Record]:
    """Seed -> record, of trainings that have run."""
    found = {}
    for name, record in records.items():
        start, _, seed = name.rpartition("-")
        if start == key:
            found[int(seed)] = record
    return found


def figure(records: Mapping[str, Record], path: str | Path) -> Path:
    """Test accuracy on the parity of the digits against loss [dB], mismatch [%] and bits; an SVG file.

    Raises
    ------
    CapabilityError
        matplotlib is not installed.
    ExperimentError
        The folder cannot be written.
    """
    best = [record["test"] for record in _seeds(records, f"{TELLING}-ideal").values()]
    in_place = {m: _tested(records, f"{TELLING}-die0" if m == MISMATCH else f"mismatch{m}") for m in MISMATCHES}
    silico = {
        m: [record["deployed"][str(m)] for record in _seeds(records, f"{TELLING}-ideal").values()] for m in MISMATCHES
    }
    panels: tuple[tuple[str, dict[str, dict[Any, list[float]]]], ...] = (
        ("loss a line, one way [dB]", {"trained in place": {x: _tested(records, f"loss{x:g}") for x in LOSSES}}),
        ("mismatch [%]", {"trained in place": in_place, "trained ideally": silico}),
        ("converters and turns ratios [bits]", {"trained in place": {b: _tested(records, f"bits{b}") for b in BITS}}),
    )
    with drawing():
        drawn = blank(9.0, 3.2)
        for axes, (label, curves) in zip(drawn.subplots(1, 3, sharey=True), panels, strict=True):
            for index, (name, points) in enumerate(curves.items()):
                known = {x: values for x, values in points.items() if values}
                means = [fmean(values) for values in known.values()]
                axes.plot(list(known), means, color=PALETTE[index], marker=MARKERS[index], label=name)
                for x, values in known.items():
                    axes.plot([x] * len(values), values, ".", color=PALETTE[index], markersize=3, zorder=1)
            if best:
                axes.axhline(fmean(best), color=INK, linewidth=1, linestyle=(0, (6, 3)), label="ideal", zorder=1)
            axes.set_xlabel(label)
            axes.grid(axis="y")
        drawn.axes[0].set_ylabel("test accuracy, parity of the digits")
        drawn.axes[1].legend(loc="lower left")
        return write_whole(path, svg_file(drawn))


STUDY = Study(
    "passive",
    "A passive network of lines, transformers and diode pairs, trained in place",
    tasks,
    lines,
    seeds=range(5),
    figure=figure,
)
