"""The bench on which a backend is tested: it sees nothing but the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from physnn.equations import Interpreter, System, Trace, companion_inputs, gradient
from physnn.substrate.contract import REFUSED, Backend, CompanionSpec, Substrate, traits_of
from physnn.substrate.converters import as_numpy
from physnn.substrate.placement import PlacedSystem, place
from physnn.substrate.profile_schema import Profile
from physnn.testing.conformance import systems
from physnn.testing.conformance.systems import Case, draw

PASS, FAIL, SKIP = "pass", "fail", "skip"


@dataclass(frozen=True)
class Outcome:
    """One comparison: its error against its tolerance, or why it was not made."""

    feature: str
    case: str
    status: str
    """pass, fail or skip"""
    error: float | None = None
    tolerance: float | None = None
    reason: str = ""


class Refused(Exception):
    """The backend says that it does not run this; the only reason for a skip."""


class Bench:
    """A backend with the profiles of the suite: an ideal one, one with a die, one with noise.

    Parameters
    ----------
    backend : Backend
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.rounding = traits_of(backend, systems.loop().system).rounding
        """relative precision of its arithmetic, the same for all Systems"""

    def exact(self, case: Case) -> bool:
        """Whether every step is that of the interpreter."""
        return traits_of(self.backend, case.system).integrator == "explicit Euler"

    def order(self, case: Case) -> int:
        """Order of the error in the step."""
        return traits_of(self.backend, case.system).order

    def tolerance(self, operations: int = 1000) -> float:
        """Relative error of this many roundings that all go one way."""
        return operations * self.rounding

    @property
    def difference_step(self) -> float:
        """Step of central differences at which truncation and rounding are alike: the cube root of the rounding."""
        return self.rounding ** (1 / 3)

    @property
    def difference_tolerance(self) -> float:
        """Relative error of such differences, with a margin of 10^4 for the curvature of the loss."""
        return 1e4 * self.rounding ** (2 / 3)

    def profile(self, kind: str) -> Profile:
        """ "ideal", "die" (mismatch), "noisy" (mismatch and noise) or "drifting" (mismatch and drift)."""
        said = {
            "name": f"conformance-{kind}",
            "title": kind,
            "backends": [self.backend.name],
            "description": "of the suite",
        }
        if kind == "ideal":
            return Profile.model_validate({**said, "kind": "ideal"})
        tables = {"range": {"weight": _number(4.0), "signal": _number(4.0)}}
        tables["mismatch"] = {"weight": _number(0.1), "gain": _number(0.1), "offset": _number(0.01)}
        if kind == "drifting":
            reference = {**_number(10.0), "unit": "s"}
            tables["drift"] = {"exponent": _number(0.05), "exponent_spread": _number(0.02), "reference": reference}
        if kind == "noisy":
            tables["noise"] = {"read": _number(0.02), "write": _number(0.02)}
        return Profile.model_validate({**said, "kind": "analog", **tables})

    def build(self, system: System, kind: str = "ideal", seed: int = 0, step: float = 0.05) -> Substrate:
        """A substrate, or `Refused` with the backend's reason."""
        profile = self.profile(kind)
        refused = [f for f in self.backend.check(system, profile) if f.status == REFUSED]
        if refused:
            raise Refused(f"{refused[0].part}: {refused[0].detail}")
        return self.backend.build(place(system, profile, seed=seed, step=step))

    def steady(self, substrate: Substrate, inputs: Mapping[str, NDArray]) -> Trace:
        """The stationary state for NumPy inputs."""
        return substrate.steady(
            {name: substrate.asarray(value) for name, value in inputs.items()}, tolerance=self.tolerance(10)
        )

    def run(self, substrate: Substrate, inputs: Mapping[str, NDArray], steps: int, state: Any = None) -> Trace:
        """A run for NumPy inputs."""
        duration = steps * substrate.placed.step
        return substrate.run({name: substrate.asarray(value) for name, value in inputs.items()}, duration, state)


def relative(found: Any, wanted: Any) -> float:
    """Largest deviation over the largest amplitude; infinite where shapes differ or something is not finite."""
    a, b = as_numpy(found), as_numpy(wanted)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    scale = float(np.max(np.abs(b))) if b.size else 0.0
    return float(np.max(np.abs(a - b))) / scale if scale else float(np.max(np.abs(a), initial=0.0))


def loss_weights(bench: Bench, case: Case, times: int) -> NDArray:
    """Weights of the loss 1/2 sum w y^2 of a case, at every output, time and sample.

    They change from step to step where every step is compared, and are constant in time where steps are halved.
    """
    size = case.system.populations[case.system.outputs["y"].population].shape
    batch = len(next(iter(case.inputs.values())))
    if bench.exact(case):
        return draw(case.name + " loss", batch, times, *size)
    return np.repeat(draw(case.name + " loss", batch, 1, *size), times, axis=1)


def loss(outputs: Any, weights: NDArray) -> float:
    """1/2 sum w y^2."""
    return 0.5 * float(np.sum(weights * as_numpy(outputs) ** 2))


def reflected_gradient(bench: Bench, case: Case, substrate: Substrate, steady: bool) -> dict[str, NDArray]:
    """The gradient of a case's loss by reflection on the substrate."""
    trace = bench.steady(substrate, case.inputs) if steady else bench.run(substrate, case.inputs, case.steps)
    y = trace.outputs["y"]
    cotangents = {"y": substrate.asarray(loss_weights(bench, case, y.shape[1])) * y}
    companion = substrate.companion(CompanionSpec(), trace)
    echo = companion.steady(cotangents, tolerance=bench.tolerance(10)) if steady else companion.run(cotangents)
    placed = substrate.placed
    return {
        k: as_numpy(v)
        for k, v in gradient(substrate.xp, placed.system, placed.companion("transpose"), trace, echo).items()
    }


def oracle_gradient(bench: Bench, case: Case, placed: PlacedSystem) -> dict[str, NDArray]:
    """The gradient of a case's loss by reflection in the interpreter."""
    parameters = placed.realise(placed.system.parameters, noise=False)
    trace = Interpreter(placed.system, parameters).run(case.inputs, case.steps, placed.step)
    y, companion = trace.outputs["y"], placed.companion("transpose", discrete=True)
    inputs = companion_inputs(companion, trace, {"y": loss_weights(bench, case, y.shape[1]) * y})
    echo = Interpreter(companion.system, parameters).run(inputs, y.shape[1], placed.step)
    return gradient(np, placed.system, companion, trace, echo)


def oracle_run(placed: PlacedSystem, inputs: Mapping[str, NDArray], steps: int, finer: int = 1) -> Trace:
    """The interpreter's run of a placed System, at its step or at a finer one."""
    plain = placed.realise(placed.system.parameters, noise=False)
    engine = Interpreter(placed.system, plain, seed=placed.seed)
    return engine.run(dict(inputs), steps * finer, placed.step / finer)


def oracle_steady(placed: PlacedSystem, inputs: Mapping[str, NDArray]) -> Trace:
    """The interpreter's stationary state of a placed System."""
    plain = placed.realise(placed.system.parameters, noise=False)
    return Interpreter(placed.system, plain, seed=placed.seed).steady(dict(inputs), 1e-14)


def _number(value: float) -> dict[str, Any]:
    return {
        "value": value,
        "unit": "1",
        "evidence": "assumed",
        "source": "assumption: of the conformance suite",
        "verified": False,
    }
