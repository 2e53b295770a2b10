"""What the numbers say, and what they do not, in sentences.

A difference of two mean accuracies is *seen* when it exceeds two standard errors of the difference, each row's error
being that over seeds and that over test images in quadrature. Both rows use the same test images, so this is cautious.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from physnn.report.cells import cells_of
from physnn.report.format import bounds, listing, plural, quantity, with_error
from physnn.report.rows import Row, grouped, mean, summarise

CLAIM_SEEDS = 5
SEEN = 2.0


@dataclass(frozen=True)
class Finding:
    """What was found on one data set: sentences, each standing alone."""

    dataset: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """Findings by data set, and what the results do not support."""

    findings: tuple[Finding, ...]
    limits: tuple[str, ...]


def summary(results: Mapping[str, Any]) -> Summary:
    """Put a comparison into words."""
    rows = summarise(results)
    findings = [
        Finding(dataset, tuple(_sentences(group))) for dataset, group in grouped(rows, lambda row: row.dataset).items()
    ]
    return Summary(tuple(findings), tuple(_limits(results, rows)))


def difference(one: float, other: float, error_one: float | None, error_other: float | None) -> tuple[float, float]:
    """`one - other` and its standard error `sqrt(e1^2 + e2^2)`; infinite where an error is not known."""
    if error_one is None or error_other is None:
        return one - other, math.inf
    return one - other, math.hypot(error_one, error_other)


def seen(delta: float, error: float) -> bool:
    """Whether a difference exceeds two standard errors."""
    return abs(delta) > SEEN * error


def _sentences(rows: Sequence[Row]) -> list[str]:
    done = [row for row in rows if row.accuracy is not None]
    if not done:
        return ["No cell of this task has a test accuracy: nothing was measured."]
    best = max(done, key=_accuracy)
    sentences = [_best(best, done)]
    sentences += _controls(best)
    sentences += _rules(best.rule, done)
    sentences += _cheapest([row for row in done if row.inference is not None])
    sentences += _noise(done)
    return sentences


def _best(best: Row, rows: Sequence[Row]) -> str:
    others = [row for row in rows if row is not best]
    level = [row for row in others if not seen(*_gap(best, row))]
    text = (
        f"The highest mean test accuracy is {with_error(best.accuracy, best.error)}: {best.label}"
        f" ({plural(best.done, 'seed')})."
    )
    if not others:
        return text
    if not level:
        return f"{text} It lies above each of the other {len(others)} by more than two standard errors."
    if len(level) == 1:
        return f"{text} It is not told apart from {level[0].label}: the difference is within two standard errors."
    return f"{text} {len(level)} of the other {len(others)} combinations are within two standard errors of it."


def _controls(best: Row) -> list[str]:
    controls = (("a linear readout", best.linear), ("the same network with frozen hidden layers", best.frozen_hidden))
    parts = []
    for name, control in controls:
        if control is not None:
            delta, error = difference(_accuracy(best), control, best.error, best.image_error)
            verdict = "" if seen(delta, error) else ", within error"
            parts.append(f"{name} reaches {control:.3f} (the best minus this: {_signed(delta, error)}{verdict})")
    return [f"For comparison, {' and '.join(parts)}."] if parts else []


def _rules(lead: str, rows: Sequence[Row]) -> list[str]:
    """The rule of the best row against each other rule, substrate by substrate."""
    by_rule = grouped(rows, lambda row: row.rule)
    sentences = []
    for rule, others in by_rule.items():
        pairs = [(row, other) for row in by_rule[lead] for other in others if _same_place(row, other)]
        if rule == lead or not pairs:
            continue
        gaps = [_gap(row, other) for row, other in pairs]
        above = sum(delta > 0 and seen(delta, error) for delta, error in gaps)
        below = sum(delta < 0 and seen(delta, error) for delta, error in gaps)
        centre = mean(delta for delta, _ in gaps) or 0.0
        higher = sum(delta > 0 for delta, _ in gaps)
        sentences.append(
            f"{lead} is above {rule} on {higher} of {plural(len(gaps), 'shared substrate')}"
            f" (mean difference {_minus(f'{centre:+.3f}')}), by more than two standard errors on {above};"
            f" it is below by more than two on {below}."
        )
    return sentences


def _cheapest(devices: Sequence[Row]) -> list[str]:
    """The least energy for an inference among devices within one standard error of the best device."""
    if not devices:
        return ["No cell of this task ran on a device with an energy: nothing is said about cost."]
    best = max(devices, key=_accuracy)
    level = [row for row in devices if row is best or _within_one(best, row)]
    cheapest = min(level, key=_energy)
    spread = bounds(cheapest.inference, "J") if cheapest.inference else ""
    text = (
        f"Among devices, {best.label} is the most accurate ({with_error(best.accuracy, best.error)})."
        if cheapest is best
        else f"Among devices, the most accurate is {best.label} ({with_error(best.accuracy, best.error)});"
    )
    middle = (
        " None within one standard error of it is cheaper:"
        if cheapest is best
        else f" the cheapest within one standard error of it is {cheapest.label}"
        f" ({with_error(cheapest.accuracy, cheapest.error)}):"
    )
    text += f"{middle} {quantity(_energy(cheapest), 'J')} an inference ({spread})."
    rivals = [row for row in level if row.run_on != cheapest.run_on and _overlap(row, cheapest)]
    if rivals:
        names = listing(list(dict.fromkeys(row.run_on for row in rivals)))
        text += f" Its energy range overlaps that of {names}: which of them is cheaper is not settled."
    return [text]


def _noise(rows: Sequence[Row]) -> list[str]:
    """Each device against the ideal substrate of its backend, one sentence a rule."""
    sentences = []
    for rule, group in grouped(rows, lambda row: row.rule).items():
        ideals = [row for row in group if row.inference is None]
        parts = []
        for row in (row for row in group if row.inference is not None):
            ideal = _ideal_of(row, ideals)
            if ideal is not None:
                delta, error = _gap(row, ideal)
                parts.append(f"{row.place} {_signed(delta, error)}{'' if seen(delta, error) else ' (within error)'}")
        if parts:
            sentences.append(
                f"What the device does to the accuracy of {rule}, against the ideal substrate: {'; '.join(parts)}."
            )
    return sentences


def _ideal_of(row: Row, ideals: Sequence[Row]) -> Row | None:
    same = [ideal for ideal in ideals if ideal.backend == row.backend]
    return max(same or ideals, key=lambda ideal: (ideal.train_on == ideal.run_on, _accuracy(ideal)), default=None)


def _limits(results: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    cells = cells_of(results)
    done = [row for row in rows if row.done]
    limits = []
    if not cells:
        return ["The results hold no cell."]
    counts = sorted({row.done for row in done})
    if counts and counts[0] < CLAIM_SEEDS:
        seeds = plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {plural(counts[-1], 'seed')}"
        limits.append(
            f"With {seeds} for a combination, where a claim needs {CLAIM_SEEDS}, this is a demonstration"
            " and not a claim that one rule or substrate is better than another."
        )
    limits += _lost(cells, "failed", "failed") + _lost(cells, "refused", "were refused")
    for dataset, group in grouped((row for row in done if row.accuracy is not None), lambda row: row.dataset).items():
        limits += _learning_limit(dataset, max(group, key=_accuracy)) + _ranking_limit(dataset, group)
    if unverified := max((row.unverified for row in done), default=0):
        limits.append(
            f"Energies rest on constants that nobody has verified (up to {unverified} for one combination);"
            " they are listed below, and a figure that uses them is an estimate and not a measurement."
        )
    if labels := sorted({row.rule for row in done if row.gradient_label and "twin" in row.gradient_label}):
        limits.append(f"The gradients of {listing(labels)} used a digital twin: not measured from fields alone.")
    return limits


def _lost(cells: Sequence[Mapping[str, Any]], status: str, verb: str) -> list[str]:
    count = sum(cell["status"] == status for cell in cells)
    return [f"{count} of {plural(len(cells), 'cell')} {verb} (reasons below); means leave them out."] if count else []


def _learning_limit(dataset: str, best: Row) -> list[str]:
    controls = [control for control in (best.linear, best.frozen_hidden) if control is not None]
    if not controls:
        return []
    delta, error = difference(_accuracy(best), max(controls), best.error, best.image_error)
    if delta > 0 and seen(delta, error):
        return []
    return [
        f"On {dataset} the best accuracy is not above both controls by two standard errors:"
        " it does not show that trained hidden layers are needed."
    ]


def _ranking_limit(dataset: str, rows: Sequence[Row]) -> list[str]:
    """Neighbours in typical energy whose ranges overlap."""
    devices = grouped((row for row in rows if row.inference is not None), lambda row: row.run_on)
    order = sorted((min(group, key=_energy) for group in devices.values()), key=_energy)
    pairs = [f"{one.run_on} / {other.run_on}" for one, other in pairwise(order) if _overlap(one, other)]
    if not pairs:
        return []
    return [f"On {dataset} the order in energy is not settled, because ranges overlap, for {listing(pairs)}."]


def _gap(one: Row, other: Row) -> tuple[float, float]:
    return difference(_accuracy(one), _accuracy(other), one.error, other.error)


def _within_one(one: Row, other: Row) -> bool:
    delta, error = _gap(one, other)
    return abs(delta) <= error < math.inf


def _same_place(one: Row, other: Row) -> bool:
    return (one.train_on, one.run_on) == (other.train_on, other.run_on)


def _overlap(one: Row, other: Row) -> bool:
    return one.inference is not None and other.inference is not None and one.inference.overlaps(other.inference)


def _accuracy(row: Row) -> float:
    return -math.inf if row.accuracy is None else row.accuracy


def _energy(row: Row) -> float:
    return math.inf if row.inference is None else row.inference.typical


def _signed(delta: float, error: float) -> str:
    return _minus(f"{delta:+.3f}" if error == math.inf else f"{delta:+.3f} ± {error:.3f}")


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
