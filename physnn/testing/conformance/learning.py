"""Checks of companions: gradients against differences of the measured loss, couplings against their transpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from physnn.equations import input_gradient
from physnn.errors import CapabilityError
from physnn.substrate.contract import CompanionSpec
from physnn.substrate.converters import as_numpy
from physnn.testing.conformance import systems
from physnn.testing.conformance.bench import (
    Bench,
    Refused,
    loss,
    loss_weights,
    oracle_gradient,
    reflected_gradient,
)
from physnn.testing.conformance.systems import Case, draw
from physnn.testing.conformance.waves import Measured


def steady_gradient(bench: Bench, case: Case, kind: str = "ideal") -> Iterator[Measured]:
    """The gradient by reflection is that of the measured loss, along one random direction for every parameter."""
    yield from _against_differences(bench, case, kind, steady=True)


def trajectory_gradient(bench: Bench, case: Case) -> Iterator[Measured]:
    """As `steady_gradient` for a loss over the whole run; with another integrator than explicit Euler, to its order."""
    if bench.exact(case):
        yield from _against_differences(bench, case, "ideal", steady=False)
        return
    coarse, fine = (
        max(e for e, _ in _against_differences(bench, c, "ideal", steady=False)) for c in (case, _halved(case))
    )
    yield coarse, 0.1
    yield fine, max(1.5 * 2.0 ** -bench.order(case) * coarse, bench.difference_tolerance)


def surrogate_gradient(bench: Bench, case: Case) -> Iterator[Measured]:
    """Events have no slope to be measured: the gradient with their surrogates is that of the interpreter."""
    substrate = bench.build(case.system, step=case.step)
    found = reflected_gradient(bench, case, substrate, steady=False)
    wanted = oracle_gradient(bench, case, substrate.placed)
    size = max(float(np.max(np.abs(value))) for value in wanted.values())
    for key, value in wanted.items():
        error = float(np.max(np.abs(found[key] - value))) / max(size, 1e-300)
        yield error, bench.tolerance(100 * case.steps) if bench.exact(case) else 0.1


def input_gradients(bench: Bench, case: Case) -> Iterator[Measured]:
    """The wave that reaches the input ports is the slope of the measured loss by what was given there."""
    substrate = bench.build(case.system, step=case.step)
    trace = bench.run(substrate, case.inputs, case.steps)
    weights = loss_weights(bench, case, trace.outputs["y"].shape[1])
    try:
        companion = substrate.companion(CompanionSpec(inputs=tuple(case.inputs)), trace)
    except CapabilityError as refusal:
        raise Refused(str(refusal)) from None
    echo = companion.run({"y": substrate.asarray(weights) * trace.outputs["y"]})
    made = substrate.placed.companion("transpose", tuple(case.inputs))
    given = {name: substrate.asarray(value) for name, value in case.inputs.items()}
    found = input_gradient(substrate.placed.system, made, trace, echo, given)
    size = max(float(np.linalg.norm(as_numpy(value))) for value in found.values())
    for port, value in case.inputs.items():
        direction = draw(f"{case.name} {port}", *value.shape)
        direction = direction / float(np.linalg.norm(direction))
        sides = []
        for move in (bench.difference_step, -bench.difference_step):
            inputs = {**case.inputs, port: value + move * direction}
            y = bench.run(bench.build(case.system, step=case.step), inputs, case.steps).outputs["y"]
            sides.append(loss(y, weights))
        measured = (sides[0] - sides[1]) / (2 * bench.difference_step)
        yield abs(float(np.sum(as_numpy(found[port]) * direction)) - measured) / size, bench.difference_tolerance


def gradient_on_a_die(bench: Bench, case: Case) -> Iterator[Measured]:
    """With mismatch the reflected wave meets the same die: the gradient is that of the measured loss."""
    yield from _against_differences(bench, case, "die", steady=True)


def transposes(bench: Bench, name: str) -> Iterator[Measured]:
    """<K x, c> = <x, K^T c>: what the forward run delivers against what the companion sends back."""
    operator, source, target = systems.operators()[name]
    substrate = bench.build(systems.two_ends(operator, source, target))
    x, c = draw("x" + name, 2, *source), draw("c" + name, 2, *target)
    trace = bench.steady(substrate, {"in": x})
    forward = as_numpy(trace.outputs["y"])[:, 0]
    companion = substrate.companion(CompanionSpec(), trace)
    echo = companion.steady({"y": substrate.asarray(c[:, None])}, tolerance=bench.tolerance(10))
    back = as_numpy(echo.outputs["enter.reflected"])[:, 0]
    left, right = float(np.sum(forward * c)), float(np.sum(x * back))
    yield abs(left - right) / float(np.sum(np.abs(forward * c))), bench.tolerance()


def feedback_is_fixed_and_random(bench: Bench, case: Case) -> Iterator[Measured]:
    """Feedback alignment sends the error through weights that are drawn once, not the transpose, and never change."""
    substrate = bench.build(case.system, step=case.step)
    trace = bench.steady(substrate, case.inputs)
    cotangents = {"y": trace.outputs["y"]}

    def echo(transport: str) -> np.ndarray:
        companion = substrate.companion(CompanionSpec(transport), trace)
        found = companion.steady(cotangents, tolerance=bench.tolerance(10)).outputs
        return as_numpy(found[f"{next(iter(case.system.couplings))}.reflected"])

    random, true = echo("random"), echo("transpose")
    yield float(np.max(np.abs(random - echo("random")))), 0.0
    alike = float(np.sum(random * true) / (np.linalg.norm(random) * np.linalg.norm(true)))
    yield float(abs(alike) > 0.99), 0.0


def _halved(case: Case) -> Case:
    return replace(case, step=case.step / 2, steps=case.steps * 2)


def _against_differences(bench: Bench, case: Case, kind: str, steady: bool) -> Iterator[Measured]:
    substrate = bench.build(case.system, kind, step=case.step)
    found = reflected_gradient(bench, case, substrate, steady)
    size = max(float(np.linalg.norm(value)) for value in found.values())
    for key, slope in found.items():
        direction: np.ndarray = draw(f"{case.name} {key}", *slope.shape)
        if np.iscomplexobj(slope):
            direction = direction + 1j * draw(f"{case.name} {key} i", *slope.shape)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-300)
        held = slope * substrate.placed.die(key, slope.shape)
        measured = _difference(bench, case, kind, key, direction, steady)
        yield abs(float(np.vdot(held, direction).real) - measured) / max(size, 1e-300), bench.difference_tolerance


def _difference(bench: Bench, case: Case, kind: str, key: str, direction: np.ndarray, steady: bool) -> float:
    """Central difference of the measured loss along a direction of one parameter, on fresh substrates of one seed."""
    values = []
    for sign in (1, -1):
        substrate = bench.build(case.system, kind, step=case.step)
        start = as_numpy(substrate.read()[key])
        step = bench.difference_step * max(1.0, float(np.max(np.abs(start))))
        substrate.write({key: substrate.asarray(start + sign * step * direction)})
        trace = bench.steady(substrate, case.inputs) if steady else bench.run(substrate, case.inputs, case.steps)
        y = trace.outputs["y"]
        values.append(loss(y, loss_weights(bench, case, y.shape[1])))
    return (values[0] - values[1]) / (2 * step)
